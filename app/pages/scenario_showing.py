"""What the scenario page shows: drafts, previews and results on the map, and beside it what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update

from app import ids
from app import study_tables as tables
from app import study_views as views
from app.components import study_results as parts
from app.components.study_parts import legend
from app.jobs import Jobs
from app.pages.scenario_actions import as_run
from app.preview_views import foreseen_or_fault, review_of
from app.queries import Queries
from app.scenario_draft import drawn_of, place_of
from app.texts import t
from data.errors import ZonewiseError

SHOWS = ("draft", "preview", "result", "other", "gap")


def register(app: Dash, queries: Queries) -> None:
    """Callbacks that only show."""
    app.clientside_callback(
        '(...given) => window.dash_clientside.zonewise.remember(...given, ["other", "quantity"])',
        Output(ids.SCENARIO_ADDRESS, "data", allow_duplicate=True),
        Input(ids.SCENARIO_OTHER, "value"),
        Input(ids.SCENARIO_QUANTITY, "value"),
        prevent_initial_call=True,
    )
    _map(app, queries)
    _beside(app, queries)


def _map(app: Dash, queries: Queries) -> None:
    """What can be shown, and showing it."""

    @app.callback(
        Output(ids.SCENARIO_SHOW, "data"),
        Output(ids.SCENARIO_SHOW_BOX, "style"),
        Input(ids.SCENARIO_STUDY, "data"),
        Input(ids.SCENARIO_OTHER, "value"),
        Input(ids.SCENARIO_PREVIEW, "children"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_EDIT, "data"),
    )
    def offers(
        study: str | None, other: str | None, _: Any, draft: dict[str, Any], editing: int | None
    ) -> tuple[Any, ...]:
        form = as_run(draft, editing)
        answer = foreseen_or_fault(queries, form)[0] if form["measures"] else None
        there = [
            show for show, is_there in zip(SHOWS, (True, answer, study, study and other, study and other)) if is_there
        ]
        data = [{"value": show, "label": t(f"scenario.show.{show}")} for show in there]
        return data, {} if len(there) > 1 else {"display": "none"}

    # apart from what is offered: a preview that comes while an address opens must not make the page forget its turn
    @app.callback(
        Output(ids.SCENARIO_SHOW, "value", allow_duplicate=True),
        Input(ids.SCENARIO_OTHER, "value"),
        Input(ids.SCENARIO_STUDY, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def turn(other: str | None, study: str | None) -> Any:
        came = {str(one["prop_id"]).split(".")[0] for one in ctx.triggered}
        return newest(came, bool(other)) or no_update if study else no_update

    app.clientside_callback(
        "(data, value) => data && !data.some((one) => one.value === value) ? 'draft'"
        " : window.dash_clientside.no_update",
        Output(ids.SCENARIO_SHOW, "value", allow_duplicate=True),
        Input(ids.SCENARIO_SHOW, "data"),
        State(ids.SCENARIO_SHOW, "value"),
        prevent_initial_call=True,
    )

    app.clientside_callback(
        '(show) => (show === "draft" ? { display: "none" } : {})',
        Output(ids.SCENARIO_SHOW_HOW, "style"),
        Input(ids.SCENARIO_SHOW, "value"),
    )

    @app.callback(
        Output(ids.SCENARIO_QUANTITY, "data"),
        Output(ids.SCENARIO_QUANTITY, "value"),
        Input(ids.SCENARIO_SHOW, "value"),
        Input(ids.SCENARIO_STUDY, "data"),
        State(ids.SCENARIO_QUANTITY, "value"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_EDIT, "data"),
    )
    def quantities(
        show: str, study: str | None, chosen: str | None, draft: dict[str, Any], editing: int | None
    ) -> tuple[Any, ...]:
        choices = quantity_choices(queries, show, study, as_run(draft, editing))
        there = [one["value"] for one in choices]
        return choices, chosen if chosen in there or not there else there[0]

    @app.callback(
        Output(ids.SCENARIO_MAP, "edits"),
        Output(ids.SCENARIO_MAP, "mode"),
        Output(ids.SCENARIO_MAP, "zoneValues"),
        Output(ids.SCENARIO_MAP, "linkValues"),
        Output(ids.SCENARIO_MAP, "scale"),
        Output(ids.SCENARIO_LEGEND, "children"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_EDIT, "data"),
        Input(ids.SCENARIO_SHOW, "value"),
        Input(ids.SCENARIO_QUANTITY, "value"),
        Input(ids.SCENARIO_SURE, "checked"),
        State(ids.SCENARIO_STUDY, "data"),
        State(ids.SCENARIO_OTHER, "value"),
    )
    def paint(draft: dict[str, Any], editing: int | None, *shown: Any) -> tuple[Any, ...]:
        return painted(queries, draft, editing, *shown)


def newest(changed: set[str], other: bool) -> str | None:
    """What the map turns to: a result that has come, or the difference to a run that was chosen; else it stays."""
    if ids.SCENARIO_OTHER in changed and other:
        return "gap"
    if ids.SCENARIO_STUDY in changed or changed in (set(), {""}):
        return "gap" if other else "result"
    return None


def quantity_choices(queries: Queries, show: str, study: str | None, form: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the map can show of a preview, a study or two of them."""
    try:
        if show == "preview":
            answer = foreseen_or_fault(queries, form)[0]
            return [] if answer is None else views.map_choices(answer.effects, links=False)
        if study:
            effects = views.study_effects(queries, study)
            return views.map_choices(effects[effects["scope"] == "zone"], links=show in ("draft", "result", "other"))
    except ZonewiseError:  # a study that was deleted: the page says so elsewhere
        pass
    return []


def painted(
    queries: Queries, draft: Mapping[str, Any], editing: int | None, show: str, quantity: str | None, sure: bool,
    study: str | None, other: str | None,
) -> tuple[Any, ...]:  # fmt: skip
    """Properties of the map, and its legend, in the order of the outputs of `paint`."""
    form = as_run(draft, editing)
    edits = place_of(queries, form["measures"], drawn_of(draft))
    if editing is not None:  # what is edited lies on the map as drawn
        edits["changed"] = sorted({*edits["changed"], *drawn_of(draft)["links"]} - {*edits["closed"]})
    bare = edits, "edit", None, None, None, legend("draft", edits)
    if show == "draft" or quantity is None or quantity not in views.MAPS:
        return bare
    shown = views.MAPS[quantity]
    try:
        zones, links, note = _values(queries, form, show, quantity, bool(sure), study, other)
    except ZonewiseError:
        return bare
    if zones is None and links is None:
        return bare
    note = f"{note}. {t('show.sure.links')}" if sure and shown.by == "link" else note
    return edits, "values", zones, links, shown.scale(), legend(quantity, edits, note)


def _values(
    queries: Queries,
    form: Mapping[str, Any],
    show: str,
    quantity: str,
    sure: bool,
    study: str | None,
    other: str | None,
) -> tuple[dict[str, float] | None, dict[str, float] | None, str]:
    """Values by zone or by link, and whose they are."""
    shown = views.MAPS[quantity]
    if show == "preview":
        answer = foreseen_or_fault(queries, form)[0]
        if answer is None or shown.by == "link":
            return None, None, ""
        rows = answer.effects[answer.effects["zone_id"] != ""]
        note = t("show.foreseen" if answer.inside else "show.foreseen.outside")
        return views.zone_values(rows, shown.quantity and quantity, sure=sure), None, note
    run = other if show == "other" else study
    if not run or (show == "gap" and (not study or not other)):
        return None, None, ""
    if show == "gap":
        if shown.by == "link":
            return None, None, ""
        words = t("show.gap", a=tables.study_title(queries, str(study)), b=tables.study_title(queries, str(other)))
        return tables.zone_gap(queries, str(study), str(other), quantity, sure=sure), None, words
    title = tables.study_title(queries, run)
    if shown.by == "zone":
        return views.zone_change(queries, run, quantity, sure=sure), None, title
    return None, views.link_change(queries, run, quantity), title


def _beside(app: Dash, queries: Queries) -> None:
    """Review, preview, comparison, charts, candidates, earlier runs."""

    @app.callback(
        Output(ids.SCENARIO_REVIEW, "children"), Input(ids.SCENARIO_DRAFT, "data"), Input(ids.SCENARIO_EDIT, "data")
    )
    def review(draft: dict[str, Any], editing: int | None) -> Any:
        form = as_run(draft, editing)
        return parts.review_view(*review_of(queries, form)) if form["measures"] else []

    @app.callback(
        Output(ids.SCENARIO_PREVIEW, "children"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_EDIT, "data"),
        Input(ids.SCENARIO_RUN, "disabled"),
        State(ids.SCENARIO_JOB, "data"),
    )
    def preview(draft: dict[str, Any], editing: int | None, _: bool, job: str | None) -> Any:
        return previewed(queries, as_run(draft, editing), job)

    @app.callback(
        Output(ids.SCENARIO_COMPARE, "children"),
        Input(ids.SCENARIO_STUDY, "data"),
        Input(ids.SCENARIO_OTHER, "value"),
    )
    def compare(study: str | None, other: str | None) -> Any:
        return compared(queries, study, other)

    @app.callback(
        Output(ids.SCENARIO_OTHER, "data"),
        Output(ids.SCENARIO_EARLIER, "children"),
        Input(ids.SCENARIO_STUDY, "data"),
        Input(ids.SCENARIO_JOB, "data"),
    )
    def earlier(study: str | None, job: str | None) -> tuple[Any, ...]:
        past = tables.earlier(queries)
        others = [{"value": p.study, "label": f"{p.label}, {p.note}"} for p in past if p.study and p.study != study]
        return others, parts.earlier_view(past, f"job={job}" if job else f"study={study}")

    @app.callback(
        Output(ids.SCENARIO_HOUR_CHART, "children"),
        Input(ids.SCENARIO_HOUR_WHAT, "value"),
        Input(ids.THEME, "data"),
        State(ids.SCENARIO_STUDY, "data"),
        State(ids.SCENARIO_JOB, "data"),
    )
    def hours(what: str | None, theme: str | None, study: str | None, name: str | None) -> Any:
        job = Jobs(queries.workspace.jobs_path).read(name) if name and not study else None
        run = study or (job.result if job else None)
        return parts.hour_chart(queries, run, what, theme) if run and what else []

    @app.callback(Output(ids.SCENARIO_CANDIDATES, "children"), Input(ids.SCENARIO_DRAFT, "data"))
    def candidates(draft: dict[str, Any]) -> Any:
        return parts.candidates_view(draft["measures"], queries.zone_names())


def previewed(queries: Queries, form: Mapping[str, Any], job: str | None) -> list[Any]:
    """The instant answer to a draft, or how to get one."""
    answer, fault = foreseen_or_fault(queries, form) if form["measures"] else (None, "")
    from app.preview_views import preview_run

    have = preview_run(queries) is not None
    running = Jobs(queries.workspace.jobs_path).read(job) if job and not have else None
    learning = running.id if running and running.kind == "preview" and running.open else None
    return parts.preview_view(answer, fault, learning=learning, empty=not have)


def compared(queries: Queries, study: str | None, other: str | None) -> Any:
    """Two studies in columns, or what is missing for that."""
    if not study or not other:
        return t("beside.choose" if study else "beside.first")
    try:
        return parts.compare_view(queries, study, other)
    except ZonewiseError as error:
        return t("job.lost", error=error)
