"""Buildings and parks of a made-up city: people thin out from the centre, workplaces faster, industry sits to one side.

Density falls exponentially with the distance from the centre (Clark 1951, doi:10.2307/2981088).
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from data.synthetic_streets import CLASSES, Streets

#: Distances over which density falls to 1/e, as shares of the city's radius (assumed).
PEOPLE_FALL, OFFICE_FALL = 0.35, 0.12
OFFICE_SHARE = 0.6  # of the buildings in the very centre; assumed
RETAIL_SHARE = {"primary": 0.12, "secondary": 0.10, "tertiary": 0.06, "residential": 0.01}  # of those along; assumed
DEPTH_M = 11.0  # of a building; assumed
#: From the street's axis to the wall, m (assumed: half the carriageway and a pavement).
SETBACK_M = {"primary": 16.0, "secondary": 13.0, "tertiary": 11.0, "residential": 9.0}
_INDUSTRY_FROM, _INDUSTRY_SECTOR = 0.55, (0.6, 1.4)  # of the radius; radians
_SHORTEST_M = 50.0


def make_places(
    streets: Streets, radius: float, crs: Any, origin: np.ndarray, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Buildings on both sides of the streets, and parks where no building stands.

    Returns
    -------
    GeoDataFrame
        Columns of `data.readers.places.PLACE_COLUMNS`, moved by `origin`, shape (2,), m.
    """
    doors = [CLASSES.index(name) for name in SETBACK_M]
    dx, dy = streets.x[streets.b] - streets.x[streets.a], streets.y[streets.b] - streets.y[streets.a]
    length = np.hypot(dx, dy)
    bends = np.array([edge in streets.via for edge in range(streets.a.size)])
    edge = np.flatnonzero(np.isin(streets.rank, doors) & (length > _SHORTEST_M) & ~bends & ~streets.roundabout)
    edge = np.repeat(edge, 2)
    side = np.tile([1.0, -1.0], edge.size // 2)
    x, y = (0.5 * (values[streets.a[edge]] + values[streets.b[edge]]) for values in (streets.x, streets.y))
    away = np.hypot(x, y) / radius
    people = np.exp(-away / PEOPLE_FALL)
    floors = np.clip(np.round(1.0 + 5.0 * people + rng.normal(0.0, 0.7, edge.size)), 1.0, 9.0)
    along = (0.3 + 0.4 * people) * length[edge]
    setback = np.array([SETBACK_M.get(name, 0.0) for name in CLASSES])[streets.rank[edge]]
    category = _categories(streets, edge, np.arctan2(y, x) % (2.0 * np.pi), away, rng)
    shapes = _boxes(x, y, dx[edge] / length[edge], dy[edge] / length[edge], along, side * setback, side * DEPTH_M)
    parks = _parks(radius, max(3, streets.a.size // 400), rng)
    built = np.setdiff1d(np.arange(edge.size), shapely.STRtree(shapes).query(parks, predicate="intersects")[1])
    geometry = shapely.transform(np.concatenate([shapes[built], parks]), lambda xy: xy + origin)
    n, m = built.size, parks.size
    return gpd.GeoDataFrame(
        {
            "kind": ["building"] * n + ["landuse"] * m, "category": [*category[built], *["park"] * m],
            "area_m2": shapely.area(geometry), "floors": np.append(floors[built], np.full(m, np.nan)),
        },
        geometry=geometry, crs=crs,
    ).astype({"kind": "str", "category": "str"})  # fmt: skip


def _categories(
    streets: Streets, edge: np.ndarray, angle: np.ndarray, away: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """What each building is used for. str, shape (buildings,)."""
    luck = rng.random(edge.size)
    office = OFFICE_SHARE * np.exp(-away / OFFICE_FALL)
    shops = np.array([RETAIL_SHARE.get(name, 0.0) for name in CLASSES])[streets.rank[edge]]
    low, high = _INDUSTRY_SECTOR
    industry = (away > _INDUSTRY_FROM) & (angle > low) & (angle < high)
    return np.select(
        [industry, luck < office, luck < office + shops, luck < office + shops + 0.1],
        ["industrial", "office", "retail", "mixed"],
        "residential",
    )


def _boxes(
    x: np.ndarray, y: np.ndarray, ux: np.ndarray, uy: np.ndarray, along: np.ndarray, near: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Rectangles beside streets of direction (ux, uy). Shape (n,)."""
    corners = []
    for lengthwise, sideways in ((-0.5, 0.0), (0.5, 0.0), (0.5, 1.0), (-0.5, 1.0), (-0.5, 0.0)):
        out = near + sideways * depth
        corners.append(
            np.column_stack([x + lengthwise * along * ux - out * uy, y + lengthwise * along * uy + out * ux])
        )
    return np.asarray(shapely.polygons(np.stack(corners, axis=1)))


def _parks(radius: float, count: int, rng: np.random.Generator) -> np.ndarray:
    r, angle = radius * np.sqrt(rng.random(count)), 2.0 * np.pi * rng.random(count)
    spots = shapely.points(r * np.cos(angle), r * np.sin(angle))
    return np.asarray(shapely.buffer(spots, rng.uniform(60.0, 200.0, count), quad_segs=4))
