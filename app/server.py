"""The app, put together. `create_app(workspace)` for one's own use, `app.server:wsgi()` for gunicorn."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from dash import Dash
from flask import Flask

from app import api, chart_script, shell
from app.languages import Languages
from app.mounts import Mounts
from app.packing import pack_assets
from app.pages import map_forecast, micro_macro, models, monitor, scenarios, start
from app.queries import Queries
from app.serving import endpoints, guard
from app.serving.front import Front
from app.serving.note import current_note
from app.serving.settings import Settings
from app.texts import language, t
from app.uploads import MOST_UPLOAD_BYTES
from data.store.workspace import Workspace, home, open_workspace

PAGES = (map_forecast, micro_macro, scenarios, models, monitor, start)
#: An upload comes as base64, with what the page says besides.
MOST_REQUEST_BYTES = 2 * MOST_UPLOAD_BYTES

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>
<link rel="icon" href="data:,">
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""


class _Pages(Dash):
    """Dash whose scripts within the page carry the request's nonce, without which no browser runs them.

    The first request of a process makes Dash know which scripts it serves. Requests that come meanwhile, in other
    threads, wait for that: Dash itself lets them pass, and they would be told that there is no such script.
    """

    def __init__(self, **settings: Any) -> None:
        self._setting_up = threading.Lock()
        super().__init__(**settings)

    def _setup_server(self) -> None:
        with self._setting_up:
            try:
                super()._setup_server()  # type: ignore[no-untyped-call]
            except Exception:  # a workspace that could not be read: the next request tries again
                self._got_first_request["setup_server"] = False
                raise

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]
        note = current_note()
        if note is not None:
            for name in ("scripts", "renderer"):
                parts[name] = parts[name].replace("<script", f'<script nonce="{note.nonce}"')
        return str(super().interpolate_index(**parts)).replace('<html lang="en">', f'<html lang="{language()}">')


def create_app(
    workspace: Workspace | str | Path | None = None, *, prefix: str = "/", settings: Settings | None = None
) -> Dash:
    """The Dash app over a workspace; `app.server` of the result is its Flask server.

    Parameters
    ----------
    workspace : Workspace, str or Path, optional
        A name below the home folder, a path, or nothing for the default.
    prefix : str
        Where its pages stand. At the root, all other workspaces of the home folder are mounted besides (see `mounts`).
    settings : Settings, optional
        Who may ask for what; left out, nobody signs in, and the app answers to the names of this machine alone.

    Returns
    -------
    Dash
        Nothing is read from the workspace until a page is asked for.
    """
    if not isinstance(workspace, Workspace):
        workspace = open_workspace(None if workspace is None else str(workspace))
    queries = Queries(workspace)
    app = _Pages(
        name="zonewise", server=Flask("zonewise"), requests_pathname_prefix=prefix, routes_pathname_prefix="/",
        assets_folder=str(Path(__file__).parent / "assets"),
        pages_folder="", use_pages=False, title=t("product"), update_title="", index_string=_INDEX, compress=True,
        suppress_callback_exceptions=True, serve_locally=True, add_log_handler=False,
        assets_ignore=r"(axe|plotly-basic)\.min\.js",
    )  # fmt: skip
    app.layout = lambda: shell.frame(queries, PAGES)
    shell.register(app, queries, PAGES)
    for page in PAGES:
        page.register(app, queries)
    api.register(app.server, queries)
    endpoints.register(app.server, queries)
    chart_script.register(app.server)
    pack_assets(app.server)
    app.server.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    guard.register(app, workspace)
    if prefix == "/":
        mounted = Mounts(app.server.wsgi_app, home(), _mounted)
        front = Front(mounted, workspace, settings or Settings())
        app.server.wsgi_app = Languages(front)  # type: ignore[assignment]
    return app


def _mounted(workspace: Workspace, prefix: str) -> Flask:
    return create_app(workspace, prefix=prefix).server


def wsgi(workspace: str | None = None) -> Flask:
    """Entry for gunicorn: `gunicorn "app.server:wsgi()"`; the workspace is that of `ZONEWISE_WORKSPACE`."""
    return create_app(workspace).server
