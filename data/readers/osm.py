"""Read an OpenStreetMap file: drivable roads, places and what a base map draws, in one pass with libosmium.

Non-roads are filtered out here, before anything is simplified. The result is raw: `road_graph` makes a network of it,
`places` makes tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import osmium

from data.errors import CityError, FileFormatError
from data.readers.barriers import OPENS, STOPS_CARS
from data.readers.osm_tags import SIGNS, why_not_drivable
from data.readers.restrictions import Restriction, read_restriction

SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf")
_KEYS = (
    "highway", "building", "amenity", "shop", "office", "tourism", "healthcare", "craft", "landuse", "leisure",
    "natural", "railway", "waterway",
)  # fmt: skip
#: Signals that drivers pass without a regular red.
_NO_CYCLE = ("emergency", "blinker", "blink_mode", "bus", "tram", "level_crossing")
_LINE_KEYS = {"railway", "waterway"}
_WALK = {"footway", "pedestrian", "path", "steps", "cycleway"}


@dataclass(slots=True)
class RoadWay:
    """One drivable way: its tags and nodes; a node that the file lacks has no entry in `OsmExtract.location`."""

    osmid: int
    tags: dict[str, str]
    refs: list[int]


@dataclass(slots=True)
class Feature:
    """A tagged thing that is not a road: its tags and its geometry as well-known text, longitude and latitude."""

    tags: dict[str, str]
    wkt: str


@dataclass(slots=True)
class OsmExtract:
    """What one file holds."""

    roads: list[RoadWay] = field(default_factory=list)
    location: dict[int, tuple[float, float]] = field(default_factory=dict)  # of road nodes: lon, lat
    signals: dict[int, str] = field(default_factory=dict)  # node -> forward, backward or both
    signs: dict[int, dict[str, str]] = field(default_factory=dict)  # tags of stop, give-way and mini-roundabout nodes
    crossings: dict[int, bool] = field(default_factory=dict)  # pedestrian crossings: whether they have a signal
    barriers: dict[int, dict[str, str]] = field(default_factory=dict)  # tags of gates, bollards and their like
    restrictions: list[Restriction] = field(default_factory=list)
    areas: list[Feature] = field(default_factory=list)
    points: list[Feature] = field(default_factory=list)
    lines: list[Feature] = field(default_factory=list)  # rail, water, footways, coastline
    box: tuple[float, float, float, float] | None = None  # west, south, east, north, from the file's header
    dropped_ways: Counter[str] = field(default_factory=Counter)
    dropped_restrictions: Counter[str] = field(default_factory=Counter)


def read_osm(path: Path) -> OsmExtract:
    """Read an extract.

    Parameters
    ----------
    path : Path
        `.osm`, `.osm.gz`, `.osm.bz2` or `.osm.pbf`.

    Returns
    -------
    OsmExtract

    Raises
    ------
    FileFormatError
        If the file is truncated, damaged, or of another format than its name says.
    CityError
        If it is not there, or holds no road for cars.
    """
    if not path.is_file():
        raise CityError(f"there is no file {path}; give the path of an OpenStreetMap extract ({', '.join(SUFFIXES)})")
    if path.stat().st_size == 0:
        raise FileFormatError(f"{path} is empty; download the extract again")
    extract = OsmExtract()
    try:
        extract.box = _header_box(path)
        for item in _items(path):
            if item.is_way():
                _take_way(item, extract)
            elif item.is_node():
                _take_node(item, extract)
            elif item.is_area():
                _take_area(item, extract)
            elif item.is_relation():
                _take_relation(item, extract)
    except (RuntimeError, OSError, ValueError, MemoryError, osmium.InvalidLocationError) as error:
        raise FileFormatError(
            f"{path} cannot be read as OpenStreetMap data ({error}); it is damaged, truncated or not what its name"
            f" says. Download it again; readable are {', '.join(SUFFIXES)}"
        ) from error
    if not extract.roads:
        found = dict(extract.dropped_ways.most_common(4)) or "no way with a 'highway' tag"
        raise CityError(
            f"{path} holds no road for cars (found: {found}); give an extract with streets of the classes motorway to"
            " living_street"
        )
    return extract


def _header_box(path: Path) -> tuple[float, float, float, float] | None:
    with osmium.io.Reader(str(path), osmium.osm.osm_entity_bits.NOTHING) as reader:
        box = reader.header().box()
        if not box.valid():
            return None
        low, high = box.bottom_left, box.top_right
        return (low.lon, low.lat, high.lon, high.lat)


def _items(path: Path) -> Iterator[Any]:
    areas = osmium.filter.KeyFilter(*_KEYS)
    seen = osmium.filter.KeyFilter(*_KEYS, "barrier", "type")  # restrictions are relations of that type
    return iter(osmium.FileProcessor(str(path)).with_areas(areas).with_filter(seen))


def _take_way(way: Any, extract: OsmExtract) -> None:
    tags = way.tags
    highway = tags.get("highway")
    if highway is None:
        if any(key in tags for key in _LINE_KEYS) or tags.get("natural") == "coastline":
            _take_line(way, extract)
        return
    if highway in _WALK:
        _take_line(way, extract)
    all_tags = dict(tags)
    reason = why_not_drivable(all_tags)
    if reason is not None:
        extract.dropped_ways[reason] += 1
        return
    refs = []
    for node in way.nodes:
        refs.append(node.ref)
        if node.location.valid():
            extract.location[node.ref] = (node.location.lon, node.location.lat)
    if len(refs) > 1:
        extract.roads.append(RoadWay(way.id, all_tags, refs))


def _take_line(way: Any, extract: OsmExtract) -> None:
    """Keep the longest stretch of the way whose nodes are in the file."""
    best: list[tuple[float, float]] = []
    run: list[tuple[float, float]] = []
    for node in way.nodes:
        if node.location.valid():
            run.append((node.location.lon, node.location.lat))
        else:
            best, run = max(best, run, key=len), []
    best = max(best, run, key=len)
    if len(best) > 1:
        text = ", ".join(f"{lon:.7f} {lat:.7f}" for lon, lat in best)
        extract.lines.append(Feature(dict(way.tags), f"LINESTRING ({text})"))


def _take_node(node: Any, extract: OsmExtract) -> None:
    tags = node.tags
    if tags.get("barrier") in STOPS_CARS or tags.get("barrier") in OPENS:
        extract.barriers[node.id] = dict(tags)
    if tags.get("highway") == "crossing":
        signalled = tags.get("crossing") == "traffic_signals" or tags.get("crossing:signals") == "yes"
        extract.crossings[node.id] = signalled
    if tags.get("highway") == "traffic_signals" and tags.get("traffic_signals") not in _NO_CYCLE:
        side = tags.get("traffic_signals:direction") or tags.get("direction") or "both"
        extract.signals[node.id] = side if side in ("forward", "backward") else "both"
    elif tags.get("highway") in SIGNS:
        extract.signs[node.id] = dict(tags)
    elif any(key in tags for key in ("amenity", "shop", "office", "tourism", "healthcare", "craft", "leisure")):
        extract.points.append(Feature(dict(tags), f"POINT ({node.location.lon:.7f} {node.location.lat:.7f})"))


def _take_relation(relation: Any, extract: OsmExtract) -> None:
    tags = dict(relation.tags)
    if tags.get("type", "").startswith("restriction"):
        members = [(member.role, member.type, member.ref) for member in relation.members]
        found = read_restriction(relation.id, tags, members)
        if isinstance(found, Restriction):
            extract.restrictions.append(found)
        else:
            extract.dropped_restrictions[found] += 1


_FACTORY = osmium.geom.WKTFactory()


def _take_area(area: Any, extract: OsmExtract) -> None:
    tags = area.tags
    if not any(key in tags for key in _KEYS[1:]):
        return
    try:
        text = _FACTORY.create_multipolygon(area)
    except RuntimeError:  # rings that do not close within the extract
        extract.dropped_ways["area with broken rings"] += 1
        return
    extract.areas.append(Feature(dict(tags), text))
