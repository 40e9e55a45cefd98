"""The app, put together. `create_app(workspace)` for one's own use, `app.server:wsgi()` for gunicorn."""

from __future__ import annotations

from pathlib import Path

from dash import Dash
from flask import Flask

from app import api, shell
from app.mounts import Mounts
from app.packing import pack_assets
from app.pages import map_forecast, micro_macro, models, monitor, scenarios, start
from app.queries import Queries
from app.texts import t
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


def create_app(workspace: Workspace | str | Path | None = None, *, prefix: str = "/") -> Dash:
    """The Dash app over a workspace; `app.server` of the result is its Flask server.

    Parameters
    ----------
    workspace : Workspace, str or Path, optional
        A name below the home folder, a path, or nothing for the default.
    prefix : str
        Where its pages stand. At the root, all other workspaces of the home folder are mounted besides (see `mounts`).

    Returns
    -------
    Dash
        Nothing is read from the workspace until a page is asked for.
    """
    if not isinstance(workspace, Workspace):
        workspace = open_workspace(None if workspace is None else str(workspace))
    queries = Queries(workspace)
    app = Dash(
        name="zonewise", server=Flask("zonewise"), requests_pathname_prefix=prefix, routes_pathname_prefix="/",
        assets_folder=str(Path(__file__).parent / "assets"),
        pages_folder="", use_pages=False, title=t("product"), update_title="", index_string=_INDEX, compress=True,
        suppress_callback_exceptions=True, serve_locally=True, assets_ignore=r"axe\.min\.js", add_log_handler=False,
    )  # fmt: skip
    app.layout = lambda: shell.frame(queries, PAGES)
    shell.register(app, queries, PAGES)
    for page in PAGES:
        page.register(app, queries)
    api.register(app.server, queries)
    pack_assets(app.server)
    app.server.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    if prefix == "/":
        app.server.wsgi_app = Mounts(app.server.wsgi_app, home(), _mounted)  # type: ignore[method-assign]
    return app


def _mounted(workspace: Workspace, prefix: str) -> Flask:
    return create_app(workspace, prefix=prefix).server


def wsgi(workspace: str | None = None) -> Flask:
    """Entry for gunicorn: `gunicorn "app.server:wsgi()"`; the workspace is that of `ZONEWISE_WORKSPACE`."""
    return create_app(workspace).server
