"""The ridge learner: its penalties, its daily refresh and its coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import NotFittedError, SettingsError
from models.families.ridge import Ridge, choose
from models.rows import Layout, Rows

LAYOUT = Layout(("own_lag_0", "b", "c"), ("d",), (1, 2))


def made(n=400, zones=2, noise=0.1, seed=1):
    """Outcome 2 + own_lag_0 - 3 d, and noise."""
    rng = np.random.default_rng(seed)
    rows = Rows(
        rng.normal(size=(n, zones, 3)).astype(np.float32), rng.normal(size=(n, zones, 2, 1)).astype(np.float32), LAYOUT
    )
    y = 2.0 + rows.common[:, :, :1] - 3.0 * rows.ahead[..., 0] + noise * rng.normal(size=(n, zones, 2))
    return rows, y.astype(np.float32)


def test_the_line_behind_the_outcomes_is_found():
    rows, y = made(noise=0.01)
    line = Ridge(penalties=(1e-4,)).fit(rows, y).coefficients(1, 0)
    np.testing.assert_allclose(line, [1.0, 0.0, 0.0, -3.0, 2.0], atol=0.01)


def test_noise_brings_the_strongest_penalty_and_a_signal_a_weak_one():
    rows, y = made()
    noise = np.random.default_rng(2).normal(size=y.shape).astype(np.float32)
    assert (Ridge(spared={}).fit(rows, noise).penalty >= 1.0).all()
    assert (Ridge(spared={}).fit(rows, y).penalty <= 0.003).all()


def test_a_refresh_is_a_fit_on_all_rows_at_the_same_penalty():
    rows, y = made()
    y[350:, 0, 1] = np.nan
    one = Ridge(penalties=(0.02,), refreshable=True).fit(rows.take(slice(0, 300)), y[:300])
    one.update(rows.take(slice(300, 400)), y[300:])
    both = Ridge(penalties=(0.02,)).fit(rows, y)
    np.testing.assert_allclose(one.coefficient, both.coefficient, atol=2e-5)
    assert np.array_equal(one.low, both.low)
    assert np.array_equal(one.high, both.high)


def test_a_refresh_needs_the_gram_matrices():
    rows, y = made(n=40)
    with pytest.raises(NotFittedError, match="refreshable"):
        Ridge().fit(rows, y).update(rows, y)


def test_features_are_held_to_the_range_seen():
    """own_lag_0 of 50 counts as the highest seen in training."""
    rows, y = made()
    model = Ridge().fit(rows, y)
    beyond = rows.take(slice(0, 1)).pick(np.array([0]))
    beyond.common[0, 0, 0] = 50.0
    at_edge = beyond.common.copy()
    at_edge[0, 0, 0] = rows.common[:, 0, 0].max()
    edge = Rows(at_edge, beyond.ahead, LAYOUT)
    assert np.array_equal(model.predict(beyond, np.array([0])), model.predict(edge, np.array([0])))


def test_horizons_that_listen_to_each_other_take_one_penalty():
    """Errors relative to the least: (1, 1.2) and (1.1, 1); the means are 1.05 and 1.1, so that both take the first."""
    error = np.array([[[10.0, 12.0], [22.0, 20.0]]])
    assert choose(error, share=0.0).tolist() == [[0, 1]]
    assert choose(error, share=1.0).tolist() == [[0, 0]]


def test_impossible_settings_are_named():
    rows, y = made(n=40)
    with pytest.raises(SettingsError, match="folds=1"):
        Ridge(folds=1).fit(rows, y)
    with pytest.raises(SettingsError, match="above 0"):
        Ridge(penalties=(0.0, 1.0)).fit(rows, y)
