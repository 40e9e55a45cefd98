"""Travel time by flow: hand values, and that integral, time and slope belong together."""

import numpy as np
import pytest

from simulation.errors import NetworkError
from simulation.traffic.bpr import Bpr


def bpr(free_time=1.0, capacity=1.0, alpha=0.15, power=4.0):
    values = (free_time, capacity, alpha, power)
    return Bpr(**dict(zip(("free_time", "capacity", "alpha", "power"), map(np.atleast_1d, values))))


def test_time_at_half_at_and_above_capacity():
    """1 + 0.15 x 0.5^4 = 1.009375; 1 + 0.15 = 1.15; 1 + 0.15 x 1.2^4 = 1.31104."""
    assert bpr(power=[4.0] * 3).time(np.array([0.5, 1.0, 1.2])) == pytest.approx([1.009375, 1.15, 1.31104], rel=1e-12)


def test_integral_of_a_straight_line():
    """10 (1 + 0.1 q) = 10 + q from 0 to 4: 40 + 8 = 48; its slope is 1."""
    line = bpr(10.0, 1.0, 0.1, 1.0)
    assert line.integral(np.array([4.0])) == pytest.approx([48.0])
    assert line.slope(np.array([4.0])) == pytest.approx([1.0])


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 4.0, 9.0])
def test_time_is_the_derivative_of_the_integral_and_slope_that_of_time(power):
    """Central differences of 1e-5 agree to 1e-7: their error is of second order."""
    cost = bpr(3.0, 2.0, 0.4, power)
    q, h = np.array([1.7]), 1e-5
    assert (cost.integral(q + h) - cost.integral(q - h)) / (2 * h) == pytest.approx(cost.time(q), rel=1e-7)
    assert (cost.time(q + h) - cost.time(q - h)) / (2 * h) == pytest.approx(cost.slope(q), rel=1e-7, abs=1e-9)


def test_a_link_without_time_stays_without():
    """0 x anything is 0, even where no capacity is given."""
    cost = bpr(0.0, 0.0, 0.15, 4.0)
    assert cost.time(np.array([5.0])) == 0.0 and cost.integral(np.array([5.0])) == 0.0


def test_every_fault_is_named_at_once():
    """One negative time, one zero capacity, one power between 0 and 1, one alpha that is no number."""
    with pytest.raises(NetworkError) as error:
        bpr([-1.0, 1, 1, 1], [1.0, 0, 1, 1], [0.15, 0.15, 0.15, np.nan], [4.0, 4, 0.5, 4])
    for part in ("link 0 has -1", "link 1 has 0", "link 2 has 0.5", "link 3 has nan", "at least 1", "above 0"):
        assert part in str(error.value)
