"""The job table and its worker."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from app.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Jobs
from app.study_job import run_job
from app.worker import stop_when_asked, work
from data.errors import InputError
from data.store.workspace import Workspace

FORM = {"name": "one", "measures": [{"measure": "close_street", "links": [3]}]}


@pytest.fixture
def place(tmp_path):
    return Workspace(tmp_path / "w")


@pytest.fixture
def jobs(place):
    return Jobs(place.jobs_path)


def test_a_job_tells_its_progress_and_its_result(place, jobs):
    job = jobs.add("scenario", {"scenario": FORM})
    seen = []

    def run(workspace, params, report, cancelled):
        report(1, 4, "first", pd.DataFrame({"quantity": ["no2"], "effect": [-1.5]}))
        seen.append(jobs.read(job))
        return "study-1"

    assert jobs.read(job).state == QUEUED
    assert work(place, job, run) == DONE
    assert (seen[0].state, seen[0].done, seen[0].total, seen[0].partial) == (
        RUNNING,
        1,
        4,
        [{"quantity": "no2", "effect": -1.5}],
    )
    assert seen[0].params == {"scenario": FORM}
    assert (jobs.read(job).state, jobs.read(job).result) == (DONE, "study-1")


def test_time_left_follows_the_pace(place, jobs):
    """A quarter done after 10 s: 30 s are left."""
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid())
    jobs.report(job, 1, 4, "")
    row = jobs.read(job)
    assert row.seconds_left(now=row.started + 10) == pytest.approx(30)


def test_an_error_of_ours_is_told_as_it_is(place, jobs):
    def run(*_):
        raise InputError("street 'X' is unknown")

    job = jobs.add("scenario", {})
    assert work(place, job, run) == FAILED
    assert jobs.read(job).message == "street 'X' is unknown"


def test_any_other_error_ends_the_job_too(place, jobs):
    def run(*_):
        raise ZeroDivisionError("division by zero")

    job = jobs.add("scenario", {})
    assert work(place, job, run) == FAILED
    assert "ZeroDivisionError" in jobs.read(job).message


def test_a_job_stopped_before_it_begins_never_runs(place, jobs):
    job = jobs.add("scenario", {})
    jobs.cancel(job)
    assert work(place, job, lambda *_: pytest.fail("ran")) == CANCELLED


def test_a_running_job_hears_that_it_should_stop(place, jobs):
    job = jobs.add("scenario", {})

    def run(workspace, params, report, cancelled):
        assert not cancelled()
        jobs.cancel(job)
        assert cancelled()
        raise InputError("stopped")

    assert work(place, job, run) == CANCELLED


def test_a_job_that_does_not_heed_a_stop_is_ended_and_told_as_stopped(jobs):
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid())
    jobs.cancel(job)
    left = []
    stop_when_asked(jobs, job, left.append)
    assert left == [0]
    assert jobs.read(job).state == CANCELLED


def test_a_job_that_ends_by_itself_is_left_alone(jobs, monkeypatch):
    """Done in the moment between the look and the end: what it made stays its result."""
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid())
    jobs.cancel(job)
    look = jobs.stopped
    monkeypatch.setattr(jobs, "stopped", lambda name: (jobs.end(name, DONE, result="study-1"), look(name))[1])
    left = []
    stop_when_asked(jobs, job, left.append)
    assert left == []
    assert (jobs.read(job).state, jobs.read(job).result) == (DONE, "study-1")


def test_a_job_is_taken_once(place, jobs):
    job = jobs.add("scenario", {})
    assert jobs.begin(job, os.getpid())
    assert not jobs.begin(job, os.getpid())


def test_a_dead_process_fails_its_job_at_the_next_look(place, jobs):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    job = jobs.add("scenario", {})
    jobs.begin(job, gone.pid)
    row = jobs.read(job)
    assert row.state == FAILED
    assert "worker process ended" in row.message


def test_an_ended_child_that_nobody_waited_for_is_dead_too(place, jobs):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    deadline = time.monotonic() + 20
    job = jobs.add("scenario", {})
    jobs.begin(job, child.pid)
    while jobs.read(job).state == RUNNING and time.monotonic() < deadline:
        time.sleep(0.02)
    assert jobs.read(job).state == FAILED
    child.wait()


def test_the_worker_starts_without_dash():
    """Dash alone would cost seconds at every start."""
    code = "import sys, app.worker, app.study_job; sys.exit('dash' in sys.modules or 'plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_a_study_job_hands_on_the_scenario_and_citywide_partial_effects(place):
    told = []
    rows = pd.DataFrame({"hour": [-1, 5, -1], "scope": ["city", "city", "zone"], "effect": [1.0, 2.0, 3.0]})

    def make(workspace, scenario, *, seeds, progress, cancelled):
        assert (scenario.name, seeds) == ("one", 2)
        progress(1, 2, "half", rows)
        return "study-2", False

    name = run_job(place, {"scenario": FORM, "seeds": 2}, lambda *a: told.append(a), lambda: False, make=make)
    assert name == "study-2"
    assert told[-1][3]["effect"].tolist() == [1.0]


def test_too_many_repetitions_are_refused(place):
    with pytest.raises(InputError, match="51 repetitions; allowed: 1 to 50"):
        run_job(place, {"scenario": FORM, "seeds": 51}, lambda *a: None, lambda: False, make=lambda *a, **k: ("", True))
