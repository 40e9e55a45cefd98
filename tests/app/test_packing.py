"""Own scripts and styles go out packed to those who take it, and plain to those who do not."""

from __future__ import annotations

import gzip

import pytest

from app.server import create_app


@pytest.fixture(scope="module")
def client(workspace):
    return create_app(workspace).server.test_client()


@pytest.mark.parametrize("name", ["vendor/leaflet/leaflet.js", "zonewise.css"])
def test_a_script_or_style_is_packed_where_the_browser_takes_it(client, name):
    """Twice, since the second answer comes from what was kept."""
    plain = client.get(f"/assets/{name}").data
    for _ in range(2):
        answer = client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.data) < 0.5 * len(plain)
        assert gzip.decompress(answer.data) == plain
        assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_browser_that_has_the_file_is_told_so(client):
    tag = client.get("/assets/zonewise.css").headers["ETag"]
    assert client.get("/assets/zonewise.css", headers={"If-None-Match": tag}).status_code == 304
