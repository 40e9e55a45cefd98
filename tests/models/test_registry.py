"""Versions on disk: whole, in force, rolled back, and clear about damage."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from data.store.folder import FolderStore
from data.store.protocol import MemoryStore
from models.errors import ModelFileError, RegistryError
from models.forecasting import LearnedForecaster
from models.registry import CITY, Registry


@pytest.fixture(scope="module")
def model(city):
    return LearnedForecaster("xgboost", seed=1).fit(
        city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[900]
    )


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "models")


def test_what_was_saved_forecasts_the_same_when_loaded(store, model, city):
    registry = Registry(store)
    assert registry.save("Z01", "speed_mps", model, {"mae": 0.4}) == "0001"
    origin = pd.DatetimeIndex([city.origin(950)])
    loaded = registry.load("Z01", "speed_mps")
    assert np.array_equal(loaded.forecast(city, origins=origin), model.forecast(city, origins=origin))
    card = registry.show("Z01", "speed_mps")
    assert (card["mae"], card["family"], card["version"]) == (0.4, "xgboost", "0001")


def test_versions_count_up_and_can_be_rolled_back(store, model):
    registry = Registry(store)
    for _ in range(2):
        registry.save("Z01", "speed_mps", model)
    registry.save(CITY, "speed_mps", model)
    assert registry.versions("Z01", "speed_mps") == ["0001", "0002"]
    assert registry.current("Z01", "speed_mps") == "0002"
    registry.promote("Z01", "speed_mps", "0001")
    assert registry.current("Z01", "speed_mps") == "0001"
    assert registry.save("Z01", "speed_mps", model, promote=False) == "0003"
    assert registry.current("Z01", "speed_mps") == "0001"
    table = registry.list()
    assert set(zip(table["zone_id"], table["versions"])) == {("Z01", 3), (CITY, 1)}


def test_the_pointer_is_written_last(model):
    """A writer that dies before it leaves no version in force, and the one before stays."""

    class Dies(MemoryStore):
        def put(self, key: str, value: bytes) -> None:
            if key.endswith("0002/card.json"):
                raise OSError("disk full")
            super().put(key, value)

    registry = Registry(Dies())
    registry.save("Z01", "speed_mps", model)
    with pytest.raises(OSError, match="disk"):
        registry.save("Z01", "speed_mps", model)
    assert registry.current("Z01", "speed_mps") == "0001"
    assert registry.versions("Z01", "speed_mps") == ["0001"]
    assert registry.load("Z01", "speed_mps").family == "xgboost"


@pytest.mark.parametrize("name", ["arrays.npz", "0.ubj", "model.json"])
def test_a_damaged_or_missing_file_is_named(model, name):
    store = MemoryStore()
    registry = Registry(store)
    registry.save("Z01", "speed_mps", model)
    key = f"Z01/speed_mps/0001/{name}"
    whole = store.get(key)
    store.put(key, whole[:-3])
    with pytest.raises(ModelFileError, match=name):
        registry.load("Z01", "speed_mps")
    store.delete(key)
    with pytest.raises(ModelFileError, match="missing"):
        registry.load("Z01", "speed_mps")


def test_damaged_cards_and_pointers_are_named(model):
    store = MemoryStore()
    registry = Registry(store)
    registry.save("Z01", "speed_mps", model)
    store.put("Z01/speed_mps/current.json", b"{")
    with pytest.raises(ModelFileError, match=r"current\.json"):
        registry.load("Z01", "speed_mps")
    store.put("Z01/speed_mps/0001/card.json", json.dumps({"version": "0001"}).encode())
    with pytest.raises(ModelFileError, match=r"card.json.*train"):
        registry.load("Z01", "speed_mps", "0001")
    store.put("Z01/speed_mps/0001/card.json", b"[" * 200_000)  # deeper than any reader goes
    with pytest.raises(ModelFileError, match=r"card.json is damaged"):
        registry.load("Z01", "speed_mps", "0001")


def test_asking_for_what_is_not_there_is_answered_in_words(store):
    registry = Registry(store)
    with pytest.raises(RegistryError, match="Z09"):
        registry.load("Z09", "speed_mps")
    with pytest.raises(RegistryError, match="version"):
        registry.promote("Z01", "speed_mps", "0007")
    with pytest.raises(RegistryError, match="folder"):
        registry.current("../Z01", "speed_mps")
    assert registry.list().empty
