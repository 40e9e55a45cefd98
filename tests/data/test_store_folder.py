"""Bytes in a folder: old ones or new ones, never half of them."""

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from data.errors import StoreError
from data.store.folder import FolderStore, write_atomic
from data.store.protocol import MemoryStore

ROOT = Path(data.__file__).parents[1]


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return FolderStore(tmp_path / "store") if request.param == "folder" else MemoryStore()


def test_what_was_put_is_what_is_got(store):
    store.put("Z01/no2/card.json", b"one")
    store.put("Z01/no2/card.json", b"two")
    store.put("Z02/x", b"")
    assert store.get("Z01/no2/card.json") == b"two" and store.get("Z02/x") == b""
    assert store.list() == ["Z01/no2/card.json", "Z02/x"] and store.list("Z02") == ["Z02/x"]
    store.delete("Z02/x")
    store.delete("Z02/x")
    assert store.list() == ["Z01/no2/card.json"]


@pytest.mark.parametrize("key", ["nothing", "Z01", "Z01/card/deeper"])
def test_a_key_that_is_not_there_is_a_key_error(store, key):
    store.put("Z01/card", b"1")
    with pytest.raises(KeyError):
        store.get(key)
    store.delete(key)
    assert store.get("Z01/card") == b"1"


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a\\b", ".aside-x", "a/."])
def test_no_key_leads_out_of_the_folder(tmp_path, key):
    with pytest.raises(StoreError, match="not allowed"):
        FolderStore(tmp_path / "store").put(key, b"1")
    assert not (tmp_path / "store").exists()


@given(st.dictionaries(st.text("abcxyz019_-", min_size=1, max_size=8), st.binary(max_size=64), max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_bytes_come_back(tmp_path_factory, values):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    for key, value in values.items():
        store.put(f"in/{key}", value)
    assert {key: store.get(f"in/{key}") for key in values} == values
    assert store.list() == sorted(f"in/{key}" for key in values)


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_bytes(tmp_path, monkeypatch, where):
    store = FolderStore(tmp_path)
    store.put("card", b"old")

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(StoreError, match=r"No space left on device.*Free some disk space"):
            store.put("card", b"new")
    assert store.get("card") == b"old" and [p.name for p in tmp_path.iterdir()] == ["card"]


def test_an_interrupt_leaves_nothing_aside(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "card", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_size_limit_is_a_full_disk_too(tmp_path):
    """The operating system itself refuses the write: at most 1,000 bytes a file in that process."""
    FolderStore(tmp_path).put("card", b"old")
    code = f"""
        import resource, signal
        from data.errors import StoreError
        from data.store.folder import FolderStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            FolderStore({str(tmp_path)!r}).put("card", b"x" * 100_000)
        except StoreError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, cwd=ROOT, text=True, check=True
    )
    assert "refused:" in done.stdout and "too large" in done.stdout.lower()
    assert FolderStore(tmp_path).get("card") == b"old" and [p.name for p in tmp_path.iterdir()] == ["card"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_kill_during_a_write_leaves_the_old_bytes(tmp_path):
    """The writer is killed (SIGKILL, nothing can be tidied up) when all bytes are written but not yet flushed."""
    FolderStore(tmp_path).put("card", b"old")
    code = f"""
        import os, signal
        from data.store.folder import FolderStore
        os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
        FolderStore({str(tmp_path)!r}).put("card", b"new" * 10_000)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    store = FolderStore(tmp_path)
    assert store.get("card") == b"old" and store.list() == ["card"]
    store.put("card", b"newer")
    assert store.get("card") == b"newer"


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        FolderStore(tmp_path / "file").put("card", b"1")
