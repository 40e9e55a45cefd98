"""Which zones touch, along how much border, and how far apart their centres lie."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from data.schemas import ADJACENCY, validate
from zones.partition import borders


def adjacency(zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Pairs of zones that share a border, each in both directions.

    Zones that meet in a corner alone do not touch.

    Parameters
    ----------
    zones : GeoDataFrame
        Reads `zone_id`, `x_m`, `y_m`, geometry (projected).

    Returns
    -------
    DataFrame
        Columns of `data.schemas.ADJACENCY`: `border_m`, and `distance_m` between the centroids.
    """
    first, second, length = borders(zones.geometry.to_numpy())
    ids, x, y = (zones[name].to_numpy() for name in ("zone_id", "x_m", "y_m"))
    a, b = np.append(first, second), np.append(second, first)
    table = pd.DataFrame(
        {
            "zone_id": ids[a], "neighbour_zone_id": ids[b], "border_m": np.append(length, length),
            "distance_m": np.hypot(x[a] - x[b], y[a] - y[b]),
        }
    ).astype({"zone_id": "str", "neighbour_zone_id": "str"})  # fmt: skip
    return validate(table.sort_values(["zone_id", "neighbour_zone_id"], ignore_index=True), ADJACENCY)
