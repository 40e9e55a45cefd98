"""Scores by hand, and when one forecast beats another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.benchmarks.models.score import blocks_of, differences, scores, zone_maes
from models.errors import PanelError


def test_errors_are_averaged_over_the_steps_of_a_figure(bench):
    """Forecasts 1 too high at step 1 and 3 too low at step 2: MAE (1 + 3) / 2, RMSE sqrt((1 + 9) / 2); in telling unit
    of which two make one of the panel's, doubled."""
    whole = np.nan_to_num(bench.panel.values[bench.target], nan=40.0)
    both = replace(
        bench, panel=replace(bench.panel, values={bench.target: whole}), horizons={"first": (1,), "both": (1, 2)},
        whole_window=True, per_unit=2.0,
    )  # fmt: skip
    told = scores(both, both.actual + np.array([1.0, -3.0]))
    assert (told["first"].mae, told["first"].rmse) == pytest.approx((2.0, 2.0))
    assert (told["both"].mae, told["both"].rmse) == pytest.approx((4.0, 2.0 * np.sqrt(5.0)))
    assert told["first"].n == np.isfinite(both.actual[:, :, 0]).sum()


def test_what_was_filled_in_does_not_count_where_masked(bench):
    """Five readings on a line: the three inner ones are left out, and the great error there with them."""
    grid = bench.panel.values[bench.target].copy()
    grid[600:605, 0] = np.linspace(10.0, 50.0, 5)
    one = replace(bench, horizons={"1 h": (1,)}, panel=replace(bench.panel, values={bench.target: grid}))
    forecasts = one.actual.copy()
    forecasts[601 - one.origins[0] - 1 : 604 - one.origins[0] - 1, 0] += 1000.0
    assert scores(one, forecasts)["1 h"].mae > 1.0
    assert scores(one, forecasts, masked=True)["1 h"].mae == 0.0
    assert scores(one, forecasts)["1 h"].n - scores(one, forecasts, masked=True)["1 h"].n >= 3


def test_forecasts_of_another_shape_are_refused(bench):
    with pytest.raises(PanelError, match=r"\(origins, zones, steps\) = \(144, 4, 3\); found \(144, 4, 2\)"):
        scores(bench, bench.actual[:, :, :2])


def test_zones_are_scored_one_by_one(bench):
    """Zone 2 is 5 off, the others are right; only its own MAE tells, and a choice of zones leaves it out."""
    forecasts = bench.actual.copy()
    forecasts[:, 2] += 5.0
    assert zone_maes(bench, forecasts)["6 h"] == pytest.approx([0.0, 0.0, 5.0, 0.0])
    assert scores(bench, forecasts, zones=[0, 1, 3])["6 h"].mae == 0.0


def test_a_forecast_that_is_always_better_beats_the_other(bench):
    """Errors 1 and 2 everywhere: every draw of days gives -1, half of the other's error."""
    found = differences(bench, bench.actual + 1.0, bench.actual - 2.0)["1 h"]
    assert (found.mean, found.lower, found.upper, found.share) == pytest.approx((-1.0, -1.0, -1.0, -0.5))
    assert found.beats and found.verdict == "better" and found.blocks == 6
    turned = differences(bench, bench.actual - 2.0, bench.actual + 1.0, measure="rmse")["1 h"]
    assert turned.worse and turned.verdict == "worse" and turned.mean == pytest.approx(1.0)


def test_a_lead_that_hangs_on_one_day_is_no_difference(bench):
    """Five days 0.1 worse and one 3 better: on average 0.4 better, but days are few, and a draw may miss that one."""
    theirs = bench.actual + 5.0
    gap = np.where(bench.days == bench.days[0], -3.0, 0.1)
    found = differences(bench, theirs + gap[:, None, None], theirs)["1 h"]
    assert found.mean < -0.3 and found.upper > 0.0
    assert not found.beats and found.verdict == "no difference"


def test_the_bootstrap_follows_its_seed(bench):
    noisy = bench.actual + np.random.default_rng(1).normal(size=bench.actual.shape)
    first = differences(bench, noisy, bench.actual + 0.8, seed=4)
    assert first == differences(bench, noisy, bench.actual + 0.8, seed=4)
    assert first["1 h"].lower != differences(bench, noisy, bench.actual + 0.8, seed=5)["1 h"].lower


def test_a_few_days_are_cut_into_blocks_of_three_hours(bench):
    """Two days of hourly origins, of which the last hour has nothing to forecast: 16 blocks of three hours."""
    short = replace(bench, test_from=bench.test_from + 4 * 24)
    assert np.unique(blocks_of(short)).size in (16, 17)
    assert np.unique(blocks_of(bench)).size == 6


def test_only_cells_that_both_forecast_are_compared(bench):
    """Ours was run for every fifth origin; theirs is 9 off at all others, which does not count."""
    ours = np.full(bench.actual.shape, np.nan)
    ours[::5] = bench.actual[::5] + 1.0
    theirs = bench.actual + 9.0
    theirs[::5] = bench.actual[::5] + 1.0
    assert differences(bench, ours, theirs)["1 h"].mean == pytest.approx(0.0)
