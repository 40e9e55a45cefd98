"""The app, put together. `create_app(workspace)` for one's own use, `app.server:wsgi()` for gunicorn."""

from __future__ import annotations

from pathlib import Path

from dash import Dash
from flask import Flask

from app import api, shell
from app.packing import pack_assets
from app.pages import map_forecast, micro_macro, models, scenarios
from app.queries import Queries
from app.texts import t
from data.store.workspace import Workspace, open_workspace

PAGES = (map_forecast, micro_macro, scenarios, models)

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


def create_app(workspace: Workspace | str | Path | None = None) -> Dash:
    """The Dash app over a workspace; `app.server` of the result is its Flask server.

    Parameters
    ----------
    workspace : Workspace, str or Path, optional
        A name below the home folder, a path, or nothing for the default.

    Returns
    -------
    Dash
        Nothing is read from the workspace until a page is asked for.
    """
    if not isinstance(workspace, Workspace):
        workspace = open_workspace(None if workspace is None else str(workspace))
    queries = Queries(workspace)
    app = Dash(
        name="zonewise", server=Flask("zonewise"), assets_folder=str(Path(__file__).parent / "assets"),
        pages_folder="", use_pages=False, title=t("product"), update_title="", index_string=_INDEX, compress=True,
        suppress_callback_exceptions=True, serve_locally=True, assets_ignore=r"axe\.min\.js", add_log_handler=False,
    )  # fmt: skip
    app.layout = lambda: shell.frame(queries, PAGES)
    shell.register(app, queries, PAGES)
    for page in PAGES:
        page.register(app, queries)
    api.register(app.server, queries)
    pack_assets(app.server)
    return app


def wsgi(workspace: str | None = None) -> Flask:
    """Entry for gunicorn: `gunicorn "app.server:wsgi()"`; the workspace is that of `ZONEWISE_WORKSPACE`."""
    return create_app(workspace).server
