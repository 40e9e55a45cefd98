"""Logit route choice: shares by closed form, pricing, expected flows, luck that belongs to trips."""

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.costs import Toll, UserCosts, toll_eur
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.logit import logit_flows, logit_paths
from simulation.traffic.network import LinkArrays


def network(ends, time_s, *, key=None):
    """Links of some seconds at 10 m/s from (a, b) pairs of nodes, with room for everybody."""
    n = len(ends)
    full = lambda value: np.broadcast_to(np.asarray(value, float), n).copy()  # noqa: E731
    return Network.from_arrays(
        LinkArrays(
            length_m=10.0 * full(time_s), lanes=full(1), speed_mps=full(10.0), capacity_veh_per_s=full(20.0),
            discharge_veh_per_s=full(20.0), jam_density_veh_per_m=full(30.0), cycle_s=full(0), green_start_s=full(0),
            green_s=full(0), key=key,
        ),
        np.array([a for a, _ in ends]), np.array([b for _, b in ends]),
    )  # fmt: skip


FORK = ([(0, 1), (1, 2), (1, 2), (2, 3)], [10, 60, 80, 10])


def trips_from_0(number, dest, vehicle_class=None):
    klass = None if vehicle_class is None else np.full(number, vehicle_class)
    return NodeTrips(
        depart_s=np.arange(number, dtype=float), orig=np.zeros(number, np.int64), dest=np.full(number, dest),
        vehicle_class=klass,
    )  # fmt: skip


def upper(paths):
    """Share of the route by link 1."""
    return (paths.links.reshape(-1, 3)[:, 1] == 1).mean()


def test_two_ways_share_by_their_difference():
    """60 against 80 s at theta 0.05 per s: 1 / (1 + exp(-1)) = 0.7311. 40,000 draws: four standard errors, 0.009."""
    paths = logit_paths(network(*FORK), trips_from_0(40_000, 3), theta_per_s=0.05)
    assert upper(paths) == pytest.approx(0.7311, abs=0.009)


def test_pricing_moves_the_split_to_the_logit_share():
    """0.10 EUR on the faster way, at 12 EUR/h 30 s, at 36 EUR/h 10 s: costs 90 and 70 s against 80 s.

    At theta 0.05: cars 1 / (1 + exp(0.5)) = 0.3775, lorries 1 / (1 + exp(-0.5)) = 0.6225. What drove there counts: the
    loaded vehicles. 10,000 each: four standard errors, 0.0195.
    """
    net = network(*FORK)
    users = UserCosts(value_of_time_eur_per_h=(12.0, 20.0, 36.0, 60.0))
    toll = toll_eur([Toll(link_ids=(1,), eur=0.1)], 4)
    cost = np.array([10.0, 60, 80, 10]) + users.charge_s(net.arrays.length_m, toll)
    for klass, expected in ((0, 0.3775), (2, 0.6225)):
        trips = trips_from_0(10_000, 3, klass)
        run = simulate(net, trips, paths=logit_paths(net, trips, theta_per_s=0.05, cost_s=cost))
        counts = np.bincount(run.log.link[run.log.link >= 0], minlength=4)
        assert counts[1] / 10_000 == pytest.approx(expected, abs=0.0195) and counts[1] + counts[2] == 10_000


def test_three_ways_through_two_forks_get_multinomial_shares():
    """Ways 0-1-3: 30 + 55 = 85 s, 0-2-3: 20 + 50 = 70 s, 0-1-2-3: 30 + 5 + 50 = 85 s; theta 0.1.

    Weights 1, exp(1.5), 1: shares 0.1543, 0.6914, 0.1543. With 30 s on (1, 3) node 1 is 30 s from the end, node 2 50 s:
    the bridge leads away, and 60 against 70 s share 0.7311 to 0.2689.
    """
    ends = [(0, 1), (1, 3), (0, 2), (2, 3), (1, 2)]
    demand = np.zeros((4, 4))
    demand[0, 3] = 100.0
    flow = logit_flows(network(ends, [30, 55, 20, 50, 5]), demand, theta_per_s=0.1)
    assert flow == pytest.approx([30.86, 15.43, 69.14, 84.57, 15.43], abs=0.01)
    flow = logit_flows(network(ends, [30, 30, 20, 50, 5]), demand, theta_per_s=0.1)
    assert flow == pytest.approx([73.11, 73.11, 26.89, 26.89, 0.0], abs=0.01)


def grid(k, rng):
    node = np.arange(k * k).reshape(k, k)
    pairs = [(a, b) for x, y in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])) for a, b in zip(x.flat, y.flat)]
    ends = [*pairs, *[(b, a) for a, b in pairs]]
    return ends, rng.uniform(10, 60, len(ends))


def test_drawn_paths_fill_links_as_expected_flows_say():
    """A 5 x 5 grid, 20,000 trips from corner to corner: each link within 4.5 standard errors of its expected flow."""
    ends, time_s = grid(5, np.random.default_rng(1))
    net, number = network(ends, time_s), 20_000
    demand = np.zeros((25, 25))
    demand[0, 24] = number
    expected = logit_flows(net, demand, theta_per_s=0.03)
    drawn = np.bincount(logit_paths(net, trips_from_0(number, 24), theta_per_s=0.03).links, minlength=len(ends))
    share = expected / number
    assert (np.abs(drawn - expected) <= 4.5 * np.sqrt(number * share * (1 - share)) + 1e-6).all()
    assert (drawn > 0).sum() > 15


def test_flow_is_conserved_at_every_node():
    ends, time_s = grid(4, np.random.default_rng(2))
    net = network(ends, time_s)
    demand = np.random.default_rng(3).uniform(0, 10, (16, 16))
    np.fill_diagonal(demand, 0.0)
    flow = logit_flows(net, demand, theta_per_s=0.02)
    into, out = (np.bincount(nodes, weights=flow, minlength=16) for nodes in (net.to_node, net.from_node))
    assert out - into == pytest.approx(demand.sum(axis=1) - demand.sum(axis=0))


def test_a_large_scale_leaves_the_shortest_way_and_a_small_one_spreads():
    fork = network(*FORK)
    assert upper(logit_paths(fork, trips_from_0(1000, 3), theta_per_s=10.0)) == 1.0
    assert upper(logit_paths(fork, trips_from_0(10_000, 3), theta_per_s=1e-6)) == pytest.approx(0.5, abs=0.02)


def test_a_detour_that_nobody_thinks_of_is_left_out():
    """The longer way takes 80 s where 60 s are gained: allowed at 0.34 of elongation, not at 0.3."""
    fork, trips = network(*FORK), trips_from_0(1000, 3)
    assert upper(logit_paths(fork, trips, theta_per_s=1e-6, elongation=0.3)) == 1.0
    assert upper(logit_paths(fork, trips, theta_per_s=1e-6, elongation=0.34)) < 0.6


def test_base_and_scenario_share_their_luck():
    """A dearer first way only ever moves trips away from it; nobody moves to it."""
    fork, trips = network(*FORK), trips_from_0(5000, 3)
    first = logit_paths(fork, trips, theta_per_s=0.05, seed=2).links.reshape(-1, 3)[:, 1] == 1
    dearer = logit_paths(fork, trips, theta_per_s=0.05, seed=2, cost_s=np.array([10.0, 75, 80, 10]))
    after = dearer.links.reshape(-1, 3)[:, 1] == 1
    assert not (after & ~first).any() and 0.1 < (first & ~after).mean() < 0.25


def test_links_renumbered_draw_the_same_streets():
    rng = np.random.default_rng(5)
    ends, time_s = grid(5, rng)
    key, again = rng.integers(1, 2**62, len(ends)).astype(np.uint64), rng.permutation(len(ends))

    def streets(order):
        net = network([ends[i] for i in order], time_s[order], key=key[order])
        return order[logit_paths(net, trips_from_0(300, 24), theta_per_s=0.05).links].tolist()

    assert streets(np.arange(len(ends))) == streets(again)


def test_what_cannot_be_chosen_is_one_error():
    apart = network([(0, 1), (2, 3)], [10, 10])
    with pytest.raises(RunError, match=r"from node 0 to node 3 \(5 trips\); 5 trips in all"):
        logit_paths(apart, trips_from_0(5, 3), theta_per_s=0.1)
    with pytest.raises(RunError, match=r"theta_per_s=0 must.*elongation=-1 must.*cost_s must be finite"):
        logit_paths(apart, trips_from_0(5, 1), theta_per_s=0, elongation=-1, cost_s=np.array([1.0, np.inf]))
    with pytest.raises(RunError, match="2 vehicles find no way"):
        logit_flows(apart, np.eye(4)[::-1] * np.array([0, 0, 0, 2.0]), theta_per_s=0.1)
