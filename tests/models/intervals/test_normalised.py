"""Scores in units of what is to be expected here and now."""

from __future__ import annotations

import numpy as np
import pytest

from models.intervals import RecentErrors, SpreadFeatures, SpreadModel, recent_errors


def test_the_line_for_the_spread_is_found():
    """log E|r| = 0.3 + 0.8 x1 - 0.5 x2 in every zone, from 4,000 Laplace errors each."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (4000, 3, 1, 2)).clip(-2, 2)
    r = rng.laplace(0, np.exp(0.3 + 0.8 * x[..., 0] - 0.5 * x[..., 1]))
    model = SpreadModel.fit(r, x)
    np.testing.assert_allclose(model.coefficients[:, 0], np.tile([0.8, -0.5, 0.3], (3, 1)), atol=0.08)


def test_a_zone_without_scores_takes_the_citys_line():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (1000, 3, 1, 1))
    r = rng.laplace(0, np.exp(0.5 * x[..., 0]))
    r[:, 2] = np.nan
    model = SpreadModel.fit(r, x)
    assert model.coefficients[2, 0, 0] == pytest.approx(0.5, abs=0.1)
    assert np.isfinite(
        SpreadModel.fit(np.full((20, 2, 1), np.nan), np.zeros((20, 2, 1, 3))).spread(x[:5, :2].repeat(3, 3))
    ).all()


def test_one_broken_reading_does_not_rule_the_line():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (2000, 1, 1, 1))
    r = rng.laplace(0, 1, (2000, 1, 1))
    before = SpreadModel.fit(r, x).spread(x)
    r[7] = 1e6
    np.testing.assert_allclose(SpreadModel.fit(r, x).spread(x), before, rtol=0.05)


def test_missing_features_say_nothing():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (500, 2, 1, 2))
    model = SpreadModel.fit(rng.laplace(0, 1, (500, 2, 1)), x)
    gaps = np.full((1, 2, 1, 2), np.nan)
    np.testing.assert_array_equal(model.spread(gaps), model.spread(np.zeros((1, 2, 1, 2))))


def test_recent_errors_are_those_that_had_come_in():
    """Memory 2: a score counts a = 1 - exp(-1/2); after 4 and 8 the mean is (a (1 - a) 4 + a 8) / (1 - (1 - a)^2), from
    two steps later on.
    """
    scores = np.array([4.0, -8.0, np.nan, 1e9, 1e9])[:, None, None]
    found = recent_errors(scores, np.arange(5), (2,), memories=(2.0,))
    a = 1 - np.exp(-0.5)
    both = (a * (1 - a) * 4 + a * 8) / (1 - (1 - a) ** 2)
    np.testing.assert_allclose(found.means[:, 0, 0, 0], [np.nan, np.nan, 4.0, both, both])
    np.testing.assert_allclose(found.weights[:, 0, 0, 0], [0.0, 0.0, a, 1 - (1 - a) ** 2, 1 - (1 - a) ** 2])


def test_recent_errors_of_sparse_origins_fade_by_time():
    """Origins 10 positions apart, memory 2: the latest score is all but the whole mean."""
    scores = np.array([9.0, 1.0, 0.0, 0.0])[:, None, None]
    found = recent_errors(scores, np.arange(0, 40, 10), (5,), memories=(2.0,))
    assert found.means[2, 0, 0, 0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_scores_not_yet_known_are_not_looked_at(poison):
    rng = np.random.default_rng(4)
    steps, known = np.array([1, 6]), np.arange(100)
    scores = rng.laplace(0, 1, (100, 2, 2))
    clean = recent_errors(scores, known, steps)
    spoilt = scores.copy()
    spoilt[np.broadcast_to((known[:, None] + steps > 60)[:, None], scores.shape)] = poison
    dirty = recent_errors(spoilt, known, steps)
    np.testing.assert_array_equal(clean.means[:61], dirty.means[:61])
    np.testing.assert_array_equal(clean.weights[:61], dirty.weights[:61])


def test_bouts_of_errors_are_foreseen():
    """Errors three times as large every other 100 steps: the spread from recent errors cuts the interval score."""
    rng = np.random.default_rng(5)
    loud = np.where(np.arange(4000) // 100 % 2, 3.0, 1.0)[:, None, None]
    scores = rng.normal(0, 1, (4000, 3, 1)) * loud
    level = np.full(scores.shape, 10.0)
    features = SpreadFeatures.fit(level, np.ones_like(level), scores[:2000])
    x = features.make(level, level, np.ones_like(level), recent_errors(scores, np.arange(4000), (1,)))
    spread = SpreadModel.fit(scores[:2000], x[:2000]).spread(x[2000:])
    later = loud[2000:] * np.ones((1, 3, 1))
    assert spread[later == 3].mean() > 2.0 * spread[later == 1].mean()


def test_out_of_fold_spread_does_not_see_its_own_block():
    """Changing the scores of the first block leaves its own spread as it was, and changes the others'."""
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, (400, 2, 1, 2))
    r = rng.laplace(0, 1, (400, 2, 1))
    first = SpreadModel.out_of_fold(r, x, steps=(3,))
    r[:100] *= 50.0
    second = SpreadModel.out_of_fold(r, x, steps=(3,))
    np.testing.assert_array_equal(first[:100], second[:100])
    assert (first[100:] != second[100:]).all()


def test_features_without_recent_errors_are_finite_and_zero_where_as_usual():
    level = np.full((4, 2, 3), 5.0)
    level[0, 0, 0] = np.nan
    features = SpreadFeatures.fit(np.full((4, 2, 3), 5.0), np.ones((4, 2, 3)), np.ones((4, 2, 3)))
    x = features.make(level, np.full((4, 2, 3), 5.0), np.ones((4, 2, 3)))
    assert x.shape == (4, 2, 3, 8)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(x[1:], 0.0, atol=1e-6)
    empty = RecentErrors(np.full((4, 2, 3, 3), np.nan), np.zeros((4, 2, 3, 3)))
    np.testing.assert_array_equal(features.make(level, level, np.ones_like(level), empty)[1:], x[1:])
