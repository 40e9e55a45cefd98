"""What an expected flow asks of every link: volume over capacity at signals, at junctions, and of who gives way."""

from __future__ import annotations

import numpy as np

from simulation.traffic.engine import CALM_S
from simulation.traffic.network import LinkArrays, TurnIndex


def expected_load(flow_veh_per_s: np.ndarray, arrays: LinkArrays, turns: TurnIndex) -> np.ndarray:
    """Volume over capacity at the end of every link, the highest of three.

    - Flow over discharge times the share of green.
    - At a junction of limited capacity, the flow of all links that end there over that capacity.
    - Where drivers give way to q veh/s, one movement passes on q exp(-q t_c) / (1 - exp(-q t_f)) a lane (Harders 1968,
      Strassenbau und Strassenverkehrstechnik 76), at least one vehicle in the time after which drivers take any gap
      (`simulation.traffic.engine.CALM_S`); movements that share a link add up, volume over capacity (Highway Capacity
      Manual 2010, equation 19-57).

    Vehicles of a link turn in proportion to the flow of the links that they may turn into (assumption).

    Parameters
    ----------
    flow_veh_per_s : ndarray, shape (n_links,)
    arrays : LinkArrays
    turns : TurnIndex

    Returns
    -------
    ndarray, shape (n_links,)
    """
    n = flow_veh_per_s.size
    green = np.divide(arrays.green_s, arrays.cycle_s, out=np.ones(n), where=arrays.cycle_s > 0)
    load = flow_veh_per_s / (arrays.discharge_veh_per_s * np.maximum(green, 1e-9))
    rules = arrays.junctions
    if rules is None:
        return load
    here = rules.node >= 0
    crossing = np.bincount(rules.node[here], weights=flow_veh_per_s[here], minlength=rules.node_headway_s.size)
    load[here] = np.maximum(load[here], (crossing * rules.node_headway_s)[rules.node[here]])
    return np.where(arrays.cycle_s > 0, load, np.maximum(load, _giving_way(flow_veh_per_s, arrays, turns)))


def _giving_way(flow: np.ndarray, arrays: LinkArrays, turns: TurnIndex) -> np.ndarray:
    """Volume over capacity of links by the gaps in the traffic that their drivers give way to. Shape (n_links,)."""
    n, rules = flow.size, arrays.junctions
    if rules is None or rules.yield_target is None or rules.yield_then is None or rules.yield_gap_s is None:
        return np.zeros(n)
    into, begin = np.repeat(np.arange(n), np.diff(turns.in_start)), turns.in_link.astype(np.int64)
    order = np.argsort(begin * n + into)
    into, begin = into[order], begin[order]
    onward = np.bincount(begin, weights=flow[into], minlength=n)
    volume = flow[begin] * np.divide(flow[into], onward[begin], out=np.zeros(begin.size), where=onward[begin] > 0)
    # rules of the junction itself; those of links upstream of it tell of the same vehicles
    near = np.ones(rules.yield_to.size, dtype=bool) if rules.yield_lead_s is None else rules.yield_lead_s == 0.0
    own = np.repeat(np.arange(n), np.diff(rules.yield_start))[near]
    movement, known = _find(begin * n + into, own * n + rules.yield_target[near])
    other, met = _find(begin * n + into, rules.yield_to[near].astype(np.int64) * n + rules.yield_then[near])
    first = np.where(met, volume[other], 0.0)[known]
    q = np.bincount(movement[known], weights=first, minlength=begin.size)
    q_gap = np.bincount(movement[known], weights=first * rules.yield_gap_s[near][known], minlength=begin.size)
    follow = arrays.lanes[begin] / arrays.discharge_veh_per_s[begin]
    some = np.maximum(q, 1e-9)
    capacity = np.where(q > 0.0, some * np.exp(-q_gap) / -np.expm1(-some * follow), 1.0 / follow)
    capacity = arrays.lanes[begin] * np.maximum(capacity, 1.0 / (2.0 * CALM_S + follow))
    return np.bincount(begin, weights=volume / capacity, minlength=n)


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where some keys stand among all, which ascend, and whether they do."""
    at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
    return at, keys[at] == wanted if keys.size else np.zeros(wanted.size, dtype=bool)
