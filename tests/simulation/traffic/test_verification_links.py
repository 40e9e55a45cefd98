"""Links against kinematic-wave theory (Lighthill & Whitham 1955, Richards 1956), triangular diagram (Newell 1993).

Usual street: free-flow speed u = 10 m/s, capacity C = 0.5 veh/s, jam density 0.2 veh/m, so a backward wave of
w = C / (0.2 - C / u) = 10/3 m/s. State of flow q: density q / u when free, 0.2 - q / w when queueing.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

U, C, JAM = 10.0, 0.5, 0.2
W = C / (JAM - C / U)


def street(road, n=40, length=50.0, **fields):
    """A street of n links in a row, all of the usual kind, with the log on and nobody in search of a way out."""
    engine = {"log": True, "gate_fill": 1.0, "patience_s": 1e9}
    return road([list(range(n))], length_m=np.broadcast_to(length, n), engine=engine, **fields)


def entry_times(one, n):
    """When each vehicle entered each link and arrived, s. (trips, n + 1)"""
    log = one.engine.entry_log()
    times = np.full((log.trip.max() + 1, n + 1), np.nan)
    times[log.trip, np.where(log.link < 0, n, log.link)] = log.time_s
    return times


# --- one vehicle, one flow ------------------------------------------------------------------------------------------


@given(
    length=st.lists(st.floats(5.0, 5000.0), min_size=1, max_size=8), speed=st.floats(2.0, 40.0), start=st.floats(0, 1e5)
)
@settings(max_examples=50, deadline=None)
def test_one_vehicle_drives_at_free_flow(road, length, speed, start):
    """Length over speed, link by link, to rounding (no link here takes less than its least time of 0.5 s)."""
    length = np.maximum(length, speed * 0.5)
    one = street(road, len(length), length, speed_mps=speed, capacity_veh_per_s=0.05).release(start).go(np.inf)
    expected = start + np.concatenate([[0.0], np.cumsum(length / speed)])
    assert entry_times(one, len(length))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("capacity", [0.2, 0.5, 0.9])
def test_every_point_of_a_street_passes_on_its_capacity_and_no_more(road, capacity):
    """All want to go at once: the n-th passes the point x at n / C + x / u, n = 0, 1, ...; jam density 0.2."""
    one = street(road, 10, capacity_veh_per_s=capacity).release(np.zeros(200)).go(1e5)
    expected = np.arange(200)[:, None] / capacity + 5.0 * np.arange(11)[None, :]
    assert entry_times(one, 10) == pytest.approx(expected)


# --- bottlenecks ----------------------------------------------------------------------------------------------------


def bottleneck(road, **last):
    """Saturated flow into 30 links before a last one with other values: flow out of it, and densities before it."""
    values = {"speed_mps": U, "capacity_veh_per_s": C, "discharge_veh_per_s": C, "jam_density_veh_per_m": JAM}
    fields = {name: np.r_[np.full(30, usual), last.get(name, usual)] for name, usual in values.items()}
    one = street(road, 31, **fields).release(np.zeros(3000)).go(4000.0)
    times = entry_times(one, 31)
    out = np.nansum((times[:, 31] >= 3000.0) & (times[:, 31] < 4000.0)) / 1000.0
    count = one.engine.v.links["count"]
    return out, count[5:30].sum() / (25 * 50.0)


def queue_density(flow):
    return JAM - flow / W


@pytest.mark.parametrize("speed", [2.0, 4.0])
def test_a_slow_link_is_a_bottleneck_by_its_speed(road, speed):
    """Same jam density and wave: capacity u w JAM / (u + w), 0.25 veh/s at 2 m/s; 0.125 veh/m queue before it."""
    expected = speed * W * JAM / (speed + W)
    out, density = bottleneck(road, speed_mps=speed, capacity_veh_per_s=expected, discharge_veh_per_s=expected)
    assert out == pytest.approx(expected, rel=0.005)
    assert density == pytest.approx(queue_density(expected), rel=0.01)


@pytest.mark.parametrize("discharge", [0.1, 0.3])
def test_a_link_that_lets_out_less_is_a_bottleneck(road, discharge):
    out, density = bottleneck(road, discharge_veh_per_s=discharge)
    assert out == pytest.approx(discharge, rel=0.005)
    assert density == pytest.approx(queue_density(discharge), rel=0.01)


def test_a_link_of_half_the_jam_density_is_a_bottleneck(road):
    """Half the room at the same speeds is half the capacity: 0.25 veh/s, and 0.125 veh/m before it."""
    out, density = bottleneck(road, jam_density_veh_per_m=JAM / 2, capacity_veh_per_s=C / 2, discharge_veh_per_s=C / 2)
    assert out == pytest.approx(0.25, rel=0.005) and density == pytest.approx(0.125, rel=0.01)


@pytest.mark.parametrize("places", [1, 2, 5])
def test_a_short_link_is_no_bottleneck_whatever_it_holds(road, places):
    """A place is taken for L / u + L / w; with L = places / JAM that is places / C: it passes on C, no less."""
    one = street(road, 12, np.r_[np.full(5, 50.0), [places / JAM] * 2, np.full(5, 50.0)])
    one.release(np.zeros(600)).go(1e5)
    assert np.diff(entry_times(one, 12)[:, 12]) == pytest.approx(np.full(599, 2.0))


def test_a_closed_link_fills_to_its_jam_density(road):
    """Red for good at the end of 1,000 m in 20 links: 200 vehicles, 10 in each; nobody else gets in."""
    one = street(road, 21, cycle_s=np.r_[np.zeros(20), 1e7], green_start_s=9e6, green_s=1.0)
    one.release(np.zeros(400)).go(1e5)
    assert (one.engine.v.links["count"] == 10).all() and one.engine.counts().waiting == 400 - 210


# --- waves ----------------------------------------------------------------------------------------------------------


@given(flow=st.floats(0.1, 0.49), discharge=st.floats(0.02, 0.4))
@settings(max_examples=25, deadline=None)
def test_every_vehicle_passes_every_point_by_newells_minimum_principle(road, flow, discharge):
    """Vehicle n is at distance d before the bottleneck at the later of two times (Newell 1993, part I).

    From upstream, at n / q + (X - d) / u. From downstream: a wave after vehicle n - JAM d has left the bottleneck.
    Vehicle m leaves there at the later of m / q + X / u and the discharge headway after m - 1.
    """
    n, every, headway = 20, 1 / flow, 1 / discharge
    one = (
        street(road, n, discharge_veh_per_s=np.r_[np.full(n - 1, C), discharge]).release(every * np.arange(400)).go(1e6)
    )
    times = entry_times(one, n)
    leave = np.zeros(400)
    for m in range(400):
        leave[m] = max(every * m + 50.0 * n / U, leave[m - 1] + headway if m else 0.0)
    assert times[:, n] == pytest.approx(leave)
    for i in range(1, n):
        places = 10 * (n - i)
        free = every * np.arange(400) + 50.0 * i / U
        held = np.r_[np.full(places, -np.inf), leave[: 400 - places] + 50.0 * (n - i) / W]
        assert times[:, i] == pytest.approx(np.maximum(free, held))


@pytest.mark.parametrize(("flow", "discharge"), [(0.4, 0.1), (0.25, 0.05), (0.4, 0.3)])
def test_the_tail_of_a_queue_climbs_at_the_speed_of_a_shock(road, flow, discharge):
    """(q1 - q2) / (k1 - k2) of Lighthill & Whitham. 0.4 before 0.1 veh/s: 0.3 / (0.17 - 0.04) = 2.308 m/s.

    When the tail passes the begin of each link: the first vehicle that is late there. To one vehicle's headway.
    """
    n = 40
    one = street(road, n, discharge_veh_per_s=np.r_[np.full(n - 1, C), discharge])
    one.release(np.arange(3000) / flow).go(1e4)
    times = entry_times(one, n)
    speed = (flow - discharge) / (queue_density(discharge) - flow / U)
    for i in range(5, n - 1):
        free = np.arange(len(times)) / flow + 5.0 * i
        late = times[:, i] > free + 1e-6
        tail = free[np.argmax(late)]
        expected = 50.0 * n / U + 50.0 * (n - i) / speed
        assert tail == pytest.approx(expected, abs=1 / flow + 1 / discharge)


@pytest.mark.parametrize("flow", [0.3, 0.5])
def test_a_queue_that_is_let_go_starts_at_the_wave_speed_and_flows_at_capacity(road, flow):
    """Rarefaction of a jam: green at 2,000 s after 1,000 m of standing queue; 50 i m back they start 15 i s later.

    From then on each point passes on 0.5 veh/s; downstream the front of that flow drives at free-flow speed.
    """
    one = street(
        road, 40, cycle_s=np.r_[np.zeros(19), 1e7, np.zeros(20)],
        green_start_s=np.r_[np.zeros(19), 2000.0, np.zeros(20)],
        green_s=np.r_[np.zeros(19), 9e6, np.zeros(20)],
    )  # fmt: skip
    one.release(np.arange(1200) / flow).go(1e5)
    times = entry_times(one, 40)
    for i in range(1, 20):
        begin = 2000.0 + 50.0 * (20 - i) / W
        first = times[10 * (20 - i), i]  # the vehicle that the standing queue held before this point
        assert first == pytest.approx(begin)
        assert np.diff(times[10 * (20 - i) : 10 * (20 - i) + 100, i]) == pytest.approx(np.full(99, 2.0))
    assert times[:100, 40] == pytest.approx(2000.0 + 2.0 * np.arange(100) + 20 * 50.0 / U)


def test_an_incident_grows_and_dissolves_its_queue_as_shock_and_recovery_wave_do(road):
    """0.25 veh/s; for 600 s a point passes on 0.1 only, then 0.5 veh/s again.

    The tail climbs 0.15 / (0.17 - 0.025) = 1.0345 m/s, the recovery 10/3 m/s from 600 s on: they meet 900 m upstream,
    870 s after the begin. Who came within 600 + 0.15 x 600 / 0.25 = 960 s was held up: 240 vehicles. The area
    between arrivals and departures, 0.5 x 90 veh x 960 s = 43,200 s, is the delay.
    """
    n = 130
    one = street(road, n, 10.0)
    begin, end = 2000.0, 2600.0
    one.release(4.0 * np.arange(1500)).go(begin)
    usual = one.arrays
    last = np.arange(n) == n - 1
    one.engine.set_links(replace(usual, discharge_veh_per_s=np.where(last, 0.1, usual.discharge_veh_per_s)))
    one.go(end)
    one.engine.set_links(usual)
    one.go(1e5)
    times = entry_times(one, n)
    late = times - (4.0 * np.arange(1500)[:, None] + 1.0 * np.arange(n + 1)[None, :])
    held = late[:, n] > 1e-6
    assert held.sum() == pytest.approx(240, abs=2)
    assert late[:, n].sum() == pytest.approx(43_200, rel=0.02)
    reached = 10.0 * (n - np.flatnonzero((late > 1e-6).any(axis=0)).min())
    assert reached == pytest.approx(900.0, abs=40.0)  # the spacing of free vehicles
    last_there = times[:, n - 90][late[:, n - 90] > 1e-6].max(initial=begin + 870.0)
    assert last_there == pytest.approx(begin + 870.0, abs=10.0)


def test_a_queue_spills_back_over_three_links_to_one_vehicle(road):
    """Links of 200, 150 and 100 m hold 40, 30 and 20. Red at their end; a vehicle comes every 4 s from 1,000 m off.

    The tail reaches the links' begins when 20, 50 and 90 stand there. Vehicle n reaches a begin without delay at
    4 n + x / u; the first that waits there is number 20, 50 and 90: at 4 x 20 + 135 = 215 s, 320 s and 460 s.
    """
    one = road(
        [[0, 1, 2, 3]], length_m=[1000.0, 200.0, 150.0, 100.0], cycle_s=[0.0, 0.0, 0.0, 1e6], green_start_s=5000.0,
        green_s=9e5, engine={"log": True, "gate_fill": 1.0, "patience_s": 1e9},
    )  # fmt: skip
    one.release(4.0 * np.arange(150)).go(4999.0)
    assert one.engine.v.links["count"].tolist() == [60, 40, 30, 20]
    one.go(1e5)
    times = entry_times(one, 4)
    for link, held, at in ((3, 20, 215.0), (2, 50, 320.0), (1, 90, 460.0)):
        free = 4.0 * np.arange(150) + {3: 135.0, 2: 120.0, 1: 100.0}[link]
        late = times[:, link] > free + 1e-6
        assert np.argmax(late) == held and free[held] == at
        wave = {3: 100.0, 2: 250.0, 1: 450.0}[link] / W
        assert times[held, link] == pytest.approx(5000.0 + wave)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_a_full_link_that_is_widened_keeps_the_headways_of_its_lanes(road, lanes):
    """Full with 20 at red; from 100 s on 0.5 veh/s leave. At 106 s it gets twice the room: nobody leaves sooner.

    One lane: at 100, 102, ... s; n lanes: n side by side at 100 s, and every 2 n s.
    """
    one = road(
        [[0]], lanes=float(lanes), cycle_s=1e6, green_start_s=100.0, green_s=9e5, engine={"log": True, "gate_fill": 1.0}
    )
    one.release(np.zeros(20)).go(106.0)
    one.engine.set_links(replace(one.arrays, jam_density_veh_per_m=2 * one.arrays.jam_density_veh_per_m))
    one.go(1e4)
    expected = 100.0 + 2.0 * lanes * (np.arange(20) // lanes)
    assert entry_times(one, 1)[:, 1] == pytest.approx(expected)


# --- the capacity drop ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [0.1, 0.25])
def test_a_queue_discharges_less_than_the_free_street_by_the_drop(road, drop):
    """(1 - drop) x C from a standing queue; at exactly C and free flow nobody is held up."""
    extra = {"capacity_drop": np.full(3, drop)}
    free = street(road, 3, extra=extra).release(2.0 * np.arange(100)).go(1e5)
    assert entry_times(free, 3) == pytest.approx(2.0 * np.arange(100)[:, None] + 5.0 * np.arange(4)[None, :])
    queue = road(
        [[0, 1]], length_m=2000.0, cycle_s=[1e6, 0.0], green_start_s=3000.0, green_s=9e5,
        extra={"capacity_drop": np.full(2, drop)}, engine={"log": True, "gate_fill": 1.0},
    )  # fmt: skip
    queue.release(2.0 * np.arange(300)).go(1e5)
    assert np.diff(entry_times(queue, 2)[:, 1]) == pytest.approx(np.full(299, 2.0 / (1 - drop)))


def test_a_merge_that_queues_discharges_less_by_the_drop(road):
    """Two full links into one of 0.5 veh/s with a drop of 0.2: 0.4 veh/s, 240 vehicles in 600 s."""
    one = road(
        [[0, 2], [1, 2]], length_m=[3000.0, 3000.0, 500.0], engine={"log": True, "gate_fill": 1.0},
        extra={"capacity_drop": np.array([0.0, 0.0, 0.2])},
    )  # fmt: skip
    one.release(np.repeat(np.arange(900.0), 2), origin=np.tile([0, 1], 900)).go(1600.0)
    log = one.engine.entry_log()
    into = log.time_s[(log.link == 2) & (log.time_s >= 1000.0)]
    assert into.size == 240 and np.diff(into) == pytest.approx(np.full(239, 2.5))


# --- every row of a log ---------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    features=st.lists(st.sampled_from(("lanes", "signals", "nodes", "yields", "drop", "paths"))),
)
@settings(max_examples=40, deadline=None)
def test_every_row_of_a_log_obeys_the_diagram_and_nobody_overtakes(random_networks, seed, features):
    """On every link: first in, first out; free-flow time at least; headways of each lane; no more vehicles than fit; a
    wave after the exit `storage` places ahead; nobody leaves at red."""
    case = random_networks.random_case(seed, *features)
    engine = case.engine(patience_s=1e9, jump_s=1e9)
    engine.release(case.trips)
    case.go(engine, 1e5)
    log, a, small = engine.entry_log(), case.arrays, 1e-9
    order = np.lexsort((np.arange(len(log.trip)), log.trip))
    trip, link, time = log.trip[order], log.link[order], log.time_s[order]
    leaves = np.r_[np.where(trip[1:] == trip[:-1], time[1:], np.nan), np.nan]
    for k in range(a.length_m.size):
        rows = np.flatnonzero(link == k)
        rows = rows[np.argsort(order[rows])]  # as logged
        entry, out = time[rows], leaves[rows]
        gone = int(np.isfinite(out).sum())
        assert np.isfinite(out[:gone]).all() and (np.diff(out[:gone]) >= 0).all()
        lanes = min(int(a.lanes[k]), int(engine.v.links["storage"][k]))
        assert (entry[lanes:] - entry[:-lanes] >= lanes / a.capacity_veh_per_s[k] - small).all()
        assert (out[lanes:gone] - out[: max(gone - lanes, 0)] >= lanes / a.discharge_veh_per_s[k] - small).all()
        assert (out[:gone] >= entry[:gone] + a.length_m[k] / a.speed_mps[k] - small).all()
        fits = int(engine.v.links["storage"][k])
        wave = a.length_m[k] * (a.jam_density_veh_per_m[k] / a.capacity_veh_per_s[k] - 1 / a.speed_mps[k])
        behind = entry[fits:]
        assert behind.size <= gone and (behind >= out[: behind.size] + wave - small).all()
        if a.cycle_s[k] > 0:
            assert (((out[:gone] - a.green_start_s[k] + small) % a.cycle_s[k]) <= a.green_s[k] + 2 * small).all()


@given(seed=st.integers(0, 10**6), features=st.lists(st.sampled_from(("lanes", "side_lanes", "pockets", "round"))))
@settings(max_examples=30, deadline=None)
def test_nobody_who_stood_aside_leaves_early_or_at_red(random_networks, seed, features):
    """With side lanes and signals: free-flow time at least, green, and a wave between the n-th exit and the entry
    `fits` places later, whoever left."""
    case = random_networks.random_case(seed, "signals", *features)
    engine = case.engine(patience_s=1e9, jump_s=1e9)
    engine.release(case.trips)
    case.go(engine, 1e5)
    log, a, small = engine.entry_log(), case.arrays, 1e-9
    order = np.lexsort((np.arange(len(log.trip)), log.trip))
    trip, link, time = log.trip[order], log.link[order], log.time_s[order]
    leaves = np.r_[np.where(trip[1:] == trip[:-1], time[1:], np.nan), np.nan]
    for k in range(a.length_m.size):
        entry, out = time[link == k], leaves[link == k]
        gone = np.isfinite(out)
        assert (out[gone] >= entry[gone] + a.length_m[k] / a.speed_mps[k] - small).all()
        if a.cycle_s[k] > 0:
            assert (((out[gone] - a.green_start_s[k] + small) % a.cycle_s[k]) <= a.green_s[k] + 2 * small).all()
        entry, out = np.sort(entry), np.sort(out[gone])
        behind = entry[int(engine.v.links["storage"][k]) :]
        wave = a.length_m[k] * (a.jam_density_veh_per_m[k] / a.capacity_veh_per_s[k] - 1 / a.speed_mps[k])
        assert behind.size <= out.size and (behind >= out[: behind.size] + wave - small).all()
