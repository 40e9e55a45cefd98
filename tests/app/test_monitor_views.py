"""What the monitor page shows, on tables made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from app.monitor_views import advice_now, filtered, grouped
from app.sensor_views import age_of_readings, age_words, merged, sensor_hours

NOW = pd.Timestamp("2026-03-02 12:00", tz="UTC")
STEP = pd.Timedelta(minutes=15)


def readings(hours: int = 24) -> pd.DataFrame:
    """Two zones that report a changing speed every quarter of an hour."""
    times = pd.date_range(NOW - pd.Timedelta(hours=hours), NOW, freq=STEP, inclusive="left")
    value = 10.0 + np.arange(len(times)) % 7
    return pd.concat(
        [pd.DataFrame({"zone_id": z, "time": times, "speed_mps": value}) for z in ("Z01", "Z02")], ignore_index=True
    )


def hours_of(state: pd.DataFrame, zone: str, **more: object) -> list[str]:
    table = sensor_hours(state, ["Z01", "Z02", "Z03"], now=NOW, step_s=900.0, hours=6, **more)
    return table.loc[table["zone_id"] == zone, "state"].tolist()


def test_a_zone_that_reports_is_heard_and_one_without_a_sensor_is_none():
    """Six hours of four readings each: 12:00 is the end of the last hour, from 11:00."""
    table = sensor_hours(readings(), ["Z01", "Z03"], now=NOW, step_s=900.0, hours=6)
    assert table["state"].tolist() == ["heard"] * 6 + ["none"] * 6
    assert table["expected"].tolist() == [4] * 6 + [0] * 6
    assert table["hour"].iloc[5] == pd.Timestamp("2026-03-02 11:00", tz="UTC")


def test_gaps_are_told_from_silence():
    """Of 9:00-10:00 two of four readings are left (half: partly heard), of 10:00-12:00 none."""
    state = readings()
    mine, hour = state["zone_id"] == "Z02", state["time"].dt.hour
    today = state["time"] >= NOW.normalize()
    state.loc[mine & today & (hour == 9) & (state["time"].dt.minute >= 30), "speed_mps"] = np.nan
    state = state[~(mine & today & (hour >= 10))].reset_index(drop=True)
    assert hours_of(state, "Z02") == ["heard", "heard", "heard", "part", "silent", "silent"]
    assert hours_of(state, "Z01") == ["heard"] * 6


def test_one_late_quarter_hour_is_still_heard():
    state = readings()
    state.loc[(state["zone_id"] == "Z01") & (state["time"] == NOW - STEP), "speed_mps"] = np.nan
    assert hours_of(state, "Z01")[-1] == "heard"


def test_the_same_reading_for_three_hours_is_faulty_from_then_on():
    """Stuck from 6:00: the twelfth repetition of the first comes at 9:00."""
    state = readings()
    stuck = (state["zone_id"] == "Z01") & (state["time"] >= NOW - pd.Timedelta(hours=6))
    state.loc[stuck, "speed_mps"] = 8.0
    assert hours_of(state, "Z01") == ["heard"] * 3 + ["faulty"] * 3


def test_zero_may_repeat():
    state = readings().assign(speed_mps=0.0)
    assert set(hours_of(state, "Z01")) == {"heard"}


def test_a_known_fault_marks_the_hours_that_it_touches():
    """From 7:30 to 9:10: the hours from 7, 8 and 9 o'clock."""
    faults = pd.DataFrame(
        {"zone_id": ["Z02", "Z99"], "since": [NOW.normalize() + pd.Timedelta("7h30min")] * 2,
         "until": [NOW.normalize() + pd.Timedelta("9h10min")] * 2}
    )  # fmt: skip
    assert hours_of(readings(), "Z02", faults=faults) == ["heard", "faulty", "faulty", "faulty", "heard", "heard"]


def test_steps_longer_than_an_hour_are_told_by_the_step():
    """Readings of three hours: four stretches of three hours, one reading each."""
    times = pd.date_range(NOW - pd.Timedelta(hours=12), NOW, freq="3h", inclusive="left")
    state = pd.DataFrame({"zone_id": "Z01", "time": times, "no2_ug_per_m3": [1.0, 2.0, np.nan, 4.0]})
    table = sensor_hours(state, ["Z01"], now=NOW, step_s=10_800.0, hours=4)
    assert table["state"].tolist() == ["heard", "heard", "silent", "heard"]


def test_stretches_of_one_state_are_one():
    assert merged(list("aabba"), [1, 2, 3, 4, 5]) == [("a", 1, 2, 2), ("b", 3, 4, 2), ("a", 5, 5, 1)]


@pytest.mark.parametrize(
    ("now", "arrived", "age"),
    [
        ("11:20", "11:59", "40min"),  # a feed of today: the reading's own age counts, whenever it came
        ("12:05", "11:59", "0min"),  # a clock that is ahead
        (None, "11:50", "10min"),  # a replay of old readings: when the last ones came
    ],
)
def test_the_age_of_readings(now, arrived, age):
    """The clock on the wall says 12:00."""
    end = pd.Timestamp("2019-05-01", tz="UTC") if now is None else pd.Timestamp(f"2026-03-02 {now}", tz="UTC")
    came = pd.Timestamp(f"2026-03-02 {arrived}", tz="UTC")
    assert age_of_readings(end, wall=NOW, arrived=came) == pd.Timedelta(age)


def test_without_a_feed_nothing_is_old():
    assert age_of_readings(pd.Timestamp("2019-05-01", tz="UTC"), wall=NOW, arrived=None) is None


@pytest.mark.parametrize(("age", "words"), [("45min", "45 min"), ("3h10min", "3 h"), ("50h", "2 days")])
def test_ages_are_told_as_people_do(age, words):
    assert age_words(pd.Timedelta(age)) == words


@pytest.mark.parametrize(
    ("advice", "state", "hours", "now"),
    [
        ("wait", "open", 23, "wait"),
        ("wait", "acknowledged", 24, "retrain"),
        ("wait", "closed", 99, "wait"),
        ("check the sensor", "open", 99, "check the sensor"),
    ],
)
def test_who_was_told_to_wait_is_told_to_train_after_a_day(advice, state, hours, now):
    alarm = SimpleNamespace(advice=advice, state=state, since=NOW - pd.Timedelta(hours=hours))
    assert advice_now(alarm, NOW) == now


def test_many_changes_of_a_minute_are_one_group():
    """Six promotions by the training, one by Aino, two by the training: one group, and three alone."""
    by = ["training"] * 6 + ["Aino"] + ["training"] * 2
    rows = pd.DataFrame({"action": "promote", "by": by, "when": "2026-03-02 12:00", "version": range(9)})
    assert [len(group) for group in grouped(rows)] == [6, 1, 1, 1]
    assert grouped(rows)[0][0]["version"] == 0 and grouped(rows.iloc[:0]) == []


def test_filters_of_alarms_put_first_what_nobody_has_seen():
    table = pd.DataFrame({"alarm_id": list("abcd"), "state": ["closed", "acknowledged", "open", "closed"]})
    assert filtered(table, "standing")["alarm_id"].tolist() == ["c", "b"]
    assert filtered(table, "closed")["alarm_id"].tolist() == ["a", "d"]
    assert filtered(table, "all")["alarm_id"].tolist() == ["c", "b", "a", "d"]
