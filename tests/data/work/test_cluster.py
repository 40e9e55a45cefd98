"""A Dask cluster of processes on this machine: lost, slow and wrong workers, and a scheduler that goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
from data.errors import ClusterError, InputError
from data.work import cluster as module
from data.work import rounds, spread, working_at
from data.work.cluster import Cluster, check_alike, fingerprint

BIG = np.arange(100_000.0)


@pytest.fixture(autouse=True)
def whoever_edits(monkeypatch):
    """Code that is edited while tests run would be found to differ, and rightly so."""
    monkeypatch.setattr(module, "check_alike", lambda *_: None)


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster("local:2")
    yield cluster
    cluster.close()


def parts():
    """By value, since workers cannot import tests."""

    def part(big, k, seconds):
        import time

        time.sleep(seconds)
        return float(big.sum()) + k, np.random.default_rng(k).normal(size=3)

    return part


def same(a, b):
    assert [one[0] for one in a] == [one[0] for one in b]
    np.testing.assert_array_equal([one[1] for one in a], [one[1] for one in b])


def pids(cluster):
    return [nanny.pid for nanny in cluster._own.workers.values()]


def test_a_worker_killed_midway_changes_no_result(cluster):
    tasks = [(BIG, k, 0.2) for k in range(10)]
    kept, got = [], []
    with working_at(cluster):
        for k, found in enumerate(spread(parts(), tasks, keep=lambda k, _: kept.append(k))):
            got.append(found)
            if k == 1:
                os.kill(pids(cluster)[0], signal.SIGKILL)
    same(got, list(spread(parts(), tasks)))
    assert sorted(kept) == list(range(10))


def test_a_part_of_a_slow_worker_is_given_to_another_one_as_well(cluster, tmp_path, monkeypatch):
    """The first to begin the last part hangs for 120 s; the second ends at once, and counts."""
    monkeypatch.setattr(rounds, "SLOW_LEAST_S", 0.5)

    def part(k, seen):
        import time
        from pathlib import Path

        if k == 3:
            try:
                Path(seen).mkdir()
            except FileExistsError:
                return k
            time.sleep(120)
        return k

    begun = time.monotonic()
    assert list(cluster.run(part, [(k, str(tmp_path / "seen")) for k in range(4)], None)) == [0, 1, 2, 3]
    assert time.monotonic() - begun < 100


def test_a_part_that_ends_every_worker_is_given_up_with_the_cure(monkeypatch):
    monkeypatch.setattr(rounds, "LOSSES", 1)

    def part(k):
        import os

        if k == 1:
            os._exit(9)
        return k

    fragile, kept = Cluster("local:1"), []
    try:
        with pytest.raises(ClusterError, match=r"part 2 of 2 .* lost with its worker 2 times.*memory"):
            list(fragile.run(part, [(0,), (1,)], lambda k, _: kept.append(k)))
    finally:
        fragile.close()
    assert kept == [0]


def test_an_error_of_a_part_is_the_same_error_here(cluster):
    def part(k):
        from data.errors import SchemaError

        raise SchemaError("links", ["no length_m"])

    with pytest.raises(Exception, match="no length_m") as told:
        list(cluster.run(part, [(1,)], None))
    assert type(told.value).__name__ == "SchemaError"


def test_workers_with_other_packages_are_refused_with_all_that_differs():
    here = fingerprint()
    with pytest.raises(ClusterError, match=r"tcp://w:1 .*numpy: 1\.0 there.*zonewise: 00 there"):
        check_alike(here, here | {"numpy": "1.0", "zonewise": "00"}, "tcp://w:1")
    check_alike(here, dict(here), "tcp://w:1")


@pytest.mark.parametrize("where", ["10.0.0.5:8786", "http://x", "local:0", "local:many", "tcp://"])
def test_an_address_of_no_known_form_is_refused(where):
    with pytest.raises(InputError, match=f"--cluster {where}"):
        Cluster(where)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def dask(what, *options):
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *map(str, options), "--no-dashboard"]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip


def test_no_scheduler_is_a_clear_error():
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1"):
        Cluster(f"tcp://127.0.0.1:{free_port()}", patience_s=1.5)


def test_a_restarted_scheduler_is_found_again_and_a_lost_one_says_what_is_kept():
    """Killed after part 1 of 6 and started again: all parts come, none finished twice. Killed for good: an error."""
    port = free_port()
    address, running = f"tcp://127.0.0.1:{port}", []

    def start():
        running.append(dask("scheduler", "--host", "127.0.0.1", "--port", port))
        running.append(dask("worker", address, "--nthreads", 1, "--no-nanny"))

    start()
    cluster = Cluster(address, patience_s=60)
    try:
        kept, got = [], []
        for k, found in enumerate(cluster.run(parts(), [(BIG, k, 0.3) for k in range(6)], lambda k, _: kept.append(k))):
            got.append(found)
            if k == 1:
                for process in running:
                    process.kill()
                start()
        same(got, list(spread(parts(), [(BIG, k, 0.0) for k in range(6)])))
        assert sorted(kept) == list(range(6))
        cluster.patience_s = 2
        made = cluster.run(parts(), [(BIG, k, 0.3) for k in range(6)], None)
        next(made)
        for process in running:
            process.kill()
        with pytest.raises(ClusterError, match=r"did not come back.*of 6 parts of this step were finished.*kept"):
            list(made)
    finally:
        for process in running:
            process.kill()
            process.wait()
        cluster.close()
