"""A refreshed line is the line that a fit on all rows would give, and nothing else of the model moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.contract import Forecaster
from models.ensemble import EnsembleForecaster
from models.errors import NotFittedError, ShortHistoryError
from models.families.ridge import Ridge
from models.forecasting import LearnedForecaster
from models.refreshing import new_rows, refresh, spacing
from models.rows import Rows
from models.training import train

TARGET, STEPS = "flow_veh_per_h", (1, 4, 12)
ONE = {"penalties": (0.05,), "refreshable": True}


def day(panel, k: float) -> pd.Timestamp:
    return panel.times[0] + pd.Timedelta(days=k)


@pytest.fixture(scope="module")
def fitted(city):
    made = LearnedForecaster("ridge", settings=ONE)
    return made.fit(city, target=TARGET, zone_ids=city.zone_ids, train_end=day(city, 9), steps=STEPS)


def rows_until(model, panel, end: pd.Timestamp) -> tuple[Rows, np.ndarray]:
    """Rows of the fit and of the time since, one after the other, as one table."""
    from models.design import Design

    first = Design(panel.until(panel.known_by(day(panel, 9))), target=TARGET, zone_ids=panel.zone_ids, steps=STEPS)
    rows, outcome = new_rows(model.featuriser, panel, STEPS, day(panel, 9), end)
    both = Rows(
        np.concatenate([first.rows.common, rows.common]), np.concatenate([first.rows.ahead, rows.ahead]),
        rows.layout,
    )  # fmt: skip
    return both, np.concatenate([first.outcome, outcome])


def test_refreshed_is_refitted_on_the_same_rows_to_rounding(fitted, city):
    """Nine days and two more: sums of both give the line that all eleven days' rows give at once."""
    again = fitted.refresh(city, train_end=day(city, 11))
    rows, outcome = rows_until(fitted, city, day(city, 11))
    outcome = outcome - rows.common[:, :, :1] * fitted.share.astype(np.float32)
    whole = Ridge(penalties=(0.05,)).fit(rows, outcome)
    np.testing.assert_allclose(again.learner.coefficient, whole.coefficient, atol=3e-4)
    assert np.array_equal(again.learner.low, whole.low) and np.array_equal(again.learner.high, whole.high)
    moved = np.abs(again.learner.coefficient - fitted.learner.coefficient).max()
    assert moved > 20 * np.abs(again.learner.coefficient - whole.coefficient).max()  # it has learned something


def test_each_outcome_is_learned_from_once(fitted, city):
    """Of horizon 12, the fit until day 9 lacks the last 12 origins: the refresh brings them, and none twice."""
    rows, outcome = new_rows(fitted.featuriser, city, STEPS, day(city, 9), day(city, 10))
    spd = city.steps_per_day
    assert rows.shape[0] == spd + max(STEPS) - 1
    assert np.isfinite(outcome).sum(axis=(0, 1)).max() <= spd * len(city.zone_ids)
    early = np.isfinite(outcome[: max(STEPS) - 4])
    assert early[:, :, 2].any() and not early[:, :, :2].any()


def test_two_refreshes_are_one(fitted, city):
    step = fitted.refresh(city, train_end=day(city, 10)).refresh(city, train_end=day(city, 11))
    whole = fitted.refresh(city, train_end=day(city, 11))
    np.testing.assert_allclose(step.learner.coefficient, whole.learner.coefficient, atol=3e-4)
    assert step.train_end == whole.train_end == day(city, 11).isoformat()


def test_what_is_held_fixed_stays_and_the_model_before_is_not_touched(fitted, city):
    before = fitted.save()
    again = fitted.refresh(city, train_end=day(city, 11))
    assert fitted.save() == before
    assert np.array_equal(again.profile.mean, fitted.profile.mean) and np.array_equal(again.share, fitted.share)
    assert np.array_equal(again.intervals.offsets, fitted.intervals.offsets)
    assert np.array_equal(again.learner.penalty, fitted.learner.penalty)
    assert fitted.refresh(city, train_end=day(city, 9)).save() == before


def test_moments_are_stored_without_pickle_and_go_on_after_loading(fitted, city):
    files = fitted.one("Z02").save()
    assert not any(b"pickle" in value for value in files.values())
    origin = pd.DatetimeIndex([city.origin(len(city) - 2)])
    again = Forecaster.load(files).refresh(city, train_end=day(city, 11))
    assert again.can_refresh
    here = fitted.one("Z02").refresh(city, train_end=day(city, 11))
    assert np.array_equal(again.forecast(city, origins=origin), here.forecast(city, origins=origin))


def test_what_follows_the_end_cannot_change_a_refresh(fitted, city):
    end = city.known_by(day(city, 10))
    again = fitted.refresh(city, train_end=day(city, 10))
    cut = fitted.refresh(city.until(end), train_end=day(city, 10))
    assert again.save() == cut.save()


def test_gaps_and_silence_teach_nothing(fitted, city):
    from dataclasses import replace

    at = city.known_by(day(city, 9))
    silent = {TARGET: np.where(np.arange(len(city))[:, None] >= at, np.nan, city.values[TARGET])}
    quiet = replace(city, values={**city.values, **silent})
    again = fitted.refresh(quiet, train_end=day(city, 10))
    np.testing.assert_allclose(again.learner.coefficient, fitted.learner.coefficient, atol=1e-5)


def test_rows_that_count_every_third_go_on_so(fitted, city):
    """By the clock, not by the place in a panel, which may begin elsewhere."""
    every, which = spacing(city, np.arange(96, 500, 3))
    assert every == 3
    rows = new_rows(fitted.featuriser, city, STEPS, day(city, 9), day(city, 10), (every, which))[0]
    whole = new_rows(fitted.featuriser, city, STEPS, day(city, 9), day(city, 10))[0]
    assert abs(3 * rows.shape[0] - whole.shape[0]) <= 2


def test_who_keeps_nothing_says_so(city):
    plain = LearnedForecaster("ridge").fit(city, target=TARGET, zone_ids=("Z02",), train_end=day(city, 9), steps=STEPS)
    assert not plain.can_refresh
    with pytest.raises(NotFittedError, match="refit it"):
        plain.refresh(city, train_end=day(city, 10))


def test_a_panel_that_begins_too_late_is_refused(fitted, city):
    late = city.during(city.known_by(day(city, 9)), len(city))
    with pytest.raises(ShortHistoryError, match="look back on"):
        fitted.refresh(late, train_end=day(city, 11))


def test_a_training_is_refreshed_where_it_can_be_and_says_what_stayed(city):
    made = train(
        city, targets=[TARGET], train_end=day(city, 9), steps=STEPS, families=["ridge", "tree", "macro_ridge"],
        refreshable=True, seed=1,
    )  # fmt: skip
    again, stayed = refresh(made, city, train_end=day(city, 10))
    assert stayed == [f"tree/{TARGET}"]
    assert isinstance(again.mixes[TARGET], EnsembleForecaster)
    for name in ("ridge", "macro_ridge"):
        assert again.candidates[name, TARGET].train_end == day(city, 10).isoformat()
    assert again.candidates["tree", TARGET] is made.candidates["tree", TARGET]
    origin = pd.DatetimeIndex([city.origin(len(city) - 2)])
    for zone, target in made.micromodels:
        new, old = again.in_use(zone, target), made.in_use(zone, target)
        assert np.isfinite(new.forecast(city, origins=origin)).all()
        assert new.can_refresh == old.can_refresh
