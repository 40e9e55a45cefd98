"""The regime family: states with lines of their own are found where there are any, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.regime import RegimeLearner, state_map
from models.families.regime_kernels import gate, responsibilities
from models.rows import Layout, Rows

NAMES = ("own_lag_0", "own_lag_1", "own_mean_24h", "neighbours_lag_0")


def _two_states(n: int = 1500, zones: int = 2, seed: int = 0) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Days whose mean is -2 or +2; a deviation lasts (+0.9) in the one and turns round (-0.9) in the other."""
    rng = np.random.default_rng(seed)
    busy = rng.random((n // 10, zones)).repeat(10, axis=0) < 0.4
    common = (0.5 * rng.standard_normal((n, zones, 4))).astype(np.float32)
    common[:, :, 2] += np.where(busy, 2.0, -2.0)
    rows = Rows(common, np.zeros((n, zones, 1, 1), dtype=np.float32), Layout(NAMES, ("ahead_day",), (1,)))
    y = np.where(busy, 0.9, -0.9)[:, :, None] * common[:, :, [0]] + 0.1 * rng.standard_normal((n, zones, 1))
    return rows, y.astype(np.float32), busy


def test_two_regimes_with_opposite_slopes_are_found():
    """One line can forecast nothing better than 0.45 x deviation; two leave little more than the noise of 0.1."""
    rows, y, busy = _two_states()
    learner = RegimeLearner(most=2).fit(rows, y)
    error = learner.predict(rows) - y
    assert np.sqrt((error**2).mean()) < 0.15
    for place in range(2):
        first, second = learner.regimes(place)
        assert first["share"] == pytest.approx(1 - busy[:, place].mean(), abs=0.03)
        assert first["centre"]["own_mean_24h"] == pytest.approx(-2.0, abs=0.1)
        assert second["centre"]["own_mean_24h"] == pytest.approx(2.0, abs=0.1)
        assert second["differs"]["own_lag_0"] - first["differs"]["own_lag_0"] == pytest.approx(1.8, abs=0.15)


def test_a_moment_belongs_to_the_regime_that_it_is_like():
    """Chances sum to one, and the busy days' regime has nearly all of them on busy days."""
    rows, y, busy = _two_states()
    learner = RegimeLearner(most=2).fit(rows, y)
    r = learner.responsibility(rows.pick(np.array([1])), 1)
    assert r.shape == (1500, 1, 2)
    assert r.sum(axis=2) == pytest.approx(1.0, abs=1e-5)
    regime = learner.regimes(1)[1]["regime"]
    assert (r[:, 0, regime] > 0.9)[busy[:, 1]].mean() > 0.98


def test_one_line_stays_one_line_where_the_states_do_not_matter():
    """Two clear states but one slope: at most one zone in five takes more than one regime."""
    rows, _, _ = _two_states(zones=20)
    noise = np.random.default_rng(5).standard_normal((1500, 20, 1)).astype(np.float32)
    learner = RegimeLearner().fit(rows, 0.7 * rows.common[:, :, [0]] + 0.5 * noise)
    assert sum(len(learner.regimes(z)) > 1 for z in range(20)) <= 4


def test_contributions_mix_the_regimes_lines_exactly():
    """Coefficient of the moment times feature, with the constant, is the forecast."""
    rows, y, _ = _two_states()
    learner = RegimeLearner().fit(rows, y)
    some = rows.pick(np.array([1])).take(slice(7, 8))
    forecast = learner.predict(some, np.array([1]))[0, 0, 0]
    assert learner.contributions(some, 0, 1).sum() == pytest.approx(float(forecast), abs=1e-5)


def test_responsibilities_follow_bayes():
    """Centres 0 and 2, shares 3:1, spread 1, state 1: halfway, so the shares decide: 0.75 and 0.25."""
    slopes, offsets = np.zeros((2, 1)), np.zeros(2)
    gate(np.array([[0.0], [2.0]]), np.array([0.75, 0.25]), np.ones((1, 1)), slopes, offsets)
    r = responsibilities(np.ones((1, 1, 1), dtype=np.float32), slopes[None], offsets[None])
    assert r[0, 0] == pytest.approx([0.75, 0.25])


def test_a_state_has_a_trend_where_lags_allow():
    """own_trend = own_lag_0 - own_lag_1."""
    names, matrix = state_map(Layout(NAMES, (), (1,)))
    assert names[-1] == "own_trend"
    assert matrix[:, -1].tolist() == [1.0, -1.0, 0.0, 0.0]


def test_every_wrong_setting_is_named_at_once():
    """Two faults, one message."""
    with pytest.raises(SettingsError, match=r"most.*shrinks"):
        RegimeLearner(most=0, shrinks=[])
