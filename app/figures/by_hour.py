"""Effect by hour of day, with its interval."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.figures.style import blank, look
from app.texts import t


def by_hour(rows: pd.DataFrame, *, unit: str, theme: str | None) -> go.Figure:
    """Bars with 90 % intervals; bars whose interval holds zero are pale.

    Parameters
    ----------
    rows : DataFrame
        hour, effect, lower, upper.
    """
    c = look(theme)
    figure = blank(theme, height=190, left=52, bottom=34, top=10)
    clear = (rows["lower"] > 0) | (rows["upper"] < 0)
    error = None
    if rows[["lower", "upper"]].notna().all().all():
        error = {
            "type": "data", "symmetric": False, "array": rows["upper"] - rows["effect"],
            "arrayminus": rows["effect"] - rows["lower"], "width": 2, "thickness": 1, "color": c.muted,
        }  # fmt: skip
    figure.add_bar(
        x=rows["hour"], y=rows["effect"], error_y=error, hovertemplate=f"%{{y:.3g}} {unit}", name=t("effect.change"),
        marker={"color": [c.micro if x else c.naive for x in clear], "opacity": [1.0 if x else 0.45 for x in clear]},
    )  # fmt: skip
    figure.update_xaxes(title_text=t("hour.axis"), dtick=3, range=[-0.6, 23.6])
    figure.update_yaxes(title_text=unit, zeroline=True, zerolinewidth=1, nticks=5)
    return figure
