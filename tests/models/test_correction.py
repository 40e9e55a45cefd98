"""What a mix still misses: learned where it can be told beforehand, kept only where unseen days agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.baselines import HistoricalAverage, LastValue
from models.contract import Forecaster
from models.correction import BLOCKS, Moments
from models.ensemble import EnsembleForecaster
from models.families.boosted_xgboost import thinned
from models.intervals import QUANTILES
from models.panel import Panel

TARGET = "flow_veh_per_h"
DAYS, STEPS = 60, 24
MIDDLE = QUANTILES.index(0.5)


def made(pull: float, seed: int = 0) -> Panel:
    """Hourly readings of 12 zones that wander, and are pulled the way another quantity has just gone.

    No member sees the other quantity; only a correction can.
    """
    rng = np.random.default_rng(seed)
    n, zones = DAYS * STEPS, 12
    sign = rng.choice([-1.0, 1.0], size=(n, zones))
    root = np.zeros((n, zones))
    for k in range(1, n):
        root[k] = 0.6 * root[k - 1] + pull * sign[k - 1] + 0.5 * rng.standard_normal(zones)
    times = pd.date_range("2024-03-01", periods=n, freq="h", tz="UTC")
    return Panel(
        times=times.as_unit("us"), zone_ids=tuple(f"Z{k}" for k in range(zones)), step_s=3600,
        values={TARGET: (20.0 + root) ** 2, "speed_mps": 10.0 + sign},
    )  # fmt: skip


def mix_of(panel: Panel, *, correct: bool = True) -> EnsembleForecaster:
    members: list[Forecaster] = [LastValue(), HistoricalAverage()]
    mix = EnsembleForecaster(members, name="mix", correct=correct)
    return mix.fit(panel, target=TARGET, zone_ids=panel.zone_ids, train_end=panel.times[50 * STEPS], steps=(1, 6))


def error(model: Forecaster, panel: Panel) -> np.ndarray:
    """Mean absolute error of the days after training, by horizon."""
    known = np.arange(50 * STEPS, len(panel) - 6)
    points = model.forecast(panel, origins=panel.origin(known))[..., MIDDLE]
    actual = np.stack([panel.values[TARGET][known + step] for step in (1, 6)], axis=2)
    return np.abs(points - actual).mean(axis=(0, 1))


@pytest.fixture(scope="module")
def pulled():
    panel = made(1.0)
    return panel, mix_of(panel), mix_of(panel, correct=False)


def test_what_another_quantity_tells_is_learned_where_it_tells_something(pulled):
    """It tells of the next hour: the error, of which it is most, falls by more than a third; not of six hours on."""
    panel, corrected, plain = pulled
    assert corrected.correction.corrected == [0]
    assert plain.correction.corrected == []
    now, before = error(corrected, panel), error(plain, panel)
    assert now[0] < 0.65 * before[0]
    assert now[1] == before[1]


def test_where_nothing_is_left_to_tell_nothing_is_corrected():
    panel = made(0.0)
    assert mix_of(panel).correction.corrected == []


@pytest.mark.parametrize(("days", "corrected"), [(7, []), (15, [0])])
def test_a_horizon_that_unseen_days_hold_too_seldom_is_not_corrected(days, corrected):
    """Three blocks of 25 hours are asked for an hour; 7 days of training leave 2.8 unseen, 15 leave 6."""
    panel = made(1.0)
    mix = EnsembleForecaster([LastValue(), HistoricalAverage()], correct=True)
    mix.fit(panel, target=TARGET, zone_ids=panel.zone_ids, train_end=panel.times[days * STEPS], steps=(1, 6))
    assert mix.correction.corrected == corrected


def test_its_promise_and_its_intervals_are_those_of_unseen_days(pulled):
    panel, corrected, _ = pulled
    record = corrected.validation
    promised = np.nanmean(np.abs((record.level - record.reading)[:, :, 0]))
    known = np.arange(50 * STEPS, len(panel) - 6)
    levels = corrected._point(panel, known, np.arange(12), (1, 6))
    kept = np.abs(levels[:, :, 0] - np.sqrt(panel.values[TARGET][known + 1])).mean()
    assert kept == pytest.approx(promised, rel=0.1)
    quantiles = corrected.forecast(panel, origins=panel.origin(known))
    actual = panel.values[TARGET][known + 1]
    assert np.mean((quantiles[:, :, 0, 0] <= actual) & (actual <= quantiles[:, :, 0, -1])) == pytest.approx(
        0.9, abs=0.05
    )


def test_it_is_one_contribution_and_they_add_up(pulled):
    panel, corrected, _ = pulled
    origin = panel.origin(52 * STEPS)
    told = corrected.explain(panel, origin=origin, zone_id="Z2", step=1)
    assert told["feature"].tolist().count("correction") == 1
    middle = corrected.forecast(panel, origins=pd.DatetimeIndex([origin]), zone_ids=["Z2"], steps=[1])[0, 0, 0, MIDDLE]
    assert told["contribution"].sum() == pytest.approx(middle, rel=1e-6)


def test_it_survives_storing_picking_and_new_members(pulled):
    panel, corrected, _ = pulled
    origins = panel.origin(np.arange(51 * STEPS, 52 * STEPS))
    every = corrected.forecast(panel, origins=origins)
    again = Forecaster.load(corrected.save())
    assert np.array_equal(again.forecast(panel, origins=origins), every)
    assert np.array_equal(corrected.one("Z3").forecast(panel, origins=origins)[:, 0], every[:, 3])
    renewed = corrected.refit(panel, train_end=panel.times[55 * STEPS])
    assert renewed.correction is corrected.correction
    assert again.settings()["corrected_steps"] == [1]


@pytest.mark.parametrize("steps", [(1, 6), (6,), (1, 3)])
def test_members_that_have_spoken_need_not_speak_again(pulled, steps):
    """The same forecasts from members' own points, also between the anchors, where the mix asks anew."""
    panel, corrected, _ = pulled
    known, zones = np.arange(51 * STEPS, 52 * STEPS), ["Z2", "Z5"]
    points = {id(m): m._point(panel, known, m.places(zones), steps) for m in corrected.members}
    found = corrected.point_of(panel, known, zones, steps, points)
    assert np.array_equal(found, corrected._point(panel, known, corrected.places(zones), steps))


def test_nothing_after_an_origin_is_looked_at(pulled):
    panel, corrected, _ = pulled
    k = 52 * STEPS
    later = {name: grid.copy() for name, grid in panel.values.items()}
    for grid in later.values():
        grid[k + 1 :] = 7.0
    other = Panel(times=panel.times, zone_ids=panel.zone_ids, step_s=3600, values=later)
    origins = pd.DatetimeIndex([panel.origin(k)])
    assert np.array_equal(corrected.forecast(other, origins=origins), corrected.forecast(panel, origins=origins))


def test_a_block_s_promise_rests_on_the_other_blocks():
    """Readings of the last block are moved: what is promised for that block stays."""
    panel = made(1.0, seed=4)
    mix = mix_of(panel)
    record = mix.validation
    last = np.arange(record.known.size) * BLOCKS // record.known.size == BLOCKS - 1
    for member in mix.members:
        member.validation.reading[last] += 0.3
    again = EnsembleForecaster.of(mix.members, panel.zone_ids, panel=panel.until(50 * STEPS))
    assert again.correction.corrected == mix.correction.corrected == [0]
    assert np.array_equal(again.validation.level[last][:, :, 0], record.level[last][:, :, 0])
    assert not np.array_equal(again.validation.level[~last][:, :, 0], record.level[~last][:, :, 0])


def test_a_quantity_that_is_gone_is_a_gap():
    panel = made(1.0)
    gone = Panel(times=panel.times, zone_ids=panel.zone_ids, step_s=3600, values={TARGET: panel.values[TARGET]})
    moments = Moments.of(gone, TARGET, gone.zone_ids, np.ones(12), ["speed_mps"], np.array([5, 6]))
    assert moments.first == 2
    assert np.isnan(moments.others).all() and moments.others.shape == (1, 5, 12)
    assert np.isnan(moments.near).all()


def test_thinned_rows_take_turns_among_zones():
    """Every second of a hundred rows, of each of four zones alike."""
    origin, zone, _ = thinned(np.ones((25, 4, 1)), 50)
    assert origin.size == pytest.approx(50, abs=2)
    assert np.bincount(zone).min() >= 12
