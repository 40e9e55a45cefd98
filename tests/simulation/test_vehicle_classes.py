"""Cars, vans, lorries and buses go through a run as such, from the trips to the tables and the emissions."""

import numpy as np
import pytest

from data.cities import load_city
from data.schemas import VEHICLE_CLASSES
from simulation.air.emissions import emission_table, link_emissions
from simulation.air.fleet import default_fleet
from simulation.city import make_city
from simulation.link_state import N_SPEED_BINS, SPEED_KNOTS_KMH, LinkInterval
from zones import adjacency, link_zone, make_zones


@pytest.fixture(scope="module")
def morning():
    """The embedded city from 8 to 9 h on a Monday, with its log."""
    read = load_city("helsinki")
    zones = make_zones(read.links, read.places)
    city = make_city(
        name=read.name, label=read.label, timezone=read.timezone, latitude=read.latitude, longitude=read.longitude,
        crs=str(read.crs), nodes=read.nodes, links=read.links, turns=read.turns, zones=zones,
        link_zone=link_zone(read.links, zones), adjacency=adjacency(zones),
    )  # fmt: skip
    return city.run(days=1 / 24, seed=1, start="2026-01-26 08:00", keep_link_state=True, keep_entry_log=True)


def test_every_class_of_the_embedded_city_is_in_link_state(morning):
    """Entries into links by class are those of the log, whose trips know their class; cars are the most."""
    state, log = morning.link_state, morning.entry_log
    entered = state.groupby("vehicle_class", observed=False)["inflow_veh"].sum()
    assert list(entered.index) == list(VEHICLE_CLASSES) and (entered > 0).all()
    klass = morning.released["vehicle_class"].cat.codes.to_numpy()
    driven = (log.link >= 0) & (log.time_s < 3600.0) & (log.time_s >= 0.0)
    by_class = np.bincount(klass[log.trip[driven]], minlength=len(VEHICLE_CLASSES))
    np.testing.assert_allclose(entered.to_numpy(), by_class)
    assert entered["car"] > entered["van"] > 0 and entered.idxmax() == "car"


def test_every_class_drives_and_takes_time(morning):
    """Metres and seconds of each class, at speeds between walking and the fastest street."""
    sums = morning.link_state.groupby("vehicle_class", observed=False)[["vehicle_distance_m", "vehicle_time_s"]].sum()
    speed = 3.6 * sums["vehicle_distance_m"] / sums["vehicle_time_s"]
    assert ((speed > 5) & (speed < 90)).all()


def test_a_class_emits_by_its_own_vehicles():
    """1 km of each class at 30 km/h on a link of its own: the amount is that of the class's row of the table."""
    n = len(VEHICLE_CLASSES)
    histogram = np.zeros((n, n, N_SPEED_BINS))
    knot = int(np.flatnonzero(SPEED_KNOTS_KMH == 30.0)[0])
    histogram[np.arange(n), np.arange(n), knot] = 1000.0
    none = np.zeros((n, n))
    interval = LinkInterval(
        start_s=0.0, step_s=900.0, vehicle_distance_m=none, vehicle_time_s=none, inflow_veh=none, outflow_veh=none,
        queue_veh=none, speed_distance_m=histogram,
    )  # fmt: skip
    table = emission_table(default_fleet())
    np.testing.assert_allclose(link_emissions(interval, [table]), 1000.0 * table[:, knot])
    assert (np.diff(table[[0, 1, 2], knot, 4]) > 0).all()  # CO2: car < van < lorry
