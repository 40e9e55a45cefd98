"""Ids and names of zones: numbered as one reads a map, named after their main streets."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from zones.membership import overlay

#: Weight of a metre of street by class when a zone looks for its main street (assumed; order as in the class's rank).
_WEIGHT = {"motorway": 6.0, "trunk": 5.0, "primary": 4.0, "secondary": 3.0, "tertiary": 2.0}
_ENOUGH = 0.4  # a zone takes its second street where its first is taken and the second weighs this share of it
_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


def reading_order(polygons: np.ndarray) -> np.ndarray:
    """Positions of polygons from north to south in bands, and in a band from west to east."""
    centre = shapely.centroid(polygons)
    x, y = shapely.get_x(centre), shapely.get_y(centre)
    height = float(np.sqrt(np.median(shapely.area(polygons))))
    band = np.floor((y.max() - y) / height + 0.25)
    return np.lexsort((x, band))


def zone_ids(count: int) -> list[str]:
    """`Z01`, `Z02`, ...; with more digits where there are more than 99."""
    digits = max(2, len(str(count)))
    return [f"Z{k + 1:0{digits}d}" for k in range(count)]


def street_names(polygons: np.ndarray, links: gpd.GeoDataFrame) -> list[str]:
    """A unique name for each zone: the street that has most class-weighted length in it.

    A street that names another zone already is passed over if a second one is nearly as strong; else the name gets a
    point of the compass, seen from the zone that has the plain name.
    """
    ranking = _ranking(polygons, links)
    centre = shapely.centroid(polygons)
    order = sorted(range(len(polygons)), key=lambda k: (-ranking[k].iloc[0] if len(ranking[k]) else 0.0, k))
    middle = shapely.centroid(shapely.multipoints(centre))
    taken: dict[str, int] = {}
    for k in order:
        streets = ranking[k]
        strong = streets.index[streets >= _ENOUGH * streets.max()]
        good = [street for street in strong if street not in taken]
        if good:
            name = good[0]
        elif len(streets):
            street = str(streets.index[0])
            name = f"{street} ({_compass(centre[taken[street]], centre[k])})"
        else:
            name = f"Quarter in the {_compass(middle, centre[k])}"
        plain, n = name, 2
        while name in taken:
            name, n = f"{plain} {n}", n + 1
        taken[name] = k
    return [name for name, _ in sorted(taken.items(), key=lambda item: item[1])]


def _ranking(polygons: np.ndarray, links: gpd.GeoDataFrame) -> list[pd.Series]:
    """Weighted street lengths of each zone, strongest first, names in alphabetical order where equal."""
    named = links[links["name"].notna() & (links["name"].astype("str").str.strip() != "")]
    line, zone, length = overlay(named.geometry.to_numpy(), polygons)
    weight = named["road_class"].str.removesuffix("_link").map(_WEIGHT).fillna(1.0).to_numpy()
    table = pd.DataFrame({"zone": zone, "name": named["name"].to_numpy()[line], "m": length * weight[line]})
    total = table.groupby(["zone", "name"], sort=True)["m"].sum().reset_index()
    total = total.iloc[np.lexsort((np.arange(len(total)), -total["m"].to_numpy(), total["zone"].to_numpy()))]
    metres, street = total["m"].to_numpy(), total["name"].to_numpy(dtype=object)
    cuts = np.searchsorted(total["zone"].to_numpy(), np.arange(len(polygons) + 1))
    return [pd.Series(metres[a:b], index=street[a:b], dtype=float) for a, b in pairwise(cuts)]


def _compass(start: shapely.Point, end: shapely.Point) -> str:
    if start.distance(end) < 1.0:
        return "centre"
    turn = np.arctan2(end.y - start.y, end.x - start.x) / (np.pi / 4.0)
    return _COMPASS[round(float(turn)) % 8]
