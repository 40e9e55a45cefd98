"""What a scenario says before it runs: faults, warnings, trips that lose their way; and the shipped examples."""

from dataclasses import replace

import numpy as np
import pytest

from data.cities import load_city
from data.errors import CityError
from simulation.city import make_city
from simulation.scenarios import (
    BanTurns,
    CloseStreet,
    Scenario,
    Selection,
    SetLanes,
    SpeedLimit,
    load_shipped,
    scenario_from_yaml,
    shipped_names,
    to_yaml,
)
from zones import adjacency, link_zone, make_zones


def reviewed(city, *measures):
    return Scenario(name="x", measures=measures).review(city)


def test_a_scenario_that_keeps_every_way_has_nothing_lost(city):
    found = reviewed(city, SpeedLimit(where=Selection(street=("Row street 3",)), kmh=30))
    assert found.lost_veh == 0 and not found.faults and not found.warnings and str(found) == "nothing to remark"


def test_a_zone_cut_off_loses_exactly_its_demand(city):
    """Every link into the streets of Z01 is closed to cars: all car trips from elsewhere into it, no others' own."""
    inside = np.flatnonzero(np.isin(np.arange(len(city.links)), city.link_zone.loc[city.link_zone["zone_id"] == "Z01",
                                                                                   "link_id"]))  # fmt: skip
    turns = city.turns
    border = turns[~np.isin(turns["from_link_id"], inside) & np.isin(turns["to_link_id"], inside)]
    gates = np.intersect1d(city.gateways["in_link_id"], inside)
    ban = [
        BanTurns(where=Selection(links=(int(a),)), onto=Selection(links=(int(b),)))
        for a, b in border[["from_link_id", "to_link_id"]].itertuples(index=False)
    ]
    found = reviewed(city, *ban)
    od, places = city.demand.od_veh, list(city.demand.places)
    z = places.index("Z01")
    from_inside = [k for k, p in enumerate(places) if p == "Z01" or (
        p.startswith("G") and city.gateways.set_index("gateway_id")["in_link_id"].get(p, -1) in gates)]  # fmt: skip
    others = [k for k in range(len(places)) if k not in from_inside]
    expected = od[others, z].sum()
    into = found.lost[(found.lost["dest_zone_id"] == "Z01")
                      & found.lost["origin_zone_id"].isin([places[k] for k in others])]  # fmt: skip
    assert expected > 0 and into["trips_veh"].sum() == pytest.approx(expected, rel=1e-6)
    assert "lose their way" in str(found.warnings[-1]) and "drives through" in str(found.warnings[-1])


def test_a_closed_zone_says_that_its_trips_end_on_closed_streets(city):
    found = reviewed(city, CloseStreet(where=Selection(zones=("Z01",)), classes=("car",)))
    assert set(found.lost["vehicle_class"]) == {"car"}
    assert (found.lost.loc[found.lost["dest_zone_id"] == "Z01", "why"] == "closed at an end").all()


def test_what_changes_nothing_is_remarked(city):
    fast = SpeedLimit(where=Selection(street=("Row street 3",)), kmh=130)
    few = SetLanes(where=Selection(street=("Row street 2",)), change=-1)
    texts = [str(one) for one in reviewed(city, fast, few).warnings]
    assert len(texts) == 2 and "measures[0]" in texts[0] and "nothing changes there" in texts[0]
    assert "only one" in texts[1]


def test_faults_come_before_all_else(city):
    found = reviewed(city, CloseStreet(where=Selection(street=("Nowhere",))))
    assert found.faults and not found.warnings and "fault: " in str(found)


def city_of(source):
    zones = make_zones(source.links, source.places, crs=source.crs)
    return make_city(
        name=source.name, label=source.label, nodes=source.nodes, links=source.links, turns=source.turns, zones=zones,
        link_zone=link_zone(source.links, zones), adjacency=adjacency(zones), timezone=source.timezone,
        latitude=source.latitude, longitude=source.longitude, crs=source.crs,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cities():
    made = {"synthetic": city_of(load_city("synthetic:600@3"))}
    try:
        made["helsinki"] = city_of(load_city("helsinki"))
    except CityError:
        made["helsinki"] = None
    return made


def test_enough_examples_are_shipped_for_both_cities():
    assert len(shipped_names("helsinki")) >= 8 and len(shipped_names("synthetic")) >= 8
    assert set(shipped_names("helsinki")) | set(shipped_names("synthetic")) == set(shipped_names())


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_scenario_fits_the_city_that_it_names(name, cities):
    scenario = load_shipped(name)
    assert scenario.city in ("", "helsinki", "synthetic")
    for kind in (scenario.city,) if scenario.city else ("helsinki", "synthetic"):
        if cities[kind] is None:
            pytest.skip("central Helsinki cannot be read here")
        assert scenario.review(cities[kind]).faults == ()
        changed = scenario.apply(cities[kind])
        changed.link_arrays(), changed.turn_index()
        assert changed is not cities[kind] or scenario.timed


def test_the_city_of_a_file_is_kept():
    scenario = Scenario(name="x", city="helsinki")
    assert scenario_from_yaml(to_yaml(scenario)) == scenario != replace(scenario, city="")
