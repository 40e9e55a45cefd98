"""The kernel's own machinery: the heap of events, and greens by the clock."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.traffic.kernels import HEAP_SIZE, LINK, NONE, State, _green_from, _schedule, _unschedule, queue_by_class

N = 6  # links, so 12 events
moves = st.lists(st.tuples(st.integers(0, 2 * N - 1), st.one_of(st.none(), st.integers(0, 9))), max_size=60)


@given(moves)
@settings(max_examples=60, deadline=None)
def test_events_come_in_order_of_time_then_ready_before_serve(road, moves):
    """Set, moved and cancelled at random; the heap then gives the same order as sorting by (time, event)."""
    v = road([[0]], n=N).engine.v
    told = {}
    for event, time in moves:
        if time is None:
            _unschedule(v, event)
            told.pop(event, None)
        else:
            _schedule(v, event, float(time))
            told[event] = float(time)
    popped = []
    while v.total[HEAP_SIZE] > 0:
        event = int(v.events[0]["heap"])
        popped.append((float(v.events[event]["time"]), event))
        _unschedule(v, event)
    assert popped == sorted((time, event) for event, time in told.items())
    assert (v.events["place"] == NONE).all()


@pytest.mark.parametrize(
    ("time", "green"),
    [(0.0, 20.0), (19.9, 20.0), (20.0, 20.0), (49.9, 49.9), (50.0, 80.0), (79.0, 80.0), (80.0, 80.0), (-41.0, -40.0)],
)
def test_a_green_from_20_to_50_of_each_60(road, time, green):
    v = road([[0]], cycle_s=60.0, green_start_s=20.0, green_s=30.0).engine.v
    assert _green_from(v, 0, time) == green


@given(start=st.floats(0, 80), green=st.floats(5, 79), time=st.floats(0, 3e6))
@settings(max_examples=200, deadline=None)
def test_the_beginning_of_a_green_is_one_number(road_v, start, green, time):
    """Asked from two instants of the same red, it is the same, bit for bit; asked again from itself, it stays."""
    road_v.links["cycle"], road_v.links["green_start"], road_v.links["green"] = 80.0, start, green
    begin = _green_from(road_v, 0, time)
    assert time <= begin <= time + 80.0 - green + 1e-6
    assert _green_from(road_v, 0, begin) == begin
    if begin > time:
        assert _green_from(road_v, 0, (time + begin) / 2) == begin


@pytest.fixture(scope="module")
def road_v():
    links = np.zeros(1, dtype=LINK)
    none = np.zeros(0)
    return State(links, none, none, none, none, none, none, none)


def test_a_link_without_a_signal_is_always_green(road):
    assert _green_from(road([[0]]).engine.v, 0, 12.3) == 12.3


def test_queues_are_told_by_class(road):
    """10 s at free flow, red until 100 s: those who came before 5 s queue at 15 s, by class 0, 1, 0."""
    one = road([[0]], cycle_s=1000.0, green_start_s=100.0, green_s=900.0)
    one.release([0.0, 2.0, 4.0, 6.0], vehicle_class=[0, 1, 0, 3]).go(15.0)
    assert queue_by_class(one.engine.v, 15.0, 4).tolist() == [[2.0, 1.0, 0.0, 0.0]]
