"""How fast the tags of an OpenStreetMap road let cars go, and how fast an undisturbed driver goes there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from data.readers.osm_tags import road_classes
from data.units import MPS_PER_KMH, MPS_PER_MPH

#: Drivers stay below a posted urban limit: MATSim multiplies limits under 51 km/h by 0.9 (`LinkProperties`).
URBAN_LIMIT_KMH = 51.0
URBAN_FACTOR = 0.9
WALK_KMH = 7.0  # `maxspeed=walk`: German courts read it as 4-7 km/h; assumed upper end
#: Free-flow speed of a motorway or trunk road tagged `maxspeed=none`, km/h: Germany's advisory speed
#: (Autobahn-Richtgeschwindigkeits-Verordnung), the one country with such roads.
NO_LIMIT_KMH = 130.0
_KNOT = 1.852  # km/h

#: Statutory limits behind values such as `FI:urban`, km/h; `*` is any other country. Assumed, from general knowledge of
#: national traffic laws (the OpenStreetMap wiki's "Default speed limits" is the place to check them).
IMPLICIT_KMH: dict[tuple[str, str], float] = {
    ("*", "living_street"): 20.0, ("*", "urban"): 50.0, ("*", "rural"): 90.0, ("*", "trunk"): 100.0,
    ("*", "motorway"): 120.0, ("*", "bicycle_road"): 30.0, ("FI", "rural"): 80.0, ("AT", "rural"): 100.0,
    ("AT", "trunk"): 100.0, ("AT", "motorway"): 130.0, ("DE", "rural"): 100.0, ("DE", "motorway"): NO_LIMIT_KMH,
    ("DE", "living_street"): WALK_KMH, ("AT", "living_street"): WALK_KMH,
    ("FR", "rural"): 80.0, ("FR", "trunk"): 110.0, ("FR", "motorway"): 130.0, ("IT", "motorway"): 130.0,
    ("IT", "trunk"): 110.0, ("CH", "rural"): 80.0, ("SE", "rural"): 70.0, ("SE", "motorway"): 110.0,
    ("NO", "rural"): 80.0, ("DK", "rural"): 80.0, ("DK", "motorway"): 130.0, ("NL", "rural"): 80.0,
    ("NL", "motorway"): 100.0, ("PL", "motorway"): 140.0, ("CZ", "motorway"): 130.0, ("CH", "urban"): 50.0,
    ("RU", "urban"): 60.0, ("GB", "nsl_single"): 96.56, ("GB", "nsl_dual"): 112.65, ("GB", "motorway"): 112.65,
    ("GB", "urban"): 48.28, ("GB", "nsl_restricted"): 48.28,
}  # fmt: skip
#: Keys that tell the kind of limit where `maxspeed` tells no number, in the order in which they are asked.
_KIND_KEYS = ("zone:maxspeed", "maxspeed:type", "source:maxspeed", "zone:traffic")


def speed_limit_kmh(text: str | None) -> float | None:
    """Posted limit, km/h, from a `maxspeed` value; `None` where it says nothing (`none`, `signals`, `variable`).

    Reads km/h, mph and knots, country codes (`FI:urban`, `AT:zone30`), and the lowest of several values.

    Examples
    --------
    >>> speed_limit_kmh("50"), round(speed_limit_kmh("30 mph"), 2), speed_limit_kmh("FI:urban"), speed_limit_kmh("none")
    (50.0, 48.28, 50.0, None)
    """
    if not text:
        return None
    found = [value for part in re.split(r"[;|,]", text) if (value := _one_limit(part.strip())) is not None]
    return min(found) if found else None


def _one_limit(text: str) -> float | None:
    if text.lower() == "walk":
        return WALK_KMH
    country = re.fullmatch(r"([A-Za-z]{2})(?:-[A-Za-z]+)?:(.+)", text)
    if country:
        code, kind = country[1].upper(), country[2].lower()
        zone = re.fullmatch(r"(?:zone[:_ ]?)?(\d{1,3})", kind)
        if zone:
            return _sane(float(zone[1]) * (MPS_PER_MPH / MPS_PER_KMH if code == "GB" else 1.0))
        if kind == "walk":
            return WALK_KMH
        return IMPLICIT_KMH.get((code, kind), IMPLICIT_KMH.get(("*", kind)))
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(km/?h|kph|kmph|mph|knots)?", text, flags=re.IGNORECASE)
    if not match:
        return None
    factor = {"mph": MPS_PER_MPH / MPS_PER_KMH, "knots": _KNOT}.get((match[2] or "").lower(), 1.0)
    return _sane(float(match[1]) * factor)


def _sane(kmh: float) -> float | None:
    return kmh if 3.0 <= kmh <= 150.0 else None


def told_limit_kmh(tags: Mapping[str, str], *, forward: bool) -> tuple[float | None, str]:
    """Limit of one direction, km/h, and which tag told it; `(None, "")` where none does.

    `maxspeed` of the direction speaks before `maxspeed`; where neither holds a number, the kind of limit does
    (`zone:maxspeed`, `maxspeed:type`, `source:maxspeed`, `zone:traffic`, e.g. `DE:urban`). Limits with conditions
    (`maxspeed:conditional`), of other vehicles (`maxspeed:hgv`) and of single lanes are passed over.
    """
    side = "forward" if forward else "backward"
    for key in (f"maxspeed:{side}", "maxspeed"):
        limit = speed_limit_kmh(tags.get(key))
        if limit is not None:
            return limit, key
        if tags.get(key, "").strip().lower() == "none" and _is_fast(tags):
            return NO_LIMIT_KMH, key
    for key in _KIND_KEYS:
        limit = speed_limit_kmh(tags.get(key))
        if limit is not None:
            return limit, key
    return None, ""


def _is_fast(tags: Mapping[str, str]) -> bool:
    return tags.get("highway") in ("motorway", "trunk")


def free_flow_mps(tags: Mapping[str, str], *, forward: bool) -> float:
    """Speed of an undisturbed driver, m/s: the posted limit, 0.9 of it in towns, or the road class's default."""
    limit, _ = told_limit_kmh(tags, forward=forward)
    if limit is None:
        return road_classes()[tags["highway"]].free_flow_mps
    return limit * (URBAN_FACTOR if limit < URBAN_LIMIT_KMH else 1.0) * MPS_PER_KMH
