"""Whole loadings: demand, equal routes, renumbered links, a life in two parts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from simulation.demand.whole_vehicles import departures, whole_vehicles
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.logit import logit_paths
from simulation.traffic.network import LinkArrays


def network(ends, *, order=None, key=None, **fields):
    """Links between (a, b) pairs of nodes, usual: 100 m, 10 m/s, 0.5 veh/s, 0.2 veh/m. `order` renumbers them."""
    n = len(ends)
    values = {
        "length_m": 100.0, "lanes": 1.0, "speed_mps": 10.0, "capacity_veh_per_s": 0.5, "discharge_veh_per_s": 0.5,
        "jam_density_veh_per_m": 0.2, "cycle_s": 0.0, "green_start_s": 0.0, "green_s": 0.0,
    }  # fmt: skip
    order = np.arange(n) if order is None else order
    columns = {k: np.broadcast_to(np.asarray(fields.get(k, usual), float), n)[order] for k, usual in values.items()}
    start, end = np.array(ends)[order].T
    return Network.from_arrays(LinkArrays(**columns, key=None if key is None else key[order]), start, end)


def trips_from(depart, orig, dest):
    depart = np.asarray(depart, float)
    full = lambda node: np.broadcast_to(np.asarray(node, np.int64), depart.shape).copy()  # noqa: E731
    return NodeTrips(depart_s=depart, orig=full(orig), dest=full(dest))


def grid(k):
    node = np.arange(k * k).reshape(k, k)
    pairs = [(a, b) for x, y in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])) for a, b in zip(x.flat, y.flat)]
    return [*pairs, *[(b, a) for a, b in pairs]]


# --- demand ---------------------------------------------------------------------------------------------------------


def test_vehicles_made_are_the_demand_exactly():
    """12 x 12 pairs x 8 intervals of fractional demand, in all 1,000 vehicles: 1,000 depart, arrive and end in the log.

    By pair too, each within one vehicle of its demand.
    """
    rng = np.random.default_rng(3)
    od = rng.gamma(0.5, size=(16, 16, 8))
    od[np.arange(16), np.arange(16)] = 0.0
    od *= 1000.0 / od.sum()
    depart, orig, dest = departures(whole_vehicles(od, seed=4), step_s=900.0, seed=4)
    run = simulate(network(grid(4)), NodeTrips(depart_s=depart, orig=orig, dest=dest))
    assert depart.size == run.counts.departed == run.counts.arrived == (run.log.link == -2).sum() == 1000
    made = np.zeros((16, 16))
    np.add.at(made, (orig, dest), 1)
    assert (np.abs(made - od.sum(axis=2)) < 1 + 1e-9).all()
    assert np.isfinite(run.arrival_s).all() and (run.travel_time_s > 0).all()


@pytest.mark.parametrize("reroute_every_s", [None, 60.0])
def test_a_run_to_the_end_ends_where_a_light_is_red_for_good(reroute_every_s):
    """100 m red without a green: 5 trips wait there for ever and are told; the other 5 arrive."""
    net = network([(0, 1), (0, 2)], cycle_s=[60.0, 0.0])
    run = simulate(net, trips_from(np.arange(10.0), 0, np.tile([1, 2], 5)), reroute_every_s=reroute_every_s)
    assert (run.counts.arrived, run.counts.on_road, run.counts.lost) == (5, 5, 0)
    assert np.isnan(run.arrival_s[::2]).all() and np.isfinite(run.arrival_s[1::2]).all()


# --- two equal routes -----------------------------------------------------------------------------------------------

FORK = [(0, 1), (1, 2), (2, 4), (1, 3), (3, 4)]  # node 0 to 4 by 2 or by 3
WIDE = {"capacity_veh_per_s": 20.0, "discharge_veh_per_s": 20.0, "jam_density_veh_per_m": 8.0}


def test_two_equal_routes_share_evenly_by_logit():
    """Equal costs: each driver by 2 with chance one half. 10,000 drivers: four standard errors are 0.02."""
    net, trips = network(FORK, **WIDE), trips_from(np.arange(10_000) * 0.1, 0, 4)
    run = simulate(net, trips, paths=logit_paths(net, trips, theta_per_s=0.1))
    by_2 = (run.log.link == 1).sum()
    assert by_2 + (run.log.link == 3).sum() == 10_000
    assert by_2 / 10_000 == pytest.approx(0.5, abs=0.02)


def test_two_equal_routes_share_evenly_by_perception():
    """400 perceptions of equal times, each for one way or the other: four standard errors are 0.1."""
    run = simulate(
        network(FORK, **WIDE), trips_from(np.arange(4000) * 0.1, 0, 4), perceptions=400, perception_sd=0.2,
        reroute_every_s=None,
    )  # fmt: skip
    assert (run.log.link == 1).sum() / 4000 == pytest.approx(0.5, abs=0.1)


def test_a_tie_between_two_routes_is_settled_by_lot():
    """One perception, equal times to the last bit: all drivers of a run one way, another one by seed. 100 seeds."""
    chosen = []
    for seed in range(100):
        run = simulate(network(FORK), trips_from([0.0, 5.0], 0, 4), seed=seed, reroute_every_s=None)
        chosen.append((run.log.link == 1).sum())
    assert set(chosen) == {0, 2} and np.mean(chosen) / 2 == pytest.approx(0.5, abs=0.2)


def test_two_equal_routes_that_queue_share_evenly_as_drivers_learn():
    """0.8 veh/s over two ways that let out 0.5 veh/s each: neither carries all; with news every 30 s both get half."""
    out = [2.0, 0.5, 2.0, 0.5, 2.0]
    net = network(FORK, capacity_veh_per_s=2.0, jam_density_veh_per_m=0.8, discharge_veh_per_s=out)
    run = simulate(net, trips_from(np.arange(3200) / 0.8, 0, 4), reroute_every_s=30.0, switch_s=0.0)
    assert (run.log.link == 1).sum() / 3200 == pytest.approx(0.5, abs=0.03)
    assert run.counts.arrived == 3200


# --- numbers of links -----------------------------------------------------------------------------------------------


def test_renumbered_links_route_and_carry_the_same_trips():
    """A 4 x 4 grid of equal links, full of equal ways, with rerouting: every row of the log is the same."""
    rng = np.random.default_rng(6)
    ends = grid(4)
    order, key = rng.permutation(len(ends)), rng.integers(0, 2**63, len(ends)).astype(np.uint64)
    orig = rng.integers(0, 16, 1500)
    trips = trips_from(np.sort(rng.uniform(0, 900, 1500)), orig, (orig + rng.integers(1, 16, 1500)) % 16)
    one, two = (simulate(network(ends, key=key, order=o), trips, reroute_every_s=120.0, seed=2) for o in (None, order))
    assert one.log.time_s.tobytes() == two.log.time_s.tobytes()
    assert one.log.trip.tobytes() == two.log.trip.tobytes()
    assert one.log.link.tolist() == np.where(two.log.link >= 0, order[two.log.link], two.log.link).tolist()


# --- a city ---------------------------------------------------------------------------------------------------------


def test_a_city_lives_the_same_life_in_two_parts_with_closures_and_incidents(town):
    """Two links closed to lorries, forty incidents a day, drivers of whom half learn; cut at 07:45."""
    city = replace(town, closed=frozenset({(3, 2), (40, 2)}))
    options = {"seed": 5, "incidents_per_day": 40.0, "informed_share": 0.5}
    whole = city.run(days=0.5, **options)
    first = city.run(days=7.75 / 24, **options)
    second = city.run(days=0.5 - 7.75 / 24, initial_state=first.final_state, **options)
    for name in ("zone_truth", "counts", "sensor_state"):
        joined = pd.concat([getattr(first, name), getattr(second, name)], ignore_index=True)
        pd.testing.assert_frame_equal(joined, getattr(whole, name).reset_index(drop=True), check_exact=True)
    assert all(a.tobytes() == second.final_state[name].tobytes() for name, a in whole.final_state.items())
