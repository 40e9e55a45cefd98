"""Case `closed_forms`: the traffic engine against what theory says of five small networks.

All streets have one lane of 0.2 veh/m at standstill and a backward wave of w = 5 m/s, so that a speed u gives the
capacity C(u) = 0.2 u w / (u + w) veh/s: 0.7826 at 18 m/s, 0.375 at 3 m/s. The tests of `simulation.traffic` hold many
more such forms; these are the ones that a report can tell in a line each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.benchmarks import figure
from data.errors import InputError

if TYPE_CHECKING:
    from simulation.traffic.loading import TrafficRun

JAM_VEH_PER_M, WAVE_MPS = 0.2, 5.0
TARGET = 1e-3  # largest error, as a share of what theory says
Street = tuple[int, int, float, float]  # from, to, length m, speed m/s


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; it takes no arguments.

    Raises
    ------
    InputError
        If an argument is given.
    """
    if arguments:
        raise InputError(f"the case closed_forms takes no arguments; found {' '.join(arguments)}")
    figures = []
    for name, unit, (measured, theory) in (
        ("free flow: time over three links", "s", free_flow()),
        ("bottleneck: outflow of a saturated slow link", "veh/s", bottleneck()),
        ("queue: density before the bottleneck", "veh/m", queue_density()),
        ("queue: speed of its tail upstream", "m/s", queue_tail()),
        ("merge: share of a saturated leg with twice the weight", "1", merge_share()),
    ):
        error = abs(measured / theory - 1.0)
        figures += [
            figure(f"{name}, measured", measured, unit),
            figure(f"{name}, by theory", theory, unit),
            figure(f"{name}, error", error, "1", target=TARGET),
        ]
    return {"figures": figures}


def capacity(speed_mps: float) -> float:
    """Capacity of one lane at a free-flow speed, veh/s."""
    return JAM_VEH_PER_M * speed_mps * WAVE_MPS / (speed_mps + WAVE_MPS)


def free_flow() -> tuple[float, float]:
    """One vehicle over 300, 500 and 700 m at 10, 15 and 20 m/s: the sum of length over speed."""
    streets = [(0, 1, 300.0, 10.0), (1, 2, 500.0, 15.0), (2, 3, 700.0, 20.0)]
    found = _driven(streets, [(np.zeros(1), [0, 1, 2])], np.inf)
    return float(found.travel_time_s[0]), 300 / 10 + 500 / 15 + 700 / 20


_NARROW: list[Street] = [(0, 1, 4000.0, 18.0), (1, 2, 500.0, 3.0)]


def bottleneck() -> tuple[float, float]:
    """A fast street at 0.7 veh/s into a slow one, which passes C(3)."""
    found = _driven(_NARROW, [(np.arange(0.0, 3600.0, 1 / 0.7), [0, 1])], 3600.0)
    out = _passings(found, 1)
    return _rate(out, 1000.0), capacity(3.0)


def queue_density() -> tuple[float, float]:
    """In the queue the density is k - C(3) / w: flow times mean time on a street within it, over its length."""
    streets = [(0, 1, 4000.0, 18.0), (1, 2, 500.0, 18.0), (2, 3, 500.0, 3.0)]
    found = _driven(streets, [(np.arange(0.0, 3600.0, 1 / 0.7), [0, 1, 2])], 3600.0)
    entries, exits = _entries(found, 1), _passings(found, 1)
    late = slice(len(exits) // 2, len(exits))
    spent = float((exits[late] - entries[late]).mean())
    return spent * _rate(exits, exits[late.start]) / 500.0, JAM_VEH_PER_M - capacity(3.0) / WAVE_MPS


def queue_tail() -> tuple[float, float]:
    """The tail climbs at (q1 - q2) / (k1 - k2), from when it passes two places 1,000 m apart.

    q1 = 0.7 at k1 = 0.7 / 18, q2 = C(3) at k2 = 0.2 - C(3) / w: links of 50 m, on which the first vehicle is seen that
    takes longer than at free flow.
    """
    streets = [(k, k + 1, 50.0, 18.0) for k in range(60)] + [(60, 61, 500.0, 3.0)]
    found = _driven(streets, [(np.arange(0.0, 7200.0, 1 / 0.7), list(range(61)))], 7200.0)
    reached = []
    for link in (50, 10):
        entries, exits = _entries(found, link), _passings(found, link)
        slow = np.flatnonzero(exits - entries[: len(exits)] > 50.0 / 18.0 + 1.0)
        reached.append(float(entries[slow[0]]))
    q1, q2 = 0.7, capacity(3.0)
    theory = (q1 - q2) / (JAM_VEH_PER_M - q2 / WAVE_MPS - q1 / 18.0)
    return 40 * 50.0 / (reached[1] - reached[0]), theory


def merge_share() -> tuple[float, float]:
    """Two saturated legs into one street, one of twice the weight: it gets two thirds."""
    streets = [(0, 2, 1000.0, 18.0), (1, 2, 1000.0, 18.0), (2, 3, 1000.0, 18.0)]
    flood = np.arange(0.0, 5400.0, 1.0)
    found = _driven(streets, [(flood, [0, 2]), (flood, [1, 2])], 5400.0, weights=[2.0, 1.0, 1.0])
    one, two = (_rate(_passings(found, link), 1000.0) for link in (0, 1))
    return one / (one + two), 2.0 / 3.0


def _driven(
    streets: Sequence[Street], streams: Sequence[tuple[np.ndarray, list[int]]], until_s: float,
    *, weights: list[float] | None = None,
) -> TrafficRun:  # fmt: skip
    """Load streams of (departures in s, path) on streets."""
    from simulation.traffic.loading import Network, NodeTrips, Paths, simulate
    from simulation.traffic.network import LinkArrays

    start, end, length, speed = (np.array(column, dtype=float) for column in zip(*streets, strict=True))
    none, one = np.zeros(len(streets)), np.ones(len(streets))
    most = np.array([capacity(u) for u in speed])
    arrays = LinkArrays(
        length_m=length, lanes=one, speed_mps=speed, capacity_veh_per_s=most, discharge_veh_per_s=most,
        jam_density_veh_per_m=JAM_VEH_PER_M * one, cycle_s=none, green_start_s=none, green_s=none,
        merge_weight=None if weights is None else np.array(weights),
    )  # fmt: skip
    network = Network.from_arrays(arrays, start.astype(np.int64), end.astype(np.int64))
    depart = np.concatenate([times for times, _ in streams])
    lists = [path for times, path in streams for _ in times]
    order = np.argsort(depart, kind="stable")
    paths = Paths.from_lists([lists[k] for k in order])
    first, last = paths.links[paths.start[:-1]], paths.links[paths.start[1:] - 1]
    trips = NodeTrips(depart_s=depart[order], orig=network.from_node[first], dest=network.to_node[last])
    return simulate(network, trips, until_s=until_s, paths=paths)


def _entries(found: TrafficRun, link: int) -> np.ndarray:
    """When vehicles came onto a link, s, in order."""
    assert found.log is not None  # `simulate` keeps it unless told otherwise
    return np.sort(found.log.time_s[found.log.link == link])


def _passings(found: TrafficRun, link: int) -> np.ndarray:
    """When vehicles left a link, s, in order."""
    assert found.log is not None
    out = found.log.exits[found.log.link == link]
    return np.sort(out[np.isfinite(out)])


def _rate(times: np.ndarray, from_s: float) -> float:
    """Vehicles a second after an instant, from the first to the last of them."""
    late = times[times > from_s]
    return (len(late) - 1) / float(late[-1] - late[0])
