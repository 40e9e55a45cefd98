"""Day, evening and night by hand, summer time, part days, people."""

import numpy as np
import pandas as pd
import pytest

from simulation.noise.errors import NoiseError
from simulation.noise.indicators import daily_lden, exposure, lden, period_of

HELSINKI = "Europe/Helsinki"


def hours(start, n, zone=HELSINKI):
    """n hours from a local time, in UTC."""
    return pd.date_range(pd.Timestamp(start, tz=zone).tz_convert("UTC"), periods=n, freq="h")


def test_a_constant_level_is_six_and_a_half_decibels_louder_as_lden():
    """10 lg((12 + 4 x 10^0.5 + 8 x 10) / 24) = 10 lg(104.649 / 24) = 6.395 dB above the level."""
    table = lden(np.full((24, 2), 60.0), hours("2026-01-14", 24), HELSINKI)
    np.testing.assert_allclose(table["lden_db"], 66.395, atol=5e-4)
    np.testing.assert_allclose(table[["lday_db", "levening_db", "lnight_db"]], 60.0)


def test_worked_indicators_of_three_levels():
    """65, 62, 55 dB: 12 x 10^6.5 + 4 x 10^6.7 + 8 x 10^6.5 = 8.3293e7; / 24 -> 65.40 dB."""
    times = hours("2026-01-14", 24)
    level = np.array([65.0, 62.0, 55.0])[period_of(times, HELSINKI)][:, None]
    table = lden(level, times, HELSINKI)
    assert table["lden_db"][0] == pytest.approx(10 * np.log10((20 * 10**6.5 + 4 * 10**6.7) / 24), abs=1e-9)
    assert table["lden_db"][0] == pytest.approx(65.40, abs=0.005)


def test_a_period_s_level_is_the_mean_of_energies():
    """Half of the day hours at 70 and half at 60 dB: 10 lg((10^7 + 10^6) / 2) = 67.404 dB."""
    times = hours("2026-01-14 07:00", 12)
    table = lden(np.tile([[70.0], [60.0]], (6, 1)), times, HELSINKI)
    assert table["lday_db"][0] == pytest.approx(67.404, abs=5e-4)


def test_without_a_night_there_is_no_lden():
    """Twelve day hours: Lday is there, the others are missing."""
    table = lden(np.full((12, 1), 60.0), hours("2026-01-14 07:00", 12), HELSINKI)
    assert table["lday_db"][0] == 60.0 and table[["levening_db", "lnight_db", "lden_db"]].isna().all(axis=None)


def test_periods_follow_the_clock_of_the_city_in_summer_and_winter():
    """07:00 in Helsinki is 05:00 UTC in January and 04:00 UTC in July; night has 8 hours, 7 or 9 when clocks change."""
    for start, n, night in (("2026-01-14", 24, 8), ("2026-07-15", 24, 8), ("2026-03-29", 23, 7), ("2026-10-25", 25, 9)):
        period = period_of(hours(start, n), HELSINKI)
        assert np.bincount(period).tolist() == [12, 4, night]
    assert period_of(pd.DatetimeIndex(["2026-01-14 05:00", "2026-07-15 04:00"], tz="UTC"), HELSINKI).tolist() == [0, 0]


def test_a_day_of_noise_lasts_from_seven_to_seven():
    """Two days and one hour of a third: the early hours belong to the night before, and the part day lacks a night."""
    times = hours("2026-01-14 07:00", 49)
    level = np.concatenate([np.full(24, 60.0), np.full(24, 50.0), [40.0]])[:, None]
    table = daily_lden(level, times, HELSINKI)
    assert table["date"].dt.day.tolist() == [14, 15, 16]
    np.testing.assert_allclose(table["lden_db"][:2], [66.395, 56.395], atol=5e-4)
    assert table["lday_db"][2] == 40.0 and np.isnan(table["lden_db"][2])


def test_silence_stays_silence():
    """-inf in every hour gives -inf, not missing."""
    table = lden(np.full((24, 1), -np.inf), hours("2026-01-14", 24), HELSINKI)
    assert np.isneginf(table.to_numpy()).all()


def test_people_weigh_the_levels_of_a_zone():
    """Zone 0: 30 people at 50, 10 at 70 dB: mean 55, a quarter above the limits; zone 1 is empty; -1 is nowhere."""
    table = pd.DataFrame({"lden_db": [50.0, 70.0, 64.0, np.nan], "lnight_db": [42.0, 60.0, 55.0, np.nan]})
    found = exposure(table, np.array([30.0, 10.0, 7.0, 0.0]), np.array([0, 0, -1, 1]), 2)
    assert found.loc[0].to_dict() == pytest.approx(
        {"people": 40, "lden_db": 55, "lnight_db": 46.5, "share_lden_55": 0.25, "share_lden_65": 0.25,
         "share_lnight_50": 0.25}
    )  # fmt: skip
    assert found.loc[1, "people"] == 0 and found.loc[1].drop("people").isna().all()


def test_bad_input_is_refused():
    """Times without a zone, levels of another length, negative people and an unknown zone."""
    with pytest.raises(NoiseError, match="time zone"):
        lden(np.zeros((2, 1)), pd.DatetimeIndex(["2026-01-14", "2026-01-15"]), HELSINKI)
    with pytest.raises(NoiseError, match="3 times"):
        lden(np.zeros((2, 1)), hours("2026-01-14", 3), HELSINKI)
    table = pd.DataFrame({"lden_db": [50.0], "lnight_db": [40.0]})
    with pytest.raises(NoiseError, match=r"0 or more; zones run 5"):
        exposure(table, np.array([-1.0]), np.array([5]), 2)
