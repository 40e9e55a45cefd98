"""What the tags of an OpenStreetMap road say: who may drive, which way, in how many lanes, who gives way.

How fast they let cars go is told by `osm_speed`.

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

from data.units import MPS_PER_KMH

#: Nodes (`highway`) that say who goes first at a junction.
SIGNS = ("stop", "give_way", "mini_roundabout")
#: What a link's `control` may be: what its drivers see at its end.
CONTROLS = ("", "priority", "give_way", "stop", "all_way_stop", "mini_roundabout")
#: What one lane of `turn:lanes` may lead to; anything else says nothing.
TURN_WORDS = frozenset(
    ("left", "slight_left", "sharp_left", "through", "right", "slight_right", "sharp_right", "reverse", "merge_to_left",
     "merge_to_right", "none", "")
)  # fmt: skip

_CLOSED = {
    "no", "private", "agricultural", "forestry", "emergency", "delivery_only", "military", "psv", "bus", "bicycle",
    "foot", "taxi",
}  # fmt: skip
_DESTINATION = {"destination", "delivery", "customers", "residents", "permit"}
_UNBUILT = {"construction": "under construction", "proposed": "not built yet", "planned": "not built yet"}
_MOST_LANES = 100.0
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
        return _UNBUILT.get(highway, "road of unknown class" if highway == "road" else "not a road for cars")
    if tags.get("area") == "yes":
        return "an area, not a line"
    if highway == "service":
        return "service road"
    return "closed to motor traffic" if _access(tags) == "closed" else None


def is_destination_only(tags: Mapping[str, str]) -> bool:
    """Whether cars may use a way to reach something on it, but not to pass through."""
    return _access(tags) == "destination"


def _access(tags: Mapping[str, str], suffix: str = "") -> str:
    """`closed`, `destination` or `open`; the most specific key that is there decides, `""` where none is."""
    for key in _MOTOR_KEYS:
        value = tags.get(key + suffix)
        if value is not None:
            values = {part.strip().lower() for part in value.split(";")}
            return "closed" if values <= _CLOSED else "destination" if values <= _CLOSED | _DESTINATION else "open"
    return ""


def directions(tags: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether cars may drive along the way as drawn, and against it.

    A roundabout and a motorway are one-way unless tagged otherwise. Reversible and alternating roads count as open
    both ways. `motor_vehicle:backward=no` and its like close one direction of a two-way road.
    """
    value = next((tags[key] for key in _ONEWAY_KEYS if key in tags), "").strip().lower()
    if value in ("yes", "true", "1"):
        return True, False
    if value in ("-1", "reverse"):
        return False, True
    if value not in ("no", "false", "0", "reversible", "alternating") and (
        tags.get("junction") in ("roundabout", "circular") or road_classes()[tags["highway"]].oneway
    ):
        return True, False
    ahead, back = (_access(tags, side) != "closed" for side in (":forward", ":backward"))
    return (ahead, back) if ahead or back else (True, True)


_ONEWAY_KEYS = ("oneway:motorcar", "oneway:motor_vehicle", "oneway:vehicle", "oneway")


def lanes_of(tags: Mapping[str, str], *, forward: bool, both_ways: bool) -> float | None:
    """Lanes for the cars of one direction, at least one; `None` where no tag tells.

    `lanes` counts both directions together, with a lane in the middle that both may turn from (`lanes:both_ways`) and
    with bus lanes; the two latter are taken off. Where only the sum is told, `turn:lanes:forward` and `:backward` tell
    how it is shared, else each direction has half.
    """
    ahead, opposite = ("forward", "backward") if forward else ("backward", "forward")
    own = _number(tags.get(f"lanes:{ahead}"))
    total = _number(tags.get("lanes"))
    if own is None and not both_ways:
        own = total if total is not None else _turn_lane_count(tags, "", ahead)
    elif own is None:
        own = _share_of_both(tags, total, ahead, opposite)
    return None if own is None else min(max(own - _bus_lanes(tags, ahead, both_ways, own), 1.0), 12.0)


def _share_of_both(tags: Mapping[str, str], total: float | None, ahead: str, opposite: str) -> float | None:
    here, there = _turn_lane_count(tags, ahead), _turn_lane_count(tags, opposite)
    if total is None:
        return here
    middle = _number(tags.get("lanes:both_ways")) or 0.0
    other = _number(tags.get(f"lanes:{opposite}"))
    if other is not None:
        return total - middle - other
    if here is not None and there is None and here < total - middle:
        return here
    if there is not None and here is None and there < total - middle:
        return total - middle - there
    if here is not None and there is not None and here + there == total - middle:
        return here
    return (total - middle) / 2.0


def _turn_lane_count(tags: Mapping[str, str], *sides: str) -> float | None:
    for side in sides:
        text = tags.get(f"turn:lanes:{side}" if side else "turn:lanes")
        if text is not None:
            return float(text.count("|") + 1)
    return None


def _bus_lanes(tags: Mapping[str, str], ahead: str, both_ways: bool, lanes: float) -> float:
    for kind in ("psv", "bus"):
        own = _number(tags.get(f"lanes:{kind}:{ahead}"))
        if own is not None:
            return own
        total = _number(tags.get(f"lanes:{kind}"))
        if total is not None:
            return total / 2.0 if both_ways else total
    shut = sum(_shut_lanes(tags, ahead == "forward", both_ways, int(lanes)))
    if shut or lanes <= 1.0:
        return float(shut)
    keys = ["busway", "busway:both"] if both_ways else ["busway", "busway:both", "busway:left", "busway:right"]
    return 1.0 if any(tags.get(key) == "lane" for key in keys) else 0.0


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


def _number(text: str | None) -> float | None:
    """Mean of the numbers in a tag such as `2` or `2;3`; numbers that no road has are passed over."""
    words = re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,9})?(?![\d.])", text or "")
    found = [value for word in words if (value := float(word)) <= _MOST_LANES]
    return sum(found) / len(found) if found else None
