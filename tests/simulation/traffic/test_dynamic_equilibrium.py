"""Dynamic user equilibrium: closed forms on small networks, the gap on Sioux Falls."""

import os
from pathlib import Path

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.streams import Purpose, uniform
from simulation.traffic.dynamic_equilibrium import driven_paths, dynamic_equilibrium
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.network import LinkArrays
from simulation.traffic.paths import Paths
from simulation.traffic.static_assignment import static_equilibrium
from simulation.traffic.time_dependent import Journeys, LinkTimes

SHARED = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data"))


def network(ends, *, time_s, capacity, key=None):
    """Links of some seconds at 10 m/s from (a, b) pairs of nodes, roomy enough that no queue spills back."""
    n = len(ends)
    full = lambda value: np.broadcast_to(np.asarray(value, float), n).copy()  # noqa: E731
    return Network.from_arrays(
        LinkArrays(
            length_m=10.0 * full(time_s), lanes=full(1), speed_mps=full(10.0), capacity_veh_per_s=full(15.0),
            discharge_veh_per_s=full(capacity), jam_density_veh_per_m=full(30.0), cycle_s=full(0),
            green_start_s=full(0), green_s=full(0), key=key,
        ),
        np.array([a for a, _ in ends]), np.array([b for _, b in ends]),
    )  # fmt: skip


def trips_at(rate, seconds, dest):
    """Trips from node 0, evenly spaced."""
    depart = np.arange(0.0, seconds, 1.0 / rate)
    return NodeTrips(depart_s=depart, orig=np.zeros(depart.size, np.int64), dest=np.full(depart.size, dest))


def test_two_equal_routes_share_their_traffic_and_their_queues():
    """7.2 veh/s for 600 s onto two routes of 3 veh/s: 1.2 veh/s queue, 0.2 s more wait for each second of departure.

    Trips wait 0.2 x their departure, 60 s on average, above 10 + 60 + 10 s at free flow; each route carries half, early
    and late. One place in a queue is 1/3 s.
    """
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 60, 10], capacity=[12.0, 3.0, 3.0, 12.0])
    trips = trips_at(7.2, 600.0, 3)
    found = dynamic_equilibrium(net, trips, gap=0.015, max_iterations=60)
    upper = found.paths.links.reshape(-1, 3)[:, 1] == 1
    assert found.converged and found.gap <= 0.015
    assert upper.mean() == pytest.approx(0.5, abs=0.01)
    assert upper[trips.depart_s > 400].mean() == pytest.approx(0.5, abs=0.05)
    assert found.run.travel_time_s.mean() == pytest.approx(140.0, rel=0.02)


def test_a_detour_fills_once_the_queue_has_cost_what_the_detour_does():
    """Straight: 60 s and 3 veh/s; detour: 120 s, roomy. 6 veh/s for 600 s: the wait grows by 1 s a second for a minute.

    Straight go all 360 of the first minute and, from then on, as many as leave, 3 of 6 a second: 1,620 of the others,
    1,980 in all. Whoever departs after the first minute takes 1 + 120 + 1 s either way.
    """
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[1, 60, 120, 1], capacity=[12.0, 3.0, 12.0, 12.0])
    trips = trips_at(6.0, 600.0, 3)
    found = dynamic_equilibrium(net, trips, gap=0.012, max_iterations=60)
    straight = found.paths.links.reshape(-1, 3)[:, 1] == 1
    assert found.gap <= 0.012
    assert straight.sum() == pytest.approx(1980, rel=0.02)
    assert straight[trips.depart_s < 50].all()
    assert found.run.travel_time_s[trips.depart_s > 70].mean() == pytest.approx(122.0, abs=2.0)


def test_a_new_street_can_make_everybody_slower():
    """Braess (1968): two routes of a bottleneck (3 veh/s, 10 s) and a long street (300 s), 5 veh/s for half an hour.

    Without the bridge half take each and nobody waits: 310 s. With a bridge of 10 s between the bottlenecks each may
    cost 300 - 10 - 10 = 280 s of waiting until nobody wants to pass both: up to about 590 s.
    """
    ends, time_s, capacity = [(0, 1), (2, 3), (1, 3), (0, 2), (1, 2)], [10, 10, 300, 300, 10], [3.0, 3.0, 12, 12, 12]
    trips = trips_at(5.0, 1800.0, 3)
    without = dynamic_equilibrium(
        network(ends[:4], time_s=time_s[:4], capacity=capacity[:4]), trips, gap=0.005, max_iterations=60
    )
    assert without.run.travel_time_s.mean() == pytest.approx(310.0, rel=0.01)
    bridged = dynamic_equilibrium(network(ends, time_s=time_s, capacity=capacity), trips, gap=0.015, max_iterations=60)
    spent = bridged.run.travel_time_s
    assert bridged.gap <= 0.015
    assert spent.mean() > 1.3 * without.run.travel_time_s.mean() and spent.max() < 1.1 * 590.0


def test_no_vehicle_gains_what_the_gap_denies():
    """A single driver who takes the way that was best for him arrives about when the link times said.

    Two routes with a queue on each after one loading of all on the first: whoever changes alone gains what was said.
    """
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[1, 60, 90, 1], capacity=[2.0, 0.5, 0.5, 2.0])
    trips = trips_at(1.0, 300.0, 3)
    start = Paths.from_lists([[0, 1, 3]] * len(trips))
    once = dynamic_equilibrium(net, trips, start=start, max_iterations=1)
    who = 250
    alone = simulate(net, trips, paths=Paths.from_lists([[0, 2 if k == who else 1, 3] for k in range(len(trips))]))
    least = once.run.travel_time_s[who] - alone.travel_time_s[who]
    assert alone.travel_time_s[who] == pytest.approx(92.0, abs=2.5) and least > 200
    assert once.gap == pytest.approx(
        np.maximum(once.run.travel_time_s - 92.0, 0).sum() / np.minimum(once.run.travel_time_s, 92.0).sum(), rel=0.03
    )


def test_where_there_is_one_way_nobody_loses_anything():
    """A queue of minutes, but no other way: the gap is 0 at once, exactly."""
    found = dynamic_equilibrium(network([(0, 1), (1, 2)], time_s=10, capacity=[2.0, 0.5]), trips_at(1.0, 300.0, 2))
    assert found.gap == 0.0 and len(found.curve) == 1 and found.run.travel_time_s.max() > 250.0


def test_a_second_search_begins_where_the_first_ended():
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 60, 10], capacity=[2.0, 0.5, 0.5, 2.0])
    trips = trips_at(1.2, 300.0, 3)
    first = dynamic_equilibrium(net, trips, gap=0.03, max_iterations=60)
    again = dynamic_equilibrium(net, trips, gap=0.03, start=first)
    assert len(first.curve) > 1
    assert len(again.curve) == 1 and again.gap == first.gap
    assert np.array_equal(again.paths.links, first.paths.links)


def test_the_curve_and_the_intervals_tell_how_it_went():
    """The best round is kept; sums over intervals of 5 minutes give back its gap; excess is never negative there."""
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 60, 10], capacity=[2.0, 0.5, 0.5, 2.0])
    trips = trips_at(1.2, 900.0, 3)
    seen = []
    found = dynamic_equilibrium(net, trips, gap=0.0, max_iterations=8, progress=lambda k, gap: seen.append(gap))
    assert found.gap == found.curve["gap"].min() and seen == found.curve["gap"].tolist() and not found.converged
    table = found.intervals
    assert table["departure_s"].tolist() == [0.0, 300.0, 600.0] and table["trips"].sum() == len(trips)
    total, least = (table["trips"] * table[name] for name in ("experienced_s", "best_s"))
    assert total.sum() / least.sum() - 1 == pytest.approx(found.gap) and (table["gap"] >= 0).all()


def test_the_same_seed_gives_the_same_paths_whatever_the_numbers_of_links():
    """Two parallel routes and a bridge, links numbered backward: every trip drives the same streets."""
    ends = [(0, 1), (2, 3), (1, 3), (0, 2), (1, 2)]
    time_s, capacity = np.array([10, 10, 100, 100, 10]), np.array([0.5, 0.5, 2, 2, 2])
    key = np.array([11, 22, 33, 44, 55], dtype=np.uint64)
    trips = trips_at(1.0, 400.0, 3)

    def streets(order):
        net = network([ends[i] for i in order], time_s=time_s[order], capacity=capacity[order], key=key[order])
        return order[dynamic_equilibrium(net, trips, gap=0.0, max_iterations=6, seed=3).paths.links].tolist()

    assert streets(np.arange(5)) == streets(np.arange(5)[::-1])


def test_driven_paths_are_what_fixed_paths_were():
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 60, 10], capacity=[2.0, 0.5, 0.5, 2.0])
    trips = trips_at(1.0, 60.0, 3)
    paths = Paths.from_lists([[0, 1 + k % 2, 3] for k in range(len(trips))])
    again = driven_paths(simulate(net, trips, paths=paths).log, len(trips))
    assert np.array_equal(again.links, paths.links) and np.array_equal(again.start, paths.start)


def test_unreachable_destinations_are_one_error():
    net = network([(0, 1), (2, 3), (4, 5)], time_s=[10, 10, 10], capacity=[1.0, 1.0, 1.0])
    trips = NodeTrips(depart_s=np.zeros(4), orig=np.array([0, 0, 0, 2]), dest=np.array([1, 3, 3, 5]))
    with pytest.raises(RunError, match=r"0 to node 3 \(2 trips\), from node 2 to node 5 \(1 trips\); 3 trips in all"):
        dynamic_equilibrium(net, trips)


def test_impossible_options_are_named_at_once():
    net = network([(0, 1)], time_s=[10], capacity=[1.0])
    none = NodeTrips(depart_s=np.zeros(0), orig=np.zeros(0, np.int64), dest=np.zeros(0, np.int64))
    with pytest.raises(RunError, match=r"no trips; gap=-1 must.*max_iterations=0 must.*interval_s=0 must"):
        dynamic_equilibrium(net, none, gap=-1, max_iterations=0, interval_s=0)


@pytest.mark.skipif(not (SHARED / "dynamic").exists(), reason=f"no dynamic cases in {SHARED}")
def test_sioux_falls_comes_within_one_per_cent_of_equilibrium():
    """37,064 trips, run until empty, the wait at the origins included: 3 % asked for, 1 % aimed at.

    The free-flow bound of all trips is 1,431.8 s. Paths of the static equilibrium are a better start than those of
    empty streets.
    """
    from data.readers.dynamic_case import read_dynamic_case

    case = read_dynamic_case(SHARED / "dynamic" / "siouxfalls_dyn")
    links, zero = case.links, np.zeros(len(case.links))
    capacity = links["capacity_veh_per_s"].to_numpy(float)
    net = Network.from_arrays(
        LinkArrays(
            length_m=links["length_m"].to_numpy(float), lanes=links["lanes"].to_numpy(float),
            speed_mps=links["free_flow_speed_mps"].to_numpy(float), capacity_veh_per_s=capacity,
            discharge_veh_per_s=capacity, jam_density_veh_per_m=links["jam_density_veh_per_m"].to_numpy(float),
            cycle_s=zero, green_start_s=zero, green_s=zero, merge_weight=links["merge_weight"].to_numpy(float),
        ),
        links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy(),
    )  # fmt: skip
    trips = NodeTrips(
        depart_s=case.trips["depart_s"].to_numpy(float), orig=case.trips["origin_node_id"].to_numpy(np.int64),
        dest=case.trips["dest_node_id"].to_numpy(np.int64),
    )  # fmt: skip
    found = dynamic_equilibrium(net, trips, gap=0.01, max_iterations=15)
    assert found.gap <= 0.01 and found.run.counts.arrived == len(trips) == 37_064
    assert found.curve["mean_travel_time_s"].min() >= 1431.8
    od = case.trips.groupby(["origin_node_id", "dest_node_id"]).size().rename("trips_veh").reset_index()
    static = static_equilibrium(links, od, duration_s=4800.0, gap=1e-4)
    quantile = uniform(0, 0, np.arange(len(trips), dtype=np.uint64), Purpose.PATH_PICK)
    warm = static.link_paths(static.draw(trips.orig, trips.dest, quantile))
    search = Journeys.between_nodes(net, trips.orig, trips.dest, trips.depart_s)
    cold = search.fastest(LinkTimes.free(links["length_m"].to_numpy(float) / net.arrays.speed_mps))[1]
    first = [dynamic_equilibrium(net, trips, start=start, max_iterations=1).gap for start in (warm, cold)]
    assert first[0] < 0.8 * first[1]


def test_a_toll_empties_a_road_until_the_queue_on_the_other_costs_as_much():
    """Two equal roads of 60 s and 3 veh/s; 60 s worth of toll on the first, 5 veh/s for 300 s.

    The second takes all for 90 s, while its queue grows to 60 s of waiting (2/3 s a second); from then on it takes the
    3 veh/s that leave it, and 2 x 210 = 420 drivers pay and wait nowhere: 10 + 60 + 10 s. The others wait for 60 s.
    """
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 60, 10], capacity=[12.0, 3.0, 3.0, 12.0])
    trips = trips_at(5.0, 300.0, 3)
    found = dynamic_equilibrium(net, trips, charge_s=np.array([0.0, 60, 0, 0]), gap=0.007, max_iterations=60)
    pays = found.paths.links.reshape(-1, 3)[:, 1] == 1
    assert found.gap <= 0.007
    assert pays.sum() == pytest.approx(420, rel=0.08) and not pays[trips.depart_s < 70].any()
    late = trips.depart_s > 150
    assert found.run.travel_time_s[late & pays].mean() == pytest.approx(80.0, abs=4.0)
    assert found.run.travel_time_s[late & ~pays].mean() == pytest.approx(140.0, abs=3.0)


def test_each_class_weighs_the_toll_by_its_own_value_of_time():
    """A free road of 100 s and a tolled one of 60 s, both roomy: 20 s worth of toll for class 1, 80 s for class 0."""
    net = network([(0, 1), (1, 2), (1, 2), (2, 3)], time_s=[10, 60, 100, 10], capacity=12.0)
    depart = np.arange(0.0, 100.0)
    trips = NodeTrips(
        depart_s=depart, orig=np.zeros(100, np.int64), dest=np.full(100, 3), vehicle_class=np.arange(100) % 2
    )
    charge = np.zeros((2, 4))
    charge[:, 1] = [80.0, 20.0]
    found = dynamic_equilibrium(net, trips, charge_s=charge)
    pays = found.paths.links.reshape(-1, 3)[:, 1] == 1
    assert np.array_equal(pays, trips.vehicle_class == 1) and found.gap == 0.0
    charge[1, 1] = np.inf
    assert not (dynamic_equilibrium(net, trips, charge_s=charge).paths.links == 1).any()
    with pytest.raises(RunError, match=r"charge_s must be at least 0 s, one a link \(4\)"):
        dynamic_equilibrium(net, trips, charge_s=np.zeros(3))
    with pytest.raises(RunError, match="no way leads"):
        dynamic_equilibrium(net, trips, charge_s=np.array([np.inf, 0, 0, 0]))
