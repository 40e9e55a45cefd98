"""What the scenario page does: drawing, the form, the run, the result, the file."""

from __future__ import annotations

import json
import shlex
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids
from app import study_views as views
from app.components.study_parts import legend, measure_list, progress_view, result_view
from app.jobs import DONE, Job, Jobs, start_worker
from app.queries import Queries
from app.scenario_draft import empty_draft, new_measure, place_of, with_drawing
from app.study_job import SEEDS
from app.texts import t
from data.errors import ZonewiseError

OWN = "own"  # the choice of no shipped example


def register(app: Dash, queries: Queries) -> None:
    """All callbacks of the page."""
    call = "(...given) => window.dash_clientside.zonewise"
    app.clientside_callback(f"{call}.useTheme(...given)", Output(ids.SCENARIO_MAP, "theme"), Input(ids.THEME, "data"))
    app.clientside_callback(
        f"{call}.follow(...given)", Output(ids.SCENARIO_MAP, "drawMode"), Input(ids.SCENARIO_TOOL, "value")
    )
    app.clientside_callback(
        f"{call}.follow(...given)",
        Output(ids.SCENARIO_TOOL, "value"),
        Input(ids.SCENARIO_MAP, "drawMode"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        f'{call}.remember(...given, ["job"])',
        Output(ids.SCENARIO_ADDRESS, "data"),
        Input(ids.SCENARIO_JOB, "data"),
        prevent_initial_call=True,
    )
    _drawing(app, queries)
    _form(app, queries)
    _runs(app, queries)
    _export(app, queries)


def _drawing(app: Dash, queries: Queries) -> None:
    """Clicks and polygons become chosen links; the map marks them."""

    @app.callback(
        Output(ids.SCENARIO_DRAWN, "data"),
        Input(ids.SCENARIO_MAP, "clickedLink"),
        Input(ids.SCENARIO_MAP, "drawn"),
        Input(ids.SCENARIO_UNDO, "n_clicks"),
        State(ids.SCENARIO_DRAWN, "data"),
        prevent_initial_call=True,
    )
    def draw(click: dict[str, Any] | None, area: dict[str, Any] | None, undo: int, drawn: list[int]) -> Any:
        source = ctx.triggered_id, ctx.triggered[0]["prop_id"] if ctx.triggered else ""
        if source[0] == ids.SCENARIO_UNDO:
            return drawn[:-1] if undo and drawn else no_update
        if source[1].endswith(".drawn"):
            return [*drawn, *(k for k in area["links"] if k not in drawn)] if area else no_update
        if not click:
            return no_update
        link = int(click["link"])
        return [k for k in drawn if k != link] if link in drawn else [*drawn, link]

    @app.callback(
        Output(ids.SCENARIO_MAP, "edits"),
        Output(ids.SCENARIO_MAP, "mode"),
        Output(ids.SCENARIO_MAP, "zoneValues"),
        Output(ids.SCENARIO_MAP, "linkValues"),
        Output(ids.SCENARIO_MAP, "scale"),
        Output(ids.SCENARIO_LEGEND, "children"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_DRAWN, "data"),
        Input(ids.SCENARIO_SHOW, "value"),
        State(ids.SCENARIO_JOB, "data"),
    )
    def paint(draft: dict[str, Any], drawn: list[int], show: str, name: str | None) -> tuple[Any, ...]:
        edits = place_of(queries, with_drawing(draft, drawn)["measures"])
        job = Jobs(queries.workspace.jobs_path).read(name) if name and show != "draft" else None
        drawing = ctx.triggered_id in (ids.SCENARIO_DRAFT, ids.SCENARIO_DRAWN)
        if job is None or job.state != DONE or drawing:
            return edits, "edit", None, None, None, legend("draft", edits)
        scale = views.MAPS[show].scale()
        if views.MAPS[show].by == "zone":
            return edits, "values", views.zone_change(queries, job.result, show), None, scale, legend(show, edits)
        return edits, "values", None, views.link_change(queries, job.result, show), scale, legend(show, edits)


def _form(app: Dash, queries: Queries) -> None:
    """The form, the list of measures and the shipped examples change the draft."""

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data"),
        Output(ids.SCENARIO_DRAWN, "data", allow_duplicate=True),
        Output(ids.SCENARIO_FAULT, "children"),
        Output(ids.SCENARIO_NAME, "value"),
        Input(ids.SCENARIO_SHIPPED, "value"),
        Input(ids.SCENARIO_ADD, "n_clicks"),
        Input({"measure": ALL}, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_DRAWN, "data"),
        State(ids.SCENARIO_KIND, "value"),
        State(ids.SCENARIO_AMOUNT, "value"),
        State(ids.SCENARIO_STREET, "value"),
        State(ids.SCENARIO_ZONES, "value"),
        State(ids.SCENARIO_START, "value"),
        State(ids.SCENARIO_END, "value"),
        prevent_initial_call=True,
    )
    def change(
        shipped: str,
        add: int,
        remove: list[int],
        draft: dict[str, Any],
        drawn: list[int],
        kind: str,
        amount: Any,
        street: str | None,
        zones: list[str] | None,
        start: str | None,
        end: str | None,
    ) -> tuple[Any, ...]:
        from simulation.scenarios import from_form, load_shipped, to_form

        if ctx.triggered_id == ids.SCENARIO_SHIPPED:
            if not ctx.triggered[0]["value"]:
                return (no_update,) * 4
            chosen = empty_draft() if shipped == OWN else to_form(load_shipped(shipped))
            return chosen, [], "", chosen.get("label") or chosen["name"]
        if isinstance(ctx.triggered_id, dict):
            if not ctx.triggered[0]["value"]:
                return (no_update,) * 4
            k = int(ctx.triggered_id["measure"])
            if k >= len(draft["measures"]):
                return no_update, [], "", no_update
            return (
                {**draft, "measures": [m for i, m in enumerate(draft["measures"]) if i != k]},
                no_update,
                "",
                no_update,
            )
        if not add:
            return (no_update,) * 4
        number = float(amount) if isinstance(amount, int | float) else None
        entry = new_measure(kind, amount=number, street=street, zones=zones, links=sorted(drawn), start=start, end=end)
        try:
            from_form({"name": "one", "measures": [entry]})
        except ZonewiseError as error:
            return no_update, no_update, str(error), no_update
        return (
            {**draft, "measures": [*draft["measures"], entry]},
            ([] if "links" in entry else no_update),
            "",
            no_update,
        )

    @app.callback(
        Output(ids.SCENARIO_LIST, "children"),
        Output(ids.SCENARIO_COUNT, "children"),
        Output(ids.SCENARIO_EXPORT, "children"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_DRAWN, "data"),
        Input(ids.SCENARIO_SEEDS, "value"),
    )
    def listed(draft: dict[str, Any], drawn: list[int], seeds: Any) -> tuple[Any, ...]:
        words = t("scenario.drawn", n=views.links_words(len(drawn))) if drawn else t("scenario.drawn.none")
        place = (
            queries.workspace.root.name
            if queries.workspace.root.parent.name == "workspaces"
            else str(queries.workspace.root)
        )
        line = f"zonewise scenario run {draft['name']}.yaml --workspace {shlex.quote(place)} --seeds {seeds or SEEDS}"
        return measure_list(draft, drawn, queries.zone_names()), words, line

    @app.callback(
        Output(ids.SCENARIO_AMOUNT, "label"),
        Output(ids.SCENARIO_AMOUNT, "disabled"),
        Output(ids.SCENARIO_AMOUNT, "value"),
        Input(ids.SCENARIO_KIND, "value"),
    )
    def amount(kind: str) -> tuple[str, bool, Any]:
        usual = {"speed_limit": 30, "lanes": -1, "demand": -10, "low_emission_zone": 5}
        return t(f"amount.{kind}"), kind == "close_street", usual.get(kind, "")


def _runs(app: Dash, queries: Queries) -> None:
    """A run is a job of its own: started, watched, stopped, found again."""

    @app.callback(
        Output(ids.SCENARIO_JOB, "data"),
        Output(ids.SCENARIO_TICK, "disabled"),
        Output(ids.SCENARIO_FAULT, "children", allow_duplicate=True),
        Output(ids.SCENARIO_SHOW, "value"),
        Input(ids.SCENARIO_RUN, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_DRAWN, "data"),
        State(ids.SCENARIO_SEEDS, "value"),
        State(ids.SCENARIO_NAME, "value"),
        prevent_initial_call=True,
    )
    def run(clicks: int, draft: dict[str, Any], drawn: list[int], seeds: Any, name: str) -> tuple[Any, ...]:
        from simulation.scenarios import from_form

        if not clicks:
            return (no_update,) * 4
        form = {**with_drawing(draft, drawn), "label": name or draft["name"]}
        try:
            if not form["measures"]:
                return no_update, no_update, t("scenario.empty"), no_update
            from_form(form)
        except ZonewiseError as error:
            return no_update, no_update, str(error), no_update
        jobs = Jobs(queries.workspace.jobs_path)
        job = jobs.add("scenario", {"scenario": form, "seeds": int(seeds or SEEDS)})
        start_worker(queries.workspace.root, job)
        return job, False, "", "draft"

    @app.callback(
        Output(ids.SCENARIO_STOP, "children"),
        Input(ids.SCENARIO_STOP, "n_clicks"),
        State(ids.SCENARIO_JOB, "data"),
        prevent_initial_call=True,
    )
    def stop(clicks: int, job: str | None) -> Any:
        if clicks and job:
            Jobs(queries.workspace.jobs_path).cancel(job)
        return no_update

    @app.callback(
        Output(ids.SCENARIO_PROGRESS, "children"),
        Output(ids.SCENARIO_TICK, "disabled", allow_duplicate=True),
        Output(ids.SCENARIO_RESULT, "children"),
        Output(ids.SCENARIO_SHOW_BOX, "style"),
        Output(ids.SCENARIO_STOP, "disabled"),
        Output(ids.SCENARIO_RUN, "disabled"),
        Output(ids.SCENARIO_SHOW, "value", allow_duplicate=True),
        Output(ids.SCENARIO_FORM, "open"),
        Input(ids.SCENARIO_TICK, "n_intervals"),
        Input(ids.SCENARIO_JOB, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def watch(_: int, name: str | None) -> tuple[Any, ...]:
        return outcome(queries, Jobs(queries.workspace.jobs_path).read(name) if name else None)


def outcome(queries: Queries, job: Job | None) -> tuple[Any, ...]:
    """What a look at the job changes, in the order of the outputs of `watch`."""
    hidden = {"display": "none"}
    if job is None:
        return [], True, [], hidden, True, False, no_update, True
    if job.state != DONE:
        return progress_view(job), not job.open, [], hidden, not job.open, job.open, no_update, no_update
    try:
        found = result_view(queries, job.result)
    except ZonewiseError as error:  # a study that was deleted; asking again would not bring it back
        lost = html.P(t("job.lost", error=error), className="fault")
        return lost, True, [], hidden, True, False, "draft", True
    return progress_view(job), True, found, {"display": "block"}, True, False, "no2", False


def _export(app: Dash, queries: Queries) -> None:
    """The scenario as a file."""

    @app.callback(
        Output(ids.SCENARIO_DOWNLOAD, "data"),
        Input(ids.SCENARIO_YAML, "n_clicks"),
        Input(ids.SCENARIO_JSON, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_DRAWN, "data"),
        State(ids.SCENARIO_NAME, "value"),
        prevent_initial_call=True,
    )
    def export(yaml_clicks: int, json_clicks: int, draft: dict[str, Any], drawn: list[int], name: str) -> Any:
        from simulation.scenarios import from_form, to_yaml

        if not yaml_clicks and not json_clicks:
            return no_update
        form = {**with_drawing(draft, drawn), "label": name or draft["name"]}
        if ctx.triggered_id == ids.SCENARIO_JSON:
            return dcc.send_string(json.dumps(form, indent=1, ensure_ascii=False), f"{form['name']}.json")
        return dcc.send_string(to_yaml(from_form(form)), f"{form['name']}.yaml")
