"""One ridge line for all zones, by itself and before trees."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.first_line import FirstLine
from models.families.pooled_ridge import PooledRidge
from models.rows import Layout, Rows


def rows(n, zones, ahead=0, seed=0):
    rng = np.random.default_rng(seed)
    layout = Layout(("own_lag_0", "own_lag_1"), tuple(f"ahead_{k}" for k in range(ahead)), (1, 4))
    common = rng.standard_normal((n, zones, 2)).astype(np.float32)
    return Rows(common, rng.standard_normal((n, zones, 2, ahead)).astype(np.float32), layout)


def test_rows_without_features_ahead_are_learned_from():
    """Outcomes are 0.5 times the last reading at both horizons, so that is what the one line says in all zones."""
    made = rows(200, 3)
    y = np.repeat(0.5 * made.common[:, :, :1], 2, axis=2)
    model = PooledRidge().fit(made, y)
    assert model.predict(made) == pytest.approx(y, abs=0.02)
    assert model.coefficients(2, 1) == pytest.approx([0.5, 0.0, 0.0], abs=0.02)


def test_the_line_before_a_citys_trees_is_the_pooled_ridge():
    """Few rows, none left out: the same line bit for bit, for all zones and for one that was picked."""
    made = rows(60, 4, ahead=1, seed=1)
    y = np.random.default_rng(2).standard_normal(made.shape).astype(np.float32)
    line, alone = FirstLine.fit(made, y, pooled=True), PooledRidge().fit(made, y)
    assert np.array_equal(line.predict(made, np.arange(4)), alone.predict(made))
    at = np.array([2])
    assert np.array_equal(line.pick(at).predict(made.pick(at), np.array([0])), alone.predict(made)[:, at])
