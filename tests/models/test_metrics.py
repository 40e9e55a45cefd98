"""Scores against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ShortHistoryError
from models.metrics import coverage, mae, mase, mase_scale, pinball, rmse

GAP = float("nan")


def test_errors_leave_gaps_out():
    """|1-2| and |4-1| are 1 and 3: mean 2, root of (1 + 9) / 2."""
    actual, forecast = np.array([1.0, GAP, 4.0]), np.array([2.0, 9.0, 1.0])
    assert mae(actual, forecast) == 2.0
    assert rmse(actual, forecast) == pytest.approx(5.0**0.5)


def test_no_pairs_give_nan_not_zero():
    assert np.isnan(mae(np.array([GAP]), np.array([1.0])))


def test_mase_divides_by_the_mean_seasonal_change():
    """History 1, 5, 2, 9 with a season of 2 changes by 1 and 4: scale 2.5; an error of 5 scores 2."""
    history = np.array([1.0, 5.0, 2.0, 9.0])
    assert mase_scale(history, season=2) == 2.5
    assert mase(np.array([10.0]), np.array([5.0]), history, season=2) == 2.0


def test_a_history_that_repeats_exactly_has_no_mase():
    assert np.isnan(mase_scale(np.tile([1.0, 2.0], 5), season=2))


def test_mase_needs_more_than_one_season():
    with pytest.raises(ShortHistoryError, match="96"):
        mase_scale(np.ones(96), season=96)


def test_pinball_weighs_misses_by_their_side():
    """A reading 2 above a 0.9 quantile costs 1.8; 2 below costs 0.2."""
    assert pinball(np.array([5.0]), np.array([[3.0]]), (0.9,))[0] == pytest.approx(1.8)
    assert pinball(np.array([1.0]), np.array([[3.0]]), (0.9,))[0] == pytest.approx(0.2)


def test_coverage_counts_the_edges_and_leaves_gaps_out():
    actual = np.array([1.0, 2.0, 3.0, GAP])
    assert coverage(actual, np.array([1.0, 2.5, 0.0, 0.0]), np.array([1.0, 9.0, 3.0, 9.0])) == pytest.approx(2 / 3)
