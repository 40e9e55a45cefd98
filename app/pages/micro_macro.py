"""Micro vs macro: who forecasts better where, by how much, how surely, and at what cost. Every number is computed."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from app import comparison_metrics as by
from app import comparison_views as views
from app import ids
from app.addresses import href
from app.components.city_map import CityMap
from app.components.parts import DIVERGING, icon, legend_ramp
from app.display import DISPLAY
from app.layers import attribution_of
from app.pages.micro_macro_parts import head, middle, notes, strip
from app.queries import Queries
from app.shell import Page
from app.texts import ahead, t

PAGE = Page("/micro-macro", "nav.compare", "arrows-left-right")
SHARE_LIMIT = 20.0  # difference in % of the macromodel's loss at which the map's colours end
POINTS_LIMIT = 10.0  # the same for coverage, in percentage points


def layout(queries: Queries, **address: str) -> Any:
    """The page; `target`, `metric`, `horizon` and `period` may stand in the address."""
    target, metric, h, period = chosen(queries, address)
    targets, horizons = views.options(queries)
    values, scale = map_values(queries, target, metric, h)
    city_map = CityMap(
        id=ids.COMPARE_MAP, geoUrl=href(f"/api/{queries.info().runs['city']}/geo.json"), theme="light", layer="off",
        zoneValues=values, scale=scale,
        ariaLabel=t("compare.where") + ". " + t("compare.where.sub", ahead=ahead(h)),
    )  # fmt: skip
    pickers = html.Div(
        [
            _select(ids.COMPARE_TARGET, t("compare.target"), target,
                    [(x, f"{DISPLAY[x][3]}, {DISPLAY[x][0]}") for x in targets]),
            _select(ids.COMPARE_METRIC, t("compare.metric"), metric, metric_options(queries, target)),
            _select(ids.COMPARE_HORIZON, t("compare.horizon"), f"{h:g}", [(f"{x:g}", ahead(x)) for x in horizons]),
            _select(ids.COMPARE_PERIOD, t("compare.period"), period, period_options(queries, target, h)),
            html.Button(
                [icon("download"), t("compare.csv")], id=ids.COMPARE_CSV, className="button", n_clicks=0, type="button"
            ),
            dcc.Download(id=ids.COMPARE_DOWNLOAD),
        ],
        className="pickers",
    )  # fmt: skip
    legend = legend_ramp(t("compare.legend"), DIVERGING, [t(f"compare.legend.{k}") for k in ("low", "mid", "high")])
    where = html.Section(
        [
            head(t("compare.where"), t("compare.fair")),
            html.Div(
                [
                    city_map, html.Div(legend, className="float legend legend-top"),
                    html.Div(t(attribution_of(queries)), className="attribution"),
                ],
                className="map-box",
            ),
        ],
        className="third", **{"aria-label": t("compare.where")},
    )  # fmt: skip
    return html.Div(
        [
            html.Section(
                strip(queries, target, metric, h, period), id=ids.COMPARE_KPI, className="kpis", tabIndex=0,
                **{"aria-label": t("compare.verdict")},
            ),
            pickers,
            html.Div(
                [
                    where,
                    _third(ids.COMPARE_DUMBBELL, t("compare.zones")),
                    _third(ids.COMPARE_NOTES, t("compare.lines")),
                ],
                className="thirds",
            ),
            dcc.Store(id=ids.COMPARE_ADDRESS),
        ],
        className="page page-compare", id="page",
    )  # fmt: skip


def _third(ident: str, label: str) -> html.Section:
    return html.Section(id=ident, className="third", tabIndex=0, **{"aria-label": label})


def _select(ident: str, label: str, value: str, options: list[tuple[str, str]]) -> dmc.Select:
    data = [{"value": key, "label": words} for key, words in options]
    return dmc.Select(id=ident, label=label, value=value, allowDeselect=False, size="sm", data=data)


def metric_options(queries: Queries, target: str) -> list[tuple[str, str]]:
    """Metrics that were stored, with their names."""
    return [(x, t(f"metric.{x}")) for x in by.metrics(queries, target)]


def period_options(queries: Queries, target: str, h: float) -> list[tuple[str, str]]:
    """All test days and the situations on them, with their names."""
    return [(x, t("compare.period.all") if x == by.ALL else t(f"regime.{x}")) for x in by.periods(queries, target, h)]


def chosen(queries: Queries, address: dict[str, str]) -> tuple[str, str, float, str]:
    """Target, metric, horizon and period; what is not there takes a default. A situation was scored by MAE alone."""
    targets, horizons = views.options(queries)
    target = address.get("target", "")
    target = target if target in targets else ("no2_ug_per_m3" if "no2_ug_per_m3" in targets else targets[0])
    asked = address.get("horizon", "")
    h = float(asked) if asked in {f"{x:g}" for x in horizons} else (3600.0 if 3600.0 in horizons else horizons[0])
    period = address.get("period", "")
    period = period if period in by.periods(queries, target, h) else by.ALL
    metric = address.get("metric", "")
    metric = metric if metric in by.metrics(queries, target) and period == by.ALL else "mae"
    return target, metric, h, period


def map_values(queries: Queries, target: str, metric: str, h: float) -> tuple[dict[str, float], dict[str, Any]]:
    """Gain of the micromodel by zone, in % of the macromodel's loss or in points of coverage; a tie is 0, so grey."""
    rows = by.zone_rows(queries, target, metric, h)
    points = metric.startswith("coverage")
    limit = POINTS_LIMIT if points else SHARE_LIMIT
    gain = -rows["difference"] if points else -100 * rows["difference"] / rows["macro_mae"]
    tie = rows["verdict"] == "tie"
    # a decided zone is never drawn in the colour of a tie
    least = gain.map(lambda v: limit / 5 * (1 if v > 0 else -1))
    gain = gain.where(tie | (gain.abs() > limit / 5), least).where(~tie, 0.0)
    unit = t("compare.gain.points" if points else "compare.gain")
    return dict(zip(rows["zone_id"], gain.round(2))), {"limit": limit, "unit": unit, "digits": 0}


def table(queries: Queries, target: str, metric: str, h: float, period: str) -> tuple[str, str]:
    """Name and text of the CSV of what is shown: zones, or situations where one is chosen."""
    if period != by.ALL:
        rows = by.period_rows(queries, target, h).assign(target=target, horizon_s=h)
    else:
        rows = by.zone_rows(queries, target, metric, h)
    unit = by.unit_of(target, metric)
    rows = rows.rename(columns={"micro_mae": "micromodel", "macro_mae": "macromodel"}).drop(columns="label")
    return (
        f"zonewise_{target}_{metric}_{h:g}s{'' if period == by.ALL else '_situations'}.csv",
        rows.assign(metric=metric, unit=unit).to_csv(index=False),
    )


def register(app: Dash, queries: Queries) -> None:
    """Pickers change everything; the theme, the charts."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(f"{call}.useTheme(...given)", Output(ids.COMPARE_MAP, "theme"), Input(ids.THEME, "data"))
    picked = [ids.COMPARE_TARGET, ids.COMPARE_METRIC, ids.COMPARE_HORIZON, ids.COMPARE_PERIOD]
    keys = ["target", "metric", "horizon", "period"]
    app.clientside_callback(
        f"{call}.remember(...given, {keys!r})",
        Output(ids.COMPARE_ADDRESS, "data"),
        *[Input(ident, "value") for ident in picked],
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.COMPARE_KPI, "children"),
        Output(ids.COMPARE_MAP, "zoneValues"),
        Output(ids.COMPARE_MAP, "scale"),
        Output(ids.COMPARE_DUMBBELL, "children"),
        Output(ids.COMPARE_NOTES, "children"),
        Output(ids.COMPARE_METRIC, "value"),
        Output(ids.COMPARE_METRIC, "disabled"),
        *[Input(ident, "value") for ident in picked],
        Input(ids.THEME, "data"),
    )
    def show(*given: Any) -> tuple[Any, ...]:
        target, metric, h, period = place = chosen(queries, dict(zip(keys, given)))
        theme = given[-1]
        charts = middle(queries, *place, theme), notes(queries, *place, theme)
        values = map_values(queries, target, metric, h)
        return strip(queries, *place), *values, *charts, metric, period != by.ALL

    @app.callback(
        Output(ids.COMPARE_DOWNLOAD, "data"),
        Input(ids.COMPARE_CSV, "n_clicks"),
        *[State(ident, "value") for ident in picked],
        prevent_initial_call=True,
    )
    def save(clicks: int, *given: Any) -> Any:
        if not clicks:
            return no_update
        name, text = table(queries, *chosen(queries, dict(zip(keys, given))))
        return dcc.send_string(text, name)
