"""The form of the scenario page: every measure is offered, what is filled in is what a file would say, and back."""

from __future__ import annotations

import pytest

from app.components.measure_form import field_fault, fields, kinds_menu
from app.scenario_draft import clicked, loose_links, opened, put, removed, shared, surrounded, with_drawing
from app.scenario_fields import (
    FILE_KEYS,
    GROUPS,
    HOURS,
    LEFT_OUT,
    OFFERS,
    PLACE,
    defaults,
    entry_of,
    values_of,
)
from app.study_views import field_label, measure_words, option_label
from app.texts import EN
from data.errors import InputError
from simulation.scenarios import ScenarioError, from_form, load_shipped, shipped_names, to_form
from simulation.scenarios.entries import ENTRIES

LINE = [[24.94, 60.17], [24.95, 60.17]]
WHERE = {"links": [3, 4], "line": [], "street": [], "zones": [], "road_class": [], "direction": None}
NEVER = dict.fromkeys(HOURS)
#: Kinds whose keys are put together of several fields, and which.
MADE = {
    "lanes": {"lanes", "change"},
    "low_emission_zone": {"ban"},
    "mode_shift": {"bands"},
}


def test_every_kind_of_measure_is_offered_or_left_out_with_a_reason():
    assert set(OFFERS) | set(LEFT_OUT) == set(ENTRIES)
    assert not set(OFFERS) & set(LEFT_OUT) and all(LEFT_OUT.values())
    offered = [item["value"] for group in kinds_menu() for item in group["items"]]
    assert sorted(offered) == sorted(OFFERS)
    assert {offer.group for offer in OFFERS.values()} == set(GROUPS)


@pytest.mark.parametrize("kind", ENTRIES)
def test_every_key_of_a_measure_has_a_field_or_a_reason_to_stay_in_files(kind):
    own = {one.key for one in OFFERS[kind].fields} | MADE.get(kind, set())
    known = own | {"measure", *HOURS, *PLACE, *FILE_KEYS}
    assert set(ENTRIES[kind].model_fields) <= known


@pytest.mark.parametrize("kind", OFFERS)
def test_a_measure_as_the_form_opens_it_is_one_that_runs(kind):
    """Place, hours and zone are what a planner must add; all else has a usual value."""
    offer = OFFERS[kind]
    where = {**WHERE, "line": LINE if offer.place == "line" else []}
    when = {**NEVER, "start": "17:00", "end": "19:00"} if offer.hours == "must" else NEVER
    values = {**defaults(kind), **({"zone": "Z01"} if kind == "development" else {})}
    entry = entry_of(kind, values, where, when)
    measure = from_form({"name": "one", "measures": [entry]}).measures[0]
    again = to_form(from_form({"name": "one", "measures": [entry]}))["measures"][0]
    assert from_form({"name": "one", "measures": [again]}).measures[0] == measure


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_measure_that_is_opened_and_saved_stays_the_same(name):
    """Also what the form cannot show: drawn areas, 'but not', fuels by class."""
    for entry in to_form(load_shipped(name))["measures"]:
        place = {key: entry.get(key, []) for key in PLACE}
        when = {key: entry.get(key) for key in HOURS}
        saved = entry_of(entry["measure"], values_of(entry), place, when, entry)
        told = [from_form({"name": "one", "measures": [one]}).measures[0] for one in (entry, saved)]
        assert told[0] == told[1]


def test_a_changed_field_changes_the_measure_and_keeps_its_place():
    before = {"measure": "speed_limit", "kmh": 50, "area": [[0, 0], [1, 0], [1, 1]], "start": "07:00", "end": "09:00"}
    values = {**values_of(before), "kmh": 30}
    when = {**NEVER, "start": "22:00", "end": "06:00"}
    after = entry_of("speed_limit", values, {**WHERE, "links": []}, when, before)
    assert after == {"measure": "speed_limit", "area": before["area"], "kmh": 30, "start": "22:00", "end": "06:00"}


def test_fields_of_lists_are_put_together():
    values = {**defaults("low_emission_zone"), "diesel": "5", "petrol": "6d", "response": "avoid", "avoid_percent": 60}
    entry = entry_of("low_emission_zone", values, WHERE, NEVER)
    assert entry["ban"] == [{"fuel": "diesel", "up_to_euro": 5}, {"fuel": "petrol", "up_to_euro": "6d"}]
    assert entry["avoid_percent"] == 60
    bands = entry_of("mode_shift", {**defaults("mode_shift"), "km_2": 8, "percent_2": 5}, WHERE, NEVER)["bands"]
    assert bands == [{"up_to_km": 3, "percent": 20}, {"up_to_km": 8, "percent": 5}]
    works = entry_of("roadworks", {**defaults("roadworks"), "lanes_closed": "all"}, WHERE, NEVER)
    assert works["lanes_closed"] == "all"
    assert entry_of("lanes", {"by": "lanes", "number": 2}, WHERE, NEVER)["lanes"] == 2
    assert entry_of("turn_ban", {"movements": ["left"], "onto": ["Alfa"]}, WHERE, NEVER)["onto"] == {"street": ["Alfa"]}


def test_an_impossible_value_is_told_by_the_files_own_check():
    entry = entry_of("demand", {**defaults("demand"), "percent": 900}, WHERE, NEVER)
    with pytest.raises(ScenarioError, match="percent"):
        from_form({"name": "one", "measures": [entry]})


@pytest.mark.parametrize("kind", OFFERS)
def test_the_form_of_every_kind_has_words_for_all_that_it_shows(kind):
    shown = fields(kind, defaults(kind), [{"value": "Z01", "label": "Z01"}], ["Alfa"])
    assert len(shown) == 1 + len(OFFERS[kind].fields)
    assert f"about.{kind}" in EN and f"kind.{kind}" in EN
    for one in OFFERS[kind].fields:
        assert field_label(kind, one.key)
        assert all("_" not in option_label(one.key, option) for option in one.options)
    assert all(
        one.low is None or one.default is None or one.low <= one.default <= one.high for one in OFFERS[kind].fields
    )


def test_drawing_chooses_links_once_and_a_click_takes_one_out():
    draft = {"name": "one", "label": "One", "measures": []}
    lassoed = surrounded(clicked(draft, 7), {"kind": "lasso", "links": [7, 8, 9], "ring": []})
    assert lassoed["drawn"]["links"] == [7, 8, 9]
    assert clicked(lassoed, 8)["drawn"]["links"] == [7, 9]
    assert with_drawing(lassoed)["measures"] == [{"measure": "close_street", "links": [7, 8, 9]}]
    assert "drawn" not in with_drawing(lassoed)
    lined = surrounded(lassoed, {"kind": "line", "ring": LINE, "links": []})
    assert lined["drawn"] == {"links": [7, 8, 9], "line": LINE}
    used = put(lined, {"measure": "close_street", "links": [7, 8, 9]})
    assert used["drawn"] == {"links": [], "line": LINE}
    assert removed(used, 0)["measures"] == []
    assert removed(lined, 0)["drawn"] == {"links": [], "line": []}
    assert put(used, {"measure": "speed_limit", "kmh": 30}, 0)["measures"] == [{"measure": "speed_limit", "kmh": 30}]


def test_a_measure_in_words_says_what_where_and_when():
    entry = {
        "measure": "toll", "eur": 2, "cordon": True, "zones": ["Z03"], "classes": ["van"], "start": "07:00",
        "end": "18:00", "days": ["mon", "tue"], "first_day": "2026-06-01",
    }  # fmt: skip
    what, where = measure_words(entry, {"Z03": "North-west"})
    assert what == "Charge to enter or pass"
    assert where == (
        "Charge: 2 EUR, Paid on entering the place only, Which vehicles: vans, North-west, 07:00–18:00,"
        " Monday, Tuesday, 2026-06-01 to …"
    )


def test_a_draft_in_an_address_is_checked_like_a_file():
    form = shared('{"name": "one", "label": "One", "measures": [{"measure": "demand", "percent": -5}], "drawn": 1}')
    assert form == {"name": "one", "label": "One", "measures": [{"measure": "demand", "percent": -5}]}
    with pytest.raises(InputError, match="cut off"):
        shared('{"name": "one", "meas')
    with pytest.raises(ScenarioError):
        shared('{"name": "one", "measures": [{"measure": "fly"}]}')


def test_what_lies_on_the_map_while_a_measure_is_changed_is_not_closed_besides():
    draft = {"name": "one", "label": "One", "measures": [{"measure": "lanes", "change": -1, "links": [4, 5]}]}
    edited = clicked(opened(draft, 0), 6)
    assert edited["drawn"]["links"] == [4, 5, 6]
    assert with_drawing(edited)["measures"] == draft["measures"]
    assert loose_links(put(edited, {"measure": "lanes", "change": -1, "links": [4, 5, 6]}, 0)) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"measure": "close_street", "links": [1], "start": "9 o'clock"}, ['From: "9 o\'clock" is not a time of day']),
        ({"measure": "close_street", "links": [1], "start": "07:00"}, ["From: “Until” is missing; give both"]),
        ({"measure": "speed_limit", "links": [1]}, ["Limit: fill this in"]),
        ({"measure": "lanes", "links": [1]}, ["Give either “lanes” or “change”"]),
    ],
)
def test_a_fault_is_told_under_the_name_of_its_field(entry, told):
    with pytest.raises(ScenarioError) as caught:
        from_form({"name": "one", "measures": [entry]})
    found = [field_fault(entry["measure"], fault) for fault in caught.value.faults]
    assert all(text.startswith(start) for text, start in zip(found, told, strict=True)), found
