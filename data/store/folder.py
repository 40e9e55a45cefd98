"""A store of bytes in a folder: each value one file, written aside, flushed and renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from data.errors import StoreError

_ASIDE = ".aside-"
_LOCK = ".lock"
_WRITERS = 16  # files flushed at once: a disk takes many together in little more time than one


def write_atomic(path: Path, value: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all: aside in the same folder, flushed to disk, renamed.

    Parameters
    ----------
    durable : bool
        Flush the folder too, so that a power cut right after it does not bring the old file back.

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written; what stood at `path` stays as it was.
    """
    aside = path.parent / f"{_ASIDE}{secrets.token_hex(6)}"
    try:
        try:
            handle = _opened(aside)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = _opened(aside)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        if durable:
            flush_folder(path.parent)
    except BaseException as error:
        _forget(aside)
        if not isinstance(error, OSError):
            raise
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; what was stored before is unharmed. Free some disk space"
            f" or check the folder's permissions, then repeat the command"
        ) from error


def flush_folder(folder: Path) -> None:
    """Have the system write a folder's names to disk, where it can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _opened(aside: Path) -> int:
    """A new file that only this writer knows."""
    return os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _forget(aside: Path) -> None:
    with suppress(OSError):
        aside.unlink(missing_ok=True)


class FolderStore:
    """Bytes by key below one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(
            part in ("", ".", "..") or part.startswith((_ASIDE, _LOCK)) or "\\" in part for part in parts
        ):
            raise StoreError(f"key {key!r} is not allowed; use names joined by '/', without '..' or empty parts")
        return self.root.joinpath(*parts)

    def get(self, key: str) -> bytes:
        """Bytes under `key`; `KeyError` where there are none."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(key) from None
        except OSError as error:
            raise StoreError(
                f"cannot read {self.root / key}: {error.strerror or error}; check the disk and the permissions"
            ) from error

    def put(self, key: str, value: bytes) -> None:
        """Write `value` under `key`, whole or not at all."""
        write_atomic(self._path(key), value)

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Write several values, each whole or not at all, in no order; the first that fails is raised at the end.

        A power cut may take the last of them back; a kill takes none.
        """
        paths = [(self._path(key), value) for key, value in values.items()]
        if len(paths) < 2:
            for path, value in paths:
                write_atomic(path, value)
            return
        with ThreadPoolExecutor(min(_WRITERS, len(paths))) as pool:
            for _ in pool.map(lambda pair: write_atomic(*pair, durable=False), paths):
                pass

    def append(self, key: str, value: bytes) -> None:
        """Add to the end of what is under `key`, flushed to disk; a writer that dies may leave part of `value`."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"cannot add to {path}: {error.strerror or error}; free some disk space or check the folder's"
                f" permissions, then repeat the command"
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep all other writers of this folder out; the system lets go when a process ends, however it ends."""
        import fcntl

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / _LOCK).open("w")
        except OSError as error:
            raise StoreError(
                f"cannot write to {self.root}: {error.strerror or error}; check the folder's permissions"
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def list(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted; only the folder that it names is walked."""
        folder = prefix.rpartition("/")[0]
        if folder and any(part in ("", ".", "..") for part in folder.split("/")):
            return []
        keys: list[str] = []
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(self.root / inside) as entries:
                    for entry in entries:
                        key = f"{inside}/{entry.name}" if inside else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(key)
                        elif key.startswith(prefix) and not entry.name.startswith((_ASIDE, _LOCK)) and entry.is_file():
                            keys.append(key)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return sorted(keys)

    def sweep(self) -> int:
        """Remove what killed writers left aside, and empty folders; call it under `lock`. Returns how many went."""
        gone = 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for name in names:
                if name.startswith(_ASIDE):
                    Path(folder, name).unlink(missing_ok=True)
                    gone += 1
            if Path(folder) != self.root:
                with suppress(OSError):
                    Path(folder).rmdir()
        return gone

    def delete(self, key: str) -> None:
        """Forget `key`; nothing happens where there is none."""
        path = self._path(key)
        if path.is_file():
            path.unlink(missing_ok=True)
