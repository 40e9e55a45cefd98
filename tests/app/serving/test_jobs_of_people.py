"""Jobs belong to who has signed in: the queue takes turns between people, not between the app's own processes."""

from __future__ import annotations

import pytest

from app import ids, jobs
from app.job_limits import JobLimits
from app.jobs import DONE, Jobs, system_user

RUN = f"{ids.SCENARIO_RUN}.n_clicks > {ids.SCENARIO_JOB}"


@pytest.fixture
def nobody_works(monkeypatch):
    monkeypatch.setattr(jobs, "launch", lambda root, job: 0)


def ask(caller, street: int) -> str:
    """Press Run with a street closed; the id of the job."""
    draft = {"name": "x", "label": "x", "measures": [{"measure": "close_street", "links": [street]}]}
    answer = caller.call(RUN, [f"{ids.SCENARIO_RUN}.n_clicks"], scenario__run=1, scenario__draft=draft,
                         scenario__seeds=1, scenario__until="never")  # fmt: skip
    assert answer.status_code == 200, answer.json
    return answer.json["response"][ids.SCENARIO_JOB]["data"]


def test_a_job_is_of_who_pressed_the_button_and_people_take_turns(signed, space, nobody_works, monkeypatch):
    """Paul asks three times, then ada once; of two at once one is paul's and one ada's, then comes paul's second."""
    monkeypatch.setattr(JobLimits, "from_environment", classmethod(lambda cls: cls(at_once=2)))
    asked = {ask(signed("paul"), k): "paul" for k in (1, 2, 3)}
    asked[ask(signed("ada"), 4)] = "ada"
    table = Jobs(space.jobs_path, limits=JobLimits(at_once=2))
    assert [table.read(job).by for job in asked] == ["paul", "paul", "paul", "ada"]
    first, second, third, last = asked
    with table._base() as base:
        base.execute("UPDATE job SET launched = NULL, launches = 0 WHERE state = 'queued'")
    assert table.next_launches() == [first, last]
    table.begin(first, 1)
    table.end(first, DONE)
    assert table.next_launches() == [second]
    for job in (second, third, last):
        table.cancel(job)


def test_a_person_who_has_as_many_as_one_may_is_refused_and_another_is_not(signed, space, nobody_works, monkeypatch):
    monkeypatch.setattr(JobLimits, "from_environment", classmethod(lambda cls: cls(open_by_user=1)))
    first = ask(signed("paul"), 5)
    draft = {"name": "x", "label": "x", "measures": [{"measure": "close_street", "links": [6]}]}
    refused = signed("paul").call(RUN, scenario__run=1, scenario__draft=draft, scenario__seeds=1)
    assert refused.status_code == 400 and "paul has 1 jobs" in refused.json["error"]
    other = ask(signed("ada"), 7)
    for job in (first, other):
        Jobs(space.jobs_path).cancel(job)


def test_where_nobody_signs_in_a_job_is_of_the_user_of_the_system(opened, space, nobody_works):
    job = ask(opened, 8)
    assert Jobs(space.jobs_path).read(job).by == system_user()
    Jobs(space.jobs_path).cancel(job)
