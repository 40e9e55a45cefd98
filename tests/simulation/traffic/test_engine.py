"""Traffic by hand: every closed form that the kinematic-wave model promises.

The usual link: 10 m/s, 0.5 veh/s, 0.2 veh/m, 100 m: 10 s at free flow, 20 vehicles, and a wave that needs 30 s, since
0.5 veh/s over (0.2 - 0.05) veh/m is 3.33 m/s.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.errors import RunError
from simulation.link_state import N_CLASSES
from simulation.traffic.engine import GATE_FILL, JUMP_S, PATIENCE_S, TrafficEngine, Trips, with_signal

# --- one link -------------------------------------------------------------------------------------------------------


def test_free_flow_is_exact(road):
    """100 m, 250 m and 40 m at 10 m/s from 7 s on: out at 17, 42 and 46 s; 390 m in 39 s."""
    one = road([[0, 1, 2]], length_m=[100.0, 250.0, 40.0]).release(7.0).go(100.0)
    assert [one.exits(link).tolist() for link in range(3)] == [[17.0], [42.0], [46.0]]
    assert one.engine.trip_stats()[0].tolist() == [1.0, 39.0, 390.0, 39.0]


def test_a_link_discharges_at_its_capacity(road):
    """Ten vehicles at once on 0.5 veh/s in and 0.25 veh/s out: in every 2 s, out at 10, 14, 18, ... s."""
    one = road([[0]], discharge_veh_per_s=0.25).release(np.zeros(10)).go(1e3)
    assert one.entries(0).tolist() == [2.0 * k for k in range(10)]
    assert one.exits(0).tolist() == [10.0 + 4.0 * k for k in range(10)]


def test_a_bottleneck_makes_the_queue_and_delay_of_a_deterministic_server(road):
    """D/D/1: 50 vehicles every 2 s before a 4 s server, 1,000 m long.

    Vehicle n arrives at the stop line at 100 + 2 n s and leaves at 100 + 4 n s: it waits 2 n s, all together
    50 x 49 = 2,450 s. At 199 s 50 have arrived, 25 have left: 25 queue. 50 x 100 s + 2,450 s are spent on the link.
    """
    one = road([[0]], length_m=1000.0, discharge_veh_per_s=0.25).release(2.0 * np.arange(50)).go(199.0)
    first = one.engine.read_interval()
    assert first.queue_veh.sum() == 25.0
    one.go(1e4)
    second = one.engine.read_interval()
    assert one.exits(0).tolist() == [100.0 + 4.0 * n for n in range(50)]
    assert first.vehicle_time_s.sum() + second.vehicle_time_s.sum() == pytest.approx(50 * 100.0 + 2450.0)
    assert one.engine.trip_stats()[0, 1] - one.engine.trip_stats()[0, 3] == pytest.approx(2450.0)


def test_travel_times_are_those_of_who_left_and_of_who_still_waits(road):
    """Two left after 10 and 12 s: 11 s. Later nobody can leave and the head has waited 100 s."""
    one = road([[0]], discharge_veh_per_s=0.25).release([0.0, 2.0]).go(15.0)
    assert one.engine.travel_times().tolist() == [11.0]
    assert one.engine.travel_times().tolist() == [10.0]
    stuck = road([[0]], cycle_s=600.0, green_start_s=599.0, green_s=1.0).release(0.0).go(100.0)
    assert stuck.engine.travel_times().tolist() == [100.0]


def test_nobody_overtakes_whatever_their_class(road):
    rng = np.random.default_rng(4)
    one = road([[0, 1, 2]], length_m=2000.0, discharge_veh_per_s=[0.4, 0.3, 0.2])
    one.release(np.sort(rng.uniform(0, 300, 120)), vehicle_class=rng.integers(0, 4, 120)).go(1e5)
    for link in range(3):
        entry, exit_, trip = one.history(link)
        assert (np.diff(exit_) > 0).all() and (np.diff(entry) > 0).all()
        assert trip.tolist() == list(range(120))


# --- queues that spill back -----------------------------------------------------------------------------------------


def test_a_full_link_takes_a_vehicle_one_wave_after_one_has_left(road):
    """1,000 m at 0.5 veh/s into 100 m that passes on 0.1 veh/s.

    The first enters the short link at 100 s and leaves it at 110 s, then one leaves every 10 s. Vehicles enter every
    2 s until 20 are in, at 138 s. The 21st may enter 30 s after the first has left, at 140 s, just in time; the n-th
    at 140 + 10 (n - 21) s: the long link now loses 0.1 veh/s, and its queue grows.
    """
    one = road([[0, 1]], length_m=[1000.0, 100.0], discharge_veh_per_s=[0.5, 0.1])
    one.release(2.0 * np.arange(60)).go(1e4)
    entries = one.exits(0)
    assert entries[:21] == pytest.approx(100.0 + 2.0 * np.arange(21))
    assert entries[21:] == pytest.approx(150.0 + 10.0 * np.arange(39))
    assert one.engine.counts().forced == 0


def test_spillback_reaches_the_next_link_when_the_shock_does(road):
    """Red at the end of a 300 m link from the start; vehicles every 4 s, 0.25 veh/s or 0.025 veh/m, from a link before.

    The queue's tail climbs 0.25 / (0.2 - 0.025) = 1.4286 m/s. It starts at the stop line when the first vehicle is
    there, 130 s, and has climbed 300 m after 210 s: at 340 s. The 61st vehicle is the first that finds no room; it
    comes at 100 + 4 x 60 = 340 s. Within one vehicle's 4 s.
    """
    one = road([[0, 1]], length_m=[1000.0, 300.0], cycle_s=[0.0, 2000.0], green_start_s=1000.0, green_s=1000.0)
    one.release(4.0 * np.arange(100)).go(399.0)
    blocked_at = 100.0 + 4.0 * one.engine.v.links["count"][1]
    assert one.engine.v.links["count"][1] == 60
    assert blocked_at == pytest.approx(130.0 + 300.0 / (0.25 / 0.175), abs=4.0)


def test_the_start_wave_climbs_at_the_wave_speed(road):
    """A full 100 m link gets green at 200 s, at 2 s a vehicle: the link before moves 30 s later, at 3.33 m/s."""
    one = road(
        [[0, 1]], length_m=[1000.0, 100.0], cycle_s=[0.0, 5000.0], green_start_s=200.0, green_s=4800.0,
        engine={"patience_s": 1e9},  # nobody looks for another way out
    )  # fmt: skip
    one.release(2.0 * np.arange(40)).go(229.0)
    assert one.exits(1).tolist() == [200.0 + 2.0 * k for k in range(15)]
    one.go(1e4)
    assert one.exits(0)[20:23] == pytest.approx([230.0, 232.0, 234.0])


@given(discharge=st.floats(0.02, 0.5), number=st.integers(1, 80), every=st.floats(0.5, 6.0))
@settings(max_examples=25, deadline=None)
def test_no_link_ever_holds_more_than_fits(road, discharge, number, every):
    one = road([[0, 1]], length_m=[150.0, 70.0], discharge_veh_per_s=[0.5, discharge])
    one.release(every * np.arange(number))
    for until in range(0, 600, 25):
        one.go(float(until))
        assert (one.engine.v.links["count"] <= one.engine.v.links["storage"]).all()
        assert one.engine.counts().conserved
    one.go(1e6)
    assert one.engine.counts().arrived == number


# --- junctions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("capacities", "share"), [((0.5, 0.5), 1 / 2), ((1.0, 0.5), 2 / 3), ((0.9, 0.3), 3 / 4)])
def test_a_saturated_merge_is_shared_by_capacity(road, capacities, share):
    """Two full links before one of 0.3 veh/s: of 300 vehicles in 1,000 s each gets its capacity's share, +- 2."""
    one = road(
        [[0, 2], [1, 2]], length_m=[400.0, 400.0, 200.0], capacity_veh_per_s=[*capacities, 1.0],
        discharge_veh_per_s=[*capacities, 0.3], jam_density_veh_per_m=0.4,
    )  # fmt: skip
    one.release(np.zeros(1200), origin=np.tile([0, 1], 600)).go(1000.0)
    before = one.engine.read_interval().outflow_veh.sum(axis=1)
    one.go(2000.0)
    out = one.engine.read_interval().outflow_veh.sum(axis=1)
    assert before.sum() > 0
    assert out[0] + out[1] == pytest.approx(300, abs=2)
    assert out[0] / (out[0] + out[1]) == pytest.approx(share, abs=2 / 300)


def test_an_unsaturated_merge_delays_nobody_by_more_than_a_headway(road):
    one = road([[0, 2], [1, 2]], capacity_veh_per_s=[0.5, 0.5, 1.0], jam_density_veh_per_m=0.4)
    one.release(10.0 * np.arange(20), origin=0).go(0.0)
    one.go(1e4)
    stats = one.engine.trip_stats()[0]
    assert stats[1] == stats[3]


def test_drivers_from_the_roadside_wait_for_a_gap(road):
    """Nobody pulls out into a link that is more than 70 % full: 14 of 20 on a link that is red all the time."""
    one = road([[0]], cycle_s=1e4, green_start_s=9e3, green_s=100.0).release(np.zeros(30)).go(1000.0)
    counts = one.engine.counts()
    assert counts.on_road == round(GATE_FILL * 20) == 14 and counts.waiting == 16 and counts.conserved


def test_saturated_greens_pass_saturation_flow(road):
    """24 s of each 60 at 0.5 veh/s: 12 vehicles a cycle, at 60 k + 0, 2, ..., 22 s."""
    one = road([[0]], length_m=3000.0, cycle_s=60.0, green_s=24.0).release(np.zeros(120)).go(1e5)
    exits = one.exits(0)
    assert exits.size == 120 and (exits % 60.0 < 24.0).all()
    assert exits[12:24].tolist() == (exits[0] + 60.0 + 2.0 * np.arange(12)).tolist()


@pytest.mark.parametrize(("green", "every"), [(30.0, 7.3), (40.0, 4.7), (20.0, 13.1)])
def test_the_mean_wait_at_a_signal_is_the_uniform_delay(road, green, every):
    """C (1 - g/C)^2 / (2 (1 - y)), the first term of Webster (1958), with y = flow / saturation flow, C = 60 s.

    Green 30 s, a vehicle every 7.3 s, 0.5 veh/s: y = 0.274, so 60 x 0.25 / 1.452 = 10.33 s. The formula's vehicles
    are a fluid, ours have headways: within 1 s.
    """
    one = road([[0]], cycle_s=60.0, green_s=green).release(every * np.arange(2000)).go(1e6)
    number, time, _, free = one.engine.trip_stats()[0]
    expected = 60.0 * (1 - green / 60.0) ** 2 / (2 * (1 - 1 / every / 0.5))
    assert number == 2000
    assert (time - free) / number == pytest.approx(expected, abs=1.0)


def test_a_light_that_turns_red_holds_who_waited_for_room(road):
    """Link 0 is green 20 s of 60 before a link that takes a vehicle every 8 s: nobody passes at red."""
    one = road(
        [[0, 1]], length_m=[2000.0, 60.0], discharge_veh_per_s=[0.5, 0.125], cycle_s=[60.0, 0.0], green_s=[20.0, 0.0]
    )
    one.release(2.0 * np.arange(60)).go(1e5)
    assert (one.exits(0) % 60.0 < 20.0 + 1e-9).all() and one.engine.counts().arrived == 60


# --- where no one could move ----------------------------------------------------------------------------------------


def test_a_circle_of_full_links_is_resolved_and_counted(road):
    """Four links of 10 m hold 2 each and get green at 20 s; all 8 want to go on by three links: nobody could move.

    After 10 s of patience the heads move on by one, together.
    """
    paths = [[(k + j) % 4 for j in range(4)] for k in range(4)]
    one = road(paths, length_m=10.0, cycle_s=1e6, green_start_s=20.0, green_s=9e5)
    one.release(np.zeros(8), origin=np.tile(np.arange(4), 2), to=np.tile((np.arange(4) + 3) % 4, 2))
    one.go(20.0 + PATIENCE_S)
    assert (one.engine.v.links["count"] == 2).all()
    assert one.engine.counts().forced == 0 and one.engine.counts().on_road == 8
    one.go(1000.0)
    counts = one.engine.counts()
    assert counts.arrived == 8 and counts.forced >= 4 and counts.conserved
    assert one.history(0)[1].size and one.engine.trip_stats()[0, 2] == 8 * 40.0


def test_a_head_before_a_full_link_moves_on_after_its_patience(road):
    """Link 1 is red for good and full; after 60 s at the stop line the first in link 0 leaves the jam to link 2."""
    one = road([[0, 1, 2]], length_m=[1000.0, 50.0, 500.0], cycle_s=[0.0, 1e5, 0.0], green_start_s=9e4, green_s=1.0)
    one.release(2.0 * np.arange(11)).go(120.0 + JUMP_S - 1.0)
    assert one.engine.counts().forced == 0 and one.engine.v.links["count"].tolist() == [1, 10, 0]
    one.go(120.0 + JUMP_S + PATIENCE_S + 1.0)
    assert one.engine.counts().forced == 1 and one.engine.v.links["count"].tolist() == [0, 10, 1]
    assert one.engine.counts().conserved


def test_who_finds_no_way_is_counted_as_lost(road):
    one = road([[0, 1], [2, 3]]).release([0.0, 1.0, 2.0], origin=[0, 0, 2], to=[1, 3, 3]).go(100.0)
    counts = one.engine.counts()
    assert (counts.departed, counts.arrived, counts.lost, counts.on_road, counts.waiting) == (3, 2, 1, 0, 0)
    assert counts.conserved


# --- conservation in a town -----------------------------------------------------------------------------------------


def trips(draw_seed, number, span_s, n_links=80, layers=3):
    rng = np.random.default_rng(draw_seed)
    origin = rng.integers(0, n_links, number)
    dest = (origin + rng.integers(1, n_links, number)) % n_links
    return Trips(
        depart_s=np.sort(rng.uniform(0, span_s, number)), origin_link=origin, dest_row=dest,
        layer=rng.integers(0, layers, number), vehicle_class=rng.integers(0, N_CLASSES, number),
    )  # fmt: skip


@given(seed=st.integers(0, 10_000), number=st.integers(1, 800), cuts=st.lists(st.floats(0.0, 3000.0), max_size=12))
@settings(max_examples=30, deadline=None)
def test_vehicles_are_conserved_however_the_clock_is_cut(toy_traffic, seed, number, cuts):
    """Any cuts, with readings between: the same vehicles at the same places at the same instants, bit for bit.

    And all metres and seconds of the readings add up to those of one reading.
    """
    demand = trips(seed, number, 900.0)
    whole, cut = toy_traffic.engine(), toy_traffic.engine()
    distance = time = flow = 0.0
    for engine in (whole, cut):
        engine.release(demand)
    for at in sorted(cuts):
        cut.advance(at, toy_traffic.routes.next_link)
        counts, part = cut.counts(), cut.read_interval()
        assert counts.conserved
        assert (part.vehicle_time_s >= 0).all()
        distance, time, flow = (
            distance + part.vehicle_distance_m, time + part.vehicle_time_s, flow + part.inflow_veh - part.outflow_veh
        )  # fmt: skip
        assert np.sum(flow) == counts.on_road
    for engine in (whole, cut):
        engine.advance(3600.0, toy_traffic.routes.next_link)
    assert whole.counts() == cut.counts() and whole.counts().conserved
    assert whole.trip_stats().tobytes() == cut.trip_stats().tobytes()
    for name in ("slots", "trips", "events", "askers", "total", "links"):
        assert getattr(whole.v, name).tobytes() == getattr(cut.v, name).tobytes(), name
    one, last = whole.read_interval(), cut.read_interval()
    assert np.asarray(distance + last.vehicle_distance_m) == pytest.approx(one.vehicle_distance_m)
    assert np.asarray(time + last.vehicle_time_s) == pytest.approx(one.vehicle_time_s, abs=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_when_all_have_arrived_the_links_have_seen_every_metre_and_second(toy_traffic, seed):
    """Edie's totals over all links are the trips' own: metres driven, seconds on the road (the wait at gates apart)."""
    engine = toy_traffic.engine()
    demand = trips(seed, 300, 1800.0)
    engine.release(demand)
    engine.advance(2e4, toy_traffic.routes.next_link)
    assert engine.counts().arrived == 300 and engine.counts().forced == 0
    seen, stats = engine.read_interval(), engine.trip_stats()
    assert seen.vehicle_distance_m.sum(axis=0) == pytest.approx(stats[:, 2])
    assert (seen.vehicle_time_s.sum(axis=0) <= stats[:, 1] + 1e-6).all()
    assert (seen.vehicle_time_s.sum(axis=0) >= stats[:, 3] - 1e-6).all()
    assert seen.speed_distance_m.sum(axis=(0, 2)) == pytest.approx(stats[:, 2])
    assert (seen.inflow_veh == seen.outflow_veh).all() and seen.queue_veh.sum() == 0


def test_trips_released_by_interval_drive_as_if_released_at_once(toy_traffic):
    demand = trips(8, 600, 1800.0)
    whole, parts = toy_traffic.engine(), toy_traffic.engine()
    whole.release(demand)
    whole.advance(3600.0, toy_traffic.routes.next_link)
    for begin in (0.0, 600.0, 1200.0):
        first, last = np.searchsorted(demand.depart_s, [begin, begin + 600.0])
        parts.release(demand.between(first, last))
        parts.advance(begin + 600.0, toy_traffic.routes.next_link)
    parts.advance(3600.0, toy_traffic.routes.next_link)
    assert parts.counts() == whole.counts() and parts.trip_stats().tobytes() == whole.trip_stats().tobytes()
    for name in ("entry", "exit"):
        assert parts.v.slots[name].tobytes() == whole.v.slots[name].tobytes()


def test_who_waits_at_a_gate_keeps_the_place_when_more_trips_are_released(road):
    """40 at once on a link that takes one every 2 s; at 31 s 13 have arrived, 24 wait, and 10 more come."""
    one = road([[0]], length_m=50.0).release(np.zeros(40), vehicle_class=np.arange(40) % 4).go(31.0)
    assert one.engine.counts().waiting == 24 and one.engine.counts().arrived == 13
    one.release(np.full(10, 31.0), vehicle_class=3).go(1e3)
    counts = one.engine.counts()
    assert (counts.departed, counts.arrived, counts.on_road, counts.waiting) == (50, 50, 0, 0)
    assert one.engine.trip_stats()[:, 0].tolist() == [10.0, 10.0, 10.0, 20.0]
    assert one.engine.trip_stats()[:3, 1].sum() == sum(2.0 * k + 5.0 for k in range(40) if k % 4 < 3)


# --- the engine's own promises --------------------------------------------------------------------------------------


def test_an_engine_goes_on_from_a_state(toy_traffic):
    one = toy_traffic.engine()
    one.release(trips(1, 500, 900.0))
    one.advance(700.0, toy_traffic.routes.next_link)
    other = toy_traffic.engine()
    other.restore(one.state())
    for engine in (one, other):
        engine.advance(900.0, toy_traffic.routes.next_link)
        engine.release(replace(late := trips(2, 100, 500.0), depart_s=late.depart_s + 900.0))
        engine.advance(5000.0, toy_traffic.routes.next_link)
    assert all(a.tobytes() == other.state()[name].tobytes() for name, a in one.state().items())


def test_a_state_of_another_network_is_refused(road):
    with pytest.raises(RunError, match="resume with the city that made the state"):
        road([[0, 1]]).engine.restore(road([[0]]).engine.state())
    with pytest.raises(RunError, match="resume with the city that made the state"):
        road([[0]], length_m=120.0).engine.restore(road([[0]], length_m=115.0).engine.state())


def test_impossible_releases_are_refused(road):
    one = road([[0]]).go(10.0)
    with pytest.raises(RunError, match="at or after 10 s"):
        one.release(9.0)
    with pytest.raises(RunError, match="in order"):
        one.engine.release(
            Trips(depart_s=np.array([20.0, 15.0]), origin_link=np.zeros(2, int), dest_row=np.zeros(2, int),
                  layer=np.zeros(2, int), vehicle_class=np.zeros(2, int))
        )  # fmt: skip
    one.release(50.0)
    with pytest.raises(RunError, match="have not all departed"):
        one.release(60.0)
    with pytest.raises(RunError, match="cannot go back"):
        one.go(5.0)


def test_links_that_are_set_to_what_they_are_do_not_change_anything(toy_traffic):
    one, other = toy_traffic.engine(), toy_traffic.engine()
    for engine in (one, other):
        engine.release(trips(3, 800, 600.0))
    for until in (300.0, 400.0, 2000.0):
        one.advance(until, toy_traffic.routes.next_link)
        other.advance(until, toy_traffic.routes.next_link)
        other.set_links(other.arrays)
    assert all(a.tobytes() == other.state()[name].tobytes() for name, a in one.state().items())


def test_a_change_far_away_moves_nobody(toy_traffic):
    """A link that nobody drives on is changed back and forth: all others keep their events, bit for bit."""
    one, other = toy_traffic.engine(), toy_traffic.engine()
    demand = trips(3, 30, 200.0)
    next_link = toy_traffic.routes.next_link
    probe = toy_traffic.engine()
    probe.release(demand)
    probe.advance(1e5, next_link)
    flow = probe.read_interval().outflow_veh.sum(axis=1)
    unused = int(np.argmin(flow))
    assert flow[unused] == 0
    slow = replace(one.arrays, speed_mps=np.where(np.arange(80) == unused, 4.0, one.arrays.speed_mps))
    for engine in (one, other):
        engine.release(demand)
    for until, arrays in ((100.0, slow), (200.0, one.arrays), (1e4, one.arrays)):
        for engine in (one, other):
            engine.advance(until, next_link)
        other.set_links(arrays)
    assert all(a.tobytes() == other.state()[name].tobytes() for name, a in one.state().items())


def test_twice_the_lanes_carry_twice_the_vehicles_and_half_come_back(road):
    """0.5 veh/s; with two lanes for each one 1 veh/s over the whole link, 20 then 40 vehicles; then as before."""
    one = road([[0, 1]], length_m=[400.0, 400.0])
    narrow = one.arrays
    wide = replace(
        narrow, capacity_veh_per_s=2 * narrow.capacity_veh_per_s, discharge_veh_per_s=2 * narrow.discharge_veh_per_s,
        jam_density_veh_per_m=2 * narrow.jam_density_veh_per_m,
    )  # fmt: skip
    one.release(np.zeros(3000))
    flows = []
    for begin, arrays in ((0.0, narrow), (1000.0, wide), (2000.0, narrow)):
        one.engine.set_links(arrays)
        one.go(begin + 400.0)
        one.engine.read_interval()
        one.go(begin + 1000.0)
        flows.append(one.engine.read_interval().outflow_veh[1].sum() / 600.0)
    assert flows == pytest.approx([0.5, 1.0, 0.5], rel=0.02)
    assert one.engine.v.links["storage"].tolist() == [80, 80] and one.engine.counts().conserved


def test_rings_that_grow_forget_nobody(road):
    """Who is on a link when it is widened leaves in the same order at the same time."""
    one, other = road([[0, 1]], length_m=[300.0, 100.0]), road([[0, 1]], length_m=[300.0, 100.0])
    for each in (one, other):
        each.release(np.repeat(3.0 * np.arange(40), 1)).go(77.0)
    other.engine.set_links(replace(other.arrays, jam_density_veh_per_m=other.arrays.jam_density_veh_per_m * 1.5))
    assert other.engine.v.links["ring_size"].tolist() == [90, 30]
    other.engine.set_links(one.arrays)
    for each in (one, other):
        each.go(1000.0)
    assert one.engine.trip_stats().tobytes() == other.engine.trip_stats().tobytes()
    assert other.exits(1)[-20:].tolist() == one.exits(1)[-20:].tolist()
    assert other.engine.counts() == one.engine.counts()


def test_a_new_plan_is_in_force_at_once(road):
    """Red until 900 s, but a new plan at 50 s shows green from 60 s on."""
    one = road([[0]], cycle_s=1000.0, green_start_s=900.0, green_s=100.0).release([0.0, 2.0]).go(50.0)
    one.engine.set_links(with_signal(one.arrays, np.array([0]), 100.0, 60.0, 40.0))
    one.go(200.0)
    assert one.exits(0).tolist() == [60.0, 62.0]


def test_an_engine_knows_its_links(toy_traffic):
    engine = toy_traffic.engine()
    assert engine.n_links == 80 and engine.entered == 0
    assert engine.free_time_s == pytest.approx(toy_traffic.arrays.length_m / toy_traffic.arrays.speed_mps)
    assert isinstance(engine, TrafficEngine) and engine.counts().departed == 0
