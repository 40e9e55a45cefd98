"""Tables to arrays: what the kernel needs of nodes, links, turns and signals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simulation.errors import NetworkError
from simulation.traffic.layout import LANE, LINK, MAX_CIRCLE, NONE, YIELD
from simulation.traffic.link_checks import check_arrays, signal_faults, table_faults, turn_faults

#: Saturation flow of a lane at a signal, veh/s: 1,800 veh/h, i.e. 2 s headway (SUMO tlsCycleAdaptation default).
SATURATION_FLOW_PER_LANE = 0.5
#: Shortest free-flow time of a link, s: OSM links of a few metres must not cost less than one reaction time.
MIN_FREE_TIME_S = 0.5
#: Backward wave of a street that is not held up at its end, m/s: about 1.5 s of reaction a vehicle at 7.5 m of street
#: each (Newell 2002, doi:10.1016/S0191-2615(00)00044-8).
WAVE_SPEED_MPS = 5.0
#: Longest link inside a signalled intersection, m; assumption: width of a large junction.
INSIDE_M = 35.0
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
    capacity_veh_per_s: np.ndarray  # of the fundamental diagram, over all lanes: what the street itself carries
    discharge_veh_per_s: np.ndarray  # at its end over all lanes, in green where there is a signal
    jam_density_veh_per_m: np.ndarray  # over all lanes
    cycle_s: np.ndarray
    green_start_s: np.ndarray
    green_s: np.ndarray
    merge_weight: np.ndarray | None = None  # share of a link in a saturated merge; None: its discharge
    capacity_drop: np.ndarray | None = None  # share of capacity that a queue before a bottleneck loses; None: 0
    side_lanes: np.ndarray | None = None  # int: vehicles that may stand beside the head at the stop line; None: 0, FIFO
    key: np.ndarray | None = None  # (n,) uint64: names a link whatever its number; None: its number
    junctions: Junctions | None = None  # who gives way, and what a junction can pass on; None: by weight alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Junctions:
    """What links do at the junctions at their ends, besides merging by weight.

    Links n, junctions of limited capacity k, turn pockets p.
    """

    node: np.ndarray  # (n,) int32, limited junction at the end of each link, -1
    node_headway_s: np.ndarray  # (k,) s between two vehicles that cross it
    yield_start: np.ndarray  # (n + 1,) int64, ranges of yield_to: the rules of a link to give way
    yield_to: np.ndarray  # int32, link whose next vehicle has priority
    critical_gap_s: np.ndarray  # (n,) s that it must be away, for drivers of each link
    pocket_link: np.ndarray  # (p,) int32, in order; lanes of a link that serve some of its turns only
    pocket_storage: np.ndarray  # (p,) int32, vehicles
    pocket_headway_s: np.ndarray  # (p,) s
    pocket_start: np.ndarray  # (p + 1,) int64, ranges of pocket_to
    pocket_to: np.ndarray  # int32, links that a pocket leads to
    # of each rule to give way, where it does not hold for all movements
    yield_target: np.ndarray | None = None  # int32, link that a vehicle enters; -1 or None: any
    yield_then: np.ndarray | None = None  # int32, link that the vehicle with priority must be bound for; -1, None: any
    yield_gap_s: np.ndarray | None = None  # s; None: critical_gap_s of the link
    yield_lead_s: np.ndarray | None = None  # s from the end of yield_to to the junction; None: 0, it ends there


def no_junctions(n_links: int) -> Junctions:
    """Junctions without any rule."""
    none = np.zeros(0, dtype=np.int32)
    return Junctions(
        node=np.full(n_links, NONE, np.int32), node_headway_s=np.zeros(0),
        yield_start=np.zeros(n_links + 1, np.int64), yield_to=none, critical_gap_s=np.zeros(n_links), pocket_link=none,
        pocket_storage=none, pocket_headway_s=np.zeros(0), pocket_start=np.zeros(1, np.int64), pocket_to=none,
    )  # fmt: skip


def link_arrays(
    links: pd.DataFrame,
    signals: pd.DataFrame,
    *,
    turns: pd.DataFrame | None = None,
    drives_on_left: bool = False,
    passing: bool = True,
) -> LinkArrays:
    """Arrays of the links table.

    The table's capacity is what a street of its class passes on in a town, junctions included (as in MATSim). A street
    itself carries more: the capacity of its fundamental diagram follows from its speed, jam density and
    `WAVE_SPEED_MPS`. A link that ends at a signal discharges at saturation flow in green. At other junctions the rules
    of `simulation.traffic.junctions` hold; without a table of turns, who gives way passes on the table's capacity.

    Parameters
    ----------
    links : DataFrame
        Columns of `data.schemas.LINKS`; `link_id` is 0..n-1 in order.
    signals : DataFrame
        Columns of `data.schemas.SIGNALS`.
    turns : DataFrame, optional
        Columns of `data.schemas.TURNS`.
    drives_on_left, passing : bool
        See `simulation.traffic.junctions.junction_rules`.

    Raises
    ------
    NetworkError
        Naming every fault: ids out of order, lengths, speeds, capacities or densities that are not above zero.
    """
    _check(links)
    n = len(links)
    cycle, start, green = np.zeros(n), np.zeros(n), np.zeros(n)
    at = signals["link_id"].to_numpy()
    if faults := signal_faults(signals, n):
        raise NetworkError("the signals cannot be used: " + "; ".join(faults))
    cycle[at], start[at], green[at] = (signals[name].to_numpy() for name in ("cycle_s", "green_start_s", "green_s"))
    lanes = links["lanes"].to_numpy(float)
    table = links["capacity_veh_per_s"].to_numpy(float)
    speed = links["free_flow_speed_mps"].to_numpy(float)
    jam = links["jam_density_veh_per_m"].to_numpy(float)
    capacity = np.maximum(table, WAVE_SPEED_MPS * jam * speed / (speed + WAVE_SPEED_MPS))
    saturation = np.where(cycle > 0, np.minimum(lanes * SATURATION_FLOW_PER_LANE, capacity), capacity)
    arrays = LinkArrays(
        length_m=links["length_m"].to_numpy(float), lanes=lanes, speed_mps=speed, capacity_veh_per_s=capacity,
        discharge_veh_per_s=np.where(_gives_way(links, signals) & (cycle <= 0), table, saturation),
        jam_density_veh_per_m=np.maximum(jam, MIN_JAM_RATIO * capacity / speed),
        cycle_s=cycle, green_start_s=start, green_s=green, key=link_keys(links),
    )  # fmt: skip
    if turns is None:
        return arrays
    from simulation.traffic.junctions import junction_rules  # which reads this file

    rules = junction_rules(
        links, turns, signals, saturation_veh_per_s=saturation, drives_on_left=drives_on_left, passing=passing
    )
    return replace(
        arrays, discharge_veh_per_s=rules.discharge_veh_per_s,
        side_lanes=rules.side_lanes, junctions=rules.junctions,
    )  # fmt: skip


def link_keys(links: pd.DataFrame) -> np.ndarray:
    """Names of links that do not depend on their numbers: a hash of their ends, length, speed and lanes. uint64, (n,).

    Links that agree in all of these are told apart in the order they come.
    """
    named = links[["from_node_id", "to_node_id", "length_m", "free_flow_speed_mps", "lanes"]].reset_index(drop=True)
    named = named.assign(again=named.groupby(list(named.columns)).cumcount())
    return pd.util.hash_pandas_object(named, index=False).to_numpy(np.uint64)


def _gives_way(links: pd.DataFrame, signals: pd.DataFrame) -> np.ndarray:
    """Links whose end is a junction without signal where another street is at least as important. bool, (n_links,).

    A link ends at no junction where only one street arrives. The short links inside a signalled intersection
    (they begin at a signal and are shorter than `INSIDE_M`) clear with its green.
    """
    start, end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
    rank = (links["capacity_veh_per_s"] / links["lanes"]).round(6).to_numpy()
    arriving = pd.DataFrame({"start": start, "end": end, "rank": rank})
    streets = arriving.groupby("end")["start"].transform("nunique").to_numpy()
    best = arriving.groupby("end")["rank"].transform("max").to_numpy()
    rivals = arriving.assign(top=rank >= best).groupby("end")["top"].transform("sum").to_numpy()
    # two opposite arrivals of one street do not cross each other; three or more streets of one rank do
    minor = (streets >= 2) & ((rank < best) | (rivals > 2))
    signalled = np.isin(start, signals["node_id"]) & (links["length_m"].to_numpy() < INSIDE_M)
    return minor & ~signalled & ~np.isin(end, signals["node_id"])


def _check(links: pd.DataFrame) -> None:
    faults = table_faults(links)
    if faults:
        raise NetworkError("the links cannot carry traffic: " + "; ".join(faults))


def make_links(arrays: LinkArrays) -> np.ndarray:
    """Kernel links, empty: storage is rounded up to at least one vehicle, so no link is a bottleneck by being short.

    Returns
    -------
    ndarray, shape (n_links,)
        Of dtype `simulation.traffic.layout.LINK`.

    Raises
    ------
    NetworkError
        Naming every fault; see `simulation.traffic.link_checks`.
    """
    check_arrays(arrays)
    length, speed, capacity = arrays.length_m, arrays.speed_mps, arrays.capacity_veh_per_s
    n = length.size
    links = np.zeros(n, dtype=LINK)
    links["length"] = length
    links["free_time"] = np.maximum(length / speed, MIN_FREE_TIME_S)
    links["headway_in"], links["headway"] = 1.0 / capacity, 1.0 / arrays.discharge_veh_per_s
    links["wave_time"] = length * (arrays.jam_density_veh_per_m - capacity / speed) / capacity
    links["storage"] = storage(arrays)
    links["ring_size"] = links["storage"]
    links["ring_start"] = np.concatenate([[0], np.cumsum(links["ring_size"], dtype=np.int64)[:-1]])
    links["cycle"], links["green_start"], links["green"] = arrays.cycle_s, arrays.green_start_s, arrays.green_s
    links["turn"] = 1.0 / (arrays.discharge_veh_per_s if arrays.merge_weight is None else arrays.merge_weight)
    links["drop"] = 1.0 if arrays.capacity_drop is None else 1.0 / (1.0 - arrays.capacity_drop)
    links["key"] = np.arange(n) if arrays.key is None else arrays.key
    links["abreast"] = np.clip(np.rint(arrays.lanes), 1, links["ring_size"])
    links["last_entry"] = links["last_out"] = -np.inf
    for name in ("ask_head", "gate_head", "gate_tail"):
        links[name] = NONE
    rules = arrays.junctions or no_junctions(n)
    lanes = make_lanes(arrays)
    links["node"] = np.where(rules.node < 0, NONE, rules.node + lanes.size - rules.node_headway_s.size)
    base = 3 * MAX_CIRCLE + rules.pocket_to.size
    first, last = YIELD * rules.yield_start[:-1], YIELD * rules.yield_start[1:]
    links["yield_start"], links["yield_end"] = first + base, last + base
    owner = lanes["link"][lanes["link"] != NONE]
    links["lane_start"] = np.searchsorted(owner, np.arange(n))
    links["lane_count"] = np.bincount(owner, minlength=n)
    return links


def storage(arrays: LinkArrays) -> np.ndarray:
    """Vehicles that fit on each link at jam density, rounded up to whole ones, at least 1. int64, (n_links,)."""
    return np.maximum(np.ceil(arrays.jam_density_veh_per_m * arrays.length_m - 1e-9), 1).astype(np.int64)


def rounded_up(arrays: LinkArrays) -> int:
    """Number of links shorter than one vehicle, which hold one all the same."""
    return int((arrays.jam_density_veh_per_m * arrays.length_m < 1 - 1e-9).sum())


def make_lanes(arrays: LinkArrays) -> np.ndarray:
    """Side lanes at the stop lines: the turn pockets of a link, or places for any vehicle where it has none.

    Returns
    -------
    ndarray
        Of dtype `simulation.traffic.layout.LANE`, in order of link; junctions of limited capacity behind them.
    """
    n = arrays.length_m.size
    rules = arrays.junctions or no_junctions(n)
    plain = np.zeros(n, np.int64) if arrays.side_lanes is None else np.asarray(arrays.side_lanes, np.int64).copy()
    plain[rules.pocket_link] = 0
    owner = np.concatenate([rules.pocket_link, np.repeat(np.arange(n), plain)]).astype(np.int32)
    lanes = _empty_lanes(owner.size)
    p = rules.pocket_link.size
    lanes["link"], lanes["capacity"] = owner, 1
    lanes["capacity"][:p], lanes["headway"][:p] = rules.pocket_storage, rules.pocket_headway_s
    base = 3 * MAX_CIRCLE
    lanes["target_start"][:p], lanes["target_end"][:p] = rules.pocket_start[:-1] + base, rules.pocket_start[1:] + base
    nodes = _empty_lanes(rules.node_headway_s.size)
    nodes["headway"] = rules.node_headway_s
    return np.concatenate([lanes[np.argsort(owner, kind="stable")], nodes])


def _empty_lanes(n: int) -> np.ndarray:
    lanes = np.zeros(n, dtype=LANE)
    lanes["link"] = lanes["first"] = lanes["last"] = NONE
    lanes["last_out"] = -np.inf
    return lanes


def make_pool(arrays: LinkArrays) -> np.ndarray:
    """Places to work in, targets of pockets, rules to give way: the beginning of the kernel's pool, int32."""
    rules = arrays.junctions or no_junctions(arrays.length_m.size)
    count = rules.yield_to.size
    any_ = np.full(count, NONE)
    gap, lead = rules.yield_gap_s, rules.yield_lead_s
    gap = np.repeat(rules.critical_gap_s, np.diff(rules.yield_start)) if gap is None else gap
    rows = (
        any_ if rules.yield_target is None else rules.yield_target, rules.yield_to,
        any_ if rules.yield_then is None else rules.yield_then, np.round(1000.0 * gap),
        np.round(1000.0 * (np.zeros(count) if lead is None else lead)),
    )  # fmt: skip
    yields = np.stack(rows, axis=1)  # in the order of layout.YIELD_TARGET, ...
    return np.concatenate([np.zeros(3 * MAX_CIRCLE), rules.pocket_to, yields.ravel()]).astype(np.int32)


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
    if faults := turn_faults(turns, n_links):
        raise NetworkError("the turns cannot be used: " + "; ".join(faults))
    penalty = turns["penalty_s"].to_numpy(float)
    order = np.lexsort((start, end))
    return TurnIndex(
        in_start=np.searchsorted(end[order], np.arange(n_links + 1)).astype(np.int64),
        in_link=start[order].astype(np.int64),
        in_penalty=penalty[order],
    )


def core_links(turns: TurnIndex) -> np.ndarray:
    """Links of the largest part in which every link leads to every other by allowed turns. bool, shape (n_links,).

    Stricter than `zones.build.core_links`, which knows streets but no turns.
    """
    n = turns.in_start.size - 1
    after = np.repeat(np.arange(n), np.diff(turns.in_start))
    graph = coo_array((np.ones(after.size), (turns.in_link, after)), shape=(n, n))
    _, label = connected_components(graph, directed=True, connection="strong")
    return label == np.argmax(np.bincount(label))
