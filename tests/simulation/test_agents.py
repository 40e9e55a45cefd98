"""Agents: they see what their sensors reported, and forecast from the past alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import FORECASTS, TARGETS, validate
from models.baselines import SeasonalNaive
from models.horizons import anchor_steps
from models.intervals import QUANTILES
from models.panel import Panel
from simulation.agents import Forecasters, ZoneAgent, extended
from simulation.errors import RunError

DAYS, STEPS = 8, anchor_steps(900)
TARGET = "speed_mps"


class Watcher:
    """Stands in for a model: forecasts the last known reading, and notes what it could have seen."""

    def __init__(self):
        self.seen = []

    def forecast(self, panel, *, origins, zone_ids=None, steps=None):
        known = panel.times + pd.Timedelta(seconds=panel.step_s) <= origins[0]
        future = np.concatenate([array[~known].ravel() for array in (*panel.values.values(), *panel.weather.values())])
        places = [panel.zone_ids.index(zone) for zone in zone_ids]
        last = panel.values[TARGET][known][-1, places]
        self.seen.append(
            (origins[0], bool(np.isnan(future).all()), {n: a[known][-1] for n, a in panel.weather.items()})
        )
        return np.tile(np.nan_to_num(last)[None, :, None, None], (1, 1, len(STEPS), len(QUANTILES)))


@pytest.fixture(scope="module")
def week(town):
    return town.run(days=DAYS, seed=1, start="2025-09-01", incidents_per_day=0.0)


@pytest.fixture(scope="module")
def history(town, week):
    return Panel.from_table(
        week.zone_state, zones=town.zones, adjacency=town.adjacency, weather=week.weather, timezone=town.timezone
    )


@pytest.fixture(scope="module")
def models(history):
    def fitted(zone_ids):
        end = history.times[-1] + pd.Timedelta(seconds=900)
        return SeasonalNaive(seed=1).fit(history, target=TARGET, zone_ids=zone_ids, train_end=end)

    zones = list(history.zone_ids)
    return Forecasters(
        history=history, micromodels={(zones[0], TARGET): fitted(zones[:1])},
        citywide={("seasonal_naive", TARGET): fitted(zones)},
    )  # fmt: skip


def go_on(town, week, forecasters, days=1 / 12):
    return town.run(days=days, seed=1, initial_state=week.final_state, forecasters=forecasters, incidents_per_day=0.0)


def test_every_agent_observes_every_interval(week, town):
    """And knows when its sensors said nothing: as many times as its zone's row is all missing."""
    agents = week.agents.set_index("zone_id")
    assert agents.index.tolist() == town.zones["zone_id"].tolist() and (agents["observed"] == DAYS * 96).all()
    silent = week.zone_state.set_index(["zone_id", "time"])[list(TARGETS)].isna().all(axis=1).groupby("zone_id").sum()
    assert agents["missing"].to_dict() == silent.to_dict()
    end = week.zone_state["time"].max() + pd.Timedelta(seconds=900)
    assert (agents["last_seen"] <= end).all() and (agents["last_seen"] > end - pd.Timedelta(days=1)).all()


def test_an_agent_tells_silence_from_a_reading():
    agent, at = ZoneAgent("Z02", 1), pd.Timestamp("2025-01-01", tz="UTC")
    agent.observe(at, {TARGET: np.array([5.0, np.nan])})
    assert (agent.observed, agent.missing, agent.last_seen) == (1, 1, None)
    agent.observe(at, {TARGET: np.array([np.nan, 0.0])})
    assert (agent.observed, agent.missing, agent.last_seen) == (2, 1, at)


def test_agents_forecast_at_the_end_of_every_interval(town, week, models):
    table = validate(go_on(town, week, models).forecasts, FORECASTS)
    end = week.zone_state["time"].max() + pd.Timedelta(seconds=900)
    origins = pd.date_range(end + pd.Timedelta(seconds=900), periods=8, freq="15min")
    per_origin = len(STEPS) * len(QUANTILES)
    assert sorted(table["forecast_origin"].unique()) == list(origins)
    counts = table.groupby(["model", "zone_id"], observed=True).size()
    assert counts["micromodel"].to_dict() == {"Z01": 8 * per_origin}
    assert set(counts["seasonal_naive"]) == {8 * per_origin} and len(counts["seasonal_naive"]) == 4
    assert sorted(table["horizon_s"].unique()) == [900.0 * step for step in STEPS]
    own = table[(table["model"] == "micromodel")]
    alike = table[(table["model"] == "seasonal_naive") & (table["zone_id"] == "Z01")]
    keys = ["forecast_origin", "horizon_s", "quantile"]
    pair = own.merge(alike, on=keys)
    assert len(pair) == len(own) and np.corrcoef(pair["value_x"], pair["value_y"])[0, 1] > 0.8


def test_nothing_after_the_origin_is_in_the_panel(town, week, history):
    """The panel that a model is given holds what was reported, up to its origin; the rest is not there yet."""
    watcher = Watcher()
    run = go_on(town, week, Forecasters(history=history, micromodels={("Z02", TARGET): watcher}))
    assert len(watcher.seen) == 8 and all(blind for _, blind, _ in watcher.seen)
    reported = run.zone_state.set_index("zone_id").loc["Z02", TARGET]
    told = run.forecasts[(run.forecasts["horizon_s"] == 900.0) & (run.forecasts["quantile"] == 0.5)]
    assert told["value"].tolist() == np.nan_to_num(reported.to_numpy()).tolist()


def test_the_weather_of_an_interval_is_that_of_its_hour(town, week, history):
    """A live panel and one made of the tables afterwards hold the same weather."""
    watcher = Watcher()
    run = go_on(town, week, Forecasters(history=history, micromodels={("Z02", TARGET): watcher}))
    after = Panel.from_table(run.zone_state, zones=town.zones, weather=run.weather, timezone=town.timezone)
    for k, (_, _, weather) in enumerate(watcher.seen):
        for name, value in weather.items():
            assert value == after.weather[name][k], (k, name)


def test_a_poisoned_future_changes_no_forecast(town, week, history, models):
    """What the model said live is what it says afterwards, with a billion in every later cell."""
    run = go_on(town, week, models)
    panel, first = extended(history, 8 + 96)
    for target in TARGETS:
        live = run.zone_state[target].to_numpy().reshape(8, len(history.zone_ids))  # zones by time, in their order
        panel.values[target][first : first + 8] = live
    model = models.citywide["seasonal_naive", TARGET]
    for row in range(8):
        origin = panel.times[first + row] + pd.Timedelta(seconds=900)
        poisoned = replace(panel, values={name: array.copy() for name, array in panel.values.items()})
        for array in poisoned.values.values():
            array[first + row + 1 :] = 1e9
        again = model.forecast(poisoned, origins=pd.DatetimeIndex([origin]), zone_ids=list(history.zone_ids))[0]
        told = run.forecasts[
            (run.forecasts["model"] == "seasonal_naive") & (run.forecasts["forecast_origin"] == origin)
        ]
        for zone, values in zip(history.zone_ids, again):
            assert told.loc[told["zone_id"] == zone, "value"].to_numpy().tolist() == values.ravel().tolist()


def test_forecasts_change_nothing_of_the_city(town, week, models):
    plain = town.run(days=1 / 12, seed=1, initial_state=week.final_state, incidents_per_day=0.0)
    run = go_on(town, week, models)
    assert run.zone_truth.equals(plain.zone_truth) and run.zone_state.equals(plain.zone_state)
    assert plain.forecasts is None


def test_a_history_must_meet_the_run(town, week, history, models):
    """One that ends elsewhere, or of other zones, would be read at the wrong times."""
    with pytest.raises(RunError, match="they must meet"):
        town.run(days=1 / 12, seed=1, start="2025-12-01", forecasters=models)
    fewer = Panel.from_table(
        week.zone_state[week.zone_state["zone_id"] != "Z04"], timezone=town.timezone, step_s=900
    )  # fmt: skip
    with pytest.raises(RunError, match="they must meet"):
        go_on(town, week, Forecasters(history=fewer, micromodels={}))


def test_a_model_for_no_zone_is_refused(town, week, models):
    with pytest.raises(RunError, match=r"does not have: \['Z99'\]"):
        go_on(town, week, replace(models, micromodels={("Z99", TARGET): Watcher()}))


def test_a_panel_grows_by_empty_intervals(history):
    panel, first = extended(history, 3)
    assert first == DAYS * 96 and len(panel.times) == first + 3
    assert panel.times[-1] - panel.times[-2] == pd.Timedelta(seconds=900)
    for name, array in panel.values.items():
        assert np.array_equal(array[:first], history.values[name], equal_nan=True) and np.isnan(array[first:]).all()


def test_citywide_models_forecast_the_zones_that_they_know(town, history):
    """A zone that is new to the city has a micromodel, but the macromodel has not learned it."""
    end = history.times[-1] + pd.Timedelta(seconds=900)
    zones = list(history.zone_ids)

    def fitted(zone_ids):
        return SeasonalNaive(seed=1).fit(history, target=TARGET, zone_ids=zone_ids, train_end=end)

    micro = {(zone, TARGET): fitted([zone]) for zone in zones}
    forecasters = Forecasters(history=history, micromodels=micro, citywide={("macromodel", TARGET): fitted(zones[1:])})
    start = pd.Timestamp("2025-09-09", tz=town.timezone)
    run = town.run(days=1 / 24, seed=1, start=start, incidents_per_day=0.0, forecasters=forecasters)
    told = run.forecasts.groupby("model", observed=True)["zone_id"].unique()
    assert sorted(told["macromodel"]) == sorted(zones[1:])
    assert sorted(told["micromodel"]) == sorted(zones)
