"""The guard within each app: a callback is known, whole and allowed before it runs, and an error is an answer."""

from __future__ import annotations

import json
import logging
from typing import Any

from dash import Dash
from dash.exceptions import DependencyException
from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from app.serving.changes import Rule, rules
from app.serving.controls import limited
from app.serving.kept import LASTING, Answers
from app.serving.note import current_note
from app.serving.origin import SAFE_METHODS
from app.serving.people import ADMIN, ForbiddenError, current
from app.serving.values import changes_fit, outputs_fit, value_fits
from app.texts import t
from data.errors import ZonewiseError
from data.store.workspace import Workspace

log = logging.getLogger(__name__)
CALLBACKS = "/_dash-update-component"
#: A callback without a file: a draft of a thousand measures is a tenth of it.
MOST_CALLBACK_BYTES = 4_000_000


def register(app: Dash, space: Workspace) -> None:
    """Put the guard before every route of an app over a workspace."""
    known: dict[str, Rule] = {}
    answers = Answers(space)
    server = app.server

    @server.before_request
    def check() -> Response | None:
        note = current_note()
        if note is not None:
            note.route = request.url_rule.rule if request.url_rule is not None else "other"
        if request.url_rule is None or request.method in SAFE_METHODS:
            return None
        if request.url_rule.rule != CALLBACKS:
            return _refused(403, t("serving.unknown"))
        if not current().may(ADMIN):  # files come by the admin alone
            request.max_content_length = MOST_CALLBACK_BYTES
        if not known:
            known.update(rules(app._callback_list))
        refused = _judged(known)
        if refused is not None or known[request.get_json()["output"]].name not in LASTING:
            return refused
        g.answer = answers.key(request.get_json())
        kept = answers.find(g.answer)
        if kept is None:
            return None
        g.answer = None
        return Response(kept, mimetype="application/json")

    @server.after_request
    def limit(response: Response) -> Response:
        person = current()
        wanted = request.url_rule is not None and request.url_rule.rule == CALLBACKS and response.status_code == 200
        if wanted and g.get("answer") is not None and response.mimetype == "application/json":
            answers.keep(g.answer, response.get_data())
        if wanted and not person.may(ADMIN) and response.mimetype == "application/json":
            response.set_data(limited(response.get_data(), person))
        return response

    @server.errorhandler(ZonewiseError)
    def ours(error: ZonewiseError) -> Response:
        return _refused(403 if isinstance(error, ForbiddenError) else 400, str(error))

    @server.errorhandler(Exception)
    def others(error: Exception) -> Any:
        if isinstance(error, HTTPException):
            return error
        if isinstance(error, DependencyException):  # a script that Dash has not, or a path out of its folder
            return _refused(404, t("state.missing"))
        note = current_note()
        log.exception("request %s %s", note.id if note else "", request.path[:200])
        return _refused(500, t("serving.failed", id=note.id if note else ""))


def _judged(known: dict[str, Rule]) -> Response | None:
    """None where the call may go on."""
    try:
        body = request.get_json(silent=False)
    except RecursionError:
        return _refused(400, t("serving.malformed"))
    fault = payload_fault(body, known)
    if fault:
        return _refused(400, fault)
    rule = known[body["output"]]
    needed = rule.needed(body.get("changedPropIds") or [])
    person = current()
    if needed is None:
        log.error("callback %s stands in no table of roles", rule.name)
        return _refused(403, t("serving.unknown"))
    if not person.may(needed):
        return _refused(403, t("serving.forbidden", role=t(f"role.{needed}"), own=t(f"role.{person.role}")))
    inputs = body.get("inputs", [])
    given = (*zip(inputs, rule.inputs), *zip(body.get("state") or [], rule.states))
    unfit = [f"{ident}.{prop}" for one, (ident, prop) in given if not value_fits(one, ident, prop)]
    if not outputs_fit(body.get("outputs"), body["output"]):
        unfit.append("outputs")
    if not changes_fit(body.get("changedPropIds") or [], inputs):
        unfit.append("changedPropIds")
    if not unfit:
        return None
    log.warning("callback %s refused: no page sends such %s", rule.name, ", ".join(unfit))
    return _refused(400, t("serving.malformed"))


def payload_fault(body: Any, known: dict[str, Rule]) -> str:
    """What is wrong with what a browser sends for a callback; empty where it is whole."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), str) or body["output"] not in known:
        return t("serving.malformed")
    rule = known[body["output"]]
    changed = body.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(one, str) for one in changed):
        return t("serving.malformed")
    for given, wanted in ((body.get("inputs", []), rule.inputs), (body.get("state") or [], rule.states)):
        if not isinstance(given, list) or len(given) != len(wanted):
            return t("serving.malformed")
        if not all(_fits(one, *want) for one, want in zip(given, wanted)):
            return t("serving.malformed")
    return ""


def _fits(given: Any, ident: str, prop: str) -> bool:
    """Whether an input is the one that the callback was registered with."""
    if isinstance(given, list):
        return ident.startswith("{") and all(_fits(one, ident, prop) for one in given)
    if not isinstance(given, dict) or given.get("property") != prop:
        return False
    told = given.get("id")
    if not ident.startswith("{"):
        return bool(told == ident)
    return isinstance(told, dict) and set(told) == set(json.loads(ident))


def _refused(status: int, words: str) -> Response:
    return Response(json.dumps({"error": words}), status=status, mimetype="application/json")
