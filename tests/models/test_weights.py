"""Shares of an ensemble's members, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from models.weights import RIDGE, _on_simplex, stacking_weights


def errors(*sizes: float, n: int = 4000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([size * rng.standard_normal((n, 1, 1)) for size in sizes])


def simplex(matrix: np.ndarray) -> np.ndarray:
    return _on_simplex(matrix[None, None], np.array([RIDGE]))[0, 0]


def test_independent_squared_errors_are_weighed_by_their_inverse_variance():
    """Variances 1 and 4: 1 / 1 to 1 / 4, so 0.8 and 0.2."""
    assert simplex(np.diag([1.0, 4.0])) == pytest.approx([0.8, 0.2], abs=0.005)


def test_a_member_that_only_adds_error_gets_nothing():
    """The second is the first plus noise of its own: C = [[1, 1], [1, 2]] leaves all to the first."""
    assert simplex(np.array([[1.0, 1.0], [1.0, 2.0]])) == pytest.approx([1.0, 0.0], abs=0.005)


def test_one_wild_member_does_not_blur_the_shares_of_the_others():
    """Beside variances 1 and 4 stands one of 10,000: 0.8, 0.2 and nothing."""
    assert simplex(np.diag([1.0, 4.0, 1e4])) == pytest.approx([0.8, 0.2, 0.0], abs=0.01)


def test_shares_are_not_negative_and_sum_to_one():
    rng = np.random.default_rng(1)
    made = rng.standard_normal((5, 300, 4, 3)) + rng.standard_normal((1, 300, 4, 3))
    weights = stacking_weights(made, np.repeat(np.arange(10), 30))
    assert weights.shape == (5, 4, 3)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)


def test_of_two_alike_members_both_get_half():
    weights = stacking_weights(errors(1.0, 1.0), np.repeat(np.arange(40), 100))
    assert weights[:, 0, 0] == pytest.approx([0.5, 0.5], abs=0.05)


def test_a_larger_ridge_draws_each_horizon_s_shares_towards_equal_ones():
    made = np.concatenate([errors(1.0, 1.2), errors(1.0, 1.2)], axis=3)
    weights = stacking_weights(made, np.repeat(np.arange(40), 100), ridge=np.array([RIDGE, 5.0]))[:, 0]
    assert weights[0, 0] > weights[0, 1] + 0.03 > 0.53
    assert weights.sum(axis=0) == pytest.approx([1.0, 1.0])


def test_where_nothing_is_known_shares_are_equal():
    nothing = np.full((3, 50, 2, 2), np.nan)
    assert stacking_weights(nothing, np.zeros(50)) == pytest.approx(np.full((3, 2, 2), 1 / 3))
