"""Training, refitting and comparing on a Dask cluster: the tables and models of this machine, bit for bit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import synthetic_city

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
from data.errors import ClusterError
from data.store.folder import FolderStore
from data.work import cluster as module
from data.work import working_at
from data.work.cluster import Cluster
from models.compare import compare
from models.finished import finished_in
from models.training import refit, train

TARGETS = ("speed_mps", "no2_ug_per_m3")
FAMILIES = ("ridge", "macro_ridge")


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=3, days=10, seed=11)


def everything(panel, kill=None):
    end = panel.times[8 * 96]
    told = lambda done, total, message: kill() if kill is not None else None  # noqa: E731
    made = train(panel, targets=TARGETS, train_end=end, families=FAMILIES, seed=2, progress=told)
    return made, refit(made, panel), compare(panel, made, seed=2, draws=100)


@pytest.fixture(scope="module")
def here(town):
    return everything(town)


@pytest.fixture(scope="module")
def there(town):
    """With one of two workers killed when the first candidate was there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "check_alike", lambda *_: None)  # others may edit code while tests run
        cluster, killed = Cluster("local:2"), []

        def kill():
            if not killed:
                killed.append(next(iter(cluster._own.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        try:
            with working_at(cluster):
                found = everything(town, kill)
        finally:
            cluster.close()
    assert killed
    return found


def test_choices_and_scores_are_the_same(here, there):
    for name in ("choices", "assignment", "scores", "guard"):
        pd.testing.assert_frame_equal(getattr(here[0], name), getattr(there[0], name), check_exact=True)


def test_every_model_is_stored_as_the_same_bytes_of_arrays(here, there):
    for a, b in ((here[0], there[0]), (here[1], there[1])):
        assert list(a.candidates) == list(b.candidates) and list(a.micromodels) == list(b.micromodels)
        for key, model in (a.candidates | a.micromodels).items():
            other = (b.candidates | b.micromodels)[key]
            ours, theirs = model.save(), other.save()
            assert ours.keys() == theirs.keys()
            for name in ours:
                assert ours[name] == theirs[name], (key, name)


def test_the_comparison_is_the_same_but_for_measured_times(here, there):
    """Tables but `costs`, which holds seconds and milliseconds that differ from run to run."""
    names = set(here[2].tables) - {"costs"}
    assert names == set(there[2].tables) - {"costs"} and len(here[2].tables["scores"])
    for name in names:
        pd.testing.assert_frame_equal(here[2].tables[name], there[2].tables[name], check_exact=True)
    assert list(here[2].costs["model"]) == list(there[2].costs["model"])


def test_a_training_whose_cluster_is_lost_goes_on_here_after_its_finished_candidates(town, here, tmp_path, monkeypatch):
    """The scheduler is killed for good when the first target is fitted: the second alone is fitted on this machine."""
    monkeypatch.setattr(module, "check_alike", lambda *_: None)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
    given = {"targets": TARGETS, "train_end": town.times[8 * 96], "families": FAMILIES, "seed": 2}
    running: list[subprocess.Popen[bytes]] = []

    def dask(what: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"]
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running.append(subprocess.Popen(command, cwd=Path(__file__).parents[2], **nowhere))

    def lose(done: int, total: int, message: str) -> None:
        for process in running:
            process.kill()

    dask("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
    dask("worker", address, "--nthreads", "1", "--no-nanny")
    cluster = Cluster(address, patience_s=60)
    store = FolderStore(tmp_path)
    try:
        cluster.wait()
        cluster.patience_s = 2
        with finished_in(store), working_at(cluster), pytest.raises(ClusterError, match="candidates are kept"):
            train(town, **given, progress=lose)
    finally:
        lose(0, 0, "")
        for process in running:
            process.wait()
        cluster.close()
    kept = store.list()
    assert len(kept) == 2
    with finished_in(store):
        made = train(town, **given)
    assert len(store.list()) == 4 and set(kept) < set(store.list())
    for name in ("choices", "assignment", "scores", "guard"):
        pd.testing.assert_frame_equal(getattr(made, name), getattr(here[0], name), check_exact=True)
    assert [model.save() for model in made.candidates.values()] == [m.save() for m in here[0].candidates.values()]
