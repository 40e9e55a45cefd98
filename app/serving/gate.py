"""The gate: who asks, by a session, by what a trusted proxy says, or, for programs, by name and password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.http import parse_cookie

from app.serving.origin import client_address, from_proxy, is_https
from app.serving.people import OWNER, ROLES, VIEWER, Person, is_name
from app.serving.sessions import Sessions
from app.serving.settings import Settings
from app.serving.users import User, Users

_COOKIE = "zonewise"
_PROGRAMS = ("/api/v1/", "/metrics")
_REMEMBER_S, _MOST_REMEMBERED = 300.0, 256


class Gate:
    """Tells who asks.

    Parameters
    ----------
    settings : Settings
    users : Users, optional
        Tests give one with a cheaper hash.
    """

    def __init__(self, settings: Settings, users: Users | None = None) -> None:
        self.settings = settings
        self.users = users or (Users(settings.users) if settings.users is not None else None)
        self.sessions: Sessions | None = None
        if settings.by_password and settings.users is not None:
            path = settings.users.with_name(settings.users.name + ".sessions")
            self.sessions = Sessions(path, hours=settings.session_hours)
        self._secret = secrets.token_bytes(32)
        self._checked: dict[bytes, tuple[float, str, str]] = {}  # programs ask often; a hash costs a tenth of a second

    def person(self, environ: Mapping[str, Any]) -> Person | None:
        """Who asks; None for somebody who has not signed in."""
        if self.settings.open:
            return OWNER
        if self.settings.trust_header:
            return self._told_by_proxy(environ)
        found = self._by_session(environ)
        return found if found is not None else self._by_password(environ)

    # ------------------------------------------------------------------ sessions

    def cookie_name(self, environ: Mapping[str, Any]) -> str:
        """Over TLS a name that no other host and no plain page can set."""
        return f"__Host-{_COOKIE}" if is_https(environ, self.settings) else _COOKIE

    def token(self, environ: Mapping[str, Any]) -> str:
        """What the browser holds; empty where it holds nothing."""
        return parse_cookie(environ).get(self.cookie_name(environ)) or ""

    def _by_session(self, environ: Mapping[str, Any]) -> Person | None:
        if self.sessions is None or self.users is None:
            return None
        found = self.sessions.read(self.token(environ))
        user = self.users.all().get(found[0]) if found is not None else None
        if found is None or user is None or not hmac.compare_digest(user.stamp, found[1]):
            return None
        return Person(user.name, user.role, leaves=True)

    def sign_in(self, environ: Mapping[str, Any], name: str, password: str) -> tuple[str, float]:
        """A new session, and seconds to wait: the first is empty where they do not fit or it is too early.

        Whatever session the browser had before ends: nobody can plant one that somebody else then signs in to.
        """
        user, wait = self._checked_user(environ, name, password)
        if user is None or self.sessions is None:
            return "", wait
        self.sessions.end(self.token(environ))
        return self.sessions.begin(user.name, user.stamp), 0.0

    def sign_out(self, environ: Mapping[str, Any]) -> None:
        """End the session that the browser holds."""
        if self.sessions is not None:
            self.sessions.end(self.token(environ))

    def _checked_user(self, environ: Mapping[str, Any], name: str, password: str) -> tuple[User | None, float]:
        if self.sessions is None or self.users is None:
            return None, 0.0
        address = client_address(environ, self.settings)
        wait = self.sessions.wait_s(name, address)
        if wait > 0:
            return None, wait
        user = self.users.check(name, password)
        if user is None:
            self.sessions.failed(name, address)
            return None, self.sessions.wait_s(name, address)
        self.sessions.succeeded(name)
        return user, 0.0

    # ------------------------------------------------------------------ proxies and programs

    def _told_by_proxy(self, environ: Mapping[str, Any]) -> Person | None:
        if not from_proxy(environ, self.settings):
            return None
        name = str(environ.get(_key(self.settings.trust_header), "")).strip()
        if not is_name(name):
            return None
        role = ""
        if self.settings.role_header:
            role = str(environ.get(_key(self.settings.role_header), "")).strip().lower()
        elif self.users is not None:
            user = self.users.all().get(name)
            role = user.role if user is not None else ""
            if not role:
                return None
        return Person(name, role if role in ROLES else VIEWER)

    def _by_password(self, environ: Mapping[str, Any]) -> Person | None:
        """Name and password in the header `Authorization: Basic`, for programs and only where these read."""
        given = str(environ.get("HTTP_AUTHORIZATION", ""))
        path = str(environ.get("PATH_INFO", ""))
        wanted = any(part in path for part in _PROGRAMS) and environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        if not wanted or not given.lower().startswith("basic ") or len(given) > 1000 or self.users is None:
            return None
        try:
            name, _, password = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        key = hmac.digest(self._secret, f"{name}\0{password}".encode(), hashlib.sha256)
        known = self._checked.get(key)
        user = self.users.all().get(name)
        if known is None or known[0] < time.monotonic() or user is None or user.stamp != known[2]:
            user, _ = self._checked_user(environ, name, password)
            if user is None:
                return None
            while len(self._checked) >= _MOST_REMEMBERED:
                self._checked.pop(next(iter(self._checked)), None)
            self._checked[key] = (time.monotonic() + _REMEMBER_S, name, user.stamp)
        return Person(user.name, user.role)


def _key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
