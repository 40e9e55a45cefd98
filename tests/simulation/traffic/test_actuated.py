"""The decisions of actuated signals, second by second, with detectors set by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.traffic.actuated import ActuatedBank, Actuation

HOW = Actuation(min_green_s=8.0, max_green_s=30.0, passage_s=3.0, lost_s=4.0)


class Crossing:
    """A junction of some phases with one link each; `queue` and `near` say what its detectors see each second."""

    def __init__(self, phases=2, settings=HOW):
        free = np.full(phases, 12.0)
        self.bank = ActuatedBank(
            [[np.array([k]) for k in range(phases)]],
            settings,
            free_time_s=free,
            headway_s=np.full(phases, 2.0),
            now_s=0.0,
        )
        self.log, self.looks = [], 0

    def run(self, until, queue, near=None, on_link=None):
        """Changes as (second, colour, link)."""
        n = self.bank.links.size
        now = 0.0
        while (now := self.bank.due_s) <= until:
            waiting = np.array(queue(now), float)
            close = np.maximum(waiting, np.array((near or queue)(now), float))
            there = np.array(on_link(now), float) if on_link else np.maximum(close, 1.0)
            green, red = self.bank.look(now, waiting, close, there)
            self.looks += 1
            self.log += [(now, "red", int(k)) for k in red] + [(now, "green", int(k)) for k in green]
            assert waiting.size == n
        return self.log


def test_a_green_without_vehicles_ends_after_its_minimum_if_another_waits():
    """Phase 1 waits from the start: phase 0 has its 8 s, then 4 s of nothing, then green at 12 s."""
    log = Crossing().run(13.0, lambda t: [0, 1])
    assert log == [(8.0, "red", 0), (12.0, "green", 1)]


def test_a_green_goes_on_while_vehicles_come_and_ends_at_the_first_gap():
    """Vehicles are within the passage time until 17 s: at 18 s there is none, and the green ends."""
    log = Crossing().run(18.0, lambda t: [0, 1], near=lambda t: [float(t < 17.5), 1])
    assert log == [(18.0, "red", 0)]


def test_a_queue_in_green_is_not_looked_at_before_it_can_have_gone():
    """Ten vehicles at 8 s leave within 18 s at the soonest: the next look is at 26 s, not each second."""
    crossing = Crossing()
    crossing.run(8.0, lambda t: [10, 1])
    assert crossing.bank.due_s == 26.0


def test_a_green_ends_at_its_maximum_however_many_come():
    """The call was there from the start: 30 s after it, although 20 vehicles stand there."""
    assert Crossing().run(30.0, lambda t: [20, 1]) == [(30.0, "red", 0)]


def test_the_maximum_counts_from_the_call():
    """Somebody comes to phase 1 at 50 s: until then phase 0 rests, and it ends at 80 s."""
    assert Crossing().run(80.0, lambda t: [20, float(t >= 50.0)]) == [(80.0, "red", 0)]


def test_a_green_rests_while_nobody_calls():
    """An hour without a vehicle on the other approach, which takes 12 s to drive: a look every 12 s, no change."""
    crossing = Crossing()
    assert crossing.run(3600.0, lambda t: [3, 0], on_link=lambda t: [3, 0]) == []
    assert crossing.looks == pytest.approx(300, abs=2)


def test_phases_without_a_call_are_skipped_and_the_ring_goes_round():
    """Of four phases 1 never calls: 0, 2, 3, 0, 2, 3, ..."""
    log = Crossing(4).run(300.0, lambda t: [1, 0, 1, 1], near=lambda t: [0, 0, 0, 0])
    greens = [link for _, colour, link in log if colour == "green"]
    assert greens[:6] == [2, 3, 0, 2, 3, 0]


def test_junctions_decide_alone():
    """Two junctions in one bank behave as each in a bank of its own."""
    free, headway = np.full(4, 12.0), np.full(4, 2.0)
    both = ActuatedBank(
        [[np.array([0]), np.array([1])], [np.array([2]), np.array([3])]],
        HOW,
        free_time_s=free,
        headway_s=headway,
        now_s=0.0,
    )
    log = []
    while (now := both.due_s) <= 60.0:
        queued = np.array([0.0, 1.0, 20.0, 1.0])
        green, red = both.look(now, queued, queued, np.ones(4))
        log += [(now, "red", int(k)) for k in red] + [(now, "green", int(k)) for k in green]
    one = Crossing().run(60.0, lambda t: [0, 1])
    other = [(t, colour, k + 2) for t, colour, k in Crossing().run(60.0, lambda t: [20, 1])]
    assert sorted(log) == sorted(one + other)


@given(
    calls=st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=60, max_size=60),
    begin=st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_whatever_comes_phases_keep_their_times_and_none_starves(calls, begin):
    """Greens of 8 to 30 s after a call, 4 s between; who waits is served within two others: 2 x (30 + 4) + 8 + 4 s."""
    bank = ActuatedBank(
        [[np.array([0]), np.array([1]), np.array([2])]], HOW, free_time_s=np.full(3, 5.0), headway_s=np.full(3, 2.0),
        now_s=0.0, phase=np.array([begin]),
    )  # fmt: skip
    waiting_since = np.full(3, np.nan)
    green_at, red_at = 0.0, None
    for second in range(600):
        queue = np.array(calls[second // 10], float)
        on = bank.state["phase"][0] if bank.state["coming"][0] < 0 else -1
        for k in range(3):
            waiting_since[k] = np.nan if k == on or not queue[k] else np.fmin(waiting_since[k], second)
        assert not (second - waiting_since > 2 * (30 + 4) + 8 + 4 + 2).any()
        if bank.due_s > second:
            continue
        green, red = bank.look(float(second), queue, queue, np.ones(3))
        if red.size:
            assert second - green_at >= 8.0
            red_at = second
        if green.size:
            assert second - red_at == 4.0
            green_at = second


def test_lights_tell_what_is_green():
    crossing = Crossing()
    assert [links.tolist() for links in crossing.bank.lights()] == [[0], [1]]
    crossing.run(8.0, lambda t: [0, 1])
    assert [links.tolist() for links in crossing.bank.lights()] == [[], [0, 1]]
