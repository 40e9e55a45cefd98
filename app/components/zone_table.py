"""The zone table: the accessible twin of the map."""

from __future__ import annotations

import dash_mantine_components as dmc
import pandas as pd
from dash import html

from app import ids
from app.components.parts import badge
from app.limits import EU_2030
from app.predictive import chance_words
from app.texts import t
from data.units import DISPLAY

PAGE_ROWS = 50  # rows shown at once, beyond this many there are pages: each cell costs the browser a part of Dash's


def zone_table(
    rows: pd.DataFrame, target: str, selected: str | None, bounds: tuple[float, float], page: int | None = None
) -> object:
    """Rows of `zone_views.zone_table` as HTML, in pages where there are very many.

    Parameters
    ----------
    rows : DataFrame
        zone_id, name, now, peak, low, high, at, chance, model; shown units.
    target : str
    selected : str or None
        Zone that is marked.
    bounds : (float, float)
        Ends of the scale of the interval bars.
    page : int or None
        From 1; None takes the one with the marked zone.
    """
    count = len(rows)
    pages = -(-count // PAGE_ROWS)
    if page is None:
        at = rows["zone_id"].astype(str).tolist()
        page = 1 + (at.index(str(selected)) if str(selected) in at else 0) // PAGE_ROWS
    page = min(max(page, 1), max(pages, 1))
    rows = rows.iloc[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    limit = EU_2030.get(target)
    digits = DISPLAY[target][2]
    head = [
        html.Th(t("table.zone"), scope="col"), html.Th(t("table.now"), scope="col", className="number"),
        html.Th(t("table.band", low=f"{bounds[0]:g}", high=f"{bounds[1]:g}"), scope="col", className="wide"),
        html.Th(t("table.low" if target == "speed_mps" else "table.peak"), scope="col", className="number"),
        html.Th(t("table.at"), scope="col", className="number wide"),
    ]  # fmt: skip
    if limit:
        head.append(html.Th(t("table.chance", limit=f"{limit.value:g}"), scope="col", className="number"))
    head.append(html.Th(t("table.model"), scope="col", className="wide"))
    body = [_row(row, digits, limit.value if limit else None, selected, bounds) for row in rows.itertuples()]
    caption = t("table.caption" if limit else "table.caption.traffic")
    shown = html.Table(
        [html.Caption(caption, className="unseen"), html.Thead(html.Tr(head)), html.Tbody(body)], className="zones"
    )
    if pages < 2:
        return shown
    spans = [(k, min(k + PAGE_ROWS, count)) for k in range(0, count, PAGE_ROWS)]
    turn = dmc.Select(
        id=ids.MAP_TABLE_PAGE, label=t("table.page"), value=str(page), allowDeselect=False, size="xs",
        data=[{"value": str(k + 1), "label": f"{a + 1}–{b}"} for k, (a, b) in enumerate(spans)],
    )  # fmt: skip
    return [turn, shown]


def _row(row: object, digits: int, limit: float | None, selected: str | None, bounds: tuple[float, float]) -> html.Tr:
    zone = str(row.zone_id)  # type: ignore[attr-defined]
    name, now, peak = row.name, row.now, row.peak  # type: ignore[attr-defined]
    cells = [
        html.Th(
            html.Button(
                [html.Span(zone, className="code"), html.Span(str(name))],
                id={"zone": zone}, n_clicks=0, type="button", **{"aria-pressed": str(zone == selected).lower()},
            ),
            scope="row",
        ),
        html.Td(_number(now, digits), className="number"),
        html.Td(_bar(row, limit, bounds), className="wide"),
        html.Td(_number(peak, digits), className="number"),
        html.Td(row.at or "–", className="number wide"),  # type: ignore[attr-defined]
    ]  # fmt: skip
    if limit is not None:
        p = float(row.chance)  # type: ignore[attr-defined]
        tone = "none" if p != p else "high" if p >= 0.5 else "some" if p >= 0.1 else "low"
        cells.append(html.Td(html.Span(chance_words(p), className=f"chance chance-{tone}"), className="number"))
    cells.append(html.Td(badge(str(row.model), short=True), className="wide"))  # type: ignore[attr-defined]
    return html.Tr(cells, className="selected" if zone == selected else "")


def _number(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:,.{digits}f}"


def _bar(row: object, limit: float | None, bounds: tuple[float, float]) -> html.Div:
    low, high, peak = row.low, row.high, row.peak  # type: ignore[attr-defined]
    if peak != peak:
        return html.Div(t("legend.none"), className="quiet")
    span = bounds[1] - bounds[0]

    def at(value: float) -> float:
        return max(0.0, min(100.0, 100 * (value - bounds[0]) / span))

    marks = [
        html.Span(
            className="bar-band", style={"left": f"{at(low):.1f}%", "width": f"{max(1.0, at(high) - at(low)):.1f}%"}
        ),
        html.Span(className="bar-peak", style={"left": f"{at(peak):.1f}%"}),
    ]
    if limit is not None:
        marks.append(html.Span(className="bar-limit", style={"left": f"{at(limit):.1f}%"}))
    return html.Div(
        [*marks, html.Span(t("table.range", low=f"{low:.0f}", high=f"{high:.0f}"), className="unseen")], className="bar"
    )
