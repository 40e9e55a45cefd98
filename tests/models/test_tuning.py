"""Tuning: folds without leaks, searches that repeat, budgets that hold, simple settings where they are as good."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import SettingsError, ShortHistoryError
from models.tuning import Budget, rolling_folds, tune, tune_each
from models.tuning.each import choose_zones
from models.tuning.scoring import DaySums, point_losses, standard_error
from models.tuning.search import TunerMissingError, grid_order, random_order

if "small_line" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("small_line", Path(__file__).parent / "small_line.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["small_line"] = _module
    _spec.loader.exec_module(_module)

from small_line import DAY, CityLine, Line, days, made_rows, outcomes


def test_every_outcome_fitted_on_was_known_before_the_first_row_scored():
    """100 rows, first half, gap 4: fits end at 46 and 71, blocks are 50-75 and 75-100."""
    folds = rolling_folds(100, folds=2, gap=4)
    assert [(f.fit.start, f.fit.stop, f.score.start, f.score.stop) for f in folds] == [
        (0, 46, 50, 75),
        (0, 71, 75, 100),
    ]


def test_blocks_begin_with_a_day():
    """250 rows of days of 24 that begin at hour 5: day starts are 19, 43, ...; all cuts but the end are among them."""
    day = (np.arange(250) + 5) // DAY
    starts = set(np.flatnonzero(np.diff(day)) + 1)
    folds = rolling_folds(250, folds=3, gap=3, day=day)
    assert all(f.score.start in starts for f in folds)
    assert folds[-1].score.stop == 250 and all(f.fit.stop == f.score.start - 3 for f in folds)


def test_too_few_rows_say_how_many_there_would_be():
    with pytest.raises(ShortHistoryError, match="fewer folds, shorter horizons or a longer history"):
        rolling_folds(60, folds=3, gap=24)


def test_all_faults_of_folds_are_named_at_once():
    with pytest.raises(SettingsError, match=r"folds=0.*gap=-1.*first=1.*oldest first"):
        rolling_folds(3, folds=0, gap=-1, first=1.0, day=np.array([2, 1, 1]))


def test_changing_outcomes_inside_a_gap_or_after_a_block_changes_no_score_of_that_fold():
    """Outcomes of the rows between fit and block are never fitted on nor scored."""
    rows = made_rows()
    y = outcomes(rows)
    first = tune(Line, rows, y, budget=1, day=days(rows), gap=30)
    changed = y.copy()
    for fold in first.folds[:1]:
        changed[fold.fit.stop : fold.score.start] = 99.0
    again = tune(Line, rows, changed, budget=1, day=days(rows), gap=30)
    assert again.tries[0].fold_losses[0] == first.tries[0].fold_losses[0]
    assert again.tries[0].fold_losses[1] != first.tries[0].fold_losses[1]


def test_the_loss_of_a_quantile_weighs_what_lies_above_by_its_level():
    """0.9 quantile, twice the pinball loss: 1 above costs 1.8, 1 below costs 0.2."""
    assert point_losses(np.array([2.0, 0.0]), np.array([1.0, 1.0]), 0.9) == pytest.approx([1.8, 0.2])


def test_a_loss_of_one_is_that_of_the_usual_value():
    """A line with an enormous penalty forecasts 0 everywhere."""
    rows = made_rows()
    found = tune(Line, rows, outcomes(rows), budget=1, fixed={"penalty": 1e12}, space={"features": (3,)})
    assert found.tries[0].loss == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("method", ["grid", "random", "optuna"])
def test_the_setting_that_generalises_is_found_and_the_same_every_time(method):
    """Six signals of equal size: six features forecast best, and a penalty of 1,000 rows draws them far towards 0."""
    if method == "optuna" and importlib.util.find_spec("optuna") is None:
        pytest.skip("Optuna is not installed: pip install 'zonewise[tuning]'")
    rows = made_rows()
    y = (rows.common.sum(axis=2, keepdims=True) + np.zeros((1, 1, 2))).astype(np.float32)
    found = [tune(Line, rows, y, method=method, budget=12, seed=4, day=days(rows)) for _ in range(2)]
    assert found[0].best == {"features": 6, "penalty": 1.0}
    assert [(t.places, t.fold_losses, t.why) for t in found[0].tries] == [
        (t.places, t.fold_losses, t.why) for t in found[1].tries
    ]
    assert len({t.places for t in found[0].tries}) == len(found[0].tries) <= 6
    assert found[0].reason == found[1].reason


def test_hopeless_settings_are_given_up_after_the_first_fold():
    """One feature of six leaves 5/6 of the variance: far worse than the default's three."""
    rows = made_rows()
    y = (rows.common.sum(axis=2, keepdims=True) + np.zeros((1, 1, 2))).astype(np.float32)
    found = tune(Line, rows, y, budget=20, day=days(rows))
    one = [t for t in found.tries if t.settings["features"] == 1]
    assert all(t.pruned and len(t.fold_losses) == 1 and "hopeless" in t.why for t in one)
    assert len(found.table) == 6 and found.table["chosen"].sum() == 1
    assert found.table.loc[found.table["pruned"], "folds"].max() < 3


def test_the_simplest_of_equals_is_taken():
    """Outcomes follow the first feature alone: five features more change next to nothing and are not taken."""
    rows = made_rows(n=24 * 60)
    found = tune(Line, rows, outcomes(rows), space={"features": (1, 3, 6)}, day=days(rows))
    assert found.best["features"] == 1 and found.chosen != 0
    assert "features=1" in found.reason


def test_a_budget_of_tries_is_kept():
    rows = made_rows()
    found = tune(Line, rows, outcomes(rows), budget=3, method="random", seed=1)
    assert len(found.tries) == 3 and found.tries[0].settings == {"features": 3, "penalty": 1.0}


def test_a_budget_of_processor_time_ends_the_search(monkeypatch):
    """A clock that moves on by 1 s at each look: 40 s do not suffice for 20 tries of three folds."""
    ticks = iter(range(100_000))
    monkeypatch.setattr("models.tuning.trials.time.process_time", lambda: float(next(ticks)))
    rows = made_rows()
    space = {"features": (1, 2, 3, 4, 6), "penalty": (1000.0, 100.0, 10.0, 1.0)}
    found = tune(Line, rows, outcomes(rows), budget=Budget(tries=20, cpu_s=40.0), space=space)
    assert 1 < len(found.tries) < 20
    assert "40 CPU s were spent" in found.reason
    assert found.cpu_s <= 40.0 + 3.0  # one fold is three looks


def test_a_grid_larger_than_the_budget_is_spread_from_simple_to_complex():
    """100 settings, 5 tries: the start, then four from the simplest to the most complex."""
    order = grid_order([10, 10], (4, 4), 5)
    assert order[0] == (4, 4) and order[1] == (0, 0) and order[-1] == (9, 9) and len(order) == 5


def test_random_settings_never_repeat_even_in_a_huge_space():
    order = random_order([100, 100, 100], (0, 0, 0), 300, seed=2)
    assert len(order) == len(set(order)) == 300
    assert random_order([], (), 5, seed=0) == [()]


def test_a_setting_that_a_family_refuses_is_recorded_and_passed_over():
    rows = made_rows()
    found = tune(Line, rows, outcomes(rows), space={"features": (3, 5, 6)})
    refused = next(t for t in found.tries if t.settings["features"] == 5)
    assert refused.pruned and "five features are not allowed" in refused.why
    assert found.best["features"] != 5


def test_a_sample_of_zones_is_seeded_and_skips_zones_without_outcomes():
    Line.seen.clear()
    rows = made_rows(zones=8)
    y = outcomes(rows)
    y[:, 3] = np.nan
    found = tune(Line, rows, y, budget=1, max_zones=5, seed=9)
    assert {s["zones"] for s in Line.seen} == {5}
    assert found.tries[0].sums.count.shape[1] == 5 and (found.tries[0].sums.count.sum(axis=0) > 0).all()


def test_all_faults_of_a_request_are_named_at_once():
    rows = made_rows()
    with pytest.raises(
        SettingsError, match=r"no setting \['depth'\].*no values for.*no method 'magic'.*0 tries.*shape"
    ):
        tune(Line, rows, outcomes(rows)[:-1], method="magic", budget=0, space={"depth": ()})


def test_a_missing_optuna_is_told_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    rows = made_rows()
    with pytest.raises(TunerMissingError, match=r"zonewise\[tuning\].*method='random'"):
        tune(Line, rows, outcomes(rows), method="optuna")


def test_the_standard_error_of_independent_days_is_their_spread_over_root_n():
    """400 standard normal days: 1 / 20; days that alternate count no less, days that last count for more."""
    daily = np.random.default_rng(0).standard_normal(400)
    assert standard_error(daily) == pytest.approx(0.05, rel=0.15)
    assert standard_error(np.repeat(daily[:200], 2)) > 1.25 * standard_error(daily[:200]) / np.sqrt(2)
    assert standard_error(np.array([1.0])) == np.inf


def day_sums(rates: np.ndarray) -> DaySums:
    return DaySums(rates * 24, np.full(rates.shape, 24.0))


def test_zones_that_differ_by_chance_alone_all_take_the_shared_setting():
    """200 zones, 20 days, equal settings: differences are noise, so that next to none leaves the shared best."""
    rng = np.random.default_rng(3)
    a, b = (1 + 0.1 * rng.standard_normal((20, 200)) for _ in range(2))
    chosen, gain = choose_zones([day_sums(a), day_sums(b)], 0)
    assert (chosen != 0).mean() <= 0.05
    assert (gain[chosen == 0] == 0).all()


def test_zones_that_really_differ_take_their_own_setting():
    """In half of the zones the other setting loses 0.1 less each day, in the others 0.1 more (noise of a day 0.1)."""
    rng = np.random.default_rng(4)
    a = 1 + 0.1 * rng.standard_normal((20, 200))
    b = a + np.where(np.arange(200) < 100, -0.1, 0.1) + 0.1 * rng.standard_normal((20, 200))
    chosen, gain = choose_zones([day_sums(a), day_sums(b)], 0)
    assert (chosen[:100] == 1).mean() > 0.95 and (chosen[100:] == 0).all()
    assert gain[:100].mean() == pytest.approx(0.1, abs=0.015)


def test_each_zone_can_have_its_own_setting():
    """Zones 0 and 1 follow the first feature alone, zones 2 and 3 all six: one setting for both kinds costs one."""
    rows = made_rows(n=24 * 30, zones=12)
    y = outcomes(rows, noise=1.0)
    y[:, 6:] += rows.common[:, 6:, 1:].sum(axis=2, keepdims=True)
    found = tune_each(Line, rows, y, candidates=[{"features": 1}, {"features": 6}], day=days(rows))
    assert found.shared == 1
    assert set(found.chosen[6:]) == {1}
    assert found.losses.shape == (2, 12) and "expected to lose" in found.reason
    result = tune(Line, rows, y, day=days(rows), budget=6)
    from_result = tune_each(Line, rows, y, candidates=result, day=days(rows), most=3)
    assert result.best in [{**s} for s in from_result.settings] and len(from_result.settings) <= 3


def test_a_model_of_the_city_cannot_be_tuned_by_zone():
    rows = made_rows()
    with pytest.raises(SettingsError, match=r"one model for the city.*no candidates"):
        tune_each(CityLine, rows, outcomes(rows), candidates=[])
