"""What the scenario page runs: studies, previews to learn, searches; each a job of its own that any tab finds again."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids
from app.components.parts import icon
from app.components.study_parts import progress_view
from app.components.study_results import candidate_labels, plan_form, recommendation_view, result_view
from app.jobs import CANCELLED, DONE, FAILED, Job, Jobs, start_worker
from app.preview_job import SCENARIOS
from app.queries import Queries
from app.recommend_job import SEEDS as CONFIRM_SEEDS
from app.recommend_job import SIMULATIONS, question_of
from app.scenario_draft import with_drawing
from app.serving.people import need_job, signed
from app.study_job import MOST_UNTIL, SEEDS
from app.texts import t
from data.errors import ZonewiseError


def register(app: Dash, queries: Queries) -> None:
    """Callbacks that start, watch and end jobs, and those that write files."""
    app.clientside_callback(
        '(...given) => window.dash_clientside.zonewise.remember(...given, ["job", "study", "form"])',
        Output(ids.SCENARIO_ADDRESS, "data"),
        Input(ids.SCENARIO_JOB, "data"),
        prevent_initial_call=True,
    )
    _runs(app, queries)
    _planning(app, queries)
    _files(app, queries)


def _runs(app: Dash, queries: Queries) -> None:
    """A run is a job of its own: started, watched, stopped, found again."""

    @app.callback(
        Output(ids.SCENARIO_JOB, "data"),
        Output(ids.SCENARIO_TICK, "disabled"),
        Output(ids.SCENARIO_FAULT, "children", allow_duplicate=True),
        Output(ids.SCENARIO_SHOW, "value"),
        Output(ids.SCENARIO_STUDY, "data"),
        Input(ids.SCENARIO_RUN, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_EDIT, "data"),
        State(ids.SCENARIO_SEEDS, "value"),
        State(ids.SCENARIO_UNTIL, "value"),
        State(ids.SCENARIO_WIDTH, "value"),
        State(ids.SCENARIO_BUDGET, "value"),
        prevent_initial_call=True,
    )
    def run(clicks: int, draft: dict[str, Any], editing: int | None, *asked: Any) -> tuple[Any, ...]:
        if not clicks:
            return (no_update,) * 5
        try:
            params = study_params(as_run(draft, editing), *asked)
        except ZonewiseError as error:
            return no_update, no_update, str(error), no_update, no_update
        return start(queries, "scenario", params), False, "", "draft", None

    @app.callback(
        Output(ids.SCENARIO_JOB, "data", allow_duplicate=True),
        Output(ids.SCENARIO_TICK, "disabled", allow_duplicate=True),
        Input({"again": ALL}, "n_clicks"),
        State(ids.SCENARIO_JOB, "data"),
        prevent_initial_call=True,
    )
    def again(clicks: list[int], name: str | None) -> tuple[Any, ...]:
        job = Jobs(queries.workspace.jobs_path).read(name) if name and any(clicks) else None
        return (no_update, no_update) if job is None else (start(queries, job.kind, job.params), False)

    @app.callback(
        Output(ids.SCENARIO_STOP, "children"),
        Input(ids.SCENARIO_STOP, "n_clicks"),
        State(ids.SCENARIO_JOB, "data"),
        prevent_initial_call=True,
    )
    def stop(clicks: int, job: str | None) -> Any:
        jobs = Jobs(queries.workspace.jobs_path)
        found = jobs.read(job) if clicks and job else None
        if found is not None:
            need_job(found.kind)
            jobs.cancel(found.id)
        return no_update

    @app.callback(
        Output(ids.SCENARIO_PROGRESS, "children"),
        Output(ids.SCENARIO_TICK, "disabled", allow_duplicate=True),
        Output(ids.SCENARIO_RESULT, "children"),
        Output(ids.SCENARIO_STUDY, "data", allow_duplicate=True),
        Output(ids.SCENARIO_STOP, "disabled"),
        Output(ids.SCENARIO_RUN, "disabled"),
        Output(ids.SCENARIO_FORM, "open"),
        Input(ids.SCENARIO_TICK, "n_intervals"),
        Input(ids.SCENARIO_JOB, "data"),
        State(ids.SCENARIO_STUDY, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def watch(_: int, name: str | None, study: str | None) -> tuple[Any, ...]:
        job = Jobs(queries.workspace.jobs_path).read(name) if name else None
        return outcome(queries, job, study=study)


def as_run(draft: Mapping[str, Any], editing: int | None) -> dict[str, Any]:
    """The draft as it runs: loose links are closed, unless they belong to a measure that is being edited."""
    return with_drawing({**draft, "drawn": {}} if editing is not None else draft)


def study_params(form: Mapping[str, Any], seeds: Any, until: Any, width: Any, minutes: Any) -> dict[str, Any]:
    """Parameters of a study's job.

    Raises
    ------
    InputError
        If there is nothing to run.
    ScenarioError
        With every fault of the measures.
    """
    from data.errors import InputError
    from simulation.scenarios import from_form

    if not form["measures"]:
        raise InputError(t("scenario.empty"))
    from_form(form)
    params: dict[str, Any] = {"scenario": dict(form), "seeds": int(seeds or SEEDS)}
    if until and until != "never":
        params |= {"until": f"{until}={float(width or 5):g}%", "seeds": MOST_UNTIL}
    if minutes:
        params["seconds"] = 60.0 * float(minutes)
    return params


def command(queries: Queries, form: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """The line that gives the same run."""
    root = queries.workspace.root
    place = queries.workspace.name if root.parent.name == "workspaces" else str(root)
    parts = ["zonewise scenario run", f"{form['name']}.yaml", "--workspace", shlex.quote(place)]
    if "until" in params:
        parts += ["--until-width", str(params["until"])]
    else:
        parts += ["--seeds", str(params["seeds"])]
    if "seconds" in params:
        parts += ["--budget", f"{max(1, round(params['seconds']))}s"]
    return " ".join(parts)


def start(queries: Queries, kind: str, params: Mapping[str, Any]) -> str:
    """Add a job and start its worker; returns the job's id."""
    need_job(kind)  # an admin's job, named by somebody else to be run again, is still the admin's
    job = Jobs(queries.workspace.jobs_path).add(kind, params, by=signed(None))
    start_worker(queries.workspace.root, job)
    return job


def outcome(queries: Queries, job: Job | None, *, study: str | None = None) -> tuple[Any, ...]:
    """What a look at the job changes, in the order of the outputs of `watch`; `study`: opened without a job."""
    if job is None:
        found, fault = _found(queries, result_view, study) if study else ([], [])
        return fault, True, found, no_update, True, False, no_update
    if job.state in (FAILED, CANCELLED):
        button = html.Button(
            [icon("refresh"), t("job.again")], id={"again": 0}, n_clicks=0, type="button", className="button"
        )
        return [*progress_view(job), button], True, [], no_update, True, False, no_update
    if job.state != DONE:
        return progress_view(job), not job.open, [], no_update, not job.open, job.open, no_update
    if job.kind == "preview":
        words = html.P(t("preview.learned"), className="notice")
        return [*progress_view(job), words], True, [], no_update, True, False, no_update
    view = recommendation_view if job.kind == "recommend" else result_view
    found, fault = _found(queries, view, job.result)
    if fault:  # a study that was deleted; asking again would not bring it back
        return fault, True, [], None, True, False, True
    return progress_view(job), True, found, job.result if job.kind == "scenario" else None, True, False, False


def _found(queries: Queries, view: Any, run: str) -> tuple[list[Any], list[Any]]:
    """The view of a run, or why it cannot be shown."""
    try:
        return view(queries, run), []
    except ZonewiseError as error:
        return [], [html.P(t("job.lost", error=error), className="fault")]


def _planning(app: Dash, queries: Queries) -> None:
    """Jobs that take long: a preview is learned, plans are searched; and a found plan becomes a draft."""

    @app.callback(
        Output(ids.SCENARIO_JOB, "data", allow_duplicate=True),
        Output(ids.SCENARIO_TICK, "disabled", allow_duplicate=True),
        Input({"learn": ALL}, "n_clicks"),
        State(ids.SCENARIO_LEARN_COUNT, "value"),
        prevent_initial_call=True,
    )
    def learn(clicks: list[int], count: Any) -> tuple[Any, ...]:
        if not any(clicks):
            return no_update, no_update
        return start(queries, "preview", {"scenarios": int(count or SCENARIOS)}), False

    @app.callback(
        Output(ids.SCENARIO_JOB, "data", allow_duplicate=True),
        Output(ids.SCENARIO_TICK, "disabled", allow_duplicate=True),
        Output(ids.SCENARIO_ASK_FAULT, "children"),
        Input(ids.SCENARIO_RECOMMEND, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State({"cost": ALL}, "value"),
        State(ids.SCENARIO_AIMS, "value"),
        State(ids.SCENARIO_MONEY, "value"),
        State(ids.SCENARIO_SEARCHES, "value"),
        State(ids.SCENARIO_CONFIRM, "value"),
        prevent_initial_call=True,
    )
    def search(
        clicks: int, draft: dict[str, Any], costs: list[Any], aims: list[str], money: Any, simulations: Any, seeds: Any
    ) -> tuple[Any, ...]:
        if not clicks:
            return (no_update,) * 3
        budget = float(money) if isinstance(money, int | float) else None
        told = [c if isinstance(c, int | float) else 0.0 for c in costs] + [0.0] * len(draft["measures"])
        try:
            labels = candidate_labels(draft["measures"], queries.zone_names())
            question = question_of(draft, labels, told, objectives=aims or [], budget=budget)
        except ZonewiseError as error:
            return no_update, no_update, str(error)
        params = {
            "question": question,
            "simulations": int(simulations or SIMULATIONS),
            "seeds": int(seeds or CONFIRM_SEEDS),
        }
        return start(queries, "recommend", params), False, ""

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_NAME, "value", allow_duplicate=True),
        Input({"plan": ALL}, "n_clicks"),
        State(ids.SCENARIO_JOB, "data"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    def use(clicks: list[int], name: str | None, draft: dict[str, Any]) -> tuple[Any, ...]:
        job = Jobs(queries.workspace.jobs_path).read(name) if name and any(clicks) else None
        if job is None or not isinstance(ctx.triggered_id, dict):
            return no_update, no_update
        form = plan_form(queries, job.result, job.params["question"], int(ctx.triggered_id["plan"]))
        return {**form, "id": draft.get("id")}, form["label"]


def _files(app: Dash, queries: Queries) -> None:
    """The scenario as a file, the command, the report."""

    @app.callback(
        Output(ids.SCENARIO_EXPORT, "children"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_SEEDS, "value"),
        Input(ids.SCENARIO_UNTIL, "value"),
        Input(ids.SCENARIO_WIDTH, "value"),
        Input(ids.SCENARIO_BUDGET, "value"),
    )
    def line(draft: dict[str, Any], *asked: Any) -> str:
        form = as_run(draft, None)
        try:
            return command(queries, form, study_params(form, *asked))
        except ZonewiseError:
            return command(queries, form, {"seeds": asked[0] or SEEDS})

    app.clientside_callback(
        "(study) => !study", Output(ids.SCENARIO_REPORT, "disabled"), Input(ids.SCENARIO_STUDY, "data")
    )

    @app.callback(
        Output(ids.SCENARIO_DOWNLOAD, "data", allow_duplicate=True),
        Output(ids.SCENARIO_FAULT, "children", allow_duplicate=True),
        Input(ids.SCENARIO_REPORT, "n_clicks"),
        State(ids.SCENARIO_STUDY, "data"),
        prevent_initial_call=True,
    )
    def report(clicks: int, study: str | None) -> Any:
        if not clicks or not study:
            return no_update, no_update
        try:
            return dcc.send_string(report_of(queries, study), f"{study}.html"), ""
        except ZonewiseError as error:
            return no_update, str(error)

    @app.callback(
        Output(ids.SCENARIO_DOWNLOAD, "data"),
        Output(ids.SCENARIO_FAULT, "children", allow_duplicate=True),
        Input(ids.SCENARIO_YAML, "n_clicks"),
        Input(ids.SCENARIO_JSON, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_EDIT, "data"),
        prevent_initial_call=True,
    )
    def export(yaml_clicks: int, json_clicks: int, draft: dict[str, Any], editing: int | None) -> Any:
        from simulation.scenarios import from_form, to_yaml

        if not yaml_clicks and not json_clicks:
            return no_update, no_update
        form = as_run(draft, editing)
        try:
            scenario = from_form(form)
        except ZonewiseError as error:
            return no_update, str(error)
        if ctx.triggered_id == ids.SCENARIO_JSON:
            return dcc.send_string(json.dumps(form, indent=1, ensure_ascii=False), f"{form['name']}.json"), ""
        return dcc.send_string(to_yaml(scenario), f"{form['name']}.yaml"), ""


def report_of(queries: Queries, study: str) -> str:
    """The report of a study as one HTML document.

    Raises
    ------
    ReportError, RunNotFoundError
        If it cannot be written of this run.
    """
    from app.reports import make_report

    with tempfile.TemporaryDirectory() as folder:
        path = make_report(queries.workspace, study, Path(folder) / "report.html")
        return str(path.read_text(encoding="utf-8"))
