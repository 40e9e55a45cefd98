"""Scenarios: choose or draw measures, run them in a process of their own, see what they change.

This module is what the page looks like; `scenario_actions` is what it does.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from app import ids
from app import study_views as views
from app.addresses import href
from app.components.city_map import CityMap
from app.components.parts import icon
from app.jobs import Job, Jobs
from app.layers import is_measured
from app.pages.scenario_actions import OWN, register
from app.queries import NotReadyError, Queries
from app.scenario_draft import empty_draft
from app.shell import Page
from app.study_job import MOST_SEEDS, SEEDS
from app.texts import t

__all__ = ["PAGE", "layout", "register"]
PAGE = Page("/scenarios", "nav.scenarios", "barrier-block")


def layout(queries: Queries, **address: str) -> Any:
    """The page; `job` may stand in the address, so that a run is found again after a reload."""
    if is_measured(queries):
        raise NotReadyError(t("state.measured"))
    job = Jobs(queries.workspace.jobs_path).read(address["job"]) if address.get("job") else None
    draft = dict(job.params["scenario"]) if job else empty_draft()
    city_map = CityMap(
        id=ids.SCENARIO_MAP,
        geoUrl=href(f"/api/{queries.info().runs['city']}/geo.json"),
        theme="light",
        mode="edit",
        layer="off",
        drawMode="click",
        edits={"closed": [], "changed": [], "zones": []},
        ariaLabel=t("scenario.aria"),
    )
    box = html.Div(
        [
            city_map,
            _tools(),
            html.Div(id=ids.SCENARIO_LEGEND, className="float legend"),
            html.Div(t("attribution"), className="attribution"),
        ],
        className="map-box",
    )
    return html.Div(
        [
            html.Div(
                [
                    html.Section(box, className="map-side", **{"aria-label": t("map.label")}),
                    _drawer(queries, draft, job, t("job.unknown") if address.get("job") and not job else ""),
                ],
                className="studio",
            ),
            dcc.Store(id=ids.SCENARIO_DRAFT, data=draft),
            dcc.Store(id=ids.SCENARIO_DRAWN, data=[]),
            dcc.Store(id=ids.SCENARIO_JOB, data=job.id if job else None),
            dcc.Store(id=ids.SCENARIO_ADDRESS),
            dcc.Interval(id=ids.SCENARIO_TICK, interval=500, disabled=job is None),
        ],
        className="page page-scenario",
        id="page",
    )


def _tools() -> html.Div:
    """How to draw, and a step back."""
    return html.Div(
        [
            dmc.SegmentedControl(
                id=ids.SCENARIO_TOOL,
                value="click",
                size="sm",
                data=[{"value": k, "label": t(f"scenario.{k}")} for k in ("click", "polygon")],
            ),
            _button(ids.SCENARIO_UNDO, [icon("arrow-back-up"), t("scenario.undo")]),
        ],
        className="float tools",
        role="group",
        **{"aria-label": t("scenario.tools")},
    )


def _button(ident: str, words: Any, look: str = "", **more: Any) -> html.Button:
    return html.Button(words, id=ident, className=f"button {look}".strip(), n_clicks=0, type="button", **more)


def _drawer(queries: Queries, draft: dict[str, Any], job: Job | None, fault: str) -> html.Section:
    """Everything beside the map, from top to bottom as a planner works."""
    form = html.Details(
        [html.Summary(t("scenario.form")), _form(queries)], id=ids.SCENARIO_FORM, open=True, className="why"
    )
    return html.Section(
        [
            html.H1(t("scenario.title")),
            _start(draft),
            html.H2(t("scenario.measures")),
            html.Div(id=ids.SCENARIO_LIST),
            form,
            html.H2(t("scenario.run")),
            *_run(job),
            html.Div(fault, id=ids.SCENARIO_FAULT, className="fault", role="alert"),
            html.Div(id=ids.SCENARIO_PROGRESS, role="status"),
            _show(),
            html.Div(id=ids.SCENARIO_RESULT),
            html.H2(t("scenario.export")),
            *_take_along(),
        ],
        className="drawer",
        tabIndex=0,
        **{"aria-label": t("scenario.title")},
    )


def _start(draft: dict[str, Any]) -> html.Div:
    """An example to start from, and the name."""
    from simulation.scenarios import load_shipped, shipped_names

    shipped = [{"value": OWN, "label": t("scenario.own")}]
    shipped += [{"value": n, "label": load_shipped(n).label or n} for n in shipped_names()]
    return html.Div(
        [
            dmc.Select(
                id=ids.SCENARIO_SHIPPED,
                label=t("scenario.shipped"),
                data=shipped,
                value=OWN,
                allowDeselect=False,
                size="sm",
                className="full",
            ),
            dmc.TextInput(
                id=ids.SCENARIO_NAME,
                label=t("scenario.name"),
                value=draft.get("label") or draft["name"],
                size="sm",
                className="full",
            ),
        ],
        className="form",
    )


def _form(queries: Queries) -> html.Div:
    """One measure: what, how much, where, when."""
    streets = sorted({str(n) for n in queries.links()["name"].dropna() if str(n)})
    zones = [{"value": z, "label": f"{z} {n}"} for z, n in queries.zone_names().items()]
    return html.Div(
        [
            dmc.Select(
                id=ids.SCENARIO_KIND,
                label=t("scenario.kind"),
                value="close_street",
                allowDeselect=False,
                size="sm",
                data=[{"value": k, "label": t(f"kind.{k}")} for k in views.KINDS],
            ),
            dmc.NumberInput(id=ids.SCENARIO_AMOUNT, label=t("amount.close_street"), disabled=True, size="sm"),
            dmc.Select(
                id=ids.SCENARIO_STREET,
                label=t("scenario.street"),
                data=streets,
                searchable=True,
                clearable=True,
                size="sm",
                limit=60,
                clearButtonProps={"aria-label": t("scenario.street.clear")},
            ),
            dmc.MultiSelect(id=ids.SCENARIO_ZONES, label=t("scenario.zones"), data=zones, size="sm"),
            dmc.TextInput(id=ids.SCENARIO_START, label=t("scenario.start"), placeholder="07:00", size="sm"),
            dmc.TextInput(id=ids.SCENARIO_END, label=t("scenario.end"), placeholder="19:00", size="sm"),
            html.P(t("scenario.hours"), className="fine full"),
            html.P(t("scenario.drawn.none"), id=ids.SCENARIO_COUNT, className="fine full", role="status"),
            _button(ids.SCENARIO_ADD, [icon("plus"), t("scenario.add")], "full"),
        ],
        className="form",
    )


def _run(job: Job | None) -> list[Any]:
    """Run, stop, repetitions."""
    row = [
        _button(ids.SCENARIO_RUN, t("scenario.run.button"), "primary"),
        _button(ids.SCENARIO_STOP, t("scenario.stop"), "danger", disabled=True),
        dmc.NumberInput(
            id=ids.SCENARIO_SEEDS,
            label=t("scenario.seeds"),
            value=int(job.params.get("seeds", SEEDS)) if job else SEEDS,
            min=1,
            max=MOST_SEEDS,
            size="xs",
            w=100,
        ),
    ]
    return [html.Div(row, className="row")]


def _show() -> html.Div:
    """What the map shows once a result is in; hidden until then."""
    choices = [{"value": "draft", "label": t("scenario.draft")}]
    choices += [{"value": k, "label": v.label} for k, v in views.MAPS.items()]
    return html.Div(
        dmc.SegmentedControl(id=ids.SCENARIO_SHOW, value="draft", size="xs", fullWidth=True, data=choices),
        id=ids.SCENARIO_SHOW_BOX,
        style={"display": "none"},
        role="group",
        **{"aria-label": t("scenario.show")},
    )


def _take_along() -> list[Any]:
    """Files, and the command that gives the same run."""
    files = (("yaml", ids.SCENARIO_YAML), ("json", ids.SCENARIO_JSON))
    buttons = [_button(ident, [icon("download"), t(f"scenario.{kind}")]) for kind, ident in files]
    return [
        html.Div(buttons, className="row"),
        html.P(t("scenario.cli"), className="fine"),
        html.Pre(id=ids.SCENARIO_EXPORT, tabIndex=0),
        dcc.Download(id=ids.SCENARIO_DOWNLOAD),
    ]
