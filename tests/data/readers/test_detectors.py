"""A table of detector readings is read, or refused with every fault and its cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.detectors import read_detectors


def readings(n: int = 8) -> pd.DataFrame:
    """Two loops, quarter hours of one morning, local time without a zone."""
    times = pd.date_range("2025-09-01 06:00", periods=n, freq="15min")
    return pd.DataFrame(
        {
            "sensor_id": ["a"] * n + ["b"] * n,
            "time": [*times.strftime("%Y-%m-%d %H:%M")] * 2,
            "flow_veh_per_h": np.arange(2.0 * n),
            "speed_mps": 10.0,
        }
    )


def written(table: pd.DataFrame, folder, name: str = "readings.csv"):
    """Path of the table as CSV."""
    table.to_csv(folder / name, index=False)
    return folder / name


def test_local_times_become_utc(tmp_path):
    """06:00 in Helsinki in September is 03:00 UTC."""
    table = read_detectors(written(readings(), tmp_path), timezone="Europe/Helsinki")
    assert table["time"].iloc[0] == pd.Timestamp("2025-09-01 03:00", tz="UTC")
    assert list(table["sensor_id"].unique()) == ["a", "b"]


def test_parquet_reads_like_csv(tmp_path):
    """The same rows through either format."""
    readings().to_parquet(tmp_path / "r.parquet")
    a = read_detectors(tmp_path / "r.parquet", timezone="Europe/Helsinki")
    b = read_detectors(written(readings(), tmp_path), timezone="Europe/Helsinki")
    pd.testing.assert_frame_equal(a, b)


def test_the_repeated_hour_of_autumn_is_summer_time_first(tmp_path):
    """On 2025-10-26 Helsinki's clock shows 03:00 twice: at 00:00 and at 01:00 UTC."""
    table = readings(1).head(1)
    twice = pd.concat([table, table], ignore_index=True).assign(time="2025-10-26 03:00")
    read = read_detectors(written(twice, tmp_path), timezone="Europe/Helsinki")
    assert list(read["time"].dt.hour) == [0, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.assign(colour="red"), "unknown column"),
        (lambda t: t.drop(columns="time"), "missing column"),
        (lambda t: t[["sensor_id", "time"]], "no quantity"),
        (lambda t: pd.concat([t, t.head(1)]).assign(time=lambda x: x["time"] + "+03:00"), "repeated key"),
        (lambda t: t.assign(speed_mps=400.0), "outside"),
        (lambda t: t.assign(flow_veh_per_h=-1.0), "outside"),
        (lambda t: t.assign(speed_mps=np.nan), "no reading at all"),
        (lambda t: t.assign(flow_veh_per_h=np.where(t["sensor_id"] == "b", np.nan, 1.0)).drop(columns="speed_mps"),
         "reports nothing"),
        (lambda t: t.assign(speed_mps="fast"), "must be numbers"),
        (lambda t: t.assign(time="yesterday"), "cannot be read as times"),
        (lambda t: t.assign(time="2025-03-30 03:30"), "cannot be read as times"),
    ],
)  # fmt: skip
def test_a_fault_is_named(tmp_path, change, says):
    """Each broken table is refused with a text that names the fault."""
    with pytest.raises(SchemaError, match=says):
        read_detectors(written(change(readings()), tmp_path), timezone="Europe/Helsinki")


def test_unknown_sensors_are_named(tmp_path):
    """A reading of a sensor that the city does not have."""
    with pytest.raises(SchemaError, match="unknown sensor"):
        read_detectors(written(readings(), tmp_path), timezone="Europe/Helsinki", sensors=["a"])


def test_missing_and_damaged_files_are_refused(tmp_path):
    """No file; another format; a Parquet file that is none."""
    with pytest.raises(InputError, match="no file"):
        read_detectors(tmp_path / "none.csv", timezone="UTC")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_detectors(tmp_path / "x.parquet", timezone="UTC")
    (tmp_path / "x.xls").write_bytes(b"?")
    with pytest.raises(FileFormatError, match="allowed"):
        read_detectors(tmp_path / "x.xls", timezone="UTC")
