"""What a grid holds at the positions that forecasts aim at."""

from __future__ import annotations

import numpy as np

from models.horizons import followed

GRID = np.array([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]], dtype=np.float32)


def test_readings_that_followed_are_laid_out_by_origin_zone_and_step():
    """From position 0, steps 1 and 2: zone 0 reads 1 then 2, zone 1 reads 11 then 12."""
    found = followed(GRID, np.array([[1, 2]]))
    np.testing.assert_array_equal(found, [[[1.0, 2.0], [11.0, 12.0]]])
    assert found.dtype == np.float32


def test_what_lies_beyond_the_grid_or_an_end_has_not_followed():
    np.testing.assert_array_equal(followed(GRID, np.array([[2, 3]]))[0, 0], [2.0, np.nan])
    np.testing.assert_array_equal(followed(GRID, np.array([[1, 2]]), end=2)[0, 0], [1.0, np.nan])
    np.testing.assert_array_equal(followed(GRID, np.array([[-1, 0]]))[0, 0], [np.nan, 0.0])
