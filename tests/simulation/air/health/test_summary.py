"""The summary of a zone table: its parts agree with the functions they come from, and with sums by hand."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.errors import AirError
from simulation.air.health import air_quality_summary
from simulation.air.health.indices import overall
from simulation.air.health.series import hourly
from simulation.air.health.standards import assess

ZONES = pd.DataFrame({"zone_id": ["a", "b", "c"], "population": [100.0, 300.0, 50.0]})


def _table(values, *, start="2025-05-05", freq="15min"):
    """Rows of zones a, b, ... from arrays (T, R) by pollutant."""
    n, places = next(iter(values.values())).shape
    times = pd.date_range(start, periods=n, freq=freq, tz="UTC")
    columns = {f"{name}_ug_per_m3": array.ravel() for name, array in values.items()}
    return pd.DataFrame({"zone_id": np.tile(["a", "b", "c"][:places], n), "time": times.repeat(places), **columns})


def test_a_day_by_hand():
    """Zone a: NO2 20 by day, 60 in the last six hours; zone b: 10 throughout; zone c is not in the table.

    Means 30 and 10, for the city (100 * 30 + 300 * 10) / 400 = 15; person-hours above 50: 100 * 6 = 600. EAQI: a "Fair"
    (20), then "Moderate" (60 is not above 60) decided by NO2; b "Good". c has no index.
    """
    values = np.full((96, 2), [20.0, 10.0])
    values[72:, 0] = 60.0
    found = air_quality_summary(_table({"no2": values}), ZONES, timezone="UTC")
    no2 = found.pollutants.set_index("zone_id")
    np.testing.assert_allclose(no2["mean"], [30.0, 10.0, np.nan, 15.0])
    np.testing.assert_allclose(no2["max_hour"], [60.0, 10.0, np.nan, 60.0])
    np.testing.assert_allclose(no2["max_day"], [30.0, 10.0, np.nan, 15.0])
    np.testing.assert_allclose(no2["person_hours"], [600.0, 0.0, 0.0, 600.0])
    assert found.index["eaqi_now_name"].tolist() == ["Moderate", "Good", ""]
    assert found.index["eaqi_now_pollutant"].tolist() == ["no2", "no2", ""]
    assert found.levels["people_now"].tolist() == [50, 300, 0, 100, 0, 0, 0]
    assert found.levels["person_hours"].tolist() == [50 * 24, 300 * 24, 100 * 18, 100 * 6, 0, 0, 0]
    assert found.now == pd.Timestamp("2025-05-05 23:00", tz="UTC")


def test_counts_and_people_above_follow_the_limits():
    """Six days of PM2.5 16 in zone a: above the WHO's 15 on 6 days, more than the 3 of a year; 100 of 450 people."""
    found = air_quality_summary(_table({"pm25": np.full((144, 2), [16.0, 4.0])}, freq="h"), ZONES, timezone="UTC")
    who = found.limits[(found.limits["standard"] == "who_2021") & (found.limits["period"] == "day")].set_index("place")
    assert who["exceedances"].to_dict() == pytest.approx({"a": 6.0, "b": 0.0, "c": np.nan}, nan_ok=True)
    above = found.people_above.set_index(["standard", "pollutant", "period"])
    assert above.loc[("who_2021", "pm25", "day"), "people"] == 100
    assert above.loc[("who_2021", "pm25", "day"), "share"] == pytest.approx(100 / 450)
    assert (
        above.loc[("eu_2030", "pm25", "year"), "people"] == 100 and above.loc[("eu_2030", "pm25", "day"), "people"] == 0
    )


def test_the_parts_equal_the_functions_they_come_from():
    """Random air of four pollutants with gaps: indices, US AQI days and limits are those of the parts, zone by zone."""
    rng = np.random.default_rng(4)
    values = {name: rng.gamma(2.0, scale, (40 * 24, 3)) for name, scale in
              (("no2", 20.0), ("o3", 40.0), ("pm25", 9.0), ("pm10", 15.0))}  # fmt: skip
    for array in values.values():
        array[rng.uniform(size=array.shape) < 0.05] = np.nan
    zone = "Europe/Helsinki"
    found = air_quality_summary(_table(values, freq="h"), ZONES, timezone=zone)
    start = pd.Timestamp("2025-05-05", tz="UTC")
    series = {name: hourly(array, start=start, step_s=3600, timezone=zone) for name, array in values.items()}
    eaqi = overall({name: one.values for name, one in series.items()})
    assert found.index["eaqi_worst"].tolist() == eaqi.level.max(axis=0).tolist()
    assert found.index["hours_poor"].tolist() == (eaqi.level >= 4).sum(axis=0).tolist()
    assert found.levels["person_hours"].sum() == pytest.approx(450.0 * 960)
    daily = {name: one.daily_mean() if name.startswith("pm") else one.daily_max() for name, one in series.items()}
    daily["o3"] = series["o3"].daily_max_8h()
    aqi = overall(daily, index="us_aqi", one_hour_ozone=series["o3"].daily_max())
    assert found.index["us_aqi_worst"].tolist() == np.nanmax(aqi.value, axis=0).tolist()
    for name, one in series.items():
        expected = assess(one, name, places=["a", "b", "c"], standards=("eu_2030", "who_2021"))
        part = found.limits[found.limits["pollutant"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected, check_dtype=False)


def test_the_order_of_rows_and_zones_does_not_matter():
    """Shuffled rows give the same numbers; zones in another order give them in that order."""
    rng = np.random.default_rng(5)
    table = _table({"no2": rng.gamma(2.0, 20.0, (192, 3)), "o3": rng.gamma(2.0, 30.0, (192, 3))})
    plain = air_quality_summary(table, ZONES, timezone="UTC")
    mixed = air_quality_summary(table.sample(frac=1.0, random_state=1), ZONES, timezone="UTC")
    pd.testing.assert_frame_equal(plain.pollutants, mixed.pollutants)
    pd.testing.assert_frame_equal(plain.limits, mixed.limits)
    turned = air_quality_summary(table, ZONES[::-1], timezone="UTC")
    assert turned.index["zone_id"].tolist() == ["c", "b", "a"]
    assert turned.index["eaqi_worst"].tolist() == plain.index["eaqi_worst"].tolist()[::-1]
    assert turned.pollutants["mean"].iloc[3] == pytest.approx(plain.pollutants["mean"].iloc[3])


def test_the_long_table_holds_every_number_once():
    """Scope, zone, pollutant and measure name a value; counts carry their standard and period."""
    table = air_quality_summary(_table({"no2": np.full((96, 3), 70.0)}), ZONES, timezone="UTC").table()
    assert not table.duplicated(["scope", "zone_id", "pollutant", "measure"]).any()
    picked = table[(table["zone_id"] == "a") & (table["measure"] == "eu_2030 day exceedances")]
    assert picked["value"].tolist() == [1.0]
    assert set(table["scope"]) == {"zone", "city"}


def test_longer_than_a_year_is_told_by_year():
    """Two years of hours: each limit stands once a year and zone, and so do the people above it."""
    values = np.full((24 * 730, 2), [60.0, 10.0])
    found = air_quality_summary(_table({"no2": values}, start="2025-01-01", freq="h"), ZONES, timezone="UTC")
    assert set(found.limits["year"]) == {2025, 2026}
    above = found.people_above.set_index(["year", "standard", "period"])["people"]
    assert above[2025, "eu_2030", "day"] == above[2026, "eu_2030", "day"] == 100


def test_a_city_where_nobody_lives_has_air_but_no_exposure():
    """Zones' own means stand; the city's weighted mean is NaN, person-hours and people are 0."""
    found = air_quality_summary(_table({"no2": np.full((96, 3), 70.0)}), ZONES.assign(population=0.0), timezone="UTC")
    assert found.pollutants["mean"].tolist()[:3] == [70.0] * 3 and np.isnan(found.pollutants["mean"].iloc[3])
    assert found.pollutants["person_hours"].iloc[3] == 0 and found.people_above["share"].isna().all()


def test_bad_tables_are_told():
    """No pollutant, only gaps, a zone that is not there, negative air."""
    table = _table({"no2": np.full((8, 2), 20.0)})
    with pytest.raises(AirError, match="no concentration to sum up"):
        air_quality_summary(table.drop(columns="no2_ug_per_m3"), ZONES, timezone="UTC")
    with pytest.raises(AirError, match="no concentration to sum up"):
        air_quality_summary(table.assign(no2_ug_per_m3=np.nan), ZONES, timezone="UTC")
    with pytest.raises(AirError, match=r"\['b'\]"):
        air_quality_summary(table, ZONES[:1], timezone="UTC")
    with pytest.raises(AirError, match="negative"):
        air_quality_summary(table.assign(no2_ug_per_m3=-1.0), ZONES, timezone="UTC")
