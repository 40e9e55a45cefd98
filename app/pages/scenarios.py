"""Scenarios: choose or draw measures, run them in a process of their own, see what they change."""

from __future__ import annotations

import json
import shlex
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids
from app import study_views as views
from app.components.city_map import CityMap
from app.components.parts import icon, legend_keys, legend_ramp
from app.jobs import DONE, FAILED, Jobs, start_worker
from app.pages.micro_macro import DIVERGING
from app.queries import Queries
from app.shell import Page
from app.study_job import SEEDS
from app.texts import signed, t
from data.errors import ZonewiseError

PAGE = Page("/scenarios", "nav.scenarios", "barrier-block")
ICONS = {
    "close_street": "barrier-block",
    "speed_limit": "gauge",
    "lanes": "road",
    "low_emission_zone": "leaf",
    "demand": "users",
}
OWN = "own"
_NAME = {"name": "my_scenario", "label": "My scenario"}


def empty_draft() -> dict[str, Any]:
    """The city as it is."""
    return {**_NAME, "measures": []}


def layout(queries: Queries, **address: str) -> Any:
    """The page; `job` may stand in the address, so that a run is found again after a reload."""
    from simulation.scenarios import load_shipped, shipped_names

    info = queries.info()
    job = Jobs(queries.workspace.jobs_path).read(address["job"]) if address.get("job") else None
    draft = dict(job.params["scenario"]) if job else empty_draft()
    shipped = [{"value": OWN, "label": t("scenario.own")}]
    shipped += [{"value": n, "label": load_shipped(n).label or n} for n in shipped_names()]
    streets = sorted({str(n) for n in queries.links()["name"].dropna() if str(n)})
    zones = [{"value": z, "label": f"{z} {n}"} for z, n in queries.zone_names().items()]
    city_map = CityMap(
        id=ids.SCENARIO_MAP,
        geoUrl=f"/api/{info.runs['city']}/geo.json",
        theme="light",
        mode="edit",
        layer="off",
        drawMode="click",
        edits={"closed": [], "changed": [], "zones": []},
        ariaLabel=t("scenario.aria"),
    )
    tools = html.Div(
        [
            dmc.SegmentedControl(
                id=ids.SCENARIO_TOOL,
                value="click",
                size="sm",
                data=[{"value": k, "label": t(f"scenario.{k}")} for k in ("click", "polygon")],
            ),
            html.Button(
                [icon("arrow-back-up"), t("scenario.undo")],
                id=ids.SCENARIO_UNDO,
                className="button",
                n_clicks=0,
                type="button",
            ),
        ],
        className="float tools",
        role="group",
        **{"aria-label": t("scenario.tools")},
    )
    form = html.Div(
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
                clearButtonProps={"aria-label": "Clear the street"},
            ),
            dmc.MultiSelect(id=ids.SCENARIO_ZONES, label=t("scenario.zones"), data=zones, size="sm"),
            dmc.TextInput(id=ids.SCENARIO_START, label=t("scenario.start"), placeholder="07:00", size="sm"),
            dmc.TextInput(id=ids.SCENARIO_END, label=t("scenario.end"), placeholder="19:00", size="sm"),
            html.P(t("scenario.hours"), className="fine full"),
            html.P(t("scenario.drawn.none"), id="scenario-count", className="fine full", role="status"),
            html.Button(
                [icon("plus"), t("scenario.add")],
                id=ids.SCENARIO_ADD,
                className="button full",
                n_clicks=0,
                type="button",
            ),
        ],
        className="form",
    )
    drawer = html.Section(
        [
            html.H1(t("scenario.title")),
            html.Div(
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
            ),
            html.H2(t("scenario.measures")),
            html.Div(id=ids.SCENARIO_LIST),
            html.Details([html.Summary(t("scenario.form")), form], id="scenario-form", open=True, className="why"),
            html.H2(t("scenario.run")),
            html.Div(
                [
                    html.Button(
                        t("scenario.run.button"),
                        id=ids.SCENARIO_RUN,
                        className="button primary",
                        n_clicks=0,
                        type="button",
                    ),
                    html.Button(
                        t("scenario.stop"),
                        id=ids.SCENARIO_STOP,
                        className="button danger",
                        n_clicks=0,
                        type="button",
                        disabled=True,
                    ),
                    dmc.NumberInput(
                        id=ids.SCENARIO_SEEDS,
                        label=t("scenario.seeds"),
                        value=int(job.params.get("seeds", SEEDS)) if job else SEEDS,
                        min=1,
                        max=50,
                        size="xs",
                        w=100,
                    ),
                ],
                className="row",
            ),
            html.Div(id=ids.SCENARIO_FAULT, className="fault", role="alert"),
            html.Div(id=ids.SCENARIO_PROGRESS, role="status"),
            html.Div(
                dmc.SegmentedControl(
                    id=ids.SCENARIO_SHOW,
                    value="draft",
                    size="xs",
                    fullWidth=True,
                    data=[
                        {"value": "draft", "label": t("scenario.draft")},
                        *({"value": k, "label": v[0]} for k, v in views.MAPS.items()),
                    ],
                ),
                id="scenario-show-box",
                style={"display": "none"},
                role="group",
                **{"aria-label": t("scenario.show")},
            ),
            html.Div(id=ids.SCENARIO_RESULT),
            html.H2(t("scenario.export")),
            html.Div(
                [
                    html.Button(
                        [icon("download"), t(f"scenario.{k}")], id=i, className="button", n_clicks=0, type="button"
                    )
                    for k, i in (("yaml", ids.SCENARIO_YAML), ("json", ids.SCENARIO_JSON))
                ],
                className="row",
            ),
            html.P(t("scenario.cli"), className="fine"),
            html.Pre(id=ids.SCENARIO_EXPORT, tabIndex=0),
            dcc.Download(id=ids.SCENARIO_DOWNLOAD),
        ],
        className="drawer",
        tabIndex=0,
        **{"aria-label": t("scenario.title")},
    )
    return html.Div(
        [
            html.Div(
                [
                    html.Section(
                        html.Div(
                            [
                                city_map,
                                tools,
                                html.Div(id=ids.SCENARIO_LEGEND, className="float legend"),
                                html.Div(t("attribution"), className="attribution"),
                            ],
                            className="map-box",
                        ),
                        className="map-side",
                        **{"aria-label": "Map"},
                    ),
                    drawer,
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


def new_measure(
    kind: str,
    *,
    amount: float | None,
    street: str | None,
    zones: list[str] | None,
    links: list[int],
    start: str | None,
    end: str | None,
) -> dict[str, Any]:
    """An entry as a scenario file has it; what is wrong with it is said by `from_form`."""
    entry: dict[str, Any] = {"measure": kind}
    if kind == "demand":
        entry["percent"] = amount if amount is not None else -10
        if zones:
            entry["from_zones"] = zones
    else:
        if links:
            entry["links"] = links
        elif street:
            entry["street"] = street
        if zones:
            entry["zones"] = zones
    if kind == "speed_limit":
        entry["kmh"] = amount if amount is not None else 30
    elif kind == "lanes":
        entry["change"] = amount if amount is not None else -1
    elif kind == "low_emission_zone":
        entry["ban"] = [{"fuel": "diesel", "up_to_euro": int(amount if amount is not None else 5)}]
    if start:
        entry["start"] = start.strip()
    if end:
        entry["end"] = end.strip()
    return entry


def with_drawing(draft: dict[str, Any], links: list[int]) -> dict[str, Any]:
    """The draft as it runs: links that were chosen and not yet put into a measure are closed all day."""
    if not links:
        return draft
    return {**draft, "measures": [*draft["measures"], {"measure": "close_street", "links": sorted(links)}]}


def place_of(queries: Queries, measures: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Links and zones that the map marks."""
    from simulation.scenarios import from_form

    closed: set[int] = set()
    changed: set[int] = set()
    zones: list[str] = []
    city = _Streets(queries)
    for entry in measures:
        kind = entry.get("measure")
        if kind in ("low_emission_zone", "demand") and (entry.get("zones") or entry.get("from_zones")):
            zones += [*entry.get("zones", []), *entry.get("from_zones", [])]
        if kind == "demand":
            continue
        try:
            measure = from_form({"name": "one", "measures": [entry]}).measures[0]
            found = {int(k) for k in measure.links(city)}  # type: ignore[attr-defined]
        except (ZonewiseError, AttributeError, KeyError):
            found = {int(k) for k in entry.get("links", [])}
        if kind == "close_street":
            closed |= found
        elif not (kind == "low_emission_zone" and entry.get("zones")):
            changed |= found
    return {"closed": sorted(closed), "changed": sorted(changed - closed), "zones": zones}


class _Streets:
    """As much of a City as finding places needs."""

    def __init__(self, queries: Queries) -> None:
        run = queries.info().runs["city"]
        self.links, self.zones = queries.links(), queries.zones()
        self.link_zone = queries.table(run, "link_zone")
        self.nodes = queries.table(run, "nodes")
        self.crs = str(self.links.crs)
        self.name = self.label = ""


def measure_list(draft: dict[str, Any], drawn: list[int], names: dict[str, str]) -> list[Any]:
    """Cards of the measures; the drawing is the last."""
    shown = with_drawing(draft, drawn)["measures"]
    if not shown:
        return [html.P(t("scenario.empty"), className="quiet")]
    cards = []
    for k, entry in enumerate(shown):
        kind = str(entry.get("measure"))
        what, where = views.measure_words(entry, names)
        cards.append(
            html.Div(
                [
                    html.Span(icon(ICONS.get(kind, "road")), className="measure-icon"),
                    html.Div([html.Strong(what), html.Span(where, className="what")]),
                    html.Button(
                        icon("trash"),
                        id={"measure": k},
                        n_clicks=0,
                        type="button",
                        **{"aria-label": t("scenario.remove", what=what)},
                    ),
                ],
                className=f"measure measure-{kind}",
            )
        )
    return cards


def progress_view(job: Any) -> list[Any]:
    """How far a job is, with the time left, and the effects so far."""
    if job is None:
        return []
    words = t(f"job.{job.state}")
    if job.state == FAILED:
        return [html.P([html.Strong(words + ": "), job.message], className="fault")]
    if job.state == DONE or not job.open:
        return [html.P(html.Strong(words), className="quiet")]
    left = job.seconds_left()
    count = ""
    if job.total:
        count = t("job.count", done=job.done, total=job.total)
        if left is not None:
            count = t(
                "job.left",
                done=job.done,
                total=job.total,
                left=f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min",
            )
    share = 100 * job.done / job.total if job.total else 0
    bar = html.Div(
        html.Div(style={"width": f"{share:.0f}%"}),
        className="progress",
        role="progressbar",
        **{"aria-label": words, "aria-valuenow": f"{share:.0f}", "aria-valuemin": "0", "aria-valuemax": "100"},
    )
    parts: list[Any] = [
        html.Div([html.Strong(f"{words}. {job.message}"), html.Span(count, className="quiet")], className="between"),
        bar,
    ]
    if job.partial:
        import pandas as pd

        parts += [html.H2(t("scenario.sofar")), effects_table(views.effect_rows(pd.DataFrame(job.partial)))]
    return parts


def effects_table(rows: list[dict[str, Any]]) -> html.Table:
    """Effects with intervals; tones are said in words too."""
    tones = {"better": "tone-good", "worse": "tone-bad"}
    body = [
        html.Tr(
            [
                html.Th([r["name"], html.Span(r["unit"], className="interval")], scope="row"),
                html.Td(r["value"], className="number"),
                html.Td(
                    [
                        html.Strong(
                            f"{r['effect']} ({r['share']})" if r["share"] else r["effect"],
                            className=tones.get(r["tone"], ""),
                        ),
                        html.Span(f"{r['interval']}; {t('effect.' + r['tone'])}", className="interval"),
                    ],
                    className="number",
                ),
            ]
        )
        for r in rows
    ]
    head = html.Tr(
        [
            html.Th("What", scope="col"),
            html.Th("With the scenario", scope="col", className="number"),
            html.Th("Change", scope="col", className="number"),
        ]
    )
    return html.Table([html.Thead(head), html.Tbody(body)], className="effects")


def result_view(queries: Queries, run: str) -> list[Any]:
    """Effects of a study on the city, inside and outside its place, and the streets that gain most."""
    effects = views.study_effects(queries, run)
    parts: list[Any] = [html.H2(t("scenario.effects")), effects_table(views.effect_rows(effects))]
    streets = views.worst_streets(queries, run)
    if streets:
        words = "; ".join(f"{name} {signed(v, 0)} veh/h" for name, v in streets)
        parts.append(html.P([html.Strong("Flow rises most on "), words + "."], className="notice warn"))
    for scope, title in (("inside", "Zones with a measure"), ("outside", "All other zones")):
        rows = views.effect_rows(effects, scope)
        if rows:
            parts.append(html.Details([html.Summary(title), effects_table(rows)], className="why"))
    return parts


def legend(show: str, edits: dict[str, list[Any]]) -> Any:
    """What the colours mean: measures, or a difference."""
    if show in views.MAPS:
        name, limit, unit, _ = views.MAPS[show]
        return legend_ramp(f"Change: {name}, {unit}", DIVERGING, [f"−{limit:g}", "0", f"+{limit:g}"])
    keys = [
        ("#be123c", f"closed, {views.links_words(len(edits['closed']))}"),
        ("#d97706", f"changed, {views.links_words(len(edits['changed']))}"),
        ("#207350", f"zones, {len(edits['zones'])}"),
    ]
    return legend_keys(t("scenario.legend"), keys)


def register(app: Dash, queries: Queries) -> None:
    """Drawing, the form, the run, the result."""
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
        Output("scenario-count", "children"),
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
        Output("scenario-show-box", "style"),
        Output(ids.SCENARIO_STOP, "disabled"),
        Output(ids.SCENARIO_RUN, "disabled"),
        Output(ids.SCENARIO_SHOW, "value", allow_duplicate=True),
        Output("scenario-form", "open"),
        Input(ids.SCENARIO_TICK, "n_intervals"),
        Input(ids.SCENARIO_JOB, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def watch(_: int, name: str | None) -> tuple[Any, ...]:
        job = Jobs(queries.workspace.jobs_path).read(name) if name else None
        hidden = {"display": "none"}
        if job is None:
            return [], True, [], hidden, True, False, no_update, True
        if job.state == DONE:
            found = result_view(queries, job.result)
            return progress_view(job), True, found, {"display": "block"}, True, False, "no2", False
        return progress_view(job), not job.open, [], hidden, not job.open, job.open, no_update, no_update

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
        _, limit, unit, digits = views.MAPS[show]
        scale = {"limit": limit, "unit": unit, "digits": digits}
        if show == "no2":
            return edits, "values", views.zone_change(queries, job.result, "no2"), None, scale, legend(show, edits)
        return edits, "values", None, views.link_change(queries, job.result, show), scale, legend(show, edits)

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
