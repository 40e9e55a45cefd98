"""Offsets: closed forms, exhaustive search, and fewer stops in the engine than with offsets by chance."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.errors import NetworkError
from simulation.traffic import coordination
from simulation.traffic.coordination import Light, Stream, bandwidth, best_offsets, joined_groups
from simulation.traffic.platoons import DISPERSION, departures, downstream, queue_by_offset, shown

CYCLE, GREEN, SPEED = 80.0, 36.0, 12.5
LENGTHS = np.array([250.0, 400.0, 175.0, 325.0, 300.0])  # m between six signals
EVEN = {"cycle_s": CYCLE, "start_s": 0.0, "green_s": GREEN, "saturation": 0.5}


def along(lengths, *, flow=0.18, back=0.0, start=0.0, share=1.0):
    """Streams along a street, and back if there is flow that way; greens begin `start` after each offset."""
    streams = []
    for k, length in enumerate(lengths):
        for a, b, q in ((k, k + 1, flow), (k + 1, k, back)):
            if q > 0:
                light = Light(**{**EVEN, "start_s": start}, flow=q)
                feeders = ((light, share, length / SPEED),)
                streams.append(Stream(upstream=a, downstream=b, light=light, feeders=feeders))
    return streams


# --- platoons -------------------------------------------------------------------------------------------------------


def test_a_queue_leaves_at_saturation_until_it_has_gone():
    """0.2 veh/s, green 40 of 80 s: 8 wait after red, gone after 8 / (0.5 - 0.2) = 26.7 s; then 0.2 veh/s."""
    green = shown(80.0, 0.0, 40.0, common_cycle_s=80.0, bins=80)
    out = departures(green, flow=0.2, saturation=0.5, bin_s=1.0)
    assert out[:26] == pytest.approx(0.5) and out[28:40] == pytest.approx(0.2) and out[40:] == pytest.approx(0.0)
    assert out.sum() == pytest.approx(0.2 * 80)


@given(travel=st.floats(0.0, 300.0), spread=st.sampled_from([0.0, DISPERSION, 0.5]))
@settings(deadline=None)
def test_a_platoon_keeps_its_vehicles_and_arrives_no_sooner_than_its_head(travel, spread):
    profile = np.zeros(90)
    profile[5:15] = 0.5
    out = downstream(profile, travel_s=travel, bin_s=1.0, dispersion=spread)
    assert out.sum() == pytest.approx(5.0) and out.max() <= 0.5 + 1e-9 and out.min() >= 0.0


def test_robertsons_factor_spreads_a_platoon():
    """t = 0.8 x 50 = 40 s, F = 1 / (1 + 0.35 x 40) = 1/15: of one vehicle 1/15 arrives with the head, 14/15 of the
    rest in each second less; the infinite tail is wound round a long cycle.
    """
    profile = np.zeros(600)
    profile[0] = 1.0
    out = downstream(profile, travel_s=50.0, bin_s=1.0, dispersion=0.35)
    assert out[40:43] == pytest.approx([1 / 15, 14 / 225, 196 / 3375], rel=1e-6)


def test_the_queue_of_each_offset_is_that_of_a_run_with_it():
    """All offsets at once against one after the other, and even arrivals against C (1 - u)^2 / (2 (1 - u x)) q."""
    rng = np.random.default_rng(2)
    arrivals = rng.uniform(0.0, 0.3, (3, 60))
    served = np.stack([0.5 * shown(60.0, s, 40.0, common_cycle_s=60.0, bins=60) for s in (0.0, 13.0, 50.0)])
    every = queue_by_offset(arrivals, served, bin_s=1.0)
    for k in (0, 7, 41):
        assert every[:, k] == pytest.approx(queue_by_offset(arrivals, np.roll(served, k, axis=1), bin_s=1.0)[:, 0])
    even = queue_by_offset(np.full((1, 600), 0.2), served[:1].repeat(10, axis=1), bin_s=0.1)
    assert even == pytest.approx(0.2 * 60.0 * (1 / 3) ** 2 / (2 * (1 - 0.4)), rel=0.02)


# --- offsets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_one_way_the_best_offset_is_length_over_speed(share):
    """250 m at 12.5 m/s: the next green 20 s later; also where a fifth of the vehicles comes from elsewhere."""
    offset, _ = best_offsets(along(LENGTHS, share=share), n=6, cycle_s=CYCLE)
    ideal = np.concatenate([[0.0], np.cumsum(LENGTHS / SPEED)]) % CYCLE
    away = (offset - ideal + CYCLE / 2) % CYCLE - CYCLE / 2
    assert np.abs(away[1:]).max() <= (0.5 if share == 1.0 else 6.0)
    assert np.abs(np.diff(away)).max() <= 6.0


def test_the_offset_counts_from_the_green_of_the_street():
    """Where the greens begin 30 s after the offset at one signal, that signal's offset is 30 s less."""
    one, other = along([250.0])[0].light, Light(**{**EVEN, "start_s": 30.0}, flow=0.18)
    stream = Stream(upstream=0, downstream=1, light=other, feeders=((one, 1.0, 20.0),))
    offset, _ = best_offsets([stream], n=2, cycle_s=CYCLE)
    assert offset.tolist() == pytest.approx([0.0, (20.0 - 30.0) % CYCLE])


def test_both_ways_half_a_cycle_apart_is_green_both_ways():
    """500 m at 12.5 m/s is 40 s, half of 80: greens half a cycle apart meet both platoons, and nobody waits."""
    offset, queue = best_offsets(along([500.0, 500.0, 500.0], back=0.18), n=4, cycle_s=CYCLE)
    assert offset.tolist() == [0.0, 40.0, 0.0, 40.0]
    assert queue[1] == pytest.approx(0.0, abs=1e-3) and queue[0] > 5.0


@given(st.lists(st.integers(50, 800), min_size=2, max_size=3), st.floats(0.02, 0.2), st.floats(0.02, 0.2))
@settings(max_examples=15, deadline=None)
def test_along_a_street_no_offsets_are_better(lengths, flow, back):
    """Every combination in steps of 8 s, 10 for each signal but the first."""
    streams = along(np.array(lengths, float), flow=flow, back=back)
    n = len(lengths) + 1
    _, queue = best_offsets(streams, n=n, cycle_s=CYCLE)
    pairs, cost = coordination._pair_costs(streams, CYCLE, 80, 0.0)
    coarse = min(
        coordination._total(np.array([0, *others]), pairs, cost, 80)
        for others in product(range(0, 80, 8), repeat=n - 1)
    )
    assert queue[1] <= coarse + 1e-9


def test_in_a_network_it_is_never_worse_than_together_and_near_the_best_of_many():
    """A grid of 3 x 3 with a stream each way between neighbours: below 2,000 random sets of offsets."""
    rng = np.random.default_rng(1)
    streams = []
    for a in range(9):
        for b in (a + 1, a + 3):
            if (b == a + 1 and a % 3 == 2) or b > 8:
                continue
            length = rng.uniform(100, 500)
            for i, j in ((a, b), (b, a)):
                light = Light(**{**EVEN, "start_s": 0.0 if b == a + 1 else 40.0}, flow=rng.uniform(0.05, 0.2))
                streams.append(Stream(upstream=i, downstream=j, light=light, feeders=((light, 0.9, length / SPEED),)))
    offset, queue = best_offsets(streams, n=9, cycle_s=CYCLE)
    pairs, cost = coordination._pair_costs(streams, CYCLE, 80, 0.0)
    chance = [coordination._total(rng.integers(0, 80, 9), pairs, cost, 80) for _ in range(2000)]
    assert queue[1] <= queue[0] and queue[1] < min(chance)
    assert coordination._total((offset + 1e-6).astype(int), pairs, cost, 80) == pytest.approx(queue[1])


def test_a_signal_that_runs_twice_in_the_cycle_fits_in():
    """Between two signals of 80 s one of 40 s with 18 s of green: its platoon is met every other time."""
    half = Light(cycle_s=40.0, start_s=0.0, green_s=18.0, flow=0.18, saturation=0.5)
    full = Light(**EVEN, flow=0.18)
    streams = [
        Stream(upstream=0, downstream=1, light=half, feeders=((full, 1.0, 20.0),)),
        Stream(upstream=1, downstream=2, light=full, feeders=((half, 1.0, 32.0),)),
    ]
    offset, queue = best_offsets(streams, n=3, cycle_s=CYCLE)
    assert offset[1] % 40.0 == pytest.approx(20.0, abs=6.0) and queue[1] < queue[0]


def test_intersections_that_no_stream_joins_are_apart():
    assert joined_groups(np.array([[0, 1], [1, 2], [1, 0]]), 5).tolist() == [0, 0, 0, 1, 2]
    offset, queue = best_offsets([], n=3, cycle_s=CYCLE)
    assert offset.tolist() == [0.0] * 3 and queue.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("cycle", "n", "words"), [(0.0, 6, "cycle_s=0.0"), (80.0, 2, "found 1 -> 2"), (np.nan, 6, "nan")]
)
def test_impossible_sets_are_refused(cycle, n, words):
    with pytest.raises(NetworkError, match=words):
        best_offsets(along(LENGTHS), n=n, cycle_s=cycle)


# --- bands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "green", "travel", "width"),
    [
        ([0, 20, 40], [30, 30, 30], [0, 20, 40], 30.0),  # perfect progression
        ([0, 20, 40], [30, 24, 30], [0, 20, 40], 24.0),  # the shortest green
        ([0, 30, 40], [30, 30, 30], [0, 20, 40], 20.0),  # one signal 10 s late
        ([0, 40], [30, 30], [0, 0], 0.0),  # red when the other is green
        ([70, 10], [30, 30], [0, 20], 30.0),  # round the end of the cycle
        ([0, 0], [80, 80], [0, 33], 80.0),  # no signal at all
    ],
)
def test_a_band_is_where_all_greens_meet(offset, green, travel, width):
    assert bandwidth(np.array(offset), np.array(green), np.array(travel), cycle_s=80.0) == pytest.approx(width)


# --- in the engine --------------------------------------------------------------------------------------------------


def drive(road, offsets, *, back):
    """Delay a vehicle (s) and share of stops along a street of six signals in the engine, both ways if asked for."""
    n = len(LENGTHS) + 1
    length = np.array([300.0, *LENGTHS])
    east = list(range(n))
    west = [n + k for k in range(n)]
    both = np.concatenate([length, [300.0, *LENGTHS[::-1]]])
    start = np.concatenate([offsets, offsets[::-1]])
    one = road(
        [[*east], [*west]], length_m=both, speed_mps=SPEED, capacity_veh_per_s=0.5, cycle_s=CYCLE,
        green_start_s=start % CYCLE, green_s=GREEN, engine={"gate_fill": 1.0, "log": True},
    )  # fmt: skip
    rng = np.random.default_rng(11)
    come = np.sort(rng.uniform(0.0, 3600.0, 648))  # 0.18 veh/s
    trips = np.concatenate([come, np.sort(rng.uniform(0.0, 3600.0, 648))]) if back else come
    way = np.repeat([0, 1], [come.size, trips.size - come.size])
    order = np.argsort(trips, kind="stable")
    one.release(
        trips[order], origin=np.array([east[0], west[0]])[way[order]], to=np.array([east[-1], west[-1]])[way[order]]
    )
    one.go(1e5)
    log = one.engine.entry_log()
    table = np.lexsort((log.time_s, log.trip))
    trip, link, time = log.trip[table], log.link[table], log.time_s[table]
    same = trip[1:] == trip[:-1]
    late = (time[1:] - time[:-1] - both[np.maximum(link[:-1], 0)] / SPEED)[same]
    inner = ~np.isin(link[:-1][same], [east[0], west[0]])  # the first signals meter the flow, whatever the offsets
    return late[inner].sum() / trips.size, (late[inner] > 1.0).mean()


def test_one_way_coordinated_vehicles_hardly_stop(road):
    """Against 20 sets of random offsets: a tenth of their mean delay at most, and a fifth of their stops."""
    offset, _ = best_offsets(along(LENGTHS), n=6, cycle_s=CYCLE)
    rng = np.random.default_rng(3)
    chance = np.array([drive(road, rng.uniform(0, CYCLE, 6), back=False) for _ in range(20)])
    delay, stops = drive(road, offset, back=False)
    assert delay < 0.1 * chance[:, 0].mean() and stops < 0.2 * chance[:, 1].mean()
    assert delay <= chance[:, 0].min()


def test_both_ways_coordinated_vehicles_wait_less(road):
    """Lengths by chance leave no perfect offsets both ways: still a quarter less than the mean of chance."""
    offset, _ = best_offsets(along(LENGTHS, back=0.18), n=6, cycle_s=CYCLE)
    rng = np.random.default_rng(3)
    chance = np.array([drive(road, rng.uniform(0, CYCLE, 6), back=True) for _ in range(20)])
    delay, stops = drive(road, offset, back=True)
    assert delay < 0.75 * chance[:, 0].mean() and stops < chance[:, 1].mean()
    assert delay <= chance[:, 0].min()
