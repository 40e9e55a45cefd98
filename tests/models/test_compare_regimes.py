"""Regimes: peaks by the zone's own usual day, incidents by its own spread, gaps before the origin, sums by block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.backtest import TestRows
from models.panel import Panel
from models.regimes import (
    CLOCK,
    REGIMES,
    UsualDays,
    clock_regimes,
    missing_share,
    regime_pairs,
    regime_sums,
    regime_table,
)

H = np.arange(24)


def place(name: str) -> int:
    return REGIMES.index(name)


def test_peaks_are_the_two_worst_hours_of_the_zones_own_usual_weekday():
    """Flow is highest at 7-9 and 16-18 in zone 0, at 10-12 and 14-16 in zone 1; nights end at 5, begin at 23."""
    mean = np.ones((2, 3, 24))
    mean[0, 0, [7, 8, 16, 17]] = 5.0
    mean[1, 0, [10, 11, 14, 15]] = 5.0
    found = clock_regimes(mean)
    names = np.array(CLOCK)[found]
    assert (H[names[0, 0] == "morning_peak"] == [7, 8]).all() and (H[names[0, 0] == "evening_peak"] == [16, 17]).all()
    assert (H[names[1, 0] == "morning_peak"] == [10, 11]).all() and (H[names[1, 0] == "evening_peak"] == [14, 15]).all()
    assert (H[names[0, 0] == "night"] == [0, 1, 2, 3, 4, 23]).all()
    assert (names[0, 0] == "off_peak").sum() == 24 - 4 - 6
    assert (names[:, 1:, 5:23] == "weekend").all() and (names[:, 1:, :5] == "night").all()


def test_a_speed_peaks_where_it_is_low():
    mean = np.full((1, 3, 24), 10.0)
    mean[0, 0, [7, 8, 16, 17]] = 4.0
    mean[0, 0, [10, 11]] = 14.0
    found = clock_regimes(mean, burden=-1)[0, 0]
    assert (H[found == CLOCK.index("morning_peak")] == [7, 8]).all()


def test_daily_values_have_no_hours():
    assert (clock_regimes(np.ones((2, 3, 1))) == -1).all()


def test_the_share_missing_is_that_of_the_hour_before_the_origin():
    """Steps of 15 min: of positions 2..5 two are missing, of 6..9 none; position 1 has two readings behind it."""
    values = np.ones((10, 1))
    values[[0, 3, 4], 0] = np.nan
    assert missing_share(values, np.array([5, 9, 1]), 900)[:, 0].tolist() == [0.5, 0.0, 0.5]
    assert missing_share(values, np.array([3, 5]), 3600)[:, 0].tolist() == [1.0, 0.0]


def test_sums_by_block_and_regime_add_up_by_hand():
    """Two blocks of two origins, two zones: errors 1..8; the incident is zone 1 of origin 0 and zone 0 of origin 3."""
    error = np.arange(1.0, 9.0).reshape(4, 2, 1)
    event = np.full((1, 4, 2, 1), place("ordinary"))
    event[0, 0, 1], event[0, 3, 0] = place("incident"), place("incident")
    event[0, 1, 0] = -1
    sums = regime_sums(error, event, np.array([0, 0, 1, 1]))
    assert sums[:, place("incident"), 0].tolist() == [2.0, 7.0]
    assert sums[:, place("ordinary"), 0].tolist() == [1.0 + 4.0, 5.0 + 6.0 + 8.0]
    assert sums[:, place("all"), 0].tolist() == [10.0, 26.0]
    assert sums[:, place("night"), 0].tolist() == [0.0, 0.0]


def test_the_table_has_means_counts_and_only_regimes_that_occur():
    """Six days of two rows: incidents err by 3 each day, ordinary rows by 1: means 3 and 1, all 2; bounds collapse."""
    total, count = np.zeros((6, len(REGIMES), 1)), np.zeros((6, len(REGIMES), 1))
    total[:, place("incident")], total[:, place("ordinary")], total[:, 0] = 3.0, 1.0, 4.0
    count[:, place("incident")], count[:, place("ordinary")], count[:, 0] = 1, 1, 2
    table = regime_table("ridge", "speed_mps", (900,), total, count, draws=99, seed=0).set_index("regime")
    assert table["mae"].to_dict() == {"all": 2.0, "ordinary": 1.0, "incident": 3.0}
    assert table["n"].to_dict() == {"all": 12, "ordinary": 6, "incident": 6}
    np.testing.assert_allclose(table["lower"], table["mae"])
    np.testing.assert_allclose(table["upper"], table["mae"])


def test_a_model_better_in_incidents_alone_is_told_there_alone():
    """Twelve days: in incidents the micromodel errs by 2 less give or take 0.2, else by 0 give or take 1."""
    rng = np.random.default_rng(1)
    count = np.zeros((12, len(REGIMES), 1))
    count[:, [place("ordinary"), place("incident")]] = 10
    macro = 5.0 * count
    micro = macro.copy()
    micro[:, place("incident"), 0] -= 10 * (2 + 0.2 * rng.normal(size=12))
    noise = rng.normal(size=12)
    micro[:, place("ordinary"), 0] += 10 * (noise - noise.mean())
    table = regime_pairs("speed_mps", (900,), {"micromodel": micro, "macromodel": macro}, count, draws=499, seed=0)
    table = table.set_index("regime")
    assert table["verdict"].to_dict() == {"ordinary": "tie", "incident": "micromodel"}
    assert table.loc["incident", "difference"] == pytest.approx(-2, abs=0.2)
    assert (table["p_corrected"] >= table["p"]).all()


def test_one_reading_in_forty_of_the_training_part_is_an_incident():
    city = synthetic_city.panel(zones=4, days=21, seed=5)
    zones = city.sensed("speed_mps")
    usual = UsualDays.fit(city, target="speed_mps", zone_ids=zones)
    rows = TestRows.of(
        city, target="speed_mps", zone_ids=zones, test_from=city.times[96], test_to=city.times[-1], steps=(4,)
    )
    event = usual.regimes(city, rows, zone_ids=zones, steps=(4,))[1]
    share = (event == place("incident")).sum(axis=(0, 2)) / (event >= 0).sum(axis=(0, 2))
    assert (share < 0.04).all() and (share > 0.008).all()
    assert (event[~np.isfinite(rows.actual)] == -1).all()


def test_a_crash_and_a_dead_detector_are_found_where_they_are():
    """Ten equal days with noise; at 12:00 of the last day zone B falls to a tenth, and from 14:00 it is silent."""
    times = pd.date_range("2025-03-03", periods=240, freq="h", tz="UTC")
    rng = np.random.default_rng(0)
    speed = 10 + np.sin(2 * np.pi * (np.arange(240) % 24) / 24)[:, None] + 0.3 * rng.normal(size=(240, 2))
    crash, dead = 9 * 24 + 12, slice(9 * 24 + 14, 240)
    speed[crash, 1], speed[dead, 1] = 1.0, np.nan
    panel = Panel(times=times, zone_ids=("A", "B"), values={"speed_mps": speed}, step_s=3600)
    usual = UsualDays.fit(panel.until(9 * 24), target="speed_mps", zone_ids=("A", "B"))
    rows = TestRows.of(
        panel, target="speed_mps", zone_ids=("A", "B"), test_from=times[9 * 24], test_to=times[-1], steps=(1,)
    )
    clock, event, heard = usual.regimes(panel, rows, zone_ids=("A", "B"), steps=(1,))[..., 0]
    at = {int(k) + 1: row for row, k in enumerate(rows.known)}
    assert event[at[crash], 1] == place("incident") and event[at[crash - 1], 1] == place("ordinary")
    assert event[at[crash + 3], 1] == -1
    assert heard[at[crash + 2], 1] == place("heard") and heard[at[crash + 3], 1] == place("silent")
    assert (heard[:, 0] == place("heard")).all()
    assert clock[at[9 * 24 + 3], 0] == place("night")  # a Wednesday, 3:00


def test_fewer_than_five_days_are_cut_in_quarters():
    """Three days from midnight: 12 quarters of 6 h, the first a step short; six days stay days."""
    city = synthetic_city.panel(zones=1, days=12, seed=1, step_s=3600)
    start = city.times[5 * 24 - 2]  # midnight in Helsinki
    given = {"target": "speed_mps", "zone_ids": city.zone_ids, "steps": (1,)}
    short = TestRows.of(city, test_from=start, test_to=start + pd.Timedelta(days=3), **given)
    assert np.bincount(short.block).tolist() == [6] * 12
    long = TestRows.of(city, test_from=start, test_to=start + pd.Timedelta(days=6), **given)
    assert long.block is long.day and np.bincount(long.block).tolist() == [24] * 6
