"""The kernel's own machinery: the heap of events, and greens by the clock."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from simulation.traffic import heap_kernels, link_kernels
from simulation.traffic.layout import EVENT, NONE
from simulation.traffic.link_kernels import SERVE_BIT
from simulation.traffic.reading_kernels import queue_by_class

# parts of the kernels, callable from Python
schedule, take_out, unschedule, tie_of, green_from = (
    njit(part.py_func)
    for part in (
        heap_kernels.schedule, heap_kernels.take_out, heap_kernels.unschedule, heap_kernels.tie_of,
        link_kernels.green_from,
    )
)  # fmt: skip

N = 12  # events
moves = st.lists(st.tuples(st.integers(0, N - 1), st.one_of(st.none(), st.integers(0, 9))), max_size=60)


@given(moves, st.permutations(range(N)))
@settings(max_examples=60, deadline=None)
def test_events_come_in_order_of_time_and_tie_whatever_their_numbers(moves, tie):
    """Set, moved and cancelled at random; the heap then gives the same order as sorting by (time, tie)."""
    events = np.zeros(N + 1, dtype=EVENT)
    events["place"] = NONE
    told = {}
    for event, time in moves:
        if time is None:
            unschedule(events, event)
            told.pop(event, None)
        else:
            schedule(events, event, float(time), np.uint32(tie[event]))
            told[event] = (float(time), tie[event], event)
    popped = []
    while events[N]["id"] > 0:
        popped.append((float(events[0]["time"]), int(events[0]["tie"]), int(events[0]["id"])))
        events["place"][events[0]["id"]] = NONE
        take_out(events, 0)
    assert popped == sorted(told.values())
    assert (events["place"][:N] == NONE).all()


def test_heads_are_ready_before_links_serve_and_no_link_always_goes_first():
    """The tie of a service has its highest bit set; which of two links comes first changes from instant to instant."""
    seed, one, other = np.uint64(0), np.uint64(11), np.uint64(12)
    ties = [(tie_of(one, seed, float(t)), tie_of(other, seed, float(t))) for t in range(1000)]
    assert max(max(pair) for pair in ties) < SERVE_BIT
    assert 400 < sum(a < b for a, b in ties) < 600


@pytest.mark.parametrize(
    ("time", "green"),
    [(0.0, 20.0), (19.9, 20.0), (20.0, 20.0), (49.9, 49.9), (50.0, 80.0), (79.0, 80.0), (80.0, 80.0), (-41.0, -40.0)],
)
def test_a_green_from_20_to_50_of_each_60(road, time, green):
    v = road([[0]], cycle_s=60.0, green_start_s=20.0, green_s=30.0).engine.v
    assert green_from(v.links, 0, time) == green


@given(start=st.floats(0, 80), green=st.floats(5, 79), time=st.floats(0, 3e6))
@settings(max_examples=200, deadline=None)
def test_the_beginning_of_a_green_is_one_number(road_v, start, green, time):
    """Asked from two instants of the same red, it is the same, bit for bit; asked again from itself, it stays."""
    road_v.links["cycle"], road_v.links["green_start"], road_v.links["green"] = 80.0, start, green
    begin = green_from(road_v.links, 0, time)
    assert time <= begin <= time + 80.0 - green + 1e-6
    assert green_from(road_v.links, 0, begin) == begin
    if begin > time:
        assert green_from(road_v.links, 0, (time + begin) / 2) == begin


@pytest.fixture(scope="module")
def road_v(road):
    return road([[0]]).engine.v


def test_a_link_without_a_signal_is_always_green(road):
    assert green_from(road([[0]]).engine.v.links, 0, 12.3) == 12.3


def test_queues_are_told_by_class(road):
    """10 s at free flow, red until 100 s: those who came before 5 s queue at 15 s, by class 0, 1, 0."""
    one = road([[0]], cycle_s=1000.0, green_start_s=100.0, green_s=900.0)
    one.release([0.0, 2.0, 4.0, 6.0], vehicle_class=[0, 1, 0, 3]).go(15.0)
    assert queue_by_class(one.engine.v, 15.0, 4).tolist() == [[2.0, 1.0, 0.0, 0.0]]
