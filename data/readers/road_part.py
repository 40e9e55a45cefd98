"""One stretch of a street, in one direction of travel: what its tags say, carried along while stretches are joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from data.readers.osm_speed import free_flow_mps, told_limit_kmh
from data.readers.osm_tags import (
    has_priority,
    is_destination_only,
    is_roundabout,
    lanes_of,
    road_classes,
    turn_lanes_of,
)

#: A signal this close before a link's end governs that end, m (assumed: stop lines stand up to 20 m before a crossing).
SIGNAL_REACH_M = 20.0
#: A stop or give-way sign this close before a link's end governs that end, m (assumed: signs stand at the stop line,
#: some metres before it, or where a slip lane begins).
SIGN_REACH_M = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a link, in the direction of travel."""

    length_m: float
    lanes: float
    speed_mps: float
    road_class: str
    name: str | None
    signal: bool  # a traffic signal for this direction stands at its end
    bridge: bool
    sign: str = ""  # stop, give_way or mini_roundabout at its end
    sign_faces: bool | None = None  # whether for this direction; None: no tag tells
    sign_for: str = ""  # `stop` or `give_way` of that node: all, minor or nothing
    roundabout: bool = False
    priority: bool = False  # signed as a priority road
    turn_lanes: str = ""
    unread_turn_lanes: bool = False
    tunnel: bool = False
    destination_only: bool = False
    lanes_told: bool = False
    speed_told: bool = False
    crossing: str = ""  # a pedestrian crossing at its end: `marked`, or `signals`
    end: int = 0  # node at its end

    def ending_at(self, node: int) -> Part:
        """The same part with another node at its end."""
        return replace(self, end=node)


def part_of(tags: Mapping[str, str], *, forward: bool, both_ways: bool) -> Part:
    """A part as a way's tags tell it, of no length yet and nothing at its end."""
    lanes = lanes_of(tags, forward=forward, both_ways=both_ways)
    default = road_classes()[tags["highway"]]
    to, unread = turn_lanes_of(tags, forward=forward, both_ways=both_ways)
    return Part(
        0.0, default.lanes if lanes is None else lanes, free_flow_mps(tags, forward=forward), tags["highway"],
        tags.get("name"), False, tags.get("bridge", "no") != "no", roundabout=is_roundabout(tags),
        priority=has_priority(tags), turn_lanes=to, unread_turn_lanes=unread,
        tunnel=tags.get("tunnel", "no") not in ("no", "building_passage"), destination_only=is_destination_only(tags),
        lanes_told=lanes is not None, speed_told=told_limit_kmh(tags, forward=forward)[0] is not None,
    )  # fmt: skip


def road_capacity(part: Part) -> float:
    """Capacity of a part, veh/s: that of its class's lane times its lanes."""
    return road_classes()[part.road_class].capacity_veh_per_s * part.lanes
