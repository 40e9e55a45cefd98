"""Cycle, greens and delay of one signal against the numbers that the formulas give by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.errors import NetworkError
from simulation.traffic.webster import (
    green_times,
    hcm_delay,
    optimal_cycle,
    uniform_delay,
    webster_delay,
    webster_timing,
)

ratios = st.lists(st.floats(0.0, 0.6), min_size=1, max_size=4)


def test_the_textbook_signal():
    """L 8 s, y 0.35 and 0.25: C0 = (12 + 5) / 0.4 = 42.5 s; 34.5 s of green split 7 to 5: 20.125 and 14.375 s."""
    timing = webster_timing([0.35, 0.25], lost_s_per_phase=4.0, min_green_s=5.0)
    assert timing.cycle_s == pytest.approx(42.5)
    assert timing.green_s == pytest.approx((20.125, 14.375))
    assert timing.start_s == pytest.approx((0.0, 24.125))


def test_the_delay_of_the_textbook_signal():
    """First phase: u = 20.125 / 42.5 = 0.4735, q = 0.35 x 0.5 = 0.175 veh/s, x = 0.35 / 0.4735 = 0.7391.

    Uniform 42.5 x 0.5265^2 / (2 x 0.65) = 9.06 s; random 0.7391^2 / (0.35 x 0.2609) = 5.98 s; correction
    0.65 x (42.5 / 0.030625)^(1/3) x 0.7391^4.3676 = 1.93 s; in all 13.11 s.
    """
    assert uniform_delay(42.5, 20.125, 0.35 * 42.5 / 20.125) == pytest.approx(9.06, abs=0.005)
    assert webster_delay(42.5, 20.125, 0.175, 0.5) == pytest.approx(13.11, abs=0.005)


def test_the_control_delay_of_the_manual_at_capacity():
    """X = 1, c = 0.25 veh/s, T = 900 s: d1 = 0.5 x 60 x 0.5 = 15 s; d2 = 225 x sqrt(8 x 0.5 / 225) = 30 s."""
    assert hcm_delay(60.0, 30.0, 0.25, 0.5) == pytest.approx(45.0)


def test_far_above_capacity_the_delay_is_that_of_the_growing_queue():
    """X = 2: who comes at t waits t (X - 1), on average T/2 = 450 s; d1 15 s; 225 (sqrt(1 + 8 / 225) - 1) = 4 s."""
    assert hcm_delay(60.0, 30.0, 0.5, 0.5) == pytest.approx(450.0 + 15.0 + 3.965, abs=0.01)
    assert np.isinf(webster_delay(60.0, 30.0, 0.25, 0.5))


def test_without_traffic_the_delay_is_that_of_the_first_vehicle():
    """Red for 30 of 60 s: one in two waits 15 s on average; 7.5 s."""
    assert webster_delay(60.0, 30.0, 0.0, 0.5) == pytest.approx(7.5)
    assert hcm_delay(60.0, 30.0, 0.0, 0.5) == pytest.approx(7.5)


@given(y=ratios, cycle=st.floats(70.0, 200.0), least=st.floats(0.0, 12.0))
@settings(deadline=None)
def test_greens_fill_the_cycle_and_respect_their_minimum(y, cycle, least):
    """And those above the minimum share the rest as their ratios do."""
    lost = 4.0 * len(y)
    green = green_times(y, cycle_s=cycle, lost_s=lost, min_green_s=least)
    assert green.sum() == pytest.approx(cycle - lost) and (green >= least - 1e-9).all()
    longer = [k for k in range(len(y)) if green[k] > least + 1e-6 and sum(y) > 0 and y[k] > 1e-3]
    per_ratio = [green[k] / y[k] for k in longer]
    assert per_ratio == pytest.approx([per_ratio[0]] * len(longer) if longer else [])


@given(y=st.lists(st.floats(0.05, 0.4), min_size=2, max_size=2))
@settings(deadline=None)
def test_no_other_cycle_delays_less_than_ten_per_cent_less(y):
    """Webster: between 3/4 and 3/2 of C0 the delay is never more than 10 to 20 % above the least."""

    def delay(cycle):
        green = green_times(y, cycle_s=cycle, lost_s=10.0)
        flow = np.array(y) * 0.5
        return float((flow * webster_delay(cycle, green, flow, 0.5)).sum() / flow.sum())

    best = optimal_cycle(y, lost_s=10.0, min_cycle_s=20.0, max_cycle_s=400.0)
    least = min(delay(cycle) for cycle in np.linspace(20.0, 400.0, 381))
    assert delay(best) <= 1.1 * least


@pytest.mark.parametrize(("y", "cycle"), [([0.6, 0.5], 120.0), ([0.5, 0.5], 120.0), ([0.0, 0.0], 20.0)])
def test_the_cycle_stays_within_its_bounds(y, cycle):
    """Above saturation the longest; without traffic 17 s, so the shortest, 20 s."""
    assert optimal_cycle(y, lost_s=8.0) == cycle


def test_above_saturation_every_phase_is_as_saturated_as_the_others():
    """y 0.8 and 0.4 in 120 s with 8 s lost: 74.7 and 37.3 s, x = 1.286 in both."""
    timing = webster_timing([0.8, 0.4])
    degree = np.array([0.8, 0.4]) * timing.cycle_s / np.array(timing.green_s)
    assert degree == pytest.approx([1.2 * 120 / 112] * 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: green_times([0.3, 0.3], cycle_s=30.0, lost_s=8.0, min_green_s=12.0), "cannot hold"),
        (lambda: green_times([0.3, -0.1], cycle_s=60.0, lost_s=8.0), "at least 0"),
        (lambda: green_times([np.nan], cycle_s=60.0, lost_s=8.0), "finite"),
        (lambda: optimal_cycle([], lost_s=8.0), "one a phase"),
        (lambda: optimal_cycle([0.3], lost_s=30.0), "lost_s < min_cycle_s"),
        (lambda: webster_timing([0.1] * 9), "more than the longest cycle"),
    ],
)
def test_impossible_timings_are_refused(make, words):
    with pytest.raises(NetworkError, match=words):
        make()
