"""Conformal intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from models.intervals import QUANTILES, ConformalIntervals, corrected_quantiles
from models.intervals.split import LEAN_TAIL


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


def test_a_zone_with_few_scores_leans_on_the_city():
    """The third zone has 5 scores, about 50 times as large: their weights are 5 / (5 + 40) for the size and at most
    0.25 x 5 / (0.25 x 5 + 10) = 1 / 9 for the shape, so that it gets less than a sixth of its own quantile.
    """
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1, (500, 3, 1))
    scores[5:, 2] = np.nan
    scores[:, 2] *= 100.0
    offsets = ConformalIntervals.fit(scores).offsets
    own = corrected_quantiles(scores, QUANTILES)[2, 0, -1]
    assert 1.5 * offsets[:2, 0, -1].max() < offsets[2, 0, -1] < own / 6


def test_without_leaning_each_zone_stands_alone():
    """lean 0: exactly the zone's own conformal quantiles, held to the right side of the median."""
    scores = np.random.default_rng(2).normal(0, 1, (300, 4, 2)) * np.array([1.0, 2.0, 5.0, 9.0])[:, None]
    offsets = ConformalIntervals.fit(scores, lean_tail=0.0, lean_size=0.0).offsets
    own = corrected_quantiles(scores, QUANTILES)
    own[..., QUANTILES.index(0.5)] = 0.0
    np.testing.assert_allclose(offsets, own)


def test_many_scores_make_a_zone_its_own_master():
    """20,000 scores: 1,000 beyond the 0.95 quantile, so that the city counts 10 / 1,010, though four times as wide."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 1, (20_000, 5, 1)) * np.array([1.0, 4.0, 4.0, 4.0, 4.0])[:, None]
    offsets = ConformalIntervals.fit(scores).offsets
    assert offsets[0, 0, -1] == pytest.approx(1.645, rel=0.05)


def test_leaning_scatters_coverage_less_between_zones():
    """60 like zones with 40 scores each: the 5th percentile zone is covered better than where each stands alone."""
    rng = np.random.default_rng(4)
    scores, new = rng.laplace(0, 1, (40, 60, 1)), rng.laplace(0, 1, (4000, 60, 1))
    low = {}
    for lean in (0.0, LEAN_TAIL):
        offsets = ConformalIntervals.fit(scores, lean_tail=lean, lean_size=lean).offsets
        inside = (new >= offsets[..., 0]) & (new <= offsets[..., -1])
        low[lean] = np.quantile(inside.mean(axis=(0, 2)), 0.05)
    assert low[LEAN_TAIL] > low[0.0] + 0.01


def test_overlapping_forecasts_count_as_one_story():
    """A horizon of 12 origins makes 240 scores 20 stories: the odd zone leans more on the city than with 240."""
    rng = np.random.default_rng(5)
    scores = rng.normal(0, 1, (240, 4, 1)) * np.array([1.0, 1.0, 1.0, 6.0])[:, None]
    apart = ConformalIntervals.fit(scores, steps=(1,)).offsets[3, 0, -1]
    together = ConformalIntervals.fit(scores, steps=(12,)).offsets[3, 0, -1]
    assert together < apart


def test_no_scores_at_all_give_a_plain_fan():
    offsets = ConformalIntervals.fit(np.full((10, 2, 3), np.nan)).offsets
    assert np.isfinite(offsets).all()
    assert (np.diff(offsets, axis=2) >= 0).all()
