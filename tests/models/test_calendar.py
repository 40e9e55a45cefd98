"""The local calendar, over clock changes and holidays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.calendar import SATURDAY, SUNDAY, WEEKDAY, Calendar


def calendar(start: str, days: int, country: str | None = None, step_s: int = 900) -> tuple[pd.DatetimeIndex, Calendar]:
    times = pd.date_range(start, periods=days * 86_400 // step_s, freq=pd.Timedelta(seconds=step_s), tz="UTC")
    return times, Calendar.of(times, step_s=step_s, timezone="Europe/Helsinki", country=country)


def test_time_of_day_is_local():
    """Midnight UTC in winter is 02:00 in Helsinki: step 8 of 15 minutes."""
    _, found = calendar("2025-01-07", 1)
    assert found.step_of_day[0] == 8


def test_the_calendar_reaches_beyond_the_grid():
    times, found = calendar("2025-01-07", 1)
    assert found.step_of_day.size >= len(times) + 8 * 96


def test_saturdays_sundays_and_holidays_are_told_apart():
    """6 December 2024, a Friday, is Finland's Independence Day."""
    times, found = calendar("2024-12-05", 4, "FI")
    local = times.tz_convert("Europe/Helsinki")
    kind = {str(day.date()): int(k) for day, k in zip(local, found.day_type)}
    assert kind["2024-12-05"] == WEEKDAY
    assert kind["2024-12-06"] == SUNDAY
    assert kind["2024-12-07"] == SATURDAY
    assert kind["2024-12-08"] == SUNDAY
    without = calendar("2024-12-05", 4)[1]
    assert without.day_type[96] == WEEKDAY


def test_yesterday_is_the_same_local_time_across_a_clock_change():
    """Helsinki springs forward on 30 March 2025: 12:00 local is 09:00 UTC after it and 10:00 UTC the day before."""
    times, found = calendar("2025-03-28", 5)
    noon = int(np.flatnonzero(times == pd.Timestamp("2025-03-30T09:00Z"))[0])
    assert times[found.day_before[noon]] == pd.Timestamp("2025-03-29T10:00Z")
    assert found.step_of_day[noon] == found.step_of_day[found.day_before[noon]] == 48
    plain = int(np.flatnonzero(times == pd.Timestamp("2025-03-29T10:00Z"))[0])
    assert found.day_before[plain] == plain - 96


def test_last_week_is_the_same_local_time_after_the_autumn_change():
    times, found = calendar("2025-10-20", 12)
    noon = int(np.flatnonzero(times == pd.Timestamp("2025-10-28T10:00Z"))[0])
    assert times[found.week_before[noon]] == pd.Timestamp("2025-10-21T09:00Z")


def test_waves_turn_once_twice_and_three_times_a_day():
    """A quarter of a day (step 24 of 96): sine and cosine of 90, 180 and 270 degrees."""
    _, found = calendar("2025-01-07", 1)
    np.testing.assert_allclose(found.waves[24], [1, 0, 0, -1, -1, 0], atol=1e-12)
    assert found.waves.shape == (96, 6)
