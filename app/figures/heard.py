"""What a zone's sensors delivered, day by day."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import t


def heard(rows: pd.DataFrame, *, theme: str | None) -> go.Figure:
    """Share of the expected readings by day, in %; days below nine tenths stand out.

    Parameters
    ----------
    rows : DataFrame
        `day` (Timestamp, local), `share` (0 to 1).
    """
    c = look(theme)
    figure = blank(theme, height=140, top=8, bottom=26)
    colours = [c.micro if share >= 0.9 else c.limit for share in rows["share"]]
    figure.add_bar(
        x=rows["day"],
        y=100 * rows["share"],
        marker={"color": colours},
        hovertemplate="%{x|%d %b}: %{y:.0f} %<extra></extra>",
    )
    figure.update_layout(hovermode="closest", showlegend=False, bargap=0.25)
    figure.update_yaxes(range=[0, 100], nticks=3, title_text=t("create.heard.axis"))
    figure.update_xaxes(nticks=6, tickformat="%d %b")
    return figure
