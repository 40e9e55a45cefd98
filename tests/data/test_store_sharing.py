"""What several writers of one store need: many values at once, a log that grows, a lock, and a broom."""

from __future__ import annotations

import os
import threading

import pytest

from data.errors import StoreError
from data.store.folder import FolderStore
from data.store.protocol import MemoryStore


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "store")


def test_many_values_are_written_in_one_call(store):
    values = {f"Z{k:02d}/a/{k % 3}": f"{k}".encode() for k in range(40)}
    store.put_many(values)
    store.put_many({})
    assert {key: store.get(key) for key in store.list()} == values


def test_a_list_takes_what_starts_with_the_prefix_alone(store):
    for key in ("Z1/a/1", "Z1/a/10/x", "Z1/ab", "Z10/a", "Z2"):
        store.put(key, b"")
    assert store.list("Z1/a/1") == ["Z1/a/1", "Z1/a/10/x"]
    assert store.list("Z1/a") == ["Z1/a/1", "Z1/a/10/x", "Z1/ab"]
    assert store.list("Z1") == ["Z1/a/1", "Z1/a/10/x", "Z1/ab", "Z10/a"]
    assert store.list("Z3/") == store.list("nowhere/at/all/") == []


def test_what_is_appended_comes_last(store):
    store.append("log", b"one\n")
    store.append("log", b"two\n")
    assert store.get("log") == b"one\ntwo\n"


def test_a_list_never_leaves_the_folder(tmp_path):
    (tmp_path / "secret").write_bytes(b"")
    assert FolderStore(tmp_path / "store").list("../") == []


def test_the_lock_keeps_another_writer_out(store):
    """A second writer gets in only after the first has left."""
    told, inside = [], threading.Event()

    def second():
        inside.wait()
        with store.lock():
            told.append("second")

    other = threading.Thread(target=second)
    other.start()
    with store.lock():
        inside.set()
        other.join(timeout=0.05)
        told.append("first")
    other.join()
    assert told == ["first", "second"] and store.list() == []


def test_a_process_that_dies_gives_the_lock_back(tmp_path):
    store = FolderStore(tmp_path)
    pid = os.fork()
    if pid == 0:
        context = store.lock()
        context.__enter__()
        os._exit(0)
    os.waitpid(pid, 0)
    with store.lock():
        store.put("a", b"1")
    assert store.get("a") == b"1"


def test_the_broom_takes_what_was_left_aside_and_empty_folders(tmp_path):
    store = FolderStore(tmp_path)
    store.put("Z01/a", b"1")
    (tmp_path / "Z01" / ".aside-dead").write_bytes(b"half")
    (tmp_path / "Z02" / "empty").mkdir(parents=True)
    assert store.sweep() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["Z01"] and store.get("Z01/a") == b"1"


def test_a_key_cannot_name_the_lock(tmp_path):
    with pytest.raises(StoreError, match="not allowed"):
        FolderStore(tmp_path).put(".lock", b"")


def test_a_folder_that_cannot_be_made_cannot_be_locked(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"), FolderStore(tmp_path / "file").lock():
        pass
