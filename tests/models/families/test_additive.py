"""The additive model: bends where the outcome bends, and exact effects."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.additive import Additive
from models.families.ridge import Ridge
from models.rows import Layout, Rows

LAYOUT = Layout(("own_lag_0", "other"), ("ahead_day",), (1, 2))


def made(n=1500, seed=0, bent=True):
    """Outcome |own_lag_0| (or own_lag_0 itself) + 0.5 other, and noise of 0.1."""
    rng = np.random.default_rng(seed)
    rows = Rows(rng.normal(size=(n, 2, 2)).astype(np.float32), rng.normal(size=(n, 2, 2, 1)).astype(np.float32), LAYOUT)
    x = np.abs(rows.common[:, :, :1]) if bent else rows.common[:, :, :1]
    y = x + 0.5 * rows.common[:, :, 1:] + 0.1 * rng.normal(size=(n, 2, 2))
    return rows, y.astype(np.float32)


def test_a_bend_is_followed_where_a_line_cannot():
    """|x| has a variance of 1 - 2 / pi = 0.36, of which a line explains nothing; the curve leaves less than 0.06."""
    rows, y = made()
    test, truth = made(seed=1)
    errors = [np.mean((model.fit(rows, y).predict(test) - truth) ** 2) for model in (Additive(), Ridge())]
    assert errors[1] > 0.3
    assert errors[0] < 0.06


def test_what_is_straight_stays_nearly_straight():
    """own_lag_0 from 0 to 1 adds 1, from 1 to 2 again."""
    rows, y = made(bent=False)
    values, effect = Additive().fit(rows, y).effects("own_lag_0", 0, 0)
    at = np.interp([-1.5, -1.0, 0.0, 1.0, 1.5], values, effect)
    np.testing.assert_allclose(at, [-1.5, -1.0, 0.0, 1.0, 1.5], atol=0.1)


def test_an_effect_is_that_of_the_forecast():
    """Two rows that differ in own_lag_0 alone differ by the difference of its effect."""
    rows, y = made()
    model = Additive().fit(rows, y)
    values, effect = model.effects("own_lag_0", 1, 1, points=5)
    two = rows.take(slice(0, 2)).pick(np.array([1]))
    two.common[:] = two.common[:1]
    two.ahead[:] = two.ahead[:1]
    two.common[0, 0, 0], two.common[1, 0, 0] = values[1], values[3]
    out = model.predict(two, np.array([1]))[:, 0, 1]
    assert out[1] - out[0] == pytest.approx(effect[3] - effect[1], abs=1e-5)


def test_unknown_features_and_impossible_settings_are_named():
    rows, y = made(n=60)
    with pytest.raises(SettingsError, match="ahead_day"):
        Additive().fit(rows, y).effects("ahead_day", 0, 0)
    with pytest.raises(SettingsError, match="knots"):
        Additive(knots=0).fit(rows, y)
