"""Small networks on which traffic engines part: what theory says of each, and that ours does it.

All streets have lanes of 0.2 veh/m at standstill and a backward wave of 5 m/s, so a lane at speed u carries
C(u) = u w k / (u + w): 0.7826 veh/s at 18 m/s, 0.375 at 3 m/s. What other engines do there: `docs/concepts/peers.md`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulation.traffic.loading import Network, NodeTrips, Paths, TrafficRun, simulate
from simulation.traffic.network import LinkArrays

FAST, SLOW = 18 * 5 * 0.2 / 23, 3 * 5 * 0.2 / 8  # veh/s of a lane at 18 and 3 m/s
H = 1 / FAST


def _network(*links: tuple[int, int, float, float, int], weights: list[float] | None = None) -> Network:
    """Links of (from, to, length m, speed m/s, lanes)."""
    start, end, length, speed, lanes = (np.array(column, dtype=float) for column in zip(*links, strict=True))
    jam = 0.2 * lanes
    capacity = speed * 5 * jam / (speed + 5)
    none = np.zeros(len(links))
    arrays = LinkArrays(
        length_m=length, lanes=lanes, speed_mps=speed, capacity_veh_per_s=capacity, discharge_veh_per_s=capacity,
        jam_density_veh_per_m=jam, cycle_s=none, green_start_s=none, green_s=none,
        merge_weight=None if weights is None else np.array(weights, dtype=float),
    )  # fmt: skip
    return Network.from_arrays(arrays, start.astype(np.int64), end.astype(np.int64))


def _run(network: Network, departures: list[tuple[np.ndarray, list[int]]], until_s: float) -> TrafficRun:
    """Load streams of (departures in s, path)."""
    depart = np.concatenate([times for times, _ in departures])
    lists = [path for times, path in departures for _ in times]
    order = np.argsort(depart, kind="stable")
    paths = Paths.from_lists([lists[k] for k in order])
    first, last = paths.links[paths.start[:-1]], paths.links[paths.start[1:] - 1]
    trips = NodeTrips(depart_s=depart[order], orig=network.from_node[first], dest=network.to_node[last])
    run = simulate(network, trips, until_s=until_s, paths=paths)
    assert run.counts.conserved and run.counts.forced == 0
    return run


def _outflow(run: TrafficRun, link: int, from_s: float, to_s: float) -> float:
    """Vehicles a second that leave a link."""
    out = run.log.exits[run.log.link == link]
    return float(((out > from_s) & (out <= to_s)).sum()) / (to_s - from_s)


def _inflow(run: TrafficRun, link: int, from_s: float, to_s: float) -> float:
    into = run.log.time_s[run.log.link == link]
    return float(((into > from_s) & (into <= to_s)).sum()) / (to_s - from_s)


def _every(seconds: float, until_s: float) -> np.ndarray:
    return np.arange(0.0, until_s, seconds)


# --- origins --------------------------------------------------------------------------------------------------------

_ROAD = ((0, 1, 1000.0, 18.0, 1), (1, 2, 1000.0, 18.0, 1))


def test_a_saturated_origin_and_a_saturated_road_share_the_entry_by_weight():
    """Both ask 1 veh/s of 0.7826: equal weights give 0.3913 each, whoever came first."""
    one = _every(1.0, 3000.0)
    run = _run(_network(*_ROAD), [(one, [0, 1]), (one, [1])], 3000.0)
    through, total = _outflow(run, 0, 1000.0, 3000.0), _inflow(run, 1, 1000.0, 3000.0)
    assert total == pytest.approx(FAST, abs=1e-3)
    assert through == pytest.approx(FAST / 2, abs=2e-3)


def test_an_origin_that_asks_for_less_than_its_share_gets_it_and_the_road_the_rest():
    """Origin 0.2 of 0.7826 veh/s, less than half: the road passes 0.5826 of the 0.7 that it brings."""
    run = _run(_network(*_ROAD), [(_every(1 / 0.7, 3000.0), [0, 1]), (_every(5.0, 3000.0), [1])], 3000.0)
    assert _outflow(run, 0, 1500.0, 3000.0) == pytest.approx(FAST - 0.2, abs=2e-3)
    by_road = np.isin(np.arange(run.depart_s.size), run.log.trip[run.log.link == 0])
    assert np.nanmax(run.travel_time_s[~by_road & (run.depart_s < 2800)]) < 1000 / 18 + 4 * H


@pytest.mark.parametrize(("asked", "through"), [(0.4, FAST - 0.4), (1.0, 0.0)])
def test_an_origin_with_priority_is_a_connector_of_great_weight(asked, through):
    """Origin 2 -> 1 of weight 1e9: it passes all it asks for, up to capacity; the road gets what is left."""
    network = _network(*_ROAD, (3, 1, 10.0, 18.0, 1), weights=[1.0, 1.0, 1e9])
    run = _run(network, [(_every(1 / 0.6, 3000.0), [0, 1]), (_every(1 / asked, 3000.0), [2, 1])], 3000.0)
    assert _outflow(run, 0, 1500.0, 3000.0) == pytest.approx(through, abs=3e-3)
    assert _inflow(run, 1, 1500.0, 3000.0) == pytest.approx(FAST, abs=2e-3)


def test_a_gate_a_link_lets_out_those_whose_street_is_free():
    """Half of 1 veh/s starts into a street that ends before 0.375 veh/s, half into a free one: 0.375 and 0.5 go out."""
    network = _network((0, 1, 50.0, 18.0, 1), (1, 2, 2000.0, 3.0, 1), (0, 3, 1000.0, 18.0, 1))
    run = _run(network, [(_every(2.0, 3000.0), [0, 1]), (_every(2.0, 3000.0) + 1, [2])], 3000.0)
    assert _inflow(run, 0, 1000.0, 3000.0) == pytest.approx(SLOW, abs=2e-3)
    assert _inflow(run, 2, 1000.0, 3000.0) == pytest.approx(0.5, abs=1e-3)


def test_one_queue_for_a_whole_node_holds_up_both():
    """The same demand through one first-in-first-out connector: the free street gets no more than the other, 0.375."""
    network = _network((0, 1, 50.0, 18.0, 1), (1, 2, 2000.0, 3.0, 1), (0, 3, 1000.0, 18.0, 1), (4, 0, 5000.0, 18.0, 3))
    run = _run(network, [(_every(2.0, 3000.0), [3, 0, 1]), (_every(2.0, 3000.0) + 1, [3, 2])], 3000.0)
    assert _inflow(run, 0, 1500.0, 3000.0) == pytest.approx(SLOW, abs=3e-3)
    assert _inflow(run, 2, 1500.0, 3000.0) == pytest.approx(SLOW, abs=3e-3)


# --- lanes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lanes", "lanes_after"), [(3, 3), (3, 1), (1, 3)])
def test_a_street_passes_what_its_narrowest_part_carries(lanes, lanes_after):
    """Saturated: min(3, 3), min(3, 1), min(1, 3) lanes of 0.7826 veh/s."""
    network = _network((0, 1, 1000.0, 18.0, lanes), (1, 2, 1000.0, 18.0, lanes_after))
    run = _run(network, [(np.zeros(9000), [0, 1])], 3000.0)
    assert _outflow(run, 0, 1000.0, 3000.0) == pytest.approx(min(lanes, lanes_after) * FAST, abs=2e-3)


_FORK = ((0, 1, 1000.0, 18.0, 2), (1, 2, 1000.0, 18.0, 1), (1, 3, 1000.0, 18.0, 1))


def test_a_fork_of_two_lanes_passes_both_branches_full_when_vehicles_take_turns():
    """Branches of 0.7826 veh/s behind two lanes, destinations in turn: min(2 C, C / 0.5) = 1.5652 veh/s (Daganzo 1995,
    doi:10.1016/0191-2615(94)00022-R: first in, first out at a diverge)."""
    turn = np.zeros(3000)
    lists = [path for _ in turn for path in ([0, 1], [0, 2])]
    network = _network(*_FORK)
    paths = Paths.from_lists(lists)
    last = paths.links[paths.start[1:] - 1]
    trips = NodeTrips(depart_s=np.zeros(len(lists)), orig=np.zeros(len(lists), np.int64), dest=network.to_node[last])
    run = simulate(network, trips, until_s=3000.0, paths=paths)
    assert _outflow(run, 0, 1000.0, 3000.0) == pytest.approx(2 * FAST, abs=2e-3)


def test_a_fork_loses_a_quarter_when_destinations_come_in_random_order():
    """First in, first out over two lanes abreast, h = 1 / C between entries of a branch. After a gap of h the next
    vehicle takes the other branch (half the time), which has been free for h: gap 0; or the same: gap h. After a gap of
    0 both branches have just been entered: gap h. Gaps of 0 are a third, so the mean is 2 h / 3: 1.1739 veh/s, 0.75 of
    what the fluid model lets through, as in a switch with two inputs (Karol et al. 1987,
    doi:10.1109/TCOM.1987.1096719). Standard error of 3,500 gaps: 0.47 / 0.67 / sqrt(3500) = 1.2 % at most.
    """
    rng = np.random.default_rng(5)
    network = _network(*_FORK)
    n = 8000
    branch = rng.integers(1, 3, n)
    paths = Paths.from_lists([[0, k] for k in branch])
    trips = NodeTrips(depart_s=np.zeros(n), orig=np.zeros(n, np.int64), dest=network.to_node[branch])
    run = simulate(network, trips, until_s=4000.0, paths=paths)
    assert _outflow(run, 0, 1000.0, 4000.0) == pytest.approx(1.5 / H, rel=0.03)


# --- merges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 1.0), (6.0, 1.0)])
def test_a_saturated_merge_splits_by_its_weights(weights):
    """Both streets ask for all of 0.7826 veh/s: w1 : w2 of it."""
    network = _network(
        (0, 2, 1000.0, 18.0, 1), (1, 2, 1000.0, 18.0, 1), (2, 3, 1000.0, 18.0, 1), weights=[*weights, 1.0]
    )
    run = _run(network, [(np.zeros(3000), [0, 2]), (np.zeros(3000), [1, 2])], 3000.0)
    share = weights[0] / sum(weights)
    assert _outflow(run, 0, 1000.0, 3000.0) == pytest.approx(FAST * share, abs=2e-3)
    assert _outflow(run, 1, 1000.0, 3000.0) == pytest.approx(FAST * (1 - share), abs=2e-3)


# --- platoons -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 4])
def test_a_bottleneck_delays_the_same_however_finely_traffic_is_cut(parts):
    """0.6 veh/s for 1,000 s meet 0.375 veh/s: the queue grows by 0.225 veh/s to 225 vehicles, the last one waits
    225 / 0.375 = 600 s, the mean is 300 s; quarters of vehicles on a road of four times the numbers wait as long."""
    network = _network((0, 1, 5000.0, 18.0, 1), (1, 2, 1000.0, 3.0, 1))
    arrays = network.arrays
    finer = replace(
        arrays, capacity_veh_per_s=parts * arrays.capacity_veh_per_s,
        discharge_veh_per_s=parts * arrays.discharge_veh_per_s,
        jam_density_veh_per_m=parts * arrays.jam_density_veh_per_m,
    )  # fmt: skip
    run = _run(replace(network, arrays=finer), [(_every(1 / 0.6 / parts, 1000.0), [0, 1])], 6000.0)
    delay = run.travel_time_s - 5000 / 18 - 1000 / 3
    assert delay.max() == pytest.approx(600.0, abs=2 / 0.375)
    assert delay.mean() == pytest.approx(300.0, abs=1 / 0.375)
