"""Synthetic city: a radial-ring town of any size from a seed, for scaling runs and tests that need no map.

Read `synthetic_streets` (rings, radials, hierarchy, thinning, motorway), `synthetic_junctions` (signals, roundabouts)
and `synthetic_places` (buildings, parks, who lives and works where); this file makes the city's tables of them.

How like a town it is, beside five real ones as this package reads them (`deg` is the share of nodes with so many
streets; the class shares are of street length, minor classes counted as residential; median link in m):

| city | links | nodes | mean degree | deg 1 | deg 3 | deg 4 | one-way | signals | median link | residential |
|---|---|---|---|---|---|---|---|---|---|---|
| Helsinki centre | 329 | 176 | 2.72 | 0.24 | 0.40 | 0.28 | 0.45 | 0.31 | 69 | 0.49 |
| Monaco | 642 | 326 | 2.80 | 0.12 | 0.74 | 0.08 | 0.42 | 0.02 | 61 | 0.51 |
| Krems | 698 | 342 | 2.67 | 0.20 | 0.66 | 0.09 | 0.31 | 0.07 | 93 | 0.43 |
| Andorra | 2,430 | 1,191 | 2.44 | 0.28 | 0.65 | 0.03 | 0.20 | 0.00 | 92 | 0.28 |
| La Serena-Coquimbo | 22,449 | 8,856 | 2.96 | 0.14 | 0.60 | 0.24 | 0.17 | 0.00 | 78 | 0.65 |
| `synthetic:2000@7` | 2,192 | 831 | 2.78 | 0.23 | 0.52 | 0.24 | 0.05 | 0.09 | 138 | 0.45 |
| `synthetic:20000@7` | 21,634 | 7,559 | 3.02 | 0.13 | 0.58 | 0.28 | 0.05 | 0.05 | 163 | 0.57 |

It is more regular than a town: four-way crossings are too common, lengths vary too little, streets hardly bend.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data.errors import CityError
from data.schemas import LINKS, NODES, validate
from data.synthetic_junctions import signal_nodes, with_roundabouts
from data.synthetic_places import make_places
from data.synthetic_streets import CLASSES, Streets, make_streets
from data.units import MPS_PER_KMH

LEAST_LINKS, MOST_LINKS, DEFAULT_LINKS = 100, 500_000, 2000
CRS, TIMEZONE = "EPSG:32632", "Europe/Berlin"  # the town lies at 50 N, 9 E, where that zone's scale is true
LAT0, LON0 = 50.0, 9.0
#: Posted limits, km/h (assumed, as in European towns); below 51 km/h drivers go at 0.9 of it, as in
#: `data.readers.osm_speed`.
LIMIT_KMH = {
    "motorway": 100.0, "motorway_link": 60.0, "primary": 50.0, "secondary": 50.0, "tertiary": 50.0,
    "residential": 30.0,
}  # fmt: skip
LANES = {"motorway": 2.0, "primary": 2.0}  # per direction; others have one; assumed
TWO_LANE_SECONDARY = 0.4  # share of secondary streets with two lanes; assumed
_NAME = re.compile(r"synthetic(?::(\d+))?(?:@(\d+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCity:
    """Tables of a made-up city, as `data.cities.CitySource` holds them."""

    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    places: gpd.GeoDataFrame
    radius_m: float


def parse_name(text: str) -> tuple[int, int] | None:
    """Links and seed of a name such as `synthetic`, `synthetic:20000` or `synthetic:20000@7`; `None` if it is another.

    Raises
    ------
    CityError
        If it starts like one and is none, or the size is out of range.
    """
    text = text.strip()
    if not text.lower().startswith("synthetic"):
        return None
    match = _NAME.fullmatch(text)
    if match is None and not re.match(r"synthetic\s*[:@]", text, re.IGNORECASE):
        return None
    links = int(match[1]) if match and match[1] and len(match[1]) < 10 else 0 if match is None or match[1] else None
    links = DEFAULT_LINKS if links is None else links
    if not LEAST_LINKS <= links <= MOST_LINKS:
        raise CityError(
            f"city {text!r}: give synthetic:LINKS or synthetic:LINKS@SEED, e.g. synthetic:20000@7, with"
            f" {LEAST_LINKS:,} to {MOST_LINKS:,} links and a whole seed"
        )
    assert match is not None
    return links, int(match[2] or 0)


def make_synthetic(links: int, *, seed: int = 0, buildings: bool = True) -> SyntheticCity:
    """A made-up city of about that many directed links.

    Parameters
    ----------
    links : int
        100 to 500,000; met within a few percent, more loosely below 1,000.
    seed : int
        The same seed and size give the same city, bit for bit.
    buildings : bool
        Whether houses and parks are made too; without them, people are guessed from the streets.

    Raises
    ------
    CityError
        If the size is out of range.
    """
    if not LEAST_LINKS <= links <= MOST_LINKS:
        raise CityError(f"links={links}; a synthetic city has {LEAST_LINKS:,} to {MOST_LINKS:,}")
    street_luck, light_luck, lane_luck, place_luck = np.random.default_rng([seed, links]).spawn(4)
    streets, radius = make_streets(links, street_luck)
    signal = signal_nodes(streets, radius, light_luck)
    streets, signal = with_roundabouts(streets, signal, radius, light_luck)
    project = pyproj.Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
    origin = np.array(project.transform(LON0, LAT0)).round()
    table = _links(streets, signal, origin, lane_luck)
    places = make_places(streets, radius, CRS, origin, place_luck) if buildings else no_places()
    return SyntheticCity(nodes=_nodes(streets, signal, origin, project), links=table, places=places, radius_m=radius)


def _nodes(streets: Streets, signal: np.ndarray, origin: np.ndarray, project: Any) -> pd.DataFrame:
    x, y = streets.x + origin[0], streets.y + origin[1]
    lon, lat = project.transform(x, y, direction="INVERSE")
    table = pd.DataFrame(
        {
            "node_id": np.arange(x.size), "x_m": x, "y_m": y, "lon": lon, "lat": lat, "signal": signal,
            "border": streets.border, "enters": streets.border, "leaves": streets.border,
        }
    )  # fmt: skip
    return validate(table, NODES)


def _links(streets: Streets, signal: np.ndarray, origin: np.ndarray, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """One row a direction of travel, ordered by its ends."""
    from data.readers.osm_speed import URBAN_FACTOR, URBAN_LIMIT_KMH
    from data.readers.osm_tags import road_classes

    edge = np.concatenate([np.arange(streets.a.size), np.flatnonzero(~streets.oneway)])
    back = np.arange(edge.size) >= streets.a.size
    start = np.where(back, streets.b[edge], streets.a[edge])
    end = np.where(back, streets.a[edge], streets.b[edge])
    order = np.lexsort((edge, end, start))
    edge, back, start, end = edge[order], back[order], start[order], end[order]
    shapes = _lines(streets, origin)[edge]
    shapes[back] = shapely.reverse(shapes[back])
    kind = [road_classes()[name] for name in CLASSES]
    rank = streets.rank[edge]
    limit = np.array([LIMIT_KMH[name] for name in CLASSES])
    speed = (limit * np.where(limit < URBAN_LIMIT_KMH, URBAN_FACTOR, 1.0) * MPS_PER_KMH)[rank]
    lanes = _lanes(streets, rng)[edge]
    jam = np.array([road.jam_density_veh_per_m for road in kind])[rank] * lanes
    capacity = np.array([road.capacity_veh_per_s for road in kind])[rank] * lanes
    table = gpd.GeoDataFrame(
        {
            "link_id": np.arange(edge.size), "from_node_id": start, "to_node_id": end,
            "length_m": shapely.length(shapes), "lanes": lanes, "free_flow_speed_mps": speed,
            "capacity_veh_per_s": np.minimum(capacity, 0.5 * jam * speed), "jam_density_veh_per_m": jam,
            "road_class": np.array(CLASSES, dtype=object)[rank], "name": streets.name[edge],
            "control": _control(streets, signal, edge, end), "roundabout": streets.roundabout[edge],
            "signal_end": signal[end], "oneway": streets.oneway[edge], "bridge": False, "tunnel": False,
        },
        geometry=shapes, crs=CRS,
    ).astype({"road_class": "str", "name": "str", "control": "str"})  # fmt: skip
    return gpd.GeoDataFrame(validate(table, LINKS), geometry="geometry", crs=CRS)


def _lines(streets: Streets, origin: np.ndarray) -> np.ndarray:
    """Line of each street from a to b. Shape (e,)."""
    ends = np.stack([np.column_stack([streets.x[n], streets.y[n]]) for n in (streets.a, streets.b)], axis=1) + origin
    lines = np.asarray(shapely.linestrings(ends))
    for edge, inner in streets.via.items():
        lines[edge] = shapely.LineString(np.vstack([ends[edge, :1], inner + origin, ends[edge, 1:]]))
    return lines


def _lanes(streets: Streets, rng: np.random.Generator) -> np.ndarray:
    """Lanes per direction of each street; a street of one name has the same all along."""
    lanes = np.array([LANES.get(name, 1.0) for name in CLASSES])[streets.rank]
    names, number = np.unique(streets.name.astype(str), return_inverse=True)
    wide = (rng.random(names.size) < TWO_LANE_SECONDARY)[number]
    lanes = np.where(wide & (streets.rank == CLASSES.index("secondary")), 2.0, lanes)
    return np.where(streets.roundabout, 1.0, lanes)


def _control(streets: Streets, signal: np.ndarray, edge: np.ndarray, end: np.ndarray) -> np.ndarray:
    """`give_way` where a lesser street meets a main road without a signal. str, shape (links,)."""
    best = np.full(streets.x.size, len(CLASSES))
    np.minimum.at(best, np.concatenate([streets.a, streets.b]), np.tile(streets.rank, 2))
    ring = np.zeros(streets.x.size, bool)
    ring[streets.a[streets.roundabout]] = True
    lesser = (streets.rank[edge] > best[end]) & (best[end] <= CLASSES.index("tertiary"))
    lesser &= best[end] > CLASSES.index("motorway_link")  # ramps merge, they do not wait for a gap
    crossing = streets.degree()[end] > 2
    return np.where(lesser & crossing & ~signal[end] & ~ring[end], "give_way", "")


def no_places(crs: Any = CRS) -> gpd.GeoDataFrame:
    """A table of places without any."""
    text = pd.Series(dtype="str")
    return gpd.GeoDataFrame(
        {"kind": text, "category": text, "area_m2": pd.Series(dtype=float), "floors": pd.Series(dtype=float)},
        geometry=[], crs=crs,
    )  # fmt: skip
