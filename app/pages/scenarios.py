"""Scenarios: choose or draw measures, run them in a process of their own, see what they change.

This module is what the page looks like; `scenario_editing` changes the draft, `scenario_actions` runs it and
`scenario_showing` puts drafts, previews and results on the map and beside it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, dcc, html

from app import ids
from app.addresses import href
from app.components.city_map import CityMap, map_words
from app.components.measure_form import kinds_menu
from app.components.parts import icon
from app.components.study_parts import fold
from app.components.study_results import AIMS
from app.jobs import DONE, Job, Jobs
from app.layers import attribution_of, is_measured
from app.pages import scenario_actions, scenario_editing, scenario_showing
from app.pages.scenario_editing import OWN
from app.queries import NotReadyError, Queries
from app.recommend_job import MOST_SIMULATIONS, SIMULATIONS
from app.scenario_draft import empty_draft, shared
from app.scenario_fields import DAYS, DIRECTIONS, ROAD_CLASSES
from app.shell import Page
from app.study_job import MOST_SEEDS, SEEDS
from app.study_views import option_label
from app.texts import t
from data.errors import ZonewiseError

__all__ = ["PAGE", "layout", "register"]
PAGE = Page("/scenarios", "nav.scenarios", "barrier-block")


def register(app: Dash, queries: Queries) -> None:
    """All callbacks of the page."""
    scenario_editing.register(app, queries)
    scenario_actions.register(app, queries)
    scenario_showing.register(app, queries)


def layout(queries: Queries, **address: str) -> Any:
    """The page; a run (`job`), a stored study (`study`) or a draft (`form`) may stand in the address."""
    if is_measured(queries):
        raise NotReadyError(t("state.measured"))
    desk = on_the_desk(queries, address)
    city_map = CityMap(
        id=ids.SCENARIO_MAP,
        geoUrl=href(f"/api/{queries.info().runs['city']}/geo.json"),
        theme="light",
        mode="edit",
        layer="off",
        drawMode="click",
        edits={"closed": [], "changed": [], "zones": [], "lines": []},
        ariaLabel=t("scenario.aria"),
        words={**map_words(), "nothing": t("show.unclear")},
    )
    box = html.Div(
        [
            city_map,
            _tools(),
            html.Div(id=ids.SCENARIO_LEGEND, className="float legend"),
            html.Div(t(attribution_of(queries)), className="attribution"),
        ],
        className="map-box",
    )
    return html.Div(
        [
            html.Div(
                [html.Section(box, className="map-side", **{"aria-label": t("map.label")}), _drawer(queries, desk)],
                className="studio",
            ),
            dcc.Store(id=ids.SCENARIO_META, data=_meta(queries, given=desk["given"])),
            dcc.Store(id=ids.SCENARIO_DRAFT, data=desk["draft"]),
            dcc.Store(id=ids.SCENARIO_PAST),
            dcc.Store(id=ids.SCENARIO_EDIT),
            dcc.Store(id=ids.SCENARIO_JOB, data=desk["job"].id if desk["job"] else None),
            dcc.Store(id=ids.SCENARIO_STUDY, data=desk["study"]),
            dcc.Store(id=ids.SCENARIO_ADDRESS),
            dcc.Interval(id=ids.SCENARIO_TICK, interval=500, disabled=desk["job"] is None),
        ],
        className="page page-scenario",
        id="page",
    )


def on_the_desk(queries: Queries, address: dict[str, str]) -> dict[str, Any]:
    """What an address puts on the desk: `draft`, `job`, `study`, `other`, `fault`, and whether it named any."""
    desk: dict[str, Any] = {"draft": empty_draft(), "job": None, "study": None, "fault": "", "given": False}
    desk["other"] = address.get("other")
    desk["quantity"] = address.get("quantity") or "no2"
    if name := address.get("job"):
        job = desk["job"] = Jobs(queries.workspace.jobs_path).read(name)
        form = job.params.get("scenario") if job else None
        if form:
            desk |= {"draft": {**form, "id": f"job-{name}"}, "given": True}
        if job is None:
            desk["fault"] = t("job.unknown")
        elif job.kind == "scenario" and job.state == DONE:
            desk["study"] = job.result
    elif name := address.get("study"):
        try:
            form = queries.workspace.runs.manifest(name)["spec"]["scenario"]
            desk |= {"draft": {**form, "id": f"study-{name}"}, "study": name, "given": True}
        except (ZonewiseError, KeyError):
            desk["fault"] = t("job.unknown")
    elif text := address.get("form"):
        try:
            desk |= {"draft": shared(text), "given": True}
        except ZonewiseError as error:
            desk["fault"] = str(error)
    return desk


def _said() -> dict[str, str]:
    """What the browser says once a link is copied, or cannot be."""
    return {"data-done": t("copy.done"), "data-long": t("scenario.share.long")}


def _meta(queries: Queries, *, given: bool) -> dict[str, Any]:
    """What the browser needs to keep drafts: whose they are, and what it says of them."""
    names = {
        "meta": ids.SCENARIO_META, "blank": ids.SCENARIO_NEW, "double": ids.SCENARIO_COPY, "remove": ids.SCENARIO_DROP,
        "choice": ids.SCENARIO_DRAFTS, "undo": ids.SCENARIO_UNDO,
    }  # fmt: skip
    keys = ("blank", "copy", "copied", "removed", "restored", "saved", "unsaved")
    return {
        "key": queries.workspace.name, "given": given, "empty": empty_draft(), "ids": names,
        "words": {key: t(f"drafts.{key}", name="{name}", time="{time}") for key in keys},
    }  # fmt: skip


def _tools() -> html.Div:
    """How to draw, and steps back and forth."""
    tools = ("click", "lasso", "polygon", "line")
    return html.Div(
        [
            dmc.SegmentedControl(
                id=ids.SCENARIO_TOOL,
                value="click",
                size="sm",
                data=[{"value": k, "label": t(f"scenario.{k}")} for k in tools],
            ),
            _button(ids.SCENARIO_UNDO, [icon("arrow-back-up"), _wide("scenario.undo")], disabled=True),
            _button(ids.SCENARIO_REDO, [icon("arrow-forward-up"), _wide("scenario.redo")], disabled=True),
        ],
        className="float tools",
        role="group",
        **{"aria-label": t("scenario.tools")},
    )


def _wide(key: str) -> html.Span:
    """Words that a narrow screen keeps for those who listen."""
    return html.Span(t(key), className="tool-words")


def _button(ident: Any, words: Any, look: str = "", **more: Any) -> html.Button:
    return html.Button(words, id=ident, className=f"button {look}".strip(), n_clicks=0, type="button", **more)


def _drawer(queries: Queries, desk: dict[str, Any]) -> html.Section:
    """Everything beside the map, from top to bottom as a planner works."""
    job = desk["job"]
    return html.Section(
        [
            html.H1(t("scenario.title")),
            *_drafts(desk["draft"]),
            html.H2(t("scenario.measures")),
            html.Div(id=ids.SCENARIO_LIST),
            fold(t("scenario.form"), [_form(queries)], ident=ids.SCENARIO_FORM, open_=True),
            html.H2(t("scenario.before")),
            html.Div(id=ids.SCENARIO_REVIEW, role="status"),
            fold(t("preview.title"), [html.Div(id=ids.SCENARIO_PREVIEW)], open_=True),
            html.H2(t("scenario.run")),
            *_run(job),
            html.Div(desk["fault"], id=ids.SCENARIO_FAULT, className="fault", role="alert"),
            html.Div(id=ids.SCENARIO_PROGRESS, role="status"),
            _show(desk["quantity"]),
            html.Div(id=ids.SCENARIO_RESULT),
            html.H2(t("scenario.further")),
            _compare(desk["other"]),
            _recommend(),
            fold(t("earlier.title"), [html.Div(id=ids.SCENARIO_EARLIER)]),
            html.H2(t("scenario.export")),
            *_take_along(),
        ],
        className="drawer",
        tabIndex=0,
        **{"aria-label": t("scenario.title")},
    )


@cache
def _examples() -> tuple[dict[str, str], ...]:
    """Shipped scenarios, for a picker; read once, as they come with the program."""
    from simulation.scenarios import load_shipped, shipped_names

    return tuple({"value": n, "label": load_shipped(n).label or n} for n in shipped_names())


def _drafts(draft: dict[str, Any]) -> list[Any]:
    """Drafts of this browser, an example to start from, and the name."""
    shipped = [{"value": OWN, "label": t("scenario.own")}, *_examples()]
    return [
        html.Div(
            [
                _button(ids.SCENARIO_NEW, [icon("plus"), t("drafts.new")]),
                _button(ids.SCENARIO_COPY, [icon("copy"), t("drafts.double")]),
                _button(ids.SCENARIO_DROP, [icon("trash"), t("drafts.drop")]),
                html.Span(id=ids.SCENARIO_SAVED, className="said", role="status"),
            ],
            className="row",
        ),
        html.P(id=ids.SCENARIO_NOTE, className="fine", role="status"),
        html.Div(
            [
                dmc.Select(id=ids.SCENARIO_DRAFTS, label=t("drafts.mine"), data=[], size="sm", allowDeselect=False),
                dmc.Select(
                    id=ids.SCENARIO_SHIPPED, label=t("scenario.shipped"), data=shipped, value=OWN, allowDeselect=False,
                    size="sm",
                ),
                dmc.TextInput(
                    id=ids.SCENARIO_NAME, label=t("scenario.name"), value=draft.get("label") or draft["name"],
                    size="sm", className="full", debounce=400,
                ),
            ],
            className="form",
        ),
    ]  # fmt: skip


def _form(queries: Queries) -> html.Div:
    """One measure: what, how much, where, when."""
    streets = scenario_editing.street_names(queries)
    zones = scenario_editing.zone_choices(queries)
    place = [
        dmc.MultiSelect(
            id=ids.SCENARIO_STREET, label=t("scenario.street"), data=streets, searchable=True, clearable=True,
            size="sm", limit=60, clearButtonProps={"aria-label": t("scenario.street.clear")},
        ),
        dmc.MultiSelect(id=ids.SCENARIO_ZONES, label=t("scenario.zones"), data=zones, size="sm", searchable=True),
        dmc.MultiSelect(
            id=ids.SCENARIO_ROADS, label=t("scenario.roads"), size="sm",
            data=[{"value": k, "label": option_label("road_class", k)} for k in ROAD_CLASSES],
        ),
        dmc.Select(
            id=ids.SCENARIO_DIRECTION, label=t("scenario.direction"), size="sm", clearable=True,
            data=[{"value": k, "label": option_label("towards", k)} for k in DIRECTIONS],
            clearButtonProps={"aria-label": t("scenario.direction.clear")},
        ),
    ]  # fmt: skip
    hours = [
        dmc.TextInput(id=ids.SCENARIO_START, label=t("scenario.start"), placeholder="07:00", size="sm"),
        dmc.TextInput(id=ids.SCENARIO_END, label=t("scenario.end"), placeholder="19:00", size="sm"),
        html.P(t("scenario.hours"), className="fine full"),
        html.Div(
            dmc.MultiSelect(
                id=ids.SCENARIO_DAYS, label=t("scenario.days"), size="sm",
                data=[{"value": k, "label": option_label("days", k)} for k in DAYS],
            ),
            className="full",
        ),
        dmc.TextInput(id=ids.SCENARIO_FIRST, label=t("scenario.first"), placeholder="2026-06-01", size="sm"),
        dmc.TextInput(id=ids.SCENARIO_LAST, label=t("scenario.last"), placeholder="2026-08-31", size="sm"),
    ]  # fmt: skip
    return html.Div(
        [
            dmc.Select(
                id=ids.SCENARIO_KIND, label=t("scenario.kind"), value="close_street", allowDeselect=False, size="sm",
                searchable=True, data=kinds_menu(),
            ),
            html.Div(id=ids.SCENARIO_FIELDS, className="form"),
            html.P(t("scenario.drawn.none"), id=ids.SCENARIO_COUNT, className="fine", role="status"),
            html.Div(place, id=ids.SCENARIO_PLACE_BOX, className="form"),
            html.Div(hours, id=ids.SCENARIO_HOURS_BOX, className="form"),
            html.Div(
                [
                    _button(ids.SCENARIO_ADD, [icon("plus"), t("scenario.add")]),
                    _button(ids.SCENARIO_CANCEL, t("scenario.cancel"), style={"display": "none"}),
                ],
                className="row",
            ),
            html.Div(id=ids.SCENARIO_FORM_FAULT, className="fault", role="alert"),
        ],
        className="measure-form",
    )  # fmt: skip


def _run(job: Job | None) -> list[Any]:
    """Run, stop, repetitions, and when to stop by itself."""
    asked = job.params if job and job.kind == "scenario" else {}
    quantity, _, width = str(asked.get("until", "")).partition("=")
    row = [
        _button(ids.SCENARIO_RUN, [icon("player-play"), t("scenario.run.button")], "primary"),
        _button(ids.SCENARIO_STOP, [icon("player-stop"), t("scenario.stop")], "danger", disabled=True),
        dmc.NumberInput(
            id=ids.SCENARIO_SEEDS, label=t("scenario.seeds"), value=min(int(asked.get("seeds", SEEDS)), MOST_SEEDS),
            min=1, max=MOST_SEEDS, size="xs", w=100,
        ),
    ]  # fmt: skip
    choices = [{"value": "never", "label": t("scenario.until.never")}]
    choices += [{"value": k, "label": t(f"quantity.{k}")} for k in ("delay_hours", "vehicle_km", "no2", "nox_kg")]
    sooner = [
        dmc.Select(
            id=ids.SCENARIO_UNTIL, label=t("scenario.until"), data=choices, value=quantity or "never", size="xs",
            allowDeselect=False,
        ),
        dmc.NumberInput(
            id=ids.SCENARIO_WIDTH, label=t("scenario.width"), value=float(width.rstrip("%") or 5), min=0.1, max=100,
            size="xs",
        ),
        dmc.NumberInput(
            id=ids.SCENARIO_BUDGET, label=t("scenario.budget"), min=0.5, max=1440, size="xs",
            value=float(asked["seconds"]) / 60 if asked.get("seconds") else "", placeholder=t("scenario.budget.none"),
        ),
        html.P(t("scenario.until.note"), className="fine full"),
    ]  # fmt: skip
    return [html.Div(row, className="row end"), fold(t("scenario.sooner"), [html.Div(sooner, className="form")])]


def _show(quantity: str) -> html.Div:
    """What the map shows: the draft, what is foreseen, what a run found, or two runs."""
    return html.Div(
        [
            dmc.SegmentedControl(
                id=ids.SCENARIO_SHOW, value="draft", size="xs", fullWidth=True,
                data=[{"value": "draft", "label": t("scenario.draft")}],
            ),
            html.Div(
                [
                    dmc.Select(
                        id=ids.SCENARIO_QUANTITY, label=t("scenario.quantity"), data=[], value=quantity, size="xs",
                        allowDeselect=False,
                    ),
                    dmc.Switch(id=ids.SCENARIO_SURE, label=t("scenario.sure"), checked=False, size="sm"),
                ],
                id=ids.SCENARIO_SHOW_HOW,
                className="row end",
                style={"display": "none"},
            ),
        ],
        id=ids.SCENARIO_SHOW_BOX,
        style={"display": "none"},
        role="group",
        **{"aria-label": t("scenario.show")},
    )  # fmt: skip


def _compare(other: str | None) -> html.Details:
    """A second study beside the one that is open."""
    return fold(
        t("beside.title"),
        [
            dmc.Select(
                id=ids.SCENARIO_OTHER, label=t("beside.other"), value=other,
                data=[{"value": other, "label": other}] if other else [], clearable=True, searchable=True, size="sm",
                clearButtonProps={"aria-label": t("beside.clear")},
            ),
            html.Div(id=ids.SCENARIO_COMPARE),
        ],
        open_=bool(other),
    )  # fmt: skip


def _recommend() -> html.Details:
    """Which of the draft's measures to combine."""
    aims = [{"value": k, "label": t(f"recommend.aim.{k}")} for k in AIMS]
    return fold(
        t("recommend.form"),
        [
            html.P(t("recommend.about"), className="fine"),
            html.Div(id=ids.SCENARIO_CANDIDATES, className="candidates"),
            dmc.MultiSelect(
                id=ids.SCENARIO_AIMS, label=t("recommend.aims"), data=aims, size="sm", maxValues=4,
                value=["delay_hours", "no2_exposure", "cost"],
            ),
            html.Div(
                [
                    dmc.NumberInput(
                        id=ids.SCENARIO_MONEY, label=t("recommend.budget"), min=0, size="xs",
                        placeholder=t("scenario.budget.none"),
                    ),
                    dmc.NumberInput(
                        id=ids.SCENARIO_SEARCHES, label=t("recommend.simulations"), value=SIMULATIONS, min=1,
                        max=MOST_SIMULATIONS, size="xs",
                    ),
                    dmc.NumberInput(
                        id=ids.SCENARIO_CONFIRM, label=t("recommend.seeds"), value=3, min=1, max=50, size="xs"
                    ),
                ],
                className="form",
            ),
            _button(ids.SCENARIO_RECOMMEND, [icon("bulb"), t("recommend.button")]),
            html.Div(id=ids.SCENARIO_ASK_FAULT, className="fault", role="alert"),
        ],
    )  # fmt: skip


def _take_along() -> list[Any]:
    """A link, files, the report, and the command that gives the same run."""
    files = (("yaml", ids.SCENARIO_YAML), ("json", ids.SCENARIO_JSON))
    buttons = [_button(ids.SCENARIO_SHARE, [icon("share"), t("scenario.share")], **_said())]
    buttons += [_button(ident, [icon("download"), t(f"scenario.{kind}")]) for kind, ident in files]
    buttons.append(_button(ids.SCENARIO_REPORT, [icon("report"), t("scenario.report")], disabled=True))
    return [
        html.Div(buttons, className="row"),
        html.P(id=ids.SCENARIO_SHARED, className="fine", role="status"),
        html.P(t("scenario.cli"), className="fine"),
        html.Pre(id=ids.SCENARIO_EXPORT, tabIndex=0),
        dcc.Download(id=ids.SCENARIO_DOWNLOAD),
    ]
