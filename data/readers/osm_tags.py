"""What the tags of an OpenStreetMap road say: who may drive, which way, how fast, in how many lanes, who gives way.

Where a tag is absent or cannot be read, `data/defaults/road_classes.csv` decides. Its facts come from MATSim's
`LinkProperties` (lanes, capacity, speed of living streets; github.com/matsim-org/matsim-libs, contribs/osm), the
urban free-flow speeds of the Metropolitan Transportation Commission's speed-capacity table (area type 3), SUMO's
`osmNetconvert.typ.xml` (service roads) and MATSim's cell length of 7.5 m (jam density).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO

import pandas as pd

from data.units import MPS_PER_KMH, MPS_PER_MPH

#: Drivers stay below a posted urban limit: MATSim multiplies limits under 51 km/h by 0.9 (`LinkProperties`).
URBAN_LIMIT_KMH = 51.0
URBAN_FACTOR = 0.9
WALK_KMH = 7.0  # `maxspeed=walk`: German courts read it as 4-7 km/h; assumed upper end
_KNOT = 1.852  # km/h
#: Nodes (`highway`) that say who goes first at a junction.
SIGNS = ("stop", "give_way", "mini_roundabout")
#: What a link's `control` may be: what its drivers see at its end.
CONTROLS = ("", "priority", "give_way", "stop", "all_way_stop", "mini_roundabout")
#: What one lane of `turn:lanes` may lead to; anything else says nothing.
TURN_WORDS = frozenset(
    ("left", "slight_left", "sharp_left", "through", "right", "slight_right", "sharp_right", "reverse", "merge_to_left",
     "merge_to_right", "none", "")
)  # fmt: skip

#: Statutory limits behind values such as `FI:urban`, km/h; `*` is any other country. Assumed, from general knowledge of
#: national traffic laws (the OpenStreetMap wiki's "Default speed limits" is the place to check them).
IMPLICIT_KMH: dict[tuple[str, str], float] = {
    ("*", "living_street"): 20.0, ("*", "urban"): 50.0, ("*", "rural"): 90.0, ("*", "trunk"): 100.0,
    ("*", "motorway"): 120.0, ("*", "bicycle_road"): 30.0, ("FI", "rural"): 80.0, ("AT", "rural"): 100.0,
    ("AT", "motorway"): 130.0, ("DE", "rural"): 100.0, ("DE", "motorway"): 130.0, ("DE", "living_street"): 7.0,
    ("FR", "rural"): 80.0, ("FR", "trunk"): 110.0, ("FR", "motorway"): 130.0, ("IT", "motorway"): 130.0,
    ("IT", "trunk"): 110.0, ("CH", "rural"): 80.0, ("SE", "rural"): 70.0, ("SE", "motorway"): 110.0,
    ("NO", "rural"): 80.0, ("DK", "rural"): 80.0, ("DK", "motorway"): 130.0, ("NL", "rural"): 80.0,
    ("NL", "motorway"): 100.0, ("PL", "motorway"): 140.0, ("CZ", "motorway"): 130.0, ("CH", "urban"): 50.0,
    ("GB", "nsl_single"): 96.56, ("GB", "nsl_dual"): 112.65, ("GB", "motorway"): 112.65, ("GB", "urban"): 48.28,
}  # fmt: skip

_CLOSED = {"no", "private", "agricultural", "forestry", "emergency", "delivery_only"}
_MOTOR_KEYS = ("motorcar", "motor_vehicle", "vehicle", "access")  # the most specific speaks first


@dataclass(frozen=True, slots=True)
class RoadClass:
    """Defaults of one road class, per direction and lane; `rank` 1 is the most important."""

    name: str
    rank: int
    major: bool
    oneway: bool
    lanes: float
    free_flow_mps: float
    capacity_veh_per_s: float
    jam_density_veh_per_m: float


@cache
def road_classes() -> dict[str, RoadClass]:
    """Defaults by OpenStreetMap `highway` value, most important first."""
    text = files("data").joinpath("defaults/road_classes.csv").read_text(encoding="utf-8")
    table = pd.read_csv(StringIO(text))
    return {
        row.road_class: RoadClass(
            row.road_class, int(row.rank), bool(row.major), bool(row.oneway), float(row.lanes_per_direction),
            float(row.free_flow_kmh) * MPS_PER_KMH, float(row.capacity_veh_per_h_per_lane) / 3600.0,
            float(row.jam_density_veh_per_km_per_lane) / 1000.0,
        )
        for row in table.itertuples(index=False)
    }  # fmt: skip


def why_not_drivable(tags: Mapping[str, str]) -> str | None:
    """Why cars may not drive on a way with a `highway` tag; `None` where they may.

    Service roads (yards, driveways, parking aisles, access ways) are left out: they carry no through traffic, and
    their many short links would cost more than they tell. Ways that are closed to motor traffic (`access`, `vehicle`,
    `motor_vehicle`, `motorcar` of `no` or `private`) are not kept, unless a more specific key opens them.
    """
    highway = tags.get("highway", "")
    if highway not in road_classes():
        return "not a road for cars"
    if tags.get("area") == "yes":
        return "an area, not a line"
    if highway == "service":
        return "service road"
    for key in _MOTOR_KEYS:
        value = tags.get(key)
        if value is not None:
            return "closed to motor traffic" if value in _CLOSED else None
    return None


def directions(tags: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether cars may drive along the way as drawn, and against it.

    A roundabout and a motorway are one-way unless tagged otherwise. Reversible roads count as open both ways.
    """
    value = tags.get("oneway:motor_vehicle", tags.get("oneway", "")).lower()
    if value in ("yes", "true", "1"):
        return True, False
    if value in ("-1", "reverse"):
        return False, True
    if value in ("no", "false", "0", "reversible", "alternating"):
        return True, True
    implied = tags.get("junction") in ("roundabout", "circular") or road_classes()[tags["highway"]].oneway
    return True, not implied


def lanes_of(tags: Mapping[str, str], *, forward: bool, both_ways: bool) -> float | None:
    """Lanes for the cars of one direction, at least one; `None` where no tag tells.

    `lanes` counts both directions together, and bus lanes (`lanes:psv`, `lanes:bus`) too; these are taken off.
    """
    ahead, opposite = ("forward", "backward") if forward else ("backward", "forward")
    own = _number(tags.get(f"lanes:{ahead}"))
    total = _number(tags.get("lanes"))
    if own is None and total is not None:
        other = _number(tags.get(f"lanes:{opposite}"))
        if not both_ways:
            own = total
        elif other is not None:
            own = total - other
        else:
            own = total / 2.0
    return None if own is None else min(max(own - _bus_lanes(tags, ahead, both_ways), 1.0), 12.0)


def _bus_lanes(tags: Mapping[str, str], ahead: str, both_ways: bool) -> float:
    for kind in ("psv", "bus"):
        own = _number(tags.get(f"lanes:{kind}:{ahead}"))
        if own is not None:
            return own
        total = _number(tags.get(f"lanes:{kind}"))
        if total is not None:
            return total / 2.0 if both_ways else total
    return 0.0


def sign_faces(tags: Mapping[str, str], *, forward: bool) -> bool | None:
    """Whether a stop or give-way sign faces traffic along the way (`forward`) or against it; `None`: no tag tells.

    A `direction` that is neither `forward`, `backward` nor `both` (a compass point, say) tells nothing.
    """
    value = (tags.get("direction") or tags.get(f"{tags.get('highway', '')}:direction") or "").strip().lower()
    if value == "both":
        return True
    return (value == "forward") == forward if value in ("forward", "backward") else None


def is_roundabout(tags: Mapping[str, str]) -> bool:
    """Whether a way is the carriageway of a roundabout, on which circulating traffic has priority."""
    return tags.get("junction") in ("roundabout", "mini_roundabout", "circular") and tags.get("oneway") != "no"


def has_priority(tags: Mapping[str, str]) -> bool:
    """Whether a way is signed as a priority road."""
    return tags.get("priority_road", "no") in ("designated", "yes", "yes_unposted")


def turn_lanes_of(tags: Mapping[str, str], *, forward: bool, both_ways: bool) -> tuple[str, bool]:
    """Directions of the lanes of one direction, from the left, as in `turn:lanes`; "" where no tag tells.

    Second value: whether a tag was there that could not be read (an unknown word).
    """
    text = tags.get(f"turn:lanes:{'forward' if forward else 'backward'}")
    if text is None and not both_ways:
        text = tags.get("turn:lanes")
    if text is None:
        return "", False
    lanes = [[word.strip().lower() for word in lane.split(";")] for lane in text.split("|")]
    shut = _shut_lanes(tags, forward, both_ways, len(lanes))
    lanes = [lane for lane, closed in zip(lanes, shut) if not closed]
    if not lanes or len(lanes) > 12 or not all(word in TURN_WORDS for lane in lanes for word in lane):
        return "", True
    if all(word in ("none", "") for lane in lanes for word in lane):
        return "", False
    return "|".join(";".join(word for word in lane if word != "none") for lane in lanes), False


def _shut_lanes(tags: Mapping[str, str], forward: bool, both_ways: bool, count: int) -> list[bool]:
    """Which lanes of one direction are not for cars, from the left."""
    shut = [False] * count
    for key in ("bus:lanes", "psv:lanes", "motor_vehicle:lanes", "vehicle:lanes", "access:lanes"):
        text = tags.get(f"{key}:{'forward' if forward else 'backward'}")
        if text is None and not both_ways:
            text = tags.get(key)
        values = text.split("|") if text is not None else []
        if len(values) == count:
            closed = ("designated",) if key.startswith(("bus", "psv")) else ("no",)
            shut = [old or value.strip() in closed for old, value in zip(shut, values)]
    return shut


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
    if text == "walk":
        return WALK_KMH
    country = re.fullmatch(r"([A-Z]{2})(?:-[A-Z]+)?:(.+)", text)
    if country:
        code, kind = country.groups()
        zone = re.fullmatch(r"(?:zone:?)?(\d+)", kind)
        if zone:
            return _sane(float(zone[1]) * (MPS_PER_MPH / MPS_PER_KMH if code == "GB" else 1.0))
        return IMPLICIT_KMH.get((code, kind), IMPLICIT_KMH.get(("*", kind)))
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(km/?h|kph|kmph|mph|knots)?", text)
    if not match:
        return None
    factor = {"mph": MPS_PER_MPH / MPS_PER_KMH, "knots": _KNOT}.get(match[2] or "", 1.0)
    return _sane(float(match[1]) * factor)


def _sane(kmh: float) -> float | None:
    return kmh if 3.0 <= kmh <= 150.0 else None


def free_flow_mps(tags: Mapping[str, str], *, forward: bool) -> float:
    """Speed of an undisturbed driver, m/s: the posted limit, 0.9 of it in towns, or the road class's default."""
    side = "forward" if forward else "backward"
    limit = speed_limit_kmh(tags.get(f"maxspeed:{side}")) or speed_limit_kmh(tags.get("maxspeed"))
    if limit is None:
        return road_classes()[tags["highway"]].free_flow_mps
    return limit * (URBAN_FACTOR if limit < URBAN_LIMIT_KMH else 1.0) * MPS_PER_KMH


def _number(text: str | None) -> float | None:
    """Mean of the numbers in a tag such as `2` or `2;3`."""
    found = [float(value) for value in re.findall(r"\d+(?:\.\d+)?", text or "")]
    return sum(found) / len(found) if found else None
