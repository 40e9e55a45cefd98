"""Tables to arrays: what the kernel needs of nodes, links, turns and signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import NetworkError
from simulation.traffic.kernels import LINK, NONE

#: Saturation flow of a lane at a signal, veh/s: 1,800 veh/h, i.e. 2 s headway (SUMO tlsCycleAdaptation default).
SATURATION_FLOW_PER_LANE = 0.5
#: Shortest free-flow time of a link, s: OSM links of a few metres must not cost less than one reaction time.
MIN_FREE_TIME_S = 0.5
#: Slots of a ring beyond the storage, taken only by vehicles that squeeze in when patience ends.
RING_SLACK = 4
#: How long a head waits at a full link before it squeezes in, s.
PATIENCE_S = 600.0
#: Smallest ratio of jam density to critical density: keeps the backward wave finite.
MIN_JAM_RATIO = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnIndex:
    """Turns grouped by the link they lead into."""

    in_start: np.ndarray  # (n + 1,) int64
    in_link: np.ndarray  # (turns,) int64
    in_penalty: np.ndarray  # (turns,) s


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkArrays:
    """What a link is, as arrays in the order of `link_id`; the physical input of `make_links`."""

    length_m: np.ndarray
    lanes: np.ndarray
    speed_mps: np.ndarray
    capacity_veh_per_s: np.ndarray  # discharge over all lanes
    jam_density_veh_per_m: np.ndarray  # over all lanes
    cycle_s: np.ndarray
    green_start_s: np.ndarray
    green_s: np.ndarray


def link_arrays(links: pd.DataFrame, signals: pd.DataFrame) -> LinkArrays:
    """Arrays of the links table; a link that ends at a signal discharges at saturation flow while it is green.

    Parameters
    ----------
    links : DataFrame
        Columns of `data.schemas.LINKS`; `link_id` is 0..n-1 in order.
    signals : DataFrame
        Columns of `data.schemas.SIGNALS`.

    Raises
    ------
    NetworkError
        Naming every fault: ids out of order, lengths, speeds, capacities or densities that are not above zero.
    """
    _check(links)
    n = len(links)
    cycle, start, green = np.zeros(n), np.zeros(n), np.zeros(n)
    at = signals["link_id"].to_numpy()
    if len(at) and (at.min() < 0 or at.max() >= n):
        raise NetworkError(f"signals name links outside 0..{n - 1}: {at[(at < 0) | (at >= n)][:3].tolist()}")
    cycle[at], start[at], green[at] = (signals[name].to_numpy() for name in ("cycle_s", "green_start_s", "green_s"))
    lanes = links["lanes"].to_numpy(float)
    capacity = links["capacity_veh_per_s"].to_numpy(float)
    capacity = np.where(cycle > 0, np.maximum(capacity, lanes * SATURATION_FLOW_PER_LANE), capacity)
    speed = links["free_flow_speed_mps"].to_numpy(float)
    jam = np.maximum(links["jam_density_veh_per_m"].to_numpy(float), MIN_JAM_RATIO * capacity / speed)
    return LinkArrays(
        length_m=links["length_m"].to_numpy(float), lanes=lanes, speed_mps=speed, capacity_veh_per_s=capacity,
        jam_density_veh_per_m=jam, cycle_s=cycle, green_start_s=start, green_s=green,
    )  # fmt: skip


def _check(links: pd.DataFrame) -> None:
    faults = []
    if not np.array_equal(links["link_id"].to_numpy(), np.arange(len(links))):
        faults.append("link_id must be 0..n-1 in order")
    for name in ("length_m", "lanes", "free_flow_speed_mps", "capacity_veh_per_s", "jam_density_veh_per_m"):
        values = links[name].to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if bad.size:
            faults.append(f"{name} must be above 0; link {bad[0]} has {values[bad[0]]:g} ({bad.size} such links)")
    if faults:
        raise NetworkError("the links cannot carry traffic: " + "; ".join(faults))


def make_links(arrays: LinkArrays) -> np.ndarray:
    """Kernel links, empty: storage is rounded up to at least one vehicle, so no link is a bottleneck by being short.

    Returns
    -------
    ndarray, shape (n_links,)
        Of dtype `simulation.traffic.kernels.LINK`.
    """
    length, speed, capacity = arrays.length_m, arrays.speed_mps, arrays.capacity_veh_per_s
    links = np.zeros(length.size, dtype=LINK)
    links["length"] = length
    links["free_time"] = np.maximum(length / speed, MIN_FREE_TIME_S)
    links["headway"] = 1.0 / capacity
    links["wave_time"] = length * (arrays.jam_density_veh_per_m - capacity / speed) / capacity
    links["storage"] = np.maximum(np.ceil(arrays.jam_density_veh_per_m * length - 1e-9), 1)
    links["ring_size"] = links["storage"] + RING_SLACK
    links["ring_start"] = np.concatenate([[0], np.cumsum(links["ring_size"])[:-1]])
    links["cycle"], links["green_start"], links["green"] = arrays.cycle_s, arrays.green_start_s, arrays.green_s
    links["patience"] = PATIENCE_S
    links["last_entry"] = links["last_exit"] = -np.inf
    for name in ("want", "want_next", "ask_head", "finish_at", "gate_head", "gate_tail"):
        links[name] = NONE
    return links


def turn_index(turns: pd.DataFrame, n_links: int) -> TurnIndex:
    """Turns by the link they lead into.

    Parameters
    ----------
    turns : DataFrame
        Columns of `data.schemas.TURNS`.

    Raises
    ------
    NetworkError
        If a turn names a link that is not there or has a negative penalty.
    """
    start, end = turns["from_link_id"].to_numpy(), turns["to_link_id"].to_numpy()
    both = np.concatenate([start, end])
    if both.size and (both.min() < 0 or both.max() >= n_links):
        raise NetworkError(f"turns name links outside 0..{n_links - 1}")
    penalty = turns["penalty_s"].to_numpy(float)
    if penalty.size and not (np.isfinite(penalty) & (penalty >= 0)).all():
        raise NetworkError("turn penalties must be finite and at least 0 s")
    order = np.lexsort((start, end))
    return TurnIndex(
        in_start=np.searchsorted(end[order], np.arange(n_links + 1)).astype(np.int64),
        in_link=start[order].astype(np.int64),
        in_penalty=penalty[order],
    )
