"""Properties of the readers: what is written in a layout is read back, and columns may stand in any order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import ZonewiseError
from data.readers.air_networks import read_eea, read_openaq
from data.readers.long import read_long
from data.readers.messages import read_messages
from data.readers.pems import read_pems
from data.readers.scats import read_scats
from data.readers.wide import read_wide

EASY = settings(
    max_examples=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
SPEED = st.one_of(st.none(), st.integers(1, 40).map(float), st.floats(0.5, 40.0).map(lambda v: round(v, 3)))


@st.composite
def tables(draw, *, step: str = "15min") -> pd.DataFrame:
    """One to four sensors over two to six intervals; at least one reading."""
    n, m = draw(st.integers(2, 6)), draw(st.integers(1, 4))
    values = draw(st.lists(SPEED, min_size=n * m, max_size=n * m).filter(lambda v: any(x is not None for x in v)))
    times = pd.date_range("2025-03-01 12:00", periods=n, freq=step, tz="UTC")
    ids = draw(
        st.lists(st.sampled_from(["7", "007", "a b", "Müller", "x,y", "12.5"]), min_size=m, max_size=m, unique=True)
    )
    return pd.DataFrame(
        {"sensor_id": np.repeat(ids, n), "time": np.tile(times, m), "speed_mps": np.array(values, dtype=float)}
    ).sort_values(["sensor_id", "time"], ignore_index=True)


def same(read: pd.DataFrame, table: pd.DataFrame, column: str = "speed_mps", factor: float = 1.0) -> None:
    """Every reading of the table is there, and no other."""
    table = table[table[column].notna()]
    read = read[read[column].notna()]
    key = ["sensor_id", "time"]
    joined = read.merge(table.astype({"sensor_id": "str"}), on=key, how="outer", suffixes=("", "_given"))
    assert len(joined) == len(read) == len(table)
    np.testing.assert_allclose(joined[column], joined[f"{column}_given"] * factor, rtol=1e-9)


@EASY
@given(tables(), st.randoms(use_true_random=False), st.booleans())
def test_a_long_table_in_any_order_of_columns_and_rows_is_read_back(tmp_path, table, luck, parquet):
    columns = list(table.columns)
    luck.shuffle(columns)
    shuffled = table[columns].sample(frac=1.0, random_state=luck.randrange(2**32))
    path = tmp_path / ("t.parquet" if parquet else "t.csv")
    shuffled.to_parquet(path) if parquet else shuffled.to_csv(path, index=False)
    same(read_long(path, timezone="UTC").table, table)


@EASY
@given(tables(), st.sampled_from(["km/h", "mph"]), st.booleans())
def test_a_wide_table_is_read_back(tmp_path, table, unit, parquet):
    factor = {"km/h": 1 / 3.6, "mph": 0.44704}[unit]
    wide = table.pivot(index="time", columns="sensor_id", values="speed_mps").reset_index()  # noqa: PD010
    path = tmp_path / ("w.parquet" if parquet else "w.csv")
    wide.to_parquet(path) if parquet else wide.to_csv(path, index=False)
    read = read_wide(path, quantity="speed_mps", unit=unit, timezone="UTC", step_s=900)
    same(read.table, table, factor=factor)


@EASY
@given(st.lists(st.integers(0, 500), min_size=96, max_size=96), st.randoms(use_true_random=False))
def test_a_day_of_scats_in_any_order_of_columns_is_read_back(tmp_path, volumes, luck):
    if not any(volumes):
        volumes[0] = 1
    row = {f"V{k:02d}": v for k, v in enumerate(volumes)}
    row |= {"HF VicRoads Internal": 12, "SCATS Number": "0970", "Location": "A N of B", "Date": "2006-10-03"}
    columns = list(row)
    luck.shuffle(columns)
    path = tmp_path / "s.csv"
    pd.DataFrame([row])[columns].to_csv(path, index=False)
    assert read_scats(path).table["flow_veh_per_h"].tolist() == [4.0 * v for v in volumes]


@EASY
@given(tables(step="5min"))
def test_pems_lines_are_read_back(tmp_path, table):
    table = table[table["sensor_id"].isin(["7", "007"])] if table["sensor_id"].isin(["7"]).any() else table.head(0)
    table = table[(table["sensor_id"] == "7") & table["speed_mps"].notna()]
    if table.empty:
        return
    path = tmp_path / "p.txt"
    local = table["time"].dt.tz_convert("America/Los_Angeles").dt.strftime("%m/%d/%Y %H:%M:%S")
    lines = [f"{t},7,7,5,S,ML,1,10,100,10,.1,{v}\n" for t, v in zip(local, table["speed_mps"] / 0.44704)]
    path.write_text("".join(lines))
    same(read_pems(path).table[["sensor_id", "time", "speed_mps"]], table)


@EASY
@given(tables(step="1h"), st.randoms(use_true_random=False))
def test_air_of_openaq_and_eea_is_read_back(tmp_path, table, luck):
    table = table.rename(columns={"speed_mps": "no2_ug_per_m3"}).dropna().reset_index(drop=True)
    openaq = pd.DataFrame(
        {"location_id": table["sensor_id"], "datetimeUtc": table["time"].astype(str), "parameter": "no2",
         "value": table["no2_ug_per_m3"], "units": "ug/m3"}
    )  # fmt: skip
    columns = list(openaq.columns)
    luck.shuffle(columns)
    openaq[columns].to_csv(tmp_path / "o.csv", index=False)
    same(read_openaq(tmp_path / "o.csv", timezone="UTC").table, table, "no2_ug_per_m3")
    eea = pd.DataFrame(
        {"Samplingpoint": "XX/" + table["sensor_id"], "Pollutant": 8, "Validity": 1, "Verification": 1,
         "Start": table["time"].dt.tz_convert("Etc/GMT-1").dt.tz_localize(None), "Value": table["no2_ug_per_m3"],
         "Unit": "ug.m-3", "AggType": "hour"}
    )  # fmt: skip
    eea.sample(frac=1.0, random_state=1).to_parquet(tmp_path / "e.parquet")
    same(read_eea(tmp_path / "e.parquet").table, table, "no2_ug_per_m3")


@EASY
@given(tables())
def test_messages_are_read_back(table):
    rows = table.assign(time=table["time"].astype(str)).dropna()
    read, faults = read_messages([r.to_json().encode() for _, r in rows.iterrows()], timezone="UTC")
    assert not faults
    assert read is not None
    same(read.table, table)


@EASY
@given(tables(), st.sampled_from(["sensor_id", "time", "speed_mps"]), st.sampled_from(["twice", "text", "number"]))
def test_a_column_doubled_or_retyped_reads_the_same_or_fails_with_the_cure(tmp_path, table, column, how):
    """Digits as text and times as text read the same; a doubled name, and words for numbers, are refused."""
    path = tmp_path / "t.csv"
    changed = table.copy()
    if how == "twice":
        changed = pd.concat([table, table[[column]]], axis=1)
    elif how == "text":
        changed[column] = changed[column].astype("str").replace("nan", "")
    else:
        changed[column] = pd.to_numeric(changed[column], errors="coerce") if column != "time" else 5
    changed.to_csv(path, index=False)
    try:
        read = read_long(path, timezone="UTC")
    except ZonewiseError as error:
        assert column in str(error) or "reports anything" in str(error)
        assert how != "text"
        return
    assert how != "twice"
    if how == "text" or column == "speed_mps":
        same(read.table, table)


def test_a_doubled_column_of_any_layout_is_refused(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("time,a,a\n2025-01-01,1,2\n")
    with pytest.raises(ZonewiseError, match="more than once"):
        read_wide(path, quantity="speed_mps", unit="mph", timezone="UTC")
