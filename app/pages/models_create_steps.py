"""What each of the six steps shows: its fields, and the facts that go with what was chosen."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import html

from app import create_views as views
from app import ids
from app.addresses import href
from app.components.parts import icon, stored
from app.create_job import LEAST_DAYS
from app.create_views import EFFORTS, HORIZONS_S, STEPS, Plan
from app.display import DISPLAY
from app.figures.candidates import candidates
from app.figures.heard import heard
from app.figures.horizon import horizon
from app.jobs import DONE, FAILED, Job
from app.model_actions import MOST_NAME, MOST_WHY
from app.model_lists import about, mean_errors
from app.model_views import plain_reason, version
from app.pages.models_versions import text_field
from app.pages.models_zone import graph
from app.queries import Queries
from app.texts import ahead, model_name, number, t


def body(queries: Queries, plan: Plan, theme: str | None = None) -> list[Any]:
    """Heading, lead, fields and facts of the plan's step."""
    name = STEPS[plan.step - 1]
    return [
        html.H2(t(f"create.{name}.title")), html.P(t(f"create.{name}.lead"), className="lead"),
        *_FIELDS[name](queries, plan), html.Div(facts(queries, plan, theme), id=ids.CREATE_FACTS),
    ]  # fmt: skip


def facts(queries: Queries, plan: Plan, theme: str | None = None) -> list[Any]:
    """What is told beside the fields of the plan's step."""
    return _FACTS[STEPS[plan.step - 1]](queries, plan, theme)


def target_options(queries: Queries, zone: str) -> list[dict[str, str]]:
    """What a zone senses, for a picker."""
    return [
        {"value": x, "label": f"{DISPLAY[x][3]}, {DISPLAY[x][0]}"} for x in views.targets_of_zone(queries, zone)
    ]  # fmt: skip


def _select(field: str, label: str, value: str, data: list[dict[str, str]], **more: Any) -> dmc.Select:
    ident = {"create": field}
    return dmc.Select(id=ident, label=label, value=value, data=data, allowDeselect=False, size="sm", **more)


def _facts(pairs: list[tuple[str, str]]) -> html.Dl:
    return html.Dl([part for name, value in pairs for part in (html.Dt(name), html.Dd(value))], className="facts")


# ---------------------------------------------------------------------- 1 objective


def _objective(queries: Queries, plan: Plan) -> list[Any]:
    sensing = {str(z) for z in queries.choices()["zone_id"]}
    zones = [{"value": str(z), "label": f"{z} {n}"} for z, n in queries.zone_names().items() if str(z) in sensing]
    horizons = [{"value": str(h), "label": ahead(h)} for h in HORIZONS_S]
    return [
        html.Div(
            [
                _select("zone", t("models.zone"), plan.zone, zones, searchable=True),
                _select("target", t("models.target"), plan.target, target_options(queries, plan.zone)),
                _select("horizon", t("create.horizon"), f"{plan.horizon_s:.0f}", horizons),
            ],
            className="form create-form",
        )
    ]


def _objective_facts(queries: Queries, plan: Plan, _: str | None) -> list[Any]:
    now = views.now_serving(queries, plan)
    unit, error = DISPLAY[plan.target][0], now["error"]
    pairs = [
        (t("create.now.use"), t(f"use.{now['model_in_use']}") if now["model_in_use"] else "–"),
        (t("create.now.family"), model_name(now["family"]) if now["family"] else t("create.now.none")),
        (t("create.now.version"), now["version"] or "–"),
    ]
    if error == error:
        pairs.append((t("create.now.error", ahead=ahead(now["horizon_s"])), f"{number(error, 2)} {unit}"))
    return [html.H3(t("create.now")), _facts(pairs)]


# ---------------------------------------------------------------------- 2 data


def _data(queries: Queries, plan: Plan) -> list[Any]:
    field = dmc.NumberInput(
        id={"create": "days"}, label=t("create.days"), value=plan.days, min=LEAST_DAYS, max=views.MOST_DAYS, size="sm"
    )
    return [html.Div([field], className="form create-form")]


def _data_facts(queries: Queries, plan: Plan, theme: str | None) -> list[Any]:
    found = views.readings_of(queries, plan)
    unit, _, digits, what = DISPLAY[plan.target]
    missing = found["missing"]
    pairs = [
        (t("create.data.window"), f"{found['first']:%Y-%m-%d %H:%M} – {found['last']:%Y-%m-%d %H:%M}"),
        (t("create.data.days"), f"{found['days']:.1f}"), (t("create.data.readings"), f"{found['readings']:,}"),
        (t("create.data.missing"), f"{100 * missing:.1f} %"),
        (t("create.data.gap"), f"{found['longest_gap_h']:.1f} h"),
        (t("create.data.range", what=what), f"{found['low']:.{digits}f}–{found['high']:.{digits}f} {unit}"),
        (t("create.data.others"), str(found["others"])),
    ]  # fmt: skip
    judged = "short" if found["days"] < 14 else "gaps" if missing > 0.1 else "good"
    return [
        html.P(t(f"create.data.{judged}"), className="notice" if judged == "good" else "notice warn"), _facts(pairs),
        html.H3(t("create.heard")), graph(heard(found["daily"], theme=theme), t("create.heard")),
    ]  # fmt: skip


# ---------------------------------------------------------------------- 3 technique


def _technique(queries: Queries, plan: Plan) -> list[Any]:
    efforts = [{"value": e, "label": t(f"create.effort.{e}")} for e in (*EFFORTS, "own")]
    boxes = [
        dmc.Checkbox(
            label=t("create.family", name=model_name(row["family"]), rank=f"{row['rank']:g}"), value=row["family"],
            description=row["about"], size="sm",
        )
        for row in views.family_rows()
    ]  # fmt: skip
    return [
        dmc.Select(
            id=ids.CREATE_EFFORT, label=t("create.effort"), value=views.effort_of(plan.families), data=efforts,
            allowDeselect=False, size="sm", className="create-effort",
        ),
        dmc.CheckboxGroup(
            id={"create": "families"}, label=t("create.families"), value=list(plan.families),
            children=html.Div(boxes, className="create-families"),
        ),
    ]  # fmt: skip


def _technique_facts(queries: Queries, plan: Plan, _: str | None) -> list[Any]:
    seconds = views.seconds_of(queries, plan)
    words = t("job.seconds", s=max(1, seconds)) if seconds < 90 else t("job.minutes", min=seconds / 60)
    return [html.P(t("create.technique.time", n=len(plan.families), time=words), className="notice")]


# ---------------------------------------------------------------------- 4 validation


def _validation(queries: Queries, plan: Plan) -> list[Any]:
    job = views.job_of(queries, plan)
    going = job is not None and job.open
    return [
        html.P(chosen(queries, plan)),
        html.Div(
            [
                html.Button(
                    [icon("brain"), t("create.train.again" if job is not None else "create.train")],
                    id=ids.CREATE_TRAIN, className="button primary", n_clicks=0, type="button", disabled=going,
                ),
                html.Button(
                    [icon("player-stop"), t("create.stop")], id=ids.CREATE_STOP, className="button danger", n_clicks=0,
                    type="button", hidden=not going,
                ),
            ],
            className="row",
        ),
        html.Div(id=ids.CREATE_FAULT, className="fault", role="alert"),
    ]  # fmt: skip


def chosen(queries: Queries, plan: Plan) -> str:
    """The plan in a sentence."""
    return t(
        "create.plan", what=DISPLAY[plan.target][3], zone=f"{plan.zone} {queries.zone_names().get(plan.zone, '')}",
        ahead=ahead(plan.horizon_s), days=plan.days, families=", ".join(model_name(f) for f in plan.families),
    )  # fmt: skip


def _validation_facts(queries: Queries, plan: Plan, theme: str | None) -> list[Any]:
    return [html.Div(outcome(queries, plan, theme), id=ids.CREATE_OUTCOME, role="status")]


def outcome(queries: Queries, plan: Plan, theme: str | None = None) -> list[Any]:
    """How far training is, or what came out."""
    job = views.job_of(queries, plan)
    if job is None:
        return [html.P(t("job.unknown"), className="quiet")] if plan.job else []
    if job.state != DONE:
        return _going(job)
    told, target = views.made(queries, plan), str(job.params["target"])
    if not told:
        return [html.P(t("create.lost"), className="fault")]
    unit = DISPLAY[target][0]
    rows = views.out_of_fold(told, target)
    parts: list[Any] = []
    if (job.params["zone"], target, job.params["families"], job.params["days"]) != (
        plan.zone, plan.target, list(plan.families), plan.days,
    ):  # fmt: skip
        parts.append(html.P(t("create.stale"), className="notice warn"))
    better = bool((told.get("decision") or {}).get("better"))
    parts += [
        html.P(
            [html.Strong(t("create.made", version=job.result, family=model_name(str(told["family"])))),
             about(str(told["family"])), " ", plain_reason(str(told.get("reason", "")))],
            className="notice",
        ),
        html.P(
            [html.Strong(t("create.force.better" if better else "create.force.worse")),
             plain_reason(str((told.get("decision") or {}).get("reason", "")))],
            className="notice" if better else "notice warn",
        ),
    ]  # fmt: skip
    if told.get("guard"):
        fell = bool(told.get("fell_from"))
        words = [html.Strong(t("models.guard")), plain_reason(str(told["guard"]))]
        parts.append(html.P(words, className="notice warn" if fell else "notice"))
    parts += [html.H3(t("create.oof")), html.P(t("create.oof.sub", unit=unit), className="quiet"), errors(rows)]
    if len(set(rows["horizon_s"])) > 1:
        parts.append(graph(horizon(rows, unit=unit, theme=theme), t("create.oof")))
    tried = told.get("candidates") or []
    if tried:
        bars = mean_errors(pd.DataFrame(tried), target, str(told["family"]))
        title = t("models.candidates")
        parts += [html.H3(title), graph(candidates(bars, unit=unit, theme=theme), title)]
    return parts


def _going(job: Job) -> list[Any]:
    """A job that is queued, at work, stopped or has failed."""
    words = t(f"create.job.{job.state}")
    if job.state == FAILED:
        return [html.P([html.Strong(f"{words}: "), stored(job.message)], className="fault")]
    if not job.open:
        return [html.P([html.Strong(f"{words}. "), t("create.job.nothing")], className="quiet")]
    share = 100 * job.done / job.total if job.total else 0
    return [
        html.P([html.Strong(f"{words}. "), stored(job.message)]),
        html.Div(
            html.Div(style={"width": f"{share:.0f}%"}), className="progress", role="progressbar",
            **{"aria-label": words, "aria-valuenow": f"{share:.0f}", "aria-valuemin": "0", "aria-valuemax": "100"},
        ),
    ]  # fmt: skip


def errors(rows: Any) -> html.Table:
    """Errors by model and horizon."""
    wide = rows.pivot_table(index="model", columns="horizon_s", values="value", aggfunc="first")
    order = [m for m in ("micromodel", "macromodel", "historical_average", "seasonal_naive") if m in wide.index]
    least = wide.min()
    head = [html.Th(t("cost.model"), scope="col")]
    head += [html.Th(ahead(float(h)), scope="col", className="number") for h in wide.columns]
    body = [
        html.Tr(
            [html.Th(t("create.oof.new") if m == "micromodel" else model_name(m), scope="row")]
            + [
                html.Td(f"{wide.loc[m, h]:,.2f}", className="number best" if wide.loc[m, h] == least[h] else "number")
                for h in wide.columns
            ]
        )
        for m in order
    ]
    caption = html.Caption(t("create.oof"), className="unseen")
    return html.Table([caption, html.Thead(html.Tr(head)), html.Tbody(body)], className="costs")


# ---------------------------------------------------------------------- 5 deployment


def _deployment(queries: Queries, plan: Plan) -> list[Any]:
    job = views.job_of(queries, plan)
    told = views.made(queries, plan)
    if job is None or not told:
        return [html.P(t("create.nothing"), className="notice warn")]
    zone, target = str(job.params["zone"]), str(job.params["target"])
    now = version(queries, zone, target)
    words = t("create.deploy.is", version=job.result) if now == job.result else t(
        "create.deploy.aside", version=job.result, now=now or "–"
    )  # fmt: skip
    return [
        html.P(words, className="notice"),
        html.Div(
            [
                text_field(ids.CREATE_BY, t("models.act.by"), MOST_NAME),
                text_field(ids.CREATE_WHY, t("models.act.why"), MOST_WHY),
            ],
            className="form create-form",
        ),
        html.Div(
            [
                html.Button(
                    t("create.deploy", version=job.result), id=ids.CREATE_DEPLOY, className="button primary",
                    n_clicks=0, type="button", disabled=now == job.result,
                ),
                html.Span(t("create.deploy.keep"), className="quiet"),
            ],
            className="row",
        ),
        html.Div(id=ids.CREATE_DEPLOY_FAULT, className="fault", role="alert"),
        html.Div(id=ids.CREATE_DEPLOYED, className="tone-good", role="status"),
    ]  # fmt: skip


def _deployment_facts(queries: Queries, plan: Plan, _: str | None) -> list[Any]:
    from app.card_page import page

    told = views.made(queries, plan)
    if not told:
        return []
    words = html.Pre(page(told), className="card-text", tabIndex=0)
    return [html.Details([html.Summary(t("create.card")), words], open=True)]


# ---------------------------------------------------------------------- 6 monitoring


def _monitoring(queries: Queries, plan: Plan) -> list[Any]:
    return []


def _monitoring_facts(queries: Queries, plan: Plan, _: str | None) -> list[Any]:
    told = views.made(queries, plan)
    job = views.job_of(queries, plan)
    target = str(job.params["target"]) if job is not None else plan.target
    zone = str(job.params["zone"]) if job is not None else plan.zone
    unit, factor, digits, _ = DISPLAY[target]
    near = sorted(told.get("validation") or [], key=lambda r: abs(r["horizon_s"] - plan.horizon_s))
    error = t("create.watch.error.none")
    if near:
        mae, when = f"{factor * near[0]['mae']:.{digits + 1}f}", ahead(near[0]["horizon_s"])
        error = t("create.watch.error", mae=mae, unit=unit, ahead=when)
    now = version(queries, zone, target)
    held = bool(told) and now == told.get("version")
    words = t("create.watch.force", version=now) if held else t("create.watch.aside", now=now or "–")
    return [
        html.P(words, className="notice"),
        html.Ul(
            [html.Li(x) for x in (error, *(t(f"create.watch.{k}") for k in ("cover", "drift", "missing", "renew")))]
        ),
        html.Div(
            [
                html.A(t("create.watch.link"), href=href("/monitor"), className="button primary"),
                html.A(t("create.watch.zone"), href=href(f"/models?zone={zone}&target={target}"), className="button"),
            ],
            className="row",
        ),
    ]


_FIELDS = {
    "objective": _objective, "data": _data, "technique": _technique, "validation": _validation,
    "deployment": _deployment, "monitoring": _monitoring,
}  # fmt: skip
_FACTS = {
    "objective": _objective_facts, "data": _data_facts, "technique": _technique_facts,
    "validation": _validation_facts, "deployment": _deployment_facts, "monitoring": _monitoring_facts,
}  # fmt: skip
