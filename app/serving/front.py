"""The front: what every request meets first. It numbers it, judges where it comes from and who asks, and logs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from werkzeug.wsgi import ClosingIterator

from app.serving import access_log
from app.serving.door import DOOR, make_door
from app.serving.gate import Gate
from app.serving.headers import guarded
from app.serving.metrics import Meter
from app.serving.note import NOTE, Note, note_of
from app.serving.origin import cross_site_fault, host_fault
from app.serving.people import OWNER, PERSON
from app.serving.settings import Settings
from app.texts import t
from data.errors import ZonewiseError
from data.store.workspace import Workspace

log = logging.getLogger(__name__)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: Our own styles and scripts, which the sign-in page needs too; nothing of the workspace is among them.
_PUBLIC = ("/assets/",)


class Front:
    """A WSGI application before all others.

    Parameters
    ----------
    inner : callable
        The app, with those mounted in it.
    space : Workspace
        That the probes and figures tell of.
    settings : Settings
    gate : Gate, optional
        Tests give their own.
    """

    def __init__(self, inner: Wsgi, space: Workspace, settings: Settings, gate: Gate | None = None) -> None:
        self.inner, self.settings = inner, settings
        self.gate = gate or Gate(settings)
        self.meter = Meter(space)
        self.door: Wsgi = make_door(space, self.gate, self.meter).wsgi_app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        note = note_of(environ)
        environ[NOTE], environ[PERSON] = note, OWNER

        def begin(status: str, headers: list[tuple[str, str]], info: Any = None) -> Any:
            note.status = int(status[:3])
            keep = self.settings.open or note.path.startswith(_PUBLIC)
            told = guarded(headers, nonce=note.nonce, request_id=note.id, keep=keep)
            return start(status, told, info) if info is not None else start(status, told)

        def done() -> None:
            self.meter.count(note)
            access_log.tell(note)

        try:
            body = self._answer(environ, begin, note)
        except ZonewiseError as error:
            log.error("request %s: %s", note.id, error)
            body = _refused(begin, "503 Service Unavailable", t("serving.failed", id=note.id))
        except Exception:
            log.exception("request %s", note.id)
            body = _refused(begin, "500 Internal Server Error", t("serving.failed", id=note.id))
        return ClosingIterator(body, [done])

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any], note: Note) -> Iterable[bytes]:
        fault = host_fault(environ, self.settings)
        if fault:
            return _refused(start, "421 Misdirected Request", fault)
        fault = cross_site_fault(environ, self.settings)
        if fault:
            return _refused(start, "403 Forbidden", fault)
        path = str(environ.get("PATH_INFO", ""))
        if path in DOOR:
            return self.door(environ, start)
        if not path.startswith(_PUBLIC):
            person = self.gate.person(environ)
            if person is None:
                return self._unknown(environ, start)
            note.user = person.name
            environ[PERSON] = person
        return self.inner(environ, start)

    def _unknown(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Send a person to the sign-in page; tell a program, or a page that is open, that it must sign in."""
        if not self.settings.by_password:
            return _refused(start, "401 Unauthorized", t("serving.proxy"))
        if environ.get("REQUEST_METHOD") == "GET" and "text/html" in str(environ.get("HTTP_ACCEPT", "")):
            asked = quote(str(environ.get("PATH_INFO", "/")), safe="/-._~")
            query = str(environ.get("QUERY_STRING", ""))
            after = quote(asked + (f"?{query}" if query else ""), safe="/")
            start("303 See Other", [("Location", f"/sign-in?next={after}"), ("Cache-Control", "no-store")])
            return [b""]
        return _refused(start, "401 Unauthorized", t("serving.signin"))


def _refused(start: Callable[..., Any], status: str, words: str) -> list[bytes]:
    body = json.dumps({"error": words}).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
