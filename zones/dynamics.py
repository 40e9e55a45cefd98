"""How traffic on each link goes through the day: tables of link dynamics as arrays, gaps filled, few factors kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from data.units import SECONDS_PER_HOUR
from zones.errors import ZoneError

#: What a table of link dynamics may tell, in the order of preference; density is of one lane.
QUANTITIES = ("speed_ratio", "density_veh_per_lane_km")
_TABLE = ("speed_ratio", "density_veh_per_km", "flow_veh_per_h")
_MIN_RATIO = 1e-3  # density from flow and speed: a slower link stands
_ROUNDS = 50  # how far data travels along streets of one class, in links


@dataclass(frozen=True, slots=True)
class LinkDynamics:
    """Traffic of L links over T intervals.

    Attributes
    ----------
    values : dict of ndarray, shape (T, L)
        `speed_ratio` (speed over free flow, 0 to 1; `nan` where nobody drove or nothing is known) and
        `density_veh_per_lane_km` (`nan` where nothing is known), those that there are.
    flow_veh_per_h : ndarray, shape (T, L), or None
        Of the link, all lanes.
    slot : ndarray of int, shape (T,)
        Interval of the day (and kind of day, where told) that each row belongs to.
    """

    values: dict[str, np.ndarray]
    flow_veh_per_h: np.ndarray | None
    slot: np.ndarray

    def of(self, links: np.ndarray) -> LinkDynamics:
        """The same of some links: a mask or positions."""
        flow = None if self.flow_veh_per_h is None else self.flow_veh_per_h[:, links]
        return LinkDynamics({name: grid[:, links] for name, grid in self.values.items()}, flow, self.slot)

    def known(self) -> np.ndarray:
        """Which links have any data, shape (L,), bool."""
        return np.any([np.isfinite(grid).any(axis=0) for grid in self.values.values()], axis=0)


def link_dynamics(table: pd.DataFrame, links: pd.DataFrame) -> LinkDynamics:
    """Arrays from a table of link dynamics, such as a run's `link_profile`.

    Parameters
    ----------
    table : DataFrame
        `link_id`; `time`, or `step_of_day` and, if told, `day_type`; and of `speed_ratio`, `density_veh_per_km`,
        `flow_veh_per_h` (of the link, all lanes) at least one of the first two. Without density it follows from flow
        and speed (Edie 1963: density = flow / speed). One row a link and interval; what has no row is unknown.
    links : DataFrame
        `link_id`, `lanes`, `free_flow_speed_mps`.

    Raises
    ------
    ZoneError
        With every fault of the table.
    """
    key = ["time"] if "time" in table.columns else [c for c in ("day_type", "step_of_day") if c in table.columns]
    told = [name for name in _TABLE if name in table.columns]
    row = pd.Index(links["link_id"]).get_indexer(table["link_id"]) if "link_id" in table.columns else np.array([])
    faults = _faults(table, key, told, row)
    if faults:
        raise ZoneError(f"the table of link dynamics has {len(faults)} fault(s): " + "; ".join(faults))
    at = table.groupby(key, sort=True, observed=True).ngroup().to_numpy()
    if key == ["time"]:
        times = pd.DatetimeIndex(table["time"].drop_duplicates().sort_values())
        second = times.hour * 3600 + times.minute * 60 + times.second
        slot = np.unique(second, return_inverse=True)[1]
    else:
        slot = np.arange(at.max() + 1)
    grids = {}
    for name in told:
        grids[name] = np.full((at.max() + 1, len(links)), np.nan)
        grids[name][at, row] = table[name].to_numpy(dtype=float, na_value=np.nan)
    lanes, free = (links[c].to_numpy(dtype=float) for c in ("lanes", "free_flow_speed_mps"))
    return _dynamics(grids, lanes, free, slot)


def dynamics_of_state(
    vehicle_distance_m: np.ndarray, vehicle_time_s: np.ndarray, links: pd.DataFrame, *, step_s: float
) -> LinkDynamics:
    """Dynamics from the distance and time that vehicles spent on each link (Edie 1963).

    Parameters
    ----------
    vehicle_distance_m, vehicle_time_s : ndarray, shape (T, L)
        All classes together; intervals of `step_s` from midnight on.
    links : DataFrame
        `length_m`, `lanes`, `free_flow_speed_mps`; L rows.
    step_s : float
        Length of an interval, s.
    """
    length, lanes, free = (links[c].to_numpy(dtype=float) for c in ("length_m", "lanes", "free_flow_speed_mps"))
    span = length * step_s
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(vehicle_time_s > 0.0, vehicle_distance_m / vehicle_time_s / free, np.nan)
    grids = {
        "speed_ratio": np.minimum(ratio, 1.0), "density_veh_per_km": vehicle_time_s / span * 1000.0,
        "flow_veh_per_h": vehicle_distance_m / span * SECONDS_PER_HOUR,
    }  # fmt: skip
    per_day = max(1, round(86_400 / step_s))
    return _dynamics(grids, lanes, free, np.arange(len(ratio)) % per_day)


def _dynamics(grids: dict[str, np.ndarray], lanes: np.ndarray, free: np.ndarray, slot: np.ndarray) -> LinkDynamics:
    values = {}
    if "speed_ratio" in grids:
        values["speed_ratio"] = np.clip(grids["speed_ratio"], 0.0, 1.0)
    flow = grids.get("flow_veh_per_h")
    if "density_veh_per_km" in grids:
        values["density_veh_per_lane_km"] = grids["density_veh_per_km"] / lanes
    elif flow is not None and "speed_ratio" in values:
        speed_kmh = np.maximum(values["speed_ratio"], _MIN_RATIO) * free * 3.6
        empty = (flow == 0.0) & np.isnan(speed_kmh)
        values["density_veh_per_lane_km"] = np.where(empty, 0.0, flow / speed_kmh) / lanes
    return LinkDynamics(values, flow, slot)


def _faults(table: pd.DataFrame, key: list[str], told: list[str], row: np.ndarray) -> list[str]:
    faults = []
    if "link_id" not in table.columns:
        faults.append("no column 'link_id'")
    if not key or key == ["day_type"]:
        faults.append("no column 'time' or 'step_of_day' tells when")
    if not {"speed_ratio", "density_veh_per_km"} & set(told):
        faults.append(f"no column of {', '.join(_TABLE[:2])}; found {list(map(str, table.columns))}")
    if len(table) == 0:
        faults.append("it has no row")
    if "time" in key and not pd.api.types.is_datetime64_any_dtype(table["time"]):
        faults.append(f"column 'time' holds {table['time'].dtype}; parse the times")
    if (row < 0).any():
        wrong = table["link_id"].to_numpy()[row < 0]
        faults.append(f"{(row < 0).sum()} row(s) name links that are not in the network, first link {wrong[0]}")
    if "link_id" in table.columns and key and table.duplicated(["link_id", *key]).any():
        faults.append(f"{int(table.duplicated(['link_id', *key]).sum())} row(s) repeat a link and interval")
    for name in told:
        if not pd.api.types.is_numeric_dtype(table[name]):
            faults.append(f"column '{name}' holds {table[name].dtype}; turn it into numbers")
            continue
        number = table[name].to_numpy(dtype=float, na_value=np.nan)
        if (np.isinf(number) | (number < 0.0)).any():
            faults.append(f"column '{name}' has {int((np.isinf(number) | (number < 0.0)).sum())} negative or infinite"
                          " value(s)")  # fmt: skip
    if not faults and not np.isfinite(table[told].to_numpy(dtype=float, na_value=np.nan)).any():
        faults.append(f"all of {', '.join(told)} is missing")
    return faults


def daily_profile(dynamics: LinkDynamics) -> dict[str, np.ndarray]:
    """Mean of each link by interval of the day, shape (S, L) each; `nan` where it never had a value."""
    n_slots = int(dynamics.slot.max()) + 1
    pick = sparse.csr_array(
        (np.ones(len(dynamics.slot)), (dynamics.slot, np.arange(len(dynamics.slot)))),
        shape=(n_slots, len(dynamics.slot)),
    )
    out = {}
    for name, grid in dynamics.values.items():
        there = np.isfinite(grid)
        count = pick @ there.astype(float)
        total = pick @ np.where(there, grid, 0.0)
        out[name] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return out


def filled(profile: np.ndarray, links: pd.DataFrame) -> np.ndarray:
    """A profile without gaps, shape (S, L).

    A link that lacks some intervals takes the usual course of its road class there, moved to its own level. A link
    without data takes the mean of the links of its road class that it meets, and so on along the streets of that class;
    then the mean of its class; then that of all links.

    Parameters
    ----------
    profile : ndarray, shape (S, L)
    links : DataFrame
        `from_node_id`, `to_node_id`, `road_class`; L rows.
    """
    there = np.isfinite(profile)
    known = there.any(axis=0)
    if there.all():
        return profile
    classes, kind = np.unique(links["road_class"].astype("str").to_numpy(), return_inverse=True)
    usual = _class_means(profile, kind, len(classes))
    level = np.where(there, profile - usual[:, kind], 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    full = np.where(there, profile, usual[:, kind] + level)
    full[:, ~known] = 0.0
    near = _same_class_neighbours(links, kind)
    for _ in range(_ROUNDS):
        if known.all():
            return full
        count = near @ known.astype(float)
        reached = ~known & (count > 0)
        if not reached.any():
            break
        full[:, reached] = ((near[reached] @ (full * known).T) / count[reached, None]).T
        known |= reached
    full[:, ~known] = usual[:, kind[~known]]
    return full


def _class_means(profile: np.ndarray, kind: np.ndarray, n: int) -> np.ndarray:
    """Mean by interval of each road class, (S, n); of all links, and of all intervals, where a class has none."""
    there = np.isfinite(profile)
    member = sparse.csr_array((np.ones(len(kind)), (np.arange(len(kind)), kind)), shape=(len(kind), n))
    count, total = there @ member, np.where(there, profile, 0.0) @ member
    every = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
    every[count.sum(axis=1) == 0] = total.sum() / count.sum()
    return np.where(count > 0, total / np.maximum(count, 1), every[:, None])


def _same_class_neighbours(links: pd.DataFrame, kind: np.ndarray) -> sparse.csr_array:
    """Links of the same road class that share a node, (L, L)."""
    n = len(links)
    ends = links[["from_node_id", "to_node_id"]].to_numpy()
    place = np.unique(ends * (int(kind.max()) + 1) + kind[:, None], return_inverse=True)[1].reshape(n, 2)
    at = sparse.csr_array((np.ones(2 * n), (np.repeat(np.arange(n), 2), place.ravel())))
    near = sparse.csr_array(at @ at.T)
    near.setdiag(0.0)
    near.eliminate_zeros()
    near.data[:] = 1.0
    return near


def factors(values: np.ndarray, weight: np.ndarray, *, share: float = 0.98, most: int = 12) -> np.ndarray:
    """Coordinates of rows on the axes of largest weighted variance (Eckart & Young 1936, doi:10.1007/BF02288367).

    Parameters
    ----------
    values : ndarray, shape (U, C)
    weight : ndarray, shape (U,)
    share : float
        Axes are kept until they carry this share of the variance; the rest of a profile is mostly chance.
    most : int
        Axes at most.

    Returns
    -------
    ndarray, shape (U, F)
        Distances between rows are those of `values`, but for what is left out.
    """
    centred = values - np.average(values, axis=0, weights=weight)
    spread, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred)
    spread, axes = np.maximum(spread[::-1], 0.0), axes[:, ::-1]
    if spread[0] <= 0.0:
        return np.zeros((len(values), 1))
    n = int(np.searchsorted(np.cumsum(spread) / spread.sum(), share)) + 1
    axes = axes[:, : min(n, most)]
    # an axis has no direction of its own; its largest entry shall be positive, on any machine
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return centred @ axes
