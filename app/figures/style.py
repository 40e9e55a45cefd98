"""Colours and layout of charts in both themes."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from app.texts import language


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours of a theme."""

    ink: str
    muted: str
    line: str
    micro: str
    macro: str
    naive: str
    band50: str
    band90: str
    limit: str
    mark: str
    good: str
    bad: str
    surface: str


LIGHT = Look(
    ink="#15233d",
    muted="#55637a",
    line="#e3e8ef",
    micro="#1d5fae",
    macro="#a873dc",
    naive="#7c8aa0",
    band50="rgba(69,137,196,.42)",
    band90="rgba(116,172,216,.26)",
    limit="#a8480c",
    mark="rgba(247,158,50,.75)",
    good="#1f7a55",
    bad="#b3261e",
    surface="#ffffff",
)
DARK = Look(
    ink="#f0f4fa",
    muted="#a4b1c4",
    line="#2a3442",
    micro="#6fb0ec",
    macro="#9468d6",
    naive="#8d9bb0",
    band50="rgba(69,137,196,.45)",
    band90="rgba(69,137,196,.22)",
    limit="#f2a15f",
    mark="rgba(247,158,50,.65)",
    good="#62c79a",
    bad="#f08a80",
    surface="#151c26",
)


def look(theme: str | None) -> Look:
    """Colours of `dark`, or of `light` for anything else."""
    return DARK if theme == "dark" else LIGHT


def blank(theme: str | None, *, height: int, left: int = 44, bottom: int = 34, top: int = 30) -> go.Figure:
    """An empty chart in the house's look.

    Its values are ours, so Plotly need not judge each of them anew: that took most of the time of a chart.
    """
    c = look(theme)
    axis = {
        "gridcolor": c.line,
        "linecolor": c.line,
        "zerolinecolor": c.line,
        "tickfont": {"color": c.muted},
    }

    def title() -> dict[str, object]:  # one of each axis's own: unchecked figures keep the very object
        return {"font": {"color": c.muted, "size": 11.5}}

    layout = {
        "height": height,
        "margin": {"l": left, "r": 14, "t": top, "b": bottom},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Inter, Liberation Sans, sans-serif", "size": 11.5, "color": c.ink},
        "hoverlabel": {"bgcolor": c.surface, "font": {"color": c.ink, "size": 12}, "bordercolor": c.line},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"color": c.muted}},
        "xaxis": {**axis, "title": title(), "showgrid": False},
        "yaxis": {**axis, "title": title(), "zeroline": False},
        "separators": ".," if language() == "en" else ",\u202f",
        "uirevision": "keep",
    }
    return go.Figure(layout=layout, _validate=False)


def unseen(height: int) -> go.Figure:
    """A chart that shows nothing yet, for a place that is filled later."""
    figure = blank(None, height=height)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
