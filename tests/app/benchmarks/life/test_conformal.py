"""The part `conformal`: both published ways cover what they promise, and know nothing of what has not been read."""

from __future__ import annotations

import numpy as np
import pytest

from app.benchmarks.life.conformal import WAYS, WINDOW


@pytest.mark.parametrize("name", WAYS)
def test_nine_of_ten_errors_lie_within_and_a_larger_world_is_followed(name):
    """Sizes of normal errors, three times as large from the middle on: covered nine times of ten in both halves."""
    rng = np.random.default_rng(3)
    size = np.abs(rng.normal(size=(4000, 3)))
    size[2000:] *= 3
    width = WAYS[name](size, np.abs(rng.normal(size=(WINDOW, 3))), 1)
    for half in (slice(500, 2000), slice(2500, 4000)):
        assert np.mean(size[half] <= width[half]) == pytest.approx(0.9, abs=0.02)
    assert width[2500:].mean() > 2 * width[:2000].mean()


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("ahead", [1, 6])
def test_an_error_counts_once_its_reading_has_come(name, ahead):
    """Other errors from row 100 on change no width before row 100 + the horizon; a gap changes none at all."""
    rng = np.random.default_rng(4)
    size, before = np.abs(rng.normal(size=(200, 2))), np.abs(rng.normal(size=(WINDOW, 2)))
    other = size.copy()
    other[100:] = 9.0
    one, two = (WAYS[name](x, before, ahead) for x in (size, other))
    assert np.array_equal(one[: 100 + ahead], two[: 100 + ahead])
    assert not np.array_equal(one[100 + ahead :], two[100 + ahead :])
    silent = WAYS[name](np.full((50, 2), np.nan), before, ahead)
    assert np.allclose(silent, silent[0])
