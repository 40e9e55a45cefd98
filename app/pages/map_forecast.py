"""Map & forecast: the city at a moment of the day, a zone's forecast, and every zone in a table."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import air_views, ids, live_views, map_views, zone_views
from app.addresses import href
from app.api import day_key
from app.city_now import city_figures
from app.components.city_map import CityMap, Spark, TimeBar
from app.components.parts import badge, figure, legend_keys, legend_ramp, strip
from app.components.zone_table import zone_table
from app.figures.fan import fan
from app.layers import attribution_of, first_layer, layers_of
from app.limits import EU_2030, WHO_2021
from app.model_views import main_driver, plain_reason
from app.predictive import chance_words
from app.queries import Queries
from app.shell import Page
from app.texts import signed, t
from data.units import DISPLAY

PAGE = Page("/", "nav.map", "map-2")
BLUES = ["#eef4fb", "#cfe1f2", "#a6cbe8", "#74acd8", "#4589c4", "#2566a8", "#123f7f", "#0a2458"]
ROAD_KEYS = [
    ("#a9b5c3", "legend.over"),
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
    key = day_key(queries)
    finer = air_views.has_streets(queries)
    streets = finer and address.get("streets") == "on"
    words = {k: t(f"time.{k}") for k in ("play", "pause", "slider", "observed", "forecast")}
    city_map = CityMap(
        id=ids.MAP,
        geoUrl=href(f"/api/{info.runs['city']}/geo.json"),
        dayUrl=href(f"/api/{key}/day.json"),
        linksUrl=href(f"/api/{key}/links.bin"),
        airUrl=href(f"/api/{key}/air.json") if finer else None,
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
    figures = []
    for f in city_figures(queries):
        day = Spark(values=list(f.day), now=info.now_step, label=f.day_note) if f.day else None
        figures.append(figure(f.label, f.value, f.unit, f.note, change=f.change, tone=f.tone, day=day))
    return html.Div(
        [
            html.H1(t("map.title", city=info.label), className="unseen"),
            strip(figures, t("kpi.label")),
            html.Div(
                [
                    html.Section(
                        [
                            html.Div(
                                [
                                    city_map,
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
                                table(queries, zone, layer),
                                id=ids.MAP_TABLE,
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


def panel(queries: Queries, zone: str, layer: str, step: int | None = None, theme: str | None = None) -> list[Any]:
    """A zone's forecast: name, model, sentence, chart, reason."""
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
        return [
            head,
            html.P(t("panel.zone", zone=zone), className="quiet"),
            html.P(t("panel.none", name=name), className="notice"),
        ]
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
    parts = [
        head,
        html.P(t("panel.zone", zone=zone) + now_words, className="quiet"),
        _sentence(queries, zone, target),
        html.Div(
            dcc.Graph(
                id=ids.MAP_FAN, figure=chart, config={"displayModeBar": False}, responsive=True, style={"height": 236}
            ),
            role="img",
            **{"aria-label": t("fan.aria", name=name, zone=queries.zone_names()[zone])},
        ),
    ]
    if target in EU_2030:
        limit, who = EU_2030[target], WHO_2021[target]
        words = t(
            "panel.limit", limit=limit.name, source=limit.source, who=who.name, whovalue=f"{who.value:g}", unit=unit
        )
        parts.append(html.P(words, className="fine"))
    if choice:
        parts.append(
            html.Details([html.Summary(t("panel.why")), html.P(plain_reason(str(choice["reason"])))], className="why")
        )
    return parts


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


def table(queries: Queries, zone: str, layer: str, page: int | None = None) -> Any:
    """The accessible twin of the map."""
    target = target_of(queries, layer)
    bounds = next((low, high) for column, low, high in layers_of(queries).values() if column == target)
    return zone_table(zone_views.zone_table(queries, target), target, zone, bounds, page)


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
    app.clientside_callback(
        f"{call}.chooseRow(...given)",
        Output(ids.MAP, "selectedZone"),
        Input({"zone": ALL}, "n_clicks"),
        prevent_initial_call=True,
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

    # a row is marked in the browser: a table made anew would take the focus away from who walks it with the keyboard
    app.clientside_callback(
        f"{call}.markRow(...given)",
        Output(ids.MAP_TABLE, "data-zone"),
        Input(ids.MAP, "selectedZone"),
        Input(ids.MAP_TABLE, "children"),
    )

    # the charts' library is large: it is asked for once the map stands
    @app.callback(
        Output(ids.MAP_PANEL, "children"),
        Input(ids.MAP, "painted"),
        Input(ids.MAP, "selectedZone"),
        Input(ids.MAP_LAYER, "value"),
        Input(ids.THEME, "data"),
        State(ids.MAP_TIME, "step"),
        prevent_initial_call=True,
    )
    def show(painted: bool | None, zone: str, layer: str, theme: str, step: int | None) -> Any:
        return panel(queries, zone, layer, step, theme) if painted else no_update

    @app.callback(
        Output(ids.MAP_TABLE, "children"),
        Input(ids.MAP_LAYER, "value"),
        State(ids.MAP, "selectedZone"),
        prevent_initial_call=True,
    )
    def rows(layer: str, zone: str) -> Any:
        return table(queries, zone, layer)

    @app.callback(
        Output(ids.MAP_TABLE, "children", allow_duplicate=True),
        Input(ids.MAP_TABLE_PAGE, "value"),
        State(ids.MAP_LAYER, "value"),
        State(ids.MAP, "selectedZone"),
        prevent_initial_call=True,
    )
    def turn(page: str, layer: str, zone: str) -> Any:
        return table(queries, zone, layer, int(page)) if ctx.triggered else no_update

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
