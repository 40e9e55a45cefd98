"""Boosted trees: losses in closed form, a slow plain twin of the kernel, stopping, settings."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.boosted_trees import BoostedTrees
from models.families.boosted_xgboost import XGBoost
from models.families.tree_kernels import bin_edges, bin_rows, grow, pack
from models.rows import Layout, Rows

WHOLE = {"linear_first": False, "patience": 0, "sample": 1.0, "features": 1.0, "shrink": 0.0, "min_leaf": 5}


def rows(n: int = 600, features: int = 4, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1, features)).astype(np.float32)
    ahead = rng.standard_normal((n, 1, 1, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(tuple(f"own_lag_{k}" for k in range(features)), ("ahead_day",), (1,)))


def test_one_full_step_of_one_split_is_the_means_of_both_sides():
    """Depth 1, one round, step 1: the mean of each side of the best cut."""
    made = rows(n=200)
    made.common[:, 0, 0] = np.where(np.arange(200) % 4 == 0, 2.0, -1.0)
    y = np.where(made.common[:, :, :1] > 0, 3.0, 1.0).astype(np.float32)
    out = BoostedTrees(loss="squared", rounds=1, eta=1.0, max_depth=1, **WHOLE).fit(made, y).predict(made)
    np.testing.assert_allclose(out, y, atol=1e-5)


def test_the_absolute_loss_leaves_medians():
    """Sides of 0, 0, 0, 2 and 5, 5, 5, 90: medians 0 and 5, outliers or not."""
    made = rows(n=400)
    side = np.arange(400) % 2
    made.common[:, 0, 0] = np.where(side, 1.0, -1.0)
    outlier = (np.arange(400) // 2) % 4 == 3
    y = np.where(side, np.where(outlier, 90.0, 5.0), np.where(outlier, 2.0, 0.0)).astype(np.float32)[:, None, None]
    model = BoostedTrees(loss="absolute", rounds=1, eta=1.0, max_depth=1, **WHOLE).fit(made, y)
    assert model.predict(made)[:, 0, 0] == pytest.approx(np.where(side, 5.0, 0.0), abs=1e-5)


def test_the_pinball_loss_meets_its_level():
    """At level 0.9, nine of ten outcomes lie below."""
    made, fresh = rows(n=3000), rows(n=3000, seed=3)
    wave = np.random.default_rng(1).standard_normal((2, 3000, 1, 1))
    spread = lambda r: np.where(r.common[:, :, :1] > 0, 2.0, 0.5)  # noqa: E731
    model = BoostedTrees(loss="pinball", level=0.9, linear_first=False, rounds=60)
    model.fit(made, (spread(made) * wave[0]).astype(np.float32))
    assert np.mean(spread(fresh) * wave[1] <= model.predict(fresh)) == pytest.approx(0.9, abs=0.03)


def plain_split(x: np.ndarray, y: np.ndarray, min_leaf: int) -> tuple[int, float, float]:
    """Feature, threshold and fall of the squared error of the best split, by trying all."""
    best = (0, 0.0, -1.0)
    for f in range(x.shape[1]):
        values = np.unique(x[:, f])
        for threshold in (values[1:] + values[:-1]) / 2:
            low, high = y[x[:, f] <= threshold], y[x[:, f] > threshold]
            if min(low.size, high.size) < min_leaf:
                continue
            gain = low.sum() ** 2 / low.size + high.sum() ** 2 / high.size - y.sum() ** 2 / y.size
            if gain > best[2] + 1e-9:
                best = (f, float(threshold), float(gain))
    return best


def test_the_kernel_splits_where_trying_everything_does():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, size=(300, 3)).astype(np.float32)
    y = (np.where(x[:, 1] > 7, 1.0, 0.0) * x[:, 0] + rng.standard_normal(300)).astype(np.float64)
    edges, used = bin_edges(x, 32)
    bins = bin_rows(x, edges, used)
    packed = np.empty(300, dtype=np.int64)
    scale = pack(y, packed)
    tables = [np.empty(7, dtype=np.int64) for _ in range(6)]
    order, state = np.arange(300), np.array([0], dtype=np.uint64)
    nodes = grow(bins, packed, scale, order, used, 32, 4, 2, 10, 0.0, 1e-9, 3, False, state, *tables)
    feature, cut, left, start, stop, _ = tables
    assert nodes == 7
    for node in range(nodes):
        mine = order[start[node] : stop[node]]
        if left[node] < 0:
            continue
        wanted, threshold, _ = plain_split(x[mine], y[mine], 10)
        assert feature[node] == wanted
        found = edges[feature[node], cut[node]]
        np.testing.assert_array_equal(x[mine, wanted] <= threshold, x[mine, wanted] <= found)


def test_a_value_lies_in_its_bin():
    """Above the edge below, at most its own edge; few distinct values have a bin each."""
    x = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    x[:, 2] = np.round(x[:, 2])
    edges, used = bin_edges(x, 16)
    bins = bin_rows(x, edges, used)
    assert used[0] == 16
    assert used[2] == np.unique(x[:, 2]).size
    for f in range(3):
        padded = np.concatenate([[-np.inf], edges[f, : used[f] - 1], [np.inf]])
        assert ((x[:, f] > padded[bins[:, f]]) & (x[:, f] <= padded[bins[:, f] + 1])).all()
    counts = np.bincount(bins[:, 0], minlength=16)
    assert counts.min() > 20


def test_noise_is_stopped_early():
    made = rows(n=900, features=8)
    y = np.random.default_rng(2).standard_normal(made.shape).astype(np.float32)
    model = BoostedTrees(linear_first=False).fit(made, y)
    assert np.sqrt(np.mean(model.predict(rows(features=8, seed=4)) ** 2)) < 0.15


def test_without_folds_the_last_rows_are_not_learned_from():
    """Outcomes of the last fifth may change which round is best, not what a round is: with one round, nothing."""
    made = rows(n=500)
    y = (made.common[:, :, :1] > 0).astype(np.float32)
    other = y.copy()
    other[450:] += 0.05
    settings = {"folds": 0, "rounds": 1, "linear_first": False, "loss": "squared"}
    first, second = (BoostedTrees(**settings).fit(made, target).predict(made) for target in (y, other))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("model", [BoostedTrees, XGBoost])
def test_settings_out_of_range_are_all_named(model):
    with pytest.raises(SettingsError, match=r"eta=2.*loss='hinge'"):
        model(eta=2, loss="hinge")


@pytest.mark.parametrize("model", [BoostedTrees, XGBoost])
def test_what_no_line_can_follow_is_learned(model):
    made, fresh = rows(n=1200), rows(seed=5)
    shape = lambda r: (np.abs(r.common[:, :, :1]) + (r.ahead[..., :1, 0] > 0)).astype(np.float32)  # noqa: E731
    out = model().fit(made, shape(made)).predict(fresh)
    assert np.mean((out - shape(fresh)) ** 2) < 0.15 * shape(fresh).var()
