"""Pooled boosting: zones told apart by what they are like."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.pooled_boosting import PooledXGBoost, zone_statistics
from models.rows import Layout, Rows


def rows(n: int = 400, zones: int = 6, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, zones, 3)).astype(np.float32)
    ahead = rng.standard_normal((n, zones, 2, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(("own_lag_0", "own_lag_1", "own_lag_2"), ("ahead_day",), (1, 4)))


KIND = np.array([[0.0], [1.0], [0.0], [1.0], [0.0], [1.0]])


def by_kind(made: Rows) -> np.ndarray:
    """Zones of kind 1 follow their last reading, those of kind 0 go against it."""
    sign = np.where(KIND[:, 0] > 0.5, 1.0, -1.0)[None, :, None]
    return np.repeat((sign * made.common[:, :, :1]).astype(np.float32), 2, axis=2)


def test_zone_features_tell_zones_apart():
    made, fresh = rows(), rows(seed=3)
    model = PooledXGBoost().fit(made, by_kind(made), zone_features=KIND)
    assert np.mean((model.predict(fresh) - by_kind(fresh)) ** 2) < 0.1


def test_a_silent_zone_learns_from_those_like_it():
    """The last zone has no outcome; zones of its kind do."""
    made, fresh = rows(), rows(seed=3)
    y = by_kind(made)
    y[:, 5] = np.nan
    out = PooledXGBoost(linear_first=False).fit(made, y, zone_features=KIND).predict(fresh)
    assert np.isfinite(out).all()


def test_statistics_of_an_alternating_zone():
    """Outcomes 3, 1, 3, 1, ...: mean 2, deviation 1, and each is the last turned around: lasting -1.

    The last reading is the outcome's deviation itself: slope 1, nothing left over.
    """
    made = rows(n=100, zones=2)
    y = np.where(np.arange(100) % 2, 1.0, 3.0).astype(np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    made.common[:, 0, 0] = y[:, 0, 0] - 2.0
    y[:, 1] = np.nan
    found = zone_statistics(made, y)
    assert found[0] == pytest.approx([2.0, 1.0, -1.0, 1.0, 0.0], abs=1e-6)
    assert found[1] == pytest.approx(0.0)


def test_the_row_budget_takes_all_zones_and_horizons_in_turn():
    made = rows(n=300)
    y = by_kind(made)
    small = PooledXGBoost(budget=900).fit(made, y, zone_features=KIND)
    assert np.mean((small.predict(made) - y) ** 2) < 0.4


def test_forecasts_in_chunks_are_the_same(monkeypatch):
    made = rows()
    model = PooledXGBoost(rounds=20).fit(made, by_kind(made), zone_features=KIND)
    whole = model.predict(made)
    monkeypatch.setattr("models.families.pooled_boosting._CHUNK_ROWS", 100)
    np.testing.assert_allclose(model.predict(made), whole, atol=1e-6)


def test_without_any_outcome_all_is_as_usual():
    made = rows(n=30)
    out = PooledXGBoost().fit(made, np.full(made.shape, np.nan, np.float32)).predict(made)
    assert (out == 0).all()
