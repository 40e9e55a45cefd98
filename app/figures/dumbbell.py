"""Two models' errors, zone by zone, joined by a line."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import t


def dumbbell(
    rows: pd.DataFrame, *, unit: str, ahead: str, theme: str | None, title: str | None = None, marked: str = ""
) -> go.Figure:
    """Zones by gain from the micromodel; a tie is hollow.

    Parameters
    ----------
    rows : DataFrame
        label, micro_mae, macro_mae, verdict; shown units; the first row is drawn on top.
    title : str or None
        Of the axis; None says that it is the mean absolute error.
    marked : str
        Label of a row that stands out.
    """
    c = look(theme)
    figure = blank(theme, height=max(220, 92 + 30 * len(rows)), left=10, bottom=44)
    rows = rows.iloc[::-1]
    x: list[float | None] = []
    y: list[str | None] = []
    for row in rows.itertuples():
        x += [row.micro_mae, row.macro_mae, None]
        y += [row.label, row.label, None]
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": c.line, "width": 3}, hoverinfo="skip", showlegend=False)
    tie = (rows["verdict"] == "tie").to_numpy()
    for column, model, colour, symbol in (
        ("macro_mae", "macromodel", c.macro, "diamond"),
        ("micro_mae", "micromodel", c.micro, "circle"),
    ):
        fill = [c.surface if hollow else colour for hollow in tie]
        figure.add_scatter(
            x=rows[column],
            y=rows["label"],
            mode="markers",
            name=t(f"model.{model}"),
            hovertemplate=f"%{{x:.2f}} {unit}",
            marker={"size": 10, "symbol": symbol, "color": fill, "line": {"color": colour, "width": 2}},
        )
    figure.update_layout(hovermode="y unified")
    figure.update_yaxes(automargin=True, gridcolor="rgba(0,0,0,0)", tickfont={"size": 11})
    figure.update_xaxes(showgrid=True, title_text=title or t("compare.axis", ahead=ahead, unit=unit), nticks=6)
    if marked in set(rows["label"]):
        at = list(rows["label"]).index(marked)
        figure.add_shape(
            type="rect", xref="paper", x0=0, x1=1, y0=at - 0.5, y1=at + 0.5, fillcolor=c.mark, opacity=0.22,
            line={"width": 0}, layer="below",
        )  # fmt: skip
    return figure
