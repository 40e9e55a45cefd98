"""Response curves of a model's main inputs, four small panels on one scale."""

from __future__ import annotations

import html
import textwrap

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import t

_GAP_X, _GAP_Y = 0.12, 0.3  # shares of the width and height between panels


def responses(rows: pd.DataFrame, *, unit: str, digits: int, theme: str | None) -> go.Figure:
    """A panel an input, two in a row; the dot is now. All share one scale, so that a flat curve looks flat.

    Parameters
    ----------
    rows : DataFrame
        As `app.responses.curves` returns it: `feature`, `label`, `x`, `forecast`, `now`, `at`.
    """
    c = look(theme)
    parts = [part for _, part in rows.groupby("feature", sort=False)]
    lines = -(-len(parts) // 2)
    figure = blank(theme, height=60 + 168 * lines, left=48, top=34, bottom=40)
    low, high = rows["forecast"].min(), rows["forecast"].max()
    edge = 0.08 * max(high - low, 1e-9)
    height = (1 - _GAP_Y * (lines - 1)) / lines
    for k, part in enumerate(parts):
        n = "" if k == 0 else str(k + 1)
        left, top = (k % 2) * (0.5 + _GAP_X / 2), 1 - (k // 2) * (height + _GAP_Y)
        right = left + (1 - _GAP_X) / 2 if len(parts) > 1 else 1.0
        axis = {"gridcolor": c.line, "linecolor": c.line, "zerolinecolor": c.line, "tickfont": {"color": c.muted}}
        figure.update_layout(
            {
                f"xaxis{n}": {**axis, "domain": [left, right], "anchor": f"y{n}", "showgrid": False, "nticks": 5,
                              "title": {"text": ""}},
                f"yaxis{n}": {**axis, "domain": [top - height, top], "anchor": f"x{n}", "nticks": 4,
                              "range": [low - edge, high + edge],
                              "title": {"text": unit if k % 2 == 0 else "", "font": {"color": c.muted, "size": 11}}},
            }
        )  # fmt: skip
        figure.add_scatter(
            x=part["x"], y=part["forecast"], xaxis=f"x{n}", yaxis=f"y{n}", mode="lines",
            line={"color": c.micro, "width": 2.2}, hovertemplate=f"%{{y:.{digits}f}} {unit}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[part["now"].iloc[0]], y=[part["at"].iloc[0]], xaxis=f"x{n}", yaxis=f"y{n}", mode="markers",
            marker={"color": c.limit, "size": 9, "line": {"color": c.surface, "width": 1.5}},
            hovertemplate=f"{t('models.curves.now')}: %{{y:.{digits}f}} {unit}<extra></extra>",
        )  # fmt: skip
        words = "<br>".join(textwrap.wrap(html.escape(str(part["label"].iloc[0]), quote=False), 38)[:2])
        figure.add_annotation(
            text=words, xref="paper", yref="paper", x=left, y=top, xanchor="left", yanchor="bottom", showarrow=False,
            align="left", font={"size": 11, "color": c.ink},
        )  # fmt: skip
    figure.update_layout(hovermode="closest", showlegend=False)
    figure.add_annotation(
        text=t("models.curves.axis"), xref="paper", yref="paper", x=0.5, y=0, yanchor="top", yshift=-20,
        showarrow=False, font={"size": 11, "color": c.muted},
    )  # fmt: skip
    return figure
