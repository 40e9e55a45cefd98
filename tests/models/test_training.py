"""Training, choosing, assigning, comparing and refitting, from tables to tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from data.schemas import ASSIGNMENT, CHOICES, SCORES, validate
from models.assign import choose_task, stake
from models.candidates import EFFORTS, Candidate
from models.compare import compare, latency_ms
from models.errors import AssignmentError, NoDataError, ShortHistoryError
from models.training import refit, train

TARGETS = ("speed_mps", "no2_ug_per_m3")
LEARNED = tuple(candidate.name for candidate in EFFORTS["quick"])


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=3, days=17, seed=11)


@pytest.fixture(scope="module")
def end(town):
    return town.times[13 * 96]


@pytest.fixture(scope="module")
def training(town, end):
    return train(town, targets=TARGETS, train_end=end, seed=2)


@pytest.fixture(scope="module")
def comparison(town, training):
    return compare(town, training, seed=2, draws=200)


def test_every_sensed_zone_and_target_gets_a_choice_with_a_reason(training):
    validate(training.choices, CHOICES)
    pairs = set(zip(training.choices["zone_id"], training.choices["target"]))
    assert pairs == {("Z01", "speed_mps"), ("Z02", "speed_mps"), ("Z03", "speed_mps"),
                     ("Z01", "no2_ug_per_m3"), ("Z02", "no2_ug_per_m3")}  # fmt: skip
    assert training.choices["reason"].str.contains(r"\d").all()
    assert (training.choices["micro_mae"] < training.choices["naive_mae"]).all()


def test_every_zone_has_one_task(training):
    validate(training.assignment, ASSIGNMENT)
    assert list(training.assignment["zone_id"]) == ["Z01", "Z02", "Z03"]
    assert training.assignment.set_index("zone_id").loc["Z03", "target"] == "speed_mps"
    assert training.choices.groupby("zone_id")["is_task"].sum().eq(1).all()


def test_every_family_competed_and_has_a_fit_time(training):
    assert {family for family, _ in training.candidates} == set(LEARNED)
    assert training.seconds["ridge", "speed_mps"] > 0
    assert training.seconds["macro_xgboost", "speed_mps"] > 0


def test_the_model_in_use_is_the_one_that_was_chosen(training):
    for row in training.choices.itertuples():
        model = training.in_use(row.zone_id, row.target)
        family = {"micromodel": row.family, "macromodel": "macro_xgboost", "mix": "mix"}[row.model_in_use]
        assert model.family == family
        single = {"micromodel": 1.0, "macromodel": 0.0}
        assert row.weight_micro == single.get(row.model_in_use, row.weight_micro)


def test_two_processes_give_what_one_gives(town, end, training):
    again = train(town, targets=TARGETS, train_end=end, seed=2, n_jobs=2)
    pd.testing.assert_frame_equal(again.choices, training.choices)
    assert again.micromodels["Z01", "speed_mps"].save() == training.micromodels["Z01", "speed_mps"].save()
    assert again.macromodels["speed_mps"].save() == training.macromodels["speed_mps"].save()


def test_the_test_part_cannot_change_the_training(town, end, training):
    cut = 13 * 96
    spoiled = replace(town, values={k: np.concatenate([v[:cut], 0 * v[cut:] + 7.0]) for k, v in town.values.items()})
    again = train(spoiled, targets=TARGETS, train_end=end, seed=2)
    pd.testing.assert_frame_equal(again.choices, training.choices)


def test_a_target_without_a_pattern_gets_no_learned_model(town, end):
    """Shuffled readings: what is chosen is the usual value, or hardly strays from it."""
    rng = np.random.default_rng(0)
    noise = replace(town, values={"speed_mps": rng.permutation(town.values["speed_mps"], axis=0)})
    trained = train(noise, targets=("speed_mps",), train_end=end, seed=2)
    scores = compare(noise, trained, draws=20).scores
    overall = scores[(scores["zone_id"] == "") & (scores["metric"] == "mae")].set_index(["model", "horizon_s"])["value"]
    for horizon in (900.0, 3600.0, 86_400.0):
        assert overall["micromodel", horizon] < 1.02 * overall["historical_average", horizon]


def test_a_choice_by_hand_is_followed(town, end):
    hand = pd.DataFrame(
        [
            {"zone_id": "Z01", "target": "speed_mps", "family": "tree", "model_in_use": "macromodel"},
            {"zone_id": "Z02", "target": "speed_mps"},
        ]
    )
    trained = train(town, targets=TARGETS, train_end=end, overrides=hand)
    row = trained.choices.set_index(["zone_id", "target"]).loc[("Z01", "speed_mps")]
    assert (row["family"], row["model_in_use"], bool(row["by_hand"])) == ("tree", "macromodel", True)
    assert trained.micromodels["Z01", "speed_mps"].family == "tree"
    assert trained.assignment.set_index("zone_id").loc["Z02", "target"] == "speed_mps"


@pytest.mark.parametrize("effort", ["quick", "standard"])
def test_a_family_that_the_effort_lacks_competes_where_it_is_named_by_hand(town, end, effort, monkeypatch):
    """`lasso` is in neither; the usual value always competes and needs no candidate."""
    lines = tuple(c for c in EFFORTS[effort] if c.family in ("ridge", "macro_ridge"))
    monkeypatch.setattr("models.candidates.EFFORTS", {**EFFORTS, effort: lines})
    hand = pd.DataFrame([{"zone_id": "Z01", "family": "lasso"}, {"zone_id": "Z02", "family": "historical_average"}])
    trained = train(town, targets=("speed_mps",), train_end=end, effort=effort, overrides=hand)
    assert trained.micromodels["Z01", "speed_mps"].name == "lasso"
    assert trained.micromodels["Z02", "speed_mps"].name == "historical_average"
    assert {name for name, _ in trained.candidates} == {"ridge", "macro_ridge", "lasso"}


@pytest.mark.parametrize(("least_days", "calibrate_day", "joins"), [(7, None, True), (9, None, False), (9, 10, True)])
def test_who_needs_a_long_history_competes_where_it_is_there(town, end, least_days, calibrate_day, joins, monkeypatch):
    """13 days to learn from: 7.8 of them lie before the validation part, or 10 where it is named."""
    told = Candidate("told_the_season", "macro_ridge", reference="season", least_days=least_days)
    lines = tuple(c for c in EFFORTS["quick"] if c.family == "ridge")
    monkeypatch.setattr("models.candidates.EFFORTS", {**EFFORTS, "quick": (*lines, told)})
    named = None if calibrate_day is None else town.times[calibrate_day * 96]
    trained = train(town, targets=("speed_mps",), train_end=end, calibrate_from=named)
    assert (("told_the_season", "speed_mps") in trained.candidates) == joins


def test_a_choice_by_hand_that_cannot_be_followed_names_every_fault(town, end):
    hand = pd.DataFrame([{"zone_id": "Z77", "family": "oracle"}])
    with pytest.raises(AssignmentError, match=r"Z77.*oracle"):
        train(town, targets=TARGETS, train_end=end, overrides=hand)


def test_training_refuses_what_it_cannot_do(town, end):
    with pytest.raises(NoDataError, match="pm10"):
        train(town, targets=("pm10_ug_per_m3",), train_end=end)
    with pytest.raises(ShortHistoryError, match="trained on"):
        train(town, targets=TARGETS, train_end=end, test_from=town.times[5])


def test_scores_are_a_table_with_bounds_that_hold_the_value(comparison):
    scores = validate(comparison.scores, SCORES)
    assert set(scores["model"]) == {
        "in_use", "micromodel", "macromodel", "mix", *LEARNED, "last_value", "seasonal_naive", "historical_average",
    }  # fmt: skip
    assert set(scores["metric"]) == {"mae", "rmse", "mase", "pinball", "coverage_80", "coverage_90", "width_90"}
    assert (scores["lower"] <= scores["value"] + 1e-9).mean() > 0.95
    assert (scores["upper"] >= scores["value"] - 1e-9).mean() > 0.95
    assert set(scores["zone_id"]) == {"", "Z01", "Z02", "Z03"}


def test_all_models_are_scored_on_the_same_rows(comparison):
    counts = comparison.scores.groupby(["zone_id", "target", "horizon_s", "metric"])["n"].nunique()
    assert counts.eq(1).all()


def test_learned_models_beat_the_seasonal_naive_soon_ahead(comparison):
    scores = comparison.scores
    overall = scores[(scores["zone_id"] == "") & (scores["metric"] == "mase")]
    table = overall.pivot_table(index="model", columns=["target", "horizon_s"], values="value")
    for model in ("in_use", "micromodel", "macromodel", "mix", *LEARNED):
        for horizon in (900.0, 3600.0):
            for target in TARGETS:
                assert table.loc[model, (target, horizon)] < table.loc["seasonal_naive", (target, horizon)]


def test_a_score_is_what_its_name_says(town, training, comparison):
    """MAE of one zone at one hour, recomputed by hand from the forecasts."""
    from models.metrics import mae, mase_scale

    first = int(town.known(training.test_from)[0])
    known = np.arange(first, len(town) - 1)
    known = known[known + 4 < len(town)]
    origins = pd.DatetimeIndex([town.origin(int(k)) for k in known])
    model = training.micromodels["Z02", "speed_mps"]
    median = model.forecast(town, origins=origins, steps=(4,))[:, 0, 0, 3]
    by_hand = mae(town.values["speed_mps"][known + 4, 1], median)
    scores = comparison.scores.set_index(["model", "zone_id", "target", "horizon_s", "metric"])["value"]
    assert scores["micromodel", "Z02", "speed_mps", 3600.0, "mae"] == pytest.approx(by_hand)
    scale = mase_scale(town.values["speed_mps"][: 13 * 96, 1], season=96)
    assert scores["micromodel", "Z02", "speed_mps", 3600.0, "mase"] == pytest.approx(by_hand / scale)


def test_a_paired_verdict_needs_a_clear_difference(comparison):
    paired = comparison.paired
    np.testing.assert_allclose(paired["difference"], paired["micro_mae"] - paired["macro_mae"])
    wins = paired[paired["verdict"] != "tie"]
    assert ((wins["lower"] > 0) | (wins["upper"] < 0)).all()
    assert (wins["difference"].abs() >= 0.01 * wins["macro_mae"]).all()
    holds_zero = paired[(paired["lower"] <= 0) & (paired["upper"] >= 0)]
    assert (holds_zero["verdict"] == "tie").all()
    assert "zones" in comparison.verdict()


def test_the_same_seed_gives_the_same_comparison(town, training, comparison):
    again = compare(town, training, seed=2, draws=200)
    pd.testing.assert_frame_equal(again.scores, comparison.scores)
    pd.testing.assert_frame_equal(again.paired, comparison.paired)


def test_a_test_that_was_trained_on_is_refused(town, training):
    with pytest.raises(ShortHistoryError, match="training part"):
        compare(town, training, test_from=town.times[3 * 96])


def test_refit_learns_the_test_days_and_keeps_the_choices(town, training):
    final = refit(training, town)
    assert final.train_end == town.origin(len(town) - 1)
    assert {k: m.family for k, m in final.micromodels.items()} == {k: m.family for k, m in training.micromodels.items()}
    origin = pd.DatetimeIndex([town.origin(len(town) - 1)])
    for model in (*final.micromodels.values(), *final.macromodels.values(), *final.mixes.values()):
        assert np.isfinite(model.forecast(town, origins=origin)).all()


def test_progress_ends_complete(town, end):
    seen = []
    train(town, targets=("speed_mps",), train_end=end, progress=lambda done, total, message: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_latency_is_that_of_real_calls(town, training):
    models = [training.micromodels["Z01", "speed_mps"]]
    p50, p99 = latency_ms(town, models, np.arange(1300, 1400), calls=20)
    assert 0 < p50 <= p99 < 1000


def test_bad_air_makes_air_the_task_and_a_jam_makes_it_speed(town):
    """Daily means of 45 and an annual limit of 20: 225 %. Speeds of 4 against 12 m/s: 200 % longer."""
    flat = np.ones((len(town), 3))
    slow = np.where(np.arange(len(town))[:, None] % 5 == 0, 4.0, 12.0) * flat
    panel = replace(town, values={"speed_mps": slow, "no2_ug_per_m3": 45 * flat, "flow_veh_per_h": 100 * flat})
    assert stake(panel, "no2_ug_per_m3", "Z01") == pytest.approx(2.25)
    assert stake(panel, "speed_mps", "Z01") == pytest.approx(2.0)
    assert choose_task(panel, "Z01", ("speed_mps", "flow_veh_per_h", "no2_ug_per_m3"))[0] == "no2_ug_per_m3"
    clean = replace(panel, values={**panel.values, "no2_ug_per_m3": 5 * flat})
    assert choose_task(clean, "Z01", ("speed_mps", "flow_veh_per_h", "no2_ug_per_m3"))[0] == "speed_mps"
    free = replace(clean, values={**clean.values, "speed_mps": 12 * flat})
    assert choose_task(free, "Z01", ("speed_mps", "flow_veh_per_h", "no2_ug_per_m3"))[0] == "flow_veh_per_h"
    assert choose_task(free, "Z01", ("no2_ug_per_m3",))[0] == "no2_ug_per_m3"


def test_settings_are_tuned_before_the_validation_part_and_say_why(town, end):
    """Three tries of a tree: one of its sizes is taken, with the reason; what follows the ninth day changes nothing."""
    asked = {"targets": ("speed_mps",), "train_end": end, "families": ("tree",), "tries": 3, "seed": 2}
    trained = train(town, **asked)
    why = trained.tuned["tree", "speed_mps"]
    assert any(ch.isdigit() for ch in why)
    cut = 9 * 96
    later = {k: np.concatenate([v[:cut], np.roll(v[cut:], 7, axis=0)]) for k, v in town.values.items()}
    again = train(replace(town, values=later), **asked)
    assert again.tuned == trained.tuned
