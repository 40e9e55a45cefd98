"""Around an alarm: readings, what was forecast for them, and when the change began."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import t


def alarm_chart(rows: pd.DataFrame, *, unit: str, since: pd.Timestamp, theme: str | None) -> go.Figure:
    """Readings as a line, forecasts of the next step dotted with their 90 % band, the beginning as an upright line.

    Parameters
    ----------
    rows : DataFrame
        As `monitor_views.alarm_series`: time (local), reading, median, low, high; shown unit.
    unit : str
    since : Timestamp
        Local, without a zone, as `time`.
    """
    c = look(theme)
    figure = blank(theme, height=210)
    figure.add_scatter(
        x=rows["time"], y=rows["high"], mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=rows["time"], y=rows["low"], mode="lines", line={"width": 0}, fill="tonexty", fillcolor=c.band90,
        hoverinfo="skip", name=t("monitor.chart.band"),
    )  # fmt: skip
    number = f"%{{y:.1f}} {unit}"
    figure.add_scatter(
        x=rows["time"], y=rows["median"], mode="lines", name=t("monitor.chart.forecast"), hovertemplate=number,
        line={"color": c.micro, "width": 1.4, "dash": "dot"},
    )  # fmt: skip
    figure.add_scatter(
        x=rows["time"], y=rows["reading"], mode="lines", name=t("monitor.chart.reading"), hovertemplate=number,
        line={"color": c.ink, "width": 1.4}, connectgaps=False,
    )  # fmt: skip
    if len(rows) and rows["time"].min() <= since <= rows["time"].max():
        figure.add_vline(x=since, line={"color": c.limit, "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            x=since, y=1, yref="paper", text=t("monitor.chart.since"), showarrow=False, xanchor="left", yanchor="top",
            font={"color": c.limit}, xshift=4,
        )  # fmt: skip
    figure.update_yaxes(title={"text": unit}, rangemode="tozero")
    return figure
