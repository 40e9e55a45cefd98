"""Panels altered on purpose are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from app.benchmarks.life.costs import _recovery
from app.benchmarks.models.altered import made_city, shifted, some_zones, unforecastable


@pytest.fixture(scope="module")
def town():
    return made_city(zones=6, days=14, step_s=3600, seed=4)


def test_a_shift_is_a_share_of_what_would_have_been_read_two_hours_before(town):
    after = shifted(town, "speed_mps", [1, 4], 100, factor=0.5, later=2).values["speed_mps"]
    before = town.values["speed_mps"]
    np.testing.assert_array_equal(after[:100], before[:100])
    np.testing.assert_array_equal(after[100:, [0, 2, 3, 5]], before[100:, [0, 2, 3, 5]])
    np.testing.assert_allclose(after[100:, 1], 0.5 * before[98:-2, 1])


def test_where_nothing_can_be_forecast_gaps_and_means_stay(town):
    """Neighbouring hours and the same hour of other days go together in the made city, and no longer afterwards."""
    noise = unforecastable(town, "speed_mps", seed=1).values["speed_mps"]
    true = town.values["speed_mps"]
    np.testing.assert_array_equal(np.isnan(noise), np.isnan(true))

    def together(grid, apart):
        grid = np.nan_to_num(grid - np.nanmean(grid, axis=0))
        return np.mean([np.corrcoef(grid[apart:, z], grid[:-apart, z])[0, 1] for z in range(6)])

    assert together(true, 1) > 0.5 and together(true, 24) > 0.4
    assert abs(together(noise, 1)) < 0.1 and abs(together(noise, 24)) < 0.1
    np.testing.assert_allclose(np.nanmean(noise, axis=0), np.nanmean(true, axis=0), rtol=0.05)


def test_fewer_zones_keep_their_own_readings_and_weights_that_sum_to_one(town):
    some = some_zones(town, 3)
    assert some.zone_ids == ("Z01", "Z03", "Z06")
    np.testing.assert_array_equal(some.values["speed_mps"], town.values["speed_mps"][:, [0, 2, 5]])
    assert set(some.neighbours.sum(axis=1).round(9)) <= {0.0, 1.0}
    assert len(town.during(24, 72)) == 48 and town.during(24, 72).times[0] == town.times[24]


def test_recovery_is_the_end_of_the_first_day_within_a_tenth():
    """Hourly, three days: the first zone errs by 3 where it erred by 1, for 30 hours, then by 1. The 24 hours that end
    after hour h hold 54 - h hours of 3 (from h = 30 on): within 1.1 of 24 where 24 + 2 (54 - h) <= 26.4, h = 53."""
    before = np.ones((72, 2))
    error = before.copy()
    error[:30, 0] = 3.0
    found = _recovery(error, before, [0], 24, 3600, 0.5)
    assert found.hours == 53 and found.days == [3.0, 1.5, 1.0] and found.others == [1.0, 1.0, 1.0]
    never = _recovery(3 * before, before, [0], 24, 3600, 0.5)
    assert never.hours is None
