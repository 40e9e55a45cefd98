"""Zones learned from in turns: the same models to the bit, in less memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models import design
from models.contract import Forecaster
from models.design import Design
from models.forecasting import LearnedForecaster
from models.learner import families, learner_class
from models.turns import Turns

TARGET, STEPS = "flow_veh_per_h", (1, 4, 12)


@pytest.fixture
def small(monkeypatch):
    """Room for the features of one zone or two."""

    def less(each: int = 300_000) -> None:
        monkeypatch.setattr(design, "MAX_BYTES", 400_000)
        monkeypatch.setattr(design, "TURN_BYTES", each)

    return less


def fit(city, family, **settings):
    made = LearnedForecaster(family, seed=1, settings=settings)
    end = city.times[0] + pd.Timedelta(days=9)
    return made.fit(city, target=TARGET, zone_ids=city.zone_ids, train_end=end, steps=STEPS)


@pytest.mark.parametrize("family", families("zone"))
def test_a_zone_learned_in_turns_is_the_zone_learned_among_all(family, city, small):
    """Every origin counts, whatever the room: not a bit of any zone's model, intervals or forecasts changes."""
    whole = fit(city, family)
    small()
    parts = fit(city, family)
    origins = pd.DatetimeIndex([city.origin(k) for k in range(9 * 96, 9 * 96 + 40, 7)])
    assert np.array_equal(parts.forecast(city, origins=origins), whole.forecast(city, origins=origins))
    for zone in city.zone_ids:
        assert parts.one(zone).save() == whole.one(zone).save()


def test_turns_are_stored_and_picked_like_one_learner(city, small):
    small()
    model = fit(city, "tree")
    assert isinstance(model.learner, Turns)
    again = Forecaster.load(model.save())
    origins = pd.DatetimeIndex([city.origin(9 * 96)])
    backwards = tuple(reversed(city.zone_ids))
    want = model.forecast(city, origins=origins, zone_ids=backwards)
    assert np.array_equal(again.forecast(city, origins=origins, zone_ids=backwards), want)
    assert not isinstance(model.one(city.zone_ids[1]).learner, Turns)
    assert again.rank == learner_class("tree").rank and again.save() == model.save()
    told = again.explain(city, origin=origins[0], zone_id=city.zone_ids[-1], step=4)
    assert told["contribution"].abs().sum() > 0


def test_lines_in_turns_are_one_set_of_lines_and_can_be_refreshed(city, small):
    small()
    model = fit(city, "ridge", refreshable=True)
    assert not isinstance(model.learner, Turns) and model.can_refresh
    again = model.refresh(city, train_end=city.times[0] + pd.Timedelta(days=10))
    assert (again.learner.coefficient != model.learner.coefficient).any()


def test_turns_hold_all_origins_and_the_table_of_all_zones_a_part(city, small):
    whole = Design(city, target=TARGET, zone_ids=city.zone_ids, steps=STEPS)
    small()
    cut = Design(city, target=TARGET, zone_ids=city.zone_ids, steps=STEPS)
    assert not whole.large and cut.large and cut.rows.shape[0] < whole.rows.shape[0]
    assert cut.rows.common.nbytes + cut.rows.ahead.nbytes <= 400_000
    places, commons, outcomes = zip(*((p, rows.common, outcome) for p, rows, outcome in cut.turns()))
    assert np.array_equal(np.concatenate(places), np.arange(len(city.zone_ids))) and len(places) > 1
    assert np.array_equal(np.concatenate(commons, axis=1), whole.rows.common)
    assert np.array_equal(np.concatenate(outcomes, axis=1), whole.outcome, equal_nan=True)
