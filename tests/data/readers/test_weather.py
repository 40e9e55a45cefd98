"""Measured weather is read from any table of hours, or refused with every fault and its rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import CityError, FileFormatError, InputError, SchemaError
from data.readers.weather import BEIJING_WEATHER, read_weather

_HERE = Path(__file__).resolve()


def hours(n: int = 6, **columns) -> pd.DataFrame:
    """A morning in January, local time without a zone."""
    time = pd.date_range("2025-01-15 06:00", periods=n, freq="h").strftime("%Y-%m-%d %H:%M")
    base = {"time": time, "wind_speed_mps": 3.0, "wind_dir_deg": 90.0, "temperature_c": -2.0}
    return pd.DataFrame(base | columns, index=range(n))


def written(table: pd.DataFrame, folder, name: str = "weather.csv") -> Path:
    table.to_csv(folder / name, index=False)
    return folder / name


def faults(table: pd.DataFrame, folder, **options) -> str:
    with pytest.raises(SchemaError) as error:
        read_weather(written(table, folder), **({"timezone": "Europe/Helsinki"} | options))
    return str(error.value)


def test_local_hours_become_utc_and_parquet_reads_like_csv(tmp_path):
    """06:00 in Helsinki in January is 04:00 UTC."""
    read = read_weather(written(hours(), tmp_path), timezone="Europe/Helsinki")
    assert read["time"].iloc[0] == pd.Timestamp("2025-01-15 04:00", tz="UTC") and len(read) == 6
    hours().to_parquet(tmp_path / "w.parquet")
    pd.testing.assert_frame_equal(read, read_weather(tmp_path / "w.parquet", timezone="Europe/Helsinki"))


def test_standard_time_all_year_is_a_zone_without_summer_time(tmp_path):
    """Central European Time in July: Etc/GMT-1 makes 12:00 11:00 UTC, Europe/Berlin 10:00 UTC."""
    july = hours(1, time="2025-07-01 12:00")
    by_zone = [
        read_weather(written(july, tmp_path), timezone=z)["time"].dt.hour[0] for z in ("Etc/GMT-1", "Europe/Berlin")
    ]
    assert by_zone == [11, 10]


def test_times_with_an_offset_keep_it(tmp_path):
    read = read_weather(written(hours(1, time="2025-07-01T12:00:00+03:00"), tmp_path), timezone="Asia/Tokyo")
    assert read["time"].dt.hour[0] == 9


def test_the_repeated_hour_of_autumn_is_summer_time_first_and_the_skipped_one_of_spring_is_told(tmp_path):
    """Helsinki shows 03:00 twice on 2025-10-26 (0 and 1 UTC) and never on 2025-03-30."""
    autumn = read_weather(written(hours(2, time="2025-10-26 03:00"), tmp_path), timezone="Europe/Helsinki")
    assert autumn["time"].dt.hour.tolist() == [0, 1]
    text = faults(hours(2, time=["2025-03-30 02:00", "2025-03-30 03:00"]), tmp_path)
    assert "never showed" in text and "1 (2025-03-30 03:00)" in text and "Etc/GMT-1" in text


def test_hours_left_out_come_back_as_gaps_in_order(tmp_path):
    """Rows 0, 1 and 5 in disorder: six hours, three of them null."""
    read = read_weather(written(hours().iloc[[5, 0, 1]], tmp_path), timezone="UTC")
    assert read["wind_speed_mps"].isna().tolist() == [False, False, True, True, True, False]
    assert (read["time"].diff().dropna() == pd.Timedelta(hours=1)).all()


def test_compass_points_are_degrees_and_calm_words_have_none(tmp_path):
    """16 points of 22.5 degrees: NNW is the 15th, 337.5; cv, calm and VRB are no direction, nor is any at 0 m/s."""
    table = hours(7, wind_dir_deg=["N", "nnw", "cv", "calm", "VRB", "45", "E"], wind_speed_mps=[3, 3, 0.4, 0, 1, 3, 0])
    read = read_weather(written(table, tmp_path), timezone="UTC")["wind_dir_deg"]
    assert read.iloc[[0, 1, 5]].tolist() == [0.0, 337.5, 45.0] and read.iloc[[2, 3, 4, 6]].isna().all()


def test_every_fault_is_named_with_its_rows(tmp_path):
    table = hours(
        6,
        wind_speed_mps=["3", "-1", "999", "fast", "", "2"],
        wind_dir_deg=["N", "XYZ", "400", "S", "S", "S"],
        temperature_c=[0.0, 0.0, 0.0, 0.0, 80.0, 0.0],
    )
    text = faults(table, tmp_path)
    assert "'wind_speed_mps' holds no number in 1 row(s): 3 (fast)" in text
    assert "outside 0 to 60 m/s in 2 row(s): 1 (-1.0), 2 (999.0)" in text
    assert "compass points in 1 row(s): 1 (XYZ)" in text and "outside 0 to 360 deg in 1 row(s): 2 (400.0)" in text
    assert "'temperature_c' is outside -90 to 60 C in 1 row(s): 4 (80.0)" in text and "on_fault='missing'" in text


def test_faulty_values_become_gaps_where_that_is_asked(tmp_path, caplog):
    table = hours(4, wind_speed_mps=["3", "-1", "999", "fast"])
    read = read_weather(written(table, tmp_path), timezone="UTC", on_fault="missing")
    assert read["wind_speed_mps"].isna().tolist() == [False, True, True, True]
    assert "taken as missing" in caplog.text and "1 (-1.0)" in caplog.text


def test_codes_for_gaps_are_no_faults(tmp_path):
    read = read_weather(
        written(hours(3, wind_speed_mps=[3.0, -999.0, 99.9]), tmp_path), timezone="UTC", missing=[-999, 99.9]
    )
    assert read["wind_speed_mps"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("column", "unit", "given", "expected"),
    [
        ("wind_speed_mps", "km/h", 36.0, 10.0),
        ("wind_speed_mps", "kn", 10.0, 5.14444),
        ("temperature_c", "K", 283.15, 10.0),
        ("temperature_c", "F", 50.0, 10.0),
        ("cloud_share", "oktas", 4.0, 0.5),
        ("radiation_w_per_m2", "MJ/m2/h", 1.8, 500.0),
        ("pressure_hpa", "Pa", 101_325.0, 1013.25),
    ],
)
def test_units_are_converted(tmp_path, column, unit, given, expected):
    read = read_weather(written(hours(2, **{column: given}), tmp_path), timezone="UTC", units={column: unit})
    assert read[column].iloc[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        (hours().drop(columns="wind_speed_mps"), {}, "missing column 'wind_speed_mps'"),
        (hours().drop(columns="time"), {}, "missing column 'time'"),
        (hours(), {"columns": {"wind_speed_mps": "WSPM"}}, r"no column\(s\) \['WSPM'\]"),
        (hours(), {"units": {"wind_speed_mps": "furlongs"}}, "furlongs"),
        (hours(2, time="2025-01-15 06:00"), {}, "repeat an earlier row in 1"),
        (hours(1, time="2025-01-15 06:30"), {}, "not on the hour"),
        (hours(2, time=["2025-01-15 06:00", "soon"]), {}, r"cannot be read in 1 row\(s\): 1 \(soon\)"),
        (hours(2, wind_speed_mps=np.nan), {}, "no reading at all"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, table, options, says):
    with pytest.raises(SchemaError, match=says):
        read_weather(written(table, tmp_path), **({"timezone": "UTC"} | options))


def test_files_zones_and_options_that_do_not_exist_are_told(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_weather(tmp_path / "none.csv", timezone="UTC")
    (tmp_path / "w.xlsx").write_text("x")
    with pytest.raises(FileFormatError, match="allowed are"):
        read_weather(tmp_path / "w.xlsx", timezone="UTC")
    (tmp_path / "w.parquet").write_text("x")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_weather(tmp_path / "w.parquet", timezone="UTC")
    with pytest.raises(CityError, match="Europe/Atlantis"):
        read_weather(written(hours(), tmp_path), timezone="Europe/Atlantis")
    with pytest.raises(InputError, match="on_fault='ignore'"):
        read_weather(written(hours(), tmp_path), timezone="UTC", on_fault="ignore")
    with pytest.raises(InputError, match="no row"):
        read_weather(written(hours(0), tmp_path), timezone="UTC")


def test_a_clock_in_four_columns_is_read(tmp_path):
    clock = pd.DataFrame({"year": 2013, "month": 3, "day": 1, "hour": [0, 1], "WSPM": [5.7, 3.9]})
    read = read_weather(written(clock, tmp_path), timezone="Asia/Shanghai", columns={"wind_speed_mps": "WSPM"})
    assert read["time"].iloc[0] == pd.Timestamp("2013-02-28 16:00", tz="UTC")


def test_beijing_is_read_whole():
    """26,304 hours from 2013-03-01 in Beijing; the first row says NNW, 5.7 m/s, -0.5 C, 1024.5 hPa."""
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", _HERE.parents[4] / "shared" / "data")) / "air"
    path = folder / "beijing_dongsi_2013-03_2016-02.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path}; set ZONEWISE_SHARED_DATA to the folder that holds air/")
    read = read_weather(path, timezone="Asia/Shanghai", columns=BEIJING_WEATHER)
    first = read.iloc[0]
    assert len(read) == 26_304 and first["time"] == pd.Timestamp("2013-02-28 16:00", tz="UTC")
    assert (first["wind_dir_deg"], first["wind_speed_mps"], first["temperature_c"]) == (337.5, 5.7, -0.5)
    assert first["pressure_hpa"] == 1024.5 and read["wind_speed_mps"].isna().sum() == 2
