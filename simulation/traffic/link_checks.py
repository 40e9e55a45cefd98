"""What is wrong with links before a vehicle drives on them: every fault, with its cure, in one error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simulation.errors import NetworkError

if TYPE_CHECKING:
    from simulation.traffic.network import Junctions, LinkArrays

#: Fastest free-flow speed of a street, m/s: 360 km/h; what is faster was given in another unit.
MAX_SPEED_MPS = 100.0
#: Longest link, m; assumption: what is longer was given in another unit, or its ends in another reference system.
MAX_LENGTH_M = 1e6
_POSITIVE = ("length_m", "lanes", "speed_mps", "capacity_veh_per_s", "discharge_veh_per_s", "jam_density_veh_per_m")
_OPTIONAL = ("merge_weight", "capacity_drop", "side_lanes", "key")
_COLUMN = {"speed_mps": "free_flow_speed_mps"}


def check_arrays(arrays: LinkArrays) -> None:
    """Refuse links on which vehicles could not move, or would move at impossible speeds.

    Raises
    ------
    NetworkError
        Naming every fault, the first link that has it and how many do.
    """
    faults = array_faults(arrays)
    if faults:
        raise NetworkError("the links cannot carry traffic: " + "; ".join(faults))


def array_faults(arrays: LinkArrays) -> list[str]:
    """Faults of links as arrays, in words."""
    n = np.shape(arrays.length_m)
    faults = [
        f"{name} has shape {np.shape(value)}; it needs one value a link, {n}"
        for name in (*_POSITIVE, "cycle_s", "green_start_s", "green_s", *_OPTIONAL)
        if (value := getattr(arrays, name)) is not None and np.shape(value) != n
    ]
    if faults:
        return faults
    for name in _POSITIVE:
        faults += positive_faults(name, np.asarray(getattr(arrays, name), float))
    faults += unit_faults("speed_mps", np.asarray(arrays.speed_mps), "length_m", np.asarray(arrays.length_m))
    with np.errstate(divide="ignore", invalid="ignore"):
        critical = arrays.capacity_veh_per_s / arrays.speed_mps
        faults += _told(
            arrays.jam_density_veh_per_m <= critical, arrays.jam_density_veh_per_m,
            "jam_density_veh_per_m must exceed capacity / speed, or no backward wave follows (was capacity given per"
            " hour?)",
        )  # fmt: skip
    cycle, green = np.asarray(arrays.cycle_s), np.asarray(arrays.green_s)
    faults += _told(~(np.isfinite(cycle) & (cycle >= 0)), cycle, "cycle_s must be at least 0, which means no signal")
    faults += _told(~(np.isfinite(green) & (green >= 0)), green, "green_s must be at least 0")
    if arrays.merge_weight is not None:
        faults += positive_faults("merge_weight", np.asarray(arrays.merge_weight, float))
    if arrays.capacity_drop is not None:
        drop = np.asarray(arrays.capacity_drop)
        faults += _told(~((drop >= 0) & (drop < 1)), drop, "capacity_drop must be at least 0 and below 1")
    if arrays.side_lanes is not None:
        side = np.asarray(arrays.side_lanes)
        faults += _told(~(side >= 0), side, "side_lanes must be at least 0")
    if arrays.junctions is not None:
        faults += _junction_faults(arrays.junctions, n[0])
    return faults


def _junction_faults(rules: Junctions, n: int) -> list[str]:
    faults = []
    for name in ("yield_to", "pocket_link", "pocket_to"):
        value = getattr(rules, name)
        if value.size and (value.min() < 0 or value.max() >= n):
            faults.append(f"junctions.{name} names links outside 0..{n - 1}")
    k = rules.node_headway_s.size
    if rules.node.shape != (n,) or rules.node.max(initial=-1) >= k:
        faults.append(f"junctions.node must hold one of 0..{k - 1} or -1 for each of {n} links")
    if rules.yield_start.shape != (n + 1,) or rules.yield_start[-1] != rules.yield_to.size:
        faults.append(f"junctions.yield_start must hold {n + 1} ranges of yield_to")
    if (np.diff(rules.pocket_link) < 0).any() or (rules.pocket_storage < 1).any():
        faults.append("pockets must be in order of their links, and hold at least one vehicle each")
    for name in ("node_headway_s", "critical_gap_s", "pocket_headway_s"):
        value = getattr(rules, name)
        if not (np.isfinite(value) & (value >= 0)).all():
            faults.append(f"junctions.{name} must be at least 0")
    return faults


def table_faults(links: pd.DataFrame, nodes: pd.DataFrame | None = None) -> list[str]:
    """Faults of a table of links (`data.schemas.LINKS`), in words; with a table of nodes, of their ends too."""
    needed = ("link_id", "from_node_id", "to_node_id", *(_COLUMN.get(k, k) for k in _POSITIVE if k[:3] != "dis"))
    missing = [name for name in needed if name not in links]
    if missing:
        return [f"column(s) {', '.join(missing)} missing"]
    faults = []
    if not len(links):
        faults.append("there is no link")
    if not np.array_equal(links["link_id"].to_numpy(), np.arange(len(links))):
        faults.append("link_id must be 0..n-1 in order; sort and renumber the links")
    for name in needed[3:]:
        faults += positive_faults(name, pd.to_numeric(links[name], errors="coerce").to_numpy(float))
    speed, length = (links[name].to_numpy() for name in ("free_flow_speed_mps", "length_m"))
    faults += unit_faults("free_flow_speed_mps", speed, "length_m", length)
    for name in ("from_node_id", "to_node_id"):
        values = pd.to_numeric(links[name], errors="coerce").to_numpy(float)
        faults += _told(~(values >= 0) | (values != np.floor(values)), values, f"{name} must be a whole number from 0")
        if nodes is not None:
            unknown = ~links[name].isin(nodes["node_id"]).to_numpy()
            faults += _told(unknown, values, f"{name} must be in the table of nodes")
    return faults


def signal_faults(signals: pd.DataFrame, n_links: int) -> list[str]:
    """Faults of a table of signals (`data.schemas.SIGNALS`), in words."""
    at = signals["link_id"].to_numpy()
    outside = at[(at < 0) | (at >= n_links)]
    faults = [f"signals name links outside 0..{n_links - 1}: {outside[:3].tolist()}"] if outside.size else []
    for name in ("cycle_s", "green_s"):
        value = signals[name].to_numpy(float)
        faults += _told(~(np.isfinite(value) & (value > 0)), value, f"{name} of signals must be above 0", "signal")
    return faults


def turn_faults(turns: pd.DataFrame, n_links: int) -> list[str]:
    """Faults of a table of turns (`data.schemas.TURNS`), in words."""
    both = turns[["from_link_id", "to_link_id"]].to_numpy().ravel()
    outside = both[(both < 0) | (both >= n_links)]
    faults = [f"turns name links outside 0..{n_links - 1}: {outside[:3].tolist()}"] if outside.size else []
    penalty = turns["penalty_s"].to_numpy(float)
    if penalty.size and not (np.isfinite(penalty) & (penalty >= 0)).all():
        faults.append("turn penalties must be finite and at least 0 s")
    return faults


def positive_faults(name: str, values: np.ndarray) -> list[str]:
    """A fault if some values are not finite or not above zero."""
    return _told(~(np.isfinite(values) & (values > 0)), values, f"{name} must be above 0")


def unit_faults(speed_name: str, speed: np.ndarray, length_name: str, length: np.ndarray) -> list[str]:
    """Faults of speeds and lengths that no street has."""
    return [
        *_told(
            speed > MAX_SPEED_MPS, speed, f"{speed_name} must be at most {MAX_SPEED_MPS:g} m/s (was it given in km/h?)"
        ),
        *_told(length > MAX_LENGTH_M, length, f"{length_name} must be at most {MAX_LENGTH_M:g} m"),
    ]


def _told(bad: np.ndarray, values: np.ndarray, rule: str, what: str = "link") -> list[str]:
    at = np.flatnonzero(bad)
    return [f"{rule}; {what} {at[0]} has {values[at[0]]:g} ({at.size} such {what}s)"] if at.size else []
