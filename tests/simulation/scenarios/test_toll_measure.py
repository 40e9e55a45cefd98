"""Tolls and cordon charges as measures: who pays where, for good and by the clock, in files and in words."""

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.scenarios import ChargeToll, Hours, Scenario, ScenarioError, Selection, scenario_from_yaml, to_yaml
from simulation.traffic.costs import toll_eur

ZONE = Selection(zones=("Z01",))


def test_a_toll_for_good_is_part_of_the_city(city):
    """2 EUR for lorries on links 3 and 43: their rows of the sum of tolls, and no other."""
    tolled = ChargeToll(where=Selection(links=(3, 43)), eur=2.0, classes=("heavy",)).apply(city)
    total = toll_eur(tolled.tolls, len(city.links))
    assert total.sum() == 4.0 and (total[VEHICLE_CLASSES.index("heavy"), [3, 43]] == 2.0).all()
    assert not city.tolls


def test_two_tolls_on_one_link_add_up(city):
    one = ChargeToll(where=Selection(links=(3,)), eur=2.0)
    assert toll_eur(one.apply(one.apply(city)).tolls, len(city.links))[0, 3] == 4.0


def test_a_cordon_charges_those_who_enter_and_nobody_within(city):
    """Every charged link lies in the zone, and an allowed turn or gateway leads onto it from outside."""
    measure = ChargeToll(where=ZONE, eur=1.0, cordon=True)
    inside, paid = measure.links(city), measure.charged(city)
    turns = city.turns
    entered = set(turns["to_link_id"][~turns["from_link_id"].isin(inside)]) | set(city.gateways["in_link_id"])
    assert 0 < paid.size < inside.size
    assert set(paid) == set(inside) & entered


def test_a_toll_with_hours_is_charged_and_taken_back_by_the_clock(city):
    """From 07:15 to 07:30: looked at every five minutes."""
    measure = ChargeToll(where=ZONE, eur=3.0, hours=Hours(7.25 * 3600, 7.5 * 3600))
    assert measure.apply(city) is city
    seen = []

    def look(live):
        while True:
            yield live.env.timeout(300.0)
            seen.append(float(live.charge_s().max()))

    city.run(days=1 / 24, start="2025-09-02 07:00", seed=1, incidents_per_day=0.0, processes=[measure.process, look])
    paid = np.array(seen) > 0
    assert paid.tolist() == [False, False, True, True, True, *[False] * (paid.size - 5)]


def test_it_is_written_and_read_back(city):
    for measure in (
        ChargeToll(where=ZONE, eur=2.5, cordon=True, hours=Hours(7 * 3600, 19 * 3600)),
        ChargeToll(where=Selection(links=(3,)), eur=1.0, classes=("car", "van")),
    ):
        scenario = Scenario(name="charge", measures=(measure,))
        assert scenario_from_yaml(to_yaml(scenario)) == scenario
    assert measure.in_words() == "Toll of 1 EUR on 1 link, for car, van"


def test_an_impossible_toll_names_every_fault():
    with pytest.raises(ScenarioError, match=r"(?s)toll -1 EUR; allowed: 0 to 1000.*\['tram'\].*needs a place"):
        ChargeToll(where=Selection(), eur=-1.0, classes=("tram",))


def test_a_cordon_that_nobody_enters_is_a_fault(city):
    everywhere = ChargeToll(where=Selection(links=tuple(range(len(city.links)))), eur=1.0, cordon=True)
    faults = [] if everywhere.charged(city).size else everywhere.check(city)
    gates = city.gateways["in_link_id"].to_numpy()
    assert np.isin(everywhere.charged(city), gates).all() if not faults else "meet nobody" in str(faults[0])
