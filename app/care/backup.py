"""Back-up: one file with all that a workspace holds, consistent though somebody writes, each part with its SHA-256.

A tar file. Its first member, `zonewise-backup.json`, says what it is; its last, `contents.json`, names every file with
size and SHA-256, so that a file that was cut short is known as such. Finished runs never change and other values are
written whole, so they are copied as they are; the registry is copied under its lock and the table of jobs by SQLite's
own back-up. Nothing is removed meanwhile.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from app.care.pruning import PARTS
from app.care.quarantine import FOLDER as QUARANTINE
from data.errors import InputError, StoreError
from data.store.folder import flush_folder
from data.store.formats import BACKUP
from data.store.room import free_bytes, told_size, used_bytes
from data.store.workspace import Workspace

HEAD, CONTENTS = "zonewise-backup.json", "contents.json"
#: Folders that are copied file by file; runs, models and jobs have ways of their own.
_PLAIN = ("observations", "alarms", *PARTS, "uploads")
_CHUNK = 1 << 20


def back_up(workspace: Workspace, file: Path, *, parts: bool = True, force: bool = False) -> dict[str, Any]:
    """Write a workspace into one file, which appears whole and checked, or not at all.

    Parameters
    ----------
    workspace : Workspace
    file : Path
    parts : bool
        Keep the simulations of unfinished studies too: only time is lost without them.
    force : bool
        Replace an earlier file.

    Returns
    -------
    dict
        `file`, `files`, `bytes`, `runs`, `seconds`, `sha256` of the whole.

    Raises
    ------
    InputError
        If the file is there already, or would lie in the workspace.
    StoreError
        If it cannot be written, or reading it again does not give what was written.
    """
    begun = time.monotonic()
    file = file.expanduser().absolute()
    if file.exists() and not force:
        raise InputError(f"{file} is there already; choose another name, or --force to replace it")
    if file.resolve().is_relative_to(workspace.root.resolve()):
        raise InputError(f"{file} lies in the workspace itself; put the back-up elsewhere, on another disk at best")
    if not file.parent.is_dir():
        raise InputError(f"no folder {file.parent}")
    needed = used_bytes(workspace.root)
    if free_bytes(file.parent) < needed:
        raise StoreError(
            f"the disk of {file.parent} has {told_size(free_bytes(file.parent))} left, and up to {told_size(needed)}"
            " are needed; nothing was written"
        )
    aside = file.parent / f".aside-{secrets.token_hex(6)}"
    try:
        with aside.open("xb") as sink:
            with workspace.at_work(), tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
                contents = _written(tar, workspace, parts)
            sink.flush()
            os.fsync(sink.fileno())
        faults = verify(aside)
        if faults:
            raise StoreError(f"the back-up reads back otherwise than it was written: {'; '.join(faults[:5])}")
        with aside.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        aside.replace(file)
        flush_folder(file.parent)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}; nothing was left behind") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    runs = {name.split("/")[1] for name in contents if name.startswith("runs/")}
    return {
        "file": str(file), "files": len(contents), "bytes": file.stat().st_size, "runs": len(runs),
        "seconds": round(time.monotonic() - begun, 2), "sha256": digest,
    }  # fmt: skip


def verify(file: Path) -> list[str]:
    """What is wrong with a back-up, in words; nothing where every file is as its contents say.

    Raises
    ------
    StoreError
        If it is no back-up, or of a newer format.
    """
    from app.care.restore import members, read_contents, read_head

    with tarfile.open(file, "r:") as tar:
        read_head(tar)
        found: dict[str, dict[str, Any]] = {}
        told: dict[str, dict[str, Any]] | None = None
        for member in members(tar):
            source = tar.extractfile(member)
            assert source is not None
            if member.name == CONTENTS:
                told = read_contents(source.read(), member.name)
            else:
                digest = hashlib.sha256()
                while block := source.read(_CHUNK):
                    digest.update(block)
                found[member.name] = {"bytes": member.size, "sha256": digest.hexdigest()}
    if told is None:
        return [f"it has no {CONTENTS}: it was cut short"]
    lost = [f"{name} is missing" for name in told if name not in found]
    more = [f"{name} is not in its contents" for name in found if name not in told]
    return lost + more + [f"{name} is damaged" for name in told if name in found and found[name] != told[name]]


def _written(tar: tarfile.TarFile, workspace: Workspace, parts: bool) -> dict[str, dict[str, Any]]:
    """Write all members; returns the contents."""
    head = {
        "format_version": BACKUP, "workspace": workspace.name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    _add_bytes(tar, HEAD, json.dumps(head).encode())
    contents: dict[str, dict[str, Any]] = {}
    description = workspace.root / "workspace.json"
    if description.is_file():  # first: the runs that it names are there already
        value = description.read_bytes()
        contents["workspace.json"] = _add_bytes(tar, "workspace.json", value)
    for manifest in workspace.runs.list():
        folder = workspace.runs.root / str(manifest["id"])
        for path in _files(folder):
            contents |= _add(tar, workspace.root, path)
    if workspace.models.root.is_dir():
        with workspace.models.lock():
            for path in _files(workspace.models.root):
                contents |= _add(tar, workspace.root, path)
    plain = [name for name in _PLAIN if parts or name not in PARTS]
    # a note of observations names parts that were written before it: read notes first
    top = workspace.root
    for path in _files(top / "observations" / "batches"):
        contents |= _add(tar, top, path)
    for name in plain:
        for path in _files(top / name):
            if path.relative_to(top).as_posix() not in contents:
                contents |= _add(tar, top, path)
    for path in sorted(top.iterdir()):
        if path.is_file() and not path.name.startswith((".", "jobs.sqlite")) and path.name not in contents:
            contents |= _add(tar, top, path)
    if workspace.jobs_path.is_file():
        contents["jobs.sqlite"] = _add_bytes(tar, "jobs.sqlite", _jobs(workspace.jobs_path))
    _add_bytes(tar, CONTENTS, json.dumps(contents, indent=0, sort_keys=True).encode())
    return contents


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder that readers see, in order; links are left out."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        inside = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not any(part.startswith((".", QUARANTINE)) for part in inside):
            yield path


def _add(tar: tarfile.TarFile, root: Path, path: Path) -> dict[str, dict[str, Any]]:
    """Add a file as it is now; nothing where it is gone."""
    name = path.relative_to(root).as_posix()
    try:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            member = _member(name, size)
            reader = _Digesting(source, size)
            tar.addfile(member, reader)  # type: ignore[arg-type]
            return {name: {"bytes": size, "sha256": reader.digest.hexdigest()}}
    except FileNotFoundError:
        return {}


def _add_bytes(tar: tarfile.TarFile, name: str, value: bytes) -> dict[str, Any]:
    tar.addfile(_member(name, len(value)), io.BytesIO(value))
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


class _Digesting:
    """A file that is digested as it is read, no further than it was long at first: a log grows meanwhile."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self.source, self.left, self.digest = source, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        block = self.source.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(block)
        self.digest.update(block)
        return block


def _jobs(path: Path) -> bytes:
    """The table of jobs as one file, by SQLite's own back-up."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "jobs.sqlite"
        try:
            with closing(sqlite3.connect(path, timeout=20)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            raise StoreError(f"job table {path}: {error}; 'zonewise doctor --repair' first") from error
        return copy.read_bytes()
