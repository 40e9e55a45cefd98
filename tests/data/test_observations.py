"""Observations: batches append whole or not at all, the same again changes nothing, later values win."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import StoreError
from data.store.folder import FolderStore
from data.store.observations import Observations


def readings(start: str, values: list[float], name: str = "speed_mps", sensor: str = "a") -> pd.DataFrame:
    times = pd.date_range(start, periods=len(values), freq="1h", tz="UTC").as_unit("us")
    return pd.DataFrame({"sensor_id": sensor, "time": times, name: values}).astype({"sensor_id": "str"})


class Dying(FolderStore):
    """A store whose process dies at the note of a batch."""

    def put(self, key: str, value: bytes) -> None:
        if key.startswith("batches/"):
            raise KeyboardInterrupt
        super().put(key, value)


def test_a_batch_is_read_back_and_its_twin_changes_nothing(tmp_path):
    store = Observations(FolderStore(tmp_path))
    batch, new = store.append(readings("2025-01-01 22:00", [1.0, 2.0, np.nan, 4.0]))
    digest = store.digest()
    assert new
    assert store.append(readings("2025-01-01 22:00", [1.0, 2.0, np.nan, 4.0])) == (batch, False)
    assert store.digest() == digest
    np.testing.assert_array_equal(store.read()["speed_mps"], [1.0, 2.0, np.nan, 4.0])
    since = pd.Timestamp("2025-01-02", tz="UTC")
    assert store.read(since)["speed_mps"].tolist()[1:] == [4.0]


def test_a_later_batch_corrects_values_and_keeps_what_it_does_not_have(tmp_path):
    """The second batch has another speed for hour 1, none for hour 0, and flows besides."""
    store = Observations(FolderStore(tmp_path))
    store.append(readings("2025-01-01", [1.0, 2.0]))
    store.append(readings("2025-01-01", [np.nan, 9.0]))
    store.append(readings("2025-01-01", [7.0, 8.0], "flow_veh_per_h"))
    read = store.read()
    assert read["speed_mps"].tolist() == [1.0, 9.0]
    assert read["flow_veh_per_h"].tolist() == [7.0, 8.0]


def test_a_kill_before_the_note_leaves_what_was_there_and_the_batch_can_come_again(tmp_path):
    store = Observations(FolderStore(tmp_path))
    store.append(readings("2025-01-01", [1.0]))
    with pytest.raises(KeyboardInterrupt):
        Observations(Dying(tmp_path)).append(readings("2025-01-02", [2.0]))
    assert store.read()["speed_mps"].tolist() == [1.0]
    assert store.append(readings("2025-01-02", [2.0]))[1]
    assert store.read()["speed_mps"].tolist() == [1.0, 2.0]


def test_a_damaged_part_is_named_with_the_cure(tmp_path):
    store = Observations(FolderStore(tmp_path))
    store.append(readings("2025-01-01", [1.0]))
    next(tmp_path.glob("2025*/*.parquet")).write_bytes(b"rubbish")
    with pytest.raises(StoreError, match="import its file again"):
        store.read()
