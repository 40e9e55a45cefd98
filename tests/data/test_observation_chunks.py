"""A long history in turns: together they are the whole, each holds its days, and only what is asked for is read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.store.observations import Observations
from data.store.protocol import MemoryStore


def days(start, n, sensor, **values):
    times = pd.date_range(start, periods=24 * n, freq="1h", tz="UTC").as_unit("us")
    return pd.DataFrame({"sensor_id": sensor, "time": times, **values}).astype({"sensor_id": "str"})


@pytest.fixture
def history():
    """Two sensors over 40 days; five days are corrected later, in speed alone."""
    observed, rng = Observations(MemoryStore()), np.random.default_rng(1)
    for sensor in ("a", "b"):
        observed.append(days("2025-01-01", 40, sensor, speed_mps=rng.uniform(5, 9, 960), flow_veh_per_h=100.0))
    observed.append(days("2025-01-18", 5, "a", speed_mps=1.0))
    return observed


def test_turns_hold_together_what_is_read_at_once(history):
    """Turns of 7 days from the first reading: 5 whole ones and 5 days. The correction crosses a turn's end."""
    turns = list(history.chunks(7))
    assert [len(turn) for turn in turns] == [2 * 24 * 7] * 5 + [2 * 24 * 5]
    whole = pd.concat(turns).sort_values(["sensor_id", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(whole, history.read(), check_exact=True)
    assert (whole["speed_mps"] == 1.0).sum() == 24 * 5


def test_only_the_columns_and_sensors_asked_for_are_read(history):
    found = history.read(columns=["speed_mps"], sensors=["b"])
    assert list(found.columns) == ["sensor_id", "time", "speed_mps"] and set(found["sensor_id"]) == {"b"}
    whole = history.read()
    pd.testing.assert_series_equal(
        found["speed_mps"], whole.loc[whole["sensor_id"] == "b", "speed_mps"].reset_index(drop=True)
    )


def test_turns_without_readings_are_left_out(history):
    history.append(days("2025-06-01", 1, "a", speed_mps=2.0))
    sizes = [len(turn) for turn in history.chunks(30, since=pd.Timestamp("2025-01-31", tz="UTC"))]
    assert sizes == [2 * 24 * 10, 24]
    assert list(Observations(MemoryStore()).chunks()) == []
