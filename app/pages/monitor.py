"""Monitor: sensors, errors and alarms, who trained what when, and the jobs that run."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids, shell
from app import monitor_views as views
from app.components import monitor_parts as parts
from app.components.parts import icon, strip
from app.display import DISPLAY
from app.jobs import Jobs, start_worker
from app.monitoring import acknowledge
from app.queries import Queries
from app.retraining import KINDS, MOST_DAYS, schedule_of, set_schedule
from app.serving.people import PLANNER, may, need_job, signed
from app.shell import Page
from app.texts import t
from data.errors import InputError, ZonewiseError

PAGE = Page("/monitor", "nav.monitor", "activity")
_TICK_MS = 2000


def layout(queries: Queries, **address: str) -> Any:
    """The page; `alarm`, `show`, `target` and `follow` may stand in the address."""
    targets = views.targets(queries)
    target = address.get("target", "") if address.get("target", "") in targets else (targets[0] if targets else "")
    which = address.get("show", "") if address.get("show", "") in views.FILTERS else "standing"
    quantities = [{"value": x, "label": f"{DISPLAY[x][3]}, {DISPLAY[x][0]}"} for x in targets]
    selected = address.get("alarm", "")
    seen, done = views.marks(queries)
    left = [
        _section(
            "monitor.alarms",
            [
                html.Div(parts.alarm_list(queries, which, selected), id=ids.MONITOR_ALARMS),
                html.Div(
                    id=ids.MONITOR_DETAIL, className="detail", role="region", **{"aria-label": t("monitor.detail")}
                ),
                _acknowledge(),
            ],
            _select(ids.MONITOR_FILTER, "monitor.filter", which, {f: t(f"monitor.filter.{f}") for f in views.FILTERS}),
        ),
        _section(
            "monitor.errors", [html.Div(id=ids.MONITOR_ERRORS)],
            dmc.Select(id=ids.MONITOR_TARGET, label=t("monitor.errors.target"), data=quantities, value=target or None,
                       allowDeselect=False, size="sm"),
        ),
    ]  # fmt: skip
    right = [
        _section(
            "monitor.sensors",
            [
                html.P(t("monitor.sensors.sub", now=queries.clock(queries.info().now_step)), className="quiet"),
                html.Div(id=ids.MONITOR_SENSORS),
            ],
        ),
        _section("monitor.retrain", _retrain(queries, quantities, target)),
        _section("monitor.jobs", [html.Div(id=ids.MONITOR_JOBS)]),
        _section("monitor.log", [html.Div(id=ids.MONITOR_LOG)]),
    ]
    return html.Div(
        [
            html.H1(t("monitor.title"), className="unseen"),
            strip(parts.strip_parts(queries), t("monitor.kpi"), ident=ids.MONITOR_KPI),
            html.Div(
                [
                    html.Span(parts.checked(queries), id=ids.MONITOR_CHECKED, className="quiet"),
                    dmc.Switch(id=ids.MONITOR_FOLLOW, label=t("monitor.follow"), checked=address.get("follow") == "on"),
                    html.Button([icon("refresh"), t("monitor.check")], id=ids.MONITOR_CHECK, n_clicks=0, type="button",
                                className="button primary"),
                ],
                className="pickers monitor-bar",
            ),
            html.Div(id=ids.MONITOR_SAID, className="said-box", role="status"),
            html.Div(
                [html.Div(left, className="column"), html.Div(right, className="column")], className="columns"
            ),
            dcc.Store(id=ids.MONITOR_ALARM, data=selected),
            dcc.Store(id=ids.MONITOR_SEEN, data=seen),
            dcc.Store(id=ids.MONITOR_PROGRESS, data=done),
            dcc.Store(id=ids.MONITOR_ADDRESS),
            dcc.Interval(id=ids.MONITOR_TICK, interval=_TICK_MS),
        ],
        className="page page-monitor", id="page",
    )  # fmt: skip


def _section(key: str, content: list[Any], beside: Any = None) -> html.Section:
    head = html.Div([html.H2(t(key)), beside], className="between section-head")
    return html.Section([head, *content], className="pad", **{"aria-label": t(key)})


def _select(ident: str, key: str, value: str, options: dict[str, str]) -> dmc.Select:
    data = [{"value": k, "label": words} for k, words in options.items()]
    return dmc.Select(id=ident, label=t(key), data=data, value=value, allowDeselect=False, size="sm")


def _acknowledge() -> html.Div:
    return html.Div(
        [
            dmc.TextInput(
                id=ids.MONITOR_NOTE, label=t("monitor.ack.note"), placeholder=t("monitor.ack.note.hint"), size="sm"
            ),
            _button(ids.MONITOR_ACK, "monitor.ack", "checks"),
        ],
        id=ids.MONITOR_ACK_BOX, className="row", hidden=True,
    )  # fmt: skip


def _retrain(queries: Queries, quantities: list[dict[str, str]], target: str) -> list[Any]:
    schedule, names = schedule_of(queries.workspace), queries.zone_names()
    policies = {k: t(f"monitor.policy.{k}") for k in KINDS}
    zones = [{"value": zone, "label": f"{zone} {name}"} for zone, name in names.items()]
    return [
        html.P(t("monitor.retrain.sub"), className="quiet"),
        html.Div(
            [
                dmc.TextInput(id=ids.MONITOR_NAME, label=t("monitor.ack.by"), placeholder=t("monitor.ack.by.hint"),
                              size="sm", persistence=True, persistence_type="local", className="full"),
                _select(ids.MONITOR_POLICY, "monitor.policy", schedule.kind, policies),
                html.Div(
                    [
                        dmc.NumberInput(id=ids.MONITOR_DAYS, label=t("monitor.policy.days"), value=schedule.every_days,
                                        min=1, max=MOST_DAYS, size="sm"),
                        _button(ids.MONITOR_SET, "monitor.policy.set"),
                    ],
                    className="row end",
                ),
                html.P(id=ids.MONITOR_POLICY_NOW, className="quiet full"),
                dmc.Select(id=ids.MONITOR_ZONE, label=t("monitor.retrain.zone"), data=zones, searchable=True,
                           value=zones[0]["value"] if zones else None, allowDeselect=False, size="sm"),
                dmc.Select(id=f"{ids.MONITOR_ZONE}-target", label=t("monitor.retrain.target"), data=quantities,
                           value=target or None, allowDeselect=False, size="sm"),
                html.P(id=ids.MONITOR_MODEL, className="quiet full"),
                html.Div(
                    [
                        _button(ids.MONITOR_RETRAIN, "monitor.retrain.one", "refresh", "primary"),
                        _button(ids.MONITOR_RETRAIN_ALL, "monitor.retrain.all"),
                        _button(ids.MONITOR_ROLLBACK, "monitor.rollback", "history"),
                        _button(ids.MONITOR_PIN, "monitor.pin"),
                    ],
                    className="row full",
                ),
            ],
            className="form",
        ),
    ]  # fmt: skip


def _button(ident: str, key: str, shape: str = "", tone: str = "") -> html.Button:
    words = [icon(shape), t(key)] if shape else t(key)
    return html.Button(words, id=ident, n_clicks=0, type="button", className=f"button {tone}".strip())


# ---------------------------------------------------------------------- what buttons do


def begin(queries: Queries, kind: str, params: dict[str, Any]) -> str:
    """Start a job of a kind, one at a time; its id.

    Raises
    ------
    InputError
        If one of the kind is open.
    """
    if views.open_job(queries, kind):
        raise InputError(t("monitor.retrain.busy"))
    space = queries.workspace
    job = Jobs(space.jobs_path).add(kind, params, by=signed(None))
    start_worker(space.root, job)
    return job


def signed_by(name: str | None) -> str:
    """A name that is there.

    Raises
    ------
    InputError
        If nobody signs.
    """
    if not (name or "").strip():
        raise InputError(t("monitor.ack.name"))
    return str(name).strip()


def act(queries: Queries, what: str, given: dict[str, Any]) -> str:
    """Do what a button says, by its id; what is told then."""
    from models.registry import Registry

    space = queries.workspace
    zone, target = str(given.get("zone") or ""), str(given.get("target") or "")
    if what == ids.MONITOR_CHECK:
        begin(queries, "monitor", {})
        return t("monitor.checking")
    by = signed_by(signed(given.get("name")))
    registry = Registry(space.models, by=by)
    if what == ids.MONITOR_ACK:
        acknowledge(space, str(given["alarm"]), by=by, note=str(given.get("note") or ""))
        return t("monitor.ack.done", alarm=given["alarm"])
    if what == ids.MONITOR_SET:
        chosen = set_schedule(space, str(given["policy"]), every_days=int(given.get("days") or 0), by=by)
        return t("monitor.policy.done", policy=t(f"monitor.policy.{chosen.kind}"))
    if what in (ids.MONITOR_RETRAIN, ids.MONITOR_RETRAIN_ALL):
        params = {"by": by} if what == ids.MONITOR_RETRAIN_ALL else {"by": by, "zone": zone}
        begin(queries, "retrain", params)
        return t("monitor.retrain.started")
    if what == ids.MONITOR_ROLLBACK:
        return t("monitor.rollback.done", version=registry.rollback(zone, target), zone=zone)
    if registry.unpin(zone, target):
        return t("monitor.unpin.done", zone=zone)
    registry.pin(zone, target)
    return t("monitor.pin.done", zone=zone)


def register(app: Dash, queries: Queries) -> None:
    """A tick sees what has changed; each part shows it; buttons act."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(
        f'{call}.remember(...given, ["alarm", "show", "target", "follow"])',
        Output(ids.MONITOR_ADDRESS, "data"),
        Input(ids.MONITOR_ALARM, "data"),
        Input(ids.MONITOR_FILTER, "value"),
        Input(ids.MONITOR_TARGET, "value"),
        Input(ids.MONITOR_FOLLOW, "checked"),
        prevent_initial_call=True,
    )
    seen = Input(ids.MONITOR_SEEN, "data")

    @app.callback(
        Output(ids.MONITOR_SEEN, "data"),
        Output(ids.MONITOR_PROGRESS, "data"),
        Input(ids.MONITOR_TICK, "n_intervals"),
        State(ids.MONITOR_SEEN, "data"),
        State(ids.MONITOR_PROGRESS, "data"),
        State(ids.MONITOR_FOLLOW, "checked"),
        prevent_initial_call=True,
    )
    def look(_: int, before: str, done: str, follow: bool) -> tuple[Any, Any]:
        if (
            follow
            and may(PLANNER)
            and views.newer_readings(queries)
            and not views.open_job(queries, "monitor", "retrain")
        ):
            begin(queries, "monitor", {})
        now, getting_on = views.marks(queries)
        return no_update if now == before else now, no_update if getting_on == done else getting_on

    @app.callback(
        Output(ids.MONITOR_KPI, "children"), Output(ids.MONITOR_CHECKED, "children"), Output(ids.STATUS, "children"),
        seen, prevent_initial_call=True,
    )  # fmt: skip
    def figures(_: str) -> tuple[list[Any], list[Any], list[Any]]:
        return parts.strip_parts(queries), parts.checked(queries), shell.status(queries)

    @app.callback(
        Output(ids.MONITOR_ALARMS, "children"),
        seen,
        Input(ids.MONITOR_FILTER, "value"),
        Input(ids.MONITOR_ALARM, "data"),
        prevent_initial_call=True,
    )
    def listed(_: str, which: str, selected: str) -> list[Any]:
        return parts.alarm_list(queries, which, selected)

    @app.callback(
        Output(ids.MONITOR_DETAIL, "children"), Output(ids.MONITOR_ACK_BOX, "hidden"),
        seen, Input(ids.MONITOR_ALARM, "data"), Input(ids.THEME, "data"),
    )  # fmt: skip
    def detail(_: str, selected: str, theme: str) -> tuple[list[Any], bool]:
        shown, can = parts.alarm_detail(queries, selected, theme)
        return shown, not can

    @app.callback(
        Output(ids.MONITOR_ALARM, "data"), Output(ids.MONITOR_ZONE, "value"),
        Output(f"{ids.MONITOR_ZONE}-target", "value"),
        Input({"alarm": ALL}, "n_clicks"), prevent_initial_call=True,
    )  # fmt: skip
    def choose(clicks: list[int]) -> tuple[Any, Any, Any]:
        if not any(clicks) or not ctx.triggered_id:
            return no_update, no_update, no_update
        table = views.alarms(queries)
        mine = table[table["alarm_id"] == ctx.triggered_id["alarm"]]
        if mine.empty:  # acknowledged meanwhile, and gone
            return no_update, no_update, no_update
        row = mine.iloc[0]
        return str(row["alarm_id"]), str(row["zone_id"]), str(row["target"])

    @app.callback(Output(ids.MONITOR_SENSORS, "children"), seen)
    def sensors(_: str) -> list[Any]:
        return parts.sensor_table(queries)

    @app.callback(Output(ids.MONITOR_ERRORS, "children"), seen, Input(ids.MONITOR_TARGET, "value"))
    def errors(_: str, target: str | None) -> list[Any]:
        return parts.error_table(queries, target or "")

    @app.callback(Output(ids.MONITOR_JOBS, "children"), seen, Input(ids.MONITOR_PROGRESS, "data"))
    def jobs(*_: str) -> list[Any]:
        return parts.job_table(queries)

    @app.callback(Output(ids.MONITOR_LOG, "children"), Output(ids.MONITOR_POLICY_NOW, "children"), seen)
    def changes(_: str) -> tuple[list[Any], str]:
        return parts.log_table(queries), parts.policy_now(queries)

    @app.callback(
        Output(ids.MONITOR_MODEL, "children"), Output(ids.MONITOR_PIN, "children"),
        seen, Input(ids.MONITOR_ZONE, "value"), Input(f"{ids.MONITOR_ZONE}-target", "value"),
    )  # fmt: skip
    def model(_: str, zone: str | None, target: str | None) -> tuple[str, str]:
        words, pinned = parts.model_now(queries, zone or "", target or "")
        return words, t("monitor.unpin" if pinned else "monitor.pin")

    buttons = (ids.MONITOR_CHECK, ids.MONITOR_ACK, ids.MONITOR_SET, ids.MONITOR_RETRAIN, ids.MONITOR_RETRAIN_ALL,
               ids.MONITOR_ROLLBACK, ids.MONITOR_PIN)  # fmt: skip

    @app.callback(
        Output(ids.MONITOR_SAID, "children"), Output(ids.MONITOR_SEEN, "data", allow_duplicate=True),
        *[Input(button, "n_clicks") for button in buttons],
        State(ids.MONITOR_ALARM, "data"), State(ids.MONITOR_NAME, "value"), State(ids.MONITOR_NOTE, "value"),
        State(ids.MONITOR_POLICY, "value"), State(ids.MONITOR_DAYS, "value"), State(ids.MONITOR_ZONE, "value"),
        State(f"{ids.MONITOR_ZONE}-target", "value"), prevent_initial_call=True,
    )  # fmt: skip
    def press(*given: Any) -> tuple[Any, Any]:
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return no_update, no_update
        states = dict(zip(("alarm", "name", "note", "policy", "days", "zone", "target"), given[len(buttons) :]))
        try:
            return html.P(act(queries, str(ctx.triggered_id), states), className="notice"), views.version(queries)
        except ZonewiseError as error:
            return html.P(str(error), className="fault"), no_update

    @app.callback(
        Output(ids.MONITOR_SEEN, "data", allow_duplicate=True),
        Input({"stop": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def stop(clicks: list[int]) -> Any:
        if not any(clicks) or not ctx.triggered_id:
            return no_update
        jobs = Jobs(queries.workspace.jobs_path)
        job = jobs.read(str(ctx.triggered_id["stop"]))
        if job is not None:
            need_job(job.kind)
            jobs.cancel(job.id)
        return views.version(queries)
