"""Tolls in a living town: who pays drives elsewhere, from that instant on, by the value of time of the class."""

from dataclasses import replace

import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.errors import RunError
from simulation.traffic.costs import Toll, UserCosts
from simulation.traffic.layout import OCCUPANCY

MORNING = {"start": "2025-09-02 07:00", "incidents_per_day": 0.0, "seed": 1}


@pytest.fixture(scope="module")
def base(town):
    return town.run(days=1 / 12, keep_link_state=True, **MORNING)


@pytest.fixture(scope="module")
def busy(town, base):
    """The busiest link that has another way around it."""
    gates = [*town.gateways["in_link_id"], *town.gateways["out_link_id"]]
    return int(base.link_totals["outflow_veh"].drop(gates).idxmax())


def entered(run, link, name):
    state = run.link_state
    return state[(state["link_id"] == link) & (state["vehicle_class"] == name)]["inflow_veh"].sum()


def test_a_toll_holds_from_its_instant_on_even_for_those_under_way(town, busy):
    """50 EUR are worth four hours to a car: charged amid an interval, ten minutes later no car is on the link."""
    kept = []

    def charge(live):
        yield live.env.timeout(3700.0)
        kept.append(int(live.engine.v.flow[busy, 0, OCCUPANCY]))
        live.set_toll([busy], 50.0)
        assert live.env.now % live.step_s == 100.0 and (live.routes.charge_s[:, busy] > 0).all()
        yield live.env.timeout(600.0)
        kept.append(int(live.engine.v.flow[busy, 0, OCCUPANCY]))

    run = town.run(days=1 / 12, processes=[charge], **MORNING)
    assert kept[0] > 0 and kept[1] == 0 and run.summary["lost"] == 0 and run.summary["conserved"]


def test_a_toll_turns_the_class_that_pays_and_no_other(town, base, busy):
    def charge(live):
        live.set_toll([busy], 50.0, classes=[VEHICLE_CLASSES.index("car")])
        yield live.env.timeout(0.0)

    run = town.run(days=1 / 12, processes=[charge], keep_link_state=True, **MORNING)
    assert entered(run, busy, "car") < 0.1 * entered(base, busy, "car")
    assert entered(run, busy, "van") > 0.5 * entered(base, busy, "van")


def test_a_small_toll_is_worth_its_seconds(town, busy):
    """0.10 EUR: 30 s of a car at 12 EUR/h, 6 s of a bus at 60 EUR/h; two tolls add up, classes of equal cost share."""
    seen = []

    def charge(live):
        live.set_toll([busy], 0.1)
        live.set_toll([busy], 0.1, classes=[0])
        seen.extend(live.charge_s()[[0, 3], busy])
        seen.append(live.routes.closed.shape[0])
        yield live.env.timeout(0.0)

    town.run(days=1 / 24, processes=[charge], **MORNING)
    assert seen == pytest.approx([60.0, 6.0, 4])


def test_what_is_taken_back_leaves_the_charges_as_they_were(town, busy):
    seen = []

    def charge(live):
        before = live.charge_s().tobytes(), live.routes.charge_s.shape
        undo = live.set_toll([busy], 0.3)
        other = live.set_toll([busy], 0.7)
        yield live.env.timeout(1000.0)
        undo()
        seen.append(live.charge_s()[0, busy])
        other()
        other()  # a second time does nothing
        seen.append((live.charge_s().tobytes(), live.routes.charge_s.shape) == before)

    run = town.run(days=1 / 24, processes=[charge], **MORNING)
    assert seen == [pytest.approx(210.0), True] and run.summary["conserved"]


def test_a_toll_that_the_city_has_for_good_holds_all_day(town, base, busy):
    tolled = replace(town, tolls=(Toll(link_ids=(busy,), eur=50.0),))
    run = tolled.run(days=1 / 12, keep_link_state=True, **MORNING)
    assert entered(run, busy, "car") < 0.1 * entered(base, busy, "car")


def test_drivers_to_whom_time_is_dear_pay(town, base, busy):
    """The same 0.50 EUR: 150 s at 12 EUR/h, 1.8 s at 1,000 EUR/h. Who pays 1.8 s drives as before, nearly."""
    toll = (Toll(link_ids=(busy,), eur=0.5),)
    usual = replace(town, tolls=toll).run(days=1 / 12, keep_link_state=True, **MORNING)
    rich = UserCosts(value_of_time_eur_per_h=(1000.0,) * len(VEHICLE_CLASSES))
    dear = replace(town, tolls=toll, costs=rich).run(days=1 / 12, keep_link_state=True, **MORNING)
    assert entered(usual, busy, "car") < 0.5 * entered(base, busy, "car")
    assert entered(dear, busy, "car") > 0.8 * entered(base, busy, "car")


def test_a_run_goes_on_from_its_state_under_a_toll_for_good_bit_for_bit(town, busy):
    tolled = replace(town, tolls=(Toll(link_ids=(busy,), eur=0.5, classes=(0, 1)),))
    whole = tolled.run(days=1 / 12, **MORNING)
    first = tolled.run(days=1 / 24, **MORNING)
    options = {name: value for name, value in MORNING.items() if name != "start"}
    second = tolled.run(days=1 / 24, initial_state=first.final_state, **options)
    assert all(whole.final_state[name].tobytes() == second.final_state[name].tobytes() for name in whole.final_state)


def test_a_toll_that_an_earlier_run_left_does_not_outlive_it(town, busy):
    def charge(live):
        live.set_toll([busy], 50.0)
        yield live.env.timeout(0.0)

    first = town.run(days=1 / 24, processes=[charge], **MORNING)
    seen = []

    def look(live):
        seen.append((live.routes.charge_s.max(), live.charge_s().max()))
        yield live.env.timeout(0.0)

    options = {name: value for name, value in MORNING.items() if name != "start"}
    town.run(days=1 / 24, processes=[look], initial_state=first.final_state, **options)
    assert seen == [(0.0, 0.0)]


@pytest.mark.parametrize(
    ("charge", "words"),
    [
        (lambda live: live.set_toll([80], 1.0), "run from 0 to 79"),
        (lambda live: live.set_toll([3], -1.0), "eur=-1.0 must be"),
        (lambda live: live.set_toll([3], 1.0, classes=[7]), r"classes \[7\]"),
    ],
    ids=["link", "negative", "class"],
)
def test_impossible_tolls_are_refused(town, charge, words):
    def process(live):
        charge(live)
        yield live.env.timeout(0.0)

    with pytest.raises(RunError, match=words):
        town.run(days=1 / 24, processes=[process], **MORNING)
