"""Which zones a new one is like, and the usual day that it borrows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.calendar import Calendar
from models.newcomers.likeness import blend, borrow, hourly, unlike
from models.profile import Profile

DAYS, SPD = 28, 24
TIMES = pd.date_range("2025-03-03", periods=DAYS * SPD, freq="h", tz="UTC").as_unit("us")  # a Monday
CALENDAR = Calendar.of(TIMES, step_s=3600, timezone="UTC")


def _city() -> np.ndarray:
    """Two kinds of zones: those busy at 8 on weekdays, and those busy at 20 at weekends; noise 0.1."""
    hour, free = CALENDAR.step_of_day[: DAYS * SPD], CALENDAR.day_type[: DAYS * SPD] > 0
    work = np.where(free, 0.2, 1.0) * np.exp(-0.5 * ((hour - 8) / 2) ** 2)
    fun = np.where(free, 1.0, 0.3) * np.exp(-0.5 * ((hour - 20) / 2) ** 2)
    rng = np.random.default_rng(0)
    return np.column_stack([10 + s * work for s in (4, 5, 6)] + [8 + s * fun for s in (4, 5)]) + rng.normal(
        0, 0.1, (DAYS * SPD, 5)
    )


def test_two_weekdays_tell_the_weekend_of_those_who_are_alike():
    """Zone 1 seen on Monday and Tuesday alone: its Saturday at 8 is 10 + 5 x 0.2 = 11, which it has never shown."""
    values = _city()
    donors = np.array([0, 2, 3, 4])
    window = slice(21 * SPD, 23 * SPD)
    usual = Profile.fit(values, CALENDAR)
    found = borrow(values[window], values[window, 1], donors, usual, per_hour=1)
    assert set(found.donors[:2]) == {0, 2}
    assert found.share[:2].sum() > 0.7
    assert found.profile.mean[0, 1, 8] == pytest.approx(11.0, abs=0.4)
    assert found.profile.mean[0, 0, 8] == pytest.approx(15.0, abs=0.5)


def test_a_zone_that_never_varies_keeps_its_own_mean():
    values = _city()
    found = borrow(values[:48], np.full(48, 7.0), np.arange(5), Profile.fit(values, CALENDAR), per_hour=1)
    assert found.donors.size == 0
    assert found.profile.mean == pytest.approx(np.full((1, 3, SPD), 7.0))


def test_own_days_take_over_as_they_come_in():
    """Borrowed 0, own 1, worth one day: a half after one weekday, 9 tenths after nine (counted all days: to 0.05)."""
    flat = Profile(np.zeros((1, 3, SPD)), np.ones((1, 3, SPD)), np.ones(1))
    for days, wanted in ((1, 0.75), (9, 0.99)):
        own = np.full(DAYS * SPD, np.nan)
        own[: days * SPD] = 1.0
        profile, _ = blend(own, CALENDAR, flat, prior_days=1.0, reach=1)
        weekdays = min(days, 5) + max(0, days - 7)
        every = days / (days + 1)
        assert profile.mean[0, 0].mean() == pytest.approx((weekdays + every) / (weekdays + 1), abs=1e-9)
        assert abs(profile.mean[0, 0].mean() - wanted) < 0.06


def test_no_day_sees_itself_in_what_is_usual():
    """One own day: without itself its usual day is what was borrowed."""
    flat = Profile(np.zeros((1, 3, SPD)), np.ones((1, 3, SPD)), np.ones(1))
    own = np.full(DAYS * SPD, np.nan)
    own[:SPD] = 1.0
    _, usual = blend(own, CALENDAR, flat, prior_days=1.0, reach=1)
    assert usual[:SPD, 0] == pytest.approx(np.zeros(SPD))
    assert (usual[SPD : 2 * SPD, 0] > 0.7).all()


def test_hours_with_few_readings_are_no_hours():
    values = np.array([1.0, 3.0, np.nan, np.nan, np.nan, 5.0, 2.0, 2.0])[:, None]
    assert hourly(values, 4)[:, 0].tolist() == [2.0, 3.0]


def test_a_map_without_differences_makes_no_zone_unlike():
    assert unlike(np.ones((3, 2)), 0, np.array([1, 2])).tolist() == [0.0, 0.0]
    assert unlike(np.array([[0.0], [1.0], [4.0]]), 0, np.array([1, 2])) == pytest.approx([0.25, 1.0])
