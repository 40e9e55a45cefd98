"""Bagged trees: means of trees on blocks of rows, trusted as far as they hold on rows that they have not seen."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.bagged_trees import BaggedTrees
from models.families.growing import held_out_trust
from models.rows import Layout, Rows


def rows(n: int = 800, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1, 4)).astype(np.float32)
    ahead = rng.standard_normal((n, 1, 2, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(tuple(f"own_lag_{k}" for k in range(4)), ("ahead_day",), (1, 4)))


def hill(made: Rows) -> np.ndarray:
    return (np.abs(made.common[:, :, :1]) * np.where(made.ahead[..., 0] > 0, 1.0, 0.2)).astype(np.float32)


@pytest.mark.parametrize("extra", [False, True])
def test_what_no_line_can_follow_is_learned(extra):
    made, fresh = rows(), rows(seed=5)
    out = BaggedTrees(extra=extra).fit(made, hill(made)).predict(fresh)
    spread = hill(fresh).var()
    assert np.mean((out - hill(fresh)) ** 2) < 0.55 * spread


def test_forecasts_stay_within_what_was_seen():
    """A mean of means cannot leave the range of the outcomes."""
    made = rows()
    y = hill(made)
    fresh = rows(seed=6)
    fresh.common[:] *= 50
    out = BaggedTrees(linear_first=False).fit(made, y).predict(fresh)
    assert y.min() - 1e-5 <= out.min() and out.max() <= y.max() + 1e-5


def test_on_noise_the_trees_are_not_trusted():
    made = rows()
    y = np.random.default_rng(3).standard_normal(made.shape).astype(np.float32)
    out = BaggedTrees(linear_first=False).fit(made, y).predict(rows(seed=5))
    assert np.sqrt(np.mean(out**2)) < 0.1


def test_trust_is_the_least_squares_factor_by_horizon():
    """Forecasts twice too large: 2 / 4 of them; against the outcome: none. The hundredth: 2 / 4.01."""
    y = np.array([1.0, -1.0, 1.0, -1.0], dtype=np.float32)
    forecast = np.array([2.0, -2.0, -1.0, 1.0])
    found = held_out_trust(y, forecast, np.array([0, 0, 1, 1]), 2)
    assert found == pytest.approx([4.0 / 8.02, 0.0])


def test_another_seed_draws_other_blocks():
    made = rows()
    first, second = (BaggedTrees(seed=seed).fit(made, hill(made)).predict(made) for seed in (1, 2))
    assert not np.array_equal(first, second)
