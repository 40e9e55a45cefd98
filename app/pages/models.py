"""Models: all zones' micromodels, one zone in detail, and six steps towards a new one.

`models_zone` shows one zone, `models_versions` its versions and downloads, `models_create` the six steps.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html

from app import ids
from app.addresses import href
from app.components.parts import badge, icon
from app.display import DISPLAY
from app.model_lists import HORIZONS_S, model_table
from app.pages import models_create, models_versions
from app.pages.models_zone import detail
from app.queries import NotReadyError, Queries, targets_of
from app.shell import Page
from app.texts import ahead, model_name, number, t

PAGE = Page("/models", "nav.models", "brain")


def layout(queries: Queries, **address: str) -> Any:
    """The page; `target`, `zone` and `moment` may stand in the address; `step` leads to a new micromodel."""
    choices = queries.choices()
    if choices.empty:
        raise NotReadyError(t("state.notrain"))
    if address.get("step"):
        return models_create.layout(queries, **address)
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
    whats = [{"value": x, "label": f"{DISPLAY[x][3]}, {DISPLAY[x][0]}"} for x in targets]
    named = [{"value": str(z), "label": f"{z} {n}"} for z, n in names.items()]
    pickers = html.Div(
        [
            _select(ids.MODELS_TARGET, t("models.target"), target, whats),
            _select(ids.MODELS_ZONE, t("models.zone"), zone, named, searchable=True),
            _select(ids.MODELS_MOMENT, t("models.moment"), moment, moments),
            html.A(
                [icon("plus"), t("create.begin")],
                id=ids.MODELS_NEW,
                href=create_address(target, zone),
                className="button",
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
                        table(queries, target, zone), id=ids.MODELS_TABLE, className="column", tabIndex=0,
                        **{"aria-label": t("models.table")},
                    ),
                    html.Section(
                        [
                            html.Div(html.Div(className="skeleton skeleton-panel"), id=ids.MODELS_DETAIL),
                            models_versions.dialog(),
                        ],
                        className="column", tabIndex=0, **{"aria-label": t("models.one")},
                    ),
                ],
                className="columns",
            ),
            dcc.Store(id=ids.MODELS_ADDRESS),
        ],
        className="page page-models", id="page",
    )  # fmt: skip


def create_address(target: str, zone: str) -> str:
    """Where the six steps to a new micromodel of a zone begin."""
    return href("/models?" + urlencode({"step": 1, "zone": zone, "target": target}))


def _select(ident: str, label: str, value: str, data: list[dict[str, str]], **more: Any) -> dmc.Select:
    return dmc.Select(id=ident, label=label, value=value, allowDeselect=False, size="sm", data=data, **more)


def table(queries: Queries, target: str, zone: str) -> list[Any]:
    """All zones that sense `target`: family, state, errors against naive and macromodel, coverage, cost, use."""
    rows = model_table(queries, target)
    timed = "fit_seconds" in rows and rows["fit_seconds"].notna().any()  # older cards do not tell
    many = [(t("models.head.error", ahead=words), "number") for words in map(ahead, HORIZONS_S)]
    costs = [(t("models.head.fit"), "number wide")] if timed else []
    heads = [
        (t("table.zone"), ""), (t("models.head.family"), ""), (t("models.head.state"), ""), *many,
        (t("models.head.macro"), "number wide"), (t("models.head.naive"), "number wide"),
        (t("models.head.cover"), "number wide"), *costs, (t("models.head.size"), "number wide"),
        (t("models.head.use"), ""),
    ]  # fmt: skip
    body = [_row(r, zone, timed) for r in rows.to_dict("records")]
    return [
        html.Div(
            [html.H1(t("models.title")), html.P(t("models.caption", unit=DISPLAY[target][0]), className="quiet")],
            className="third-head",
        ),
        html.Table(
            [
                html.Caption(t("models.table"), className="unseen"),
                html.Thead(html.Tr([html.Th(words, scope="col", className=look) for words, look in heads])),
                html.Tbody(body),
            ]
        ),
    ]


def _row(r: dict[str, Any], zone: str, timed: bool) -> html.Tr:
    name = [
        html.Span(r["zone_id"], className="quiet"), " ",
        r["name"] if len(r["name"]) < 26 else r["name"][:25] + "…",
    ]  # fmt: skip
    version = t("models.version", n=int(r["version"])) if r["version"].isdigit() else r["version"]
    cells = [
        html.Th([*name, html.Span(t("models.task"), className="badge") if r["is_task"] else None], scope="row"),
        html.Td(model_name(r["family"])),
        html.Td([state_badge(r["state"], r["state_why"]), html.Span(f" {version}", className="quiet")]),
    ]
    for s in HORIZONS_S:
        leads = r[f"micromodel_{s}"] < min(r[f"macromodel_{s}"], r[f"seasonal_naive_{s}"])
        cells.append(_number(r[f"micromodel_{s}"], "best" if leads else ""))
    cover, size = r["coverage_90"], r["bytes"]
    cells += [
        _number(r["macromodel_3600"], "wide"), _number(r["seasonal_naive_3600"], "wide"),
        html.Td("–" if cover != cover else f"{100 * cover:.0f} %", className="number wide"),
        *([_number(r["fit_seconds"], "wide")] if timed else []),
        html.Td("–" if size != size else f"{size / 1000:,.0f}", className="number wide"),
        html.Td(badge(r["model_in_use"], short=True)),
    ]  # fmt: skip
    return html.Tr(cells, className="selected" if r["zone_id"] == zone else "")


def _number(value: float, look: str = "") -> html.Td:
    return html.Td(number(value, 2), className=f"number {look}".strip())


def state_badge(state: str, why: str = "") -> html.Span:
    """State of a model; the reason is said to those who cannot point at it, too."""
    hidden = html.Span(f": {why}", className="unseen") if why and state in ("pinned", "fell", "none") else None
    return html.Span([t(f"models.state.{state}"), hidden], className=f"badge state-{state}", title=why or None)


def register(app: Dash, queries: Queries) -> None:
    """Pickers choose the table and the zone; so does what a person changed."""
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
        Output(ids.MODELS_NEW, "href"),
        Input(ids.MODELS_TARGET, "value"),
        Input(ids.MODELS_ZONE, "value"),
        prevent_initial_call=True,
    )
    def new(target: str, zone: str) -> str:
        return create_address(target, zone)

    @app.callback(
        Output(ids.MODELS_TABLE, "children"),
        Input(ids.MODELS_TARGET, "value"),
        Input(ids.MODELS_ZONE, "value"),
        Input(ids.MODELS_CHANGED, "data"),
        prevent_initial_call=True,
    )
    def rows(target: str, zone: str, _: Any) -> list[Any]:
        return table(queries, target, zone)

    # the one zone is a matter of charts, drawn in a theme that the browser alone knows: it is made once the page stands
    @app.callback(
        Output(ids.MODELS_DETAIL, "children"),
        Input(ids.MODELS_TARGET, "value"),
        Input(ids.MODELS_ZONE, "value"),
        Input(ids.MODELS_MOMENT, "value"),
        Input(ids.THEME, "data"),
        Input(ids.MODELS_CHANGED, "data"),
    )
    def one(target: str, zone: str, moment: str, theme: str, _: Any) -> list[Any]:
        return detail(queries, target, zone, int(moment), theme)

    models_versions.register(app, queries)
    models_create.register(app, queries)
