"""The fan chart: what was observed, what is forecast, and how sure that is."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.limits import Limit
from app.texts import t


def fan(
    rows: pd.DataFrame,
    *,
    now_step: int,
    unit: str,
    model: str,
    limit: Limit | None,
    step: int | None,
    theme: str | None,
) -> go.Figure:
    """Observed line to now, median with 50 and 90 % bands after it, the other model dotted, the limit dashed.

    Parameters
    ----------
    rows : DataFrame
        As `zone_views.fan`: time, observed, median, low50, high50, low90, high90, other; shown units.
    now_step : int
        First row that is not known.
    unit, model : str
        Unit of the values; which model is in use.
    limit : Limit or None
    step : int or None
        The moment that the map shows.
    """
    c = look(theme)
    figure = blank(theme, height=236)
    time, ahead = rows["time"], rows.iloc[now_step:]
    for low, high, fill, name in (("low90", "high90", c.band90, ""), ("low50", "high50", c.band50, t("fan.band"))):
        figure.add_scatter(
            x=ahead["time"], y=ahead[high], mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False
        )
        figure.add_scatter(
            x=ahead["time"],
            y=ahead[low],
            mode="lines",
            line={"width": 0},
            fill="tonexty",
            fillcolor=fill,
            hoverinfo="skip",
            showlegend=bool(name),
            name=name,
        )
    number = f"%{{y:.1f}} {unit}"
    other = "micromodel" if model == "macromodel" else "macromodel"
    colours = {"micromodel": c.micro, "macromodel": c.macro, "mix": c.micro}
    figure.add_scatter(
        x=ahead["time"],
        y=ahead["other"],
        mode="lines",
        name=t(f"model.{other}"),
        hovertemplate=number,
        line={"color": colours[other], "width": 1.6, "dash": "dot"},
    )
    figure.add_scatter(
        x=ahead["time"],
        y=ahead["median"],
        mode="lines",
        name=t(f"model.{model}"),
        hovertemplate=number,
        line={"color": colours[model], "width": 2.4},
    )
    figure.add_scatter(
        x=time,
        y=rows["observed"],
        mode="lines",
        name=t("fan.observed"),
        hovertemplate=number,
        line={"color": c.ink, "width": 1.7},
        connectgaps=False,
    )
    now = time.iloc[min(now_step, len(time) - 1)]
    figure.add_vline(x=now, line={"color": c.muted, "width": 1})
    figure.add_annotation(
        x=now,
        y=1,
        yref="paper",
        text=t("fan.now"),
        showarrow=False,
        xanchor="right",
        xshift=-4,
        yanchor="top",
        font={"color": c.muted, "size": 11},
    )
    if step is not None and step >= now_step:
        figure.add_vline(x=time.iloc[step], line={"color": c.mark, "width": 5}, layer="below")
    top = (
        float(rows[["observed", "high90", "other"]].max().max())
        if rows[["observed", "high90"]].notna().any().any()
        else 1.0
    )
    if limit is not None and limit.value < 2.2 * max(top, 1.0):
        figure.add_hline(y=limit.value, line={"color": c.limit, "width": 1.4, "dash": "dash"})
        figure.add_annotation(
            x=0.005,
            xref="paper",
            y=limit.value,
            text=f"{limit.name} {limit.value:g}",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"color": c.limit, "size": 11},
        )
        top = max(top, limit.value * 1.08)
    figure.update_yaxes(range=[0, top * 1.08], title_text=unit, nticks=6)
    figure.update_xaxes(
        tickformat="%H:%M", hoverformat="%H:%M", range=[time.iloc[0], time.iloc[-1]], dtick=4 * 3600 * 1000
    )
    return figure
