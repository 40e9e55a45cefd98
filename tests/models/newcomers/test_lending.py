"""Forecasters of zones that have only just begun to report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.contract import Forecaster
from models.errors import NoDataError, SettingsError
from models.newcomers import TransferredForecaster, transfer
from models.training import refit, train

FLOW, DAYS = "flow_veh_per_h", 14
OWN_DAYS, END = 2, 13  # the new zone reports on days 11 and 12


@pytest.fixture(scope="module")
def panel():
    made = synthetic_city.panel(zones=6, days=DAYS, step_s=3600, seed=8, gaps=0.0)
    values = made.values[FLOW].copy()
    values[: (END - OWN_DAYS) * 24, 5] = np.nan
    return replace(made, values={FLOW: values})


@pytest.fixture(scope="module")
def end(panel):
    return panel.origin(END * 24 - 1)


@pytest.fixture(scope="module")
def training(panel, end):
    return train(panel, targets=[FLOW], train_end=end, steps=(1, 6, 24), families=("ridge", "macro_xgboost"), seed=1)


def _origins(panel):
    return pd.DatetimeIndex([panel.origin(END * 24 - 1 + k) for k in range(20)])


def test_training_gives_a_zone_of_two_days_a_micromodel_with_its_reason(training):
    model = training.newcomers["Z06", FLOW]
    assert isinstance(model, TransferredForecaster) and training.in_use("Z06", FLOW) is model
    assert "Z06" not in training.zones(FLOW)
    row = training.choices.set_index("zone_id").loc["Z06"]
    assert row["family"] == "transferred" and "2.0 days of its own readings" in row["reason"] and row["is_task"]
    assert model.settings()["own_days"] == 2.0
    assert set(model.donors) <= {"Z01", "Z02", "Z03", "Z04", "Z05"}


def test_it_forecasts_better_than_the_mean_that_two_days_show(training, panel):
    """A transferred forecast must know the time of day; the mean of two days does not."""
    model = training.newcomers["Z06", FLOW]
    found = model.forecast(panel, origins=_origins(panel), steps=(1,))[:, 0, 0, 3]
    actual = panel.values[FLOW][END * 24 : END * 24 + 20, 5]
    mean = np.nanmean(panel.values[FLOW][: END * 24, 5])
    assert np.nanmean(np.abs(found - actual)) < 0.5 * np.nanmean(np.abs(mean - actual))


def test_it_is_stored_and_loaded_like_any_other(training, panel):
    model = training.newcomers["Z06", FLOW]
    again = Forecaster.load(model.save())
    origins = _origins(panel)
    assert (again.forecast(panel, origins=origins) == model.forecast(panel, origins=origins)).all()
    assert again.reason == model.reason and again.settings() == model.settings()


def test_nothing_after_the_end_and_nothing_before_its_readings_is_known(training, panel, end):
    """Another future: the same forecaster, bit for bit."""
    torn = panel.values[FLOW].copy()
    torn[END * 24 :] = 1.0
    other = transfer(training, replace(panel, values={FLOW: torn}), "Z06", target=FLOW, train_end=end)
    at = _origins(panel)[:1]
    mine = training.newcomers["Z06", FLOW]
    assert (other.forecast(panel, origins=at) == mine.forecast(panel, origins=at)).all()


def test_refitting_warms_it_up(training, panel, end):
    """The same end: the same forecasts. A day more: its own rows count more."""
    model = training.newcomers["Z06", FLOW]
    origins = _origins(panel)
    same = model.refit(panel, train_end=end)
    assert same.forecast(panel, origins=origins) == pytest.approx(model.forecast(panel, origins=origins))
    later = refit(training, panel).newcomers["Z06", FLOW]
    assert later.own_days == pytest.approx(3.0)
    assert (later.own_share > model.own_share).all()


def test_an_hour_of_readings_is_too_little(training, panel, end):
    values = panel.values[FLOW].copy()
    values[: END * 24 - 1, 5] = np.nan
    with pytest.raises(NoDataError, match=r"'Z06' has 1.0 hours"):
        transfer(training, replace(panel, values={FLOW: values}), "Z06", target=FLOW, train_end=end)


def test_it_is_not_fitted_by_hand(panel, end):
    with pytest.raises(SettingsError, match="is made by models"):
        TransferredForecaster().fit(panel, target=FLOW, zone_ids=("Z06",), train_end=end)
