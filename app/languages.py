"""Which language a request speaks: what its address asks for, else what was chosen before, else what the browser likes.

`?lang=fi` on any page speaks Finnish from then on: a cookie keeps the choice for a year, for every tab and workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import dump_cookie, parse_accept_header, parse_cookie

from app.texts import CATALOGUES, speak

COOKIE = "language"
_YEAR_S = 365 * 86_400
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def asked(environ: dict[str, Any]) -> str | None:
    """Language that the address asks for, where there is such a one."""
    found = parse_qs(str(environ.get("QUERY_STRING", ""))).get("lang", [""])[-1]
    return found if found in CATALOGUES else None


def wanted(environ: dict[str, Any]) -> str:
    """Language of a request."""
    chosen = asked(environ) or parse_cookie(environ).get(COOKIE)
    if chosen in CATALOGUES:
        return str(chosen)
    liked = parse_accept_header(environ.get("HTTP_ACCEPT_LANGUAGE", ""), LanguageAccept)
    return liked.best_match(list(CATALOGUES), default="en") or "en"


class Languages:
    """A WSGI application around another, which then speaks the language of each request."""

    def __init__(self, inner: Wsgi) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        speak(wanted(environ))
        chosen = asked(environ)
        if chosen is None:
            return self.inner(environ, start)

        def kept(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            cookie = dump_cookie(COOKIE, chosen, max_age=_YEAR_S, path="/", samesite="Lax")
            return start(status, [*headers, ("Set-Cookie", cookie)], *more)

        return self.inner(environ, kept)
