"""What a role may not do is switched off on the page, with a word of why. The guard holds whatever the page shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app import ids
from app.serving.changes import controls
from app.serving.people import Person
from app.texts import t


def limited(body: bytes, person: Person) -> bytes:
    """An answer to a callback with every control switched off that the role may not use.

    Parameters
    ----------
    body : bytes
        JSON as Dash sends it.
    person : Person
        Who asked.
    """
    beyond = {name: role for name, role in controls().items() if not person.may(role)}
    if not any(name.encode() in body for name in beyond):
        return body
    told = json.loads(body)
    response = told.get("response")
    if not isinstance(response, dict):
        return body
    off = False
    for ident, props in response.items():
        role = beyond.get(_name(ident))
        if role is not None and isinstance(props, dict) and "disabled" in props:
            props["disabled"] = True
        off = _switch_off(props, beyond) or off
    page = response.get(ids.PAGE, {}).get("children") if isinstance(response.get(ids.PAGE), dict) else None
    if isinstance(page, dict) and off:
        _add_note(page, person)
    return json.dumps(told, separators=(",", ":")).encode()


def _name(ident: Any) -> str:
    """The name of a component: its id, or the one key of an id that is a mapping."""
    if isinstance(ident, str) and ident.startswith("{"):
        try:
            ident = json.loads(ident)
        except ValueError:
            return ""
    if isinstance(ident, dict):
        return next(iter(ident), "") if len(ident) == 1 else ""
    return str(ident)


def _switch_off(value: Any, beyond: dict[str, str]) -> bool:
    """Whether a control was switched off in what a callback gives."""
    off = False
    for part in named_parts(value):
        role = beyond.get(_name(part["props"]["id"]))
        if role is not None:
            part["props"]["disabled"] = off = True
            if part["namespace"] == "dash_html_components":
                part["props"]["title"] = t("role.need", role=t(f"role.{role}"))
    return off


def named_parts(value: Any) -> Iterator[dict[str, Any]]:
    """The components with an id in what a callback gives; walked without recursion, as a page may be deep."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            props = part.get("props")
            if isinstance(props, dict) and "type" in part and props.get("id") is not None:
                yield part
            waiting.extend(part.values())


def _add_note(page: dict[str, Any], person: Person) -> None:
    props = page.get("props")
    if not isinstance(props, dict) or not isinstance(props.get("children"), list):
        return
    note = {
        "namespace": "dash_html_components", "type": "P",
        "props": {"children": t("role.note", role=t(f"role.{person.role}")), "className": "role-note", "role": "note"},
    }  # fmt: skip
    children = props["children"]
    children.insert(1 if children and _is_heading(children[0]) else 0, note)


def _is_heading(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "H1"
