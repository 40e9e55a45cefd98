"""Cards: figures that anyone can recompute, and limits that follow from them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data.store.protocol import MemoryStore
from models.baselines import LastValue
from models.bundle import bundle
from models.cards import describe
from models.contract import Forecaster
from models.registry import Registry

END = 1000


@pytest.fixture(scope="module")
def model(city):
    return LastValue(seed=1).fit(city, target="speed_mps", zone_ids=("Z01",), train_end=city.origin(END - 1))


def test_a_card_tells_the_window_the_errors_and_the_range(city, model):
    card = describe(model, panel=city, code_version="abc", source="simulated", lineage={"teacher": "macro"})
    readings = city.values["speed_mps"][:END, city.columns(["Z01"])]
    data = card["data"]
    assert data["readings"] == np.isfinite(readings).sum() and data["highest"] == np.nanmax(readings)
    assert data["days"] == pytest.approx(END / 96) and data["ends"] == model.train_end
    record, hour = model.validation, model.anchors.index(4)
    error = np.abs(record.actual - record.point)[:, 0, hour]
    told = next(row for row in card["validation"] if row["horizon_s"] == 3600)
    assert told["mae"] == pytest.approx(np.nanmean(error), rel=1e-5) and told["n"] == np.isfinite(error).sum()
    assert card["lineage"] == {"teacher": "macro"} and card["seed"] == 1 and card["code_version"] == "abc"


def test_limits_are_told_in_words(city, model):
    """Ten days, simulated, and the last reading is no better than the usual value a day ahead."""
    limits = " ".join(describe(model, panel=city, source="simulated")["limits"])
    assert "up to 24 h ahead" in limits and "simulated" in limits and "Learned from 10 days" in limits
    assert "No better than the usual value" in limits and "24 h ahead" in limits


def test_one_without_its_record_says_so_and_takes_that_of_the_one_judged(city, model):
    bare = model.bare()
    assert describe(bare)["validation"] == [] and "No out-of-fold record" in " ".join(describe(bare)["limits"])
    assert describe(bare, judged=model)["validation"] == describe(model)["validation"]


def test_coverage_is_measured_on_the_later_fold(city, model):
    """Each share is a whole number of readings of the second fold."""
    measured = describe(model)["intervals"]["measured"]
    later = int((model.validation.fold == 1).sum())
    for row in measured:
        assert 0 < row["n"] <= later and row["mean_width"] > 0
        assert row["coverage"] * row["n"] == pytest.approx(round(row["coverage"] * row["n"]))


def test_a_bundle_holds_every_number_as_json_and_still_loads(city, model):
    registry = Registry(MemoryStore())
    registry.save("Z01", "speed_mps", model, describe(model, panel=city))
    files = bundle(registry, "Z01", "speed_mps")
    assert set(files) == {"card.json", "model.json", "arrays.npz", "arrays.json"}
    offsets = json.loads(files["arrays.json"])["offsets"]
    assert np.array_equal(np.array(offsets["values"], dtype=offsets["dtype"]), model.intervals.offsets)
    again = Forecaster.load({name: files[name] for name in ("model.json", "arrays.npz")})
    assert again.family == "last_value"


def test_trees_are_in_a_bundle_as_json_too(model):
    """One tree of depth one splits 0 from 1, and its JSON predicts the same."""
    xgboost = pytest.importorskip("xgboost")
    rows = xgboost.DMatrix(np.arange(20.0)[:, None], label=(np.arange(20) > 9).astype(float))
    trees = xgboost.train({"max_depth": 1, "nthread": 1}, rows, num_boost_round=2)

    class Held(LastValue):
        kind = ""

        def save(self):
            return {**super().save(), "0.ubj": bytes(trees.save_raw("ubj"))}

    held = model.one("Z01")
    held.__class__ = Held
    registry = Registry(MemoryStore())
    registry.save("Z01", "speed_mps", held)
    again = xgboost.Booster()
    again.load_model(bytearray(bundle(registry, "Z01", "speed_mps")["0.json"]))
    assert np.array_equal(again.predict(rows), trees.predict(rows))
