"""Air stations: three layouts give one table; faults are named by row; Beijing is read whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError, SchemaError
from data.readers.stations import pollutant_name, read_station_air, read_stations

_HERE = Path(__file__).resolve()
TIMES = pd.date_range("2025-01-15 06:00", periods=3, freq="h").strftime("%Y-%m-%d %H:%M")


def by_pollutant(**columns) -> pd.DataFrame:
    """Two stations, three hours."""
    base = {"station": ["Kallio"] * 3 + ["Vartiokyla"] * 3, "time": [*TIMES] * 2, "NO2": np.arange(6.0), "PM2.5": 5.0}
    return pd.DataFrame(base | columns)


def written(table: pd.DataFrame, folder, name: str = "air.csv") -> Path:
    table.to_csv(folder / name, index=False)
    return folder / name


def test_the_three_layouts_give_one_table(tmp_path):
    wide = by_pollutant()
    long = wide.melt(["station", "time"], var_name="pollutant", value_name="value")
    across = pd.DataFrame({"time": TIMES, "Kallio": [0.0, 1.0, 2.0], "Vartiokyla": [3.0, 4.0, 5.0]})
    a = read_station_air(written(wide, tmp_path), timezone="Europe/Helsinki")
    b = read_station_air(written(long, tmp_path), timezone="Europe/Helsinki")
    c = read_station_air(written(across, tmp_path), timezone="Europe/Helsinki", pollutant="NO2")
    pd.testing.assert_frame_equal(a, b)
    pd.testing.assert_frame_equal(a.drop(columns="pm25_ug_per_m3"), c)
    assert a["time"].iloc[0] == pd.Timestamp("2025-01-15 04:00", tz="UTC")
    assert a["no2_ug_per_m3"].tolist() == [0, 1, 2, 3, 4, 5]


def test_pollutants_go_by_usual_names():
    assert [pollutant_name(n) for n in ("PM2.5", "NOx", "o3 ", "no2_ug_per_m3", "TEMP")] == [
        "pm25",
        "nox",
        "o3",
        "no2",
        None,
    ]


def test_the_hour_that_autumn_repeats_is_kept_in_long_tables(tmp_path):
    """03:00 twice in Helsinki on 2025-10-26, for each of two pollutants: four readings, two hours."""
    long = pd.DataFrame(
        {"station_id": "a", "time": "2025-10-26 03:00", "pollutant": ["NO2", "NO2", "O3", "O3"], "value": [1, 2, 3, 4]}
    )
    read = read_station_air(written(long, tmp_path), timezone="Europe/Helsinki")
    assert read["time"].dt.hour.tolist() == [0, 1]
    assert read["no2_ug_per_m3"].tolist() == [1, 2] and read["o3_ug_per_m3"].tolist() == [3, 4]


def test_every_fault_is_named_with_its_rows(tmp_path):
    table = by_pollutant(NO2=["-3", "1e6", "high", "", "2", "2"], time=[*TIMES, TIMES[0], TIMES[0], TIMES[2]])
    with pytest.raises(SchemaError) as error:
        read_station_air(written(table, tmp_path), timezone="UTC")
    text = str(error.value)
    assert "'NO2' holds no number in 1 row(s): 2 (high)" in text
    assert "outside 0 to 2000 ug/m3 of no2 in 2 row(s): 0 (-3.0), 1 (1000000.0)" in text
    assert "repeat an earlier row in 1 row(s): 4 (Vartiokyla" in text


def test_rows_of_long_tables_are_rows_of_the_file(tmp_path):
    long = by_pollutant(NO2=[0, 1, 2, 3, 4, -5.0]).melt(["station", "time"], var_name="pollutant", value_name="value")
    with pytest.raises(SchemaError, match=r"1 row\(s\): 5 \(-5.0\)"):
        read_station_air(written(long, tmp_path), timezone="UTC")


def test_faulty_values_become_gaps_where_that_is_asked(tmp_path):
    table = by_pollutant(NO2=[-3.0, 1e6, -999, 3, 4, 5])
    read = read_station_air(written(table, tmp_path), timezone="UTC", on_fault="missing", missing=[-999])
    assert read["no2_ug_per_m3"].isna().tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("pollutant", "unit", "factor"),
    [("NO2", "ppb", 46.006 / 24.055), ("O3", "ppb", 47.998 / 24.055), ("CO", "mg/m3", 1000.0), ("CO", "ppm", 1164.4)],
)
def test_units_are_converted(tmp_path, pollutant, unit, factor):
    """At 20 C and 1 atm a mole fills 24.055 l: 1 ppb of NO2 is 1.9125, of O3 1.9953 ug/m3."""
    table = pd.DataFrame({"station_id": "a", "time": TIMES, pollutant: 2.0})
    read = read_station_air(written(table, tmp_path), timezone="UTC", units={pollutant_name(pollutant): unit})
    assert read.iloc[0, 2] == pytest.approx(2.0 * factor, rel=1e-4)


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        (by_pollutant().drop(columns="station"), {}, "missing column 'station_id'"),
        (by_pollutant().drop(columns=["NO2", "PM2.5"]), {}, "no pollutant"),
        (by_pollutant(no2=1.0), {}, "twice"),
        (by_pollutant(), {"units": {"no2": "grain"}}, "unit 'grain'"),
        (by_pollutant(), {"units": {"o3": "ppb"}}, "does not hold"),
        (by_pollutant(NO2=np.nan, **{"PM2.5": np.nan}), {}, "no station reports"),
        (by_pollutant(), {"pollutant": "radon"}, "'radon' is unknown"),
        (
            pd.DataFrame({"station": "a", "time": TIMES, "pollutant": ["NO2", "Xe", "O3"], "value": 1.0}),
            {},
            r"1 \(Xe\)",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, table, options, says):
    with pytest.raises(SchemaError, match=says):
        read_station_air(written(table, tmp_path), timezone="UTC", **options)


def test_stations_are_matched_whatever_their_case_and_unknown_ones_are_told(tmp_path):
    places = pd.DataFrame({"station": ["KALLIO"], "latitude": [60.187], "longitude": [24.951]})
    stations = read_stations(written(places, tmp_path, "places.csv"))
    table = by_pollutant()
    read = read_station_air(written(table.iloc[:3], tmp_path), timezone="UTC", stations=stations)
    assert set(read["station_id"]) == {"KALLIO"}
    with pytest.raises(SchemaError, match=r"unknown station.*Vartiokyla"):
        read_station_air(written(table, tmp_path), timezone="UTC", stations=stations)


def test_places_without_coordinates_or_off_the_earth_are_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"missing column 'lon'.*missing column 'lat'"):
        read_stations(written(pd.DataFrame({"station": ["a"]}), tmp_path))
    with pytest.raises(SchemaError, match="lat"):
        read_stations(written(pd.DataFrame({"station": ["a"], "lat": [95.0], "lon": [0.0]}), tmp_path))


def test_files_are_joined_and_a_station_in_two_of_them_is_told(tmp_path):
    table = by_pollutant()
    one, two = written(table.iloc[:3], tmp_path, "1.csv"), written(table.iloc[3:], tmp_path, "2.csv")
    assert len(read_station_air([one, two], timezone="UTC")) == 6
    with pytest.raises(SchemaError, match="repeat an earlier row"):
        read_station_air([one, one], timezone="UTC")
    with pytest.raises(InputError, match="no file"):
        read_station_air([], timezone="UTC")


def test_beijing_is_read_whole():
    """12 stations of 26,304 hours; about 3 % of the six pollutants are gaps; names as in the table of places."""
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", _HERE.parents[4] / "shared" / "data")) / "air"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ZONEWISE_SHARED_DATA to the folder that holds air/")
    stations = read_stations(folder / "beijing_stations.csv")
    files = sorted(folder.glob("beijing_*2016-02.csv.gz"))
    air = read_station_air(files, timezone="Asia/Shanghai", stations=stations)
    assert len(air) == 12 * 26_304 and set(air["station_id"]) == set(stations["station_id"])
    assert air.iloc[:, 2:].isna().to_numpy().mean() == pytest.approx(0.030, abs=0.001)
