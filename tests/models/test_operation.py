"""Selection in operation: hopeless candidates are given up, a budget is kept to, and both are told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.candidates import candidates, variants
from models.errors import SettingsError
from models.learner import Learner
from models.operation import Allowance, hopeless
from models.training import train
from models.validation import Validation


def record(error: np.ndarray) -> Validation:
    """Twenty days of one origin in twenty zones, one horizon: readings 10, the usual value 9, forecasts off by `error`
    with a day's accident that all share."""
    shape = (20, 20, 1)
    usual, reading = np.full(shape, 9.0, np.float32), np.full(shape, 10.0, np.float32)
    wave = 0.01 * np.sin(np.arange(20.0))[:, None, None]
    off = (1.0 + error[None, :, None] + wave).astype(np.float32)
    return Validation(
        "speed_mps", np.arange(20), np.zeros(20, int), np.arange(20), usual, off, reading, np.ones(shape, np.float32)
    )


def test_who_is_clearly_behind_in_every_zone_is_hopeless():
    """Errors of 0.5, 0.51 and 0.6: 20 % behind is given up, 2 % is not."""
    found = hopeless({n: record(np.full(20, e)) for n, e in (("a", 0.5), ("b", 0.51), ("c", 0.6))}, 1)
    assert list(found) == ["c"] and found["c"] == "20.0 % more error than a after the first fold"


def test_who_is_best_in_some_zones_stays():
    """Best in 4 zones of 20, far behind in the others: a fifth of the city would lose its best."""
    own = np.where(np.arange(20) < 4, 0.1, 0.9)
    assert hopeless({"a": record(np.full(20, 0.5)), "b": record(own)}, 1) == {}


def test_a_budget_says_every_fault_at_once():
    with pytest.raises(SettingsError, match=r"cpu_s=0.*fits=-1"):
        Allowance(cpu_s=0, fits=-1)
    assert Allowance(cpu_s=10, fits=9).part(2) == Allowance(cpu_s=5.0, fits=4)
    assert Allowance(cpu_s=10, fits=9).words == "10 CPU s and 9 fits"


def test_variants_begin_with_the_candidate_itself_and_say_what_differs():
    (ridge,) = candidates("quick", ("ridge",))
    found = variants((ridge,), 3, seed=1)
    assert found[0] is ridge and len({c.name for c in found}) == len(found) == 3
    assert all(c.name.startswith("ridge_") and c.settings for c in found[1:])
    assert variants((ridge,), 1, seed=1) == (ridge,)
    with pytest.raises(SettingsError, match="variants=0"):
        variants((ridge,), 0, seed=1)


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=3, days=12, seed=11, gaps=0.0)


@pytest.fixture
def wild(monkeypatch):
    """A family that forecasts noise of its own."""
    monkeypatch.setattr(Learner, "registry", dict(Learner.registry))

    class Wild(Learner):
        family = "wild"
        rank = 3.0

        def fit(self, rows, y, *, zone_features=None):
            self.layout = rows.layout
            return self

        def predict(self, rows, places=None):
            count = rows.shape[1]
            return np.random.default_rng(0).normal(0, 3, (rows.shape[0], count, len(rows.layout.steps)))

        def pick(self, places):
            return self

        def n_parameters(self):
            return 0

        def state(self):
            return {}, {}, {}

        def restore(self, meta, arrays, blobs):
            pass

    return Wild


ASKED = {"targets": ("speed_mps",), "families": ("ridge", "wild", "macro_ridge"), "seed": 2}


def test_a_hopeless_candidate_is_given_up_after_its_first_fold_and_named(town, wild):
    """Noise of three usual deviations: far behind a line everywhere."""
    end = town.times[10 * 96]
    trained = train(town, train_end=end, prune=True, **ASKED)
    assert {name for name, _ in trained.candidates} == {"ridge", "macro_ridge"}
    assert "after the first fold" in trained.left_out["wild", "speed_mps"]
    assert trained.choices["reason"].str.contains(r"Not fitted in full: wild \(\d").all()
    alike = train(town, train_end=end, **{**ASKED, "families": ("ridge", "macro_ridge")})
    assert (trained.choices["family"] == alike.choices["family"]).all()
    pd.testing.assert_series_equal(trained.choices["micro_mae"], alike.choices["micro_mae"])
    assert trained.micromodels["Z01", "speed_mps"].save() == alike.micromodels["Z01", "speed_mps"].save()


def test_a_family_named_by_hand_is_fitted_whatever_becomes_of_the_others(town, wild):
    hand = pd.DataFrame([{"zone_id": "Z01", "target": "speed_mps", "family": "wild"}])
    trained = train(town, train_end=town.times[10 * 96], prune=True, overrides=hand, budget=Allowance(fits=3), **ASKED)
    assert trained.micromodels["Z01", "speed_mps"].name == "wild"
    assert {name for name, _ in trained.candidates} == {"ridge", "wild"}


def test_three_fits_are_one_candidate_and_the_reason_names_the_others(town, wild):
    trained = train(town, train_end=town.times[10 * 96], budget=Allowance(fits=3), **ASKED)
    assert {name for name, _ in trained.candidates} == {"ridge"}
    assert set(trained.left_out) == {("wild", "speed_mps"), ("macro_ridge", "speed_mps")}
    assert trained.choices["reason"].str.contains("the budget of 3 fits would not have sufficed").all()


def test_a_budget_and_tries_do_not_go_together(town):
    with pytest.raises(SettingsError, match="budget"):
        train(town, train_end=town.times[10 * 96], budget=Allowance(fits=3), tries=2, families=("ridge",))
