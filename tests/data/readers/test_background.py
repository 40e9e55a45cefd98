"""The regional background: read by usual names, bridged over short gaps, refused with every fault."""

import pandas as pd
import pytest

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.background import BACKGROUND_SPECIES, read_background


def table(hours=12, **changes):
    time = pd.date_range("2026-01-26", periods=hours, freq="h").strftime("%Y-%m-%d %H:%M")
    told = {"time": time, "NOx": 12.0, "NO2": 9.0, "O3": 55.0, "PM2.5": 5.0, "PM10": 10.0, "remark": "fair"}
    return pd.DataFrame({**told, **changes})


def written(tmp_path, rows, name="background.csv"):
    path = tmp_path / name
    rows.to_parquet(path) if name.endswith("parquet") else rows.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz", "b.parquet"])
def test_columns_go_by_usual_names_and_times_become_utc(tmp_path, name):
    """Midnight of Helsinki in winter is 22:00 UTC of the day before."""
    read = read_background(written(tmp_path, table(), name), timezone="Europe/Helsinki")
    assert list(read.columns) == ["time", *BACKGROUND_SPECIES]
    assert read["time"].iloc[0] == pd.Timestamp("2026-01-25 22:00", tz="UTC") and len(read) == 12
    assert read.iloc[0, 1:].tolist() == [12.0, 9.0, 55.0, 5.0, 10.0]


def test_short_gaps_are_bridged_linearly(tmp_path):
    """10, two hours missing (one cell, one row), 40: 20 and 30."""
    rows = table(O3=[10.0, -999.0, 30.0, 40.0, *[40.0] * 8]).drop(index=2)
    read = read_background(written(tmp_path, rows), timezone="UTC", missing=[-999])
    assert read["o3"].tolist()[:5] == [10.0, 20.0, 30.0, 40.0, 40.0] and len(read) == 12


def test_long_gaps_are_named_all_of_them(tmp_path):
    """Hours 2 to 8 are 7 h, one more than is bridged, in two columns."""
    gap = [None if 2 <= hour <= 8 else 9.0 for hour in range(12)]
    with pytest.raises(SchemaError) as told:
        read_background(written(tmp_path, table(O3=gap, NO2=gap)), timezone="UTC")
    assert str(told.value).count("missing for 7 h from 2026-01-26 02:00") == 2


def test_a_sum_is_never_below_its_part(tmp_path, caplog):
    read = read_background(written(tmp_path, table(PM10=4.0, NOx=8.0)), timezone="UTC")
    assert (read["pm10"] == 5.0).all() and (read["nox"] == 9.0).all()
    assert "'pm10' is below 'pm25' in 12 hours" in caplog.text


def test_every_fault_is_named_at_once(tmp_path):
    rows = table(O3=[-1.0, "x", *[50.0] * 10]).drop(columns="NOx")
    rows["pm25"] = 3.0
    rows.loc[11, "time"] = rows.loc[10, "time"]
    with pytest.raises(SchemaError) as told:
        read_background(written(tmp_path, rows), timezone="UTC")
    for words in ("no column of ['nox']", "pollutant twice", "holds no number", "outside 0 to 1500"):
        assert words in str(told.value)


def test_impossible_values_become_gaps_where_that_is_asked(tmp_path, caplog):
    """20, an impossible -1, 40: bridged at 30."""
    path = written(tmp_path, table(O3=[20.0, -1.0, *[40.0] * 10]))
    assert read_background(path, timezone="UTC", on_fault="missing")["o3"].tolist()[:3] == [20.0, 30.0, 40.0]
    assert "taken as missing" in caplog.text


def test_files_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_background(tmp_path / "none.csv", timezone="UTC")
    (tmp_path / "b.txt").write_text("x")
    with pytest.raises(FileFormatError, match="allowed are"):
        read_background(tmp_path / "b.txt", timezone="UTC")
