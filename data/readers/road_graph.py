"""From raw roads to a network: an OSMnx graph, simplified and projected, then the `nodes` and `links` tables.

Each stretch between two neighbouring OpenStreetMap nodes carries a `parts` entry; simplification joins the stretches
and keeps their entries in order, so that a link knows how fast, how wide and how signalled each part of it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import osmnx as ox
import pandas as pd
import pyproj
import shapely

from data.errors import CityError
from data.readers.barriers import stops_cars
from data.readers.capacity_changes import change_nodes
from data.readers.osm import OsmExtract, RoadWay
from data.readers.osm_tags import directions, road_classes, sign_faces
from data.readers.road_part import SIGN_REACH_M, SIGNAL_REACH_M, Part, part_of
from data.schemas import LINKS, NODES, validate

#: A dead end this close to the extract's edge counts as cut there, m (assumed).
BORDER_REACH_M = 60.0
_MIN_LENGTH_M, _MIN_STRETCH_M = 0.1, 0.01
_EARTH = pyproj.Geod(ellps="WGS84")
_OUTSIDE = -(1 << 61)  # virtual node: the world beyond the border
_COPY = -(1 << 60)  # ids of the two ends of a street that a barrier cuts: this and below


@dataclass(slots=True)
class Dropped:
    """What was left out, by reason: links, nodes and metres."""

    links: Counter[str] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    metres: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Plain dictionary for a report."""
        reasons = sorted({*self.links, *self.nodes, *self.metres})
        return {
            r: {"links": self.links[r], "nodes": self.nodes[r], "metres": round(self.metres[r], 1)} for r in reasons
        }


def _in_order(values: Iterable[Any]) -> Any:
    """Distinct values in the order of travel; the value itself where there is one."""
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else distinct


def _joined(values: Iterable[Sequence[Part]]) -> tuple[Part, ...]:
    return tuple(part for parts in values for part in parts)


_KEPT = ("highway", "name", "lanes", "maxspeed", "bridge", "tunnel")  # tags that an edge keeps as they are
_AGGREGATES = {
    "length": sum, "travel_time": sum, "parts": _joined,
    **dict.fromkeys((*_KEPT, "osmid", "oneway", "reversed"), _in_order),
}  # fmt: skip


def geodesic_m(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance on the WGS 84 ellipsoid, m, between rows of (longitude, latitude); `nan` where one is missing.

    Two nodes on one spot count as a centimetre apart, so that no stretch is driven in no time.
    """
    there = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    metres = np.full(len(start), np.nan)
    metres[there] = np.maximum(_EARTH.inv(*start[there].T, *end[there].T)[2], _MIN_STRETCH_M)
    return metres


def raw_graph(extract: OsmExtract) -> tuple[nx.MultiDiGraph, set[int]]:
    """Graph in OSMnx's form, one edge a stretch and direction, and the nodes where a road is cut by the extract.

    Returns
    -------
    MultiDiGraph
        Unprojected, not simplified; `parts` on every edge.
    set of int
        Nodes next to a node that the file does not hold.
    """
    graph = nx.MultiDiGraph(crs="epsg:4326", simplified=False)
    cut: set[int] = set()
    copies: dict[int, int] = {}
    for way in extract.roads:
        _add_way(graph, way, extract, cut, copies)
    if graph.number_of_edges() == 0:
        raise CityError("no road of the extract has two nodes inside it; give an extract that covers a larger area")
    for node in graph.nodes:
        lon, lat = extract.location[copies.get(node, node)]
        graph.nodes[node].update(x=lon, y=lat, lon=lon, lat=lat)
        if node in copies:
            graph.nodes[node]["osm_node"] = copies[node]
        if node in extract.signals:
            graph.nodes[node]["highway"] = "traffic_signals"
        if node in cut:
            graph.nodes[node]["cut"] = True
    for node, count in ox.stats.count_streets_per_node(graph).items():
        graph.nodes[node]["street_count"] = count
    return graph, cut


def _add_way(graph: nx.MultiDiGraph, way: RoadWay, extract: OsmExtract, cut: set[int], copies: dict[int, int]) -> None:
    location, refs = extract.location, way.refs
    here = np.array([location.get(ref, (np.nan, np.nan)) for ref in refs])
    metres = geodesic_m(here[:-1], here[1:]).tolist()
    stretches = _stretches(refs, extract, copies)
    ahead, back = directions(way.tags)
    common = {key: way.tags[key] for key in _KEPT if key in way.tags}
    for forward in [side for side, open_ in ((True, ahead), (False, back)) if open_]:
        alike = part_of(way.tags, forward=forward, both_ways=ahead and back)
        for k, length in enumerate(metres):
            start, end = stretches[k] if forward else stretches[k][::-1]
            if start == end or length != length:  # nan: a node that the file does not hold
                continue
            part = replace(alike, length_m=length, end=end, **_at_end(refs[k + 1 if forward else k], forward, extract))
            graph.add_edge(
                start, end, osmid=way.osmid, oneway=not (ahead and back), reversed=not forward, length=length,
                travel_time=length / part.speed_mps, parts=(part,), **common,
            )  # fmt: skip
    inside = [ref in location for ref in refs]
    for k in range(len(refs) - 1):
        if inside[k] != inside[k + 1]:
            cut.add(refs[k] if inside[k] else refs[k + 1])


def _stretches(refs: list[int], extract: OsmExtract, copies: dict[int, int]) -> list[tuple[int, int]]:
    """Nodes of each stretch of a way; one that a barrier stands on becomes two dead ends, one on either side."""

    def own(ref: int) -> int:
        if ref not in extract.barriers or not stops_cars(extract.barriers[ref]):
            return ref
        copies[_COPY - len(copies)] = ref
        return _COPY - len(copies) + 1

    return [(own(a), own(b)) for a, b in pairwise(refs)]


def _at_end(node: int, forward: bool, extract: OsmExtract) -> dict[str, Any]:
    """What stands at the end of a stretch, for those who drive towards it."""
    side = extract.signals.get(node)
    sign = extract.signs.get(node, {})
    kind = sign.get("highway", "")
    crossing = extract.crossings.get(node)
    return {
        "signal": side is not None and side != ("backward" if forward else "forward"),
        "sign": kind, "sign_faces": sign_faces(sign, forward=forward) if kind else None, "sign_for": sign.get(kind, ""),
        "crossing": "" if crossing is None else "signals" if crossing else "marked",
    }  # fmt: skip


def simplify(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Join stretches between crossings (Boeing 2025, doi:10.1111/tgis.70037).

    The nodes where a road is cut stay, and those where its lanes, speed or class change (see `capacity_changes`).
    """
    simple = _simplified(graph)
    changes = change_nodes(simple)
    if changes:
        graph = graph.copy()
        for node in changes:
            graph.nodes[node]["change"] = True
        simple = _simplified(graph)
    if simple.number_of_edges() == 0:
        raise CityError("the streets are closed rings that no other street meets; give an extract with crossings")
    for start, end, data in simple.edges(data=True):
        if "geometry" not in data:
            ends = simple.nodes[start], simple.nodes[end]
            data["geometry"] = shapely.LineString([(node["x"], node["y"]) for node in ends])
    return simple


def _simplified(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    return ox.simplify_graph(graph, node_attrs_include=["cut", "change"], edge_attr_aggs=_AGGREGATES)


def mark_border(graph: nx.MultiDiGraph, cut: set[int], box: tuple[float, float, float, float] | None) -> None:
    """Set `border` on the nodes where streets leave the extract.

    That is every node where a road goes on to a node that the file lacks; every dead end that lies outside the
    extract's box or within `BORDER_REACH_M` of its edge (of the network's convex hull, where the file names no box);
    and every dead end of a major road, wherever it lies: a main road does not end in a field.
    """
    ids = list(graph.nodes)
    lon = np.array([graph.nodes[n]["x"] for n in ids])
    lat = np.array([graph.nodes[n]["y"] for n in ids])
    scale = np.cos(np.radians(lat.mean())) * 111_195.0, 111_195.0  # m per degree on a sphere of 6,371 km
    points = shapely.points(lon * scale[0], lat * scale[1])
    frame = shapely.convex_hull(shapely.multipoints(points))
    if box is not None:
        west, south, east, north = box
        named = shapely.box(west * scale[0], south * scale[1], east * scale[0], north * scale[1])
        if frame.intersects(named):
            frame = named
    near = ~shapely.contains(frame.buffer(-BORDER_REACH_M), points)
    for node, close in zip(ids, near):
        neighbours = {*graph.predecessors(node), *graph.successors(node)} - {node}
        dead_end = len(neighbours) == 1 and (close or _is_major(graph, node))
        graph.nodes[node]["border"] = bool(node in cut or (dead_end and node > _COPY))


def _is_major(graph: nx.MultiDiGraph, node: int) -> bool:
    at = [*graph.in_edges(node, data="parts"), *graph.out_edges(node, data="parts")]
    return any(road_classes()[part.road_class].major for *_, parts in at for part in parts)


def strongest(graph: nx.MultiDiGraph, dropped: Dropped) -> nx.MultiDiGraph:
    """The core, in which every node can be reached from every other, and the streets that lead to it or from it.

    The core is the largest strongly connected component. A one-way street that only leads in from the border, or out
    to it, is not part of it, though traffic uses it; such streets stay as well: every node that reaches the core or is
    reached from it, and that is strongly connected once all border nodes are joined to one virtual node outside.
    """
    joined = nx.DiGraph(graph.edges())
    joined.add_nodes_from(graph.nodes)
    core = max(nx.strongly_connected_components(joined), key=lambda part: (len(part), -min(part)))
    seed = min(core)
    touching = {seed} | nx.ancestors(joined, seed) | nx.descendants(joined, seed)
    border = [node for node, is_border in graph.nodes(data="border") if is_border]
    joined.add_edges_from([(node, _OUTSIDE) for node in border] + [(_OUTSIDE, node) for node in border])
    through = next((part for part in nx.strongly_connected_components(joined) if seed in part), core)
    keep = core | (touching & through)
    cut_off = {node for node in graph.nodes if node not in touching}
    for start, end, length in graph.edges(data="length"):
        if start not in keep or end not in keep:
            reason = "cut off from the core" if start in cut_off and end in cut_off else "one-way without return"
            dropped.links[reason] += 1
            dropped.metres[reason] += length
    dropped.nodes["cut off from the core"] += len(cut_off)
    dropped.nodes["one-way without return"] += graph.number_of_nodes() - len(keep | cut_off)
    return graph.subgraph(keep).copy()


def tables(graph: nx.MultiDiGraph, report: dict[str, Any]) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """`nodes` and `links` of a simplified, projected graph, in the order of their OpenStreetMap ids.

    Capacity is lowered where the backward wave would run faster than the traffic, that is where it exceeds half of
    jam density times speed; the report counts those links.
    """
    ids = sorted(graph.nodes)
    number = {node: k for k, node in enumerate(ids)}
    edges = sorted(graph.edges(keys=True, data=True), key=lambda edge: edge[:3])
    links = _links(edges, number, graph.graph["crs"], report)
    links["control"] = _control(links, report)
    links = links.drop(columns=["_sign", "_sign_at_end", "_sign_for"])
    data = [graph.nodes[node] for node in ids]
    ends = links.loc[links["signal_end"], "to_node_id"].to_numpy()
    signal = np.array([d.get("highway") == "traffic_signals" for d in data])
    signal[ends] = True
    border = np.array([bool(d.get("border")) for d in data])
    osmid = [int(float(d["osm_node"])) if node <= _COPY else node for node, d in zip(ids, data)]  # GraphML: a text
    starts_here = np.isin(np.arange(len(ids)), links["from_node_id"])
    ends_here = np.isin(np.arange(len(ids)), links["to_node_id"])
    nodes = pd.DataFrame(
        {
            "node_id": np.arange(len(ids)), "x_m": [d["x"] for d in data], "y_m": [d["y"] for d in data],
            "lon": [d["lon"] for d in data], "lat": [d["lat"] for d in data], "signal": signal, "border": border,
            "enters": border & starts_here, "leaves": border & ends_here, "osmid": np.array(osmid, dtype="int64"),
        }
    )  # fmt: skip
    return validate(nodes, NODES), links


def _links(edges: list[Any], number: dict[int, int], crs: Any, report: dict[str, Any]) -> gpd.GeoDataFrame:
    rows = [_link(data) for *_, data in edges]
    table = pd.DataFrame(rows)
    length = table["length_m"].to_numpy()
    report["links_under_5_m"] = int((length < 5.0).sum())
    table["length_m"] = np.maximum(length, _MIN_LENGTH_M)
    fastest = 0.5 * table["jam_density_veh_per_m"] * table["free_flow_speed_mps"]
    report["capacity_lowered_links"] = int((table["capacity_veh_per_s"] > fastest).sum())
    table["capacity_veh_per_s"] = np.minimum(table["capacity_veh_per_s"], fastest)
    table.insert(0, "link_id", np.arange(len(table)))
    table.insert(1, "from_node_id", [number[u] for u, *_ in edges])
    table.insert(2, "to_node_id", [number[v] for _, v, *_ in edges])
    geometry = [data["geometry"] for *_, data in edges]
    links = validate(gpd.GeoDataFrame(table, geometry=geometry, crs=crs), LINKS)
    return gpd.GeoDataFrame(links, geometry="geometry", crs=crs)


def _link(data: dict[str, Any]) -> dict[str, Any]:
    """One link's row: class, name and lanes of most of its length, mean speed by time."""
    parts: tuple[Part, ...] = data["parts"]
    length = sum(part.length_m for part in parts)
    road_class = _most((p.road_class, p.length_m) for p in parts)
    lanes = _median([p.lanes for p in parts], [p.length_m for p in parts])
    default = road_classes()[road_class]
    osmid = data["osmid"] if isinstance(data["osmid"], list) else [data["osmid"]]
    rest, signal = 0.0, False
    for part in reversed(parts):
        signal |= part.signal and rest <= SIGNAL_REACH_M
        rest += part.length_m
    return {
        "length_m": length, "lanes": lanes,
        "free_flow_speed_mps": length / sum(p.length_m / p.speed_mps for p in parts),
        "capacity_veh_per_s": default.capacity_veh_per_s * lanes,
        "jam_density_veh_per_m": default.jam_density_veh_per_m * lanes,
        "road_class": road_class,
        "name": _most((p.name, p.length_m) for p in parts if p.name is not None),
        "signal_end": signal,
        "oneway": bool(np.all(data["oneway"])),
        "bridge": sum(p.length_m for p in parts if p.bridge) > 0.5 * length,
        "tunnel": sum(p.length_m for p in parts if p.tunnel) > 0.5 * length,
        "destination_only": sum(p.length_m for p in parts if p.destination_only) > 0.5 * length,
        "crossings": sum(1 for p in parts if p.crossing),
        "osmid": ";".join(map(str, osmid)),
        "control": "priority" if parts[-1].priority else "",
        "roundabout": sum(p.length_m for p in parts if p.roundabout) > 0.5 * length,
        "turn_lanes": parts[-1].turn_lanes,
        "_unread": any(p.unread_turn_lanes for p in parts),
        **_sign(parts, length),
    }  # fmt: skip


def _sign(parts: tuple[Part, ...], length_m: float) -> dict[str, Any]:
    """The sign that governs a link's end: the last one that faces its traffic, near enough.

    A sign of which no tag tells the direction belongs to the nearest junction: on a two-way street to the direction
    that has it in its second half. One on the junction itself is looked at with the other links there.
    """
    rest = 0.0
    for part in reversed(parts):
        if rest > SIGN_REACH_M:
            break
        nearest = part.sign_faces is None and (
            rest == 0.0 or (rest <= length_m / 2.0 and part.sign != "mini_roundabout")
        )
        if part.sign and (part.sign_faces or nearest):
            return {"_sign": part.sign, "_sign_at_end": rest == 0.0, "_sign_for": part.sign_for}
        rest += part.length_m
    return {"_sign": "", "_sign_at_end": False, "_sign_for": ""}


def _control(links: pd.DataFrame, report: dict[str, Any]) -> np.ndarray:
    """What drivers see at the end of each link: one of `data.readers.osm_tags.CONTROLS`. str, (n_links,).

    A sign on the junction's own node holds for all arms if it says so (`stop=all`), or if all arms are of one class;
    else for those of a lower class than the most important arm. A give-way sign where all arms are alike tells nothing.
    """
    ranks = {name: road.rank for name, road in road_classes().items()}
    rank = links["road_class"].map(ranks).to_numpy()
    best = pd.Series(rank).groupby(links["to_node_id"].to_numpy()).transform("min").to_numpy()
    arms = links.groupby("to_node_id")["from_node_id"].transform("nunique").to_numpy()
    sign, at_end = links["_sign"].to_numpy(str), links["_sign_at_end"].to_numpy(bool) & (arms > 1)
    minor = rank > best
    alike = ~pd.Series(minor).groupby(links["to_node_id"].to_numpy()).transform("any").to_numpy()
    every = at_end & (sign == "stop") & ((links["_sign_for"] == "all").to_numpy() | alike)
    empty = at_end & ~every & ~minor & (sign != "mini_roundabout")
    report["unclear_signs"] = int((empty & alike).sum())
    report["unread_turn_lanes"] = int(links.pop("_unread").sum())
    control = np.where((sign != "") & ~empty, sign, links["control"].to_numpy(str))
    control = np.where(every, "all_way_stop", control)
    names, counts = np.unique(control[control != ""], return_counts=True)
    report["controls"] = dict(zip(names.tolist(), counts.tolist()))
    return control


def _most(weighted: Iterable[tuple[Any, float]]) -> Any:
    """Value with the largest total weight, the first of equals; `None` where there is none."""
    total: dict[Any, float] = {}
    for value, weight in weighted:
        total[value] = total.get(value, 0.0) + weight
    return max(total, key=lambda value: total[value]) if total else None


def _median(values: Sequence[float], weights: Sequence[float]) -> float:
    order = np.argsort(values, kind="stable")
    heap = np.cumsum(np.asarray(weights)[order])
    return float(np.asarray(values)[order][np.searchsorted(heap, heap[-1] / 2.0)])
