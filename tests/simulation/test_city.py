"""The frozen city: what it is made of, and what it is refused for."""

from dataclasses import replace

import numpy as np
import pytest

from data.errors import SchemaError
from data.schemas import GATEWAYS, SENSORS, SIGNALS, validate
from data.toy import toy_links, toy_turns
from simulation import City, make_city
from simulation.city import MAX_GUESSED_LOAD
from simulation.city_tables import TABLES, city_arrays, city_from, city_meta, city_tables
from simulation.demand.gateways import PEAK_HOUR_SHARE
from simulation.errors import NetworkError
from simulation.traffic.expected_load import expected_load
from simulation.traffic.routing import Routes


def test_a_city_is_made_of_streets_and_zones_alone(town):
    assert isinstance(town, City) and len(town.links) == 80 and len(town.zones) == 4
    assert len(validate(town.gateways, GATEWAYS)) == 4 and len(validate(town.signals, SIGNALS)) == 4
    assert set(validate(town.sensors, SENSORS)["zone_id"]) == set(town.zones["zone_id"])
    assert town.demand.od_veh.sum() > 1000 and not town.closed_array().any()


def test_the_same_tables_make_the_same_city(town, maker):
    again = maker()
    for name, table in city_tables(town).items():
        assert table.equals(city_tables(again)[name]), name
    assert all(a.tobytes() == city_arrays(again)[name].tobytes() for name, a in city_arrays(town).items())


def peak_load(city):
    """Flow of the busiest hour on free routes, veh/s, and volume over capacity."""
    arrays, n = city.link_arrays(), len(city.links)
    routes = Routes(arrays, city.turn_index(), city.demand.dest_link, np.zeros((1, n), bool), seed=0)
    routes.update()
    peak = routes.load(city.demand.starts(n)) * PEAK_HOUR_SHARE / 3600.0
    return peak, expected_load(peak, arrays, city.turn_index())


def test_a_guessed_demand_never_locks_the_town(town):
    """In the busiest hour signals carry everything; on free routes, which nobody keeps to, fewer than 10 % of the trips
    meet a junction beyond capacity."""
    peak, load = peak_load(town)
    trips = PEAK_HOUR_SHARE * town.demand.od_veh.sum() / 3600.0
    assert (peak * (1.0 - 1.0 / np.maximum(load, 1.0))).sum() <= 0.1 * trips
    assert load[town.link_arrays().cycle_s > 0].max() <= MAX_GUESSED_LOAD


def test_a_guessed_demand_heeds_what_its_junctions_can_pass_on(maker):
    """Streets at the border that carry three times as many vehicles ask for more than the town's junctions carry: the
    demand grows less than they do. A demand that is given stays as it is."""
    links = maker().links
    busy = maker(links=links.assign(capacity_veh_per_s=3.0 * links["capacity_veh_per_s"]))
    inward = busy.gateways["in_veh_per_day"].sum()
    assert busy.demand.od_veh[busy.demand.n_zones :].sum() < 0.95 * inward
    given = maker(demand=busy.demand.scaled(10.0))
    assert given.demand.od_veh.sum() == pytest.approx(10.0 * busy.demand.od_veh.sum())


def test_closed_links_are_by_class(town):
    closed = replace(town, closed=frozenset({(3, 2), (5, 0)})).closed_array()
    assert closed.shape == (4, 80) and closed.sum() == 2 and closed[2, 3] and closed[0, 5]


def test_a_table_that_breaks_its_schema_is_refused(maker):
    with pytest.raises(SchemaError, match="turns"):
        maker(turns=toy_turns().drop(columns="penalty_s"))
    with pytest.raises(SchemaError, match="length_m"):
        maker(links=toy_links().assign(length_m=-1.0))
    with pytest.raises(NetworkError, match="in order"):
        maker(links=toy_links().iloc[::-1])


def stored(city, folder):
    """A city through Parquet, NPZ and JSON and back."""
    from data.store.runs import RunStore, run_id

    runs = RunStore(folder)
    with runs.write("city", {}) as run:
        for name, table in city_tables(city).items():
            run.table(name, table)
        run.arrays("demand", city_arrays(city))
        run.json("city", city_meta(city))
    name = run_id("city", {})
    return city_from(
        {table: runs.read(name, table) for table in TABLES},
        runs.read_arrays(name, "demand"),
        runs.read_json(name, "city"),
    )


def test_a_city_keeps_its_fleet_through_the_store(town, tmp_path):
    """Half of the cars electric: 50 % before and after, and every other entry as it was."""
    electric = replace(town, fleet=town.fleet.with_electric_share("car", 0.5))
    again = stored(electric, tmp_path)
    assert again.fleet == electric.fleet != town.fleet
    assert sum(e.share for e in again.fleet.of_class("car") if e.fuel == "electric") == 0.5


def test_a_city_comes_back_from_its_tables_and_lives_the_same_life(town, day, tmp_path):
    """Through Parquet, NPZ and JSON; a day of it is the same, bit for bit."""
    again = stored(town, tmp_path)
    assert (again.label, again.timezone, again.crs) == (town.label, town.timezone, town.crs)
    other = again.run(days=1, seed=1, incidents_per_day=0.0)
    for table in ("zone_state", "zone_truth", "sensor_state", "counts"):
        assert getattr(other, table).equals(getattr(day, table)), table


def test_the_room_offers_its_names_lazily():
    import simulation

    assert simulation.make_city is make_city and simulation.City is City
    with pytest.raises(AttributeError, match="Villages"):
        _ = simulation.Villages
