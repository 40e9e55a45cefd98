"""The job table under restarts, reused process numbers, crowds and damage."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from app import jobs as module
from app import processes
from app.job_limits import JobLimits, TooManyJobsError
from app.job_table import FORMAT
from app.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Jobs, dispatch, start_worker
from app.processes import Mark
from app.worker import work
from data.errors import InputError, StoreError
from data.store.workspace import Workspace


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path / "w")


@pytest.fixture
def jobs(space):
    return Jobs(space.jobs_path, limits=JobLimits(at_once=2, open_by_user=3, open_in_all=5))


@pytest.fixture
def started(monkeypatch):
    """Ids of jobs that a worker would have been started for."""
    found = []
    monkeypatch.setattr(module, "launch", lambda root, job: found.append(job))
    return found


def put(jobs, job, **values):
    with jobs._base() as base:
        for name, value in values.items():
            base.execute(f"UPDATE job SET {name} = ? WHERE id = ?", (value, job))


def test_a_reused_process_number_is_not_the_worker(jobs):
    """The number is this test's own, which lives; but it began at another instant than the worker did."""
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid())
    assert jobs.read(job).state == RUNNING
    put(jobs, job, mark=Mark(pid=os.getpid(), begun="1", boot=processes.boot(), place=processes.place()).text())
    row = jobs.read(job)
    assert (row.state, row.interrupted) == (FAILED, True)


def test_after_a_restart_of_the_machine_a_job_waits_again_but_only_once(jobs, space, started):
    job = jobs.add("scenario", {})
    start_worker(space.root, job)
    old = Mark(pid=os.getpid(), begun="1", boot="another", place=processes.place()).text()
    jobs.begin(job, os.getpid())
    put(jobs, job, mark=old)
    row = jobs.read(job)
    assert (row.state, row.attempts) == (QUEUED, 1) and "queue again" in row.message
    jobs.begin(job, os.getpid())
    put(jobs, job, mark=old)
    assert jobs.read(job).state == FAILED  # a second death is told


def test_the_start_of_the_app_queues_again_what_died_while_it_was_down(jobs, space, started):
    job = jobs.add("scenario", {})
    start_worker(space.root, job)
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    jobs.begin(job, gone.pid)
    assert jobs.recover() == 1
    assert dispatch(space.root) == 1 and started == [job, job]


def test_a_worker_of_another_machine_lives_as_long_as_it_is_heard(jobs):
    job = jobs.add("scenario", {})
    jobs.begin(job, 4_000_000)
    put(jobs, job, mark=Mark(pid=4_000_000, place="elsewhere").text())
    assert jobs.read(job).state == RUNNING
    put(jobs, job, beat=time.time() - 1000)
    assert jobs.read(job).state == FAILED


def test_a_worker_that_was_believed_dead_cannot_end_the_next_ones_job(jobs):
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid(), token="first")
    put(jobs, job, state=QUEUED)
    jobs.begin(job, os.getpid(), token="second")
    assert not jobs.end(job, DONE, result="old", token="first") and not jobs.beat(job, token="first")
    jobs.report(job, 9, 9, "old", token="first")
    assert jobs.read(job).done == 0
    assert jobs.end(job, DONE, result="new", token="second") and jobs.read(job).result == "new"


def test_the_same_job_is_open_once_and_a_stopped_one_is_in_nobodys_way(jobs):
    """Order of parameters does not matter."""
    first = jobs.add("scenario", {"a": 1, "b": 2})
    assert jobs.add("scenario", {"b": 2, "a": 1}) == first
    assert jobs.add("preview", {"a": 1, "b": 2}) != first
    jobs.begin(first, os.getpid())
    jobs.cancel(first)
    assert jobs.add("scenario", {"a": 1, "b": 2}) != first


def test_limits_by_user_and_in_all_are_told(jobs):
    """Three a user, five in all."""
    for k in range(3):
        jobs.add("scenario", {"k": k}, by="ann")
    with pytest.raises(TooManyJobsError, match="ann has 3 jobs"):
        jobs.add("scenario", {"k": 3}, by="ann")
    jobs.add("scenario", {"k": 4}, by="bob")
    jobs.add("scenario", {"k": 5}, by="bob")
    with pytest.raises(TooManyJobsError, match="5 jobs wait or run"):
        jobs.add("scenario", {"k": 6}, by="eve")
    assert jobs.read(jobs.list()[0].id).by == "bob"


def test_limits_come_from_the_environment_and_faults_are_named(monkeypatch):
    monkeypatch.setenv("ZONEWISE_JOBS_AT_ONCE", "7")
    assert JobLimits.from_environment().at_once == 7
    monkeypatch.setenv("ZONEWISE_JOBS_AT_ONCE", "many")
    monkeypatch.setenv("ZONEWISE_JOBS_IN_ALL", "0")
    with pytest.raises(InputError, match=r"AT_ONCE='many', ZONEWISE_JOBS_IN_ALL='0'"):
        JobLimits.from_environment()


def test_more_jobs_than_places_wait_and_users_take_turns(space, started, monkeypatch):
    """Two at once: ann's first, then bob's though ann's second is older; when one ends, ann's second."""
    monkeypatch.setenv("ZONEWISE_JOBS_AT_ONCE", "2")
    jobs = Jobs(space.jobs_path)
    ann = [jobs.add("scenario", {"k": k}, by="ann") for k in range(3)]
    bob = jobs.add("scenario", {"k": 9}, by="bob")
    for job in (*ann, bob):
        jobs.want(job)
    dispatch(space.root)
    assert started == [ann[0], bob]
    assert dispatch(space.root) == 0
    jobs.begin(bob, os.getpid())
    jobs.end(bob, DONE)
    dispatch(space.root)
    assert started == [ann[0], bob, ann[1]]


def test_a_worker_that_never_began_is_started_again_once(jobs, space, started):
    """Also where the clock was set back meanwhile: the start then lies in the future."""
    job = jobs.add("scenario", {})
    start_worker(space.root, job)
    put(jobs, job, launched=time.time() - 100)
    assert jobs.read(job).state == QUEUED
    dispatch(space.root)
    assert started == [job, job]
    put(jobs, job, launched=time.time() + 5000)
    assert jobs.read(job).state == FAILED


def test_a_failed_job_is_resumed_and_a_done_one_is_not(jobs, space, started):
    job = jobs.add("scenario", {"x": 1})
    assert work(space, job, lambda *_: 1 / 0) == FAILED
    assert jobs.resume(job) == job and jobs.read(job).state == QUEUED
    assert started == [job]  # a look finds it waiting
    assert work(space, job, lambda *_: "study-1") == DONE
    with pytest.raises(InputError, match="is done"):
        jobs.resume(job)
    with pytest.raises(InputError, match="no job 'x'"):
        jobs.resume("x")


def test_ended_jobs_are_forgotten_by_age_and_open_ones_stay(jobs):
    old, new, waiting = (jobs.add("scenario", {"k": k}) for k in range(3))
    for job in (old, new):
        jobs.begin(job, os.getpid())
        jobs.end(job, DONE)
    put(jobs, old, ended=time.time() - 1000)
    assert jobs.clean(older_than_s=500) == 1
    assert {job.id for job in jobs.list()} == {new, waiting}


def test_the_list_is_in_the_order_of_asking_whatever_the_clock_says(jobs):
    first = jobs.add("scenario", {"k": 1})
    put(jobs, first, created=time.time() + 9999)
    second = jobs.add("scenario", {"k": 2})
    assert [job.id for job in jobs.list()] == [second, first]


FORMAT_1 = """CREATE TABLE job (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, params TEXT NOT NULL, state TEXT NOT NULL,
    done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    partial TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '', pid INTEGER, created REAL NOT NULL,
    started REAL, ended REAL, cancel INTEGER NOT NULL DEFAULT 0)"""


def test_a_table_of_the_format_before_keeps_its_rows(space, jobs):
    space.root.mkdir()
    with sqlite3.connect(space.jobs_path) as base:
        base.execute(FORMAT_1)
        base.execute("INSERT INTO job (id, kind, params, state, result, created) VALUES ('a', 'scenario', '{}', 'done',"
                     " 'study-1', 5)")  # fmt: skip
    row = jobs.read("a")
    assert (row.state, row.result, row.by, row.attempts) == (DONE, "study-1", "", 0)
    with sqlite3.connect(space.jobs_path) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (FORMAT,)


def test_a_table_of_a_newer_release_is_refused(space, jobs):
    jobs.add("scenario", {})
    with sqlite3.connect(space.jobs_path) as base:
        base.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StoreError, match="newer Zonewise"):
        jobs.list()


@pytest.mark.parametrize("damage", [b"", b"?" * 5000])
def test_a_damaged_table_is_told_with_its_cure(space, jobs, damage):
    space.root.mkdir()
    space.jobs_path.write_bytes(damage)
    if damage:
        with pytest.raises(StoreError, match="doctor --repair"):
            jobs.list()
    else:
        assert jobs.list() == []  # an empty file is an empty table


def test_a_row_whose_parameters_are_damaged_can_still_be_listed(jobs):
    job = jobs.add("scenario", {"a": 1})
    put(jobs, job, params="{", partial="[[")
    assert (jobs.read(job).params, jobs.read(job).partial) == ({}, [])


def _ask_and_work(root, gate, out):
    """One of several apps: asks for the same job as all others at once, and starts a worker for it."""
    space = Workspace(root)
    jobs = Jobs(space.jobs_path)
    gate.wait()
    job = jobs.add("scenario", {"same": True})
    jobs.want(job)

    def run(workspace, params, report, cancelled):
        with (workspace.root / "ran").open("a") as file:
            file.write("x")
        time.sleep(0.3)
        return "study-1"

    taken = [work(space, one, run) for one in jobs.next_launches()]
    state = work(space, job, run)  # a second worker for the same job
    out.put((job, taken, state))


def test_apps_that_ask_for_the_same_job_at_once_run_it_once(space):
    """Six processes add, launch and work at the same instant: one row, one run."""
    space.root.mkdir()
    context = multiprocessing.get_context("fork")
    gate, out = context.Barrier(6), context.Queue()
    children = [context.Process(target=_ask_and_work, args=(space.root, gate, out)) for _ in range(6)]
    for child in children:
        child.start()
    told = [out.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert len({job for job, _, _ in told}) == 1
    assert (space.root / "ran").read_text() == "x"
    assert sum(len(taken) for _, taken, _ in told) == 1
    assert Counter(state for _, _, state in told)[DONE] >= 1


def test_progress_of_one_worker_is_seen_by_all(jobs, space):
    """Twenty readers in threads while the worker reports: no reader fails, and all see the end."""
    job = jobs.add("scenario", {})
    faults, seen = [], []

    def look():
        try:
            while (row := Jobs(space.jobs_path).read(job)).open:
                seen.append(row.done)
        except Exception as error:
            faults.append(error)

    readers = [threading.Thread(target=look) for _ in range(8)]

    def run(workspace, params, report, cancelled):
        for reader in readers:
            reader.start()
        for k in range(30):
            report(k, 30, "")
        return "r"

    assert work(space, job, run) == DONE
    for reader in readers:
        reader.join(30)
    assert faults == [] and max(seen) > 0


def test_a_job_of_an_unknown_kind_fails_in_words(jobs, space):
    job = jobs.add("nonsense", {})
    assert work(space, job) == FAILED
    assert "no jobs of kind 'nonsense'" in jobs.read(job).message


def test_a_job_that_was_stopped_while_its_worker_died_is_stopped(jobs):
    job = jobs.add("scenario", {})
    jobs.begin(job, os.getpid())
    jobs.cancel(job)
    put(jobs, job, mark=Mark(pid=os.getpid(), begun="1", boot=processes.boot(), place=processes.place()).text())
    assert jobs.read(job).state == CANCELLED


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be another user")
def test_a_disk_that_can_only_be_read_still_shows_its_jobs(tmp_path):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        jobs = Jobs(f"{folder}/jobs.sqlite")
        job = jobs.add("scenario", {"a": 1})
        with sqlite3.connect(jobs.path) as base:
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setuid(65534)
                code = 0 if [one.id for one in jobs.list()] == [job] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
