"""Runs: whole or not there; equal specifications are the same run."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from data.errors import RunNotFoundError, SchemaError, StoreError
from data.store.runs import RunStore, run_id
from data.toy import toy_links, toy_nodes

ROOT = Path(data.__file__).parents[1]
SPEC = {"city": "toy", "days": 8}


def make(store, spec=SPEC, *, kind="city", x=1.0):
    with store.write(kind, spec, seed=1) as run:
        run.table("nodes", toy_nodes())
        run.table("extra", pd.DataFrame({"x": [x, 2.0]}))
        run.arrays("state", {"a": np.arange(1000.0)})
        run.json("told", {"word": "yes"})
        run.bytes("models/Z01/card.json", b"{}")
    return run_id(kind, spec)


def everything(store):
    """Every file below the store, by path and bytes."""
    return {p.relative_to(store.root).as_posix(): p.read_bytes() for p in store.root.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def test_a_run_gives_back_what_was_written(store):
    run = make(store)
    pd.testing.assert_frame_equal(store.read(run, "nodes"), toy_nodes(), check_dtype=True)
    assert store.read_arrays(run, "state")["a"].tolist() == list(range(1000))
    assert store.read_json(run, "told") == {"word": "yes"} and store.read_bytes(run, "models/Z01/card.json") == b"{}"
    manifest = store.manifest(run)
    assert manifest["spec"] == SPEC and manifest["seed"] == 1 and manifest["tables"] == {"nodes": 25, "extra": 2}
    assert {"python", "numpy", "pandas"} <= set(manifest["versions"])
    assert store.read(run, "nodes", columns=["x_m"]).columns.tolist() == ["x_m"]


def test_geometry_and_its_frame_come_back(store):
    with store.write("city", SPEC) as run:
        run.table("links", toy_links())
    links = store.read(run_id("city", SPEC), "links")
    assert links.crs == toy_links().crs and links.geometry.geom_equals(toy_links().geometry).all()


@given(
    st.dictionaries(st.text(min_size=1, max_size=6), st.integers() | st.text(max_size=5) | st.none(), max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_the_same_specification_is_the_same_run_in_any_order(spec, random):
    items = list(spec.items())
    random.shuffle(items)
    assert run_id("city", dict(items)) == run_id("city", spec)
    assert run_id("city", {**spec, "one more": 1}) != run_id("city", spec)
    assert run_id("study", spec) != run_id("city", spec)


def test_an_unfinished_run_is_not_there(store):
    with pytest.raises(ZeroDivisionError), store.write("city", SPEC) as run:
        run.table("nodes", toy_nodes())
        assert not store.has(run_id("city", SPEC)) and store.list() == []
        1 / 0  # noqa: B018
    assert everything(store) == {} and not store.has(run_id("city", SPEC))


def test_a_table_that_breaks_its_schema_stops_the_run(store):
    with pytest.raises(SchemaError), store.write("city", SPEC) as run:
        run.table("nodes", toy_nodes().drop(columns="lon"))
    assert everything(store) == {}


def test_the_same_run_written_twice_is_the_first_one(store):
    run = make(store, x=1.0)
    make(store, x=5.0)
    assert store.read(run, "extra")["x"].tolist() == [1.0, 2.0] and len(store.list()) == 1


@pytest.mark.parametrize("moment", ["first", "last"])
def test_a_full_disk_harms_no_finished_run(store, monkeypatch, moment):
    make(store)
    before = everything(store)
    calls = []

    def full(file):
        calls.append(file)
        if moment == "first" or len(calls) == 6:  # five files, then the manifest
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space left on device.*finished runs are unharmed"):
            make(store, {"city": "other"})
    assert everything(store) == before and not store.has(run_id("city", {"city": "other"}))
    make(store, {"city": "other"})
    assert len(store.list("city")) == 2


def test_a_file_size_limit_harms_no_finished_run(store):
    """The operating system refuses to write more than 2,000 bytes of a file, amid a table."""
    make(store)
    before = everything(store)
    code = f"""
        import resource, signal
        import numpy as np
        from data.errors import StoreError
        from data.store.runs import RunStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            with RunStore({str(store.root)!r}).write("city", {{"big": True}}) as run:
                run.arrays("state", {{"a": np.random.default_rng(1).random(10_000)}})
        except StoreError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, cwd=ROOT, text=True, check=True
    )
    assert "refused:" in done.stdout
    assert everything(store) == before


@pytest.mark.parametrize("moment", ["amid the tables", "before the manifest", "before the name"])
def test_a_kill_during_a_write_loses_no_finished_run(store, moment):
    """SIGKILL at three instants: what is left behind looks whole to nobody, and goes with the next sweep."""
    make(store)
    before = everything(store)
    die = "os.kill(os.getpid(), signal.SIGKILL)"
    code = f"""
        import os, pathlib, signal
        import pandas as pd
        from data.store.runs import RunStore
        moment = {moment!r}
        if moment == "before the manifest":
            os.fsync = lambda file: {die}
        if moment == "before the name":
            pathlib.Path.rename = lambda self, other: {die}
        with RunStore({str(store.root)!r}).write("city", {{"city": "other"}}) as run:
            run.table("extra", pd.DataFrame({{"x": [1.0]}}))
            if moment == "amid the tables":
                {die}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    other = run_id("city", {"city": "other"})
    assert not (store.root / other).exists() and [m["id"] for m in store.list()] == [run_id("city", SPEC)]
    with pytest.raises(RunNotFoundError):
        store.read(other, "extra")
    aside = [path.name for path in store.root.iterdir() if path.name.startswith(".aside-")]
    assert len(aside) == 1
    with pytest.raises(RunNotFoundError):  # not even by its own name
        store.manifest(aside[0])
    assert store.sweep() == 0  # it might still be at work
    assert store.sweep(older_than_s=-1.0) == 1 and everything(store) == before
    make(store, {"city": "other"})
    assert store.has(other)


def test_a_sweep_takes_only_what_is_old(store):
    make(store)
    for name, age in ((".aside-city-1-1", 7200.0), (".aside-city-2-2", 60.0)):
        (store.root / name).mkdir()
        os.utime(store.root / name, (time.time() - age,) * 2)
    assert store.sweep(older_than_s=3600.0) == 1
    assert (store.root / ".aside-city-2-2").is_dir() and len(store.list()) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"id": 1}', '{"id": "other", "kind": "a", "spec": 1, "created": 2}']
)
def test_a_damaged_manifest_is_told_and_passed_over(store, text):  # fmt: skip
    run = make(store)
    make(store, {"city": "other"})
    (store.root / run / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        store.manifest(run)
    assert [m["id"] for m in store.list()] == [run_id("city", {"city": "other"})]
    assert store.latest("city")["id"] == run_id("city", {"city": "other"})


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten"])
def test_a_damaged_file_is_told(store, damage):
    run = make(store)
    readers = {"nodes.parquet": store.read, "state.npz": store.read_arrays, "told.json": store.read_json}
    for name, read in readers.items():
        path = store.root / run / name
        good = path.read_bytes()
        path.write_bytes({"cut": good[: len(good) // 2], "emptied": b"", "overwritten": b"?" * len(good)}[damage])
        with pytest.raises(StoreError, match="damaged"):
            read(run, name.partition(".")[0])


def test_what_is_not_there_is_told_with_its_name(store):
    run = make(store)
    for call in (
        lambda: store.manifest("city-000000000000"),
        lambda: store.manifest("../runs/" + run),
        lambda: store.read(run, "links"),
        lambda: store.read_arrays(run, "links"),
        lambda: store.read_json(run, "links"),
        lambda: store.read_bytes(run, "../../x"),
        lambda: store.latest("study"),
    ):
        with pytest.raises(RunNotFoundError) as error:
            call()
        assert not str(error.value).startswith(("'", '"')) and "run" in str(error.value)


def test_a_removed_run_is_gone_and_can_be_made_again(store):
    run = make(store)
    store.remove(run)
    assert not store.has(run) and store.list() == []
    assert make(store) == run and store.has(run)


def test_a_run_whose_removal_was_killed_is_made_again(store):
    run = make(store)
    (store.root / run / "manifest.json").unlink()
    assert not store.has(run)
    make(store)
    assert store.read(run, "extra")["x"].tolist() == [1.0, 2.0]


def test_runs_are_listed_oldest_first_by_kind(store):
    first, second = make(store), make(store, kind="study")
    path = store.root / second / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "created": "1999-01-01T00:00:00+00:00"}))
    assert [m["id"] for m in store.list()] == [second, first]
    assert [m["id"] for m in store.list("city")] == [first]
