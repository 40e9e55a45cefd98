"""Nothing beyond what the target can be, and no interval wider than the training range."""

from __future__ import annotations

import numpy as np

from models.intervals import QUANTILES, Bounds


def test_quantiles_stay_near_the_training_range():
    """Readings from 10 to 50: a quarter of the range beyond is 0 to 60; a fan of -30 to 65 around 40 has 95 > 40."""
    bounds = Bounds.fit(np.linspace(10.0, 50.0, 200)[:, None])
    assert (bounds.low, bounds.high) == (10.0, 50.0)
    forecast = np.array([-30.0, 5.0, 20.0, 40.0, 50.0, 58.0, 65.0])[None, None, None]
    out = bounds.apply(forecast, quantiles=QUANTILES)[0, 0, 0]
    np.testing.assert_allclose(out, 40 + 40 / 60 * (np.array([0, 5, 20, 40, 50, 58, 60]) - 40), atol=1e-3)
    assert out[-1] - out[0] <= 40.0


def test_clipping_never_loses_order_nor_exceeds_the_range():
    """Wild fans in float32, also wholly beyond the range, and a zone whose readings never changed."""
    rng = np.random.default_rng(0)
    readings = rng.gamma(2, 10, (500, 6))
    readings[:, 5] = 7.0
    bounds = Bounds.fit(readings)
    fans = np.sort(rng.normal(20, 300, (200, 6, 3, 7)), axis=-1).astype(np.float32)
    out = bounds.apply(fans, quantiles=QUANTILES)
    assert out.dtype == np.float32
    assert (np.diff(out, axis=-1) >= 0).all()
    assert (out >= 0).all()
    width = (out[..., -1] - out[..., 0]).max(axis=(0, 2))
    assert (width <= bounds.high - bounds.low).all()


def test_what_lies_inside_is_left_alone():
    bounds = Bounds.fit(np.linspace(0.0, 100.0, 300)[:, None])
    fan = np.linspace(20.0, 80.0, 7)[None, None, None]
    np.testing.assert_array_equal(bounds.apply(fan, quantiles=QUANTILES), fan)


def test_a_zone_with_few_readings_takes_the_citys_range():
    readings = np.tile(np.linspace(5.0, 30.0, 400)[:, None], (1, 2))
    readings[3:, 1] = np.nan
    bounds = Bounds.fit(readings)
    assert (bounds.low[1], bounds.high[1]) == (5.0, 30.0)
    nobody = Bounds.fit(np.full((10, 2), np.nan))
    fan = np.linspace(-5.0, 80.0, 7)[None, None, None]
    np.testing.assert_array_equal(nobody.apply(fan, quantiles=QUANTILES)[0, 0], [np.maximum(fan[0, 0, 0], 0)])
