"""The store under damage, newer formats, clocks that go back, two writers and no room."""

import errno
import json
import multiprocessing
import os
import threading
import time

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError, StoreError, ZonewiseError
from data.store import room as room_module
from data.store.folder import FolderStore
from data.store.formats import NewerFormatError, check_format
from data.store.locks import held, locked
from data.store.observations import Observations
from data.store.room import QuotaError, Room, parse_size, used_bytes
from data.store.runs import FORMAT_VERSION, RunStore, run_id
from data.store.workspace import Workspace


def make(store, spec, *, kind="city", parents=()):
    with store.write(kind, spec, parents=parents) as run:
        run.table("extra", pd.DataFrame({"x": np.arange(50.0)}))
        run.arrays("state", {"a": np.arange(100.0)})
        run.bytes("models/Z01/card.json", b"{}")
    return run_id(kind, spec)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def rewrite(store, run, change):
    path = store.root / run / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def as_format_1(store, run):
    """A manifest as it was written before files had digests."""
    rewrite(store, run, lambda told: {k: v for k, v in told.items() if k != "files"} | {"format_version": 1})


def test_a_manifest_holds_every_file_and_one_flipped_bit_is_found(store):
    run = make(store, {"a": 1})
    assert set(store.manifest(run)["files"]) == {"extra.parquet", "state.npz", "models/Z01/card.json"}
    assert store.check(run) == []
    path = store.root / run / "state.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert len(store.check(run)) == 1 and store.check(run)[0].startswith("state.npz")
    path.unlink()
    assert "No such file" in store.check(run)[0]


def test_a_run_of_the_format_before_is_read_and_migrated(store):
    """The id stays, the digests come; a second migration finds nothing to do."""
    run = make(store, {"a": 1})
    whole = store.manifest(run)["files"]
    as_format_1(store, run)
    assert store.read(run, "extra")["x"].sum() == 1225 and store.check(run) == []
    assert store.migrate(run) and not store.migrate(run)
    assert store.manifest(run)["files"] == whole and store.manifest(run)["format_version"] == FORMAT_VERSION


def test_a_damaged_run_of_the_format_before_is_not_given_digests(store):
    run = make(store, {"a": 1})
    as_format_1(store, run)
    (store.root / run / "extra.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="is damaged"):
        store.migrate(run)
    assert store.manifest(run)["format_version"] == 1


def test_a_run_of_a_newer_release_is_refused_and_not_overwritten(store):
    run = make(store, {"a": 1})
    rewrite(store, run, lambda told: {**told, "format_version": FORMAT_VERSION + 1})
    with pytest.raises(NewerFormatError, match="newer Zonewise"):
        store.manifest(run)
    assert store.list() == []
    make(store, {"a": 1})
    with pytest.raises(NewerFormatError):
        store.manifest(run)


@pytest.mark.parametrize("found", [-1, "2", 1.5, True, []])
def test_a_version_that_is_none_is_damage(found):
    with pytest.raises(StoreError, match="damaged"):
        check_format(found, 2, "x")


def test_the_same_run_again_replaces_one_whose_manifest_is_damaged(store):
    run = make(store, {"a": 1})
    (store.root / run / "manifest.json").write_text("{")
    make(store, {"a": 1})
    assert store.check(run) == []


def test_a_child_is_never_older_than_its_parent_though_the_clock_went_back(store):
    parent = make(store, {"a": 1})
    rewrite(store, parent, lambda told: {**told, "created": "2031-01-01T00:00:00+00:00"})
    child = make(store, {"b": 1}, parents=(parent,))
    assert [told["id"] for told in store.list()] == [parent, child] or store.manifest(child)["created"] >= "2031"


def test_a_sweep_spares_a_writer_at_work_however_old_its_folder_is(store):
    """Three hours without a new file; and what lies in the future of a clock that was set back goes too."""
    with store.write("city", {"slow": 1}) as run:
        old = time.time() - 3 * 3600
        os.utime(run.folder, (old, old))
        dead = store.root / ".aside-city-dead-1-1"
        dead.mkdir(parents=True)
        ahead = time.time() + 9999
        os.utime(dead, (ahead, ahead))
        assert store.sweep() == 1
        run.json("told", 1)
    assert store.has(run_id("city", {"slow": 1})) and not dead.exists()


def test_a_quota_refuses_before_anything_is_written(tmp_path, monkeypatch):
    """Two runs of some kB fit in 20 kB only once the second is asked for: the third is refused."""
    monkeypatch.setenv("ZONEWISE_QUOTA", "9 kB")
    space = Workspace(tmp_path / "w")
    make(space.runs, {"a": 1})
    while used_bytes(space.root) < 9000:
        make(space.runs, {"a": used_bytes(space.root)})
    before = used_bytes(space.root)
    with pytest.raises(QuotaError, match=r"may hold 9 kB; nothing was written.*runs prune"):
        make(space.runs, {"last": 1})
    assert used_bytes(space.root) == before
    monkeypatch.delenv("ZONEWISE_QUOTA")
    space.update(quota="1 MB")
    assert space.room.quota == 1_000_000
    make(space.runs, {"last": 1})


def test_a_nearly_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(room_module, "free_bytes", lambda folder: 1000)
    with pytest.raises(QuotaError, match="has 1 kB left"):
        Room(tmp_path).check()


@pytest.mark.parametrize("text", ["", "much", "-5GB", "5 XB", "1e9"])
def test_a_size_that_is_none_is_told(text):
    with pytest.raises(InputError, match="size"):
        parse_size(text)


def _count_up(root, name):
    for _ in range(40):
        Workspace(root).alter(lambda told: {**told, "n": told.get("n", 0) + 1, name: told.get(name, 0) + 1})


def test_two_writers_of_a_description_lose_nothing_of_each_other(tmp_path):
    """Forty additions each: eighty in all."""
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_count_up, args=(tmp_path, name)) for name in ("a", "b")]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert Workspace(tmp_path).describe() == {"n": 80, "a": 40, "b": 40}


def test_a_description_keeps_the_one_before_it(tmp_path):
    space = Workspace(tmp_path)
    space.update(city="toy")
    space.update(city="helsinki")
    assert json.loads(space.previous_path.read_text())["city"] == "toy"


@pytest.mark.parametrize("value", [{"runs": []}, {"job": "x"}, {"format_version": 99}, {"format_version": "a"}])
def test_a_description_of_another_shape_is_refused(tmp_path, value):
    (tmp_path / "workspace.json").write_text(json.dumps(value))
    with pytest.raises(StoreError):
        Workspace(tmp_path).describe()


def test_who_prunes_waits_for_nobody_and_two_may_be_at_work(tmp_path):
    space = Workspace(tmp_path)
    with space.at_work(), space.at_work(), pytest.raises(StoreError, match="being computed"), space.alone():
        pass
    with space.alone():
        assert held(tmp_path / ".work.lock")
    assert not held(tmp_path / ".work.lock")


def test_a_lock_that_is_held_is_given_up_after_a_while(tmp_path):
    with (
        locked(tmp_path / "x"),
        pytest.raises(StoreError, match="busy"),
        locked(tmp_path / "x", wait_s=0.1, busy="busy"),
    ):
        pass  # fmt: skip


def observed(k):
    times = pd.date_range("2026-01-01", periods=3, freq="1h", tz="UTC")
    return pd.DataFrame({"sensor_id": f"s{k}", "time": times.as_unit("us"), "speed_mps": float(k)})


def test_batches_of_many_writers_have_numbers_of_their_own(tmp_path):
    """Eight threads append at once; a removed note's number does not come back below a later one's."""
    store = Workspace(tmp_path).observations
    threads = [threading.Thread(target=lambda k=k: Observations(store).append(observed(k))) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [note["id"].partition("-")[0] for note in Observations(store).batches()]
    assert numbers == [f"{k:06d}" for k in range(1, 9)]
    store.delete(store.list("batches/")[2])
    batch, _ = Observations(store).append(observed(9))
    assert batch.startswith("000009")


def test_an_observation_of_a_newer_release_is_refused(tmp_path):
    store = Workspace(tmp_path).observations
    Observations(store).append(observed(1))
    key = store.list("batches/")[0]
    store.put(key, json.dumps({**json.loads(store.get(key)), "format_version": 7}).encode())
    with pytest.raises(NewerFormatError):
        Observations(store).read()


def test_a_store_that_is_read_only_is_read_and_says_why_it_cannot_be_written(tmp_path, monkeypatch):
    """As on a file system mounted for reading: whoever makes a folder or a file is told EROFS."""
    space = Workspace(tmp_path)
    with space.runs.write("city", {"a": 1}) as run:
        run.json("told", [1, 2])
    space.update(city="toy")
    name = space.runs.list()[0]["id"]
    before = sorted(path for path in tmp_path.rglob("*"))
    opened = os.open

    def refuse(*given, **more):
        raise OSError(errno.EROFS, "Read-only file system")

    def read_alone(path, flags, *given, **more):
        return refuse() if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else opened(path, flags, *given, **more)

    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(os, "open", read_alone)
    with pytest.raises(StoreError, match=r"Read-only file system.*unharmed.*permissions"), space.runs.write("b", {}):
        pass
    with pytest.raises(StoreError, match=r"Read-only file system.*unharmed"):
        FolderStore(tmp_path / "models").put("a/b", b"1")
    with pytest.raises(ZonewiseError):
        space.update(city="other")
    assert space.runs.read_json(name, "told") == [1, 2] and space.describe()["city"] == "toy"
    assert sorted(path for path in tmp_path.rglob("*")) == before
