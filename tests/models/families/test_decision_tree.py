"""Decision tree: what it must find exactly, and where it must not grow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.decision_tree import DecisionTree
from models.rows import Layout, Rows

PLAIN = {"first_line": "none", "folds": 0, "shrink": 0.0, "loss": "squared"}


def rows(n: int = 400, features: int = 3, steps: tuple[int, ...] = (1, 4), seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1, features)).astype(np.float32)
    ahead = rng.standard_normal((n, 1, len(steps), 1)).astype(np.float32)
    return Rows(common, ahead, Layout(tuple(f"own_lag_{k}" for k in range(features)), ("ahead_day",), steps))


def step_of(made: Rows) -> np.ndarray:
    """1 where the second feature is above 0, else -1; twice that at the second horizon."""
    side = np.where(made.common[:, :, 1:2] > 0, 1.0, -1.0)
    return (side * np.array([1.0, 2.0])).astype(np.float32)


def test_a_step_is_found_exactly_with_a_value_for_each_horizon():
    """Two leaves suffice: -1 and -2 at most the threshold, 1 and 2 above it."""
    made = rows()
    made.common[:, 0, 1] = np.where(np.arange(400) % 2, 0.5, -0.5)
    tree = DecisionTree(max_leaves=2, **PLAIN).fit(made, step_of(made))
    np.testing.assert_allclose(tree.predict(made), step_of(made), atol=1e-6)
    low, high = tree.rules(0)
    assert low.conditions == (("own_lag_1", None, 0.0),)
    assert high.conditions == (("own_lag_1", 0.0, None),)
    assert low.forecast == pytest.approx((-1.0, -2.0))
    assert high.forecast == pytest.approx((1.0, 2.0))


def test_a_leaf_forecasts_the_mean_or_under_absolute_loss_the_median():
    """One leaf of 0, 0, 0, 0, 10 (repeated): mean 2, median 0."""
    made = rows(n=100, steps=(1,))
    y = np.where(np.arange(100) % 5 == 4, 10.0, 0.0).astype(np.float32)[:, None, None]
    mean = DecisionTree(**{**PLAIN, "max_leaves": 1}).fit(made, y)
    median = DecisionTree(**{**PLAIN, "max_leaves": 1, "loss": "absolute"}).fit(made, y)
    assert mean.predict(made) == pytest.approx(2.0)
    assert median.predict(made) == pytest.approx(0.0)


def test_shrinkage_draws_a_leaf_to_its_parent_as_so_many_rows_would():
    """100 rows, half of them 2, and 100 rows of the parent: root 0.5, then 1 and a third."""
    made = rows(n=100, steps=(1,))
    made.common[:, 0, 0] = np.where(np.arange(100) % 2, 1.0, -1.0)
    made.common[:, 0, 1:] = 0.0
    made.ahead[:] = 0.0
    y = np.where(made.common[:, :, :1] > 0, 2.0, 0.0).astype(np.float32)
    tree = DecisionTree(max_leaves=2, **{**PLAIN, "shrink": 100.0}).fit(made, y)
    # root (100 x 1 + 100 x 0) / 200 = 0.5; leaves hold 50 rows: (50 x 2 + 100 x 0.5) / 150 = 1, and 50 / 150 = 1/3
    assert sorted(rule.forecast[0] for rule in tree.rules(0)) == pytest.approx([1 / 3, 1.0])


def test_a_tree_asks_about_the_features_of_the_horizon_that_it_forecasts():
    """The outcome is the sign of `ahead_day`, which differs between the horizons of one origin."""
    made = rows(n=600)
    y = np.sign(made.ahead[..., 0]).astype(np.float32)
    tree = DecisionTree(max_leaves=4, **PLAIN).fit(made, y)
    assert np.mean(np.sign(tree.predict(made)) == y) > 0.99


def test_noise_grows_no_tree():
    """Blocked validation finds no split that holds on what was left out."""
    made = rows(n=800, features=8)
    y = np.random.default_rng(3).standard_normal((800, 1, 2)).astype(np.float32)
    tree = DecisionTree(first_line="none").fit(made, y)
    assert len(tree.rules(0)) <= 2
    assert np.abs(tree.predict(made)).max() < 0.2


def test_validation_stops_near_the_size_that_made_the_data():
    """Four cells of two features, noise 0.3: at least four leaves, and far from the limit of 64."""
    made = rows(n=1500, steps=(1,))
    cell = np.where(made.common[:, :, 0] > 0, 1.0, 0.0) + np.where(made.common[:, :, 1] > 0.5, 2.0, 0.0)
    y = (cell + 0.3 * np.random.default_rng(1).standard_normal(cell.shape)).astype(np.float32)[..., None]
    tree = DecisionTree(first_line="none", max_leaves=64, loss="squared").fit(made, y)
    assert 4 <= len(tree.rules(0)) <= 16


def test_the_path_leads_from_the_root_to_the_forecast():
    made = rows(n=800)
    y = (step_of(made) + 0.3 * made.common[:, :, :1]).astype(np.float32)
    tree = DecisionTree(max_leaves=8, **PLAIN).fit(made, y)
    one = made.take(slice(5, 6))
    path = tree.path(one, 0, horizon=1)
    assert path[0].feature == "own_lag_1"
    assert path[-1].after == pytest.approx(float(tree.predict(one)[0, 0, 1]))
    for before, after in pairwise(path):
        assert before.after == after.before
    for asked in path:
        assert asked.above == (asked.value > asked.threshold)


def test_contributions_are_the_changes_along_the_path():
    """Each split adds the change of its node's mean; the constant is the root's mean."""
    made = rows(n=800)
    tree = DecisionTree(max_leaves=8, **PLAIN).fit(made, step_of(made))
    one = made.take(slice(5, 6))
    path, found = tree.path(one, 0, horizon=1), tree.contributions(one, 1, 0)
    assert found[-1] == pytest.approx(path[0].before)
    by_feature = dict.fromkeys(one.layout.names, 0.0)
    for asked in path:
        by_feature[asked.feature] += asked.after - asked.before
    assert found[:-1] == pytest.approx(list(by_feature.values()), abs=1e-6)


def test_exactly_one_rule_holds_for_each_row():
    made = rows(n=500, steps=(1,))
    y = (np.sin(2 * made.common[:, :, :1]) + made.common[:, :, 1:2]).astype(np.float32)
    tree = DecisionTree(max_leaves=12, **PLAIN).fit(made, y)
    out, x = tree.predict(made)[:, 0, 0], made.at(0)[:, 0]
    place = {name: k for k, name in enumerate(made.layout.names)}
    held = np.zeros(500, dtype=int)
    for rule in tree.rules(0):
        inside = np.ones(500, dtype=bool)
        for name, low, high in rule.conditions:
            value = x[:, place[name]]
            inside &= (low is None or value > low) & (high is None or value <= high)
        held += inside
        assert out[inside] == pytest.approx(rule.forecast[0])
    assert (held == 1).all()


def test_an_unknown_first_line_is_refused():
    made = rows(n=50)
    with pytest.raises(SettingsError, match="first_line"):
        DecisionTree(first_line="wave").fit(made, step_of(made))
