"""Balancing and friction, against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.demand.od_matrix import balance, friction
from simulation.errors import DemandError

positive = st.floats(0.05, 20.0)


def test_two_by_two_has_a_closed_form():
    """Scaling rows and columns keeps the cross ratio a d / (b c).

    Seed [[2, 1], [1, 2]] has 4; totals 30, 10 and 20, 20 leave one unknown x = m_11: x (x - 10) = 4 (30 - x) (20 - x),
    so 3 x^2 - 190 x + 2400 = 0 and x = (190 - sqrt(7300)) / 6 = 17.4265.
    """
    m = balance(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([30.0, 10.0]), np.array([20.0, 20.0]))
    x = (190.0 - np.sqrt(7300.0)) / 6.0
    assert m == pytest.approx(np.array([[x, 30 - x], [20 - x, x - 10]]), rel=1e-6)


def test_an_even_seed_gives_the_product_of_the_margins():
    """Without friction trips are rows x columns / total."""
    m = balance(np.ones((2, 3)), np.array([60.0, 40.0]), np.array([50.0, 30.0, 20.0]))
    assert m == pytest.approx(np.outer([60, 40], [50, 30, 20]) / 100.0)


@given(seed=st.lists(positive, min_size=12, max_size=12), rows=st.lists(positive, min_size=3, max_size=3),
       columns=st.lists(positive, min_size=4, max_size=4))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_totals_are_kept_and_odds_are_those_of_the_seed(seed, rows, columns):
    seed, rows, columns = np.array(seed).reshape(3, 4), np.array(rows), np.array(columns)
    m = balance(seed, rows, columns, iterations=5000, tolerance=1e-12)
    assert m.sum(axis=1) == pytest.approx(rows, rel=1e-5)
    assert m.sum(axis=0) == pytest.approx(columns * rows.sum() / columns.sum(), rel=1e-5)
    ratio = m / seed
    assert ratio[0, 0] * ratio[1, 1] == pytest.approx(ratio[0, 1] * ratio[1, 0], rel=1e-6)


def test_zeros_stay_zeros_and_hold_no_trips():
    m = balance(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([5.0, 5.0]), np.array([5.0, 5.0]))
    assert m.tolist() == [[0.0, 5.0], [5.0, 0.0]]
    assert balance(np.ones((2, 2)), np.zeros(2), np.ones(2)).sum() == 0.0


@pytest.mark.parametrize("rows", [[-1.0, 2.0], [1.0, -2.0]])
def test_negative_trip_ends_are_refused(rows):
    for one, other in ((rows, [1.0, 1.0]), ([1.0, 1.0], rows)):
        with pytest.raises(DemandError, match="must not be negative"):
            balance(np.ones((2, 2)), np.array(one), np.array(other))


def test_friction_falls_to_a_third_over_its_scale_and_to_nothing_where_there_is_no_way():
    assert friction(np.array([0.0, 600.0, np.inf]), scale_s=600.0) == pytest.approx([1.0, np.exp(-1.0), 0.0])
