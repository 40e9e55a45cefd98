"""Cities that no map holds: the toy town, synthetic cities of any size, and published assignment problems."""

from __future__ import annotations

import re
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data import synthetic, toy
from data.city_source import CitySource, map_frame

_AROUND_M = 500.0  # ground around a network that belongs to its outermost zones (assumed)


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
    frame = gpd.GeoSeries([map_frame(links)], crs="EPSG:4326")
    kinds = ["land", *np.where(park, "park", "building")]
    drawn = pd.concat([frame, places.geometry.to_crs(4326)], ignore_index=True)
    return CitySource(
        name="toy", label="Toy town", timezone="Europe/Helsinki", latitude=float(lat.mean()),
        longitude=float(lon.mean()), crs=toy.CRS, source="toy", nodes=nodes, links=links, turns=turns, places=places,
        basemap=gpd.GeoDataFrame({"kind": kinds}, geometry=drawn.to_numpy(), crs="EPSG:4326"),
        report={"source": "toy", "dropped": {}, "seconds": {}, "cached": False},
    )  # fmt: skip


def synthetic_city(links: int = synthetic.DEFAULT_LINKS, *, seed: int = 0, buildings: bool = True) -> CitySource:
    """A made-up radial-ring city of about that many links (see `data.synthetic`).

    Raises
    ------
    CityError
        If the size is out of range.
    """
    from data.readers.turns import turns_of

    started = time.perf_counter()
    made = synthetic.make_synthetic(links, seed=seed, buildings=buildings)
    turns = turns_of(made.links, made.nodes)
    drawn = {"park": made.places["kind"] == "landuse", "building": made.places["kind"] == "building"}
    parts = [made.places[chosen].geometry.to_crs(4326) for chosen in drawn.values()]
    kinds = ["land", *(kind for kind, chosen in drawn.items() for _ in range(int(chosen.sum())))]
    frame = gpd.GeoSeries([map_frame(made.links)], crs="EPSG:4326")
    shapes = pd.concat([frame, *parts], ignore_index=True).to_numpy()
    tables = {"nodes": made.nodes, "links": made.links, "turns": turns, "places": made.places}
    source = f"synthetic:{links}@{seed}"
    return CitySource(
        name=f"synthetic-{links}-{seed}", label=f"Synthetic city of {links:,} links, seed {seed}",
        timezone=synthetic.TIMEZONE, latitude=synthetic.LAT0, longitude=synthetic.LON0, crs=synthetic.CRS,
        source=source, **tables, basemap=gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs="EPSG:4326"),
        report={
            "source": source, "dropped": {}, "cached": False, "radius_km": round(made.radius_m / 1000.0, 3),
            "counts": {name: len(table) for name, table in tables.items()},
            "signal_nodes": int(made.nodes["signal"].sum()),
            "length_km": round(float(made.links["length_m"].sum()) / 1000.0, 3),
            "seconds": {"make": round(time.perf_counter() - started, 3)},
        },
    )  # fmt: skip


def assignment_city(folder: Path, *, timezone: str | None = None) -> CitySource:
    """A traffic assignment problem (TNTP) as a city, see `data.readers.tntp_city`.

    Its zones are cells around the nodes where trips start and end: each place belongs to the nearest of them.

    Raises
    ------
    CityError
        If a file is absent, or does not say where the network lies and in which units.
    FileFormatError
        If a file is damaged.
    """
    from data.readers.tntp_city import read_tntp_city
    from data.readers.turns import turns_of
    from data.timezones import checked_timezone, drives_on_left, timezone_at

    started = time.perf_counter()
    made = read_tntp_city(folder)
    middle = made.nodes[["lat", "lon"]].agg(["min", "max"]).mean()
    timezone = timezone or made.timezone or timezone_at(float(middle["lat"]), float(middle["lon"]))
    checked_timezone(timezone)
    ends = pd.DataFrame(made.links[["link_id", "from_node_id", "to_node_id"]])
    into, out = (ends[ends[name].isin(made.centroids)] for name in ("to_node_id", "from_node_id"))
    through = into.merge(out, left_on="to_node_id", right_on="from_node_id", suffixes=("", "_out"))
    pairs = set(zip(through["link_id"].tolist(), through["link_id_out"].tolist()))
    turns = turns_of(made.links, made.nodes, drives_on_left=drives_on_left(timezone), forbidden=pairs)
    cells = _cells(made.nodes[made.nodes["node_id"] <= made.zones], made.links)
    frame = gpd.GeoSeries([map_frame(made.links)], crs="EPSG:4326")
    label = folder.name.replace("_", " ").replace("-", " ")
    tables = {"nodes": made.nodes, "links": made.links, "turns": turns, "places": synthetic.no_places(made.links.crs)}
    return CitySource(
        name=re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "city", label=label, timezone=timezone,
        latitude=float(middle["lat"]), longitude=float(middle["lon"]), crs=made.links.crs.to_string(),
        source=str(folder), **tables, basemap=gpd.GeoDataFrame({"kind": ["land"]}, geometry=frame.to_numpy(), crs=4326),
        given_zones=cells,
        report={
            "source": str(folder), "dropped": {}, "cached": False, **made.report,
            "counts": {name: len(table) for name, table in tables.items()},
            "length_km": round(float(made.links["length_m"].sum()) / 1000.0, 3),
            "seconds": {"read": round(time.perf_counter() - started, 3)},
        },
    )  # fmt: skip


def _cells(centres: pd.DataFrame, links: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The ground nearest to each centre, within a box around the links; `name` is the centre's node."""
    box = shapely.box(*links.total_bounds).buffer(_AROUND_M, join_style="mitre")
    points = shapely.multipoints(centres[["x_m", "y_m"]].to_numpy())
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box, ordered=True))
    return gpd.GeoDataFrame(
        {"name": centres["node_id"].astype(str).to_numpy()}, geometry=shapely.intersection(cells, box), crs=links.crs
    )
