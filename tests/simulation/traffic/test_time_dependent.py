"""Link times by instant of entry: read off a log, first in first out, and fastest ways against brute force."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.network import LinkArrays
from simulation.traffic.paths import Paths
from simulation.traffic.time_dependent import Journeys, LinkTimes


def network(ends, *, length_m=100.0, speed_mps=10.0, capacity=0.5, key=None):
    """Links from (a, b) pairs of nodes; every movement but the way back."""
    n = len(ends)
    full = lambda value: np.broadcast_to(np.asarray(value, float), n).copy()  # noqa: E731
    return Network.from_arrays(
        LinkArrays(
            length_m=full(length_m), lanes=full(1), speed_mps=full(speed_mps), capacity_veh_per_s=full(capacity),
            discharge_veh_per_s=full(capacity), jam_density_veh_per_m=full(0.2), cycle_s=full(0), green_start_s=full(0),
            green_s=full(0), key=key,
        ),
        np.array([a for a, _ in ends]), np.array([b for _, b in ends]),
    )  # fmt: skip


def log_of(rows):
    """An entry log from (trip, link, time) rows, in order of time."""
    trip, link, time_s = zip(*sorted(rows, key=lambda row: row[2]))
    return EntryLog(trip=np.array(trip), link=np.array(link), time_s=np.array(time_s, float))


def test_times_between_vehicles_follow_the_queue():
    """Link of 10 s. Vehicles enter at 0, 10, 20 and 60 s and leave at 10, 40, 50 and 70 s.

    The second and third are held up: entry at 5 s leaves halfway between 10 and 40 s, at 25 s; at 15 s, 45 s. The
    fourth is not: entry at 30 s leaves with the third at 50 s, at 45 s freely at 55 s.
    """
    rows = [(k, 0, enter) for k, enter in enumerate((0, 10, 20, 60))]
    rows += [(k, -2, leave) for k, leave in enumerate((10, 40, 50, 70))]
    times = LinkTimes.from_log(log_of(rows), np.array([0.0, 10.0, 20.0, 60.0]), np.array([10.0]), step_s=5.0)
    leaves = [at + times.travel_s(0, at) for at in (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 500.0)]
    assert leaves == pytest.approx([10.0, 25.0, 40.0, 45.0, 50.0, 50.0, 55.0, 70.0, 510.0])


def test_the_wait_at_the_gate_counts():
    """Three trips depart at 0, 1 and 2 s and enter at 0, 2 and 4 s: who departs at 2 s arrives at 14 s."""
    rows = [(0, 0, 0), (1, 0, 2), (2, 0, 4), (0, -2, 10), (1, -2, 12), (2, -2, 14)]
    times = LinkTimes.from_log(log_of(rows), np.array([0.0, 1.0, 2.0]), np.array([10.0]), step_s=1.0)
    paths = Paths.from_lists([[0]] * 3)
    assert times.arrivals(paths, np.array([0.0, 1.0, 2.0])) == pytest.approx([10.0, 12.0, 14.0])


def test_whoever_is_on_the_road_at_the_end_leaves_then_at_the_earliest():
    """Entered at 0 s on a link of 10 s, still there when the run ends at 100 s: who enters at 0 s leaves at 100 s."""
    times = LinkTimes.from_log(log_of([(0, 0, 0)]), np.array([0.0]), np.array([10.0]), step_s=10.0, until_s=100.0)
    assert times.travel_s(0, 0.0) == pytest.approx(100.0)


def congested(seed=1, **changed):
    """A 4 x 4 grid with three times more trips than it carries, driven to the end by reactive drivers."""
    rng = np.random.default_rng(seed)
    node = np.arange(16).reshape(4, 4)
    pairs = [(a, b) for x, y in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])) for a, b in zip(x.flat, y.flat)]
    ends = [*pairs, *[(b, a) for a, b in pairs]]
    net = network(ends, length_m=rng.uniform(100, 400, len(ends)), capacity=rng.uniform(0.2, 0.5, len(ends)), **changed)
    orig, dest = rng.integers(0, 16, 3000), rng.integers(0, 16, 3000)
    keep = orig != dest
    depart = np.sort(rng.uniform(0, 600, keep.sum()).round(1))
    trips = NodeTrips(depart_s=depart, orig=orig[keep], dest=dest[keep])
    return net, trips, simulate(net, trips, reroute_every_s=120.0)


def test_nobody_overtakes_by_entering_later():
    _, trips, run = congested()
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s, step_s=7.0)
    assert (np.diff(times.exit_s, axis=1) >= 0).all() and (np.diff(times.gate_s, axis=1) >= 0).all()
    at = times.begin_s + times.step_s * np.arange(times.exit_s.shape[1])
    assert (times.exit_s - at >= run.engine.free_time_s[:, None] - 1e-9).all() and (times.gate_s >= at - 1e-9).all()
    assert (times.exit_s - at > 2 * run.engine.free_time_s[:, None]).any()  # there were queues


def test_link_times_tell_what_the_vehicles_experienced():
    """Knots each second, headways of 2 s and more: each trip's own path gives its own arrival, within a headway a link.

    Trips that depart in the same tenth of a second at one gate differ by their turn there; on average nothing is left.
    """
    _, trips, run = congested()
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s, step_s=1.0)
    rows, start = run.log.by_trip(len(trips))
    links = run.log.link[rows]
    paths = Paths.from_lists([links[a:b][links[a:b] >= 0] for a, b in pairwise(start)])
    error = times.arrivals(paths, trips.depart_s) - run.arrival_s
    assert np.median(np.abs(error)) < 1.0 and abs(error.mean()) < 1.0
    assert run.travel_time_s.mean() > 100.0


def brute_force(net, times, orig, dest, depart):
    """Earliest arrival by repeated relaxation of every link, without any heap (Bellman & Ford)."""
    n = net.from_node.size
    left = np.full(n, np.inf)
    for link in np.flatnonzero(net.from_node == orig):
        start = times.arrivals(Paths.from_lists([[link]]), np.array([depart]))[0]
        left[link] = start
    for _ in range(n):
        before = left.copy()
        for link in range(n):
            for source in net.turns.in_link[net.turns.in_start[link] : net.turns.in_start[link + 1]]:
                if np.isfinite(left[source]):
                    left[link] = min(left[link], left[source] + times.travel_s(link, left[source]))
        if np.array_equal(before, left):
            break
    return left[net.to_node == dest].min()


def test_fastest_ways_agree_with_brute_force_and_with_their_own_paths():
    net, trips, run = congested()
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s)
    search = Journeys.between_nodes(net, trips.orig, trips.dest, trips.depart_s)
    arrival, paths = search.fastest(times)
    assert times.arrivals(paths, trips.depart_s) == pytest.approx(arrival)
    for trip in np.random.default_rng(0).choice(len(trips), 12, replace=False):
        expected = brute_force(net, times, trips.orig[trip], trips.dest[trip], trips.depart_s[trip])
        assert arrival[trip] == pytest.approx(expected)
    ends = np.array([paths[k][[0, -1]] for k in range(len(trips))])
    assert (net.from_node[ends[:, 0]] == trips.orig).all() and (net.to_node[ends[:, 1]] == trips.dest).all()


def test_ways_of_a_slot_are_never_earlier_than_exact_ones_and_nearly_as_good():
    net, trips, run = congested()
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s)
    search = Journeys.between_nodes(net, trips.orig, trips.dest, trips.depart_s)
    exact, slot = search.fastest(times)[0], search.fastest(times, slot_s=20.0)[0]
    assert (slot >= exact - 1e-6).all()
    assert (slot - trips.depart_s).mean() < 1.03 * (exact - trips.depart_s).mean()


def test_free_streets_take_free_times_at_all_hours():
    net = network([(0, 1), (1, 2)])
    search = Journeys.between_nodes(net, np.array([0, 0]), np.array([2, 1]), np.array([5.0, 1e6]))
    arrival, paths = search.fastest(LinkTimes.free(np.array([10.0, 20.0])))
    assert arrival.tolist() == [35.0, 1e6 + 10.0] and paths[0].tolist() == [0, 1] and paths[1].tolist() == [0]


def test_where_no_way_leads_the_arrival_is_infinite_and_the_path_empty():
    net = network([(0, 1), (2, 3)])
    arrival, paths = Journeys.between_nodes(net, np.array([0]), np.array([3]), np.array([0.0])).fastest(
        LinkTimes.free(np.array([10.0, 10.0]))
    )
    assert np.isinf(arrival[0]) and len(paths[0]) == 0


def test_equal_ways_are_told_apart_by_name_not_by_number():
    """A 5 x 5 grid of equal streets, numbered anew: every trip drives the same streets; another seed, others."""
    rng = np.random.default_rng(4)
    node = np.arange(25).reshape(5, 5)
    pairs = [(a, b) for x, y in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])) for a, b in zip(x.flat, y.flat)]
    ends = np.array([*pairs, *[(b, a) for a, b in pairs]])
    key, again = rng.integers(1, 2**62, len(ends)).astype(np.uint64), rng.permutation(len(ends))
    orig, dest = np.repeat(np.arange(5), 5), np.tile(np.arange(20, 25), 5)

    def ways(order, seed):
        net = network([tuple(pair) for pair in ends[order]], key=key[order])
        search = Journeys.between_nodes(net, orig, dest, np.zeros(25))
        return order[search.fastest(LinkTimes.free(np.full(len(ends), 10.0)), seed=seed)[1].links].tolist()

    same = np.arange(len(ends))
    assert ways(same, 1) == ways(again, 1) and ways(same, 1) != ways(same, 2)


def test_a_log_of_other_links_or_trips_is_refused():
    log = log_of([(3, 7, 0.0)])
    with pytest.raises(RunError, match=r"step_s=0 must.*names trip 3; there are 2.*names link 7; there are 1"):
        LinkTimes.from_log(log, np.zeros(2), np.ones(1), step_s=0)


def test_charges_of_nothing_change_nothing_and_a_destination_without_streets_is_far():
    """The search with charges of 0 s finds the same arrivals; node 16 has no street at all."""
    net, trips, run = congested()
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s)
    search = Journeys.between_nodes(net, trips.orig, trips.dest, trips.depart_s)
    free, charged = search.fastest(times)[0], search.fastest(times, charge_s=np.zeros((1, 48)))[0]
    assert charged == pytest.approx(free)
    lonely = Journeys.between_nodes(replace(net, n_nodes=17), np.array([0]), np.array([16]), np.array([0.0]))
    assert np.isinf(lonely.fastest(times)[0][0])
