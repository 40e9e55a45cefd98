"""Scenario files: what is understood, what is refused and on which line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.scenarios import (
    CloseStreet,
    Hours,
    LowEmissionZone,
    ScaleDemand,
    Scenario,
    ScenarioError,
    Selection,
    SetLanes,
    SpeedLimit,
    from_form,
    load_shipped,
    read_scenario,
    scenario_from_yaml,
    shipped_names,
    to_form,
    to_yaml,
)

GOOD = """\
name: market_day
label: Market day
description: The market needs room.
measures:
  - measure: close_street
    street: Row street 3
    classes: [car, van]
    start: "10:00"
    end: "20:00"
  - measure: demand
    percent: -10
"""


def faults_of(text, city=None):
    with pytest.raises(ScenarioError) as caught:
        scenario_from_yaml(text, city=city, source="plan.yaml")
    return caught.value


def test_a_file_becomes_frozen_measures(city, tmp_path):
    path = tmp_path / "market_day.yaml"
    path.write_text(GOOD, encoding="utf-8")
    scenario = read_scenario(path, city)
    assert scenario.title == "Market day"
    assert scenario.measures == (
        CloseStreet(where=Selection(street=("Row street 3",)), classes=("car", "van"), hours=Hours(36_000.0, 72_000.0)),
        ScaleDemand(factor=0.9),
    )
    assert scenario.in_words() == ["Close Row street 3 to car, van, 10:00-20:00", "10 % fewer trips"]


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ('"10:00"', "10:00", 8, 'the time 10:00 has no quotes, and YAML may read it as a number; quote it: "10:00"'),
        ('"20:00"', "07:30", 9, 'quote it: "07:30"'),
        ("street:", "stret:", 6, "unknown key 'stret'; did you mean 'street'"),
        ("classes: [car, van]", "classes: [car, vann]", 7, "unknown value 'vann'; did you mean 'van'?"),
        ("measure: demand", "measure: demands", 10, "unknown measure 'demands'; did you mean 'demand'?"),
        ("    percent: -10", "    percentage: -10", 11, "unknown key 'percentage'; did you mean 'percent'?"),
        ("percent: -10", "percent: -200", 11, "greater than or equal to -100; found -200"),
        ("percent: -10", "percent: ten", 11, "found 'ten'"),
        ("label:", "lable:", 2, "unknown key 'lable'; did you mean 'label'?"),
        ("name: market_day", "name: Market Day!", 1, "name 'Market Day!'; allowed"),
        ('    end: "20:00"\n', "", 8, "'end' is missing; give both"),
        ('"20:00"', '"10:00"', 5, "start and end are both 10:00"),
        ('"20:00"', '"25:00"', 9, "'25:00' is not a time of day"),
        ("Row street 3", "Row stret 3", 6, "unknown street 'Row stret 3'; did you mean 'Row street 3'"),
        ("    percent: -10", "    percent: -10\n    percent: 5", 12, "key 'percent' is given twice"),
        ("classes: [car", "classes: [car: {", 7, "not readable as YAML"),
    ],
)
def test_a_fault_names_its_file_and_line(city, old, new, line, text):
    error = faults_of(GOOD.replace(old, new, 1), city)
    assert str(error).startswith("plan.yaml: ")
    assert text in str(error)
    assert next(fault.line for fault in error.faults if text in fault.text) == line


def test_all_faults_are_reported_at_once_in_the_order_of_lines():
    text = GOOD.replace("street:", "stret:").replace('"10:00"', "10:00").replace("percent", "percnt")
    error = faults_of(text.replace("label", "lable"))
    lines = [fault.line for fault in error.faults]
    assert lines == sorted(lines)
    assert {2, 6, 8, 11} <= set(lines)


def test_a_time_without_quotes_is_one_fault_not_two():
    error = faults_of(GOOD.replace('"10:00"', "10:00"))
    assert len(error.faults) == 1


def test_a_number_from_a_form_is_recognised_as_a_time():
    """450 is what YAML 1.1 makes of 7:30."""
    with pytest.raises(ScenarioError, match=r'found the number 450.*write "07:30"'):
        from_form({"name": "x", "measures": [{"measure": "demand", "percent": 5, "start": 450, "end": "09:00"}]})


def test_a_form_names_the_entry_instead_of_a_line(city):
    form = {"name": "x", "measures": [{"measure": "speed_limit", "street": "Row stret 3", "kmh": 30}]}
    with pytest.raises(ScenarioError, match=r"measures\[0\].street: unknown street"):
        from_form(form, city=city)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list", "42"])
def test_what_is_no_scenario_is_said_so(text):
    assert "a scenario is a mapping with the keys" in str(faults_of(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"nothing\.yaml: cannot be read"):
        read_scenario(tmp_path / "nothing.yaml")


def test_yaml_tags_cannot_make_objects():
    """A tag that would build a Python object is refused, not run."""
    assert "line 1: the tag" in str(faults_of("name: !!python/object/apply:os.getcwd []\n"))
    assert "line 1: not readable as YAML" in str(faults_of("name: !!python/name:os.getcwd\n"))


def test_an_endless_alias_is_an_error_not_a_hang():
    assert "without end" in str(faults_of("name: x\nmeasures: &all\n  - *all\n"))


def test_the_empty_scenario_needs_a_name_only():
    assert scenario_from_yaml("name: base\n") == Scenario(name="base")


clocks = st.integers(0, 1439).map(lambda minute: minute * 60.0)
hours = st.none() | st.tuples(clocks, clocks).filter(lambda p: p[0] != p[1]).map(
    lambda p: Hours(p[0], p[1] or 86_400.0)
)
words = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), max_size=2).map(
    tuple
)
points = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
places = st.builds(
    Selection,
    links=st.lists(st.integers(0, 99), min_size=1, max_size=3).map(tuple),
    street=words,
    zones=words,
    area=st.just(()) | st.lists(points, min_size=3, max_size=5).map(tuple),
)
bans = st.builds(Ban, fuel=st.sampled_from(["petrol", "diesel"]), euro_max=st.integers(1, 7))
measures = st.one_of(
    st.builds(CloseStreet, where=places, hours=hours, classes=st.sampled_from([VEHICLE_CLASSES, ("heavy",)])),
    st.builds(SetLanes, where=places, hours=hours, lanes=st.floats(1, 12)),
    st.builds(SetLanes, where=places, hours=hours, change=st.floats(-3, 3)),
    st.builds(SpeedLimit, where=places, hours=hours, kmh=st.floats(5, 130)),
    st.builds(ScaleDemand, factor=st.integers(0, 500).map(lambda p: p / 100), from_zones=words, hours=hours),
    st.builds(LowEmissionZone, where=places, hours=hours, bans=st.lists(bans, min_size=1, max_size=2).map(tuple)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(measures, max_size=3).map(tuple), st.text(st.characters(codec="utf-8", exclude_categories=("C",))))
def test_yaml_and_forms_give_the_same_scenario_back(chosen, label):
    scenario = Scenario(name="round_trip", measures=chosen, label=label.strip())
    assert scenario_from_yaml(to_yaml(scenario)) == scenario
    assert from_form(json.loads(json.dumps(to_form(scenario)))) == scenario


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_scenario_reads_and_round_trips(name):
    scenario = load_shipped(name)
    assert scenario.name == name and scenario.label and scenario.description and scenario.measures
    assert scenario_from_yaml(to_yaml(scenario)) == scenario


def test_there_are_at_least_four_shipped_scenarios():
    assert len(shipped_names()) >= 4


def test_an_unknown_shipped_scenario_is_named_with_the_closest():
    with pytest.raises(ScenarioError, match="did you mean 'thirty_kmh'"):
        load_shipped("thirty_kph")
