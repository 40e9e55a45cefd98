"""The library on a panel: what is told of it adds up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.benchmarks.models.gaps import gap_figures, gaps
from app.benchmarks.models.library import AS_LEARNED, AUTOMATIC, run_library
from app.benchmarks.models.run import choice_figures, interval_figures
from app.benchmarks.models.score import scores
from models.intervals import QUANTILES
from models.scale import to_scale


@pytest.fixture(scope="module")
def ours(bench):
    return run_library(bench, families=("ridge", "macro_ridge"), seed=1)


def values(figures) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in figures}


def test_the_automatic_choice_is_one_of_what_may_serve_in_every_zone(ours):
    for z in range(len(ours.bench.zone_ids)):
        there = [ours.forecasts[name][:, z] for name in ("micromodel", "macromodel", "mix")]
        assert any(np.array_equal(ours.forecasts[AS_LEARNED][:, z], one) for one in there)


def test_the_choice_is_told_by_the_scores_it_was_made_of(ours, bench):
    scored = {name: scores(bench, forecast) for name, forecast in ours.forecasts.items()}
    told = values(choice_figures(ours, scored))
    better = min(scored["ridge"]["1 h"].mae, scored["macro_ridge"]["1 h"].mae)
    assert told["toy 1 h: automatic over the better kind, MAE"] == pytest.approx(scored[AUTOMATIC]["1 h"].mae / better)


def test_the_gap_is_that_of_the_maes_and_splits_into_shift_and_optimism(ours, bench):
    """(test / validation) of the model is the naive model's own, times one plus optimism."""
    told, validated = values(gap_figures(ours)), ours.validated()
    for model in ("ridge", "macro_ridge"):
        gap = told[f"toy 6 h: {model}, test over validation MAE"]
        assert gap == pytest.approx(scores(bench, ours.forecasts[model])["6 h"].mae / validated[model]["6 h"], rel=1e-4)
        shift = told[f"toy 6 h: {model}, of which shift of the data (last value)"]
        assert gap == pytest.approx(shift * (1 + told[f"toy 6 h: {model}, optimism"]))


def test_intervals_are_told_for_every_figure_and_none_is_wider_than_the_training_range(ours):
    told = values(interval_figures(ours))
    for task in ("1 h", "6 h", "24 h"):
        assert 0.7 < told[f"toy {task}: 90 % interval, coverage"] < 1.0
        assert told[f"toy {task}: 90 % interval, widest over the training range"] <= 1.0


def test_parts_of_a_gap_make_up_its_optimism_and_are_told(ours):
    """With each kind's only family, choosing costs nothing; the mix's weights have seen what they are judged on."""
    figures, words = gaps(ours)
    told = values(figures)
    for task in ("1 h", "6 h", "24 h"):
        assert told[f"toy {task}: ridge, optimism by choosing (nested over plain validation)"] == pytest.approx(
            0.0, abs=1e-6
        )
        assert told[f"toy {task}: mix, optimism by choosing (nested over plain validation)"] > -0.01
        assert "because the data changed" in words[f"{task}: ridge"]


def test_a_model_that_learns_the_first_half_of_the_test_part_forecasts_the_second_alone(ours):
    from app.benchmarks.models.gaps import _learned_on

    bench, found = ours.bench, _learned_on(ours, "ridge")
    middle = (bench.test_from + len(bench.panel)) // 2
    changed = (found != ours.forecasts["ridge"]).any(axis=(1, 2))
    assert not changed[bench.origins < middle - 1].any() and changed[bench.origins >= middle - 1].all()


def test_the_choice_as_it_serves_is_the_median_of_its_quantiles_and_follows_a_drift(ours, bench):
    """A constant added to a family's test forecasts is taken off again by what follows errors."""
    np.testing.assert_array_equal(ours.forecasts[AUTOMATIC], ours.quantiles[..., QUANTILES.index(0.5)])
    shifted = {name: to_scale(bench.target, forecast + 3.0) for name, forecast in ours.forecasts.items()}
    aside = replace(ours, levels=shifted)
    late = bench.origins > bench.origins[0] + 4 * 24
    learned = np.nanmean(np.abs(bench.actual - ours.forecasts["ridge"] - 3.0)[late])
    assert np.nanmean(np.abs(bench.actual - aside.following("ridge"))[late]) < 0.99 * learned
