"""The zone table: the accessible twin of the map."""

from __future__ import annotations

import dash_ag_grid as dag
import pandas as pd
from dash import html

from app.components.parts import badge
from app.limits import EU_2030
from app.predictive import chance_words
from app.texts import t
from data.units import DISPLAY

GRID_ABOVE = 200  # rows; beyond this many, a table that draws only what is in view


def zone_table(rows: pd.DataFrame, target: str, selected: str | None, bounds: tuple[float, float]) -> object:
    """Rows of `zone_views.zone_table` as HTML, or as a grid where there are very many.

    Parameters
    ----------
    rows : DataFrame
        zone_id, name, now, peak, low, high, at, chance, model; shown units.
    target : str
    selected : str or None
        Zone that is marked.
    bounds : (float, float)
        Ends of the scale of the interval bars.
    """
    if len(rows) > GRID_ABOVE:
        return _grid(rows, target)
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
    return html.Table(
        [html.Caption(caption, className="unseen"), html.Thead(html.Tr(head)), html.Tbody(body)], className="zones"
    )


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


def _grid(rows: pd.DataFrame, target: str) -> dag.AgGrid:
    shown = rows.assign(chance=[chance_words(p) for p in rows["chance"]]).round(DISPLAY[target][2])
    names = {"zone_id": "table.zone", "name": "models.zone", "now": "table.now", "peak": "table.peak", "at": "table.at"}
    columns = [{"field": field, "headerName": t(key)} for field, key in names.items()]
    columns += [{"field": "chance", "headerName": t("table.p")}, {"field": "model", "headerName": t("table.model")}]
    return dag.AgGrid(
        rowData=shown.to_dict("records"), columnDefs=columns, columnSize="sizeToFit", style={"height": 420}
    )
