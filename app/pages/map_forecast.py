"""Map & forecast: the city at a moment of the day, a zone's forecast, and every zone in a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
import numpy as np
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update

from app import air_views, ids, live_views, map_views, zone_views
from app.addresses import href
from app.api import day_key
from app.city_now import city_figures
from app.components.city_map import CityMap, Pulse, Spark, TimeBar
from app.components.parts import badge, figure, legend_keys, legend_ramp, strip
from app.components.zone_table import ZoneTable, table_data
from app.display import DISPLAY
from app.figures.fan import fan
from app.figures.style import unseen
from app.layers import attribution_of, first_layer, layers_of
from app.limits import EU_2030, WHO_2021
from app.model_views import main_driver, plain_reason
from app.predictive import chance_words
from app.queries import Queries
from app.shell import Page, status
from app.texts import signed, t
from data.errors import InputError

PAGE = Page("/", "nav.map", "map-2")
LOOK_EVERY_MS = 10_000  # for newer readings
BLUES = ["#eef4fb", "#cfe1f2", "#a6cbe8", "#74acd8", "#4589c4", "#2566a8", "#123f7f", "#0a2458"]
ROAD_KEYS = [
    ("var(--free)", "legend.over"),
    ("#f79e32", "legend.mid"),
    ("#e34a1e", "legend.slow"),
    ("#a50f15", "legend.jam"),
]


def target_of(queries: Queries, layer: str) -> str:
    """What the panel forecasts while that layer is shown: the first layer's where it itself is not forecast."""
    layers = layers_of(queries)
    return layers[layer][0] if layer in layers and layer != "delay" else layers[first_layer(queries)][0]


def layout(queries: Queries, **address: str) -> Any:
    """The page; `zone`, `step` and `layer` may stand in the address."""
    info = queries.info()
    layer = address.get("layer", "")
    layer = layer if layer in (*layers_of(queries), "off") else first_layer(queries)
    step = int(address["step"]) if address.get("step", "").isdigit() else min(info.now_step, len(info.day) - 1)
    step = max(0, min(len(info.day) - 1, step))
    zone = address.get("zone", "")
    if zone not in queries.zone_names():
        zone = str(zone_views.zone_table(queries, target_of(queries, layer))["zone_id"].iloc[0])
    start = info.day[0].tz_convert(info.timezone)
    data = addresses(queries)
    finer = air_views.has_streets(queries)
    streets = finer and address.get("streets") == "on"
    words = {k: t(f"time.{k}") for k in ("play", "pause", "slider", "observed", "forecast")}
    city_map = CityMap(
        id=ids.MAP,
        geoUrl=href(f"/api/{info.runs['city']}/geo.json"),
        dayUrl=data[0],
        linksUrl=data[1],
        airUrl=data[2],
        streets=streets,
        layer=layer,
        step=step,
        theme="light",
        selectedZone=zone,
        ariaLabel=t("map.aria"),
    )
    layers = dmc.SegmentedControl(
        id=ids.MAP_LAYER,
        value=layer,
        data=[{"value": k, "label": t(f"layer.{k}")} for k in (*layers_of(queries), "off")],
        size="sm",
        className="layers",
    )
    switch = dmc.Switch(id=ids.MAP_STREETS, checked=streets, label=t("streets.switch"), size="xs", persistence=False)
    bar = TimeBar(
        id=ids.MAP_TIME,
        step=step,
        steps=len(info.day),
        now=info.now_step,
        minutes=info.step_s / 60,
        first=start.hour * 60 + start.minute,
        profile=map_views.congestion(queries),
        words=words,
    )
    live = Pulse(
        id=ids.MAP_LIVE,
        url=href("/api/now"),
        every=LOOK_EVERY_MS,
        seen=day_key(queries),
        words={k: t(f"live.{k}", time="{time}") if k == "renewed" else t(f"live.{k}") for k in ("renewed", "lost")},
    )
    return html.Div(
        [
            html.H1(t("map.title", city=info.label), className="unseen"),
            strip(strip_figures(queries), t("kpi.label"), ident=ids.MAP_KPI),
            html.Div(
                [
                    html.Section(
                        [
                            html.Div(
                                [
                                    city_map,
                                    live,
                                    html.Div(
                                        layers,
                                        className="float layers-box",
                                        role="group",
                                        **{"aria-label": t("layer.label")},
                                    ),
                                    html.Div(
                                        [switch, html.Span(id=ids.MAP_STREETS_HOUR, className="streets-hour")],
                                        id=ids.MAP_STREETS_BOX,
                                        className="float streets-box",
                                        hidden=not (finer and layer in air_views.STREETS),
                                    ),
                                    html.Div(
                                        legend(queries, layer, streets), id=ids.MAP_LEGEND, className="float legend"
                                    ),
                                    html.Div(t(attribution_of(queries)), className="attribution"),
                                ],
                                className="map-box",
                            ),
                            bar,
                        ],
                        className="map-side",
                        **{"aria-label": t("nav.map")},
                    ),
                    html.Section(
                        [
                            html.Div(
                                [html.H2(queries.zone_names()[zone]), html.Div(className="skeleton skeleton-panel")],
                                id=ids.MAP_PANEL,
                                className="panel",
                                **{"aria-live": "polite"},
                            ),
                            html.Div(
                                ZoneTable(id=ids.MAP_TABLE, table=table(queries, layer), selected=zone),
                                className="table-box",
                                tabIndex=0,
                                role="region",
                                **{"aria-label": t("table.title")},
                            ),
                        ],
                        className="side",
                        **{"aria-label": t("panel.label")},
                    ),
                ],
                className="split",
            ),
            dcc.Store(id=ids.MAP_ADDRESS),
        ],
        className="page page-map",
        id="page",
    )


def addresses(queries: Queries) -> tuple[str, str, str | None]:
    """Where the day, its links and its air in the streets are fetched."""
    key = day_key(queries)
    air = href(f"/api/{key}/air.json") if air_views.has_streets(queries) else None
    return href(f"/api/{key}/day.json"), href(f"/api/{key}/links.bin"), air


def strip_figures(queries: Queries) -> list[Any]:
    """The city now, in figures."""
    found = []
    for f in city_figures(queries):
        day = Spark(values=list(f.day), now=queries.info().now_step, label=f.day_note) if f.day else None
        found.append(figure(f.label, f.value, f.unit, f.note, change=f.change, tone=f.tone, day=day))
    return found


def legend(queries: Queries, layer: str, streets: bool = False) -> list[Any]:
    """Classes of zones and of streets; with `streets`, of the air in them."""
    parts: list[Any] = []
    layers = layers_of(queries)
    if layer in layers:
        column, low, high = layers[layer]
        unit, _, _, name = DISPLAY[column]
        bounds = [f"{v:g}" for v in np.linspace(low, high, 5)]
        parts.append(legend_ramp(f"{name}, {unit}", BLUES, bounds))
        parts.append(
            html.Div(
                [html.Span(className="key key-none"), html.Span(t("legend.none"))], className="legend-row none-row"
            )
        )
    if streets and layer in air_views.STREETS:
        return [*parts, html.Div(t("streets.note"), className="legend-note")]
    if queries.links().empty:
        return parts
    parts.append(legend_keys(t("legend.streets"), [(colour, t(words)) for colour, words in ROAD_KEYS]))
    parts.append(html.Div(t("legend.delay" if layer == "delay" else "legend.usual"), className="legend-note"))
    return parts


@dataclass(frozen=True, slots=True)
class Panel:
    """A zone's forecast: what stands above its chart, the chart (None where nothing is known), its words, the rest."""

    head: list[Any]
    chart: go.Figure | None
    label: str
    foot: list[Any]


def panel_frame() -> list[Any]:
    """The panel with its places empty. Its chart is the same element for every zone: it is redrawn far quicker so."""
    graph = dcc.Graph(
        id=ids.MAP_FAN, figure=unseen(236), config={"displayModeBar": False}, responsive=True, style={"height": 236}
    )
    return [
        html.Div(html.Div(className="skeleton", style={"height": 130}), id=ids.MAP_PANEL_HEAD),
        html.Div(graph, id=ids.MAP_FAN_BOX, role="img", style={"minHeight": 236}, **{"aria-label": t("panel.label")}),
        html.Div(id=ids.MAP_PANEL_FOOT),
    ]


def panel(queries: Queries, zone: str, layer: str, step: int | None = None, theme: str | None = None) -> Panel:
    """A zone's forecast: name, model, sentence, chart, reason."""
    if zone not in queries.zone_names():
        raise InputError(t("serving.no.zone", zone=str(zone)[:40]))
    info = queries.info()
    target = target_of(queries, layer)
    unit, factor, digits, name = DISPLAY[target]
    choice = queries.choice(zone, target)
    used = str(choice.get("model_in_use", ""))
    ids_ = list(queries.zone_names())
    seen = live_views.observed(queries, target)[ids_.index(zone)] * factor
    known = np.flatnonzero(np.isfinite(seen))
    head = html.Div([html.H2(queries.zone_names()[zone]), badge(used)], className="panel-head")
    levels, _ = live_views.forecast_paths(queries, zone, target, "in_use")
    if not len(known) and not len(levels):
        nothing = html.P(t("panel.none", name=name), className="notice")
        return Panel([head, html.P(t("panel.zone", zone=zone), className="quiet"), nothing], None, "", [])
    now_words = ""
    if len(known):
        now_words = " · " + t(
            "panel.at",
            name=name,
            time=queries.clock(int(known[-1]) + 1),
            value=f"{seen[known[-1]]:.{digits}f}",
            unit=unit,
        )
    rows = zone_views.fan(queries, zone, target)
    chart = fan(
        rows,
        now_step=info.now_step,
        unit=unit,
        model=used or "micromodel",
        limit=EU_2030.get(target),
        step=step,
        theme=theme,
    )
    above = [
        head,
        html.P(t("panel.zone", zone=zone) + now_words, className="quiet"),
        _sentence(queries, zone, target),
    ]
    parts: list[Any] = []
    if target in EU_2030:
        limit, who = EU_2030[target], WHO_2021[target]
        words = t(
            "panel.limit", limit=limit.name, source=limit.source, who=who.name, whovalue=f"{who.value:g}", unit=unit
        )
        parts.append(html.P(words, className="fine"))
    if choice:
        reason = html.P(plain_reason(str(choice["reason"])), lang="en")
        parts.append(html.Details([html.Summary(t("panel.why")), reason], className="why"))
    return Panel(above, chart, t("fan.aria", name=name, zone=queries.zone_names()[zone]), parts)


def _sentence(queries: Queries, zone: str, target: str) -> html.P:
    """Chance, time and driver in plain words."""
    info = queries.info()
    unit, factor, digits, _ = DISPLAY[target]
    row = zone_views.zone_table(queries, target).set_index("zone_id").loc[zone]
    if row["peak"] != row["peak"]:
        return html.P(t("panel.none", name=DISPLAY[target][3]), className="notice")
    limit = EU_2030.get(target)
    at = row["chance_at"] if limit else row["at"]
    clocks = [queries.clock(k) for k in range(info.now_step, len(info.day))]
    k = clocks.index(at)
    tone = ""
    words: list[Any]
    if limit:
        chance = float(row["chance"])
        tone = "warn" if chance >= 0.5 else ""
        text = chance_words(chance)
        head = t("panel.chance", chance=text[0].upper() + text[1:], limit=f"{limit.value:g}", unit=unit)
        words = [html.Strong(head), t("panel.when", time=at)]
    else:
        key = "panel.traffic.speed" if target == "speed_mps" else "panel.traffic.flow"
        head = t(key, time=row["at"], value=f"{row['peak']:.{digits}f}", unit=unit)
        words = [html.Strong(head), t("panel.band", low=f"{row['low']:.{digits}f}", high=f"{row['high']:.{digits}f}")]
    driver = main_driver(queries, zone, target, k + 1)
    if driver is not None:
        words.append(" " + t("panel.driver", driver=driver[0], value=signed(driver[1], max(1, digits)), unit=unit))
    if limit and queries.choice(zone, target).get("model_in_use") != "macromodel":
        levels, paths = live_views.forecast_paths(queries, zone, target, "macromodel")
        if len(levels) and np.isfinite(paths).any():
            macro = float(np.nanmax(paths[:, int(np.argmin(np.abs(levels - 0.5)))])) * factor
            if abs(macro - row["peak"]) > 0.1 * row["peak"]:
                words.append(
                    t("panel.lower" if macro < row["peak"] else "panel.higher", value=f"{macro:.{digits}f}", unit=unit)
                )
    return html.P(words, className=f"notice {tone}".strip())


def table(queries: Queries, layer: str) -> dict[str, Any]:
    """The accessible twin of the map, for the browser."""
    target = target_of(queries, layer)
    bounds = next((low, high) for column, low, high in layers_of(queries).values() if column == target)
    return table_data(zone_views.zone_table(queries, target), target, bounds)


def register(app: Dash, queries: Queries) -> None:
    """Slider to map in the browser alone; a zone, a layer or a theme asks the server for panel and table."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(f"{call}.follow(...given)", Output(ids.MAP, "step"), Input(ids.MAP_TIME, "step"))
    app.clientside_callback(f"{call}.follow(...given)", Output(ids.MAP, "layer"), Input(ids.MAP_LAYER, "value"))
    app.clientside_callback(f"{call}.useTheme(...given)", Output(ids.MAP, "theme"), Input(ids.THEME, "data"))
    app.clientside_callback(f"{call}.follow(...given)", Output(ids.MAP, "streets"), Input(ids.MAP_STREETS, "checked"))
    app.clientside_callback(
        f"{call}.follow(...given)", Output(ids.MAP_STREETS_HOUR, "children"), Input(ids.MAP, "hour")
    )
    app.clientside_callback(f"{call}.follow(...given)", Output(ids.MAP, "selectedZone"), Input(ids.MAP_TABLE, "chosen"))
    app.clientside_callback(
        f"{call}.follow(...given)", Output(ids.MAP_TABLE, "selected"), Input(ids.MAP, "selectedZone")
    )
    app.clientside_callback(
        f'{call}.remember(...given, ["zone", "step", "layer", "streets"])',
        Output(ids.MAP_ADDRESS, "data"),
        Input(ids.MAP, "selectedZone"),
        Input(ids.MAP_TIME, "step"),
        Input(ids.MAP_LAYER, "value"),
        Input(ids.MAP_STREETS, "checked"),
        prevent_initial_call=True,
    )

    # the charts' library is large: it is asked for once the map stands
    @app.callback(Output(ids.MAP_PANEL, "children"), Input(ids.MAP, "painted"), prevent_initial_call=True)
    def frame(painted: bool | None) -> Any:
        return panel_frame() if painted else no_update

    @app.callback(
        Output(ids.MAP_PANEL_HEAD, "children"),
        Output(ids.MAP_FAN, "figure"),
        Output(ids.MAP_FAN_BOX, "hidden"),
        Output(ids.MAP_FAN_BOX, "aria-label"),
        Output(ids.MAP_PANEL_FOOT, "children"),
        Input(ids.MAP, "selectedZone"),
        Input(ids.MAP_LAYER, "value"),
        Input(ids.THEME, "data"),
        Input(ids.MAP_LIVE, "seen"),
        State(ids.MAP_TIME, "step"),
    )
    def show(zone: str, layer: str, theme: str, _: str, step: int | None) -> tuple[Any, ...]:
        shown = panel(queries, zone, layer, step, theme)
        chart = no_update if shown.chart is None else shown.chart
        return shown.head, chart, shown.chart is None, shown.label, shown.foot

    @app.callback(Output(ids.MAP_TABLE, "table"), Input(ids.MAP_LAYER, "value"), prevent_initial_call=True)
    def rows(layer: str) -> Any:
        return table(queries, layer)

    @app.callback(
        Output(ids.MAP, "dayUrl"),
        Output(ids.MAP, "linksUrl"),
        Output(ids.MAP, "airUrl"),
        Output(ids.MAP_TIME, "now"),
        Output(ids.MAP_TIME, "profile"),
        Output(ids.MAP_TIME, "step"),
        Output(ids.MAP_KPI, "children"),
        Output(ids.MAP_TABLE, "table", allow_duplicate=True),
        Output(ids.STATUS, "children", allow_duplicate=True),
        Input(ids.MAP_LIVE, "seen"),
        State(ids.MAP_TIME, "step"),
        State(ids.MAP_TIME, "now"),
        State(ids.MAP_LAYER, "value"),
        prevent_initial_call=True,
    )
    def renew(_: str, step: int, before: int, layer: str) -> tuple[Any, ...]:
        now = queries.info().now_step
        at = min(now, len(queries.info().day) - 1) if step == before else no_update  # who looks at now keeps to it
        hill = map_views.congestion(queries)
        return *addresses(queries), now, hill, at, strip_figures(queries), table(queries, layer), status(queries)

    @app.callback(
        Output(ids.MAP_LEGEND, "children"),
        Output(ids.MAP_STREETS_BOX, "hidden"),
        Input(ids.MAP_LAYER, "value"),
        Input(ids.MAP_STREETS, "checked"),
        prevent_initial_call=True,
    )
    def keys(layer: str, streets: bool) -> tuple[Any, bool]:
        finer = air_views.has_streets(queries)
        return legend(queries, layer, finer and streets), not (finer and layer in air_views.STREETS)
