"""The usual day, and a day's usual value without itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.calendar import Calendar
from models.profile import Profile


def grid(days: int) -> tuple[pd.DatetimeIndex, Calendar]:
    times = pd.date_range("2025-03-03", periods=days * 24, freq="h", tz="UTC")
    return times, Calendar.of(times, step_s=3600, timezone="UTC")


def test_a_repeating_day_is_found():
    times, calendar = grid(28)
    values = (10 + np.cos(2 * np.pi * times.hour.to_numpy() / 24))[:, None]
    profile = Profile.fit(values, calendar)
    np.testing.assert_allclose(profile.usual(calendar, slice(0, 24)), values[:24], atol=0.05)


def test_weekends_have_their_own_day():
    times, calendar = grid(28)
    values = np.where(times.dayofweek.to_numpy() >= 5, 2.0, 10.0)[:, None]
    profile = Profile.fit(values, calendar)
    assert profile.mean[0, 0].mean() > 9.5
    assert profile.mean[0, 2].mean() < 4.0


def test_a_day_left_out_does_not_see_itself():
    """A day 100 higher than the others: without itself its usual value is the others'."""
    _, calendar = grid(28)
    values = np.full((28 * 24, 1), 10.0)
    values[15 * 24 : 16 * 24] += 100.0
    profile, others = Profile.with_history(values, calendar)
    np.testing.assert_allclose(others[15 * 24 + 2 : 16 * 24 - 2], 10.0, atol=1.0)
    assert profile.usual(calendar, slice(15 * 24, 16 * 24)).mean() > 12.0


def test_gaps_leave_the_profile_finite():
    _, calendar = grid(14)
    values = np.random.default_rng(0).normal(10, 1, (14 * 24, 2))
    values[:, 1] = np.nan
    values[::24, 0] = np.nan
    profile = Profile.fit(values, calendar)
    assert np.isfinite(profile.mean).all()
    assert (profile.spread > 0).all()
    assert (profile.scale > 0).all()
    assert abs(profile.mean[0, 0, 0] - 10) < 1.5


def test_older_days_count_less():
    """Half life four weeks: of eight weeks at 0 then 8, the later ones weigh about two thirds."""
    _, calendar = grid(56)
    values = np.repeat([0.0, 8.0], 28 * 24)[:, None]
    assert 4.8 < Profile.fit(values, calendar).mean[0, 0].mean() < 6.0


def test_some_series_are_picked_in_the_order_asked_for():
    """All in order is the profile itself; turned round, the levels are, too."""
    _, calendar = grid(7)
    profile = Profile.fit(np.array([1.0, 2.0]) * np.ones((7 * 24, 2)), calendar)
    assert profile.pick(np.array([0, 1])) is profile
    np.testing.assert_allclose(profile.pick(np.array([1, 0])).level, [2.0, 1.0])
    np.testing.assert_allclose(profile.pick(np.array([1])).level, [2.0])
