"""A newer version takes over only where it is not worse on days that neither has seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.store.protocol import MemoryStore
from models.baselines import HistoricalAverage, LastValue, SeasonalNaive
from models.registry import Registry
from models.succession import judge, succeed

KEY = ("Z01", "speed_mps")
BEFORE, WHOLE = 700, 1100  # of 12 days of 96 intervals: 7.3 days, 11.5 days


def fitted(city, kind, end=BEFORE, zones=("Z01",)):
    return kind(seed=1).fit(city, target="speed_mps", zone_ids=zones, train_end=city.origin(end - 1))


def mae(model, city, start=BEFORE):
    """Mean over origins of the mean absolute error over zones and horizons, the slow way."""
    errors = []
    for k in range(start - 1, len(city) - 1):
        middle = model.forecast(city, origins=pd.DatetimeIndex([city.origin(k)]))[0, :, :, 3]
        aims = [(s, k + step) for s, step in enumerate(model.anchors) if k + step < len(city)]
        columns = city.columns(model.zone_ids)
        gaps = [np.abs(city.values["speed_mps"][at, columns] - middle[:, s]) for s, at in aims]
        errors.append(np.nanmean(gaps) if np.isfinite(gaps).any() else np.nan)
    return float(np.nanmean(errors))


def test_the_better_one_is_in_force_whichever_came_first(city):
    """Usual value against last reading over a day ahead: the usual value wins, comes it first or second."""
    usual, last = fitted(city, HistoricalAverage), fitted(city, LastValue)
    assert mae(usual, city) < mae(last, city)
    for order, winner in (((usual, last), "0001"), ((last, usual), "0002")):
        registry = Registry(MemoryStore())
        for model in order:
            version, decision = registry.promote_if_better(
                *KEY, model, panel=city, left_out_from=city.origin(BEFORE - 1)
            )
        assert registry.current(*KEY) == winner and decision.promote is (winner == "0002")
        assert registry.show(*KEY, version)["decision"]["reason"] == decision.reason
        assert registry.log()["why"].iloc[-1] == decision.reason
    assert "0001 stays" not in decision.reason and "not worse than 0001" in decision.reason


def test_the_figures_are_the_plain_errors(city):
    newer, old = fitted(city, LastValue), fitted(city, HistoricalAverage)
    decision = judge(city, {KEY: newer}, {KEY: old}, left_out_from=city.origin(BEFORE - 1))[KEY]
    assert decision.figures["newer_mae"] == pytest.approx(mae(newer, city), rel=1e-4)
    assert decision.figures["in_force_mae"] == pytest.approx(mae(old, city), rel=1e-4)
    assert not decision.promote and not decision.figures["relearned"]


def test_one_that_has_seen_the_days_left_out_is_learned_again_without_them(city):
    """The same recipe with and without the test days: no difference, and the newer one goes into force."""
    old, newer = fitted(city, HistoricalAverage, WHOLE), fitted(city, HistoricalAverage)
    decision = judge(city, {KEY: newer}, {KEY: old}, left_out_from=city.origin(BEFORE - 1))[KEY]
    assert decision.promote and decision.figures["relearned"] and decision.figures["change"] == 0.0


def test_with_nothing_left_out_the_old_one_stays(city):
    models = {KEY: fitted(city, HistoricalAverage)}
    decision = judge(city, models, models, left_out_from=city.origin(len(city) - 97))[KEY]
    assert not decision.promote and "fewer than 2 days" in decision.reason and not decision.figures


def test_one_for_other_zones_or_another_step_gives_way_and_a_pinned_one_never(city):
    """The last reading is worse, and goes into force all the same where the better one forecast another city."""
    registry = Registry(MemoryStore())
    usual, last = fitted(city, HistoricalAverage), fitted(city, LastValue)
    told = {"left_out_from": city.origin(BEFORE - 1)}
    succeed(registry, {KEY: usual}, city, place="a", **told)
    assert not succeed(registry, {KEY: last}, city, place="a", **told)[1][KEY].promote
    assert "other zones" in succeed(registry, {KEY: last}, city, place="b", **told)[1][KEY].reason
    assert registry.current(*KEY) == "0003"
    registry.pin(*KEY)
    decision = succeed(registry, {KEY: usual}, city, place="b", **told)[1][KEY]
    assert not decision.promote and "pinned" in decision.reason and registry.current(*KEY) == "0003"


def test_what_is_stored_may_have_learned_more_than_what_is_judged(city):
    registry = Registry(MemoryStore())
    registry.save(*KEY, fitted(city, HistoricalAverage, WHOLE))
    whole, before = fitted(city, SeasonalNaive, WHOLE), fitted(city, SeasonalNaive)
    version, _ = registry.promote_if_better(
        *KEY, whole, panel=city, left_out_from=city.origin(BEFORE - 1), judged=before
    )
    assert registry.load(*KEY, version).train_end == whole.train_end
    assert registry.show(*KEY, version)["decision"]["newer_mae"] == pytest.approx(mae(before, city), rel=1e-4)
