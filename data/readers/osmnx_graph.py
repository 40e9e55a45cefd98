"""Graphs that OSMnx made: a GraphML file that it saved, or a place that it looks up by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import osmnx as ox
import pyproj
import requests
import shapely

from data.errors import CityError, FileFormatError
from data.readers.osm import Feature, OsmExtract
from data.readers.osm_tags import road_classes, why_not_drivable
from data.readers.road_graph import Dropped, geodesic_m
from data.readers.road_part import part_of

_REQUEST_TIMEOUT_S = 60
_FEATURE_KEYS = (
    "building", "amenity", "shop", "office", "tourism", "healthcare", "landuse", "leisure", "natural", "railway",
    "waterway",
)  # fmt: skip
_FEATURE_TAGS: dict[str, bool | str | list[str]] = dict.fromkeys(_FEATURE_KEYS, True)


def read_graphml(path: Path) -> nx.MultiDiGraph:
    """Graph from a file that `osmnx.save_graphml` wrote, projected or not; it comes back in longitude and latitude.

    Raises
    ------
    CityError
        If the file is not there.
    FileFormatError
        If it is no GraphML, or GraphML without what OSMnx writes: a coordinate system, node places, edge lengths.
    """
    if not path.is_file():
        raise CityError(f"there is no file {path}; give the path of a GraphML file that osmnx.save_graphml wrote")
    try:
        graph = ox.load_graphml(path)
    except Exception as error:  # the XML, networkx and OSMnx parsers each raise their own
        raise FileFormatError(
            f"{path} cannot be read as OSMnx GraphML ({type(error).__name__}: {error});"
            " write it with osmnx.save_graphml"
        ) from error
    faults = []
    if "crs" not in graph.graph:
        faults.append("the graph has no 'crs'")
    if graph.number_of_edges() == 0:
        faults.append("it has no edges")
    if any(not _is_number(data.get(name)) for _, data in graph.nodes(data=True) for name in ("x", "y")):
        faults.append("nodes lack numbers 'x' and 'y'")
    if any(
        not str(data.get("osm_node", "0")).lstrip("-").replace(".", "", 1).isdigit()
        for _, data in graph.nodes(data=True)
    ):
        faults.append("nodes have an 'osm_node' that is no number")
    if any(not _is_number(data.get("length")) for *_, data in graph.edges(data=True)):
        faults.append("edges lack a number 'length'")
    for name in ("highway", "oneway"):
        if any(name not in data for *_, data in graph.edges(data=True)):
            faults.append(f"edges lack '{name}'")
    lines = [data["geometry"] for *_, data in graph.edges(data=True) if "geometry" in data]
    if not all(
        isinstance(line, shapely.LineString) and np.isfinite(shapely.get_coordinates(line)).all() for line in lines
    ):
        faults.append("edges have shapes that are no lines")
    if faults:
        raise FileFormatError(f"{path} is not GraphML of OSMnx: {'; '.join(faults)}; write it with osmnx.save_graphml")
    try:
        return ox.project_graph(graph, to_latlong=True)
    except (pyproj.exceptions.ProjError, ValueError, TypeError) as error:
        raise FileFormatError(
            f"{path}: places in {graph.graph['crs']!r} cannot be turned into longitude and latitude ({error});"
            " write it with osmnx.save_graphml"
        ) from error


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def fetch_place(name: str, cache_dir: Path) -> tuple[nx.MultiDiGraph, OsmExtract]:
    """Streets and places of a named place, over Nominatim and Overpass; answers are kept in `cache_dir` by OSMnx.

    Raises
    ------
    CityError
        If the network or the service does not answer, or the place is unknown.
    """
    before = ox.settings.requests_timeout, ox.settings.cache_folder
    ox.settings.requests_timeout, ox.settings.cache_folder = _REQUEST_TIMEOUT_S, cache_dir
    try:
        graph = ox.graph_from_place(name, network_type="drive", simplify=False, retain_all=True)
        features = ox.features_from_place(name, _FEATURE_TAGS)
    except (requests.RequestException, OSError) as error:
        raise CityError(
            f"city {name!r} is neither shipped ('helsinki', 'toy') nor a file, and it cannot be looked up by name:"
            f" OpenStreetMap's servers do not answer ({type(error).__name__}). Check the network, or give the path of"
            " an extract (.osm, .osm.gz, .osm.bz2, .osm.pbf, .graphml)"
        ) from error
    except (ox._errors.InsufficientResponseError, ox._errors.ResponseStatusCodeError, ValueError, TypeError) as error:
        raise CityError(
            f"OpenStreetMap knows no place {name!r} with streets and an area ({error}); write it as on"
            " nominatim.openstreetmap.org, e.g. 'Krems an der Donau, Austria', or give the path of an extract"
        ) from error
    finally:
        ox.settings.requests_timeout, ox.settings.cache_folder = before
    return graph, _as_extract(features)


def _as_extract(features: gpd.GeoDataFrame) -> OsmExtract:
    extract = OsmExtract()
    tags = features.drop(columns="geometry").to_dict("records")
    for row, shape in zip(tags, features.geometry):
        text = {key: str(value) for key, value in row.items() if isinstance(value, str)}
        bins = {"Point": extract.points, "LineString": extract.lines, "MultiLineString": extract.lines}
        bins.get(shape.geom_type, extract.areas).append(Feature(text, shape.wkt))
    return extract


def give_parts(graph: nx.MultiDiGraph, dropped: Dropped) -> nx.MultiDiGraph:
    """Copy of an OSMnx graph without what cars may not use, with `parts` on its edges (see `road_graph`).

    An edge that OSMnx joined from several ways carries lists: its class is the most important of them, its speed the
    lowest limit, its lanes the mean, for their lengths are lost.
    """
    graph = graph.copy()
    for node, data in graph.nodes(data=True):
        data.update(lon=data["x"], lat=data["y"])
        if "street_count" not in data:
            data["street_count"] = len({*graph.predecessors(node), *graph.successors(node)})
    closed = []
    for start, end, key, data in graph.edges(keys=True, data=True):
        tags = _tags(data)
        reason = why_not_drivable(tags)
        length = float(data.get("length", 0.0)) or _straight_m(graph, start, end)
        if reason is not None:
            closed.append((start, end, key))
            dropped.links[reason] += 1
            dropped.metres[reason] += length
            continue
        both = str(data.get("oneway", "False")).lower() not in ("true", "yes", "1", "-1")
        forward = str(data.get("reversed", "False")).lower() not in ("true", "1")
        part = replace(
            part_of(tags, forward=forward, both_ways=both), length_m=length, end=end,
            signal=graph.nodes[end].get("highway") == "traffic_signals",
        )  # fmt: skip
        speed = part.speed_mps
        data.update(length=length, travel_time=length / speed, parts=(part,), speed_kph=speed * 3.6)
        data.setdefault("osmid", 0)
        if graph.graph.get("simplified"):  # a straight street needs no line in the file
            ends = [(graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in (start, end)]
            data.setdefault("geometry", shapely.LineString(ends))
    graph.remove_edges_from(closed)
    graph.remove_nodes_from([node for node in list(graph.nodes) if graph.degree(node) == 0])
    if graph.number_of_edges() == 0:
        raise CityError("the graph holds no road for cars; give a graph with streets (motorway to living_street)")
    return graph


def _straight_m(graph: nx.MultiDiGraph, start: Any, end: Any) -> float:
    a, b = graph.nodes[start], graph.nodes[end]
    return float(geodesic_m(np.array([[a["x"], a["y"]]]), np.array([[b["x"], b["y"]]]))[0])


def _tags(data: dict[str, Any]) -> dict[str, str]:
    tags = {}
    for key, value in data.items():
        if key in ("geometry", "parts") or value is None:
            continue
        if key == "highway" and isinstance(value, list):
            classes = road_classes()
            known = [v for v in value if v in classes]
            tags[key] = min(known, key=lambda v: classes[v].rank) if known else str(value[0])
        elif key == "name" and isinstance(value, list):
            tags[key] = str(value[0])
        else:
            tags[key] = ";".join(map(str, value)) if isinstance(value, list) else str(value)
    return tags
