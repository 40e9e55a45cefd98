"""Importance: nothing for what is not used, the right size for what is, doubt by blocks of time, no word of cause."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.graph import GraphLearner
from models.importance import (
    ablation,
    feature_groups,
    partial_dependence,
    permutation_importance,
    shuffled_blocks,
    without,
)
from models.learner import Learner, State
from models.rows import Layout, Rows

NAMES = ("own_lag_0", "near1_lag_0", "weather_temperature_c")


class OwnReading(Learner):
    """Forecasts twice the last reading, whatever it was fitted on; in no registry, as it has no family."""

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        self.layout = rows.layout
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        return np.repeat(2.0 * rows.common[:, :, :1], rows.shape[2], axis=2)

    def pick(self, places: np.ndarray) -> Self:
        return self

    def n_parameters(self) -> int:
        return 0

    def state(self) -> State:
        return {}, {}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        return None


def _rows(n: int = 600, zones: int = 3, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, zones, 3)).astype(np.float32)
    ahead = rng.standard_normal((n, zones, 2, 2)).astype(np.float32)
    return Rows(common, ahead, Layout(NAMES, ("ahead_day", "ahead_sin1"), (1, 4)))


def test_a_group_that_is_not_used_has_an_importance_of_exactly_zero():
    """The model looks at the last reading alone: shuffling anything else changes not one bit."""
    rows = _rows()
    y = OwnReading().predict(rows) + np.random.default_rng(1).standard_normal(rows.shape)
    groups = {"used": np.array([0]), "weather": np.array([2]), "ahead": np.array([3, 4])}
    found = permutation_importance(OwnReading(), rows, y, block=20, groups=groups)
    assert (found.mean[1:] == 0).all()
    assert (found.low[1:] == 0).all()
    assert (found.by_zone[1:] == 0).all()
    assert (found.low[0] > 0).all()


def test_shuffling_the_only_feature_doubles_its_variance():
    """y = 2 x without noise: after a shuffle the squared error is var(2 x - 2 x') = 4 + 4 = 8, before it 0."""
    rows = _rows(n=4000)
    y = OwnReading().predict(rows)
    found = permutation_importance(
        OwnReading(), rows, y, block=10, groups={"own": np.array([0])}, squared=True, repeats=3
    )
    assert found.base == pytest.approx([0.0, 0.0])
    assert found.mean[0] == pytest.approx([8.0, 8.0], rel=0.05)
    assert (found.low[0] < 8.0).all()
    assert (found.high[0] > 8.0).all()


def test_a_shuffle_keeps_blocks_together_and_loses_no_origin():
    """10 origins in blocks of 3: every origin once; at least half of the neighbours in time stay neighbours."""
    order = shuffled_blocks(10, 3, np.random.default_rng(3))
    assert sorted(order.tolist()) == list(range(10))
    assert (np.diff(order) % 10 == 1).sum() >= 5


def test_the_same_seed_shuffles_the_same():
    """Two calls, one answer; another seed, another."""
    rows = _rows()
    y = OwnReading().predict(rows) + np.random.default_rng(1).standard_normal(rows.shape)
    first, again, other = (permutation_importance(OwnReading(), rows, y, block=20, seed=s) for s in (0, 0, 1))
    assert np.array_equal(first.mean, again.mean)
    assert not np.array_equal(first.mean, other.mean)


def test_gaps_and_a_silent_zone_are_left_out():
    """A zone without outcomes has no importance of its own and does not touch the others' mean."""
    rows = _rows()
    y = OwnReading().predict(rows).astype(np.float64)
    y[:, 2] = np.nan
    found = permutation_importance(OwnReading(), rows, y, block=20)
    assert np.isnan(found.by_zone[:, 2]).all()
    assert found.mean == pytest.approx(found.by_zone[:, :2].mean(axis=1))


def test_blocks_that_repeat_themselves_do_not_make_sure():
    """Every outcome and feature 8 times in a row: counted by blocks of 8 the doubt is about sqrt(8) times larger."""
    rows = _rows(n=400, zones=1)
    rows = Rows(rows.common.repeat(8, axis=0), rows.ahead.repeat(8, axis=0), rows.layout)
    y = OwnReading().predict(rows) + np.random.default_rng(1).standard_normal((400, 1, 1)).repeat(8, axis=0)
    wide, narrow = (
        permutation_importance(OwnReading(), rows, y, block=b, groups={"own": np.array([0])}, repeats=40)
        for b in (8, 1)
    )
    ratio = (wide.high - wide.low) / (narrow.high - narrow.low)
    assert ratio[0] == pytest.approx([np.sqrt(8)] * 2, rel=0.35)


def test_leaving_a_group_out_costs_what_it_explained():
    """y = own + 0.5 near + noise of 1: without the neighbour the squared error grows by 0.25, without weather by 0."""
    rows, test = _rows(n=3000), _rows(n=3000, seed=5)
    y, y_test = (
        r.common[:, :, :1] + 0.5 * r.common[:, :, 1:2] + np.random.default_rng(s).standard_normal(r.shape)
        for r, s in ((rows, 6), (test, 7))
    )
    found = ablation(GraphLearner, rows, y.astype(np.float32), test, y_test, block=50, squared=True)
    worth = dict(zip(found.groups, found.mean[:, 0], strict=True))
    assert worth["neighbours"] == pytest.approx(0.25, abs=0.05)
    assert worth["weather"] == pytest.approx(0.0, abs=0.01)
    assert found.how == "left out"


def test_partial_dependence_of_a_line_is_a_line():
    """Twice the last reading at -1, 0, 1: -2, 0, 2 without any doubt; most readings lie nearest to 0."""
    rows = _rows().pick(np.array([1]))
    found = partial_dependence(OwnReading(), rows, "own_lag_0", np.array([-1.0, 0.0, 1.0]), 1, block=20)
    assert found["mean"] == pytest.approx(np.array([[-2.0] * 2, [0.0] * 2, [2.0] * 2]))
    assert found["low"] == pytest.approx(found["high"])
    assert found["share"].sum() == pytest.approx(1.0)
    # another feature: the mean forecast stays, with the doubt of a mean of independent N(0, 2) readings
    flat = partial_dependence(OwnReading(), rows, "ahead_day", np.array([-1.0, 1.0]), 1, block=20)
    assert flat["mean"][0] == pytest.approx(flat["mean"][1])
    assert (flat["high"] - flat["low"])[0] == pytest.approx([2 * 1.96 * 2 / np.sqrt(600)] * 2, rel=0.3)


def test_features_are_grouped_by_where_they_come_from():
    """One of each."""
    names = ["own_lag_0", "hop2_lag_1", "ahead_week", "ahead_weekend", "weather_wind_east", "no2_ug_per_m3_lag_0",
             "zone_lon", "own_x_sin"]  # fmt: skip
    found = {group: at.tolist() for group, at in feature_groups(names).items()}
    assert found == {
        "own past": [0, 2, 7], "neighbours": [1], "other targets": [5], "weather": [4], "calendar": [3], "zone": [6]
    }  # fmt: skip


def test_rows_without_some_features_lose_their_names_too():
    """Without near1_lag_0 and ahead_day."""
    rows = without(_rows(), np.array([1, 3]))
    assert rows.layout.names == ("own_lag_0", "weather_temperature_c", "ahead_sin1")
    assert np.array_equal(rows.common[:, :, 1], _rows().common[:, :, 2])


def test_sentences_say_what_a_model_leans_on_and_never_name_a_cause():
    """The used group is leaned on, the others hardly; no word of cause."""
    rows = _rows()
    y = OwnReading().predict(rows) + np.random.default_rng(1).standard_normal(rows.shape)
    told = permutation_importance(OwnReading(), rows, y, block=20).sentences()
    assert told[0].startswith("The model leans on the zone's own readings: shuffling")
    assert told[1].startswith("The model hardly leans on ")
    for word in ("because", "cause", "due to", "leads to", "effect", "impact", "drives"):
        assert word not in " ".join(told).lower()


def test_misuse_is_named_at_once():
    """A place that is not there and too few blocks, in one message; an unknown feature; two zones."""
    rows = _rows(n=10)
    with pytest.raises(SettingsError, match=r"places run from 0 to 4.*two blocks"):
        permutation_importance(OwnReading(), rows, np.zeros(rows.shape), block=8, groups={"g": np.array([9])})
    with pytest.raises(SettingsError, match="no feature 'colour'"):
        partial_dependence(OwnReading(), rows, "colour", np.zeros(1), 0, block=2)
    with pytest.raises(SettingsError, match="one zone"):
        partial_dependence(OwnReading(), rows, "own_lag_0", np.zeros(1), 0, block=2)
