"""Agents that watch themselves: a street is closed, and the agents near it say so."""

import pandas as pd
import pytest

from data.schemas import validate
from models.forecasting import LearnedForecaster
from models.monitoring import ALARMS, monitors, references
from models.panel import Panel
from simulation.agents import Forecasters

DAYS, TARGET = 9, "flow_veh_per_h"


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


def closed(live):
    """Z05's three streets with a detector are closed for as long as the run lasts."""
    live.close([40, 41, 22])
    yield live.env.timeout(0.0)


def test_agents_near_a_closed_street_raise_an_alarm_and_those_far_away_do_not(nine):
    """Of the zones whose flow stays within 5 %, at most one sees a change; the zone of the street does within a day."""
    alarms = validate(lived(nine, closed), ALARMS)
    week = nine[1]
    begin = week.zone_state["time"].max() + pd.Timedelta(minutes=15)
    mine = alarms[alarms["zone_id"] == "Z05"]
    assert len(mine) and mine["first_seen"].min() <= begin + pd.Timedelta(days=1)
    assert (alarms["first_seen"] > begin).all() and (alarms["since"] < alarms["first_seen"]).all()
    unmoved = {"Z02", "Z03", "Z04", "Z06"}  # by a run of a day with and without the closure
    assert len(unmoved & set(alarms["zone_id"])) <= 1


def test_agents_of_an_unchanged_city_raise_no_more_than_one(nine):
    """Eighteen zone-days in which nothing changes."""
    assert len(lived(nine)) <= 1


def test_a_run_without_monitors_has_no_alarms(day):
    assert day.alarms is None
