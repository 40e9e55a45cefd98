"""Scores of intervals, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.intervals import QUANTILES
from models.intervals.scores import (
    coverage,
    coverage_by,
    crps,
    hits,
    independent_hits,
    interval_score,
    interval_summary,
    low_zone_by_chance,
    pinball_by_level,
    reliability,
    rolling_coverage,
    windows_within,
)


def test_coverage_by_zone_leaves_gaps_out():
    """Zone 0: 3 of 4 inside; zone 1: 1 of 2 (two gaps); zone 2 never read: 4 of 6 in all."""
    actual = np.array([[1.0, 1.0, np.nan], [2.0, 9.0, np.nan], [3.0, np.nan, np.nan], [9.0, np.nan, np.nan]])
    found = coverage(actual, np.zeros_like(actual), np.full_like(actual, 5.0))
    assert found.mean == pytest.approx(4 / 6)
    np.testing.assert_allclose(found.by_zone, [0.75, 0.5, np.nan])
    assert found.worst_zone == 1
    assert found.low_zone == pytest.approx(0.5 + 0.05 * 0.25)


def test_a_miss_costs_twenty_times_its_distance():
    """Width 10, a reading 2 above the top: 10 + 2 / 0.1 x 2 = 50; 1 below the bottom: 30; inside: 10."""
    np.testing.assert_allclose(interval_score(np.array([12.0, -1.0, 5.0]), np.zeros(3), np.full(3, 10.0)), [50, 30, 10])


def test_the_interval_score_is_least_for_the_true_quantiles():
    actual = np.random.default_rng(0).normal(0, 1, 100_000)
    scores = [interval_score(actual, -k * np.ones(1), k * np.ones(1)).mean() for k in (1.3, 1.645, 2.0)]
    assert np.argmin(scores) == 1


def test_rolling_coverage_is_that_of_each_window():
    """1 0 1 1 in windows of 2: 0.5, 0.5, 1."""
    inside = np.array([1.0, 0.0, 1.0, 1.0])[:, None]
    np.testing.assert_allclose(rolling_coverage(inside, 2)[:, 0], [0.5, 0.5, 1.0])
    assert windows_within(inside, 2, 0.4, 0.6) == pytest.approx(2 / 3)
    assert rolling_coverage(inside, 9).shape == (0, 1)
    gaps = np.array([1.0, np.nan, np.nan, np.nan, 0.0])[:, None]
    np.testing.assert_allclose(rolling_coverage(gaps, 3, least=0.5)[:, 0], [np.nan] * 3)


def test_coverage_by_group_counts_readings():
    """Month 1: zone 0 hit, zone 1 missed; month 2: zone 0 hit, zone 1 silent."""
    found = coverage_by(np.array([[1.0, 0.0], [1.0, np.nan]]), np.array([1, 2]))
    assert found.loc[1].tolist() == [0.5, 0.0, 2]
    assert found.loc[2].tolist() == [1.0, 1.0, 1]


def test_crps_of_a_normal_fan_is_near_the_closed_form():
    """N(0, 1) at 0: (sqrt 2 - 1) / sqrt pi = 0.2337 from 99 levels; the expected score, 1 / sqrt pi, likewise."""
    from scipy.stats import norm

    levels = tuple(np.arange(1, 100) / 100)
    fan = norm.ppf(levels)
    assert float(crps(np.array(0.0), fan, levels)) == pytest.approx(0.2337, abs=0.002)
    actual = np.random.default_rng(1).normal(0, 1, 20_000)
    assert crps(actual, np.broadcast_to(fan, (20_000, 99)), levels).mean() == pytest.approx(
        1 / np.sqrt(np.pi), abs=0.01
    )


def test_pinball_by_level():
    """Reading 10, quantiles 8 and 13: 0.1 x 2 and 0.1 x 3."""
    loss = pinball_by_level(np.array([10.0, np.nan]), np.array([[8.0, 13.0], [0.0, 0.0]]), (0.1, 0.9))
    np.testing.assert_allclose(loss, [0.2, 0.3])


def test_reliability_of_true_quantiles_is_their_level():
    from scipy.stats import norm

    actual = np.random.default_rng(2).normal(0, 1, (50_000, 1))
    table = reliability(actual, np.broadcast_to(norm.ppf(QUANTILES), (50_000, 1, 7)), QUANTILES)
    np.testing.assert_allclose(table["below"], QUANTILES, atol=0.01)
    np.testing.assert_allclose(table["between"], table["expected"], atol=0.01)


def test_the_summary_tells_what_the_parts_tell():
    rng = np.random.default_rng(3)
    actual = rng.normal(0, 1, (600, 4))
    actual[rng.random(actual.shape) < 0.2] = np.nan
    fan = np.broadcast_to(np.array([-1.645, -1.28, -0.67, 0, 0.67, 1.28, 1.645]), (600, 4, 7))
    found = interval_summary(actual, fan, quantiles=QUANTILES, window=100)
    assert found["coverage"] == pytest.approx(np.nanmean(hits(actual, fan[..., 0], fan[..., -1])))
    assert found["winkler"] == pytest.approx(np.nanmean(interval_score(actual, fan[..., 0], fan[..., -1])))
    assert found["width"] == pytest.approx(3.29)
    assert 0 < found["windows_within"] < 1
    empty = interval_summary(np.full((5, 2), np.nan), fan[:5, :2], quantiles=QUANTILES)
    assert np.isnan(empty["coverage"])


def test_hits_that_repeat_are_worth_as_many_as_there_were_before():
    """Independent hits count in full; each said four times, a quarter of all rows do."""
    once = (np.random.default_rng(3).random((4000, 20)) < 0.9).astype(float)
    assert independent_hits(once) == pytest.approx(4000, rel=0.1)
    assert independent_hits(np.repeat(once, 4, axis=0)) == pytest.approx(4000, rel=0.1)
    assert np.isnan(independent_hits(np.full((5, 2), np.nan)))


def test_what_chance_leaves_is_what_zones_alike_show():
    """400 zones of 200 rows, covered at 90 % each, hits said three times: the 5th percentile of what they show."""
    once = (np.random.default_rng(4).random((67, 400)) < 0.9).astype(float)
    inside = np.repeat(once, 3, axis=0)
    shown = float(np.quantile(inside.mean(axis=0), 0.05))
    assert low_zone_by_chance(inside, 0.9) == pytest.approx(shown, abs=0.015)


def test_zones_that_differ_are_no_excuse():
    """Half of the zones covered at 70 %, half at 100 %, no persistence: chance alone leaves hardly less than 90 %."""
    share = np.where(np.arange(40) % 2, 0.7, 1.0)
    inside = (np.random.default_rng(5).random((2000, 40)) < share).astype(float)
    assert low_zone_by_chance(inside, 0.9) > 0.88
