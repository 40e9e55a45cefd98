"""Errors of the candidates that competed in a zone, as small bars."""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import model_name, said, t


def candidates(rows: pd.DataFrame, *, unit: str, theme: str | None) -> go.Figure:
    """Bars from the least error down; the one that was chosen is filled, the others are pale.

    Parameters
    ----------
    rows : DataFrame
        `model`, `error` (shown unit), `chosen`.
    """
    c = look(theme)
    figure = blank(theme, height=62 + 24 * len(rows), left=10, top=6, bottom=38)
    colours = [c.micro if chosen else c.naive for chosen in rows["chosen"]]
    figure.add_bar(
        orientation="h", x=rows["error"], y=[html.escape(model_name(str(m)), quote=False) for m in rows["model"]],
        marker={"color": colours, "opacity": [1.0 if chosen else 0.55 for chosen in rows["chosen"]]},
        text=[said(f"{e:.3g}") for e in rows["error"]], textposition="outside", cliponaxis=False,
        textfont={"color": c.ink, "size": 11}, hovertemplate=f"%{{y}}: %{{x:.3g}} {unit}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(hovermode="closest", showlegend=False, bargap=0.35)
    figure.update_yaxes(autorange="reversed", automargin=True, gridcolor="rgba(0,0,0,0)", tickfont={"color": c.ink})
    top = float(rows["error"].max()) if len(rows) else 1.0
    figure.update_xaxes(
        showgrid=True, nticks=5, range=[0, 1.16 * top], title_text=t("models.candidates.axis", unit=unit)
    )
    return figure
