"""Error as the horizon grows, with the naive line always there."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import ahead, t


def horizon(
    rows: pd.DataFrame, *, unit: str, theme: str | None, title: str | None = None, aim: float | None = None
) -> go.Figure:
    """Lines of models over the horizon, with 90 % intervals.

    Parameters
    ----------
    rows : DataFrame
        model, horizon_s, value, lower, upper; shown units.
    title : str or None
        Of the axis; None says that it is the mean absolute error.
    aim : float or None
        What is promised, as a thin line; the axis then begins near the values and not at zero.
    """
    c = look(theme)
    figure = blank(theme, height=232, bottom=42)
    styles = {
        "macromodel": (c.macro, "dot", 2.2), "micromodel": (c.micro, "solid", 2.2), "mix": (c.good, "dashdot", 1.6),
        "seasonal_naive": (c.naive, "dash", 1.8),
    }  # fmt: skip
    known = sorted(rows["horizon_s"].unique())
    at = {h: k for k, h in enumerate(known)}
    for model, (colour, dash, width) in styles.items():
        part = rows[rows["model"] == model].sort_values("horizon_s")
        if part.empty:
            continue
        error = None
        if {"lower", "upper"} <= set(part.columns) and part[["lower", "upper"]].notna().all().all():
            error = {
                "type": "data", "symmetric": False, "array": (part["upper"] - part["value"]).clip(lower=0),
                "arrayminus": (part["value"] - part["lower"]).clip(lower=0), "width": 3, "thickness": 1.2,
            }  # fmt: skip
        figure.add_scatter(
            x=[at[h] for h in part["horizon_s"]], y=part["value"], mode="lines+markers", name=t(f"model.{model}"),
            line={"color": colour, "dash": dash, "width": width}, marker={"size": 6}, error_y=error,
            hovertemplate=f"%{{y:.2f}} {unit}",
        )  # fmt: skip
    figure.update_xaxes(tickvals=list(at.values()), ticktext=[ahead(h) for h in known], title_text=t("compare.horizon"))
    figure.update_yaxes(title_text=title or t("compare.mae", unit=unit), nticks=5)
    if aim is None:
        figure.update_yaxes(rangemode="tozero")
    else:
        figure.add_hline(y=aim, line={"color": c.muted, "dash": "dot", "width": 1.2})
    return figure
