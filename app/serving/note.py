"""What is known of a request while it is answered: its id, who asks, which route, how long it took."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import has_request_context, request

#: Under which the note stands in the WSGI environment; the same one for an app within the app.
NOTE = "zonewise.note"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Note:
    """About one request. `route` is a template such as `/api/<run>/geo.json`, never an address."""

    id: str
    method: str
    path: str
    user: str = ""
    route: str = "other"
    status: int = 0
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since it came in."""
        return time.perf_counter() - self.began


def note_of(environ: Mapping[str, Any]) -> Note:
    """A new note; an id that the proxy gave is kept where it is a plain one."""
    given = str(environ.get("HTTP_X_REQUEST_ID", ""))
    name = given if _ID.fullmatch(given) else secrets.token_hex(8)
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    return Note(name, str(environ.get("REQUEST_METHOD", "")), path)


def current_note() -> Note | None:
    """The note of the request that is answered now."""
    found = request.environ.get(NOTE) if has_request_context() else None
    return found if isinstance(found, Note) else None
