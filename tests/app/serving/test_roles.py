"""Roles hold at the server: whatever a page shows, a callback beyond a role is refused before it runs."""

from __future__ import annotations

import json

import pytest

from app import ids
from app.jobs import Jobs
from app.serving.changes import BY_BUTTON, READS, ROLES_OF, controls, rules
from app.serving.controls import limited
from app.serving.guard import CALLBACKS
from app.serving.kept import LASTING
from app.serving.people import ADMIN, PLANNER, VIEWER, Person

RUN = f"{ids.SCENARIO_RUN}.n_clicks > {ids.SCENARIO_JOB}"
AGAIN = f'{{"again":["ALL"]}}.n_clicks > {ids.SCENARIO_JOB}'
PRESS = f"{ids.MONITOR_CHECK}.n_clicks > {ids.MONITOR_SAID}"


def test_every_callback_of_the_app_stands_in_the_table_of_roles(opened):
    """A new callback that nobody classified would be refused to all; this says its name before that."""
    known = rules(opened.app._callback_list)
    assert [rule.name for rule in known.values() if rule.role is None] == []
    assert len(known) > 50


def test_no_entry_of_the_table_is_about_a_callback_that_is_gone(opened):
    names = {rule.name for rule in rules(opened.app._callback_list).values()}
    assert {*ROLES_OF, *BY_BUTTON, *READS} - names == set()
    assert LASTING <= READS


def test_no_callback_is_named_as_another_and_none_stands_twice(opened):
    known = rules(opened.app._callback_list)
    assert len({rule.name for rule in known.values()}) == len(known)
    assert not READS & ROLES_OF.keys() and not READS & BY_BUTTON.keys()


def test_no_route_but_that_of_callbacks_takes_what_could_change_something(opened):
    unsafe = {str(rule) for rule in opened.app.server.url_map.iter_rules() if rule.methods - {"GET", "HEAD", "OPTIONS"}}
    assert unsafe == {CALLBACKS}


@pytest.mark.parametrize("name", sorted(ROLES_OF))
def test_a_viewer_who_calls_a_change_directly_is_refused(signed, space, name):
    answer = signed("vera").call(name)
    assert answer.status_code == 403
    assert "viewer" in answer.json["error"]


@pytest.mark.parametrize("name", sorted(name for name, role in ROLES_OF.items() if role == ADMIN))
def test_a_planner_is_refused_what_is_the_admins(signed, name):
    assert signed("paul").call(name).status_code == 403


def test_a_planner_may_run_and_a_viewer_starts_nothing(signed, space):
    """Nothing was pressed in the planner's call: it is let in and changes nothing."""
    draft = {"name": "x", "label": "x", "measures": []}
    before = len(Jobs(space.jobs_path).list())
    assert signed("paul").call(RUN, scenario__run=0, scenario__draft=draft).status_code == 200
    assert signed("vera").call(RUN, scenario__run=1, scenario__draft=draft).status_code == 403
    assert len(Jobs(space.jobs_path).list()) == before


@pytest.mark.parametrize(("button", "vera", "paul"), [
    (ids.MONITOR_ACK, 403, 200), (ids.MONITOR_SET, 403, 403), (ids.MONITOR_RETRAIN, 403, 403),
])  # fmt: skip
def test_buttons_of_one_callback_need_their_own_roles(signed, button, vera, paul):
    """The callback does what `changedPropIds` says, so that is what is judged; its value here is that of no click."""
    changed = [f"{button}.n_clicks"]
    assert signed("vera").call(PRESS, changed).status_code == vera
    assert signed("paul").call(PRESS, changed).status_code == paul


def test_a_button_that_there_is_not_counts_as_the_admins(signed):
    assert signed("paul").call(PRESS, ["monitor-anything.n_clicks"]).status_code == 403
    both = [f"{ids.MONITOR_CHECK}.n_clicks", f"{ids.MONITOR_SET}.n_clicks"]
    assert signed("paul").call(PRESS, both).status_code == 403


def test_a_planner_cannot_run_an_admins_job_again_by_its_id(signed, space):
    jobs = Jobs(space.jobs_path)
    job = jobs.add("retrain", {"by": "ada"})
    jobs.end(job, "failed")
    answer = signed("paul").call(AGAIN, ['{"again":0}.n_clicks'], again=1, scenario__job=job)
    assert answer.status_code == 403
    assert jobs.list()[0].id == job


def test_a_planner_cannot_stop_an_admins_job_by_its_id(signed, space):
    job = Jobs(space.jobs_path).add("create", {})
    name = f"{ids.SCENARIO_STOP}.n_clicks > {ids.SCENARIO_STOP}"
    answer = signed("paul").call(name, [f"{ids.SCENARIO_STOP}.n_clicks"], scenario__stop=1, scenario__job=job)
    assert answer.status_code == 403
    assert not Jobs(space.jobs_path).cancelled(job)


@pytest.mark.parametrize("job", ["../../etc/passwd", "0" * 12, "' OR 1=1 --", {"id": 1}, ["x"], "x" * 100_000])
def test_a_forged_job_id_is_nothing_and_never_a_fault_of_the_server(signed, job):
    name = f"{ids.SCENARIO_TICK}.n_intervals > {ids.SCENARIO_PROGRESS}"
    answer = signed("paul").call(name, [f"{ids.SCENARIO_TICK}.n_intervals"], scenario__tick=1, scenario__job=job)
    assert answer.status_code in (200, 204, 400)
    assert b"passwd" not in answer.data


@pytest.mark.parametrize("spoil", [
    lambda body: body | {"output": "nobody.knows"}, lambda body: body | {"output": 3},
    lambda body: body | {"inputs": []}, lambda body: body | {"inputs": "x"},
    lambda body: body | {"changedPropIds": [1]}, lambda body: [],
    lambda body: body | {"inputs": [{"id": "url", "property": "pathname"}, *body["inputs"]]},
])  # fmt: skip
def test_a_call_that_no_page_sends_is_refused_with_words(opened, spoil):
    body = spoil(opened.body(f"{ids.URL}.pathname > {ids.PAGE}", url="/"))
    answer = opened.client.post(CALLBACKS, json=body)
    assert answer.status_code == 400
    assert "damaged" in answer.json["error"]


def test_json_that_is_nested_without_end_is_refused(opened):
    answer = opened.client.post(CALLBACKS, data="[" * 200_000, content_type="application/json")
    assert answer.status_code == 400


def test_a_call_of_many_megabytes_is_the_admins_alone(signed):
    """4 MB are enough for any draft; an upload of 60 MB is base64 in an admin's call."""
    body = signed("paul").body(f"{ids.URL}.pathname > {ids.PAGE}", url="/" + "x" * 5_000_000)
    assert signed("paul").client.post(CALLBACKS, json=body, headers={"Origin": "http://localhost"}).status_code == 413
    assert signed("ada").client.post(CALLBACKS, json=body, headers={"Origin": "http://localhost"}).status_code == 200


def test_a_control_beyond_a_role_is_switched_off_with_a_word_of_why():
    button = {
        "namespace": "dash_html_components",
        "type": "Button",
        "props": {"id": ids.SCENARIO_RUN, "children": "Run"},
    }
    page = {"namespace": "dash_html_components", "type": "Div", "props": {"id": "page", "children": [button]}}
    body = json.dumps({"multi": True, "response": {ids.PAGE: {"children": page}}}).encode()
    shown = json.loads(limited(body, Person("vera", VIEWER)))["response"][ids.PAGE]["children"]["props"]["children"]
    assert "viewer" in shown[0]["props"]["children"]
    assert shown[1]["props"] == {
        "id": ids.SCENARIO_RUN, "children": "Run", "disabled": True, "title": "Needs the role planner",
    }  # fmt: skip
    assert limited(body, Person("paul", PLANNER)) == body


def test_a_callback_that_switches_a_button_on_again_does_not_for_a_lesser_role():
    body = json.dumps({"response": {ids.SCENARIO_RUN: {"disabled": False}}}).encode()
    assert json.loads(limited(body, Person("vera", VIEWER)))["response"][ids.SCENARIO_RUN]["disabled"] is True


def test_every_button_of_the_table_is_a_control():
    told = controls()
    assert told[ids.SCENARIO_RUN] == PLANNER and told["again"] == PLANNER
    assert told[ids.MONITOR_SET] == ADMIN and told["model-act"] == ADMIN and told[ids.START_IMPORT] == ADMIN
