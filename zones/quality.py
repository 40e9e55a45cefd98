"""How well a partition of the city serves: alike within, compact, balanced, with a tight fundamental diagram."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import sparse

from zones.dynamics import LinkDynamics
from zones.errors import ZoneError
from zones.membership import link_zone
from zones.partition import compactness

_DEGREE = 3  # of the curve of flow over density (Geroliminis, Haddad & Ramezani 2013, doi:10.1109/TITS.2012.2216877)


def compare_partitions(
    partitions: Mapping[str, gpd.GeoDataFrame], links: gpd.GeoDataFrame, dynamics: LinkDynamics
) -> pd.DataFrame:
    """Partitions side by side, on traffic that none of them was made from.

    Parameters
    ----------
    partitions : mapping of str to GeoDataFrame
        Zones by the partition's name; reads `zone_id`, geometry.
    links : GeoDataFrame
        `link_id`, `length_m`, `lanes`, geometry in the zones' coordinates.
    dynamics : LinkDynamics
        Of these links, on held-out days.

    Returns
    -------
    DataFrame
        One row a partition: `partition`, `zones`; `variance_speed_ratio`, `variance_density` (see
        `variance_within`; lower is better); `compactness` (area-weighted Polsby-Popper; higher is better);
        `balance_cv` (coefficient of variation of the zones' street lengths), `smallest`, `largest` (in means);
        `mfd_scatter` (see there; lower is better). `nan` where the dynamics do not tell.

    Raises
    ------
    ZoneError
        If there is no partition, or the dynamics are of other links.
    """
    if not partitions:
        raise ZoneError("there are no partitions to compare")
    wrong = {name: grid.shape for name, grid in dynamics.values.items() if grid.shape[1] != len(links)}
    if wrong:
        raise ZoneError(f"the dynamics must have a column for each of {len(links)} links; found {wrong}")
    rows = []
    for name, zones in partitions.items():
        metres = street_metres(zones, links)
        size = metres.sum(axis=1)
        variance = {q: variance_within(metres, grid) for q, grid in dynamics.values.items()}
        rows.append(
            {
                "partition": name, "zones": len(zones),
                "variance_speed_ratio": variance.get("speed_ratio", np.nan),
                "variance_density": variance.get("density_veh_per_lane_km", np.nan),
                "compactness": compactness(zones.geometry.to_numpy()), "balance_cv": float(size.std() / size.mean()),
                "smallest": float(size.min() / size.mean()), "largest": float(size.max() / size.mean()),
                "mfd_scatter": mfd_scatter(metres, links, dynamics),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def street_metres(zones: gpd.GeoDataFrame, links: gpd.GeoDataFrame) -> sparse.csr_array:
    """Metres of each link in each zone, (Z, L), each direction counted."""
    shares = link_zone(links, zones)
    row = pd.Index(zones["zone_id"]).get_indexer(shares["zone_id"])
    column = pd.Index(links["link_id"]).get_indexer(shares["link_id"])
    metres = shares["share"].to_numpy() * links["length_m"].to_numpy()[column]
    return sparse.csr_array((metres, (row, column)), shape=(len(zones), len(links)))


def variance_within(metres: sparse.csr_array, values: np.ndarray) -> float:
    """Normalised total variance: the share of the variance between links that is left within zones.

    That of Ji & Geroliminis (2012, doi:10.1016/j.trb.2012.08.005), with links counted by their length, and added up
    over intervals: 1 for a single zone, 0 where all links of a zone are alike at any time.

    Parameters
    ----------
    metres : sparse array, shape (Z, L)
        See `street_metres`.
    values : ndarray, shape (T, L)
        `nan` where unknown: left out.
    """
    there = np.isfinite(values)
    values = np.where(there, values, 0.0)
    length = metres.sum(axis=0)
    total_length = there @ length
    mean = np.divide(values @ length, total_length, out=np.zeros(len(values)), where=total_length > 0)
    values = np.where(there, values - mean[:, None], 0.0)  # around the mean: no digits are lost below
    total = float((values**2 @ length).sum())
    weight, summed = metres @ there.T.astype(float), metres @ values.T
    between = np.divide(summed**2, weight, out=np.zeros_like(summed), where=weight > 0).sum()
    return (total - float(between)) / total if total > 0.0 else np.nan


def mfd_scatter(metres: sparse.csr_array, links: pd.DataFrame, dynamics: LinkDynamics) -> float:
    """Scatter of zones' flow about their curve over density, as a share of the mean flow.

    Each zone's flow and density of a lane (Edie 1963) over the intervals; the curve is a cubic through the origin,
    fitted to the zone; the root mean square of what it leaves, over all zones by their lane length. A few points can
    always be fitted: compare partitions of equal number over many intervals.

    Parameters
    ----------
    metres : sparse array, shape (Z, L)
    links : DataFrame
        `lanes`.
    dynamics : LinkDynamics
        `nan` without density or flow.
    """
    density, flow = dynamics.values.get("density_veh_per_lane_km"), dynamics.flow_veh_per_h
    if density is None or flow is None:
        return float("nan")
    lanes = links["lanes"].to_numpy(dtype=float)
    known = np.isfinite(density) & np.isfinite(flow)
    lane_m = metres * lanes[None, :]
    size = lane_m @ known.T.astype(float)  # (Z, T)
    k = np.divide(lane_m @ np.where(known, density, 0.0).T, size, out=np.zeros_like(size), where=size > 0)
    q = np.divide(metres @ np.where(known, flow, 0.0).T, size, out=np.zeros_like(size), where=size > 0)
    left = np.zeros(len(k))
    for zone in range(len(k)):
        scale = max(float(k[zone].max()), 1e-12)
        powers = (k[zone] / scale)[:, None] ** np.arange(1, _DEGREE + 1)
        curve = powers @ np.linalg.lstsq(powers, q[zone], rcond=None)[0]
        left[zone] = float(((q[zone] - curve) ** 2).mean())
    weight = lane_m.sum(axis=1)
    mean = float(np.average(q.mean(axis=1), weights=weight))
    return float(np.sqrt(np.average(left, weights=weight)) / mean) if mean > 0 else float("nan")
