"""What changes the draft of a scenario: drawing, the form, the examples, steps back and forth, drafts that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from app import ids
from app import study_views as views
from app.components import measure_form
from app.queries import Queries
from app.scenario_draft import clicked, drawn_of, empty_draft, opened, put, removed, surrounded
from app.scenario_fields import HOURS, defaults, entry_of, offer_of, values_of
from app.texts import t
from data.errors import ZonewiseError

OWN = "own"  # the choice of no shipped example


def register(app: Dash, queries: Queries) -> None:
    """Callbacks on the draft."""
    _in_the_browser(app)
    _drawing(app)
    _form(app, queries)


def street_names(queries: Queries) -> list[str]:
    """Names of the city's streets, each once."""
    key = ("street names", queries.info().runs["city"])
    return list(queries.keep(key, lambda: sorted({str(n) for n in queries.links()["name"].dropna() if str(n)})))


def zone_choices(queries: Queries) -> list[dict[str, str]]:
    """Zones to choose from."""
    return [{"value": z, "label": f"{z} {n}"} for z, n in queries.zone_names().items()]


def _in_the_browser(app: Dash) -> None:
    """Theme, tool, drafts and history need no server."""
    call, drafts = "(...given) => window.dash_clientside.zonewise", "(...given) => window.dash_clientside.drafts"
    app.clientside_callback(f"{call}.useTheme(...given)", Output(ids.SCENARIO_MAP, "theme"), Input(ids.THEME, "data"))
    app.clientside_callback(
        f"{call}.follow(...given)", Output(ids.SCENARIO_MAP, "drawMode"), Input(ids.SCENARIO_TOOL, "value")
    )
    app.clientside_callback(
        f"{call}.follow(...given)", Output(ids.SCENARIO_TOOL, "value"), Input(ids.SCENARIO_MAP, "drawMode"),
        prevent_initial_call=True,
    )  # fmt: skip
    app.clientside_callback(
        f"{drafts}.open(...given)",
        Output(ids.SCENARIO_DRAFT, "data"),
        Output(ids.SCENARIO_NAME, "value"),
        Output(ids.SCENARIO_DRAFTS, "value"),
        Output(ids.SCENARIO_NOTE, "children"),
        Output(ids.SCENARIO_EDIT, "data"),
        Output(ids.SCENARIO_DRAFTS, "data", allow_duplicate=True),
        Input(ids.SCENARIO_META, "data"),
        Input(ids.SCENARIO_NEW, "n_clicks"),
        Input(ids.SCENARIO_COPY, "n_clicks"),
        Input(ids.SCENARIO_DROP, "n_clicks"),
        Input(ids.SCENARIO_DRAFTS, "value"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(
        f"{drafts}.keep(...given)",
        Output(ids.SCENARIO_PAST, "data"),
        Output(ids.SCENARIO_DRAFTS, "data"),
        Output(ids.SCENARIO_SAVED, "children"),
        Output(ids.SCENARIO_UNDO, "disabled"),
        Output(ids.SCENARIO_REDO, "disabled"),
        Input(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_PAST, "data"),
        State(ids.SCENARIO_META, "data"),
    )
    app.clientside_callback(
        f"{drafts}.step(...given)",
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_PAST, "data", allow_duplicate=True),
        Output(ids.SCENARIO_NAME, "value", allow_duplicate=True),
        Output(ids.SCENARIO_EDIT, "data", allow_duplicate=True),
        Input(ids.SCENARIO_UNDO, "n_clicks"),
        Input(ids.SCENARIO_REDO, "n_clicks"),
        State(ids.SCENARIO_PAST, "data"),
        State(ids.SCENARIO_META, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        f"{drafts}.rename(...given)",
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Input(ids.SCENARIO_NAME, "value"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        f"{drafts}.share(...given)",
        Output(ids.SCENARIO_SHARED, "children"),
        Input(ids.SCENARIO_SHARE, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_JOB, "data"),
        State(ids.SCENARIO_STUDY, "data"),
        prevent_initial_call=True,
    )


def _drawing(app: Dash) -> None:
    """Clicks, lassos, polygons and lines become part of the draft."""

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Input(ids.SCENARIO_MAP, "clickedLink"),
        Input(ids.SCENARIO_MAP, "drawn"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    def draw(click: dict[str, Any] | None, shape: dict[str, Any] | None, draft: dict[str, Any]) -> Any:
        if ctx.triggered and ctx.triggered[0]["prop_id"].endswith(".drawn"):
            return surrounded(draft, shape) if shape else no_update
        return clicked(draft, int(click["link"])) if click else no_update


def _form(app: Dash, queries: Queries) -> None:
    """The form, the cards of measures and the examples."""

    @app.callback(
        Output(ids.SCENARIO_FIELDS, "children"),
        Output(ids.SCENARIO_PLACE_BOX, "style"),
        Output(ids.SCENARIO_HOURS_BOX, "style"),
        Input(ids.SCENARIO_KIND, "value"),
        Input(ids.SCENARIO_EDIT, "data"),
        State(ids.SCENARIO_DRAFT, "data"),
    )
    def fields(kind: str, editing: int | None, draft: dict[str, Any]) -> tuple[Any, ...]:
        return form_of(queries, kind, editing, draft)

    @app.callback(
        Output(ids.SCENARIO_EDIT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_KIND, "value"),
        Output(ids.SCENARIO_STREET, "value"),
        Output(ids.SCENARIO_ZONES, "value"),
        Output(ids.SCENARIO_ROADS, "value"),
        Output(ids.SCENARIO_DIRECTION, "value"),
        Output(ids.SCENARIO_START, "value"),
        Output(ids.SCENARIO_END, "value"),
        Output(ids.SCENARIO_DAYS, "value"),
        Output(ids.SCENARIO_FIRST, "value"),
        Output(ids.SCENARIO_LAST, "value"),
        Output(ids.SCENARIO_FORM, "open", allow_duplicate=True),
        Input({"edit": ALL}, "n_clicks"),
        Input(ids.SCENARIO_CANCEL, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    def edit(clicks: list[int], cancel: int, draft: dict[str, Any]) -> tuple[Any, ...]:
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return (no_update,) * 13
        at = ctx.triggered_id["edit"] if isinstance(ctx.triggered_id, dict) else None
        return editing_of(draft, at)

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_EDIT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_FORM_FAULT, "children"),
        Input(ids.SCENARIO_ADD, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        State(ids.SCENARIO_EDIT, "data"),
        State(ids.SCENARIO_KIND, "value"),
        State({"field": ALL}, "value"),
        State({"field": ALL}, "id"),
        State({"yes": ALL}, "checked"),
        State({"yes": ALL}, "id"),
        State(ids.SCENARIO_STREET, "value"),
        State(ids.SCENARIO_ZONES, "value"),
        State(ids.SCENARIO_ROADS, "value"),
        State(ids.SCENARIO_DIRECTION, "value"),
        State(ids.SCENARIO_START, "value"),
        State(ids.SCENARIO_END, "value"),
        State(ids.SCENARIO_DAYS, "value"),
        State(ids.SCENARIO_FIRST, "value"),
        State(ids.SCENARIO_LAST, "value"),
        prevent_initial_call=True,
    )
    def add(
        clicks: int, draft: dict[str, Any], editing: int | None, kind: str, values: list[Any], names: list[Any],
        ticks: list[Any], tick_names: list[Any], street: Any, zones: Any, roads: Any, direction: Any, *when: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        if not clicks:
            return (no_update,) * 3
        told = {name["field"]: value for name, value in zip(names, values)}
        told |= {name["yes"]: bool(value) for name, value in zip(tick_names, ticks)}
        place = {"street": street, "zones": zones, "road_class": roads, "direction": direction}
        return added(queries, draft, editing, kind, told, place, dict(zip(HOURS, when)))

    app.clientside_callback(
        '(...given) => ""',
        Output(ids.SCENARIO_FORM_FAULT, "children", allow_duplicate=True),
        Input(ids.SCENARIO_KIND, "value"),
        Input(ids.SCENARIO_EDIT, "data"),
        Input(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_EDIT, "data", allow_duplicate=True),
        Input({"measure": ALL}, "n_clicks"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    def remove(clicks: list[int], draft: dict[str, Any]) -> tuple[Any, ...]:
        if not ctx.triggered or not ctx.triggered[0]["value"] or not isinstance(ctx.triggered_id, dict):
            return no_update, no_update
        return removed(draft, int(ctx.triggered_id["measure"])), None

    @app.callback(
        Output(ids.SCENARIO_DRAFT, "data", allow_duplicate=True),
        Output(ids.SCENARIO_NAME, "value", allow_duplicate=True),
        Output(ids.SCENARIO_EDIT, "data", allow_duplicate=True),
        Input(ids.SCENARIO_SHIPPED, "value"),
        State(ids.SCENARIO_DRAFT, "data"),
        prevent_initial_call=True,
    )
    def example(shipped: str | None, draft: dict[str, Any]) -> tuple[Any, ...]:
        from simulation.scenarios import load_shipped, to_form

        if not shipped or not ctx.triggered[0]["value"]:
            return (no_update,) * 3
        form = empty_draft() if shipped == OWN else to_form(load_shipped(shipped))
        return {**form, "id": draft.get("id")}, form.get("label") or form["name"], None

    @app.callback(
        Output(ids.SCENARIO_LIST, "children"),
        Output(ids.SCENARIO_COUNT, "children"),
        Output(ids.SCENARIO_ADD, "children"),
        Output(ids.SCENARIO_CANCEL, "style"),
        Input(ids.SCENARIO_DRAFT, "data"),
        Input(ids.SCENARIO_EDIT, "data"),
        Input(ids.SCENARIO_KIND, "value"),
    )
    def cards(draft: dict[str, Any], editing: int | None, kind: str) -> tuple[Any, ...]:
        words = t("scenario.add" if editing is None else "scenario.save")
        shown = measure_form.measure_list(draft, queries.zone_names(), editing)
        return shown, measure_form.form_words(kind, draft), words, {"display": "none"} if editing is None else {}


def form_of(queries: Queries, kind: str, editing: int | None, draft: Mapping[str, Any]) -> tuple[Any, ...]:
    """Fields of the form, and whether place and hours are asked for."""
    entry = draft["measures"][editing] if editing is not None and editing < len(draft["measures"]) else None
    same = entry is not None and entry.get("measure") == kind
    values = values_of(entry) if same and entry is not None else defaults(kind)
    streets: Sequence[str] = street_names(queries) if kind == "turn_ban" else ()
    hidden, offer = {"display": "none"}, offer_of(kind)
    assert offer is not None  # as the guard has seen to
    shown = measure_form.fields(kind, values, zone_choices(queries), streets)
    return shown, {} if offer.place == "links" else hidden, {} if offer.hours != "never" else hidden


def editing_of(draft: Mapping[str, Any], at: int | None) -> tuple[Any, ...]:
    """What the form shows of a measure that is to be edited, in the order of the outputs; None ends the editing."""
    if at is None or at >= len(draft["measures"]):
        bare = {**draft, "drawn": {"links": [], "line": []}}
        return None, bare, no_update, [], [], [], None, "", "", [], "", "", no_update
    entry = draft["measures"][at]

    def several(key: str) -> list[str]:
        value = entry.get(key) or []
        return [value] if isinstance(value, str) else [str(one) for one in value]

    return (
        at, opened(draft, at), entry["measure"], several("street"), several("zones"), several("road_class"),
        entry.get("direction") or None, entry.get("start") or "", entry.get("end") or "", several("days"),
        entry.get("first_day") or "", entry.get("last_day") or "", True,
    )  # fmt: skip


def added(
    queries: Queries,
    draft: Mapping[str, Any],
    editing: int | None,
    kind: str,
    values: Mapping[str, Any],
    place: Mapping[str, Any],
    when: Mapping[str, Any],
) -> tuple[Any, ...]:
    """The draft with the measure of the form, which measure is edited then, and what is wrong with it."""
    from simulation.scenarios import ScenarioError, from_form

    drawn = drawn_of(draft)
    before = draft["measures"][editing] if editing is not None and editing < len(draft["measures"]) else None
    where = {**place, "links": sorted(drawn["links"]), "line": drawn["line"]}
    clean = {key: value.strip() if isinstance(value, str) else value for key, value in when.items()}
    entry = entry_of(kind, values, where, clean, before)
    offer = offer_of(kind)
    assert offer is not None
    if offer.hours == "must" and not (entry.get("start") and entry.get("end")):
        return no_update, no_update, t("scenario.hours.must", what=views.kind_label(kind))
    if (
        offer.place == "links"
        and not set(entry) & {"links", "line", "street", "zones", "road_class", "area", "ways", "any_of", "but_not"}
        and kind not in EVERYWHERE
    ):
        return no_update, no_update, t("scenario.place.missing")
    if offer.place == "line" and "line" not in entry:
        return no_update, no_update, t("scenario.line.none")
    try:
        from_form({"name": "one", "measures": [entry]})
    except ScenarioError as error:
        return no_update, no_update, [html.P(measure_form.field_fault(kind, fault)) for fault in error.faults]
    except ZonewiseError as error:
        return no_update, no_update, str(error)
    return put(draft, entry, editing), None, ""


#: Kinds that mean the whole city where no place is given.
EVERYWHERE = ("distance_charge", "electrify", "zone_30", "speed_limit", "retime_signals", "actuate_signals")
