"""A training that was stopped goes on after what it finished, to the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from data.store.protocol import MemoryStore
from models import fitting, training
from models.candidates import candidates
from models.finished import Finished, digest_of, finished_in
from models.operation import Allowance
from models.training import refit, train

TARGETS = ("speed_mps", "no2_ug_per_m3")
FAMILIES = ("ridge", "macro_ridge")


class Stop(Exception):
    """Ends a training in its middle."""


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=3, days=10, seed=11)


@pytest.fixture(scope="module")
def end(town):
    return town.times[8 * 96]


@pytest.fixture(scope="module")
def whole(town, end):
    made = train(town, targets=TARGETS, train_end=end, families=FAMILIES, seed=2)
    return made, refit(made, town)


@pytest.fixture
def counted(monkeypatch):
    """Fits that are really done: (target or nothing, candidates)."""
    done: list[tuple[str, int]] = []
    for module, name in ((fitting, "_fit_group"), (fitting, "_operate_group"), (training, "_refit_one")):
        before = getattr(module, name)

        def count(*given, _name=name, _before=before):
            done.append((_name, len(given[3]) if _name == "_fit_group" else 1))
            return _before(*given)

        monkeypatch.setattr(module, name, count)
    return done


def stop(done, total, message):
    raise Stop


def same(one, other):
    for name in ("choices", "assignment", "scores", "guard"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert list(one.candidates) == list(other.candidates)
    for key, model in (one.candidates | one.micromodels | one.macromodels).items():
        there = (other.candidates | other.micromodels | other.macromodels)[key]
        assert model.save() == there.save(), key
        assert (model.rank, model.name, model.scope) == (there.rank, there.name, there.scope)


def test_a_training_and_a_refit_that_were_stopped_go_on_where_they_were(town, end, whole, counted):
    """Of two targets with two candidates the first is finished: the second alone is fitted, then one of the refits."""
    store = MemoryStore()
    with finished_in(store):
        with pytest.raises(Stop):
            train(town, targets=TARGETS, train_end=end, families=FAMILIES, seed=2, progress=stop)
        assert counted == [("_fit_group", 2)] and len(store.list()) == 2
        made = train(town, targets=TARGETS, train_end=end, families=FAMILIES, seed=2)
        assert counted == [("_fit_group", 2)] * 2
        with pytest.raises(Stop):
            refit(made, town, progress=stop)
        refits = len(counted)
        again = refit(made, town)
        needed = len(again.candidates)
        assert len(counted) == refits - 1 + needed
    same(made, whole[0])
    same(again, whole[1])


def test_another_seed_another_reading_and_no_store_find_nothing(town, end, counted):
    store = MemoryStore()
    given = {"targets": TARGETS[:1], "train_end": end, "families": FAMILIES}
    with finished_in(store):
        train(town, **given, seed=2)
        train(town, **given, seed=3)
        values = {name: array.copy() for name, array in town.values.items()}
        values["speed_mps"][5, 0] += 0.1
        train(replace(town, values=values), **given, seed=2)
        assert len(counted) == 3
        train(town, **given, seed=2)
        assert len(counted) == 3
    train(town, **given, seed=2)
    assert len(counted) == 4


def test_what_is_damaged_is_fitted_again(town, end, counted):
    store = MemoryStore()
    given = {"targets": TARGETS[:1], "train_end": end, "families": FAMILIES, "seed": 2}
    with finished_in(store):
        train(town, **given)
        first, second = store.list()
        store.put(first, store.get(first)[:-200])
        raw = bytearray(store.get(second))
        raw[len(raw) // 2] ^= 1
        store.put(second, bytes(raw))
        train(town, **given)
        assert counted == [("_fit_group", 2)] * 2


def test_a_selection_within_a_budget_goes_on_too(town, end, counted):
    given = {"targets": TARGETS, "train_end": end, "families": FAMILIES, "seed": 2, "prune": True}
    given["budget"] = Allowance(fits=20)
    expected = train(town, **given)
    store = MemoryStore()
    counted.clear()
    with finished_in(store):
        with pytest.raises(Stop):
            train(town, **given, progress=stop)
        made = train(town, **given)
    assert counted == [("_operate_group", 1)] * 2
    same(made, expected)
    assert made.left_out == expected.left_out and made.tuned == expected.tuned


@pytest.mark.parametrize("candidate", candidates("standard"), ids=lambda candidate: candidate.name)
def test_every_family_comes_back_as_it_was_and_learns_on_as_it_would_have(town, end, candidate):
    """What is read is saved as the same bytes, with the same record, and refitted to the same bytes."""
    when = {"train_end": end, "calibrate_from": None, "steps": (1, 4)}
    zones = town.sensed("speed_mps")
    model = candidate.forecaster(3).fit(town, target="speed_mps", zone_ids=zones, **when)
    with finished_in(MemoryStore()):
        finished = Finished(town, when)
        finished.keep(model, {"seconds": 1.5}, None, candidate)
        found, told, seen = finished.find(candidate)
    assert (told, seen, found.rank, found.name) == ({"seconds": 1.5}, None, model.rank, model.name)
    assert found.save() == model.save() and found.settings() == model.settings()
    for name in ("known", "fold", "day", "usual", "deviation", "reading", "stray"):
        np.testing.assert_array_equal(getattr(found.validation, name), getattr(model.validation, name))
        ours, there = getattr(found.validation, name), getattr(model.validation, name)
        assert ours.dtype == there.dtype
        assert np.argsort(ours.strides).tolist() == np.argsort(there.strides).tolist()  # sums are rounded in that order
    last = town.origin(len(town) - 1)
    assert found.refit(town, train_end=last).save() == model.refit(town, train_end=last).save()


def test_a_digest_tells_values_types_and_shapes_apart():
    table = pd.DataFrame({"a": [1.0, 2.0]})
    values = [
        1, 1.0, "1", [1], [[1]], {"a": 1}, {"a": 2}, {"b": 1}, np.zeros(4), np.zeros((2, 2)), np.zeros(4, np.float32),
        table, table.assign(a=[2.0, 1.0]), pd.Index(["a", "b"]), pd.Index(["b", "a"]), int, float,
    ]  # fmt: skip
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of({"a": 1, "b": [np.zeros(2)]}) == digest_of({"b": [np.zeros(2)], "a": 1})
