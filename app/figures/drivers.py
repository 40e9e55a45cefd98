"""Signed bars that lead from a model's base to its forecast."""

from __future__ import annotations

from itertools import pairwise
from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import signed, t

KEPT = 9  # bars shown one by one; the rest are added up
_WIDEST = 30  # letters of a label on one line: a narrow screen must hold bars, too
_BESIDE_PX = 44  # right of the bars, for the number of the longest


def largest(rows: pd.DataFrame, kept: int = KEPT) -> pd.DataFrame:
    """The base first, then the largest contributions, the rest in one row: the sum stays the same.

    Features that share a label (sine and cosine of the hour) become one: a figure has one bar a label.

    Parameters
    ----------
    rows : DataFrame
        feature, label, contribution; a feature `base` or `usual` leads where there is one.
    """
    rows = rows.groupby("label", sort=False, as_index=False).agg({"feature": "first", "contribution": "sum"})
    lead = rows["feature"].isin(["base", "usual", "intercept"])
    others = rows[~lead]
    others = others.reindex(others["contribution"].abs().sort_values(ascending=False).index)
    tail = others.iloc[kept:]
    parts = [rows[lead], others.iloc[:kept]]
    if len(tail):
        rest = {
            "feature": "rest",
            "label": t("models.drivers.rest", n=len(tail)),
            "contribution": tail["contribution"].sum(),
        }
        parts.append(pd.DataFrame([rest]))
    return pd.concat(parts, ignore_index=True)


def drivers(rows: pd.DataFrame, *, unit: str, digits: int, theme: str | None) -> go.Figure:
    """Bars of `largest(rows)`, each from where the one before ended; the last, from 0, is the forecast."""
    c = look(theme)
    shown = largest(rows)
    figure = blank(theme, height=96 + 30 * (len(shown) + 1), left=10, top=10, bottom=40)
    labels = [*shown["label"].astype(str), t("models.drivers.sum")]
    values = [*shown["contribution"].astype(float), float(rows["contribution"].sum())]
    ends = np.cumsum(values[:-1]).tolist()
    whole = [True, *[False] * (len(values) - 2), True]  # the first and the last begin at 0
    figure.add_bar(
        orientation="h", y=labels, x=values, base=[0.0, *ends[:-1], 0.0], width=0.65,
        marker={"color": [c.ink if w else c.bad if v >= 0 else c.micro for w, v in zip(whole, values, strict=True)]},
        text=[*(signed(v, digits) for v in values[:-1]), f"{values[-1]:.{digits}f}"], textposition="outside",
        textfont={"color": c.muted}, cliponaxis=False,
        hovertemplate=f"%{{y}}: %{{text}} {unit}<extra></extra>",
    )  # fmt: skip
    joints = [(label, end) for pair, end in zip(pairwise(labels), ends, strict=True) for label in (*pair, None)]
    figure.add_scatter(
        y=[label for label, _ in joints], x=[end if label else None for label, end in joints], mode="lines",
        line={"color": c.line, "width": 1}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_layout(hovermode="closest", showlegend=False, margin_r=_BESIDE_PX)
    figure.update_yaxes(
        autorange="reversed", automargin=True, gridcolor="rgba(0,0,0,0)", tickfont={"color": c.ink, "size": 11.5},
        tickvals=labels, ticktext=["<br>".join(wrap(label, _WIDEST)) for label in labels],
    )  # fmt: skip
    figure.update_xaxes(showgrid=True, title_text=unit, nticks=6)
    return figure
