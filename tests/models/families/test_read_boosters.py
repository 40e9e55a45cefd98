"""XGBoost's trees read as our own forecast what the library forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.boosted_xgboost import XGBoost, step_feature
from models.rows import Layout, Rows

LAYOUT = Layout(("own_lag_0", "b"), ("c",), (1, 4))


def made(n=500, zones=2, seed=3):
    """Features on a coarse grid, so that many values lie on a threshold."""
    rng = np.random.default_rng(seed)
    common = (rng.integers(-8, 9, (n, zones, 2)) / 4).astype(np.float32)
    ahead = (rng.integers(-8, 9, (n, zones, 2, 1)) / 4).astype(np.float32)
    y = np.where(common[:, :, :1] > 0.25, 2.0, -1.0) + 0.3 * ahead[..., 0] + 0.1 * rng.normal(size=(n, zones, 2))
    return Rows(common, ahead, LAYOUT), y.astype(np.float32)


@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball"])
def test_trees_read_forecast_what_the_library_forecasts(loss):
    """Row by row and in one call, values on thresholds among them, to the rounding of a float32 sum."""
    rows, y = made()
    model = XGBoost(seed=1, loss=loss, level=0.8, rounds=40, linear_first=False).fit(rows, y)
    found = model.predict(rows)
    n, zones, horizons = rows.shape
    for z in range(zones):
        step = np.broadcast_to(step_feature(LAYOUT)[:, None], (n, horizons, 1))
        common = np.broadcast_to(rows.common[:, z, None], (n, horizons, 2))
        x = np.concatenate([common, rows.ahead[:, z], step], axis=2).reshape(n * horizons, -1)
        theirs = model._boosters[z].inplace_predict(x).reshape(n, horizons)
        np.testing.assert_allclose(found[:, z], theirs, atol=5e-6)
        assert len(np.unique(theirs)) > 10
    one = model.pick(np.array([1])).predict(rows.take(slice(7, 8)).pick(np.array([1])))
    assert np.array_equal(one[0, 0], found[7, 1])


def test_a_zone_without_trees_forecasts_nothing_and_files_give_the_same():
    rows, y = made()
    y[:, 0] = np.nan
    model = XGBoost(seed=1, rounds=20, linear_first=False).fit(rows, y)
    found = model.predict(rows)
    assert (found[:, 0] == 0).all() and (found[:, 1] != 0).any()
    again = XGBoost(seed=1, rounds=20, linear_first=False)
    again.layout = LAYOUT
    again.restore(*model.state())
    assert np.array_equal(again.predict(rows), found)
