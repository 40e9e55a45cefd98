"""Conformal intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from models.intervals import MIN_OWN, QUANTILES, ConformalIntervals, corrected_quantiles


def test_the_rank_is_the_conformal_one():
    """Of the scores 1..19 the 0.9 quantile is the ceil(20 x 0.9) = 18th, the 0.1 quantile the 2nd."""
    scores = np.arange(1.0, 20.0).reshape(-1, 1, 1)
    low, middle, high = corrected_quantiles(scores, (0.1, 0.5, 0.9))[0, 0]
    assert (low, middle, high) == (2.0, 10.0, 18.0)


def test_too_few_scores_widen_instead_of_promising():
    """Nine scores cannot give a 0.95 quantile: it lies beyond the largest."""
    scores = np.arange(1.0, 10.0).reshape(-1, 1, 1)
    assert corrected_quantiles(scores, (0.95,))[0, 0, 0] > 9.0


def test_gaps_among_the_scores_do_not_count():
    scores = np.arange(1.0, 20.0)
    holes = np.concatenate([scores, np.full(30, np.nan)]).reshape(-1, 1, 1)
    np.testing.assert_array_equal(
        corrected_quantiles(holes, (0.9,)), corrected_quantiles(scores.reshape(-1, 1, 1), (0.9,))
    )


@pytest.mark.parametrize("n", [80, 400])
def test_exchangeable_scores_are_covered_as_promised(n):
    """Skewed scores, 400 repeats: the mean coverage of the 90 % interval lies within 0.89 and 0.93."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        fit = ConformalIntervals.fit(rng.gamma(2.0, 1.0, (n, 1, 1)) - 1.678).offsets[0, 0]
        new = rng.gamma(2.0, 1.0, 200) - 1.678
        inside.append(((new >= fit[QUANTILES.index(0.05)]) & (new <= fit[QUANTILES.index(0.95)])).mean())
    assert 0.89 < np.mean(inside) < 0.93


def test_a_zone_with_few_scores_borrows_the_citys():
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1, (500, 3, 1))
    scores[MIN_OWN - 1 :, 2] = np.nan
    scores[:, 2] *= 100.0
    offsets = ConformalIntervals.fit(scores).offsets
    assert offsets[2, 0, -1] < 3 * offsets[:2, 0, -1].max() + 200
    pooled = corrected_quantiles(scores.reshape(-1, 1, 1), QUANTILES)[0, 0]
    np.testing.assert_allclose(offsets[2, 0, -1], pooled[-1])


def test_no_scores_at_all_give_a_plain_fan():
    offsets = ConformalIntervals.fit(np.full((10, 2, 3), np.nan)).offsets
    assert np.isfinite(offsets).all()
    assert (np.diff(offsets, axis=2) >= 0).all()
