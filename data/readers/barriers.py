"""Barriers on a street: which of them stop cars, so that the street ends on both sides of them."""

from __future__ import annotations

from collections.abc import Mapping

#: Barriers that cars do not pass unless a tag opens them; meanings as in the OpenStreetMap wiki's "Key:barrier".
STOPS_CARS = frozenset(
    ("bollard", "block", "jersey_barrier", "cycle_barrier", "motorcycle_barrier", "log", "debris", "stile",
     "kissing_gate", "turnstile", "full-height_turnstile", "bus_trap", "planter", "fence", "wall", "hedge", "ditch",
     "chain", "rope", "bar", "wicket_gate", "horse_stile", "tank_trap")
)  # fmt: skip
#: Barriers that are opened for those who may pass: cars pass unless a tag closes them (assumed, as route planners do).
OPENS = frozenset(("gate", "lift_gate", "swing_gate", "sliding_gate", "hampshire_gate", "sally_port", "entrance"))
_CLOSED = ("no", "private", "military", "emergency", "forestry", "agricultural", "psv", "bus")


def stops_cars(tags: Mapping[str, str]) -> bool:
    """Whether a node with these tags cuts the street for cars.

    The most specific of `motorcar`, `motor_vehicle`, `vehicle` and `access` decides; without one, the kind of barrier
    does: a bollard or a block stops cars, unless it can be lowered (`bollard=rising`), a gate does only if it is
    `locked`.
    """
    kind = tags.get("barrier", "")
    if kind not in STOPS_CARS and kind not in OPENS:
        return False
    for key in ("motorcar", "motor_vehicle", "vehicle", "access"):
        if key in tags:
            return tags[key] in _CLOSED
    if kind in OPENS:
        return tags.get("locked") == "yes"
    return tags.get("bollard") not in ("rising", "removable_unlocked")
