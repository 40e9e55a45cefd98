"""Micro vs macro: who forecasts better where, by how much, how surely, and at what cost. Every number is computed."""

from __future__ import annotations

import html as escaping
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from app import comparison_views as views
from app import ids
from app.addresses import href
from app.components.city_map import CityMap
from app.components.parts import DIVERGING, figure, icon, legend_ramp
from app.figures.dumbbell import dumbbell
from app.figures.horizon import horizon
from app.layers import attribution_of
from app.queries import Queries
from app.shell import Page
from app.texts import ahead, model_name, t
from data.units import DISPLAY

PAGE = Page("/micro-macro", "nav.compare", "arrows-left-right")
SHARE_LIMIT = 20.0  # difference in % of the macromodel's error at which the map's colours end


def layout(queries: Queries, **address: str) -> Any:
    """The page; `target` and `horizon` may stand in the address."""
    targets, horizons = views.options(queries)
    target = address.get("target", "")
    target = target if target in targets else ("no2_ug_per_m3" if "no2_ug_per_m3" in targets else targets[0])
    asked = address.get("horizon", "")
    h = float(asked) if asked in {f"{x:g}" for x in horizons} else (3600.0 if 3600.0 in horizons else horizons[0])
    info = queries.info()
    values, scale = map_values(queries, target, h)
    city_map = CityMap(
        id=ids.COMPARE_MAP,
        geoUrl=href(f"/api/{info.runs['city']}/geo.json"),
        theme="light",
        layer="off",
        zoneValues=values,
        scale=scale,
        ariaLabel=t("compare.where") + ". " + t("compare.where.sub", ahead=ahead(h)),
    )
    pickers = html.Div(
        [
            dmc.Select(
                id=ids.COMPARE_TARGET,
                label=t("compare.target"),
                value=target,
                allowDeselect=False,
                size="sm",
                data=[{"value": x, "label": f"{DISPLAY[x][3]}, {DISPLAY[x][0]}"} for x in targets],
            ),
            dmc.Select(
                id=ids.COMPARE_HORIZON,
                label=t("compare.horizon"),
                value=f"{h:g}",
                allowDeselect=False,
                size="sm",
                data=[{"value": f"{x:g}", "label": ahead(x)} for x in horizons],
            ),
            html.Button(
                [icon("download"), t("compare.csv")], id=ids.COMPARE_CSV, className="button", n_clicks=0, type="button"
            ),
            dcc.Download(id=ids.COMPARE_DOWNLOAD),
        ],
        className="pickers",
    )
    legend = legend_ramp(t("compare.legend"), DIVERGING, [t(f"compare.legend.{k}") for k in ("low", "mid", "high")])
    return html.Div(
        [
            html.Section(
                strip(queries, target, h),
                id=ids.COMPARE_KPI,
                className="kpis",
                tabIndex=0,
                **{"aria-label": t("compare.verdict")},
            ),
            pickers,
            html.Div(
                [
                    html.Section(
                        [
                            html.Div(
                                [html.H2(t("compare.where")), html.P(t("compare.fair"), className="quiet")],
                                className="third-head",
                            ),
                            html.Div(
                                [
                                    city_map,
                                    html.Div(legend, className="float legend legend-top"),
                                    html.Div(t(attribution_of(queries)), className="attribution"),
                                ],
                                className="map-box",
                            ),
                        ],
                        className="third",
                        **{"aria-label": t("compare.where")},
                    ),
                    html.Section(
                        id=ids.COMPARE_DUMBBELL, className="third", tabIndex=0, **{"aria-label": t("compare.zones")}
                    ),
                    html.Section(
                        id=ids.COMPARE_NOTES, className="third", tabIndex=0, **{"aria-label": t("compare.lines")}
                    ),
                ],
                className="thirds",
            ),
            dcc.Store(id=ids.COMPARE_ADDRESS),
        ],
        className="page page-compare",
        id="page",
    )


def map_values(queries: Queries, target: str, h: float) -> tuple[dict[str, float], dict[str, Any]]:
    """Gain of the micromodel in % of the macromodel's error by zone; a tie is 0, so that it is grey."""
    rows = views.paired(queries, target, h)
    gain = (-100 * rows["difference"] / rows["macro_mae"]).where(rows["verdict"] != "tie", 0.0)
    # a decided zone is never drawn in the colour of a tie
    gain = gain.where(
        (rows["verdict"] == "tie") | (gain.abs() > SHARE_LIMIT / 5),
        gain.map(lambda v: SHARE_LIMIT / 5 * (1 if v > 0 else -1)),
    )
    return dict(zip(rows["zone_id"], gain.round(2))), {
        "limit": SHARE_LIMIT,
        "unit": t("compare.gain"),
        "digits": 0,
    }


def strip(queries: Queries, target: str, h: float) -> list[Any]:
    """Verdict sentence and the four figures."""
    rows = views.paired(queries, target, h)
    found = views.verdict(rows)
    unit = DISPLAY[target][0]
    mae = views.scores(queries, target, "mae")
    mae = mae[mae["horizon_s"] == h].drop_duplicates("model").set_index("model")
    cover = views.scores(queries, target, "coverage_90")
    cover = cover[cover["horizon_s"] == h].drop_duplicates("model").set_index("model")["value"]
    cost = views.costs(queries, target).set_index("model")

    def error(model: str, key: str) -> html.Div:
        if model not in mae.index:
            return figure(t(key), "–", unit, "")
        row = mae.loc[model]
        digits = 1 if row["value"] >= 10 else 2
        note = t("compare.interval", low=f"{row['lower']:.{digits}f}", high=f"{row['upper']:.{digits}f}")
        return figure(t(key), f"{row['value']:.{digits}f}", unit, note)

    train, train_note = "–", ""
    if "micromodel" in cost.index:
        train = f"{cost.loc['micromodel', 'fit_seconds'] / max(1, cost.loc['micromodel', 'zones']):.2f}"
    if "macromodel" in cost.index:
        train_note = t("compare.train.city", s=f"{cost.loc['macromodel', 'fit_seconds']:.1f}")
    percent = {m: f"{100 * float(v):.0f}" for m, v in cover.items()}
    return [
        html.Div(
            [
                html.H1(found.sentence()),
                html.P(t("compare.tally", micro=found.micro, macro=found.macro, ties=found.ties)),
                html.P(t("compare.what", what=DISPLAY[target][3], ahead=ahead(h))),
            ],
            className="kpi verdict",
        ),
        error("micromodel", "compare.error.micro"),
        error("macromodel", "compare.error.macro"),
        figure(t("compare.train"), train, t("compare.train.zone"), train_note),
        figure(
            t("compare.coverage"),
            percent.get("micromodel", "–"),
            "%",
            t("compare.coverage.macro", p=percent.get("macromodel", "–")),
        ),
    ]


def zone_chart(queries: Queries, target: str, h: float, theme: str | None) -> list[Any]:
    """Dumbbell of all zones. Plotly reads its labels as markup, so names are escaped."""
    rows = views.paired(queries, target, h)
    rows = rows.assign(label=[escaping.escape(x, quote=False) for x in rows["label"]])
    chart = dumbbell(rows, unit=DISPLAY[target][0], ahead=ahead(h), theme=theme)
    graph = dcc.Graph(
        figure=chart, config={"displayModeBar": False}, responsive=True, style={"height": chart.layout.height}
    )
    return [
        html.Div(
            [html.H2(t("compare.zones")), html.P(t("compare.zones.sub"), className="quiet")], className="third-head"
        ),
        html.Div(graph, role="img", **{"aria-label": t("compare.zones")}),
    ]


def regime_table(queries: Queries, target: str, h: float) -> list[Any]:
    """When each model errs how much, or nothing where the run does not tell."""
    rows = views.regimes(queries, target, h)
    if rows.empty:
        return []
    digits = 1 if rows["macro_mae"].median() >= 10 else 2
    head = [html.Th(t("regime.when"), scope="col")] + [
        html.Th(t(key), scope="col", className="number") for key in ("short.micromodel", "short.macromodel")
    ]
    body = [
        html.Tr(
            [
                html.Th(t(f"regime.{r.regime}"), scope="row"),
                *(
                    html.Td(html.B(_n(value, digits)) if r.verdict == model else _n(value, digits), className="number")
                    for model, value in (("micromodel", r.micro_mae), ("macromodel", r.macro_mae))
                ),
            ]
        )
        for r in rows.itertuples()
    ]
    caption = html.Caption(t("regime.title"), className="unseen")
    return [
        html.H2(t("regime.title"), style={"marginTop": 16}),
        html.Table([caption, html.Thead(html.Tr(head)), html.Tbody(body)], className="costs"),
        html.P(t("regime.note", unit=DISPLAY[target][0], ahead=ahead(h)), className="fine"),
    ]


def notes(queries: Queries, target: str, h: float, theme: str | None) -> list[Any]:
    """Error over the horizon, costs, regimes, advice."""
    unit = DISPLAY[target][0]
    chart = horizon(views.scores(queries, target, "mae"), unit=unit, theme=theme)
    cost = views.costs(queries, target)
    shown = cost[cost["model"] != "in_use"]
    table = html.Table(
        [
            html.Caption(t("compare.costs"), className="unseen"),
            html.Thead(
                html.Tr(
                    [
                        html.Th(t(f"cost.{x}"), scope="col", className="number" if k else "")
                        for k, x in enumerate(("model", "train", "forecast", "slow", "size"))
                    ]
                )
            ),
            html.Tbody(
                [
                    html.Tr(
                        [
                            html.Th(model_name(str(r.model)), scope="row"),
                            *(
                                html.Td(_n(v, d), className="number")
                                for v, d in (
                                    (r.fit_seconds, 2),
                                    (r.latency_ms_p50, 2),
                                    (r.latency_ms_p99, 2),
                                    (r.bytes / 1000, 0),
                                )
                            ),
                        ]
                    )
                    for r in shown.itertuples()
                ]
            ),
        ],
        className="costs",
    )
    return [
        html.Div(
            [html.H2(t("compare.lines")), html.P(t("compare.lines.sub"), className="quiet")], className="third-head"
        ),
        html.Div(
            dcc.Graph(figure=chart, config={"displayModeBar": False}, responsive=True, style={"height": 232}),
            role="img",
            **{"aria-label": t("compare.lines")},
        ),
        html.Div(
            [
                html.H2(t("compare.costs")),
                table,
                html.P(t("cost.note"), className="fine"),
                *regime_table(queries, target, h),
                html.H2(t("compare.notes"), style={"marginTop": 16}),
                *(x for name, words in views.advice(queries, target) for x in (html.H3(name), html.P(words))),
            ],
            className="notes",
        ),
    ]


def _n(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:,.{digits}f}"


def register(app: Dash, queries: Queries) -> None:
    """Pickers change everything; the theme, the charts."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(f"{call}.useTheme(...given)", Output(ids.COMPARE_MAP, "theme"), Input(ids.THEME, "data"))
    app.clientside_callback(
        f'{call}.remember(...given, ["target", "horizon"])',
        Output(ids.COMPARE_ADDRESS, "data"),
        Input(ids.COMPARE_TARGET, "value"),
        Input(ids.COMPARE_HORIZON, "value"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.COMPARE_KPI, "children"),
        Output(ids.COMPARE_MAP, "zoneValues"),
        Output(ids.COMPARE_MAP, "scale"),
        Output(ids.COMPARE_DUMBBELL, "children"),
        Output(ids.COMPARE_NOTES, "children"),
        Input(ids.COMPARE_TARGET, "value"),
        Input(ids.COMPARE_HORIZON, "value"),
        Input(ids.THEME, "data"),
    )
    def show(target: str, horizon_s: str, theme: str) -> tuple[Any, ...]:
        h = float(horizon_s)
        values = map_values(queries, target, h)
        charts = zone_chart(queries, target, h, theme), notes(queries, target, h, theme)
        return strip(queries, target, h), *values, *charts

    @app.callback(
        Output(ids.COMPARE_DOWNLOAD, "data"),
        Input(ids.COMPARE_CSV, "n_clicks"),
        State(ids.COMPARE_TARGET, "value"),
        State(ids.COMPARE_HORIZON, "value"),
        prevent_initial_call=True,
    )
    def save(clicks: int, target: str, horizon_s: str) -> Any:
        if not clicks:
            return no_update
        rows = views.paired(queries, target, float(horizon_s)).drop(columns="label").assign(unit=DISPLAY[target][0])
        return dcc.send_string(rows.to_csv(index=False), f"zonewise_{target}_{horizon_s}s.csv")
