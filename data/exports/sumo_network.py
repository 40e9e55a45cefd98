"""Streets for SUMO: nodes, edges and lane-to-lane connections of its plain XML.

Every movement of the `turns` table becomes one connection a lane that serves it, and nothing else is connected, so a
ban in the table is a ban in SUMO. A link is one edge that bears its number; SUMO drops streets that end where they
begin, so such a link becomes two edges that meet in its middle.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.schemas import VEHICLE_CLASSES

#: SUMO's abstract vehicle classes of ours: the first for vehicles, all for bans.
SUMO_CLASSES: dict[str, tuple[str, ...]] = {
    "car": ("passenger", "private", "taxi"), "van": ("delivery",), "heavy": ("truck", "trailer"),
    "bus": ("bus", "coach"),
}  # fmt: skip
#: Length of a street below which vehicles are let into every lane of it, since they could not change lanes on it;
#: assumption.
LANE_CHANGE_M = 50.0
_U_TURN_DEG = 165.0
_STRAIGHT_DEG = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """One row a lane-to-lane connection, grouped by the link that it leaves. Shape (c,) each."""

    from_link: np.ndarray  # int64
    to_link: np.ndarray  # int64
    from_lane: np.ndarray  # int64, 0 at the kerb
    to_lane: np.ndarray  # int64
    angle_deg: np.ndarray  # positive to the left


def element(tag: str, attributes: dict[str, object], *, closed: bool = True) -> str:
    """One XML element on a line; numbers in their shortest exact form, None left out."""
    text = "".join(f" {name}={quoteattr(_text(v))}" for name, v in attributes.items() if v is not None)
    return f"<{tag}{text}{'/' if closed else ''}>"


def document(root: str, lines: Iterable[str]) -> str:
    """A whole XML document."""
    body = "".join(f"    {line}\n" for line in lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{body}</{root}>\n'


def lane_count(links: pd.DataFrame) -> np.ndarray:
    """Whole lanes of each link, at least 1. int64, (n,)."""
    whole: np.ndarray = np.maximum(np.rint(links["lanes"].to_numpy(float)), 1).astype(np.int64)
    return whole


def is_loop(links: pd.DataFrame) -> np.ndarray:
    """Links that end where they begin. bool, (n,)."""
    loop: np.ndarray = np.equal(links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy())
    return loop


def first_edge(link: int | np.integer) -> str:
    """Id of the edge at a link's start."""
    return str(link)


def last_edge(link: int | np.integer, loop: bool) -> str:
    """Id of the edge at a link's end: its second half where the link is a loop."""
    return f"{link}.2" if loop else str(link)


def node_lines(nodes: pd.DataFrame, links: gpd.GeoDataFrame, signalled: set[int], location: str | None) -> list[str]:
    """Lines of the nodes file; `signalled` are the nodes with a traffic light."""
    lines = [] if location is None else [location]
    for row in nodes[["node_id", "x_m", "y_m"]].itertuples(index=False):
        light = int(row.node_id) in signalled
        lines.append(element("node", {
            "id": int(row.node_id), "x": float(row.x_m), "y": float(row.y_m),
            "type": "traffic_light" if light else "priority", "tl": int(row.node_id) if light else None,
        }))  # fmt: skip
    for link in links[is_loop(links)].itertuples():
        middle = link.geometry.interpolate(0.5, normalized=True)
        lines.append(element("node", {"id": f"loop.{link.link_id}", "x": middle.x, "y": middle.y, "type": "priority"}))
    return lines


def edge_lines(links: gpd.GeoDataFrame, closed: Iterable[tuple[int, int]]) -> list[str]:
    """Lines of the edges file; `closed` are pairs of a link and a position in `VEHICLE_CLASSES`."""
    bans: dict[int, set[str]] = {}
    for link, klass in closed:
        bans.setdefault(link, set()).update(SUMO_CLASSES[VEHICLE_CLASSES[klass]])
    everyone = {name for names in SUMO_CLASSES.values() for name in names}
    per_lane = (links["capacity_veh_per_s"] / links["lanes"]).round(6).to_numpy()
    priority = (
        np.unique(per_lane, return_inverse=True)[1] + 1
    )  # a street of larger capacity a lane has the right of way
    pairs = set(zip(links["from_node_id"], links["to_node_id"]))
    lanes, lines = lane_count(links), []
    for k, link in enumerate(links.itertuples(index=False)):
        banned = bans.get(int(link.link_id), set())
        told = {
            "priority": int(priority[k]), "numLanes": int(lanes[k]), "speed": float(link.free_flow_speed_mps),
            "type": link.road_class, "name": link.name if isinstance(link.name, str) and link.name else None,
            "spreadType": "right" if (link.to_node_id, link.from_node_id) in pairs else "center",
            "disallow": ("all" if banned == everyone else " ".join(sorted(banned))) if banned else None,
        }  # fmt: skip
        if link.from_node_id != link.to_node_id:
            lines.append(element("edge", {
                "id": first_edge(link.link_id), "from": link.from_node_id, "to": link.to_node_id,
                "length": float(link.length_m), **told, "shape": _shape(link.geometry),
            }))  # fmt: skip
            continue
        half = float(link.geometry.length) / 2
        parts = [shapely.ops.substring(link.geometry, a, b) for a, b in ((0.0, half), (half, 2 * half))]
        middle = f"loop.{link.link_id}"
        ends = (link.from_node_id, middle), (middle, link.to_node_id)
        ids = first_edge(link.link_id), last_edge(link.link_id, True)
        for name, (a, b), part in zip(ids, ends, parts):
            attributes = {"id": name, "from": a, "to": b, "length": float(link.length_m) / 2, **told}
            lines.append(element("edge", {**attributes, "shape": _shape(part)}))
    return lines


def lane_connections(links: pd.DataFrame, turns: pd.DataFrame, *, drives_on_left: bool) -> Connections:
    """Which lane of a link leads to which lane of the next.

    The turns of a link are laid over its lanes from the kerb to the middle of the street. Where there are more lanes
    than turns, the straightest take the lanes that are left, as long as the link entered has as many; where there are
    fewer, neighbours share a lane. The straightest is served by its neighbours' lanes too, as far as the link entered
    has room. So every turn has a lane and every lane a turn. Streets shorter than `LANE_CHANGE_M` are entered in all of
    their lanes, from the lane that is nearest, so that few vehicles are stuck in a wrong one.
    """
    lanes = lane_count(links)
    row = pd.Series(np.arange(len(links)), index=links["link_id"].to_numpy())
    short = pd.Series(links["length_m"].to_numpy() < LANE_CHANGE_M, index=row.index)
    side = -1.0 if drives_on_left else 1.0
    angle = side * turns["angle_deg"].to_numpy(float)
    angle = np.where(angle <= -_U_TURN_DEG, angle + 360.0, angle)  # who turns round does so from the middle
    order = np.lexsort((angle, turns["from_link_id"].to_numpy()))
    start, end, angle = turns["from_link_id"].to_numpy()[order], turns["to_link_id"].to_numpy()[order], angle[order]
    bounds = np.append(np.flatnonzero(np.diff(start, prepend=-1)), start.size)
    parts: list[tuple[int, int, int, int, float]] = []
    for a, b in itertools.pairwise(bounds):
        own = int(lanes[row[start[a]]])
        room = lanes[row.loc[end[a:b]].to_numpy()]
        for k, used in enumerate(_lanes_of_turns(own, room, angle[a:b])):
            turn, fits = a + k, int(room[k])
            # onto the same side of the street entered: a turn to the kerb keeps to it, others to the middle
            onto = [lane - used[0] if angle[turn] < 0 else fits - 1 - (used[-1] - lane) for lane in used]
            lanes_on = [(lane, int(np.clip(at, 0, fits - 1))) for lane, at in zip(used, onto)]
            if short[end[turn]]:
                entered = {at for _, at in lanes_on}
                lanes_on += [
                    (min(lanes_on, key=lambda pair: abs(pair[1] - at))[0], at)
                    for at in range(fits)
                    if at not in entered
                ]
            parts += [(start[turn], end[turn], lane, at, side * angle[turn]) for lane, at in lanes_on]
    columns = list(zip(*parts)) if parts else [()] * 5
    whole = [np.array(column, dtype=np.int64) for column in columns[:4]]
    return Connections(
        from_link=whole[0], to_link=whole[1], from_lane=whole[2], to_lane=whole[3],
        angle_deg=np.array(columns[4], dtype=float),
    )  # fmt: skip


def connection_lines(links: pd.DataFrame, connections: Connections) -> list[str]:
    """Lines of the connections file; a link that leads nowhere is told to."""
    loop = pd.Series(is_loop(links), index=links["link_id"].to_numpy())
    lines = []
    for a, b, i, j in zip(
        connections.from_link, connections.to_link, connections.from_lane, connections.to_lane, strict=True
    ):
        lines.append(element("connection", {
            "from": last_edge(a, loop[a]), "to": first_edge(b), "fromLane": int(i), "toLane": int(j),
        }))  # fmt: skip
    lanes = lane_count(links)
    for k in np.flatnonzero(loop.to_numpy()):
        link = int(loop.index[k])
        for lane in range(lanes[k]):
            lines.append(element("connection", {
                "from": first_edge(link), "to": last_edge(link, True), "fromLane": lane, "toLane": lane,
            }))  # fmt: skip
    for link in np.setdiff1d(loop.index.to_numpy(), connections.from_link):
        lines.append(element("connection", {"from": last_edge(int(link), loop[link])}))
    return lines


def _lanes_of_turns(own: int, room: np.ndarray, angle: np.ndarray) -> list[list[int]]:
    """Lanes that serve each turn, kerb first; turns in order from the kerb."""
    n = room.size
    ahead = int(np.argmin(np.abs(angle)))
    if n >= own:
        lanes = [[k * own // n] for k in range(n)]
    else:
        width = np.ones(n, dtype=np.int64)
        for k in np.argsort(np.abs(angle), kind="stable"):
            width[k] += min(max(int(room[k]) - 1, 0), own - int(width.sum()))
        width[ahead] += own - int(width.sum())
        ends = np.cumsum(width)
        lanes = [list(range(int(e - w), int(e))) for e, w in zip(ends, width)]
    if abs(angle[ahead]) < _STRAIGHT_DEG:
        first, last = lanes[ahead][0], lanes[ahead][-1]
        while last - first + 1 < min(int(room[ahead]), own):
            first, last = (first, last + 1) if last + 1 < own else (first - 1, last)
        lanes[ahead] = list(range(first, last + 1))
    return lanes


def _shape(line: shapely.LineString) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in shapely.get_coordinates(line))


def _text(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return repr(round(float(value), 6))
    return str(value)
