"""What a page can send as the value of an input: its shape, by the component and property, before a callback reads it.

A value of another shape was forged, or a page is older than the server: the call is refused (400) and no callback has
to ask what it was given. What has the right shape and still means nothing, such as a zone that there is not, is for the
callback to refuse by an error of ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from app import ids
from app.display import DISPLAY
from app.scenario_fields import offer_of

Check = Callable[[Any], bool]
#: Whole numbers beyond this are not told apart in a browser.
_MOST = 2**53


def count(value: Any) -> bool:
    """Nothing, or a number that JavaScript can hold."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value is None or abs(value) <= _MOST
    return isinstance(value, float) and math.isfinite(value) and abs(value) <= _MOST


def text(value: Any) -> bool:
    """Nothing, or a text."""
    return value is None or isinstance(value, str)


def quantity(value: Any) -> bool:
    """Nothing, or a quantity that the app can show."""
    return value is None or value == "" or shown(value)


def shown(value: Any) -> bool:
    """A quantity that the app can show."""
    return isinstance(value, str) and value in DISPLAY


def kind(value: Any) -> bool:
    """A kind of measure that the form offers."""
    return isinstance(value, str) and offer_of(value) is not None


def numeral(value: Any) -> bool:
    """Nothing, an empty field, or a number, which some fields send as a text."""
    if isinstance(value, str):
        return value == "" or (len(value) < 16 and _number(value))
    return count(value)


def _number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def flag(value: Any) -> bool:
    """Nothing, yes or no."""
    return value is None or isinstance(value, bool)


def plain(value: Any) -> bool:
    """What one field holds: nothing, a text, a number, yes or no."""
    return text(value) or flag(value) or count(value)


def plains(value: Any) -> bool:
    """What one field holds, or a list of such."""
    return plain(value) or (isinstance(value, list) and all(plain(one) for one in value))


def texts(value: Any) -> bool:
    """Nothing, a text, or a list of texts."""
    return text(value) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def chosen(value: Any) -> bool:
    """Nothing, or a list of texts."""
    return value is None or (isinstance(value, list) and texts(value))


def place(value: Any) -> bool:
    """Nothing, or a place in a list."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST)


def record(value: Any) -> bool:
    """A mapping of plain values."""
    return isinstance(value, dict) and all(plains(one) for one in value.values())


def told(*keys: str) -> Check:
    """Nothing, or a mapping with a text under each of the keys."""
    return lambda value: value is None or (isinstance(value, dict) and all(isinstance(value.get(k), str) for k in keys))


def link(value: Any) -> bool:
    """Nothing, or the link that was clicked."""
    return value is None or (isinstance(value, dict) and value.get("link") is not None and place(value["link"]))


def _points(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and all(x is not None and count(x) for x in one) for one in value
    )


def _links(value: Any) -> bool:
    return isinstance(value, list) and all(one is not None and place(one) for one in value)


def shape(value: Any) -> bool:
    """Nothing, or what was drawn: its kind, its points, and the links within."""
    return value is None or (
        isinstance(value, dict) and text(value.get("kind")) and _points(value.get("ring", []))
        and _links(value.get("links", []))
    )  # fmt: skip


def draft(value: Any) -> bool:
    """A scenario that is being made: names, measures of a kind each, and what is drawn; see `app.scenario_draft`."""
    if not isinstance(value, dict) or not isinstance(value.get("measures"), list):
        return False
    drawn = value.get("drawn", {})
    return (
        all(isinstance(one, dict) and isinstance(one.get("measure"), str) for one in value["measures"])
        and all(text(value.get(key)) for key in ("name", "label", "description", "city", "id"))
        and isinstance(drawn, dict) and _links(drawn.get("links", [])) and _points(drawn.get("line", []))
        and place(drawn.get("of"))
    )  # fmt: skip


def anything(value: Any) -> bool:
    """What no callback looks into."""
    return True


_BY_PROPERTY: dict[str, Check] = {
    "n_clicks": count, "n_intervals": count, "step": place, "now": place, "pathname": text, "search": text,
    "checked": flag, "disabled": flag, "hidden": flag, "painted": flag, "contents": texts, "filename": texts,
    "seen": text, "selectedZone": text, "clickedLink": link, "drawn": shape, "value": plain, "data": plain,
    "id": record,
}  # fmt: skip
#: Where a property says too little.
_BY_ID: dict[tuple[str, str], Check] = {
    **{(ident, "data"): text for ident in (
        ids.SCENARIO_JOB, ids.SCENARIO_STUDY, ids.MONITOR_ALARM, ids.MONITOR_SEEN, ids.MONITOR_PROGRESS,
        ids.THEME)},
    **{(ident, "value"): text for ident in (
        ids.MONITOR_NAME, ids.MONITOR_NOTE, ids.CREATE_BY, ids.CREATE_WHY, ids.MODELS_BY, ids.MODELS_WHY)},
    **{(ident, "value"): chosen for ident in (
        ids.SCENARIO_AIMS, ids.SCENARIO_ZONES, ids.SCENARIO_STREET, ids.SCENARIO_ROADS, ids.SCENARIO_DAYS)},
    **{(ident, "value"): quantity for ident in (ids.MONITOR_TARGET, f"{ids.MONITOR_ZONE}-target")},
    **{(ident, "value"): shown for ident in (ids.COMPARE_TARGET, ids.MODELS_TARGET)},
    (ids.SCENARIO_SHIPPED, "value"): text,
    **{(ident, "value"): numeral for ident in (
        ids.SCENARIO_LEARN_COUNT, ids.SCENARIO_SEEDS, ids.SCENARIO_SEARCHES, ids.SCENARIO_CONFIRM, ids.SCENARIO_WIDTH,
        ids.SCENARIO_BUDGET, ids.SCENARIO_MONEY, ids.MODELS_MOMENT)},
    (ids.SCENARIO_KIND, "value"): kind,
    (ids.SCENARIO_DRAFT, "data"): draft,
    (ids.SCENARIO_EDIT, "data"): place,
    (ids.CREATE_PLAN, "data"): record,
    (ids.CREATE_SHOWN, "data"): plains,
    (ids.START_JOB, "data"): told("space", "job"),
    (ids.MODELS_ASKED, "data"): told("zone", "target", "action", "version"),
    ('{"field":["ALL"]}', "value"): plains,
    ('{"create":["ALL"]}', "value"): plains,
}  # fmt: skip


def _json_of(*keys: str) -> Check:
    """A text that holds a mapping with a text under each of the keys."""

    def check(value: Any) -> bool:
        try:
            found = json.loads(value)
        except (TypeError, ValueError, RecursionError):
            return False
        return isinstance(found, dict) and told(*keys)(found)

    return check


#: What stands in the ids of components of which there are several.
_BY_KEY: dict[str, Check] = {
    "measure": place, "edit": place, "plan": place, "model-act": _json_of("zone", "target", "action", "version"),
    "model-take": _json_of("kind", "zone", "target"),
}  # fmt: skip


def _key_fits(key: str, value: Any) -> bool:
    return isinstance(value, str | int) and _BY_KEY.get(key, plain)(value)


def check_of(ident: str, prop: str) -> Check:
    """The check of a component's property."""
    return _BY_ID.get((ident, prop)) or _BY_PROPERTY.get(prop, anything)


def value_fits(given: Any, ident: str, prop: str) -> bool:
    """Whether an input that stands in its place (see `guard`) holds what a page sends."""
    if isinstance(given, list):
        return all(value_fits(one, ident, prop) for one in given)
    known = given.get("id")
    whole = not isinstance(known, dict) or all(_key_fits(key, one) for key, one in known.items())
    return whole and check_of(ident, prop)(given.get("value"))


def changes_fit(changed: list[str], given: list[Any]) -> bool:
    """Whether what is said to have changed is among the inputs given."""
    known = {_named(one) for part in given for one in (part if isinstance(part, list) else [part])}
    return all(_parsed(one) in known for one in changed if one and one != ".")


def _named(given: Any) -> str:
    ident = given["id"]
    return f"{json.dumps(ident, sort_keys=True) if isinstance(ident, dict) else ident}.{given['property']}"


def _parsed(changed: str) -> str:
    ident, _, prop = changed.rpartition(".")
    if not ident.startswith("{"):
        return changed
    try:
        return f"{json.dumps(json.loads(ident), sort_keys=True)}.{prop}"
    except (ValueError, RecursionError):
        return ""


def outputs_fit(given: Any, output: str) -> bool:
    """Whether the list of outputs is that of the callback."""
    several = output.startswith("..") and output.endswith("..")
    wanted = output[2:-2].split("...") if several else [output]
    if several:
        return isinstance(given, list) and len(given) == len(wanted) and all(map(_output_fits, given, wanted))
    return _output_fits(given, output)


def _output_fits(given: Any, wanted: str) -> bool:
    ident, _, prop = wanted.rpartition(".")
    if isinstance(given, list):
        return ident.startswith("{") and all(isinstance(one, dict) and _output_fits(one, wanted) for one in given)
    if not isinstance(given, dict) or given.get("property") not in (prop, prop.partition("@")[0]):
        return False
    known = given.get("id")
    if not ident.startswith("{"):
        return bool(known == ident)
    pattern = json.loads(ident)
    return (
        isinstance(known, dict)
        and set(known) == set(pattern)
        and all(isinstance(wild, list) or known[key] == wild for key, wild in pattern.items())
    )
