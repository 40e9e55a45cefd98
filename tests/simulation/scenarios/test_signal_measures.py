"""Measures on signals: for good and for hours, in files and in a living city."""

from dataclasses import replace

import numpy as np
import pytest

from data.schemas import SIGNALS, validate
from simulation.scenarios import (
    ActuateSignals,
    CloseStreet,
    Hours,
    RetimeSignals,
    Scenario,
    ScenarioError,
    Selection,
    scenario_from_yaml,
    to_yaml,
)
from simulation.traffic.actuated import Actuation

MAIN = Selection(street=("Row street 3",))
AT_SIX_TO_EIGHT = Hours(6 * 3600.0, 8 * 3600.0)
AT = {"days": 0.125, "seed": 1, "start": "2025-09-01 05:30", "incidents_per_day": 0.0}


def lights_at(city, scenario, *moments):
    """Cycles of all lights at some (hour, minute) of the city's clock."""
    seen = {}

    def watch(live):
        for hour, minute in moments:
            yield live.env.timeout(live.seconds_until(hour * 3600.0 + minute * 60.0))
            seen[hour, minute] = live.engine.arrays.cycle_s.copy()

    run = scenario.apply(city).run(processes=[*scenario.processes(), watch], **AT)
    return [seen[moment] for moment in moments], run


@pytest.mark.parametrize(
    ("measure", "cycle"),
    [
        (ActuateSignals(where=MAIN, hours=AT_SIX_TO_EIGHT), 1e9),
        (RetimeSignals(where=MAIN, cycle_s=97.0, hours=AT_SIX_TO_EIGHT), 97.0),
    ],
    ids=["actuated", "retimed"],
)
def test_a_measure_with_hours_changes_the_lights_in_them_and_gives_them_back(city, measure, cycle):
    (before, on, still, after), run = lights_at(
        city, Scenario(name="try", measures=(measure,)), (5, 55), (6, 5), (7, 55), (8, 5)
    )
    own = measure.approaches(city)
    assert own.size == 4 and (on[own] == cycle).all() and np.array_equal(on, still)
    assert np.array_equal(before, after) and (before[own] < 97.0).all()
    assert run.summary["conserved"] and run.summary["lost"] == 0


def test_a_run_cut_amid_the_hours_of_a_measure_is_one_run_bit_for_bit(city):
    """Actuated from 06:00 to 08:00, cut at 07:00."""
    measure = ActuateSignals(where=MAIN, hours=AT_SIX_TO_EIGHT)
    processes = Scenario(name="try", measures=(measure,)).processes()
    whole = city.run(processes=processes, **AT)
    first = city.run(processes=processes, **{**AT, "days": 0.0625})
    second = city.run(processes=processes, days=0.0625, seed=1, incidents_per_day=0.0, initial_state=first.final_state)
    after = whole.zone_truth["time"] >= second.zone_truth["time"].min()
    order = ["time", "zone_id"]
    tail = whole.zone_truth[after].sort_values(order, ignore_index=True)
    assert tail.equals(second.zone_truth.sort_values(order, ignore_index=True)) and len(tail) == 24
    for name in ("lights_held", "traffic_state_links"):
        assert whole.final_state[name].tobytes() == second.final_state[name].tobytes()


def test_for_good_the_city_is_actuated_in_every_run(city):
    scenario = Scenario(name="try", measures=(ActuateSignals(where=MAIN),))
    (on,), _ = lights_at(city, scenario, (5, 31))
    assert (on == 1e9).sum() == 4


def test_the_same_junction_twice_follows_the_last_measure(city):
    """For good with 45 s, then with 30 s: one control. In hours on top of that: nothing more to do."""
    again = ActuateSignals(where=MAIN, settings=Actuation(max_green_s=30.0))
    both = Scenario(name="try", measures=(ActuateSignals(where=MAIN), again, replace(again, hours=AT_SIX_TO_EIGHT)))
    assert [how.max_green_s for _, how in both.apply(city).actuated] == [30.0]
    (before, on, after), _ = lights_at(city, both, (5, 55), (6, 5), (8, 5))
    assert np.array_equal(before, on) and np.array_equal(on, after)


def test_retimed_for_good_is_a_table_of_plans_that_follows_demand(city):
    """The parallel streets closed, the row street carries more than before: its green is another."""
    measure = RetimeSignals(where=MAIN, cycle_s=90.0)
    plain = measure.apply(city).signals
    closed = Scenario(
        name="try", measures=(CloseStreet(where=Selection(street=("Row street 2", "Row street 4"))), measure)
    )
    assert (validate(plain, SIGNALS)["cycle_s"] == 90.0).all()
    other = closed.apply(city).signals
    assert list(other["link_id"]) == list(city.signals["link_id"]) and not other["green_s"].equals(plain["green_s"])


def test_measures_of_signals_are_read_from_files_and_written_back():
    text = """
name: lights
measures:
  - measure: actuate_signals
    street: Row street 3
    max_green: 60
    start: "06:00"
    end: "20:00"
  - measure: retime_signals
    cycle: 90
    percent_of_peak: 40
"""
    scenario = scenario_from_yaml(text)
    one, other = scenario.measures
    assert one == ActuateSignals(where=MAIN, hours=Hours(6 * 3600.0, 20 * 3600.0), settings=Actuation(max_green_s=60.0))
    assert other == RetimeSignals(where=Selection(), cycle_s=90.0, percent_of_peak=40.0)
    assert scenario_from_yaml(to_yaml(scenario)) == scenario
    assert scenario.in_words() == [
        "Actuated signals, Row street 3, 06:00-20:00",
        "Retimed signals, the whole city, cycle 90 s, for 40 % of the busiest hour",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("actuate_signals\n    min_green: 90", "green from 90 to 45"),
        ("retime_signals\n    cycle: 10", "cycle 10 s; allowed: 32 to 240"),
        ("retime_signals\n    percent_of_peak: 0", "percent_of_peak 0; allowed"),
        ("actuate_signals\n    street: Row street 1", "no signal where streets cross at Row street 1"),
    ],
)
def test_faults_are_told_with_their_line(city, lines, words):
    with pytest.raises(ScenarioError, match=words):
        scenario_from_yaml(f"name: lights\nmeasures:\n  - measure: {lines}\n", city=city)
