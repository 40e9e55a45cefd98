"""Small parts that pages share: icons, badges, a figure of the strip, and the states a page can be in."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from app.addresses import href
from app.texts import t

#: Differences on the map, orange to purple, grey between: told apart with any colour vision. Of the theme, in
#: `zonewise.css` as in `citymap.js`.
DIVERGING = [f"var(--differs-{k})" for k in range(7)]


def icon(name: str) -> html.Span:
    """A Tabler icon, as a mask in the colour of the text."""
    return html.Span(className=f"icon icon-{name}", **{"aria-hidden": "true"})


def stored(text: str, **more: Any) -> html.Span:
    """A sentence that a run or a job has stored: it stays English, whatever language the page speaks."""
    return html.Span(text, lang="en", **more)


def badge(model: str, *, short: bool = False) -> html.Span:
    """Which model serves a zone."""
    return html.Span(
        t(f"{'short' if short else 'use'}.{model}") if model or not short else "–",
        className=f"badge badge-{model or 'none'}",
    )


def figure(
    label: str, value: str, unit: str, note: Any, *, change: str = "", tone: str = "", day: Any = None
) -> html.Div:
    """One figure of the strip: a name, a number with its unit, what to hold it against, and the day as a small line."""
    lead: list[Any] = [html.Strong(change, className=f"tone-{tone}"), " "] if change else []
    return html.Div(
        [
            html.Div(label, className="kpi-name"),
            html.Div([html.Strong(value), html.Span(f" {unit}")], className="kpi-value"),
            html.Div([*lead, note], className="kpi-note"),
            day,
        ],
        className="kpi", role="group", **{"aria-label": label},
    )  # fmt: skip


def strip(figures: list[Any], label: str, *, ident: str = "") -> html.Section:
    """The row of figures under the header."""
    return html.Section(
        figures, className="kpis", tabIndex=0, **({"id": ident} if ident else {}), **{"aria-label": label}
    )


def message(title: str, words: str, *, tone: str = "empty") -> html.Div:
    """A designed empty or error state: what is the matter and what to do."""
    return html.Div(
        [
            icon("alert-triangle" if tone == "error" else "info-circle"),
            html.H1(title),
            html.P(words),
            dcc.Link(t("state.home"), href=href("/"), className="button") if tone == "missing" else None,
        ],
        className=f"state state-{tone}", **({"role": "alert"} if tone == "error" else {}),
    )  # fmt: skip


def skeleton() -> html.Div:
    """What stands in for a page while it loads."""
    bars = [html.Div(className=f"skeleton skeleton-{k}") for k in ("strip", "map", "panel")]
    return html.Div(bars, className="skeletons", **{"aria-hidden": "true"})


def legend_ramp(title: str, colours: list[str], labels: list[str], *, words: list[str] | None = None) -> html.Div:
    """Classes of a scale, with their bounds, and what its ends mean."""
    return html.Div(
        [
            html.Div(title, className="legend-title"),
            html.Div([html.Span(style={"background": c}) for c in colours], className="ramp"),
            html.Div([html.Span(text) for text in labels], className="ramp-labels"),
            html.Div([html.Span(text) for text in words], className="ramp-labels ramp-words") if words else None,
        ]
    )


def legend_keys(title: str, keys: list[tuple[str, str]]) -> html.Div:
    """Named keys: a class of the stylesheet or a colour, and the words."""
    rows = [
        html.Div([html.Span(className="key", style={"background": colour}), html.Span(words)], className="legend-row")
        for colour, words in keys
    ]
    return html.Div([html.Div(title, className="legend-title"), *rows])
