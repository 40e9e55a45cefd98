"""Every measure meets the same contract; then what each one does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import LINKS, validate
from simulation.air.fleet import Ban, default_fleet
from simulation.scenarios import (
    ActuateSignals,
    CloseStreet,
    Hours,
    LowEmissionZone,
    RetimeSignals,
    ScaleDemand,
    Scenario,
    ScenarioError,
    Selection,
    SetLanes,
    SpeedLimit,
)

MAIN = Selection(street=("Row street 3",))
OLD_DIESEL = (Ban(fuel="diesel", euro_max=5),)
EVERY = {
    "close": CloseStreet(where=MAIN),
    "close to cars": CloseStreet(where=MAIN, classes=("car",)),
    "lanes": SetLanes(where=MAIN, lanes=1),
    "lanes changed": SetLanes(where=MAIN, change=1),
    "speed": SpeedLimit(where=MAIN, kmh=30),
    "demand": ScaleDemand(factor=0.9),
    "demand between": ScaleDemand(factor=1.5, from_zones=("Z01",), to_zones=("North-east",)),
    "low emission": LowEmissionZone(where=Selection(zones=("Z01",)), bans=OLD_DIESEL),
    "actuated signals": ActuateSignals(where=MAIN),
    "retimed signals": RetimeSignals(where=MAIN, cycle_s=97.0),
}
every_measure = pytest.mark.parametrize("measure", EVERY.values(), ids=EVERY.keys())
MORNING = Hours(7 * 3600.0, 9 * 3600.0)


def changes(one, two):
    """Names of the City fields that differ."""
    frames = [
        name for name in ("links", "nodes", "turns", "signals", "zones", "link_zone", "sensors")
        if not getattr(one, name).equals(getattr(two, name))
    ]  # fmt: skip
    plain = [
        name
        for name in ("closed", "link_fleet", "fleet", "name", "actuated")
        if getattr(one, name) != getattr(two, name)
    ]
    od = [] if np.array_equal(one.demand.od_veh, two.demand.od_veh) else ["demand"]
    return frames + plain + od


@every_measure
def test_a_permanent_measure_changes_a_copy_of_the_city_only(measure, city):
    before = city.links.copy(), city.demand.od_veh.copy()
    after = measure.apply(city)
    assert len(changes(city, after)) == 1
    pd.testing.assert_frame_equal(pd.DataFrame(city.links), pd.DataFrame(before[0]))
    np.testing.assert_array_equal(city.demand.od_veh, before[1])
    validate(after.links, LINKS)


@every_measure
def test_a_permanent_measure_has_no_process(measure, city, live_of):
    live = live_of(city)
    before = live.snapshot()
    live.play(measure.process(live), until=86_400.0)
    assert live.snapshot() == before


@every_measure
def test_a_measure_with_hours_leaves_the_city_alone(measure, city):
    assert replace(measure, hours=MORNING).apply(city) is city


@every_measure
@pytest.mark.parametrize("start_s", [0.0, 8 * 3600.0], ids=["before", "in the hours"])
def test_a_measure_with_hours_is_on_in_them_and_leaves_no_trace_after_them(measure, city, live_of, start_s):
    """Two days; at every half hour the live city is changed exactly when the clock is within the hours."""
    timed = replace(measure, hours=MORNING)
    live = live_of(city, start_s=start_s)
    before = live.snapshot()
    seen = []

    def watch():
        while True:
            yield live.env.timeout(900.0)
            seen.append((live.time_of_day_s(), live.snapshot() != before))
            yield live.env.timeout(900.0)

    live.play(timed.process(live), watch(), until=2 * 86_400.0)
    assert len(seen) == 96
    assert [on for _, on in seen] == [MORNING.hold_at(at) for at, _ in seen]


@every_measure
def test_the_same_measure_twice_overlapping_ends_with_the_later_end(measure, city, live_of):
    """7-9 and 8-10 on the same links: still on at 9:30, off at 10:30, and every link as before."""
    both = Scenario(
        name="twice",
        measures=(replace(measure, hours=MORNING), replace(measure, hours=Hours(8 * 3600.0, 10 * 3600.0))),
    )
    live = live_of(city)
    before = live.snapshot()
    live.play(both.process(live), until=9.5 * 3600.0)
    assert live.snapshot() != before
    live.env.run(until=10.5 * 3600.0)
    assert live.snapshot() == before


@every_measure
def test_a_measure_says_what_it_is_in_one_line(measure):
    text = replace(measure, hours=MORNING).in_words()
    assert text.endswith(", 07:00-09:00") and "\n" not in text and text[0].isupper() | text[0].isdigit()


def test_an_empty_scenario_is_the_city_itself(city, live_of):
    nothing = Scenario(name="base")
    assert nothing.apply(city) is city and nothing.processes() == ()


def test_a_closure_closes_its_links_to_its_classes(city):
    """Row street 3 has 4 blocks in 2 directions: 8 links; vans and buses are classes 1 and 3."""
    closed = CloseStreet(where=MAIN, classes=("van", "bus")).apply(city).closed
    assert len(closed) == 16 and {klass for _, klass in closed} == {1, 3}
    assert {city.links["name"].iloc[link] for link, _ in closed} == {"Row street 3"}


def test_lanes_scale_capacity_and_storage(city):
    """2 lanes to 1: half the capacity, half the storage, on that street alone."""
    after = SetLanes(where=MAIN, lanes=1).apply(city)
    street = (city.links["name"] == "Row street 3").to_numpy()
    for name in ("lanes", "capacity_veh_per_s", "jam_density_veh_per_m"):
        ratio = (after.links[name] / city.links[name]).to_numpy()
        np.testing.assert_allclose(ratio[street], 0.5)
        np.testing.assert_array_equal(ratio[~street], 1.0)


def test_a_change_of_lanes_keeps_at_least_one(city):
    after = SetLanes(where=Selection(), change=-1).apply(city)
    assert after.links["lanes"].min() == 1.0
    assert (after.links.loc[city.links["lanes"] == 1, "capacity_veh_per_s"] == 600 / 3600).all()


def test_a_limit_lowers_speeds_and_never_raises_them(city):
    """40 km/h on everything: 50 km/h streets fall to 36 km/h (0.9 of the limit), 30 km/h streets stay."""
    after = SpeedLimit(where=Selection(), kmh=40).apply(city).links["free_flow_speed_mps"] * 3.6
    main = (city.links["road_class"] == "primary").to_numpy()
    np.testing.assert_allclose(after[main], 36.0)
    np.testing.assert_allclose(after[~main], 30.0)


def test_overlapping_limits_hold_the_lower_one_and_give_back_the_other(city, live_of):
    """30 km/h 7-9 within 40 km/h 6-10: 8.33 is not below 7.5 m/s; at 9:30 40 km/h again; at 10:30 as built."""
    slow = Scenario(
        name="slow",
        measures=(
            SpeedLimit(where=MAIN, kmh=30, hours=MORNING),
            SpeedLimit(where=MAIN, kmh=40, hours=Hours(6 * 3600.0, 10 * 3600.0)),
        ),
    )
    live = live_of(city)
    street = np.flatnonzero(city.links["name"] == "Row street 3")
    live.play(slow.process(live), until=8 * 3600.0)
    np.testing.assert_allclose(live.speed[street], 7.5)
    live.env.run(until=9.5 * 3600.0)
    np.testing.assert_allclose(live.speed[street], 10.0)
    live.env.run(until=10.5 * 3600.0)
    assert np.isnan(live.speed).all()


def test_hours_over_midnight_hold_on_both_sides_of_it(city, live_of):
    night = CloseStreet(where=MAIN, hours=Hours(22 * 3600.0, 5 * 3600.0))
    live = live_of(city)
    street = np.flatnonzero(city.links["name"] == "Row street 3")
    live.play(night.process(live), until=3600.0)
    assert (live.closures[:, street] == 1).all()
    live.env.run(until=12 * 3600.0)
    assert (live.closures == 0).all()
    live.env.run(until=23 * 3600.0)
    assert (live.closures[:, street] == 1).all()


def test_hours_of_a_whole_day_hold_all_day_and_night(city, live_of):
    """00:00 to 24:00: begin and end fall on one instant, and the closure never lifts."""
    always = CloseStreet(where=MAIN, hours=Hours(0.0, 86_400.0))
    live = live_of(city)
    street = np.flatnonzero(city.links["name"] == "Row street 3")
    seen = []

    def watch():
        while True:
            yield live.env.timeout(3599.0)
            seen.append((live.closures[:, street] == 1).all())

    live.play(always.process(live), watch(), until=2.5 * 86_400.0)
    assert len(seen) == 60 and all(seen)


def test_a_low_emission_zone_changes_the_fleet_of_its_links(city):
    after = EVERY["low emission"].apply(city)
    ((links, fleet),) = after.link_fleet
    assert fleet == default_fleet().without(OLD_DIESEL)
    assert set(links) == set(city.link_zone.loc[city.link_zone["zone_id"] == "Z01", "link_id"])


def test_two_low_emission_zones_on_one_link_add_their_bans(city):
    petrol = (Ban(fuel="petrol", euro_max=4),)
    both = LowEmissionZone(where=MAIN, bans=petrol).apply(LowEmissionZone(where=MAIN, bans=OLD_DIESEL).apply(city))
    ((_, fleet),) = both.link_fleet
    assert fleet.banned_share(OLD_DIESEL + petrol) == dict.fromkeys(("car", "van", "heavy", "bus"), 0.0)


def test_a_timed_zone_within_a_permanent_one_returns_to_it(city, live_of):
    permanent = LowEmissionZone(where=MAIN, bans=OLD_DIESEL).apply(city)
    timed = LowEmissionZone(where=MAIN, bans=(Ban(fuel="petrol", euro_max=4),), hours=MORNING)
    live = live_of(permanent)
    link = int(np.flatnonzero(city.links["name"] == "Row street 3")[0])
    live.play(timed.process(live), until=8 * 3600.0)
    assert live.fleets[link].banned_share(timed.bans)["car"] == 0
    live.env.run(until=12 * 3600.0)
    assert live.fleets[link] == default_fleet().without(OLD_DIESEL)


def test_demand_scales_the_trips_between_its_zones(city):
    expected = city.demand.od_veh.copy()
    assert expected[0, 3] > 0
    expected[0, 3] *= 1.5
    np.testing.assert_allclose(EVERY["demand between"].apply(city).demand.od_veh, expected)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: CloseStreet(where=Selection()), "would close the whole city"),
        (lambda: CloseStreet(where=MAIN, classes=("tram",)), r"\['tram'\]; allowed"),
        (lambda: SetLanes(where=MAIN), "either 'lanes' or 'change'"),
        (lambda: SetLanes(where=MAIN, lanes=0), "close the street"),
        (lambda: SpeedLimit(where=MAIN, kmh=500), "allowed: 5 to 130"),
        (lambda: ScaleDemand(factor=-0.1), "allowed: 0"),
        (lambda: LowEmissionZone(where=MAIN), "at least one ban"),
        (lambda: Hours(3600.0, 3600.0), "start and end are both 01:00"),
    ],
)
def test_impossible_measures_are_refused(make, text):
    with pytest.raises(ScenarioError, match=text):
        make()


def test_a_scenario_that_does_not_fit_names_every_measure(city):
    wrong = Scenario(
        name="wrong",
        measures=(
            CloseStreet(where=Selection(street=("Row stret 3",))),
            ScaleDemand(factor=0.5, from_zones=("Z09",)),
            LowEmissionZone(where=MAIN, bans=(Ban(fuel="diesel", euro_max=7), Ban(fuel="electric", euro_max=9))),
        ),
    )
    with pytest.raises(ScenarioError) as caught:
        wrong.apply(city)
    text = str(caught.value)
    assert "measures[0].street: unknown street 'Row stret 3'; did you mean 'Row street 3'" in text
    assert "measures[1].from_zones: unknown zone 'Z09'" in text
    assert "measures[2].ban: the bans leave no vehicle of class 'van'" in text
