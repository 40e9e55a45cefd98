"""Measures of other packages in the form: their fields are read off their entries, and filled in they are files."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from app import plugin_offers
from app.components.measure_form import fields, kinds_menu
from app.scenario_fields import HOURS, defaults, entry_of, offer_of, values_of
from app.study_views import kind_label, measure_words
from data import plugins
from data.errors import InputError
from simulation.scenarios import entry_kinds
from simulation.scenarios.entry_parts import Numbers, PlaceEntry

NEVER = dict.fromkeys(HOURS)
WHERE = {"links": [3, 4], "line": [], "street": [], "zones": [], "road_class": [], "direction": None}


class QuietEntry(PlaceEntry):
    """`quiet`: a low limit in the evening."""

    kmh: float = Field(default=30.0, ge=5, le=130, title="Limit", json_schema_extra={"unit": "km/h"})
    strict: bool = False
    how: Literal["signs", "cameras"] = "signs"
    note: str | None = None
    least: int | None = Field(default=None, ge=0)
    plates: Numbers = ()


@pytest.fixture(autouse=True)
def brought(monkeypatch):
    monkeypatch.setattr(plugins, "names", lambda group, **_: ("quiet",) if group == plugins.MEASURES else ())
    monkeypatch.setattr(entry_kinds, "own_entries", lambda: {"quiet": QuietEntry})


def test_numbers_choices_switches_and_texts_become_fields_with_their_bounds():
    """A list of numbers is no field: it stays in files."""
    made = {one.key: one for one in plugin_offers.fields_of(QuietEntry)}
    assert {key: one.control for key, one in made.items()} == {
        "kmh": "number", "strict": "yes", "how": "choice", "note": "text", "least": "number",
    }  # fmt: skip
    limit = made["kmh"]
    assert (limit.label, limit.unit, limit.low, limit.high, limit.default) == ("Limit", "km/h", 5.0, 130.0, 30.0)
    assert (made["how"].options, made["how"].default) == (("signs", "cameras"), "signs")
    assert (made["least"].low, made["least"].high, made["least"].default) == (0.0, None, None)


def test_the_menu_has_it_last_and_the_form_shows_its_own_words():
    last = kinds_menu()[-1]
    assert last == {"group": "From other packages", "items": [{"value": "quiet", "label": "Quiet"}]}
    shown = fields("quiet", defaults("quiet"), [], [])
    assert shown[0].children == "a low limit in the evening." and shown[0].lang == "en"
    assert len(shown) == 6
    assert shown[1].label == "Limit, km/h" and (shown[1].min, shown[1].max) == (5.0, 130.0)


def test_what_is_filled_in_is_what_a_file_says_and_keys_without_a_field_stay():
    entry = entry_of("quiet", {**defaults("quiet"), "kmh": 20}, WHERE, NEVER)
    assert entry == {"measure": "quiet", "links": [3, 4], "kmh": 20, "how": "signs"}
    QuietEntry(**entry)
    before = {**entry, "plates": [7]}
    after = entry_of("quiet", {**values_of(before), "kmh": 40}, WHERE, NEVER, before)
    assert after == {**entry, "kmh": 40, "plates": [7]}


def test_its_card_tells_what_was_set_and_an_unknown_kind_is_named():
    what, rest = measure_words({"measure": "quiet", "links": [3], "kmh": 20}, {})
    assert what == "Quiet" and rest.startswith("Limit: 20 km/h")
    assert offer_of("loud") is None and kind_label("loud_night") == "Loud night"
    with pytest.raises(InputError, match="loud"):
        defaults("loud")
