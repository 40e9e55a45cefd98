"""The pages' charts are drawn by a part of plotly.js that is served where Dash looks for the whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

import app.figures
from app import chart_script
from app.server import create_app


@pytest.fixture(scope="module")
def client(workspace):
    return create_app(workspace).server.test_client()


def test_dash_s_question_for_the_whole_script_is_answered_by_the_part(client):
    answer = client.get(chart_script.ADDRESS)
    assert answer.mimetype == "text/javascript"
    assert b"plotly.js (basic - minified)" in answer.data[:100]
    again = client.get(chart_script.ADDRESS, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_no_page_loads_it_before_a_chart_is_drawn(client):
    assert not re.search(r'src="[^"]*plotly', client.get("/").text)


def test_the_part_knows_each_kind_of_chart_that_the_figures_add():
    script = (chart_script.FOLDER / chart_script.NAME).read_text()
    known = set(re.findall(r'moduleType:"trace",name:"(\w+)"', script))
    sources = [file.read_text() for file in Path(app.figures.__file__).parent.glob("*.py")]
    added = {kind for text in sources for kind in re.findall(r"figure\.add_(\w+)\(", text)}
    assert {"scatter", "bar"} <= added
    assert added - {"annotation", "hline", "shape", "vline"} <= known


def test_the_part_is_of_the_generation_that_plotly_for_python_speaks():
    script = (chart_script.FOLDER / chart_script.NAME).read_text()
    found = re.search(r"v(\d+)\.\d+\.\d+", script[:100])
    assert found is not None
    assert found[1] == get_plotlyjs_version().split(".")[0]
