"""The door: what answers before anybody is known: signing in and out, whether the app lives, its figures."""

from __future__ import annotations

import hmac
import json
import math
import secrets
from typing import Any

from flask import Flask, Response, redirect, request

from app.serving.gate import Gate
from app.serving.metrics import KIND, Meter
from app.serving.note import current_note
from app.serving.origin import is_direct_local, is_https
from app.serving.people import ADMIN
from app.serving.probes import readiness
from app.serving.sign_in_page import inner_address, sign_in_page
from app.texts import t
from data.store.workspace import Workspace

DOOR = ("/healthz", "/readyz", "/metrics", "/sign-in", "/sign-out")
_FORM = "zonewise-form"
_MOST_FORM_BYTES = 20_000


def make_door(space: Workspace, gate: Gate, meter: Meter) -> Flask:
    """The door of an app, as a server of its own."""
    door = Flask("zonewise-door", static_folder=None)
    door.config["MAX_CONTENT_LENGTH"] = _MOST_FORM_BYTES

    @door.before_request
    def name_route() -> None:
        note = current_note()
        if note is not None and request.url_rule is not None:
            note.route = request.url_rule.rule

    @door.get("/healthz")
    def alive() -> Response:
        return _json({"alive": True})

    @door.get("/readyz")
    def ready() -> Response:
        told = readiness(space)
        return _json(told, 200 if told["ready"] else 503)

    @door.get("/metrics")
    def figures() -> Response:
        person = gate.person(request.environ)
        if not is_direct_local(request.environ) and (person is None or not person.may(ADMIN)):
            return _json(
                {"error": t("serving.signin" if person is None else "serving.admin")}, 401 if not person else 403
            )
        return Response(meter.exposition(), content_type=KIND)

    if gate.settings.by_password:
        _register_signing(door, gate)
    return door


def _register_signing(door: Flask, gate: Gate) -> None:
    @door.get("/sign-in")
    def show() -> Any:
        after = inner_address(request.args.get("next", "/"))
        return redirect(after, 303) if gate.person(request.environ) is not None else _page(gate, after=after)

    @door.post("/sign-in")
    def sign_in() -> Any:
        form = request.form
        name, after = form.get("name", "").strip()[:64], inner_address(form.get("next", "/"))
        held, brought = request.cookies.get(_FORM, ""), form.get("token", "")
        if not held or not hmac.compare_digest(held.encode(), brought.encode()):
            return _page(gate, after=after, name=name, fault=t("signin.stale"), status=400)
        token, wait = gate.sign_in(request.environ, name, form.get("password", ""))
        if not token:
            if wait > 0:
                words = t("signin.wait", seconds=math.ceil(wait))
                answer = _page(gate, after=after, name=name, fault=words, status=429)
                answer.headers["Retry-After"] = str(math.ceil(wait))
                return answer
            return _page(gate, after=after, name=name, fault=t("signin.wrong"), status=401)
        note = current_note()
        if note is not None:
            note.user = name
        entered = redirect(after, 303)
        secure = is_https(request.environ, gate.settings)
        entered.set_cookie(
            gate.cookie_name(request.environ), token, max_age=int(3600 * gate.settings.session_hours), path="/",
            httponly=True, samesite="Lax", secure=secure,
        )  # fmt: skip
        entered.delete_cookie(_FORM, path="/sign-in", httponly=True, samesite="Strict", secure=secure)
        return entered

    @door.post("/sign-out")
    def sign_out() -> Any:
        gate.sign_out(request.environ)
        answer = redirect("/sign-in", 303)
        secure = is_https(request.environ, gate.settings)
        answer.delete_cookie(gate.cookie_name(request.environ), path="/", httponly=True, samesite="Lax", secure=secure)
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer


def _page(gate: Gate, *, after: str, name: str = "", fault: str = "", status: int = 200) -> Response:
    token = secrets.token_urlsafe(24)
    answer = Response(
        sign_in_page(token=token, after=after, name=name, fault=fault), status=status, mimetype="text/html"
    )
    answer.set_cookie(
        _FORM, token, max_age=3600, path="/sign-in", httponly=True, samesite="Strict",
        secure=is_https(request.environ, gate.settings),
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _json(value: dict[str, Any], status: int = 200) -> Response:
    answer = Response(json.dumps(value), status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
