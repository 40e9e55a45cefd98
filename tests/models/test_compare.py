"""The comparison's tables: verdicts corrected for many zones, words, costs, new zones and periods, seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_city

import models.compare as module
from models.backtest import bounds
from models.compare import Comparison, compare, paired_table
from models.compare_seeds import compare_seeds
from models.costs import COLUMNS, CORE_W, memory_bytes
from models.errors import SettingsError
from models.outcome import outcome
from models.regimes import REGIMES
from models.significance import PairSums, paired_test
from models.training import train
from models.transfer import NEW_PERIOD, NEW_ZONES, contenders, new_period, new_zones

GIVEN = {"draws": 99, "seed": 1}


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=4, days=20, seed=7, step_s=3600)


@pytest.fixture(scope="module")
def trainings(town):
    end = town.times[14 * 24]
    families = ("ridge", "tree", "macro_ridge")
    return [
        train(town, targets=("speed_mps",), train_end=end, families=families, seed=seed, guard=False) for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def comparison(town, trainings):
    return compare(town, trainings[0], horizons_s=(3600, 86_400), thorough=True, **GIVEN)


def made(gap: np.ndarray, *, noise: float, days: int = 20, seed: int = 0) -> PairSums:
    """Days of 24 rows: macromodel errs by 10, micromodel by 10 + gap (Z,) + noise by day."""
    rng = np.random.default_rng(seed)
    count = np.full((days, gap.size, 1), 24.0)
    b = 10.0 * count
    return PairSums(b + count * (gap[:, None] + noise * rng.normal(size=(days, gap.size, 1))), b, count)


def test_a_clear_winner_a_small_one_and_none():
    """Zone A is better by 2 of 10 give or take 0.5 a day, B by 0.05 (under 1 %) give or take 0.01, C by nothing."""
    sums = made(np.array([-2.0, -0.05, 0.0]), noise=0.0)
    sums.a[:, 0, 0] += 24 * 0.5 * np.random.default_rng(0).normal(size=20)
    sums.a[:, 1, 0] += 24 * 0.01 * np.random.default_rng(1).normal(size=20)
    table = paired_table("speed_mps", ["A", "B", "C"], (900,), paired_test(sums, **GIVEN)).set_index("zone_id")
    assert table["verdict"].tolist() == ["micromodel", "tie", "tie"]
    assert table.loc["B", "p_corrected"] < 0.05
    assert table.loc["A", "difference"] == pytest.approx(-2, abs=0.3)
    assert table.loc["A", "words"].startswith("the micromodel is better by")
    assert table.loc["C", "words"].startswith("no difference")
    assert table["n"].tolist() == [480, 480, 480]


def test_chance_in_one_zone_of_many_is_no_verdict():
    """200 zones without a difference: about 20 intervals of 90 % exclude 0, but no zone is called."""
    test = paired_test(made(np.zeros(200), noise=1.0), draws=999, seed=1)
    table = paired_table("speed_mps", [f"Z{k}" for k in range(200)], (900,), test)
    assert 8 <= ((table["lower"] > 0) | (table["upper"] < 0)).sum() <= 40
    assert (table["verdict"] == "tie").all()
    assert (table["p_corrected"] >= table["p"]).all()
    assert table["visible"].between(0.03, 0.25).all()


def test_what_was_visible_is_never_less_than_what_was_not_called():
    """Few days: a difference inside its own interval was not visible, however large."""
    test = paired_test(made(np.linspace(-0.5, 0.5, 30), noise=1.5, days=6), **GIVEN)
    table = paired_table("speed_mps", list(range(30)), (900,), test)
    inside = table[(table["lower"] < 0) & (table["upper"] > 0)]
    assert len(inside) > 20
    assert (inside["visible"] >= inside["difference"].abs() / inside["macro_mae"]).all()


def test_words_name_the_winner_the_interval_and_the_cost():
    """One zone of two won by 20 %; all zones 10 % less error: 1 m/s or 3.6 km/h."""
    sums = made(np.array([-2.0, 0.0]), noise=0.0)
    sums.a[:, 0, 0] += 24 * 0.1 * np.random.default_rng(0).normal(size=20)
    test, pooled = paired_test(sums, **GIVEN), paired_test(sums.pooled(), **GIVEN)
    costs = pd.DataFrame(
        [
            ["micromodel", "speed_mps", 2, 1.5, 1.0, 2.0, 4000.0, 10.0, 1.0, 0.25, np.nan, 18.0, 0.01],
            ["macromodel", "speed_mps", 2, 9.0, 7.0, 8.0, 2e6, 10.0, 1.0, 6.0, np.nan, 108.0, 0.08],
        ],
        columns=list(COLUMNS),
    )
    told = outcome(
        Comparison(
            scores=pd.DataFrame(), paired=paired_table("speed_mps", ["A", "B"], (900,), test), costs=costs,
            hourly=pd.DataFrame(), horizons_s=(900,), tests={"speed_mps": test}, pooled={"speed_mps": pooled},
        )
    )  # fmt: skip
    assert "Speed, 15 min ahead: micromodels win 1 of 2 zones (A by 20 %), the macromodel 0, 1 are ties" in told
    assert "Over all zones the micromodels have 10." in told or "Over all zones the micromodels have 9." in told
    assert "km/h; 90 % interval" in told
    assert "Chance left aside, micromodels erred less in 1 of 2." in told
    assert "about 18 and 108 J, a proxy" in told
    assert "Retraining one zone takes 0.25 s against 6.00 s" in told
    assert "4 kB and 2.0 MB" in told


def test_bounds_leave_out_what_was_not_resampled():
    """0..10: 5 % and 95 % lie at 0.5 and 9.5; without the first two (2..10) at 2.4 and 9.6; nothing gives nothing."""
    draws = np.tile(np.arange(11.0)[:, None], 3)
    draws[:2, 1], draws[:, 2] = np.nan, np.nan
    low, high = bounds(draws)
    np.testing.assert_allclose(low, [0.5, 2.4, np.nan])
    np.testing.assert_allclose(high, [9.5, 9.6, np.nan])


def test_a_short_test_is_doubted():
    empty = pd.DataFrame()
    paired = pd.DataFrame(columns=["target", "horizon_s"])
    given = {"scores": empty, "paired": paired, "costs": empty, "hourly": empty, "horizons_s": ()}
    assert "doubt" in Comparison(**given, test_days=3).verdict()
    assert "doubt" not in Comparison(**given, test_days=9).verdict()


def test_regimes_share_the_rows_of_the_scores_and_part_them(comparison):
    table = comparison.regimes.set_index(["model", "horizon_s", "regime"])
    scores = comparison.scores
    mae = scores[(scores["metric"] == "mae") & (scores["zone_id"] == "")].set_index(["model", "horizon_s"])
    assert set(comparison.regimes["regime"]) <= set(REGIMES)
    for (model, horizon), row in mae.iterrows():
        whole = table.loc[(model, horizon, "all")]
        assert whole["n"] == row["n"]
        assert whole["mae"] == pytest.approx(row["value"])
        for names in (("ordinary", "incident"), ("heard", "gaps", "silent")):
            parts = table.loc[[(model, horizon, name) for name in names if (model, horizon, name) in table.index]]
            assert parts["n"].sum() == row["n"]
            assert (parts["mae"] * parts["n"]).sum() / row["n"] == pytest.approx(row["value"])
    assert table.groupby(["horizon_s", "regime"])["n"].nunique().eq(1).all()


def test_incidents_are_harder_than_ordinary_rows_for_every_model(comparison):
    wide = comparison.regimes.pivot_table(index=["model", "horizon_s"], columns="regime", values="mae")
    assert (wide["incident"] > 1.5 * wide["ordinary"]).all()


def test_zones_scored_in_turns_give_what_all_together_give(town, trainings, comparison, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    again = compare(town, trainings[0], horizons_s=(3600, 86_400), **GIVEN)
    for name in ("scores", "paired", "hourly", "regimes"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(comparison, name), rtol=1e-5, atol=1e-6)


def test_costs_are_counted_for_every_kind(comparison):
    costs = comparison.costs.set_index("model")
    assert list(comparison.costs.columns) == list(COLUMNS)
    assert {"micromodel", "macromodel", "mix", "ridge", "tree", "macro_ridge", "last_value"} <= set(costs.index)
    assert (costs["fit_energy_j"] == CORE_W * costs["fit_seconds"]).all()
    assert (costs["latency_ms_p99"] >= costs["latency_ms_p50"]).all()
    retrained = costs.drop(index="mix")
    assert (retrained["retrain_seconds"] >= 0).all() and (retrained["retrain_peak_bytes"] > 1000).all()
    assert costs.loc["ridge", "parameters"] > costs.loc["historical_average", "parameters"]


def test_memory_counts_an_array_once_and_leaves_validation_out(trainings):
    """The same model twice weighs as once; its own records of validation are no part of it."""
    model = trainings[0].candidates["ridge", "speed_mps"]
    assert memory_bytes([model, model]) == memory_bytes([model]) == memory_bytes([model.bare()])
    assert memory_bytes([model]) >= model.profile.mean.nbytes + model.profile.spread.nbytes


def test_the_chosen_families_contend(trainings):
    found = contenders(trainings[0], "speed_mps")
    assert found["macromodel"].family == "macro_ridge"
    assert found["micromodel"].family in ("ridge", "tree")


def test_new_zones_are_scored_against_themselves_when_known(town, trainings, comparison):
    table = comparison.new_zones
    assert list(table.columns) == list(NEW_ZONES)
    assert set(table["zone_id"]) == {"", "Z01", "Z02", "Z03", "Z04"}
    np.testing.assert_allclose(table["price"], table["mae_sd"] / table["known_mae_sd"] - 1)
    whole = table[table["zone_id"] == ""].set_index(["model", "horizon_s"])
    parts = table[table["zone_id"] != ""]
    total = parts.assign(sum=parts["mae_sd"] * parts["n"]).groupby(["model", "horizon_s"])[["sum", "n"]].sum()
    np.testing.assert_allclose(whole["mae_sd"], (total["sum"] / total["n"]).loc[whole.index])
    assert (whole.xs(3600.0, level="horizon_s")["mae_sd"] < whole.xs(3600.0, level="horizon_s")["usual_mae_sd"]).all()
    known = np.arange(14 * 24, len(town) - 1)
    again = new_zones(town, trainings[0], "speed_mps", town.zone_ids, known, (1, 24), **GIVEN)
    pd.testing.assert_frame_equal(
        again, new_zones(town, trainings[0], "speed_mps", town.zone_ids, known, (1, 24), **GIVEN)
    )


def test_periods_left_out_follow_each_other_and_never_reach_the_test(town, trainings):
    """Spoil the test part: nothing changes. Two weeks in two parts of seven days."""
    table = new_period(town, trainings[0], "speed_mps", town.zone_ids, (1,), periods=2, **GIVEN)
    assert list(table.columns) == list(NEW_PERIOD)
    assert len(table) == 4
    assert (table["ends"] <= trainings[0].train_end).all()
    micro = table[table["model"] == "micromodel"]
    assert micro["ends"].iloc[0] < micro["begins"].iloc[1]
    np.testing.assert_allclose(table["skill"], 1 - table["mae_sd"] / table["usual_mae_sd"])
    spoiled = replace(
        town, values={k: np.concatenate([v[: 14 * 24 + 1], 0 * v[14 * 24 + 1 :]]) for k, v in town.values.items()}
    )
    pd.testing.assert_frame_equal(
        new_period(spoiled, trainings[0], "speed_mps", town.zone_ids, (1,), periods=2, **GIVEN), table
    )


def test_the_default_does_not_refit(town, trainings, comparison):
    quick = compare(town, trainings[0], horizons_s=(3600, 86_400), **GIVEN)
    assert quick.new_zones.empty and quick.new_period.empty
    assert set(quick.tables) == {"scores", "paired", "costs", "hourly", "regimes", "regime_pairs"}
    assert {"new_zones", "new_period"} <= set(comparison.tables)
    assert np.isfinite(quick.costs.set_index("model").loc[["micromodel", "macromodel"], "retrain_seconds"]).all()
    pd.testing.assert_frame_equal(quick.paired, comparison.paired)


def test_seeds_are_told_beside_days(town, trainings):
    """Means over two seeds, recomputed by hand from each comparison."""
    found = compare_seeds(town, trainings, horizons_s=(3600,), **GIVEN)
    each = [c.scores.set_index(["model", "zone_id", "metric"])["value"] for c in found.comparisons]
    row = found.scores.set_index("model").loc["macromodel"]
    values = [part["macromodel", "", "mae"] for part in each]
    assert row["mae"] == pytest.approx(np.mean(values))
    assert row["between_sd"] == pytest.approx(np.std(values, ddof=1))
    whole = found.paired[found.paired["zone_id"] == ""].iloc[0]
    shares = [part["micromodel", "", "mae"] / part["macromodel", "", "mae"] - 1 for part in each]
    assert whole["share"] == pytest.approx(np.mean(shares))
    zones = found.paired[found.paired["zone_id"] != ""]
    assert (zones[["micromodel", "macromodel", "tie"]].sum(axis=1) == 2).all()
    assert (zones.loc[zones["verdict"] != "tie", "tie"] == 0).all()
    assert "2 seeds" in found.verdict()


def test_seeds_that_are_no_seeds_are_refused(town, trainings):
    with pytest.raises(SettingsError, match=r"1 training\(s\)"):
        compare_seeds(town, trainings[:1])
    other = replace(trainings[0], train_end=town.times[9 * 24])
    with pytest.raises(SettingsError, match=r"repeat.*periods differ"):
        compare_seeds(town, [trainings[0], other])
