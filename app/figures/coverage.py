"""How often a model's intervals held what came, against what they promise."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import ahead, t


def coverage(rows: pd.DataFrame, *, theme: str | None) -> go.Figure:
    """Share held by horizon in %, a line for each promise, the promise itself dashed.

    Parameters
    ----------
    rows : DataFrame
        `nominal` (0 to 1), `horizon_s`, `coverage` (0 to 1).
    """
    c = look(theme)
    figure = blank(theme, height=210, bottom=40)
    known = sorted(rows["horizon_s"].unique())
    at = {h: k for k, h in enumerate(known)}
    for nominal, colour, symbol in ((0.9, c.micro, "circle"), (0.8, c.good, "diamond")):
        part = rows[rows["nominal"].round(3) == nominal].sort_values("horizon_s")
        if part.empty:
            continue
        figure.add_hline(y=100 * nominal, line={"color": colour, "dash": "dot", "width": 1.4})
        figure.add_scatter(
            x=[at[h] for h in part["horizon_s"]], y=100 * part["coverage"], mode="lines+markers",
            name=t("models.reliability.line", p=f"{100 * nominal:.0f}"),
            line={"color": colour, "width": 2}, marker={"size": 7, "symbol": symbol}, hovertemplate="%{y:.0f} %",
        )  # fmt: skip
    low = min(60.0, 100 * float(rows["coverage"].min()) - 4) if len(rows) else 60.0
    figure.update_xaxes(tickvals=list(at.values()), ticktext=[ahead(h) for h in known], title_text=t("compare.horizon"))
    figure.update_yaxes(range=[max(0.0, low), 101], title_text=t("models.reliability.axis"), nticks=5)
    return figure
