"""Models: what each zone's micromodel is, how good, why it is in use, and what drives one forecast."""

from __future__ import annotations

import html as escaping
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html

from app import ids
from app.components.parts import badge
from app.figures.drivers import drivers
from app.layers import is_measured
from app.model_views import about, card, explain, model_table, plain_reason, rules, shares, told, trace, weights
from app.queries import NotReadyError, Queries, targets_of
from app.shell import Page
from app.texts import ahead, model_name, signed, t
from data.units import DISPLAY

PAGE = Page("/models", "nav.models", "brain")
#: Weights of a line that are shown; the others are counted.
LINE_ITEMS = 10
HORIZONS = tuple((s, ahead(s)) for s in (900, 3600, 86400))


def layout(queries: Queries, **address: str) -> Any:
    """The page; `target`, `zone` and `moment` may stand in the address."""
    choices = queries.choices()
    if choices.empty:
        raise NotReadyError(t("state.notrain"))
    targets = targets_of(choices)
    target = address.get("target", "")
    target = target if target in targets else ("no2_ug_per_m3" if "no2_ug_per_m3" in targets else targets[0])
    names = queries.zone_names()
    zones = [str(z) for z in names if queries.choice(str(z), target)]
    zone = address.get("zone", "") if address.get("zone", "") in names else zones[0]
    info = queries.info()
    last = len(info.day) - info.now_step
    moments = [{"value": str(k), "label": queries.clock(info.now_step + k - 1)} for k in range(1, last + 1)]
    moment = (
        address.get("moment", "")
        if address.get("moment", "") in {m["value"] for m in moments}
        else str(min(4, max(last, 1)))
    )
    pickers = html.Div(
        [
            dmc.Select(
                id=ids.MODELS_TARGET,
                label=t("models.target"),
                value=target,
                allowDeselect=False,
                size="sm",
                data=[{"value": x, "label": f"{DISPLAY[x][3]}, {DISPLAY[x][0]}"} for x in targets],
            ),
            dmc.Select(
                id=ids.MODELS_ZONE,
                label=t("models.zone"),
                value=zone,
                allowDeselect=False,
                size="sm",
                searchable=True,
                data=[{"value": str(z), "label": f"{z} {n}"} for z, n in names.items()],
            ),
            dmc.Select(
                id=ids.MODELS_MOMENT,
                label=t("models.moment"),
                value=moment,
                allowDeselect=False,
                size="sm",
                data=moments,
            ),
        ],
        className="pickers",
    )
    return html.Div(
        [
            pickers,
            html.Div(
                [
                    html.Section(
                        table(queries, target, zone),
                        id=ids.MODELS_TABLE,
                        className="column",
                        tabIndex=0,
                        **{"aria-label": t("models.table")},
                    ),
                    html.Section(
                        detail(queries, target, zone, int(moment), None),
                        id=ids.MODELS_DETAIL,
                        className="column",
                        tabIndex=0,
                        **{"aria-label": t("models.drivers")},
                    ),
                ],
                className="columns",
            ),
            dcc.Store(id=ids.MODELS_ADDRESS),
        ],
        className="page page-models",
        id="page",
    )


def table(queries: Queries, target: str, zone: str) -> list[Any]:
    """All zones that sense `target`: family, errors against naive and macromodel, coverage, cost, use."""
    unit = DISPLAY[target][0]
    rows = model_table(queries, target)
    timed = "fit_seconds" in rows and rows["fit_seconds"].notna().any()  # older cards do not tell
    head = [
        html.Th(t("table.zone"), scope="col"),
        html.Th(t("models.head.family"), scope="col"),
        html.Th(t("models.head.version"), scope="col", className="wide"),
        *(html.Th(t("models.head.error", ahead=words), scope="col", className="number") for _, words in HORIZONS),
        html.Th(t("models.head.macro"), scope="col", className="number wide"),
        html.Th(t("models.head.naive"), scope="col", className="number wide"),
        html.Th(t("models.head.cover"), scope="col", className="number wide"),
        *([html.Th(t("models.head.fit"), scope="col", className="number wide")] if timed else []),
        html.Th(t("models.head.size"), scope="col", className="number wide"),
        html.Th(t("models.head.use"), scope="col"),
    ]

    def number(value: float, look: str = "") -> html.Td:
        return html.Td("–" if value != value else f"{value:,.2f}", className=f"number {look}".strip())

    body = []
    for r in rows.to_dict("records"):
        name = [
            html.Span(r["zone_id"], className="quiet"),
            " ",
            r["name"] if len(r["name"]) < 26 else r["name"][:25] + "…",
        ]
        cells = [
            html.Th([*name, html.Span(t("models.task"), className="badge") if r["is_task"] else None], scope="row"),
            html.Td(model_name(r["family"])),
            html.Td(r["version"], className="wide"),
        ]
        for s, _ in HORIZONS:
            leads = r[f"micromodel_{s}"] < min(r[f"macromodel_{s}"], r[f"seasonal_naive_{s}"])
            cells.append(number(r[f"micromodel_{s}"], "best" if leads else ""))
        for key in ("macromodel_3600", "seasonal_naive_3600"):
            cells.append(number(r[key], "wide"))
        cover, size = r["coverage_90"], r["bytes"]
        cells += [
            html.Td("–" if cover != cover else f"{100 * cover:.0f} %", className="number wide"),
            *([number(r["fit_seconds"], "wide")] if timed else []),
            html.Td("–" if size != size else f"{size / 1000:,.0f}", className="number wide"),
            html.Td(badge(r["model_in_use"], short=True)),
        ]
        body.append(html.Tr(cells, className="selected" if r["zone_id"] == zone else ""))
    caption = t("models.caption", unit=unit)
    return [
        html.Div([html.H1(t("models.title")), html.P(caption, className="quiet")], className="third-head"),
        html.Table([html.Caption(t("models.table"), className="unseen"), html.Thead(html.Tr(head)), html.Tbody(body)]),
    ]


def detail(queries: Queries, target: str, zone: str, moment: int, theme: str | None) -> list[Any]:
    """One zone: why this model, a forecast in words, what drives it, how the family decides, limits."""
    unit, _, digits, what = DISPLAY[target]
    name = queries.zone_names()[zone]
    choice = queries.choice(zone, target)
    head = html.Div(
        [html.H2(f"{zone} {name}"), badge(str(choice.get("model_in_use", "")))], className="third-head panel-head"
    )
    if not choice:
        return [head, html.Div(html.P(t("panel.none", name=what), className="notice"), className="pad")]
    info = queries.info()
    parts: list[Any] = [head, _why(queries, zone, target, moment, choice)]
    found = explain(queries, zone, target, moment)
    clock = queries.clock(info.now_step + moment - 1)
    words = told(queries, zone, target, moment, t("models.told.when", time=clock))
    if words:
        parts.append(html.Div([html.H2(t("models.told")), html.P(words, className="notice")], className="pad"))
    origin = info.now.tz_convert(info.timezone).strftime("%H:%M")
    if found is None:
        parts.append(html.Div(html.P(t("models.none"), className="notice"), className="pad"))
    else:
        rows, model = found
        rows = rows.assign(label=[escaping.escape(str(x), quote=False) for x in rows["label"]])
        chart = drivers(rows, unit=unit, digits=max(1, digits), theme=theme)
        words = t("models.drivers.sub", zone=zone, what=what, time=clock, origin=origin)
        if choice["model_in_use"] == "mix" and model != "mix":
            words += t("models.drivers.mix")
        parts += [
            html.Div([html.H2(t("models.drivers")), html.P(words, className="quiet")], className="third-head"),
            html.Div(
                dcc.Graph(
                    figure=chart,
                    config={"displayModeBar": False},
                    responsive=True,
                    style={"height": chart.layout.height},
                ),
                role="img",
                **{"aria-label": f"{t('models.drivers')}: {t('model.' + model)}"},
            ),
        ]
    parts += _inside(queries, zone, target, moment)
    parts.append(
        html.Div(
            [html.H2(t("models.limits")), html.Ul([html.Li(x) for x in limits(queries, zone, target)])], className="pad"
        )
    )
    return parts


def _why(queries: Queries, zone: str, target: str, moment: int, choice: dict[str, Any]) -> html.Div:
    """Family and reason, and the shares of a mix."""
    family, step_s = str(choice.get("family", "")), queries.info().step_s
    said = [html.P([html.Strong(f"{model_name(family)}. "), about(family)])]
    mixed = shares(queries, zone, target, moment)
    if mixed is not None:
        more = t("models.weights", ahead=ahead(mixed[1] * step_s), shares=mixed[0])
        said.append(html.P([html.Strong(f"{model_name('mix')}. "), about("mix"), " ", more]))
    said.append(html.P(plain_reason(str(choice["reason"])), className="notice"))
    return html.Div([html.H2(t("models.why")), *said], className="pad")


def _inside(queries: Queries, zone: str, target: str, moment: int) -> list[Any]:
    """What can be read of the zone's own micromodel: a tree's questions and rules, a line's weights."""
    unit, _, digits, what = DISPLAY[target]
    step_s = queries.info().step_s
    parts: list[Any] = []
    asked, at = trace(queries, zone, target, moment)
    if asked:
        sub = html.P(t("models.trace.sub", ahead=ahead(at * step_s)), className="quiet")
        parts.append(html.Div([html.H2(t("models.trace")), sub, html.Ol([html.Li(x) for x in asked])], className="pad"))
    lines, at = rules(queries, zone, target, moment)
    if lines:
        sub = html.P(t("models.rules.sub", ahead=ahead(at * step_s)), className="quiet")
        parts.append(html.Div([html.H2(t("models.rules")), sub, html.Ul([html.Li(x) for x in lines])], className="pad"))
    line = weights(queries, zone, target, moment)
    if line is not None:
        rows, swing, at = line
        rows = rows[rows["feature"] != "intercept"]
        shown = rows.head(LINE_ITEMS)
        note = t("models.line.sub", ahead=ahead(at * step_s), what=what, swing=f"{swing:.{max(1, digits)}f}", unit=unit)
        head = html.Tr(
            [html.Th(t("models.line.item"), scope="col"),
             html.Th(t("models.line.move", unit=unit), scope="col", className="number")]
        )  # fmt: skip
        body = [
            html.Tr([html.Th(r.label, scope="row"), html.Td(signed(r.move, digits + 1), className="number")])
            for r in shown.itertuples()
        ]
        caption = html.Caption(t("models.line"), className="unseen")
        found = [html.H2(t("models.line")), html.P(note, className="quiet")]
        found.append(html.Table([caption, html.Thead(head), html.Tbody(body)], className="costs"))
        if len(rows) > len(shown):
            found.append(html.P(t("models.line.more", n=len(rows) - len(shown)), className="fine"))
        parts.append(html.Div(found, className="pad"))
    return parts


def limits(queries: Queries, zone: str, target: str) -> list[str]:
    """What this model cannot do, as far as its card and its scores say."""
    told = card(queries, zone, target)
    out = []
    if told.get("train_end"):
        out.append(t("models.limit.train", time=str(told["train_end"])[:16]))
    rows = model_table(queries, target)
    rows = rows[rows["zone_id"] == zone]
    if len(rows):
        row = rows.iloc[0]
        for s, words in HORIZONS:
            if row[f"micromodel_{s}"] >= row[f"seasonal_naive_{s}"]:
                out.append(t("models.limit.naive", ahead=words))
        if row["coverage_90"] == row["coverage_90"]:
            out.append(t("models.limit.cover", p=f"{100 * row['coverage_90']:.0f}"))
    out.append(t("models.limit.weather"))
    out.append(t("models.limit.measured" if is_measured(queries) else "models.limit.sensors"))
    return out


def register(app: Dash, queries: Queries) -> None:
    """Pickers choose the table and the zone."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(
        f'{call}.remember(...given, ["target", "zone", "moment"])',
        Output(ids.MODELS_ADDRESS, "data"),
        Input(ids.MODELS_TARGET, "value"),
        Input(ids.MODELS_ZONE, "value"),
        Input(ids.MODELS_MOMENT, "value"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.MODELS_TABLE, "children"), Input(ids.MODELS_TARGET, "value"), Input(ids.MODELS_ZONE, "value")
    )
    def rows(target: str, zone: str) -> list[Any]:
        return table(queries, target, zone)

    @app.callback(
        Output(ids.MODELS_DETAIL, "children"),
        Input(ids.MODELS_TARGET, "value"),
        Input(ids.MODELS_ZONE, "value"),
        Input(ids.MODELS_MOMENT, "value"),
        Input(ids.THEME, "data"),
    )
    def one(target: str, zone: str, moment: str, theme: str) -> list[Any]:
        return detail(queries, target, zone, int(moment), theme)
