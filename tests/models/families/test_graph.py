"""The graph family: what comes from the neighbourhood is found, with few parameters, and reported."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.graph import PARTS, GraphLearner, PooledGraphLearner, propagated
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
    learner = GraphLearner(filters=1, strengths=[1e-4], hop_decay=0.0, decays=[0.0]).fit(rows, y.astype(np.float32))
    assert learner.lines[:, :, 4:12] == pytest.approx(np.broadcast_to(truth, (2, 2, 8)), abs=0.01)


def test_one_filter_costs_hops_plus_lags_not_hops_times_lags():
    """A zone and horizon: 4 own lags, ahead_day and the constant, and 2 hops + 4 lags: 12 numbers, not 14."""
    rows = _rows(200, 1)
    learner = GraphLearner(filters=1).fit(rows, np.zeros((200, 1, 2), dtype=np.float32))
    assert learner.n_parameters() == 2 * (6 + 6)


def test_with_every_filter_it_is_the_ridge_line():
    """As many filters as hops restrict nothing: the line is (G + strength x diag G)^-1 c, computed here in full."""
    rows = _rows(600, 1, seed=4, steps=(1,))
    y = np.random.default_rng(5).standard_normal((600, 1, 1)).astype(np.float32)
    learner = GraphLearner(filters=2, strengths=[0.1], decays=[0.0], hop_decay=0.0).fit(rows, y)
    x = np.append(rows.at(0)[:, 0], np.ones((600, 1)), axis=1).astype(np.float64)
    gram = x.T @ x
    line = np.linalg.solve(gram + 0.1 * np.diag(np.diag(gram)), x.T @ y[:, 0, 0])
    assert learner.lines[0, 0] == pytest.approx(line, abs=1e-4)


def test_old_readings_are_shrunk_faster_where_they_tell_nothing():
    """Only the latest readings matter, and rows are few: the decay chosen on left-out blocks is above 0."""
    rows = _rows(60, 12, seed=6)
    noise = np.random.default_rng(7).standard_normal((60, 12, 2)).astype(np.float32)
    y = 0.6 * rows.common[:, :, [0]] + 0.4 * rows.common[:, :, [4]] + 0.8 * noise
    learner = GraphLearner().fit(rows, y)
    assert (learner.chosen[:, :, 1] > 0).mean() > 0.6


def test_the_city_has_one_set_of_coefficients():
    """Zones with the same rule: the pooled line is nearer to the truth 0.5 than the zones' own lines are on average."""
    rows = _rows(120, 10, seed=8)
    y = 0.5 * rows.common[:, :, [4]] + np.random.default_rng(9).standard_normal((120, 10, 2)).astype(np.float32)
    pooled, single = PooledGraphLearner().fit(rows, y), GraphLearner().fit(rows, y)
    assert pooled.lines.shape[0] == 1
    assert abs(pooled.lines[0, :, 4] - 0.5).mean() < abs(single.lines[:, :, 4] - 0.5).mean()


def test_only_lags_that_every_hop_has_are_propagated():
    """Neighbours have lags 0 and 1, two hops lag 0 alone: one shared lag."""
    layout = Layout(("own_lag_0", "neighbours_lag_0", "neighbours_lag_1", "hop2_lag_0"), (), (1,))
    places, who, distance = propagated(layout)
    assert places.tolist() == [[1], [3]]
    assert who == ("neighbours", "hop2")
    assert distance.tolist() == [1, 2]


def test_every_wrong_setting_is_named_at_once():
    """Three faults, one message."""
    with pytest.raises(SettingsError, match=r"strengths.*filters.*blocks"):
        GraphLearner(strengths=[], filters=0, blocks=1)
