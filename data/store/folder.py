"""A store of bytes in a folder: each value one file, written aside, flushed and renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from data.errors import StoreError


def write_atomic(path: Path, value: bytes) -> None:
    """Write a file whole or not at all: aside in the same folder, flushed to disk, renamed.

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written; what stood at `path` stays as it was.
    """
    aside = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".aside-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException as error:
        if aside:
            Path(aside).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; what was stored before is unharmed. Free some disk space"
            f" or check the folder's permissions, then repeat the command"
        ) from error


class FolderStore:
    """Bytes by key below one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") or part.startswith(".aside-") or "\\" in part for part in parts):
            raise StoreError(f"key {key!r} is not allowed; use names joined by '/', without '..' or empty parts")
        return self.root.joinpath(*parts)

    def get(self, key: str) -> bytes:
        """Bytes under `key`; `KeyError` where there are none."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(key) from None

    def put(self, key: str, value: bytes) -> None:
        """Write `value` under `key`, whole or not at all."""
        write_atomic(self._path(key), value)

    def list(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        if not self.root.is_dir():
            return []
        keys = (
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and not path.name.startswith(".aside-")
        )
        return sorted(key for key in keys if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Forget `key`; nothing happens where there is none."""
        path = self._path(key)
        if path.is_file():
            path.unlink(missing_ok=True)
