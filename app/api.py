"""What the map fetches: geometry and the day, each once, named by their runs, with ETag, gzip and a long life.

`/api/now` alone is asked again and again: it names the day that is the newest.
"""

from __future__ import annotations

import gzip
import hashlib
import json

from flask import Flask, Response, abort, request

from app import air_views, map_views
from app.queries import Queries
from app.sensor_views import header_status
from app.texts import language
from data.errors import StoreError, ZonewiseError

_LIFE = "private, max-age=31536000, immutable"


def register(server: Flask, queries: Queries) -> None:
    """Add the routes: `geo.json`, `day.json`, `links.bin` and `air.json` below `/api/<key>/`, and `/api/now`."""

    @server.get("/api/<run>/geo.json")
    def geo(run: str) -> Response:
        try:
            return _answer(queries.keep(("gz", "geo", run), lambda: _packed(queries.geometry(run))), "application/json")
        except StoreError:
            abort(404)

    @server.get("/api/<key>/day.json")
    def day(key: str) -> Response:
        if key != day_key(queries):
            abort(404)
        body = queries.keep(("gz", "day", language(), key), lambda: _packed(map_views.day_json(queries)))
        return _answer(body, "application/json")

    @server.get("/api/<key>/links.bin")
    def links(key: str) -> Response:
        if key != day_key(queries):
            abort(404)
        body = queries.keep(("gz", "links", key), lambda: _packed(map_views.link_bytes(queries)))
        return _answer(body, "application/octet-stream")

    @server.get("/api/<key>/air.json")
    def air(key: str) -> Response:
        if key != day_key(queries) or not air_views.has_streets(queries):
            abort(404)
        return _answer(
            queries.keep(("gz", "air", key), lambda: _packed(air_views.air_json(queries))), "application/json"
        )

    @server.get("/api/now")
    def now() -> Response:
        try:
            told = {"key": day_key(queries), "time": header_status(queries)[0]}
        except ZonewiseError:
            abort(404)
        response = Response(json.dumps(told), mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response


def day_key(queries: Queries) -> str:
    """Name of the live day as shown: changes with the runs behind it and with `now`."""
    info = queries.info()
    text = f"{language()} {info.runs.get('simulation')} {info.runs.get('training')} {info.now}"
    return f"{info.runs['live']}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _packed(body: bytes) -> tuple[bytes, str]:
    return gzip.compress(body, 6, mtime=0), hashlib.sha256(body).hexdigest()[:20]


def _answer(packed: tuple[bytes, str], kind: str) -> Response:
    body, tag = packed
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = Response(body, mimetype=kind, headers={"Content-Encoding": "gzip"})
    else:
        response = Response(gzip.decompress(body), mimetype=kind)
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _LIFE
    response.set_etag(tag)
    response.make_conditional(request)
    return response
