"""What no page sends is refused before a callback runs; what fails within one is the server's fault, and says so."""

from __future__ import annotations

import json

import pytest

from app import ids
from app.serving.changes import rules
from app.serving.guard import CALLBACKS
from app.serving.values import changes_fit, check_of, draft, numeral, outputs_fit, place, plains, value_fits

DRAFT = {"name": "a", "label": "A", "measures": [{"measure": "zone_30", "zones": ["Z01"]}],
         "drawn": {"links": [1], "line": [[24.9, 60.1]], "of": 0}}  # fmt: skip


@pytest.mark.parametrize("spoilt", [
    None, [], "x", {}, DRAFT | {"measures": None}, DRAFT | {"measures": ["x"]}, DRAFT | {"measures": [{"zones": []}]},
    DRAFT | {"drawn": "x"}, DRAFT | {"drawn": {"links": ["1"]}}, DRAFT | {"drawn": {"line": [[1]]}},
    DRAFT | {"drawn": {"of": -1}}, DRAFT | {"name": ["a"]},
])  # fmt: skip
def test_a_draft_of_another_shape_is_none(spoilt):
    assert draft(DRAFT) and not draft(spoilt)


@pytest.mark.parametrize(
    ("check", "fine", "not_fine"),
    [
        (place, [None, 0, 7], [-1, True, 1.5, "1", 2**60]),
        (numeral, [None, "", 3, 0.5, "12"], ["x", "nan", "9" * 40, [], float("inf"), 10**30]),
        (plains, [None, "a", 1, ["a", 2]], [{}, [[]], [None, {}]]),
        (check_of(ids.MODELS_TARGET, "value"), ["speed_mps"], [None, "", "nothing", ["speed_mps"]]),
        (check_of(ids.SCENARIO_KIND, "value"), ["close_street"], [None, "Z01", 3]),
        (check_of(ids.START_JOB, "data"), [None, {"space": "a", "job": "b"}], [{}, {"space": 1, "job": "b"}, "x"]),
    ],
)
def test_fields_hold_what_pages_put_there(check, fine, not_fine):
    assert all(map(check, fine))
    assert not any(map(check, not_fine))


def test_keys_of_ids_are_checked_too():
    ident, prop = '{"measure":["ALL"]}', "n_clicks"
    assert value_fits([{"id": {"measure": 2}, "property": prop, "value": 1}], ident, prop)
    for key in ("x", -1, [1], None, True):
        assert not value_fits([{"id": {"measure": key}, "property": prop, "value": 1}], ident, prop)


def test_what_changed_is_among_the_inputs_whatever_the_order_of_its_keys():
    inputs = [{"id": "a", "property": "value"}, [{"id": {"b": 1, "c": 2}, "property": "n_clicks"}]]
    assert changes_fit(["a.value", '{"c":2,"b":1}.n_clicks'], inputs)
    assert not changes_fit(["b.value"], inputs)
    assert not changes_fit(['{"c":["ALL"],"b":1}.n_clicks'], inputs)
    assert not changes_fit(["{.n_clicks"], inputs)


def test_outputs_are_those_of_the_callback():
    both = '..a.data@1f...{"b":["ALL"]}.value..'
    assert outputs_fit([{"id": "a", "property": "data"}, [{"id": {"b": 3}, "property": "value"}]], both)
    assert not outputs_fit([{"id": "a", "property": "data"}], both)
    assert not outputs_fit(None, both)
    assert not outputs_fit({"id": "z", "property": "value"}, "a.value")
    assert not outputs_fit({"id": {"create": "zone"}, "property": "value"}, '{"create":"target"}.value')


def test_every_input_of_the_app_has_a_check_of_its_own_property(opened):
    """A new property that nobody classified would be let in unseen; `children` are read by no callback."""
    known = rules(opened.app._callback_list).values()
    names = {(ident, prop) for rule in known for ident, prop in (*rule.inputs, *rule.states)}
    assert {prop for ident, prop in names if check_of(ident, prop).__name__ == "anything"} <= {"children"}


def components(value):
    """Types, ids and properties of a tree of components."""
    if isinstance(value, dict):
        if "props" in value and "id" in value["props"]:
            yield value["type"], value["props"]["id"], value["props"]
        for inner in value.values():
            yield from components(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from components(inner)


@pytest.mark.parametrize("page", ["/", "/micro-macro", "/scenarios", "/models", "/models?step=1", "/monitor", "/start"])
def test_what_a_page_begins_with_is_what_it_may_send(opened, page):
    """A check that is too strict would stop people, so every field is held against it, and lists where lists are."""
    path, _, search = page.partition("?")
    answer = opened.call("url.pathname > page", ["url.pathname"], url=path)
    body = opened.body("url.pathname > page", ["url.pathname"], url=path)
    for one in body.get("state", []):
        one["value"] = "?" + search if one["property"] == "search" else one["value"]
    answer = opened.client.post(CALLBACKS, json=body)
    known = rules(opened.app._callback_list).values()
    named = {pair for rule in known for pair in (*rule.inputs, *rule.states)}
    seen = []
    for kind, ident, props in components(answer.json):
        for told, prop in named:
            if told != ident and not (
                isinstance(ident, dict) and told == json.dumps({next(iter(ident)): ["ALL"]}, separators=(",", ":"))
            ):
                continue
            fits = check_of(told, prop)
            if prop in props:
                assert fits(props[prop]), (told, prop, props[prop])
            if prop == "value" and kind in ("MultiSelect", "CheckboxGroup"):
                assert fits([]) and fits(["a", "b"]), (told, kind)
            seen.append(told)
    assert seen


@pytest.mark.parametrize("value", [None, "x", [], {"measures": 3}])
def test_a_forged_draft_is_refused_before_the_callback(opened, value):
    name = f"{ids.SCENARIO_DRAFT}.data > {ids.SCENARIO_LIST}"
    answer = opened.call(name, scenario__draft=value, scenario__kind="close_street")
    assert answer.status_code == 400 and "damaged" in answer.json["error"]
    fine = opened.call(name, scenario__draft=DRAFT, scenario__kind="close_street")
    assert fine.status_code == 200


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError, AttributeError, RuntimeError])
def test_an_error_that_nobody_foresaw_is_the_servers_fault_whatever_its_type(opened, monkeypatch, error):
    def broken(*_):
        raise error("secret of the machine")

    monkeypatch.setattr("app.shell.content", broken)
    answer = opened.client.post(CALLBACKS, json=opened.body("url.pathname > page", url="/"))
    assert answer.status_code == 500
    assert b"secret" not in answer.data and answer.headers["X-Request-ID"] in answer.json["error"]


def test_an_error_of_ours_is_an_answer_of_400_with_its_words(opened):
    name = f"{ids.MAP}.selectedZone > {ids.MAP_PANEL_HEAD}"
    told = {"map__layer": "speed_mps", "map__time": 3}
    body = opened.body(name, **told)
    for one in body["inputs"]:
        one["value"] = {"selectedZone": "nowhere", "value": "speed_mps"}.get(one["property"])
    answer = opened.client.post(CALLBACKS, json=body, headers={"Origin": "http://localhost"})
    assert answer.status_code == 400 and "nowhere" in answer.json["error"]
