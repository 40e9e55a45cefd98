"""What a mix promises: errors and intervals of weights that were learned from other days."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from models.baselines import HistoricalAverage, LastValue, SeasonalNaive
from models.ensemble import EnsembleForecaster, _best_ridge, combine
from models.intervals import ConformalIntervals
from models.validation import Validation
from models.weights import RIDGES

TARGET = "flow_veh_per_h"


@pytest.fixture(scope="module")
def members(city):
    end = city.times[9 * 96]
    return [kind().fit(city, target=TARGET, zone_ids=city.zone_ids, train_end=end)
            for kind in (LastValue, SeasonalNaive, HistoricalAverage)]  # fmt: skip


def without(member, rows):
    """The member, its readings of some rows replaced by noise."""
    record = member.validation
    reading = record.reading.copy()
    reading[rows] = np.random.default_rng(0).normal(reading[np.isfinite(reading)].mean(), 5.0, reading[rows].shape)
    other = copy.copy(member)
    other.validation = replace(record, reading=reading)
    return other


@pytest.mark.parametrize("method", ["stack", "average", "best"])
def test_what_a_mix_promises_a_fold_rests_on_the_other_folds(city, members, method):
    """A fold's readings are made worthless: what is promised for that fold is the same, for the others it is not."""
    mix = EnsembleForecaster.of(members, city.zone_ids, method=method)
    record = mix.validation
    folds = np.unique(record.fold)
    assert folds.size > 1
    inside = record.fold == folds[0]
    worthless = EnsembleForecaster.of([without(m, inside) for m in members], city.zone_ids, method=method).validation
    assert np.array_equal(worthless.level[inside], record.level[inside])
    assert method == "average" or not np.array_equal(worthless.level[~inside], record.level[~inside])
    levels = np.stack([m.validation.level for m in members])
    errors = levels - record.reading
    others = combine(errors[:, ~inside], record.day[~inside], method)
    expected = np.einsum("mnzs,mzs->nzs", levels[:, inside], others)
    np.testing.assert_allclose(record.level[inside], expected, rtol=1e-4, atol=1e-4)
    if method == "stack":
        own = np.einsum("mnzs,mzs->nzs", levels[:, inside], mix.weights)
        assert np.abs(own - record.level[inside]).max() > 1e-3


def made_record(lasts: bool) -> tuple[np.ndarray, Validation]:
    """Errors of two members, the first better in the first fold, in the other fold as well or worse; two folds."""
    rng = np.random.default_rng(3)
    fold = np.repeat([0, 1], 2400)
    size = np.array([[1.0, 1.0 if lasts else 1.2], [1.2, 1.2 if lasts else 1.0]])[:, fold]
    errors = size[..., None, None] * rng.standard_normal((2, fold.size, 1, 1))
    nothing = np.zeros((fold.size, 1, 1), dtype=np.float32)
    hours = np.arange(fold.size)
    return errors, Validation(
        target=TARGET, known=hours, fold=fold, day=hours // 24, usual=nothing, deviation=nothing, reading=nothing,
        stray=nothing,
    )  # fmt: skip


@pytest.mark.parametrize(("lasts", "ridge"), [(False, RIDGES[-1]), (True, RIDGES[0])])
def test_shares_are_drawn_to_equal_ones_where_a_lead_does_not_last(lasts, ridge):
    """Members that lead in one fold fall back in the other, or lead in both."""
    errors, record = made_record(lasts)
    assert _best_ridge(errors, errors, record).tolist() == [ridge]


def test_its_intervals_are_those_of_what_it_promises(city, members):
    mix = EnsembleForecaster.of(members, city.zone_ids)
    again = ConformalIntervals.fit(mix.validation.scores)
    mine = mix.forecast(city, origins=city.times[9 * 96 : 9 * 96 + 5])
    mix.intervals = again
    assert np.array_equal(mine, mix.forecast(city, origins=city.times[9 * 96 : 9 * 96 + 5]))


def test_given_weights_are_taken_as_they_are(city, members):
    weights = np.zeros((3, len(city.zone_ids), len(members[0].anchors)))
    weights[2] = 1.0
    mix = EnsembleForecaster.of(members, city.zone_ids, weights=weights)
    np.testing.assert_allclose(mix.validation.level, members[2].validation.level, rtol=1e-5, atol=1e-5)
