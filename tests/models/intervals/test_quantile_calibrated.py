"""A family's own quantiles, made to hold."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ScoresError
from models.intervals import QUANTILES, CalibratedQuantiles

NORMAL = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])


def drawn(rng, n, zones, boast):
    """Readings whose spread varies, and quantiles that know it but boast by a factor."""
    spread = rng.uniform(0.5, 4.0, (n, zones, 2))
    centre = rng.normal(20, 5, (n, zones, 2))
    return centre + spread * rng.normal(0, 1, (n, zones, 2)), centre[..., None] + boast * spread[..., None] * NORMAL


@pytest.mark.parametrize("boast", [0.4, 1.0, 2.5])
def test_quantiles_too_narrow_or_too_wide_are_put_right(boast):
    """90 % intervals of a boaster cover half or all; calibrated, each level is met within 0.02, spread still known."""
    rng = np.random.default_rng(0)
    fit = CalibratedQuantiles.fit(*drawn(rng, 800, 3, boast), quantiles=QUANTILES)
    actual, fan = drawn(rng, 4000, 3, boast)
    out = fit.apply(fan)
    below = (actual[..., None] <= out).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(below, QUANTILES, atol=0.02)
    assert (np.diff(out, axis=-1) >= 0).all()
    np.testing.assert_array_equal(out[..., 3], fan[..., 3])


def test_a_family_that_is_too_sure_gets_a_fan():
    """All quantiles equal the median: the floor is too small to matter, so the errors themselves give the fan."""
    rng = np.random.default_rng(1)
    actual = rng.normal(0, 1, (2000, 1, 1))
    fit = CalibratedQuantiles.fit(actual[:1000], np.zeros((1000, 1, 1, 7)), quantiles=QUANTILES)
    out = fit.apply(np.zeros((1000, 1, 1, 7)))
    inside = (actual[1000:] >= out[..., 0]) & (actual[1000:] <= out[..., -1])
    assert inside.mean() == pytest.approx(0.9, abs=0.03)


def test_a_zone_without_readings_takes_the_citys_correction():
    rng = np.random.default_rng(2)
    actual, fan = drawn(rng, 500, 3, 0.5)
    actual[:, 2] = np.nan
    fit = CalibratedQuantiles.fit(actual, fan, quantiles=QUANTILES)
    assert fit.shift[2, 0, -1] == pytest.approx(fit.shift[:2, 0, -1].mean(), rel=0.2)
    np.testing.assert_array_equal(fit.pick(np.array([2])).shift[0], fit.shift[2])


def test_wrong_shapes_and_levels_are_named_together():
    with pytest.raises(ScoresError, match=r"shape.*hold 0.5"):
        CalibratedQuantiles.fit(np.zeros((5, 1, 1)), np.zeros((5, 1, 1, 3)), quantiles=(0.1, 0.9))
