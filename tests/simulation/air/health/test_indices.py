"""Air-quality indices at their published breakpoints, and what happens beside and beyond them."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulation.air.errors import AirError
from simulation.air.health.indices import (
    INDICES,
    averaging_hours,
    level_colours,
    level_names,
    level_of,
    levels,
    overall,
    scales,
    us_aqi,
)

NO2_UG, O3_UG = 46.0 / 24.0551, 48.0 / 24.0551  # ug/m3 in a ppb at 20 deg C, molar volume 24.0551 l


@pytest.mark.parametrize(
    ("value", "pollutant", "index"),
    [(35.4, "pm25", 100), (12.0, "pm25", 56), (40.0, "pm25", 112), (75 * NO2_UG * 1.0001, "no2", 73)],
)
def test_us_aqi_equals_the_worked_cases(value, pollutant, index):
    """PM2.5 12.0: 49 / 26.3 * (12.0 - 9.1) + 51 = 56.4; 40: 49 / 19.9 * 4.5 + 101 = 112.1; NO2 75 ppb: 73.4 -> 73.

    NO2: 49 / 46 * (75 - 54) + 51 = 73.4.
    """
    assert us_aqi(np.array(value), pollutant) == index


def test_us_aqi_before_rounding_keeps_its_digits():
    """49 / 26.3 * 2.9 + 51 = 56.403."""
    assert us_aqi(np.array(12.0), "pm25", rounded=False) == pytest.approx(56.403, abs=5e-4)


@pytest.mark.parametrize("scale", scales("us_aqi"), ids=lambda scale: f"{scale.pollutant}-{scale.averaging_h}h")
def test_us_aqi_at_each_breakpoint_is_the_end_of_its_band(scale):
    """At an upper bound the band's upper index; one step above, the next band's lower index."""
    factor = {"ug/m3": 1.0, "ppb": NO2_UG, "ppm": 1000 * O3_UG}[scale.unit]
    ends = levels("us_aqi")
    hours = scale.averaging_h
    for level, bound in zip(ends, scale.upper, strict=True):
        if np.isnan(bound):
            continue
        at = np.array([bound + 0.01 * scale.step, bound + 1.01 * scale.step]) * factor
        here, above = us_aqi(at, scale.pollutant, averaging_h=hours)
        assert here == level.index_high
        assert level_of(at, scale.pollutant, index="us_aqi", averaging_h=hours)[0] == level.level
        if level.level < 5 or (level.level == 5 and not np.isnan(scale.upper[5])):
            assert above == ends[level.level].index_low


def test_us_aqi_truncates_before_it_looks_up():
    """PM2.5 9.09 counts as 9.0 (AQI 50), not as 9.1 (51); PM10 154.99 as 154 (100)."""
    assert us_aqi(np.array([9.09, 9.1, 35.49]), "pm25").tolist() == [50, 51, 100]
    assert us_aqi(np.array([154.99, 155.0]), "pm10").tolist() == [100, 101]


def test_us_aqi_goes_on_beyond_500_on_the_last_line():
    """PM2.5 425.3: 199 / 99.9 * (425.3 - 225.5) + 301 = 699: beyond the index, hazardous."""
    assert us_aqi(np.array(425.3), "pm25") == 699
    assert level_of(np.array(425.3), "pm25", index="us_aqi") == 6


def test_ozone_takes_the_worse_of_eight_hours_and_one():
    """8-hour 70 ppb is 100; a 1-hour peak of 164 ppb 150; below 125 ppb the hour says nothing; 8-hour stops at 300."""
    eight, one = np.array([70.0, 70.0, 400.0]) * O3_UG * 1.001, np.array([100.0, 164.0, 100.0]) * O3_UG * 1.001
    assert us_aqi(eight, "o3").tolist() == [100, 100, 300]
    peak = us_aqi(one, "o3", averaging_h=1)
    assert np.isnan(peak).tolist() == [True, False, True] and peak[1] == 150
    assert overall({"o3": eight}, index="us_aqi", one_hour_ozone=one).value.tolist() == [100, 150, 300]
    assert averaging_hours("us_aqi", "o3") == (8, 1) and averaging_hours("eaqi_before_2024", "pm10") == (24,)


@pytest.mark.parametrize("index", ["eaqi", "eaqi_before_2024"])
def test_a_value_on_a_european_bound_belongs_to_the_better_level(index):
    """Band k holds low < C <= high; 0 is level 1, and above the last bound it is level 6 without end."""
    for scale in scales(index):
        for level, bound in enumerate(scale.upper[:5], start=1):
            found = level_of(np.array([bound - 1e-9, bound, bound + 1e-9]), scale.pollutant, index=index)
            assert found.tolist() == [level, level, level + 1]
        assert level_of(np.array([0.0, 1e6]), scale.pollutant, index=index).tolist() == [1, 6]


def test_the_new_european_index_starts_at_the_guidelines():
    """Good and Fair end at the WHO's annual and daily guidelines: PM2.5 5 and 15, PM10 15 and 45, NO2 10 and 25."""
    found = {scale.pollutant: scale.upper[:2] for scale in scales("eaqi")}
    assert found["pm25"] == (5, 15) and found["pm10"] == (15, 45) and found["no2"] == (10, 25)
    assert all(scale.averaging_h == 1 for scale in scales("eaqi"))


def test_levels_never_fall_when_air_gets_worse():
    """Monotone in the concentration, for every index and pollutant; the US AQI too, number by number."""
    rising = np.linspace(0, 3000, 30_001)
    for index in INDICES:
        for scale in scales(index):
            found = level_of(rising, scale.pollutant, index=index, averaging_h=scale.averaging_h)
            assert (np.diff(found) >= 0).all() and found[-1] == (5 if scale.averaging_h == 8 else 6)
    for scale in scales("us_aqi"):
        number = us_aqi(rising, scale.pollutant, averaging_h=scale.averaging_h)
        assert (np.diff(number[~np.isnan(number)]) >= 0).all()


def test_the_worst_pollutant_decides():
    """NO2 30 (level 3), PM2.5 4 (1), O3 130 (4): ozone decides; equal levels: the first named; none: no index."""
    found = overall(
        {
            "no2": np.array([30.0, 30.0, np.nan, np.nan]),
            "pm25": np.array([4.0, 40.0, 4.0, np.nan]),
            "o3": np.array([130.0, 20.0, np.nan, np.nan]),
        }
    )
    assert found.level.tolist() == [4, 3, 1, 0] and found.deciding().tolist() == ["o3", "no2", "pm25", ""]
    assert np.isnan(found.value).tolist() == [False, False, False, True]
    names, colours = level_names("eaqi"), level_colours("eaqi")
    assert names[found.level[0]] == "Poor" and colours[found.level[0]] == "#ff5050" and names[0] == ""


def test_the_us_aqi_of_several_pollutants_is_the_greatest():
    """PM2.5 12.0 is 56, NO2 75 ppb 73: NO2 decides, "Moderate"."""
    found = overall({"pm25": np.array([12.0]), "no2": np.array([75 * NO2_UG * 1.0001])}, index="us_aqi")
    assert found.value[0] == 73 and found.deciding()[0] == "no2" and level_names("us_aqi")[found.level[0]] == "Moderate"


def test_missing_values_have_no_index_and_shapes_are_kept():
    """NaN gives level 0 and NaN; a (2, 3) array gives (2, 3)."""
    values = np.array([[1.0, np.nan, 60.0], [0.0, 200.0, np.nan]])
    assert level_of(values, "pm25").tolist() == [[1, 0, 4], [1, 6, 0]]
    assert np.isnan(us_aqi(values, "pm25")).tolist() == np.isnan(values).tolist()
    assert overall({"pm25": values}).level.shape == (2, 3)


def test_bad_input_is_told():
    """Negative or infinite values, unknown indices, pollutants and averaging times: an error says what is allowed."""
    with pytest.raises(AirError, match=r"no2 holds 1 negative and 1 infinite value.*lowest -3"):
        level_of(np.array([-3.0, np.inf, 2.0]), "no2")
    with pytest.raises(AirError, match=r"'co' is not part of index 'eaqi'; allowed: \['no2', 'o3'"):
        level_of(np.array([1.0]), "co")
    with pytest.raises(AirError, match=r"'aqi'; allowed: \['eaqi'"):
        levels("aqi")
    with pytest.raises(AirError, match=r"24-hour means of o3; allowed: \[8, 1\]"):
        us_aqi(np.array([1.0]), "o3", averaging_h=24)
    with pytest.raises(AirError, match=r"\['co', 'so2'\] are not part"):
        overall({"no2": np.ones(1), "co": np.ones(1), "so2": np.ones(1)}, index="us_aqi")
    with pytest.raises(AirError, match="no pollutant given"):
        overall({})


def test_the_bands_equal_the_shared_table():
    """Row by row against a table of the same facts kept outside the project, gathered by others from other sources."""
    root = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[4] / ".." / "shared"))
    path = root / "science" / "air_quality_indices.csv"
    if not path.exists():
        pytest.skip(f"no table of indices at {path}; set ZONEWISE_SHARED_DATA")
    table = pd.read_csv(path)
    system = {"us_aqi": "US_AQI", "eaqi": "EAQI_2024", "eaqi_before_2024": "EAQI_pre2024"}
    name = {"pm25": "PM2.5", "pm10": "PM10", "no2": "NO2", "o3": "O3", "so2": "SO2"}
    compared = 0
    for index in INDICES:
        for scale in scales(index):
            rows = table[
                (table["system"] == system[index])
                & (table["pollutant"] == name[scale.pollutant])
                & table["averaging"].str.startswith(f"{scale.averaging_h}h")
            ]
            assert len(rows), f"{index} {scale.pollutant}"
            for level, high in zip(rows["level"].astype(int), rows["c_high"], strict=True):
                assert scale.upper[level - 1] == high or (np.isnan(scale.upper[level - 1]) and np.isnan(high))
                compared += 1
    assert compared >= 87
