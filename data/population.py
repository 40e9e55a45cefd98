"""People of given districts, shared among the zones of a city by the ground that they have in common."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from data.errors import InputError


def shared_population(
    districts: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, *, column: str = "population"
) -> np.ndarray:
    """People of each zone: those of each district, by the shares of its area that the zones hold.

    Parameters
    ----------
    districts : GeoDataFrame
        Reads `column` and geometry; need not cover the zones.
    zones : GeoDataFrame
        Reads geometry (projected).
    column : str
        What is shared out; people, or anything else that is counted.

    Returns
    -------
    ndarray, shape (n_zones,)
        In the zones' order. What lives where a district lies outside all zones is shared among the zones that the
        district touches, so that the sum is that of all districts that touch any zone.

    Raises
    ------
    InputError
        If the column is missing, or holds something else than finite numbers of at least 0.
    """
    if column not in districts.columns:
        raise InputError(f"districts lack the column {column!r}; they have {list(map(str, districts.columns))}")
    count = districts[column].to_numpy(dtype=float)
    wrong = np.flatnonzero(~(np.isfinite(count) & (count >= 0.0)))
    if wrong.size:
        raise InputError(
            f"column {column!r} has {wrong.size} value(s) that are no count, first {count[wrong[0]]} in row {wrong[0]};"
            " give numbers of at least 0"
        )
    shapes = districts.to_crs(zones.crs).geometry.to_numpy()
    polygons = zones.geometry.to_numpy()
    zone, district = shapely.STRtree(shapes).query(polygons, predicate="intersects")
    area = shapely.area(shapely.intersection(polygons[zone], shapes[district]))
    whole = np.bincount(district, area, minlength=len(shapes))
    share = np.divide(area, whole[district], out=np.zeros_like(area), where=whole[district] > 0.0)
    return np.bincount(zone, share * count[district], minlength=len(polygons))
