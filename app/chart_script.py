"""The charts' script: plotly.js with the kinds of charts that the pages draw, a quarter of the whole.

Dash asks for the whole plotly.js under an address of its own; what stands there is the part. Were that address another
one day, charts would be drawn by the whole script, only later.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, send_from_directory

ADDRESS = "/_dash-component-suites/plotly/package_data/plotly.min.js"
FOLDER, NAME = Path(__file__).parent / "assets" / "vendor" / "plotly", "plotly-basic.min.js"


def register(server: Flask) -> None:
    """Answer Dash's question for plotly.js by the part that draws bars, lines and points."""

    @server.get(ADDRESS)
    def chart_script() -> Response:
        return send_from_directory(FOLDER, NAME, mimetype="text/javascript")
