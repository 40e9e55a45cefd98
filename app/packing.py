"""Scripts and styles of our own, sent packed: Dash packs what it makes, but not the files of `assets/`."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

_KINDS = ("text/css", "text/javascript", "application/javascript")


def pack_assets(server: Flask) -> None:
    """Send scripts and styles as gzip where the browser takes it; each is packed once for as long as it stays."""
    packed: dict[str, bytes] = {}

    @server.after_request
    def pack(response: Response) -> Response:
        tag = response.headers.get("ETag")
        fits = response.status_code == 200 and response.mimetype in _KINDS and tag is not None
        if not fits or response.content_encoding or "gzip" not in request.headers.get("Accept-Encoding", ""):
            return response
        key = f"{request.path} {tag}"
        response.direct_passthrough = False
        if key not in packed:
            packed[key] = gzip.compress(response.get_data(), 6, mtime=0)
        response.set_data(packed[key])
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        return response
