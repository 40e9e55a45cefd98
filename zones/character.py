"""What each zone is like: homes, jobs, shops, green, streets.

Counts are estimates from mapped floor area. The coefficients are assumptions of the size found in planning practice,
named below so that they can be replaced; what matters for demand is the pattern between zones, not the level.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from zones.membership import overlay

#: Gross floor area of one dwelling, m2 (assumed: about 60 m2 net and a quarter for walls, stairs and common rooms).
M2_PER_HOME = 80.0
#: Gross floor area of one workplace by a building's category, m2 (assumed).
M2_PER_JOB = {
    "office": 25.0, "retail": 50.0, "food": 35.0, "industrial": 80.0, "school": 60.0, "health": 45.0, "hotel": 90.0,
    "culture": 120.0, "transport": 150.0, "mixed": 30.0,
}  # fmt: skip
#: Share of floor area that is dwellings; the rest is workplaces (assumed).
HOME_SHARE = {"residential": 0.95, "mixed": 0.5}
#: The same for `mixed` buildings on land of a known use (assumed).
HOME_SHARE_ON = {"residential": 0.9, "retail": 0.1, "commercial": 0.1, "industrial": 0.0, "railway": 0.0, "school": 0.0}
DEFAULT_FLOORS = 2.0  # where no building of the city tells its levels (assumed)
#: Where buildings are not mapped: homes and jobs by metre of minor and of major street (assumed: a plot every 25 m on
#: either side of a minor street).
HOMES_PER_MINOR_M, JOBS_PER_MINOR_M, JOBS_PER_MAJOR_M = 0.08, 0.02, 0.05
#: Below this footprint per metre of street, buildings count as not mapped, m2/m (assumed; central Helsinki and Krems
#: have 5 to 20, an extract without buildings 0 to 0.3). An empty zone in a mapped city is taken as empty.
MAPPED_M2_PER_M = 1.0
GREEN = ("park", "forest", "grass", "cemetery", "garden")
SHOP = ("retail", "food")
_NOT_USED = ("minor", "parking")
#: Classes that count as major streets: secondary and above, links included.
MAJOR = tuple(f"{name}{end}" for name in ("motorway", "trunk", "primary", "secondary") for end in ("", "_link"))


def character(zones: gpd.GeoDataFrame, links: gpd.GeoDataFrame, places: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Homes, jobs, shops, green share and street lengths of each zone.

    Parameters
    ----------
    zones : GeoDataFrame
        Reads geometry (projected).
    links : GeoDataFrame
        Reads `road_class`, geometry.
    places : GeoDataFrame or None
        Reads `kind`, `category`, `area_m2`, `floors`, geometry.

    Returns
    -------
    DataFrame
        In the zones' order: `homes`, `jobs`, `shops`, `built_share` (of the ground, under buildings), `green_share`,
        `road_major_m`, `road_minor_m` (each direction of travel counts) and `character_source`: `buildings`, or `roads`
        where buildings are not mapped.
    """
    polygons = zones.geometry.to_numpy()
    major = _street_m(polygons, links[links["road_class"].isin(MAJOR)])
    minor = _street_m(polygons, links[~links["road_class"].isin(MAJOR)])
    by_roads = HOMES_PER_MINOR_M * minor, JOBS_PER_MINOR_M * minor + JOBS_PER_MAJOR_M * major
    table = pd.DataFrame(
        {
            "homes": by_roads[0], "jobs": by_roads[1], "shops": 0.0, "built_share": 0.0, "green_share": 0.0,
            "road_major_m": major, "road_minor_m": minor, "character_source": "roads",
        }
    )  # fmt: skip
    if places is None or len(places) == 0:
        return table
    buildings = _buildings(places, polygons)
    total = buildings.groupby("zone")[["area_m2", "homes", "jobs"]].sum().reindex(range(len(zones)), fill_value=0.0)
    footprint, street = total["area_m2"].to_numpy(), major + minor
    city_is_mapped = footprint.sum() >= MAPPED_M2_PER_M * street.sum()
    mapped = (footprint >= MAPPED_M2_PER_M * street) | city_is_mapped
    for name in ("homes", "jobs"):
        table[name] = np.where(mapped, total[name], table[name])
    table["built_share"] = np.clip(footprint / shapely.area(polygons), 0.0, 1.0)
    table["character_source"] = np.where(mapped, "buildings", "roads")
    shops = places[places["category"].isin(SHOP) & places["kind"].isin(("poi", "building"))]
    table["shops"] = np.bincount(_inside(shops, polygons)[1], minlength=len(zones)).astype(float)
    green = places[(places["kind"] == "landuse") & places["category"].isin(GREEN)]
    if len(green):
        ground = shapely.union_all(shapely.make_valid(green.geometry.to_numpy()))
        table["green_share"] = np.clip(
            shapely.area(shapely.intersection(polygons, ground)) / shapely.area(polygons), 0, 1
        )
    return table


def _street_m(polygons: np.ndarray, links: gpd.GeoDataFrame) -> np.ndarray:
    _, zone, length = overlay(links.geometry.to_numpy(), polygons)
    return np.bincount(zone, weights=length, minlength=len(polygons))


def _inside(places: gpd.GeoDataFrame, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of places whose inner point lies in a zone, and the first such zone."""
    row, zone = shapely.STRtree(polygons).query(
        shapely.point_on_surface(places.geometry.to_numpy()), predicate="intersects"
    )
    order = np.lexsort((zone, row))
    row, first = np.unique(row[order], return_index=True)
    return row, zone[order][first]


def _buildings(places: gpd.GeoDataFrame, polygons: np.ndarray) -> pd.DataFrame:
    """Zone, footprint, homes and jobs of each building in a zone."""
    buildings = places[(places["kind"] == "building") & ~places["category"].isin(_NOT_USED)]
    row, zone = _inside(buildings, polygons)
    buildings = buildings.iloc[row]
    told = buildings["floors"].median()
    floors = buildings["floors"].fillna(told if np.isfinite(told) else DEFAULT_FLOORS).to_numpy()
    floor_m2 = buildings["area_m2"].to_numpy() * floors
    category = buildings["category"]
    share = category.map(HOME_SHARE).fillna(0.0).to_numpy()
    on = _land_under(buildings, places)
    mixed = (category == "mixed").to_numpy()
    share = np.where(mixed, on.map(HOME_SHARE_ON).fillna(HOME_SHARE["mixed"]), share)
    per_job = category.map(M2_PER_JOB).fillna(M2_PER_JOB["mixed"]).to_numpy()
    return pd.DataFrame(
        {
            "zone": zone, "area_m2": buildings["area_m2"].to_numpy(), "homes": share * floor_m2 / M2_PER_HOME,
            "jobs": (1.0 - share) * floor_m2 / per_job,
        }
    )  # fmt: skip


def _land_under(buildings: gpd.GeoDataFrame, places: gpd.GeoDataFrame) -> pd.Series:
    """Category of the smallest piece of built-up land under each building; missing where there is none."""
    land = places[(places["kind"] == "landuse") & places["category"].isin(HOME_SHARE_ON)].sort_values("area_m2")
    found = pd.Series(pd.NA, index=range(len(buildings)), dtype="str")
    if len(land) and len(buildings):
        inner = shapely.point_on_surface(buildings.geometry.to_numpy())
        row, piece = shapely.STRtree(land.geometry.to_numpy()).query(inner, predicate="intersects")
        order = np.lexsort((piece, row))
        row, first = np.unique(row[order], return_index=True)
        found.iloc[row] = land["category"].to_numpy()[piece[order][first]]
    return found
