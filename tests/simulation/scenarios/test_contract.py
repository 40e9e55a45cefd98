"""The contract that every measure passes: nothing when empty, no trace after its hours, only its own links, a text."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import LINKS, TURNS, VEHICLE_CLASSES, validate
from simulation.air.fleet import Ban
from simulation.scenarios import (
    ActuateSignals,
    Band,
    BanTurns,
    BusLane,
    ChargeDistance,
    ChargeToll,
    CloseStreet,
    ElectrifyFleet,
    Event,
    FixSignals,
    Hours,
    Incident,
    LimitCapacity,
    LowEmissionZone,
    NewDevelopment,
    NewLink,
    OneWay,
    Pedestrianise,
    RetimeSignals,
    Roadworks,
    ScaleDemand,
    Scenario,
    ScenarioError,
    Selection,
    SetLanes,
    ShiftMode,
    SpeedLimit,
    WeatherDay,
    ZeroEmissionZone,
    Zone30,
    from_form,
    scenario_from_yaml,
    to_form,
    to_yaml,
)
from simulation.scenarios.entries import ENTRIES
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.writing import WRITERS
from simulation.traffic.costs import toll_eur

MAIN = Selection(street=("Row street 3",))
ZONE = Selection(zones=("Z01",))
NOWHERE = Selection(street=("Row stret 3",))
MORNING = Hours(7 * 3600.0, 9 * 3600.0)
EVENING = Hours(7.5 * 3600.0, 8.5 * 3600.0)
OLD_DIESEL = (Ban(fuel="diesel", euro_max=5),)
DIAGONAL = ((24.94, 60.17), (24.94356, 60.17176))  # corner of the toy town to the crossing one street on


def event(hours):
    return Event(where=MAIN, vehicles=40, hours=hours, arrive_over_s=1800.0, leave_over_s=1800.0)


#: Every measure for good; those that always have hours are in `TIMED`.
EVERY = {
    "close_street": CloseStreet(where=MAIN, classes=("car", "van")),
    "pedestrianise": Pedestrianise(where=MAIN, buses=True),
    "new_link": NewLink(line=DIAGONAL, name="Diagonal"),
    "lanes": SetLanes(where=MAIN, lanes=1),
    "bus_lane": BusLane(where=MAIN),
    "speed_limit": SpeedLimit(where=MAIN, kmh=30),
    "speed_limit raised": SpeedLimit(where=MAIN, kmh=100, may_raise=True),
    "zone_30": Zone30(where=ZONE, main_streets=True, kmh=20),
    "one_way": OneWay(where=MAIN, towards="east", give_lanes=True),
    "turn_ban": BanTurns(where=MAIN, movements=("left",)),
    "fixed_signals": FixSignals(where=MAIN, cycle_s=100, green_share=0.7),
    "retime_signals": RetimeSignals(where=MAIN, cycle_s=97.0),
    "actuate_signals": ActuateSignals(where=MAIN),
    "toll": ChargeToll(where=MAIN, eur=2.0, classes=("car",)),
    "distance_charge": ChargeDistance(where=MAIN, eur_per_km=0.2),
    "low_emission_zone": LowEmissionZone(where=ZONE, bans=OLD_DIESEL, response="avoid", avoid_share=0.5),
    "zero_emission_zone": ZeroEmissionZone(where=ZONE, classes=("van", "heavy")),
    "electrify": ElectrifyFleet(shares=(("car", 0.5), ("bus", 1.0))),
    "demand": ScaleDemand(factor=1.2, classes=("van",)),
    "mode_shift": ShiftMode(bands=(Band(0.5, 0.3), Band(5.0, 0.1)), from_zones=("Z01",)),
    "development": NewDevelopment(zone="Z01", homes=500, jobs=100, shops=2),
    "capacity": LimitCapacity(where=MAIN, share=0.4),
    "roadworks": Roadworks(where=MAIN, lanes_closed=1, kmh=30),
    "weather": WeatherDay(kind="snow"),
}
ALWAYS_TIMED = {
    "event": event(EVENING),
    "incident": Incident(where=MAIN, lanes_blocked=1, hours=MORNING),
    "deliveries": Pedestrianise(where=MAIN, deliveries=Hours(9 * 3600.0, 7 * 3600.0)),  # closed to goods from 7 to 9
}
FOR_GOOD = ("new_link", "electrify", "development")
TIMED = {name: replace(one, hours=MORNING) for name, one in EVERY.items() if name not in FOR_GOOD}
TIMED |= {name: one for name, one in ALWAYS_TIMED.items() if name != "deliveries"}
#: Measures whose amounts say: nothing.
EMPTY = {
    "lanes": SetLanes(where=MAIN, change=0),
    "speed_limit": SpeedLimit(where=MAIN, kmh=130),
    "zone_30": Zone30(where=ZONE, kmh=130),
    "fixed_signals": FixSignals(where=MAIN),
    "toll": ChargeToll(where=MAIN, eur=0.0),
    "distance_charge": ChargeDistance(where=Selection(), eur_per_km=0.0),
    "low_emission_zone": LowEmissionZone(where=ZONE, bans=(Ban(fuel="petrol", euro_max=1),), response="avoid"),
    "low_emission_zone that nobody avoids": LowEmissionZone(
        where=ZONE, bans=(Ban(fuel="petrol", euro_max=1),), response="avoid", avoid_share=0.0
    ),
    "electrify": ElectrifyFleet(shares=(("car", 0.0),)),
    "demand": ScaleDemand(factor=1.0),
    "demand of vans": ScaleDemand(factor=1.0, classes=("van",)),
    "mode_shift": ShiftMode(bands=(Band(5.0, 0.0),)),
    "development": NewDevelopment(zone="Z01"),
    "event": Event(where=MAIN, vehicles=0, hours=EVENING),
    "capacity": LimitCapacity(where=MAIN, share=1.0),
    "incident": Incident(where=MAIN, share=1.0, hours=MORNING),
    "roadworks": Roadworks(where=MAIN, lanes_closed=0, kmh=None),
    "weather": WeatherDay(speed=1.0, capacity=1.0, demand=1.0),
}
every_measure = pytest.mark.parametrize("measure", [*EVERY.values(), *ALWAYS_TIMED.values()],
                                        ids=[*EVERY, *ALWAYS_TIMED])  # fmt: skip
every_timed = pytest.mark.parametrize("measure", TIMED.values(), ids=TIMED.keys())


def as_it_runs(city):
    """All that a run reads of a city, as plain values."""
    arrays, turns, n = city.link_arrays(), city.turn_index(), len(city.links)
    fields = ("length_m", "lanes", "speed_mps", "capacity_veh_per_s", "discharge_veh_per_s", "jam_density_veh_per_m",
              "cycle_s", "green_start_s", "green_s", "key")  # fmt: skip
    return {
        **{name: getattr(arrays, name).tobytes() for name in fields},
        **{f"turn {name}": getattr(turns, name).tobytes() for name in ("in_start", "in_link", "in_penalty")},
        "demand": city.demand.od_veh.tobytes(),
        "factors": [(one.matrix.tobytes(), one.classes) for one in city.demand_factors if (one.matrix != 1).any()],
        "closed": city.closed_array().tobytes(),
        "toll": toll_eur(city.tolls, n).tobytes(),
        "fleet": city.fleet,
        "link fleets": city.link_fleet,
        "limits": len(city.link_limits),
        "avoided": [one.share for one in city.avoided if any(one.share)],
        "actuated": city.actuated,
        "zones": city.zones[["homes", "jobs", "shops"]].to_numpy().tobytes(),
    }


def test_every_entry_of_files_is_here():
    """A measure that is added to files and forms must meet the contract."""
    kinds = {name.split(" ")[0] for name in (*EVERY, *ALWAYS_TIMED)} - {"deliveries"}
    assert kinds == set(ENTRIES) == {kind for kind, _ in WRITERS.values()}
    for name, measure in EVERY.items():
        assert WRITERS[type(measure)][0] == name.split(" ")[0]


@every_measure
def test_it_fits_the_city_and_changes_a_copy(measure, city):
    before = as_it_runs(city)
    assert measure.check(city) == []
    after = measure.apply(city)
    assert as_it_runs(city) == before
    validate(after.links, LINKS)
    validate(after.turns, TURNS)
    changed = as_it_runs(after) != before
    assert changed or measure.timed


@pytest.mark.parametrize("measure", EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_measure_leaves_the_city_as_it_is_to_the_last_bit(measure, city):
    assert measure.check(city) == []
    assert as_it_runs(measure.apply(city)) == as_it_runs(city)


def test_empty_measures_leave_a_run_as_it_is_to_the_last_bit(city):
    """All of them at once, for good where they can be and with hours too: every table of an hour is the same."""
    timed = [
        replace(one, hours=Hours(7.25 * 3600, 7.5 * 3600))
        for name, one in EMPTY.items()
        if name not in ("electrify", "development", "fixed_signals")
    ]
    scenario = Scenario(name="nothing", measures=(*EMPTY.values(), *timed))
    options = {"days": 1 / 24, "seed": 3, "start": "2025-09-02 07:00", "incidents_per_day": 0.0}
    base = city.run(**options)
    same = scenario.apply(city).run(processes=scenario.processes(), **options)
    for table in ("zone_truth", "sensor_state", "link_totals", "counts", "trips"):
        pd.testing.assert_frame_equal(getattr(base, table), getattr(same, table), check_exact=True)


@every_measure
def test_files_and_forms_give_it_back(measure):
    scenario = Scenario(name="round_trip", measures=(measure,))
    assert scenario_from_yaml(to_yaml(scenario)) == scenario
    assert from_form(json.loads(json.dumps(to_form(scenario)))) == scenario


@every_measure
def test_it_says_what_it_is_in_one_readable_line(measure):
    text = measure.in_words()
    assert "\n" not in text and 8 < len(text) < 160 and (text[0].isupper() or text[0].isdigit())
    assert "Selection" not in text and "(" not in text and "None" not in text


@pytest.mark.parametrize(
    "measure", [one for one in (*EVERY.values(), *ALWAYS_TIMED.values()) if isinstance(one, LinkMeasure)],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_an_unknown_place_is_named_with_the_nearest(measure, city):
    faults = replace(measure, where=NOWHERE).check(city)
    assert faults and "unknown street 'Row stret 3'; did you mean 'Row street 3'" in str(faults[0])


@pytest.mark.parametrize(
    "measure",
    [
        ShiftMode(bands=(Band(5.0, 0.3),), to_zones=("Z99",)),
        NewDevelopment(zone="Z99", homes=1),
        NewDevelopment(at=(2.35, 48.85), homes=1),
        NewLink(line=((2.35, 48.85), (2.36, 48.85))),
        NewLink(line=(DIAGONAL[0], DIAGONAL[0])),
        BanTurns(where=Selection(links=(0,)), onto=Selection(links=(0,))),
        BusLane(where=Selection(street=("Row street 2",))),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_does_not_fit_is_a_fault_and_not_a_crash(measure, city):
    faults = measure.check(city)
    assert faults and all(len(str(fault)) > 20 for fault in faults)
    with pytest.raises(ScenarioError):
        Scenario(name="x", measures=(measure,)).apply(city)


@every_timed
def test_it_is_on_in_its_hours_and_leaves_no_trace(measure, city, live_of):
    """Two days; at every half hour the live city is changed exactly when the clock is within the hours."""
    city = measure.apply(city)
    live = live_of(city)
    before = live.snapshot()
    seen = []

    def watch():
        while True:
            yield live.env.timeout(900.0)
            seen.append((live.time_of_day_s(), live.snapshot() != before))
            yield live.env.timeout(900.0)

    live.play(measure.process(live), watch(), until=2 * 86_400.0)
    assert [on for _, on in seen] == [measure.active.hold_at(at) for at, _ in seen]


@every_timed
def test_weekdays_and_dates_switch_it_too(measure, city, live_of):
    """Tuesdays until 2 June 2026, from Monday 1 June on: on Tuesday alone of ten days."""
    hours = replace(measure.hours, days=("tue",), last="2026-06-02")
    measure = replace(measure, hours=hours)
    live = live_of(measure.apply(city))
    before, on = live.snapshot(), []

    def watch():
        while True:
            yield live.env.timeout(8 * 3600.0)
            if live.snapshot() != before:
                on.append(live.local().day_name())
            yield live.env.timeout(16 * 3600.0)

    live.play(measure.process(live), watch(), until=10 * 86_400.0)
    assert on == ["Tuesday"] and live.snapshot() == before


LINK_COLUMNS = ["length_m", "lanes", "free_flow_speed_mps", "capacity_veh_per_s", "jam_density_veh_per_m"]


@pytest.mark.parametrize(
    "measure", [one for one in EVERY.values() if isinstance(one, LinkMeasure) and not one.where.is_empty],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_it_touches_no_other_link(measure, city):
    """Geometry, capacity, closures, tolls and engines of all links outside its place stay."""
    after, own = measure.apply(city), np.zeros(len(city.links), dtype=bool)
    own[measure.links(city)] = True
    if hasattr(measure, "approaches"):
        own[measure.approaches(city)] = True
    n = len(city.links)
    assert (after.links[LINK_COLUMNS].to_numpy()[:n][~own] == city.links[LINK_COLUMNS].to_numpy()[~own]).all()
    assert not after.closed_array()[:, :n][:, ~own].any()
    assert not toll_eur(after.tolls, len(after.links))[:, :n][:, ~own].any()
    assert not {link for ids, _ in after.link_fleet for link in ids} - set(np.flatnonzero(own))
    changed = after.signals.merge(city.signals, on="link_id", suffixes=("", "_old"))
    moved = changed["link_id"][(changed["green_s"] != changed["green_s_old"]).to_numpy()]
    assert own[moved].all()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("demand", "mode_shift", "development",
                                                                         "weather")])  # fmt: skip
def test_what_is_about_streets_keeps_every_trip(name, city):
    after = EVERY[name].apply(city)
    assert after.demand is city.demand and not after.demand_factors


@pytest.fixture(scope="module")
def in_hours(city):
    """One run with all measures that have hours, from 07:15 to 07:45, looked at before, amid and after."""
    hours = Hours(7.25 * 3600, 7.75 * 3600)
    soon = Event(where=MAIN, vehicles=30, hours=Hours(7.4 * 3600, 7.5 * 3600), arrive_over_s=540, leave_over_s=540)
    measures = [replace(one, hours=hours) for name, one in TIMED.items() if name not in ("event", "retime_signals")]
    scenario = Scenario(name="all", measures=(*measures, soon))
    ready, seen = scenario.apply(city), []

    def watch(live):
        for minute in (10, 30, 50):
            yield live.env.timeout(live.seconds_until(7 * 3600.0 + minute * 60.0))
            arrays = live.engine.arrays
            seen.append({
                "closed": live.closed().tobytes(), "speed": arrays.speed_mps.tobytes(),
                "lanes": arrays.lanes.tobytes(), "capacity": arrays.capacity_veh_per_s.tobytes(),
                "storage": arrays.jam_density_veh_per_m.tobytes(), "charge": live.charge_s().tobytes(),
                "demand": None if live.demand_factor() is None else live.demand_factor().tobytes(),
                "turns": live.routes.turns.in_penalty.tobytes(), "groups": live.routes.closed.tobytes(),
                "fleet": tuple(live.air.link_fleet(link) for link in range(len(ready.links))),
            })  # fmt: skip

    result = ready.run(
        days=1 / 24, seed=2, start="2025-09-02 07:00", processes=[*scenario.processes(), watch], incidents_per_day=0.0,
        keep_entry_log=True,
    )  # fmt: skip
    return result, seen


def test_a_living_city_is_as_before_after_the_hours_of_all_measures(in_hours):
    _, (before, amid, after) = in_hours
    assert after == before
    assert {name for name in amid if amid[name] != before[name]} == set(amid)


def test_vehicles_are_conserved_under_all_measures_at_once(in_hours):
    result, _ = in_hours
    assert result.summary["conserved"] and result.summary["lost"] == 0
    assert result.summary["departed"] == len(result.released)


def test_guests_of_an_event_come_and_leave(city):
    """30 cars are sent to Row street 3 and 30 from it, beside the same usual trips."""
    soon = Event(where=MAIN, vehicles=30, hours=Hours(7.4 * 3600, 7.5 * 3600), arrive_over_s=540, leave_over_s=540)
    options = {"days": 1 / 24, "seed": 2, "start": "2025-09-02 07:00", "incidents_per_day": 0.0, "keep_entry_log": True}
    base, held = city.run(**options).released, city.run(processes=[soon.process], **options).released
    columns = ["depart_s", "origin_link_id", "dest_link_id", "vehicle_class"]
    both = held[columns].merge(base[columns], how="left", indicator=True)
    guests = both[both["_merge"] == "left_only"]
    place = soon._parking(city, city.demand.destinations)
    arriving = guests[guests["depart_s"] < 0.4 * 3600]
    leaving = guests[guests["depart_s"] >= 0.5 * 3600]
    assert len(arriving) <= 30 and len(leaving) <= 30 and len(guests) == len(held) - len(base) > 50
    assert np.isin(arriving["dest_link_id"], place).all() and set(guests["vehicle_class"]) == {"car"}
    assert arriving["depart_s"].between(0.25 * 3600, 0.4 * 3600).all()
    assert leaving["depart_s"].between(0.5 * 3600, 0.65 * 3600).all()


def test_through_traffic_drives_around_and_guests_of_the_zone_do_not(city):
    """Zero emissions on the middle row, all avoid: of those who pass today, mainly battery vehicles do."""
    zone = ZeroEmissionZone(where=MAIN, classes=VEHICLE_CLASSES, response="avoid", avoid_share=1.0)
    options = {"days": 1 / 24, "seed": 2, "start": "2025-09-02 07:00", "incidents_per_day": 0.0, "keep_entry_log": True}
    links = zone.links(city)
    through = []
    for town in (city, zone.apply(city)):
        run = town.run(**options)
        trips, log = run.released, run.entry_log
        inside = np.isin(trips["origin_link_id"], links) | np.isin(trips["dest_link_id"], links)
        passing = np.unique(log.trip[np.isin(log.link, links)])
        through.append((int((~inside[passing]).sum()), int(inside[passing].sum()), len(trips)))
    electric = min(sum(e.share for e in city.fleet.of_class(name) if e.fuel == "electric") for name in ("car", "van"))
    assert through[0][0] > 20 and through[1][0] < 0.3 * through[0][0] and electric < 0.2
    assert through[0][2] == through[1][2] and through[1][1] > 0
