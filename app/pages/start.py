"""Start: the workspaces there are, and two ways to a new one: simulate a city, or import measurements."""

from __future__ import annotations

import re
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids
from app.addresses import address_of
from app.components.parts import icon
from app.components.study_parts import progress_view
from app.jobs import DONE, Jobs, start_worker
from app.queries import Queries
from app.serving.people import signed
from app.shell import Page
from app.start_views import cards, import_report
from app.texts import t
from app.training_options import EFFORTS
from app.uploads import MOST_UPLOAD_BYTES, READINGS, STREETS, TABLES, keep_upload, megabytes
from data.errors import InputError, ZonewiseError
from data.schemas import ZONE_QUANTITIES
from data.store.workspace import Workspace, home, workspaces

PAGE = Page("/start", "nav.start", "building-community")
CITIES = ("helsinki", "toy", "synthetic", "file")
ZONES = ("hex", "square", "functional", "administrative")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FIELDS = ("name", "city", "links", "zones", "count", "days", "effort")
_MEASURED = ("name", "kind", "quantity", "unit", "timezone", "begin", "every", "missing", "label")


def layout(queries: Queries, **address: str) -> Any:
    """The page; `space` and `job` in the address name a job that is watched."""
    watched = {"space": address.get("space", ""), "job": address.get("job", "")}
    return html.Div(
        [
            html.H1(t("start.title")),
            html.P(t("start.lead"), className="lead"),
            html.Div(
                [
                    html.Section(
                        [html.H2(t("start.list")), html.Div(listed(queries.workspace), id=ids.START_LIST)],
                        className="column", tabIndex=0, **{"aria-label": t("start.list")},
                    ),
                    html.Section(
                        [
                            html.H2(t("start.new")),
                            dmc.Tabs(
                                [
                                    dmc.TabsList(
                                        [dmc.TabsTab(t(f"start.tab.{k}"), value=k) for k in ("simulate", "import")]
                                    ),
                                    dmc.TabsPanel(_simulate(), value="simulate"),
                                    dmc.TabsPanel(_import(), value="import"),
                                ],
                                value="simulate",
                            ),
                            html.Div(id=ids.START_FAULT, className="fault", role="alert"),
                            html.Div(id=ids.START_PROGRESS, role="status"),
                            html.Button(
                                [icon("player-stop"), t("start.stop")], id=ids.START_STOP, className="button danger",
                                n_clicks=0, type="button", hidden=True,
                            ),
                        ],
                        className="column", tabIndex=0, **{"aria-label": t("start.new")},
                    ),
                ],
                className="columns",
            ),
            dcc.Store(id=ids.START_JOB, data=watched if watched["job"] else None),
            dcc.Store(id=ids.START_ADDRESS),
            dcc.Interval(id=ids.START_TICK, interval=700, disabled=not watched["job"]),
        ],
        className="page page-start", id="page",
    )  # fmt: skip


def listed(here: Workspace) -> Any:
    """The workspaces, the one that is open marked."""
    found = cards()
    if not found:
        return html.P(t("start.none"), className="notice")
    rows = []
    for card in found:
        own = card.name == here.name and here.root.resolve() == (home() / card.name).resolve()
        words = t("start.here") if own else t("start.open")
        link = html.A(words, href="/" if own else address_of(card.name), className="button")
        told = html.Span(card.fault or card.words, className="fault" if card.fault else "quiet")
        rows.append(
            html.Li(
                [
                    html.Div([html.H3(card.label), html.Span(card.name, className="quiet"), told]),
                    link if card.ready else html.Span(t("start.unready"), className="quiet"),
                ],
                className="space here" if own else "space",
            )
        )
    return html.Ul(rows, className="spaces")


def _text(field: str, label: str, hint: str = "", **more: Any) -> dmc.TextInput:
    return dmc.TextInput(id={"start": field}, label=label, placeholder=hint, size="sm", **more)


def _choice(field: str, label: str, options: dict[str, str], value: str) -> dmc.Select:
    data = [{"value": key, "label": words} for key, words in options.items()]
    return dmc.Select(id={"start": field}, label=label, data=data, value=value, allowDeselect=False, size="sm")


def _number(field: str, label: str, value: Any, low: int, high: int) -> dmc.NumberInput:
    return dmc.NumberInput(id={"start": field}, label=label, value=value, min=low, max=high, size="sm")


def _upload(ident: str, words: str, *, multiple: bool = False) -> list[Any]:
    drop = dcc.Upload(
        html.Span([icon("upload"), " ", words]), id=ident, multiple=multiple, max_size=MOST_UPLOAD_BYTES,
        className="upload", style={}, style_active={},
    )  # fmt: skip
    return [html.Div([drop, html.Ul(id=f"{ident}-names", className="uploaded")], className="full")]


def _simulate() -> html.Div:
    return html.Div(
        [
            _text("simulate.name", t("start.name"), t("start.name.hint")),
            _choice("simulate.city", t("start.city"), {k: t(f"start.city.{k}") for k in CITIES}, "helsinki"),
            html.Div(
                _number("simulate.links", t("start.links"), 1000, 60, 100_000), id=ids.START_LINKS_BOX, hidden=True
            ),
            html.Div(
                _upload(ids.START_OSM, t("start.upload.osm")), id=ids.START_OSM_BOX, className="full", hidden=True
            ),
            _choice("simulate.zones", t("start.zones.kind"), {k: t(f"start.zones.{k}") for k in ZONES}, "hex"),
            _number("simulate.count", t("start.zones.count"), 18, 1, 2000),
            _number("simulate.days", t("start.days.count"), 14, 8, 366),
            _choice("simulate.effort", t("start.effort"), {k: t(f"start.effort.{k}") for k in EFFORTS}, "quick"),
            _button(ids.START_SIMULATE, t("start.simulate.run")),
        ],
        className="form",
    )


def _import() -> html.Div:
    quantities = {"": t("start.quantity.none"), **{name: name for name in ZONE_QUANTITIES}}
    kinds = {k: t(f"start.kind.{k}") for k in ("detectors", "stations")}
    return html.Div(
        [
            _text("import.name", t("start.name"), t("start.name.hint")),
            _choice("import.kind", t("start.kind"), kinds, "detectors"),
            *_upload(ids.START_FILES, t("start.upload.files"), multiple=True),
            *_upload(ids.START_PLACES, t("start.upload.places")),
            _choice("import.quantity", t("start.quantity"), quantities, ""),
            _text("import.unit", t("start.unit"), t("start.unit.hint")),
            _text("import.timezone", t("start.timezone"), t("start.timezone.hint")),
            _text("import.missing", t("start.missing"), t("start.missing.hint")),
            _text("import.begin", t("start.begin"), t("start.begin.hint")),
            _number("import.every", t("start.every"), "", 1, 86_400),
            _text("import.label", t("start.label"), className="full"),
            _button(ids.START_IMPORT, t("start.import.run")),
        ],
        className="form",
    )


def _button(ident: str, words: str) -> html.Button:
    return html.Button(words, id=ident, className="button primary full", n_clicks=0, type="button")


def new_workspace(name: str | None) -> Workspace:
    """A workspace that is not there yet, below the home folder.

    Raises
    ------
    InputError
        If the name cannot be one, or is taken.
    """
    plain = (name or "").strip()
    if not _NAME.fullmatch(plain):
        raise InputError(t("start.error.name", name=plain))
    space = Workspace(home() / plain)
    if space.root.exists():
        raise InputError(t("start.error.taken", name=plain))
    return space


def begin_simulation(told: dict[str, Any], osm: tuple[str | None, str | None]) -> dict[str, str]:
    """Start the main job of a new workspace; `osm` is name and content of an uploaded extract."""
    space = new_workspace(told["name"])
    city = str(told["city"])
    if city == "synthetic":
        city = f"synthetic:{int(told['links'] or 0)}@1"
    elif city == "file":
        if not osm[0] or not osm[1]:
            raise InputError(t("start.error.nofile"))
        city = str((space.root / "uploads" / keep_upload(space, osm[0], osm[1], STREETS)).resolve())
    days = int(told["days"] or 0)
    spec = {
        "city": city, "zones": told["zones"], "zone_count": int(told["count"] or 0), "days": days,
        "test_days": max(1, min(7, days - 6)), "effort": told["effort"],
    }  # fmt: skip
    return _begin(space, "simulate", spec)


def begin_import(
    told: dict[str, Any], files: list[tuple[str, str]], places: tuple[str | None, str | None]
) -> dict[str, str]:
    """Start the import of uploaded files into a new workspace."""
    if not files:
        raise InputError(t("start.error.nofile"))
    space = new_workspace(told["name"])
    kept = [keep_upload(space, name, content, READINGS) for name, content in files]
    params = {
        "kind": told["kind"], "files": kept, "quantity": told["quantity"], "unit": told["unit"],
        "timezone": told["timezone"], "start": told["begin"], "every": int(told["every"]) if told["every"] else None,
        "missing": told["missing"], "label": told["label"],
    }  # fmt: skip
    if places[0] and places[1]:
        params["places"] = keep_upload(space, places[0], places[1], TABLES)
    return _begin(space, "import", params)


def _begin(space: Workspace, kind: str, params: dict[str, Any]) -> dict[str, str]:
    space.update(label=space.name)
    job = Jobs(space.jobs_path).add(kind, params, by=signed(None))
    start_worker(space.root, job)
    return {"space": space.name, "job": job}


def watch(watched: dict[str, str] | None) -> tuple[list[Any], bool]:
    """How far the watched job is, and whether it may still change."""
    space = next((s for s in workspaces() if watched and s.name == watched["space"]), None)
    job = Jobs(space.jobs_path).read(watched["job"]) if space is not None and watched is not None else None
    if space is None or job is None:
        return ([html.P(t("job.unknown"), className="quiet")] if watched else []), False
    if job.state != DONE:
        return progress_view(job), job.open
    parts: list[Any] = [html.P(html.Strong(t("start.finished")))]
    if job.kind == "import":
        parts += [html.H3(t("start.report")), html.Ul([html.Li(line) for line in import_report(space)])]
    parts.append(html.A(t("start.open.new", name=space.name), href=address_of(space.name), className="button primary"))
    return parts, False


def register(app: Dash, queries: Queries) -> None:
    """The two forms start a job; a tick shows how far it is."""

    @app.callback(
        Output(ids.START_LINKS_BOX, "hidden"),
        Output(ids.START_OSM_BOX, "hidden"),
        Input({"start": "simulate.city"}, "value"),
    )
    def asked(city: str) -> tuple[bool, bool]:
        return city != "synthetic", city != "file"

    for ident in (ids.START_OSM, ids.START_FILES, ids.START_PLACES):
        app.callback(Output(f"{ident}-names", "children"), Input(ident, "filename"), Input(ident, "contents"))(_names)

    @app.callback(
        Output(ids.START_JOB, "data"),
        Output(ids.START_FAULT, "children"),
        Output(ids.START_TICK, "disabled"),
        Input(ids.START_SIMULATE, "n_clicks"),
        Input(ids.START_IMPORT, "n_clicks"),
        *[State({"start": f"simulate.{field}"}, "value") for field in _FIELDS],
        *[State({"start": f"import.{field}"}, "value") for field in _MEASURED],
        State(ids.START_OSM, "filename"),
        State(ids.START_OSM, "contents"),
        State(ids.START_FILES, "filename"),
        State(ids.START_FILES, "contents"),
        State(ids.START_PLACES, "filename"),
        State(ids.START_PLACES, "contents"),
        prevent_initial_call=True,
    )
    def begin(simulate: int, measured: int, *given: Any) -> tuple[Any, ...]:
        if not simulate and not measured:
            return no_update, no_update, no_update
        simulated = dict(zip(_FIELDS, given))
        imported = dict(zip(_MEASURED, given[len(_FIELDS) :]))
        osm, files, places = given[-6:-4], given[-4:-2], given[-2:]
        try:
            if ctx.triggered_id == ids.START_SIMULATE:
                watched = begin_simulation(simulated, osm)
            else:
                watched = begin_import(imported, list(zip(files[0] or [], files[1] or [])), places)
        except ZonewiseError as error:
            return no_update, str(error), no_update
        return watched, "", False

    @app.callback(
        Output(ids.START_PROGRESS, "children"),
        Output(ids.START_STOP, "hidden"),
        Output(ids.START_TICK, "disabled", allow_duplicate=True),
        Output(ids.START_LIST, "children"),
        Input(ids.START_TICK, "n_intervals"),
        Input(ids.START_JOB, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def progress(_: int | None, watched: dict[str, str] | None) -> tuple[Any, ...]:
        parts, going = watch(watched)
        return parts, not going, not going, listed(queries.workspace)

    @app.callback(
        Output(ids.START_STOP, "children"),
        Input(ids.START_STOP, "n_clicks"),
        State(ids.START_JOB, "data"),
        prevent_initial_call=True,
    )
    def stop(clicks: int, watched: dict[str, str] | None) -> Any:
        space = next((s for s in workspaces() if watched and s.name == watched["space"]), None)
        if clicks and watched and space is not None:
            Jobs(space.jobs_path).cancel(watched["job"])
        return no_update

    app.clientside_callback(
        "(watched) => window.dash_clientside.zonewise.remember((watched || {}).space, (watched || {}).job,"
        " ['space', 'job'])",
        Output(ids.START_ADDRESS, "data"),
        Input(ids.START_JOB, "data"),
        prevent_initial_call=True,
    )


def _names(names: str | list[str] | None, contents: str | list[str] | None) -> list[Any]:
    """The files that were chosen, with their sizes."""
    pairs = zip(
        [names] if isinstance(names, str) else names or [], [contents] if isinstance(contents, str) else contents or []
    )
    return [html.Li(t("start.uploaded", name=name, size=megabytes(0.75 * len(body)))) for name, body in pairs]
