"""Model tree: two lines where one is not enough, one line where it is."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.model_tree import ModelTree
from models.families.ridge import Ridge
from models.rows import Layout, Rows


def rows(n: int = 1200, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1, 4)).astype(np.float32)
    ahead = rng.standard_normal((n, 1, 2, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(tuple(f"own_lag_{k}" for k in range(4)), ("ahead_day",), (1, 4)))


def bent(made: Rows, seed: int = 1) -> np.ndarray:
    """Slope 1.5 on the first feature where the second is above 0.3, else 0.2; noise 0.2."""
    slope = np.where(made.common[:, :, 1:2] > 0.3, 1.5, 0.2)
    wave = np.random.default_rng(seed).standard_normal(made.shape)
    return (slope * made.common[:, :, :1] + 0.2 * wave).astype(np.float32)


def test_a_slope_that_changes_is_found_where_it_changes():
    made, fresh = rows(), rows(seed=5)
    tree = ModelTree(max_leaves=2).fit(made, bent(made))
    assert tree.leaves().tolist() == [2]
    assert made.layout.names[tree.feature[0]] == "own_lag_1"
    assert tree.threshold[0] == pytest.approx(0.3, abs=0.25)
    low, high = tree.leaf_line(0, 1, 0), tree.leaf_line(0, 2, 0)
    assert low[0] == pytest.approx(0.2, abs=0.2)
    assert high[0] == pytest.approx(1.5, abs=0.3)
    one_line = Ridge().fit(made, bent(made)).predict(fresh)
    left_over = np.mean((tree.predict(fresh) - bent(fresh, 2)) ** 2)
    assert left_over < 0.5 * np.mean((one_line - bent(fresh, 2)) ** 2)


def test_where_one_line_is_enough_it_is_the_ridge_line():
    made = rows()
    y = (0.7 * made.common[:, :, :1] + 0.3 * np.random.default_rng(2).standard_normal(made.shape)).astype(np.float32)
    tree = ModelTree().fit(made, y)
    assert tree.leaves().tolist() == [1]
    np.testing.assert_allclose(tree.predict(made), Ridge().fit(made, y).predict(made), atol=1e-6)


def test_a_leafs_terms_are_its_line_times_the_features():
    made = rows()
    tree = ModelTree().fit(made, bent(made))
    one = made.take(slice(3, 4))
    x = one.at(1)[0, 0]
    expected = np.append(x, 1.0) * tree.leaf_line(0, tree.leaf(x, 0), 1)
    np.testing.assert_allclose(tree.contributions(one, 1, 0), expected)
    assert expected.sum() == pytest.approx(float(tree.predict(one)[0, 0, 1]), abs=1e-4)


def test_noise_bends_no_line():
    made = rows()
    y = np.random.default_rng(4).standard_normal(made.shape).astype(np.float32)
    assert ModelTree().fit(made, y).leaves().tolist() == [1]


def test_strong_smoothing_leaves_the_roots_line():
    """A parent's line that weighs as much as 10 million rows is not left."""
    made = rows()
    tree = ModelTree(max_leaves=4, smooth=1e7).fit(made, bent(made))
    np.testing.assert_allclose(tree.predict(made), Ridge().fit(made, bent(made)).predict(made), atol=1e-2)
