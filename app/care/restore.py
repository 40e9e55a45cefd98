"""Restore: a back-up turned into a workspace again, where nothing is yet; every file checked before it counts.

A back-up may come from anywhere, so nothing in it is trusted: only plain files of known folders with plain names are
taken, sizes are those that its contents say and fit on the disk, and the folder gets its name when all is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from app.care.backup import _CHUNK, CONTENTS, HEAD
from app.care.pruning import PARTS
from data.errors import FileFormatError, InputError, StoreError
from data.store.folder import flush_folder
from data.store.formats import BACKUP, check_format
from data.store.room import LEAST_FREE, free_bytes, told_size
from data.store.workspace import Workspace

#: What may lie at the top of a workspace, besides single files.
_FOLDERS = ("runs", "models", "observations", "alarms", *PARTS, "uploads")
_PART = re.compile(r"[^\x00-\x1f/\\]{1,255}")
_MOST_CONTENTS = 200_000_000  # bytes: names and digests of two million files


def restore(file: Path, workspace: Workspace) -> dict[str, Any]:
    """Make a workspace of a back-up.

    Parameters
    ----------
    file : Path
    workspace : Workspace
        Its folder must not be there, or be empty.

    Returns
    -------
    dict
        `workspace`, `files`, `bytes`.

    Raises
    ------
    InputError
        If there is no such file, or the workspace's folder is not empty.
    FileFormatError
        If it is no back-up, is damaged, or holds what no back-up of ours holds. Nothing is left behind then.
    StoreError
        If the disk is full.
    """
    target = workspace.root.expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} is there already; restore into another workspace, or move it away first")
    if not file.is_file():
        raise InputError(f"no file {file}")
    aside = target.parent / f".aside-{secrets.token_hex(6)}"
    try:
        aside.mkdir(parents=True)
        with tarfile.open(file, "r:") as tar:
            read_head(tar)
            told, found = _unpacked(tar, aside, file)
        faults = [name for name in told.keys() | found.keys() if told.get(name) != found.get(name)]
        if faults:
            raise FileFormatError(f"{file} is damaged: {', '.join(sorted(faults)[:5])} differ from its contents")
        if target.is_dir():
            target.rmdir()
        aside.rename(target)
        flush_folder(target.parent)
    except (tarfile.TarError, EOFError) as error:
        raise FileFormatError(f"{file} is no back-up of Zonewise, or is damaged: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot restore to {target}: {error.strerror or error}; nothing was left behind") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {"workspace": str(target), "files": len(found), "bytes": sum(one["bytes"] for one in found.values())}


def read_head(tar: tarfile.TarFile) -> dict[str, Any]:
    """What the back-up says of itself.

    Raises
    ------
    FileFormatError
        If it is none.
    NewerFormatError
        If a newer release wrote it.
    """
    first = tar.next()
    source = tar.extractfile(first) if first is not None and first.isreg() and first.size < 100_000 else None
    if first is None or first.name != HEAD or source is None:
        raise FileFormatError(f"{tar.name!s} is no back-up of Zonewise: it does not begin with {HEAD}")
    try:
        head = json.loads(source.read())
        version = head["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{HEAD} is damaged: {error}") from error
    check_format(version, BACKUP, "the back-up")
    return dict(head)


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members after the head, each a plain file of a workspace.

    Raises
    ------
    FileFormatError
        At the first that is none.
    """
    for member in tar:
        if member.name == HEAD:
            continue
        if not member.isreg() or member.issparse():
            raise FileFormatError(f"{member.name!r} in the back-up is no plain file; nothing was restored")
        if member.name != CONTENTS:
            check_name(member.name)
        yield member


def check_name(name: str) -> None:
    """Refuse a path that no back-up of ours holds.

    Raises
    ------
    FileFormatError
    """
    parts = PurePosixPath(name).parts
    plain = all(_PART.fullmatch(part) and not part.startswith(".") and part.strip() for part in parts)
    known = len(parts) == 1 or (parts and parts[0] in _FOLDERS)
    if not parts or name.startswith("/") or "\\" in name or "/".join(parts) != name or not plain or not known:
        raise FileFormatError(f"{name!r} in the back-up is no path of a workspace; nothing was restored")


def read_contents(value: bytes, name: str) -> dict[str, dict[str, Any]]:
    """The list of files.

    Raises
    ------
    FileFormatError
    """
    try:
        told = json.loads(value)
        return {str(key): {"bytes": int(one["bytes"]), "sha256": str(one["sha256"])} for key, one in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"{name} is damaged: {error}") from error


def _unpacked(
    tar: tarfile.TarFile, folder: Path, file: Path
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Write every member below a folder; returns what the contents say, and what was found."""
    told: dict[str, dict[str, Any]] | None = None
    found: dict[str, dict[str, Any]] = {}
    for member in members(tar):
        source = tar.extractfile(member)
        assert source is not None
        if member.name == CONTENTS:
            if member.size > _MOST_CONTENTS:
                raise FileFormatError(f"{CONTENTS} of {file} is too large: {told_size(member.size)}")
            told = read_contents(source.read(), CONTENTS)
            continue
        if member.name in found:
            raise FileFormatError(f"{member.name!r} is twice in {file}; nothing was restored")
        if free_bytes(folder) < member.size + LEAST_FREE:
            raise StoreError(
                f"the disk of {folder.parent} has {told_size(free_bytes(folder))} left, too little for {file}; nothing"
                " was left behind"
            )
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as sink:
            while block := source.read(_CHUNK):
                digest.update(block)
                sink.write(block)
        found[member.name] = {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
    if told is None:
        raise FileFormatError(f"{file} has no {CONTENTS}: it was cut short; nothing was restored")
    return told, found
