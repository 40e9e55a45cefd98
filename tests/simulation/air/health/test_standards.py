"""Limits and what a series shows against them: counts by hand, data capture, and no verdict without a year."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulation.air.errors import AirError
from simulation.air.health.series import hourly
from simulation.air.health.standards import STANDARDS, assess, assess_years, limits

YEAR = pd.Timestamp("2025-01-01", tz="UTC")


def _series(values, *, start=YEAR, timezone="UTC"):
    return hourly(np.asarray(values, dtype=float), start=start, step_s=3600, timezone=timezone)


def _row(table, standard, period, place="0"):
    found = table[(table["standard"] == standard) & (table["period"] == period) & (table["place"] == place)]
    assert len(found) == 1
    return found.iloc[0]


def _days(by_day):
    """A series of whole days: each day one value for all its hours."""
    return _series(np.repeat(np.asarray(by_day, dtype=float), 24))


def test_the_limits_are_those_of_the_texts():
    """(EU) 2024/2881 Annex I Table 1: NO2 200 an hour 3 times, 50 a day 18 times, 20 a year; and so on."""
    table = {(x.standard, x.pollutant, x.period): (x.limit_ug_per_m3, x.allowed_per_year) for x in limits()}
    assert table["eu_2030", "no2", "hour"] == (200, 3) and table["eu_2008", "no2", "hour"] == (200, 18)
    assert table["eu_2030", "no2", "day"] == (50, 18) and ("eu_2008", "no2", "day") not in table
    assert table["eu_2030", "pm10", "day"] == (45, 18) and table["eu_2008", "pm10", "day"] == (50, 35)
    assert table["eu_2030", "pm25", "day"] == (25, 18) and table["who_2021", "pm25", "day"] == (15, 3)
    assert table["eu_2030", "o3", "max_daily_8h"] == (120, 18) and table["eu_2008", "o3", "max_daily_8h"] == (120, 25)
    annual = {key[:2]: value[0] for key, value in table.items() if key[2] == "year"}
    assert [annual["eu_2030", name] for name in ("no2", "pm10", "pm25")] == [20, 20, 10]
    assert [annual["who_2021", name] for name in ("no2", "pm10", "pm25")] == [10, 15, 5]
    assert all(x.source for x in limits()) and {x.mean_of_years for x in limits("eu_2030", "o3")} == {3}


def test_a_year_with_nineteen_dirty_days_breaks_the_day_limit_and_one_with_eighteen_keeps_it():
    """NO2 60 on n days, else 10: the mean is 10 + 50 n / 365 = 12.5, below 20; 50 itself does not exceed 50."""
    for dirty, verdict in ((18, "met"), (19, "exceeded")):
        by_day = np.full(365, 10.0)
        by_day[:dirty], by_day[-1] = 60.0, 50.0
        table = assess(_days(by_day), "no2")
        day = _row(table, "eu_2030", "day")
        assert day["exceedances"] == dirty == day["exceedances_per_year"] and day["verdict"] == verdict
        year = _row(table, "eu_2030", "year")
        assert year["verdict"] == "met" and year["value_ug_per_m3"] == pytest.approx(by_day.mean())
        assert _row(table, "who_2021", "year")["verdict"] == "exceeded"


def test_hours_are_counted_one_by_one():
    """Four single hours of 201: EU 2030 allows 3, EU 2008 18; the WHO's guideline allows none; 200 is no exceedance."""
    values = np.full(8760, 20.0)
    values[[5, 100, 2000, 8000]] = 201.0
    values[3000:3010] = 200.0
    table = assess(_series(values), "no2")
    assert [_row(table, name, "hour")["exceedances"] for name in STANDARDS] == [4, 4, 4]
    assert [_row(table, name, "hour")["verdict"] for name in STANDARDS] == ["met", "exceeded", "exceeded"]


def test_ozone_counts_days_by_their_best_eight_hours_and_waits_for_three_years():
    """From 12 to 20 h 130 ug/m3: 8-hour mean 130 > 120 on each of 30 days: above 18, yet the law takes three years."""
    day = np.full(24, 60.0)
    day[12:20] = 130.0
    table = assess(_series(np.tile(day, 30)), "o3")
    row = _row(table, "eu_2030", "max_daily_8h")
    assert row["exceedances"] == 30 and row["value_ug_per_m3"] == 130 and row["verdict"] == "open"
    assert "above the 18" in row["note"] and "3 years" in row["note"]
    assert _row(table, "who_2021", "max_daily_8h")["verdict"] == "exceeded"


def test_four_weeks_give_no_annual_verdict():
    """NO2 30 for 28 days: the period mean lies above 20, but the verdict is open; counts stand scaled and unscaled.

    Two days of 60: 2 in 28 days, 2 * 365 / 28 = 26.1 a year, above the 18 only when scaled: open.
    """
    by_day = np.full(28, 28.0)
    by_day[:2] = 60.0
    table = assess(_days(by_day), "no2", standards=["eu_2030"])
    year, day = _row(table, "eu_2030", "year"), _row(table, "eu_2030", "day")
    assert year["verdict"] == "open" and "no annual verdict" in year["note"] and "period mean above" in year["note"]
    assert year["days"] == 28 and year["value_ug_per_m3"] == pytest.approx((26 * 28 + 120) / 28)
    assert day["exceedances"] == 2 and day["exceedances_per_year"] == pytest.approx(2 * 365 / 28)
    assert day["verdict"] == "open" and "so far, in 28 days" in day["note"]


def test_counts_are_scaled_by_the_days_that_are_known():
    """Of 28 days 20 are known and 4 of these above 50: 4 as found, 4 * 365 / 20 = 73 a year; capture 20 / 28."""
    row = _row(assess(_days([60.0] * 4 + [10.0] * 16 + [np.nan] * 8), "no2"), "eu_2030", "day")
    assert row["exceedances"] == 4 and row["exceedances_per_year"] == pytest.approx(73.0)
    assert row["valid"] == 20 and row["capture"] == pytest.approx(20 / 28) and row["days"] == 28


def test_more_exceedances_than_a_year_may_hold_are_a_verdict_at_once():
    """19 of 28 days above 50: whatever the other 337 days bring, 18 are exceeded."""
    row = _row(assess(_days([60.0] * 19 + [10.0] * 9), "no2"), "eu_2030", "day")
    assert row["verdict"] == "exceeded" and row["exceedances"] == 19


@pytest.mark.parametrize(("share", "eu_2008", "eu_2030", "who"), [(0.92, *["met"] * 3), (0.87, "open", "met", "met")])
def test_a_verdict_needs_its_share_of_the_year(share, eu_2008, eu_2030, who):
    """90 % of the hours for EU 2008, 85 % for EU 2030, 75 % (assumed) for the WHO; the rest of the year is unknown."""
    values = np.full(8760, 3.0)
    values[int(8760 * share) :] = np.nan
    table = assess(_series(values), "pm25")
    found = [_row(table, name, "year")["verdict"] for name in STANDARDS]
    assert found == [eu_2008, eu_2030, who]
    assert _row(table, "eu_2030", "year")["capture"] == pytest.approx(share, abs=1e-3)


def test_a_place_without_values_has_no_verdict():
    """Three places: one clean, one dirty, one silent."""
    values = np.stack([np.full(8760, 1.0), np.full(8760, 300.0), np.full(8760, np.nan)], axis=1)
    table = assess(_series(values), "no2", places=["a", "b", "c"], standards=["eu_2030"])
    hour = table[table["period"] == "hour"].set_index("place")
    assert hour["verdict"].to_dict() == {"a": "met", "b": "exceeded", "c": "no data"}
    assert hour.loc["b", "exceedances"] == 8760 and np.isnan(hour.loc["c", "exceedances"])
    assert np.isnan(hour.loc["c", "value_ug_per_m3"]) and hour.loc["c", "note"] == "no valid values"


def test_days_are_local():
    """PM10 100 from 22:00 UTC to 22:00 UTC is one local day in Helsinki's winter, and two half days in UTC (50, 50)."""
    values = np.zeros(72)
    values[22:46] = 100.0
    assert _row(assess(_series(values, timezone="Europe/Helsinki"), "pm10"), "eu_2030", "day")["value_ug_per_m3"] == 100
    assert _row(assess(_series(values), "pm10"), "eu_2030", "day")["value_ug_per_m3"] == pytest.approx(100 * 22 / 24)


def test_longer_series_are_judged_year_by_year():
    """2025 with 20 dirty days, 2026 with 5: one verdict each; together 25 would say nothing."""
    by_day = np.full(730, 10.0)
    by_day[:20], by_day[400:405] = 60.0, 60.0
    series = _days(by_day)
    with pytest.raises(AirError, match="assess_years"):
        assess(series, "no2")
    table = assess_years(series, "no2")
    day = table[(table["standard"] == "eu_2030") & (table["period"] == "day")].set_index("year")
    assert day["exceedances"].to_dict() == {2025: 20, 2026: 5}
    assert day["verdict"].to_dict() == {2025: "exceeded", 2026: "met"}


def test_unknown_names_are_told_together():
    """Standard, pollutant and number of places in one message."""
    with pytest.raises(AirError, match=r"(?s)'eu_2040'.*pollutant 'co'.*2 place name\(s\) for 1"):
        assess(_series(np.ones(24)), "co", standards=["eu_2040"], places=["a", "b"])
    with pytest.raises(AirError, match="'eu_2040'"):
        limits("eu_2040")


def test_the_levels_equal_the_shared_table():
    """Against a table of the same facts kept outside the project: every limit that it holds for our pollutants."""
    root = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[4] / ".." / "shared"))
    path = root / "science" / "air_quality_indices.csv"
    if not path.exists():
        pytest.skip(f"no table of limits at {path}; set ZONEWISE_SHARED_DATA")
    table = pd.read_csv(path)
    table = table[table["level_name"].isin(["AQG", "limit", "limit 2030"]) & (table["averaging"] != "peak season")]
    system = {"WHO_2021": "who_2021", "EU_2008_50_EC": "eu_2008", "EU_2024_2881": "eu_2030"}
    name = {"PM2.5": "pm25", "PM10": "pm10", "NO2": "no2", "O3": "o3"}
    period = {"1h": "hour", "24h": "day", "annual": "year", "8h": "max_daily_8h", "8h max daily": "max_daily_8h"}
    theirs = {
        (system[row.system], name[row.pollutant], period[row.averaging]): row.c_high
        for row in table.itertuples()
        if row.system in system and row.pollutant in name
    }
    ours = {(x.standard, x.pollutant, x.period): x.limit_ug_per_m3 for x in limits()}
    assert ours == theirs and len(ours) == 22
