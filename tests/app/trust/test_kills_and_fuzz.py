"""The benchmark's kills and fuzz, small: an import that is killed, and 300 damaged or forged inputs."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest

from app.benchmarks.trust import _small as small
from app.benchmarks.trust import fuzz, kills
from app.benchmarks.trust._mutations import damaged, forged
from app.care.doctor import examine
from data.errors import ZonewiseError
from data.store.workspace import Workspace


def test_an_import_that_is_killed_six_times_loses_nothing(tmp_path, monkeypatch):
    """Every second kill comes at a file operation; what comes out is the same as without kills."""
    monkeypatch.setenv("ZONEWISE_CACHE", str(tmp_path / "cache"))
    base = Workspace(tmp_path / "six")
    assert small.command(small.import_command(tmp_path / "files", base, 10, 1)) == 0
    victim = kills.Victim(
        "import", lambda space: small.import_command(tmp_path / "files", space, 3, 1, first=10), base.root
    )
    told = kills.kill(victim, 6, tmp_path, seed=1)
    assert told["kills"] == 6 and told["resumed"] >= 1
    assert [told[name] for name in ("lost", "unreadable", "different", "failed")] == [[], [], [], []]


def test_a_kill_that_does_harm_would_be_seen(tmp_path):
    """A run whose file is cut short after the kill is lost, and unreadable."""
    space = Workspace(tmp_path)
    with space.runs.write("city", {"a": 1}) as run:
        run.json("told", [1, 2, 3])
    before = kills.finished(space)
    path = space.runs.root / space.runs.list()[0]["id"] / "told.json"
    path.write_text("[1")
    assert [name.endswith("told.json") for name in kills._lost(before, kills.finished(space))] == [True]
    assert "told.json" in kills._faults(space)[0]


def test_three_hundred_inputs_are_taken_or_refused_in_words(workspace, tmp_path):
    told = fuzz.fuzz(tmp_path, dict.fromkeys(("scenarios", "imports", "stores", "requests"), 75), 3, town=workspace)
    assert sum(kind["inputs"] for kind in told["kinds"].values()) == 300
    assert [kind["faults"] for kind in told["kinds"].values()] == [[], [], [], []]
    assert told["written_outside"] == []
    assert told["kinds"]["scenarios"]["refused"] > 40


def test_the_fuzz_sees_a_hang_a_foreign_error_and_a_write_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "BOUND_S", 0.2)

    def breaks(rng):
        raise KeyError("x")

    def hangs(rng):
        with contextlib.suppress(Exception):  # what takes every error must not take the alarm
            time.sleep(1)

    def refuses(rng):
        raise ZonewiseError("no")

    told = fuzz._survived([("breaks", breaks), ("hangs", hangs), ("refuses", refuses)], 3, [1])
    assert (told["inputs"], told["refused"], told["hangs"], len(told["faults"])) == (3, 1, 1, 2)
    writes = fuzz.Writes()
    writes.folder = str(tmp_path / "inside")
    (tmp_path / "elsewhere").write_text("x")
    writes.folder = ""
    assert writes.found == [f"open {tmp_path / 'elsewhere'}"]


def test_damage_is_damage_and_the_same_seed_does_the_same():
    raw = b"a,b\n1,2\n3,4\n"
    many = [damaged(raw, np.random.default_rng([1, k])) for k in range(200)]
    assert many == [damaged(raw, np.random.default_rng([1, k])) for k in range(200)]
    assert sum(one != raw for one in many) > 190
    value = {"a": [1, {"b": 2}], "c": "x"}
    assert repr(forged(value, np.random.default_rng(5))) == repr(forged(value, np.random.default_rng(5)))
    assert value == {"a": [1, {"b": 2}], "c": "x"}


def test_a_worker_that_is_killed_leaves_a_job_that_can_be_resumed(tmp_path, monkeypatch):
    """SIGKILL in the middle: the job has failed in words, and goes on where it is resumed."""
    from app.jobs import DONE, FAILED, RUNNING, Jobs
    from app.worker import work

    space = Workspace(tmp_path)
    jobs = Jobs(space.jobs_path)
    job = jobs.add("scenario", {"a": 1})
    monkeypatch.setattr("app.jobs.launch", lambda root, job: 0)
    pid = os.fork()
    if pid == 0:
        try:
            work(space, job, lambda *_: time.sleep(60))
        finally:
            os._exit(1)
    end = time.monotonic() + 20
    while jobs.read(job).state != RUNNING and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    row = jobs.read(job)
    assert (row.state, row.interrupted) == (FAILED, True) and "ended before" in row.message
    assert any("jobs resume" in one.cure for one in examine(space))
    jobs.resume(job)
    assert work(space, job, lambda *_: "study-1") == DONE


@pytest.mark.parametrize("moment", [1, 7, 15, 30])
def test_a_disk_that_fills_at_any_write_leaves_the_workspace_in_order(tmp_path, monkeypatch, moment):
    """The n-th flush fails for want of space, as does every one after it; later the same import ends well."""
    import errno

    monkeypatch.setenv("ZONEWISE_CACHE", str(tmp_path / "cache"))
    space = Workspace(tmp_path / "w")
    command = small.import_command(tmp_path / "files", space, 10, 1)
    calls, sync = [0], os.fsync

    def full(handle):
        calls[0] += 1
        if calls[0] >= moment:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        status = small.command(command)
    assert status in (0, 2)
    assert [one for one in examine(space) if one.wrong] == []
    assert small.command(command) == 0
    assert examine(space) == [] and len(space.runs.list()) >= 2
