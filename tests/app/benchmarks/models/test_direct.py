"""Splits learned from directly, and what METR-LA's extras and the guard are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.benchmarks.models import guards, metr
from app.benchmarks.models.direct import N_LAGS, Split, flat_profile, lags_alone
from app.benchmarks.models.latency import made_panel, timed
from app.benchmarks.models.score import scores
from app.benchmarks.models.throughput import curve_figures
from models.rows import Layout, Rows


def test_a_flat_profile_is_the_mean_all_day():
    """Readings 1, 3 and a gap: mean 2, mean distance 1, SD 1, at every step and on every type of day."""
    found = flat_profile(np.array([[1.0], [3.0], [np.nan]]), 4)
    assert found.mean.shape == (1, 3, 4)
    assert (found.mean == 2.0).all() and (found.spread == 1.0).all() and found.scale[0] == 1.0


def test_lags_alone_hold_no_clock_no_yesterday_and_no_long_mean():
    names = ("own_lag_0", "own_lag_1", "own_mean_24h", "own_usual", "neighbours_lag_0", "near1_lag_0", "weather_x")
    common = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
    rows = Rows(
        common, np.ones((1, 1, 2, 3), np.float32), Layout(names, ("ahead_day", "ahead_sin1", "own_x_sin"), (1, 2))
    )
    found = lags_alone(rows)
    assert found.layout.names == ("own_lag_0", "own_lag_1", "neighbours_lag_0", "near1_lag_0")
    assert found.common.ravel().tolist() == [0.0, 1.0, 4.0, 5.0] and found.ahead.shape == (1, 1, 2, 0)


def test_a_model_of_lags_does_not_know_the_hour(bench):
    """The test rows of two origins with the same last readings are the same, whatever the clock says: all readings
    from 40 hours before the test part on are set to one value."""
    grid = bench.panel.values[bench.target].copy()
    grid[bench.test_from - 40 :] = 33.0
    constant = replace(bench, panel=replace(bench.panel, values={bench.target: grid}))
    split = Split.of_lags(constant)
    late = split.test.common[N_LAGS:]
    assert np.abs(late - late[:1]).max() < 1e-6
    assert np.abs(split.usual - split.usual[:1]).max() < 1e-9
    told = split.told(split.fit("ridge", seed=1)[0])[N_LAGS:]
    assert np.abs(told - told[:1]).max() < 1e-4


def test_what_a_split_learns_ends_before_the_test_part(bench):
    """Another test part changes neither rows nor outcomes learned from."""
    grid = bench.panel.values[bench.target].copy()
    grid[bench.test_from :] *= 7.0
    other = replace(bench, panel=replace(bench.panel, values={**bench.panel.values, bench.target: grid}))
    for make in (Split.of, Split.of_lags):
        ours, theirs = make(bench), make(other)
        assert np.array_equal(ours.rows.common, theirs.rows.common)
        assert np.array_equal(ours.outcome, theirs.outcome, equal_nan=True)
        assert int(ours.known.max()) < bench.test_from


def test_a_deviation_of_nought_is_the_usual_value(bench):
    split = Split.of(bench)
    nought = np.zeros(split.test.shape)
    assert split.level(nought) == pytest.approx(split.usual**2)  # NO2 is modelled by its square root
    assert split.level(nought[:, 1:3], np.array([1, 2])) == pytest.approx(split.usual[:, 1:3] ** 2)


def test_the_row_of_a_family_is_its_score(bench):
    """RMSE and MAE of every figure stand there as `scores` tells them, and targets are compared with RMSE."""
    found = scores(bench, bench.actual + 2.0)
    rows = metr._rows("x", bench, found, 1, {"1 h": 1.9, "6 h": 2.1})
    told = {row["name"]: (round(row["value"], 9), row["met"]) for row in rows}
    assert told["x, 1 h, RMSE"] == (2.0, False) and told["x, 6 h, RMSE"] == (2.0, True)
    assert told["x, 24 h, MAE"] == (2.0, None)


def test_new_sensors_are_scored_where_they_are_alone(bench):
    """A macromodel whose forecasts are exact in the zones left out, and far off elsewhere, has no error."""
    split = Split.of(bench)
    out = bench.left_out(seed=1)
    known = bench.actual + 50.0
    known[:, out] = bench.actual[:, out]
    told = {f["name"]: f["value"] for f in metr.new_sensor_figures(split, known, seed=1)}
    assert told[f"toy: {out.size} sensors left out, macromodel that knew them, 1 h, MAE"] == 0.0
    for kind in ("macromodel without them", "micromodels of donors", "micromodels of their own"):
        assert 0.0 < told[f"toy: {out.size} sensors left out, {kind}, 1 h, MAE"] < 20.0


def test_origins_are_thinned_by_a_divisor_of_the_day():
    assert guards.thinning(1000, 24, most=1000) == 1
    assert guards.thinning(5000, 24, most=1000) == 6
    assert guards.thinning(10**9, 24, most=1000) == 12
    assert guards.in_rows((3, 6, 9, 12), 4) == (1, 2, 3, 4)
    assert guards.in_rows((1, 4, 96), 8) == (1, 2, 12)


def test_nobody_is_promoted_with_exchanged_days(bench, monkeypatch):
    """A drifting common part can be forecast, but not from another day's."""
    monkeypatch.setattr(guards, "FAMILIES", {"ridge": {}})
    told = {f["name"]: f for f in guards.shuffled_figures(bench, seed=1)}
    exchanged = next(f for name, f in told.items() if "with exchanged days, most" in name)
    assert exchanged["value"] == 0 and exchanged["met"] is True
    assert told["toy: ridge, share of the usual value's error saved with true outcomes"]["value"] > 0.1
    assert told["toy: ridge, zones promoted with true outcomes"]["value"] == len(bench.zone_ids)


def test_each_call_is_timed():
    """Three origins, three times; the model is called for each of them."""
    seen = []

    class Still:
        def forecast(self, panel, *, origins):
            seen.append(origins)

    spent, wall = timed(Still(), made_panel(seed=1, zones=5, days=1), ["a", "b", "c"])  # type: ignore[arg-type,list-item]
    assert spent.shape == wall.shape == (3,) and (wall >= 0).all()
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_the_made_panel_follows_its_seed_and_has_gaps():
    first, again, other = (made_panel(seed=seed, zones=5, days=3) for seed in (1, 1, 2))
    flow = first.values["flow_veh_per_h"]
    assert np.array_equal(flow, again.values["flow_veh_per_h"], equal_nan=True)
    assert not np.array_equal(flow, other.values["flow_veh_per_h"], equal_nan=True)
    assert 0.005 < np.isnan(flow).mean() < 0.05 and np.nanmin(flow) > 0.0


def test_a_point_of_the_curve_is_told_by_its_settings():
    rows = [
        {"model": "XGBoost", "settings": {}, "zones_per_cpu_s": 5.0, "mae_of_reference": 1.0},
        {"model": "boosted_trees", "settings": {"max_depth": 2}, "zones_per_cpu_s": 40.0, "mae_of_reference": 1.1},
    ]
    found = curve_figures(rows, n=3)
    assert [f["name"] for f in found] == [
        "boosted trees curve (max_depth 2)", "boosted trees curve (max_depth 2), MAE / XGBoost 100 x depth 4",
    ]  # fmt: skip
    assert [f["value"] for f in found] == [40.0, 1.1]


def test_outcomes_are_centred_on_their_median():
    """1, 2 and 9 less 2; a zone that is never heard stays unknown."""
    nan = np.nan
    found = guards.centred(np.array([[[1.0], [nan]], [[9.0], [nan]], [[2.0], [nan]]], dtype=np.float32))
    np.testing.assert_array_equal(found[:, :, 0], [[-1.0, nan], [7.0, nan], [0.0, nan]])
