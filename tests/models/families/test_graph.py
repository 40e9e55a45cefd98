"""The graph family: what comes from the neighbourhood is found, with few parameters, and reported."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.graph import PARTS, GraphLearner, PooledGraphLearner, propagated
from models.families.ridge import Ridge
from models.rows import Layout, Rows

LAGS = 4


def _rows(n: int, zones: int, seed: int = 0, steps: tuple[int, ...] = (1, 2)) -> Rows:
    rng = np.random.default_rng(seed)
    names = [f"{who}_lag_{k}" for who in ("own", "neighbours", "hop2") for k in range(LAGS)]
    common = rng.standard_normal((n, zones, len(names))).astype(np.float32)
    ahead = rng.standard_normal((n, zones, len(steps), 1)).astype(np.float32)
    return Rows(common, ahead, Layout(tuple(names), ("ahead_day",), steps))


def test_a_signal_that_comes_from_two_hops_is_found_there():
    """Outcome = 0.8 x two hops, latest: nine tenths or more of the forecast's variance come from 2 hops."""
    rows = _rows(1500, 3)
    noise = np.random.default_rng(1).standard_normal((1500, 3, 2)).astype(np.float32)
    y = 0.8 * rows.common[:, :, [8]] + 0.3 * noise
    learner = GraphLearner().fit(rows, y)
    for place in range(3):
        for shares in learner.reach(place):
            assert shares["2 hops"] > 0.9
            assert sum(shares[part] for part in PARTS) == pytest.approx(1.0, abs=1e-4)


def test_hop_weights_times_a_filter_are_recovered():
    """Coefficients (1.0, 0.5) x (0.6, 0.3, 0.15, 0.075): of rank one, so one filter finds them but for the noise."""
    rows = _rows(4000, 2, seed=2)
    truth = np.outer([1.0, 0.5], [0.6, 0.3, 0.15, 0.075]).ravel()
    y = (rows.common[:, :, 4:] @ truth)[:, :, None] + 0.1 * np.random.default_rng(3).standard_normal((4000, 2, 2))
    learner = GraphLearner(filters=[1], penalties=[1e-4], hop_decay=0.0, decays=[0.0]).fit(rows, y.astype(np.float32))
    assert learner.coefficient[:, :, 5:13] == pytest.approx(np.broadcast_to(truth, (2, 2, 8)), abs=0.01)


def test_one_filter_costs_hops_plus_lags_not_hops_times_lags():
    """A zone and horizon: 4 own lags, ahead_day and the constant, and 2 hops + 4 lags: 12 numbers, not 14."""
    rows = _rows(400, 1)
    signal = (rows.common[:, :, 4:] @ np.outer([1.0, 0.5], [0.6, 0.3, 0.15, 0.075]).ravel())[:, :, None]
    y = signal + 2.0 * np.random.default_rng(3).standard_normal((400, 1, 2))
    learner = GraphLearner(filters=[1]).fit(rows, y.astype(np.float32))
    assert learner.used.tolist() == [[1, 1]]
    assert learner.n_parameters() == 2 * (6 + 6)


def test_without_shared_filters_or_decay_it_is_the_ridge_family():
    """The same penalties on the same blocks: the same line."""
    rows = _rows(600, 2, seed=4)
    y = (0.5 * rows.common[:, :, :1] + np.random.default_rng(5).standard_normal((600, 2, 2))).astype(np.float32)
    learner = GraphLearner(filters=[], decays=[0.0], hop_decay=0.0).fit(rows, y)
    assert learner.coefficient == pytest.approx(Ridge().fit(rows, y).coefficient, abs=1e-5)


def test_old_readings_are_shrunk_faster_with_a_decay():
    """A decay of 1: lag 3 is penalised e^3 = 20 times as much as lag 0, at two hops e^0.5 times that; lag 0 spared."""
    layout = _rows(1, 1).layout
    ease = GraphLearner(decays=[0.0, 1.0], hop_decay=0.5)._eases(layout)
    assert ease[1, 4] == pytest.approx(np.exp(3.0))
    assert ease[1, 1 + 4 + 3] == pytest.approx(np.exp(3.0))
    assert ease[1, 1 + 8 + 3] == pytest.approx(np.exp(3.5))
    assert ease[0, [1, 2, 5]] == pytest.approx([0.01, 1.0, 1.0])


def test_the_city_has_one_set_of_coefficients():
    """Zones with the same rule: the pooled line is nearer to the truth 0.5 than the zones' own lines are on average."""
    rows = _rows(120, 10, seed=8)
    y = 0.5 * rows.common[:, :, [4]] + np.random.default_rng(9).standard_normal((120, 10, 2)).astype(np.float32)
    pooled, single = PooledGraphLearner().fit(rows, y), GraphLearner().fit(rows, y)
    assert pooled.coefficient.shape[0] == 1
    assert abs(pooled.coefficient[0, :, 5] - 0.5).mean() < abs(single.coefficient[:, :, 5] - 0.5).mean()


def test_only_lags_that_every_hop_has_are_propagated():
    """Neighbours have lags 0 and 1, two hops lag 0 alone: one shared lag."""
    layout = Layout(("own_lag_0", "neighbours_lag_0", "neighbours_lag_1", "hop2_lag_0"), (), (1,))
    places, who, distance = propagated(layout)
    assert places.tolist() == [[1], [3]]
    assert who == ("neighbours", "hop2")
    assert distance.tolist() == [1, 2]


def test_every_wrong_setting_is_named_at_once():
    """Three faults, one message."""
    with pytest.raises(SettingsError, match=r"penalties.*filters.*folds"):
        GraphLearner(penalties=[], filters=[0], folds=1)
