"""Agents that watch themselves: a street is closed, and the agents near it say so."""

import pandas as pd
import pytest

from data.schemas import validate
from models.forecasting import LearnedForecaster
from models.monitoring import ALARMS, Keeper, monitors, references
from models.monitoring.policies import Policy
from models.monitoring.settings import WORLD_KINDS
from models.panel import Panel
from simulation.agents import Forecasters

DAYS, TARGET = 10, "flow_veh_per_h"


@pytest.fixture(scope="module")
def nine(maker):
    """The toy town in nine square zones, a week and a half of it, and a line for each zone."""
    town = maker(count=9)
    week = town.run(days=DAYS, seed=1, start="2025-09-01", incidents_per_day=0.0)
    panel = Panel.from_table(
        week.zone_state, zones=town.zones, adjacency=town.adjacency, weather=week.weather, timezone=town.timezone
    )
    zones = panel.sensed(TARGET)
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target=TARGET, zone_ids=zones, train_end=panel.origin(len(panel) - 1)
    )
    own = {(zone, TARGET): model.one(zone) for zone in zones}
    return town, week, panel, own, references(own, panel)


def lived(nine, *processes):
    town, week, panel, own, found = nine
    forecasters = Forecasters(history=panel, micromodels=own, monitors=monitors(found))
    return town.run(
        days=2,
        seed=1,
        initial_state=week.final_state,
        forecasters=forecasters,
        incidents_per_day=0.0,
        processes=processes,
    ).alarms


def closing(*links):
    """A process that closes links for as long as the run lasts."""

    def works(live):
        live.close(list(links))
        yield live.env.timeout(0.0)

    return works


def test_the_agent_of_a_closed_street_raises_an_alarm_within_a_day(nine):
    """Z05, in the middle, loses all three streets with a detector."""
    alarms = validate(lived(nine, closing(40, 41, 22)), ALARMS)
    begin = nine[1].zone_state["time"].max() + pd.Timedelta(minutes=15)
    mine = alarms[alarms["zone_id"] == "Z05"]
    assert len(mine) and mine["first_seen"].min() <= begin + pd.Timedelta(days=1)
    assert (alarms["first_seen"] > begin).all() and (alarms["since"] < alarms["first_seen"]).all()


def test_agents_far_from_a_closed_corner_stay_quiet(nine):
    """The four streets of Z01 carry traffic of that corner alone: no more than one of the six zones beyond calls."""
    alarms = lived(nine, closing(68, 67, 70, 51))
    world = alarms[alarms["kind"].isin(WORLD_KINDS)]  # sensors have faults of their own
    assert len(set(world["zone_id"]) - {"Z01", "Z02", "Z04"}) <= 1, world[["zone_id", "kind", "size_text"]].to_string()


def test_agents_of_an_unchanged_city_raise_no_more_than_one(nine):
    """Eighteen zone-days in which nothing changes."""
    alarms = lived(nine)
    world = alarms[alarms["kind"].isin(WORLD_KINDS)]
    assert len(world) <= 1, world[["zone_id", "kind", "size_text"]].to_string()


def test_a_run_without_monitors_has_no_alarms(day):
    assert day.alarms is None


def test_agents_train_again_by_the_policy_of_their_keepers(nine):
    """Two days, trained every day: at the first midnight, and the forecasts after it are the newer model's."""
    town, week, panel, own, _ = nine
    kept = {key: Keeper(Policy(kind="fixed", every_days=1), model) for key, model in own.items()}
    told = []
    for keepers in ({}, kept):
        run = town.run(
            days=2, seed=1, initial_state=week.final_state, incidents_per_day=0.0,
            forecasters=Forecasters(history=panel, micromodels=own, keepers=keepers),
        )  # fmt: skip
        told.append(run.forecasts)
    assert all(len(keeper.trained) >= 1 for keeper in kept.values())
    midnight = panel.times[-1] + pd.Timedelta(days=1, minutes=15)
    differs = (told[0]["value"] - told[1]["value"]).abs() > 1e-9
    assert not differs[told[0]["forecast_origin"] < midnight].any()
    assert differs[told[0]["forecast_origin"] >= midnight].any()
