"""Six steps to a new micromodel: objective, data, technique, validation, deployment, monitoring.

What is chosen lives in one store, and in the address, so that a reload or another tab goes on where it was. Training is
a job: it runs on when the page is left.
"""

from __future__ import annotations

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import create_views as views
from app import ids
from app.addresses import href
from app.components.parts import icon
from app.create_job import checked
from app.create_views import STEPS, Plan, plan_of
from app.jobs import Jobs, start_worker
from app.model_actions import act
from app.pages.models_create_steps import body, facts, outcome
from app.queries import Queries
from app.serving.people import signed
from app.texts import t
from data.errors import ZonewiseError

_ORDER = "step zone target horizon days families job"


def layout(queries: Queries, **address: str) -> html.Div:
    """The page at a step."""
    plan = plan_of(queries, address)
    job = views.job_of(queries, plan)
    return html.Div(
        [
            html.Div(
                [
                    html.H1(t("create.title")),
                    html.A(t("create.leave"), href=href("/models"), className="button"),
                ],
                className="between create-head",
            ),
            html.Nav(steps(plan), id=ids.CREATE_STEPS, **{"aria-label": t("create.steps")}),
            html.Section(
                body(queries, plan), id=ids.CREATE_BODY, className="create-body", **{"aria-label": t("create.step")}
            ),
            html.Div(
                [
                    html.Button(
                        [icon("arrow-back-up"), t("create.back")], id=ids.CREATE_BACK, className="button", n_clicks=0,
                        type="button", disabled=plan.step == 1,
                    ),
                    html.Button(
                        t("create.next"), id=ids.CREATE_NEXT, className="button primary", n_clicks=0, type="button",
                        disabled=blocked(queries, plan),
                    ),
                ],
                className="row create-go",
            ),
            dcc.Store(id=ids.CREATE_PLAN, data=plan.address),
            dcc.Store(id=ids.CREATE_SHOWN, data=[plan.step, plan.job]),
            dcc.Store(id=ids.CREATE_ADDRESS),
            dcc.Interval(id=ids.CREATE_TICK, interval=700, disabled=job is None or not job.open),
        ],
        className="page page-create", id="page",
    )  # fmt: skip


def steps(plan: Plan) -> html.Ol:
    """The six steps, the present one marked."""
    return html.Ol(
        [
            html.Li(
                [html.Span(str(k), className="step-number", **{"aria-hidden": "true"}), t(f"create.step.{name}")],
                className="done" if k < plan.step else "",
                **({"aria-current": "step"} if k == plan.step else {}),
            )
            for k, name in enumerate(STEPS, start=1)
        ],
        className="create-steps",
    )


def blocked(queries: Queries, plan: Plan) -> bool:
    """Whether the next step needs something that is not there yet: a trained model from the fourth step on."""
    return plan.step == len(STEPS) or (plan.step >= 4 and not views.made(queries, plan))


def moved(queries: Queries, said: dict[str, Any], by: int) -> Plan:
    """The plan one step on or back; nobody passes validation without a trained model."""
    plan = plan_of(queries, said)
    step = min(max(1, plan.step + by), len(STEPS))
    if step > 4 and not views.made(queries, plan):
        step = 4
    return plan_of(queries, {**plan.address, "step": step})


def begin(queries: Queries, said: dict[str, Any]) -> Plan:
    """Start training; the plan with its job.

    Raises
    ------
    InputError
        If something is wrong with the plan.
    """
    plan = plan_of(queries, said)
    params = {
        "zone": plan.zone, "target": plan.target, "families": list(plan.families), "days": plan.days,
        "horizon_s": plan.horizon_s, "seed": 1,
    }  # fmt: skip
    checked(queries, params)
    space = queries.workspace
    job = Jobs(space.jobs_path).add("create", params, by=signed(None))
    start_worker(space.root, job)
    return plan_of(queries, {**plan.address, "job": job})


def deployed(queries: Queries, said: dict[str, Any], by: str | None, why: str | None) -> str:
    """Put the trained version in force; what was done, in words.

    Raises
    ------
    ZonewiseError
        As `model_actions.act`.
    """
    plan = plan_of(queries, said)
    job = views.job_of(queries, plan)
    if job is None or not job.result:
        return t("create.nothing")
    place = (str(job.params["zone"]), str(job.params["target"]))
    return act(queries.workspace, "promote", *place, job.result, by=by or "", why=why or t("create.why"))


def register(app: Dash, queries: Queries) -> None:
    """Fields and buttons change the plan; the plan changes the page and the address."""
    call = "(plan) => window.dash_clientside.zonewise"
    values = ", ".join(f"plan.{name}" for name in _ORDER.split())
    app.clientside_callback(
        f"{call}.remember({values}, {_ORDER.split()!r})",
        Output(ids.CREATE_ADDRESS, "data"),
        Input(ids.CREATE_PLAN, "data"),
    )

    @app.callback(
        Output(ids.CREATE_PLAN, "data"),
        Input({"create": ALL}, "value"),
        Input(ids.CREATE_BACK, "n_clicks"),
        Input(ids.CREATE_NEXT, "n_clicks"),
        State(ids.CREATE_PLAN, "data"),
        prevent_initial_call=True,
    )
    def change(_: list[Any], back: int, on: int, said: dict[str, Any]) -> Any:
        if ctx.triggered_id in (ids.CREATE_BACK, ids.CREATE_NEXT):
            if not ctx.triggered[0]["value"]:
                return no_update
            return moved(queries, said, 1 if ctx.triggered_id == ids.CREATE_NEXT else -1).address
        fields = {entry["id"]["create"]: entry["value"] for entry in ctx.inputs_list[0] if entry.get("value")}
        found = plan_of(queries, {**said, **fields}).address
        return found if found != said else no_update

    @app.callback(
        Output({"create": "families"}, "value"),
        Input(ids.CREATE_EFFORT, "value"),
        prevent_initial_call=True,
    )
    def effort(chosen: str) -> Any:
        return no_update if chosen == "own" else list(views.effort_families(chosen))

    @app.callback(
        Output(ids.CREATE_BODY, "children"),
        Output(ids.CREATE_STEPS, "children"),
        Output(ids.CREATE_SHOWN, "data"),
        Output(ids.CREATE_BACK, "disabled"),
        Output(ids.CREATE_NEXT, "disabled"),
        Input(ids.CREATE_PLAN, "data"),
        Input(ids.THEME, "data"),
        State(ids.CREATE_SHOWN, "data"),
    )
    def show(said: dict[str, Any], theme: str | None, shown: list[Any]) -> tuple[Any, ...]:
        plan = plan_of(queries, said)
        head = steps(plan), [plan.step, plan.job], plan.step == 1, blocked(queries, plan)
        same = shown == [plan.step, plan.job] and ctx.triggered_id == ids.CREATE_PLAN
        return (no_update if same else body(queries, plan, theme), *head)

    @app.callback(
        Output(ids.CREATE_FACTS, "children"),
        Input(ids.CREATE_PLAN, "data"),
        State(ids.THEME, "data"),
        prevent_initial_call=True,
    )
    def tell(said: dict[str, Any], theme: str | None) -> Any:
        return facts(queries, plan_of(queries, said), theme)

    @app.callback(
        Output({"create": "target"}, "data"),
        Output({"create": "target"}, "value"),
        Input({"create": "zone"}, "value"),
        State({"create": "target"}, "value"),
        prevent_initial_call=True,
    )
    def sensed(zone: str, target: str) -> tuple[Any, ...]:
        from app.pages.models_create_steps import target_options

        options = target_options(queries, zone)
        first = options[0]["value"] if options else None
        return options, target if target in {o["value"] for o in options} else first

    @app.callback(
        Output(ids.CREATE_PLAN, "data", allow_duplicate=True),
        Output(ids.CREATE_FAULT, "children"),
        Output(ids.CREATE_TICK, "disabled"),
        Input(ids.CREATE_TRAIN, "n_clicks"),
        State(ids.CREATE_PLAN, "data"),
        prevent_initial_call=True,
    )
    def train(clicks: int, said: dict[str, Any]) -> tuple[Any, ...]:
        if not clicks:
            return no_update, no_update, no_update
        try:
            return begin(queries, said).address, "", False
        except ZonewiseError as error:
            return no_update, str(error), no_update

    @app.callback(
        Output(ids.CREATE_OUTCOME, "children"),
        Output(ids.CREATE_TICK, "disabled", allow_duplicate=True),
        Output(ids.CREATE_NEXT, "disabled", allow_duplicate=True),
        Input(ids.CREATE_TICK, "n_intervals"),
        State(ids.CREATE_PLAN, "data"),
        State(ids.THEME, "data"),
        prevent_initial_call=True,
    )
    def progress(_: int, said: dict[str, Any], theme: str | None) -> tuple[Any, ...]:
        plan = plan_of(queries, said)
        job = views.job_of(queries, plan)
        return outcome(queries, plan, theme), job is None or not job.open, blocked(queries, plan)

    @app.callback(
        Output(ids.CREATE_STOP, "disabled"),
        Input(ids.CREATE_STOP, "n_clicks"),
        State(ids.CREATE_PLAN, "data"),
        prevent_initial_call=True,
    )
    def stop(clicks: int, said: dict[str, Any]) -> Any:
        if clicks and said.get("job"):
            Jobs(queries.workspace.jobs_path).cancel(said["job"])
        return bool(clicks)

    @app.callback(
        Output(ids.CREATE_DEPLOYED, "children"),
        Output(ids.CREATE_DEPLOY_FAULT, "children"),
        Input(ids.CREATE_DEPLOY, "n_clicks"),
        State(ids.CREATE_PLAN, "data"),
        State(ids.CREATE_BY, "value"),
        State(ids.CREATE_WHY, "value"),
        prevent_initial_call=True,
    )
    def deploy(clicks: int, said: dict[str, Any], by: str | None, why: str | None) -> tuple[Any, ...]:
        if not clicks:
            return no_update, no_update
        try:
            return deployed(queries, said, by, why), ""
        except ZonewiseError as error:
            return no_update, str(error)
