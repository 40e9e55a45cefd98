"""From tables and quarter-hours to hours and local days."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.errors import AirError
from simulation.air.health.series import hourly, zone_grid

UTC_DAY = pd.Timestamp("2025-06-01", tz="UTC")


def _hours(values, *, start=UTC_DAY, timezone="UTC"):
    return hourly(np.asarray(values, dtype=float), start=start, step_s=3600, timezone=timezone)


def test_an_hour_needs_three_of_its_four_quarters():
    """(1 + 2 + 3 + 6) / 4 = 3; (1 + 2 + 3) / 3 = 2 from three; two quarters are too few."""
    quarters = [1, 2, 3, 6, 1, 2, 3, np.nan, 5, np.nan, 7, np.nan]
    found = hourly(np.array(quarters), start=UTC_DAY, step_s=900, timezone="UTC")
    np.testing.assert_array_equal(found.values[:, 0], [3.0, 2.0, np.nan])


def test_a_series_that_starts_within_an_hour_keeps_whole_hours_only():
    """From 00:30: two quarters of the first hour are too few, then one whole hour of fours."""
    found = hourly(np.array([9.0, 9, 4, 4, 4, 4]), start=UTC_DAY + pd.Timedelta("30min"), step_s=900, timezone="UTC")
    np.testing.assert_array_equal(found.values[:, 0], [np.nan, 4.0])
    assert found.start_s == UTC_DAY.timestamp()


def test_days_are_those_of_the_city_also_when_clocks_change():
    """30 March 2025 has 23 hours in Helsinki and 26 October 25; 22:00 UTC of the day before is already that day."""
    spring = _hours(np.arange(72), start=pd.Timestamp("2025-03-28 22:00", tz="UTC"), timezone="Europe/Helsinki")
    assert np.diff(np.append(spring.day_starts, 72)).tolist() == [24, 23, 24, 1]
    assert [str(day.date()) for day in spring.days] == ["2025-03-29", "2025-03-30", "2025-03-31", "2025-04-01"]
    autumn = _hours(np.arange(72), start=pd.Timestamp("2025-10-24 21:00", tz="UTC"), timezone="Europe/Helsinki")
    assert np.diff(np.append(autumn.day_starts, 72)).tolist() == [24, 25, 23]
    assert spring.daily_mean()[1, 0] == np.arange(24, 47).mean()


def test_a_day_needs_eighteen_hours():
    """18 known hours give a mean and a highest hour, 17 do not."""
    values = np.full((48, 1), 10.0)
    values[:6] = np.nan
    values[24:31] = np.nan
    found = _hours(values)
    np.testing.assert_array_equal(found.daily_mean()[:, 0], [10.0, np.nan])
    np.testing.assert_array_equal(found.daily_max()[:, 0], [10.0, np.nan])
    assert found.valid_hours()[0] == 35 and found.mean()[0] == 10.0


def test_an_eight_hour_mean_belongs_to_the_day_on_which_it_ends():
    """160 from 20:00 to 04:00: the mean of 160 is complete at 04:00, so it is the second day's; the first day's best
    covers 16:00-24:00, four hours of 160 and four of 80: 120.
    """
    values = np.full(48, 80.0)
    values[20:28] = 160.0
    found = _hours(values)
    np.testing.assert_allclose(found.daily_max_8h()[:, 0], [120.0, 160.0])


def test_an_eight_hour_mean_needs_six_hours_and_a_day_eighteen_of_them():
    """With hours 10-12 unknown, means that hold all three have only five values: hours 12 to 17 have none, 18 of 24
    are left on the second day; one more unknown hour and the day has none.
    """
    values = np.full(72, 50.0)
    values[[34, 35, 36]] = np.nan
    found = _hours(values)
    assert np.isnan(found.running_mean(8)[36:42, 0]).all() and not np.isnan(found.running_mean(8)[[35, 42], 0]).any()
    np.testing.assert_allclose(found.daily_max_8h()[1], 50.0)
    values[37] = np.nan
    assert np.isnan(_hours(values).daily_max_8h()[1, 0])


def test_a_table_in_any_order_with_gaps_becomes_a_grid():
    """Rows of two zones, shuffled, one missing and one stranger: time by zone, NaN in the gap."""
    times = pd.date_range(UTC_DAY, periods=3, freq="15min")
    table = pd.DataFrame(
        {
            "zone_id": ["b", "a", "a", "b", "x", "a"],
            "time": times[[1, 2, 0, 0, 0, 1]],
            "no2_ug_per_m3": [4.0, 5.0, 1.0, 2.0, 99.0, 3.0],
        }
    )
    grid = zone_grid(table, ["no2_ug_per_m3"], places=["a", "b", "c"])
    assert grid.step_s == 900 and grid.places == ("a", "b", "c") and grid.hours == 0.75
    np.testing.assert_array_equal(
        grid.values["no2_ug_per_m3"], [[1.0, 2.0, np.nan], [3.0, 4.0, np.nan], [5.0, np.nan, np.nan]]
    )
    with pytest.raises(AirError, match=r"1 zone_id\(s\) that are not known: \['x'\]"):
        zone_grid(table, ["no2_ug_per_m3"], places=["a", "b"], others="raise")


def test_a_full_table_and_a_shuffled_one_give_one_grid():
    """The short way for tables in order equals the general way; text, object and categorical zones alike."""
    rng = np.random.default_rng(1)
    times = pd.date_range(UTC_DAY, periods=50, freq="h").repeat(7)
    table = pd.DataFrame(
        {"zone_id": np.tile([f"z{k}" for k in range(7)], 50), "time": times, "x": rng.normal(size=350)}
    )
    plain = zone_grid(table, ["x"])
    mixed = zone_grid(table.sample(frac=1.0, random_state=2), ["x"], places=plain.places)
    sorted_by_zone = zone_grid(
        table.sort_values(["zone_id", "time"]).astype({"zone_id": "category"}), ["x"], places=plain.places
    )
    np.testing.assert_array_equal(plain.values["x"], mixed.values["x"])
    np.testing.assert_array_equal(plain.values["x"], sorted_by_zone.values["x"])
    assert plain.values["x"][3, 2] == table["x"][3 * 7 + 2]


def test_bad_tables_and_series_are_told():
    """Missing columns, double rows, times without a zone or off the grid, an unknown time zone, no values."""
    times = pd.date_range(UTC_DAY, periods=2, freq="h")
    table = pd.DataFrame({"zone_id": ["a", "a"], "time": times, "x": [1.0, 2.0]})
    with pytest.raises(AirError, match=r"lacks column\(s\) \['no2'\]"):
        zone_grid(table, ["no2"])
    with pytest.raises(AirError, match=r"1 row\(s\) repeat"):
        zone_grid(pd.concat([table, table[:1]]), ["x"])
    with pytest.raises(AirError, match="time zone"):
        zone_grid(table.assign(time=times.tz_localize(None)), ["x"])
    with pytest.raises(AirError, match="divides an hour"):
        zone_grid(table.assign(time=[times[0], times[0] + pd.Timedelta("7h1min10s")]), ["x"])
    with pytest.raises(AirError, match="nothing to grid"):
        zone_grid(table[:0], ["x"])
    with pytest.raises(AirError, match=r"(?s)step_s=7000.*no time zone.*'Mars/Olympus'"):
        hourly(np.ones(3), start=pd.Timestamp("2025-06-01"), step_s=7000, timezone="Mars/Olympus")
    with pytest.raises(AirError, match=r"shape \(0, 1\)"):
        hourly(np.array([]), start=UTC_DAY, step_s=3600, timezone="UTC")
