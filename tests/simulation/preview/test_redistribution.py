"""The quick rerouting: exact where nothing changes, and right about where traffic goes."""

import numpy as np
import pytest

from simulation.preview.network_change import roads
from simulation.preview.redistribution import Redistribution
from simulation.preview.window import Window, slots
from simulation.scenarios import (
    ChargeToll,
    CloseStreet,
    ElectrifyFleet,
    Hours,
    ScaleDemand,
    Scenario,
    Selection,
    SpeedLimit,
)

WINDOW = Window(start="2025-09-02 07:00", hours=2.0)
STREET = Selection(street=("Row street 3",), zones=("Z01",))


@pytest.fixture(scope="module")
def quick(town):
    return Redistribution(town, WINDOW, np.full(len(town.links), np.nan))


def test_the_base_is_its_own_rerouting_bit_for_bit(quick, town):
    again = quick.reroute(roads(town, town))
    assert np.array_equal(again.flow, quick.base.flow) and np.array_equal(again.zones, quick.base.zones)


def test_twice_the_trips_on_empty_streets_are_twice_the_vehicle_km(quick, town):
    """Flows are sums of trips; ways may change with the times, so within a tenth."""
    more = quick.reroute(roads(ScaleDemand(factor=2.0).apply(town), town))
    assert more.zones[:, 0].sum() == pytest.approx(2 * quick.base.zones[:, 0].sum(), rel=0.1)


def test_a_closed_street_is_empty_and_its_traffic_drives_elsewhere(quick, town):
    """Inner links hold nobody; all trips still arrive, so vehicle-hours grow."""
    measure = CloseStreet(where=STREET)
    after = quick.reroute(roads(measure.apply(town), town))
    gates = {*town.gateways["in_link_id"], *town.gateways["out_link_id"]}
    inner = [link for link in measure.links(town) if link not in gates]
    assert quick.base.flow[inner].min() > 1 and after.flow[inner].max() < 0.01
    assert after.zones[:, 1].sum() > quick.base.zones[:, 1].sum()


def test_a_lower_limit_slows_the_streets_it_is_on(quick, town):
    """Free-flow time of a 30 km/h street at 20 km/h x 0.9: 30 / 18 times as long."""
    slow = roads(SpeedLimit(where=Selection(road_class=("residential",)), kmh=20).apply(town), town)
    minor = (town.links["road_class"] == "residential").to_numpy()
    assert slow.free_s[minor] / quick.base_roads.free_s[minor] == pytest.approx(30 / 18)
    assert (slow.free_s[~minor] == quick.base_roads.free_s[~minor]).all()


def test_hours_cut_the_window_by_the_trips_that_depart_in_them(quick):
    """07:00 to 09:00 with equal trips: closed from 08:00 to 08:30 is a quarter, both measures hold in it."""
    scenario = Scenario(
        name="two",
        measures=(CloseStreet(where=STREET, hours=Hours(8 * 3600, 8.5 * 3600)), SpeedLimit(where=STREET, kmh=20)),
    )
    found = {len(slot.scenario.measures): slot.share for slot in slots(scenario, WINDOW, np.ones(8))}
    assert found == {1: pytest.approx(0.75), 2: pytest.approx(0.25)}
    assert all(
        measure.hours is None for slot in slots(scenario, WINDOW, np.ones(8)) for measure in slot.scenario.measures
    )


def test_the_base_has_the_flows_that_were_seen(town):
    """Whatever the fastest ways would give: 7 vehicles more on every link."""
    seen = Redistribution(town, WINDOW, np.full(len(town.links), np.nan)).base.flow + 7.0
    quick = Redistribution(town, WINDOW, np.full(len(town.links), np.nan), seen)
    assert np.array_equal(quick.base.flow, seen)


def test_a_toll_turns_away_no_more_than_the_ways_around_bear(town):
    """Twice the trips, so that streets are nearly full, and a toll on one of them that all would avoid if alone.

    Moved all at once they would jam the others: vehicle-hours with the toll stay below those of moving everybody.
    """
    busy = ScaleDemand(factor=2.0).apply(town)
    quick = Redistribution(busy, WINDOW, np.full(len(town.links), np.nan))
    tolled = roads(ChargeToll(where=STREET, eur=20.0).apply(busy), busy)
    after = quick.reroute(tolled)
    quick._step = lambda flow, way, changed: 1.0  # everybody moves
    everybody = quick.reroute(tolled)
    charged = tolled.charge_s > quick.base_roads.charge_s
    assert after.flow[charged].sum() < quick.base.flow[charged].sum()
    assert everybody.flow[charged].sum() <= after.flow[charged].sum()
    assert after.zones[:, 1].sum() < everybody.zones[:, 1].sum()


def test_another_fleet_changes_neither_flows_nor_times(quick, town):
    """Cleaner engines leave traffic to the last bit as it is, and lower NOx."""
    clean = quick.reroute(roads(ElectrifyFleet(shares=(("car", 0.5),)).apply(town), town))
    assert np.array_equal(clean.flow, quick.base.flow) and np.array_equal(clean.time_s, quick.base.time_s)
    assert clean.zones[:, 3].sum() < quick.base.zones[:, 3].sum()
