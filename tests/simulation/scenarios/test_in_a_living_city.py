"""Measures in the real simulator: the seam that the stand-in of the other tests promises."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from simulation.air.fleet import Ban
from simulation.scenarios import (
    CloseStreet,
    Hours,
    LowEmissionZone,
    ScaleDemand,
    Scenario,
    Selection,
    SetLanes,
    SpeedLimit,
)

MAIN = Selection(street=("Row street 3",))
AT_SIX_TO_EIGHT = Hours(6 * 3600.0, 8 * 3600.0)


def look(live):
    """Everything that a measure may change, as plain values."""
    arrays = live.engine.arrays
    return {
        "closed": live.closed().tobytes(),
        "speed": arrays.speed_mps.tobytes(),
        "lanes": arrays.lanes.tobytes(),
        "capacity": arrays.capacity_veh_per_s.tobytes(),
        "storage": arrays.jam_density_veh_per_m.tobytes(),
        "demand": None if live.demand_factor() is None else live.demand_factor().tobytes(),
        "fleet": tuple(live.air.link_fleet(link) for link in range(80)),
    }


@pytest.mark.parametrize(
    ("measure", "changed"),
    [
        (CloseStreet(where=MAIN, hours=AT_SIX_TO_EIGHT), {"closed"}),
        (SetLanes(where=MAIN, lanes=1, hours=AT_SIX_TO_EIGHT), {"lanes", "capacity", "storage"}),
        (SpeedLimit(where=MAIN, kmh=30, hours=AT_SIX_TO_EIGHT), {"speed"}),
        (ScaleDemand(factor=0.5, hours=AT_SIX_TO_EIGHT), {"demand"}),
        (LowEmissionZone(where=MAIN, bans=(Ban(fuel="diesel", euro_max=5),), hours=AT_SIX_TO_EIGHT), {"fleet"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_measure_with_hours_changes_its_own_and_gives_it_back(city, measure, changed):
    """Looked at by the city's clock at 5:55, 6:05, 7:55 and 8:05 of a run that starts at 5:30."""
    seen = {}

    def watch(live):
        for hour, minute in ((5, 55), (6, 5), (7, 55), (8, 5)):
            yield live.env.timeout(live.seconds_until(hour * 3600.0 + minute * 60.0))
            seen[hour, minute] = look(live)

    scenario = Scenario(name="try", measures=(measure,))
    city.run(
        days=0.125, seed=1, start="2025-09-01 05:30", processes=[*scenario.processes(), watch], incidents_per_day=0.0
    )
    before = seen[5, 55]
    follows = {"capacity", "storage"} if "speed" in changed else set()  # what a speed makes of a fundamental diagram
    for moment in ((6, 5), (7, 55)):
        found = {key for key, value in seen[moment].items() if value != before[key]}
        assert changed <= found <= changed | follows
    assert seen[8, 5] == before


@pytest.mark.parametrize(
    ("start", "hours", "on_minutes"),
    [
        ("2025-10-25 23:00", Hours(3.5 * 3600, 5 * 3600), 150),  # 03:30 summer time to 05:00 winter time
        ("2025-03-29 23:00", Hours(3.5 * 3600, 5 * 3600), 60),  # 03:30 does not exist: 04:00 to 05:00
        ("2025-03-29 23:00", Hours(3.2 * 3600, 3.8 * 3600), 0),  # the hours are skipped altogether
    ],
    ids=["clocks go back", "clocks go forward", "skipped"],
)
def test_hours_follow_the_clock_when_it_is_changed(city, start, hours, on_minutes):
    """Helsinki sets its clocks at 04:00 back to 03:00 in October, at 03:00 on to 04:00 in March."""
    on = []

    def watch(live):
        yield live.env.timeout(30.0)
        while True:
            on.append(live.closed().any())
            yield live.env.timeout(300.0)

    scenario = Scenario(name="try", measures=(CloseStreet(where=MAIN, hours=hours),))
    quiet = replace(city, demand=city.demand.scaled(0.02))
    quiet.run(days=0.375, seed=1, start=start, processes=[*scenario.processes(), watch], incidents_per_day=0.0)
    assert 5 * sum(on) == on_minutes


def test_nobody_enters_a_street_that_is_closed(city):
    """Four hours with and without Row street 2: no inflow to its links in the closed run."""
    links = np.flatnonzero(city.links["name"] == "Row street 2")
    closed = CloseStreet(where=Selection(street=("Row street 2",))).apply(city)
    options = {
        "days": 4 / 24,
        "seed": 1,
        "start": "2025-09-01 06:00",
        "keep_link_state": True,
        "incidents_per_day": 0.0,
    }
    base, shut = city.run(**options).link_state, closed.run(**options).link_state
    entered = [table.loc[table["link_id"].isin(links), "inflow_veh"].sum() for table in (base, shut)]
    assert entered[0] > 20 and entered[1] == 0


def test_a_low_emission_zone_cuts_nox_by_the_same_traffic(city):
    """Same seed, same vehicles; all links of Z01 without old diesels: less NOx there, as much traffic."""
    measure = LowEmissionZone(where=Selection(zones=("Z01",)), bans=(Ban(fuel="diesel", euro_max=5),))
    options = {"days": 4 / 24, "seed": 1, "start": "2025-09-01 06:00", "incidents_per_day": 0.0}
    base, clean = (c.run(**options).zone_truth for c in (city, measure.apply(city)))
    pd.testing.assert_series_equal(base["vehicle_distance_m"], clean["vehicle_distance_m"])
    inside = base["zone_id"] == "Z01"
    assert clean.loc[inside, "nox_g"].sum() < 0.8 * base.loc[inside, "nox_g"].sum()
    np.testing.assert_array_equal(clean.loc[~inside, "nox_g"], base.loc[~inside, "nox_g"])
    assert clean.loc[inside, "no2_ug_per_m3"].mean() < base.loc[inside, "no2_ug_per_m3"].mean()
