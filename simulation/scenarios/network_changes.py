"""Links that a measure adds: every table of the city grows by them, and what was there keeps its number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.timezones import drives_on_left
from simulation.air.street.walls import street_walls
from simulation.traffic.signals import fixed_plans

if TYPE_CHECKING:
    from simulation.city import City

#: What turns cost beside signals and queues, s, where traffic drives on the right: as the street reader has them
#: (assumed there).
RIGHT_S, LEFT_S, U_TURN_S = 2.0, 5.0, 15.0
_STRAIGHT_DEG, _U_DEG, _HEADING_M = 45.0, 165.0, 15.0


def with_links(
    city: City, rows: dict[str, Any], *, turns: pd.DataFrame | None = None, like: np.ndarray | None = None
) -> City:
    """The city with more links at the end of its table.

    Parameters
    ----------
    city : City
    rows : dict of columns
        Of the new links, without `link_id`; columns of the city that are left out are empty, False or "".
    turns : DataFrame, optional
        Columns of `data.schemas.TURNS` of movements from and to new links; found from the shapes if not given.
    like : ndarray of int, optional
        Link of whose street each new one is a part: it has the same zones, walls and signal.

    Returns
    -------
    City
        Zones, places of the demand, sensors and receptors stay as they are.
    """
    n, k = len(city.links), len(rows["geometry"])
    ids = np.arange(n, n + k)
    new = pd.DataFrame({name: rows.get(name, [_blank(column)] * k) for name, column in city.links.items()})
    new["link_id"] = ids
    for name in new.columns:
        if name != "geometry":
            new[name] = new[name].astype(city.links[name].dtype)
    links = pd.concat([city.links, gpd.GeoDataFrame(new, geometry="geometry", crs=city.links.crs)], ignore_index=True)
    links = gpd.GeoDataFrame(links, geometry="geometry", crs=city.links.crs)
    if turns is None:
        turns = turns_of_new(city, links, ids)
    all_turns = pd.concat([city.turns, turns[city.turns.columns]], ignore_index=True)
    order = np.lexsort((all_turns["to_link_id"], all_turns["from_link_id"]))
    grown = replace(
        city, links=links, turns=all_turns.iloc[order].reset_index(drop=True),
        link_zone=_zones_of_new(city, links, ids, like), street_walls=_walls_of_new(city, links, ids, like),
        signals=city.signals if like is None else _signals_like(city, ids, like),
    )  # fmt: skip
    return grown if like is not None else _with_new_plans(grown, ids)


def turns_of_new(city: City, links: gpd.GeoDataFrame, ids: np.ndarray) -> pd.DataFrame:
    """Movements from and to some links; turning back only where nothing else leads on."""
    plain = pd.DataFrame(links[["link_id", "from_node_id", "to_node_id"]])
    pairs = plain.merge(plain, left_on="to_node_id", right_on="from_node_id", suffixes=("_in", "_out"))
    about = np.isin(pairs["link_id_in"], ids) | np.isin(pairs["link_id_out"], ids)
    pairs = pairs[about & (pairs["link_id_in"] != pairs["link_id_out"])]
    one, two = pairs["link_id_in"].to_numpy(), pairs["link_id_out"].to_numpy()
    arrive, leave = _headings(links.geometry.to_numpy()[one], end=True), _headings(links.geometry.to_numpy()[two])
    angle = (np.degrees(leave - arrive) + 180.0) % 360.0 - 180.0
    back = (pairs["from_node_id_in"] == pairs["to_node_id_out"]).to_numpy() & (np.abs(angle) > _U_DEG)
    onward = pd.Series(~back).groupby(one).transform("any").to_numpy()
    left, right = (RIGHT_S, LEFT_S) if drives_on_left(city.timezone) else (LEFT_S, RIGHT_S)
    penalty = np.select(
        [np.abs(angle) > _U_DEG, angle > _STRAIGHT_DEG, angle < -_STRAIGHT_DEG], [U_TURN_S, left, right], 0.0
    )
    table = pd.DataFrame({"from_link_id": one, "to_link_id": two, "angle_deg": angle, "penalty_s": penalty})
    return table[~back | ~onward].reset_index(drop=True)


def _headings(shapes: np.ndarray, *, end: bool = False) -> np.ndarray:
    """Heading of lines at their start or end, radians from east, over their first or last metres."""
    length = shapely.length(shapes)
    reach = np.minimum(_HEADING_M, length)
    a, b = (length - reach, length) if end else (np.zeros(len(shapes)), reach)
    first, last = shapely.line_interpolate_point(shapes, a), shapely.line_interpolate_point(shapes, b)
    return np.asarray(
        np.arctan2(shapely.get_y(last) - shapely.get_y(first), shapely.get_x(last) - shapely.get_x(first))
    )


def _zones_of_new(city: City, links: gpd.GeoDataFrame, ids: np.ndarray, like: np.ndarray | None) -> pd.DataFrame:
    """`link_zone` with the new links, by the length in each zone; the nearest zone where they lie in none."""
    if like is not None:
        owner = pd.DataFrame({"link_id": like, "new": ids}).merge(city.link_zone, on="link_id")
        more = owner.assign(link_id=owner["new"])[list(city.link_zone.columns)]
        return pd.concat([city.link_zone, more], ignore_index=True)
    shapes, zones = links.geometry.to_numpy()[ids], city.zones.geometry.to_numpy()
    share = shapely.length(shapely.intersection(shapes[:, None], zones[None, :])) / shapely.length(shapes)[:, None]
    outside = share.sum(axis=1) <= 1e-6
    share[outside, shapely.distance(shapes[outside][:, None], zones[None, :]).argmin(axis=1)] = 1.0
    share /= share.sum(axis=1, keepdims=True)
    link, zone = np.nonzero(share > 1e-6)
    more = pd.DataFrame({"link_id": ids[link], "zone_id": city.zones["zone_id"].to_numpy()[zone],
                         "share": share[link, zone]})  # fmt: skip
    return pd.concat([city.link_zone, more[list(city.link_zone.columns)]], ignore_index=True)


def _walls_of_new(city: City, links: gpd.GeoDataFrame, ids: np.ndarray, like: np.ndarray | None) -> pd.DataFrame:
    """Walls of the links that they run beside, or none: what stands beside a new street is not known."""
    old = city.street_walls
    if like is not None:
        more = old.set_index("link_id").loc[like].reset_index().assign(link_id=ids)
    else:
        alone = links.iloc[ids].assign(link_id=np.arange(ids.size))
        more = street_walls(gpd.GeoDataFrame(alone, geometry="geometry", crs=links.crs), None)
        more = more.assign(link_id=ids, street=more["street"] + int(old["street"].to_numpy().max(initial=-1)) + 1)
    return pd.concat([old, more[list(old.columns)]], ignore_index=True)


def _signals_like(city: City, ids: np.ndarray, like: np.ndarray) -> pd.DataFrame:
    """Signals with a row for each new link beside one that has one."""
    owner = pd.DataFrame({"link_id": like, "new": ids}).merge(city.signals, on="link_id")
    more = owner.assign(link_id=owner["new"])[list(city.signals.columns)]
    return pd.concat([city.signals, more], ignore_index=True).sort_values("link_id", ignore_index=True)


def _with_new_plans(city: City, ids: np.ndarray) -> City:
    """New plans where new links arrive at a signal: for the demand as it will be, signals elsewhere stay."""
    from simulation.city import peak_flow

    ends = city.links["to_node_id"].to_numpy()[ids]
    signalled = np.isin(ends, city.signals["node_id"]) | np.isin(ends, city.nodes.loc[city.nodes["signal"], "node_id"])
    if not signalled.any():
        return city
    plans = fixed_plans(city.nodes, city.links, turns=city.turns, flow_veh_per_s=peak_flow(city))
    there = plans[plans["intersection"].isin(plans.loc[plans["link_id"].isin(ids), "intersection"])]
    kept = city.signals[
        ~city.signals["node_id"].isin(there["node_id"]) & ~city.signals["link_id"].isin(there["link_id"])
    ]
    if "intersection" in kept.columns:
        first = int(kept["intersection"].max() if len(kept) else -1) + 1
        there = there.assign(intersection=first + there["intersection"].rank(method="dense").astype(np.int64) - 1)
    signals = pd.concat([kept, there[[name for name in kept.columns if name in there]]], ignore_index=True)
    return replace(city, signals=signals.sort_values("link_id", ignore_index=True))


def _blank(column: pd.Series) -> Any:
    if pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_integer_dtype(column):
        return -1
    return np.nan if pd.api.types.is_float_dtype(column) else ""
