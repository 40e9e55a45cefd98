"""A partition: strips from west to east that hold equal lengths of street."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely


def strips(links: gpd.GeoDataFrame, places: gpd.GeoDataFrame | None, *, count: int, seed: int) -> gpd.GeoDataFrame:
    """Cut from north to south so that each strip has about the same length of street.

    Nothing here is random, so `seed` is not needed; nor are `places`.
    """
    x = shapely.get_x(shapely.centroid(links.geometry.to_numpy()))
    order = np.argsort(x, kind="stable")
    share = np.cumsum(links["length_m"].to_numpy()[order]) / links["length_m"].sum()
    cuts = np.interp(np.arange(1, count) / count, share, x[order])
    west, south, east, north = links.total_bounds + np.array([-500.0, -500.0, 500.0, 500.0])
    edges = np.unique(np.concatenate([[west], cuts, [east]]))
    boxes = shapely.box(edges[:-1], south, edges[1:], north)
    return gpd.GeoDataFrame({"name": [f"Strip {k + 1}" for k in range(len(boxes))]}, geometry=boxes, crs=links.crs)
