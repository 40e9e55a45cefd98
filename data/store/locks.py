"""Locks between processes: files that the system lets go of when their holder ends, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from data.errors import StoreError

LOCK = ".lock"


@contextmanager
def locked(path: Path, *, shared: bool = False, wait_s: float | None = None, busy: str = "") -> Iterator[None]:
    """Hold a lock for as long as the block lasts.

    Parameters
    ----------
    path : Path
        The lock's file; it is made where it is not there, and stays.
    shared : bool
        Let others hold it shared too; an exclusive holder waits for all of them.
    wait_s : float, optional
        Give up after so long; None waits for ever.
    busy : str
        What is said then.

    Raises
    ------
    StoreError
        If the file cannot be made, or the lock is held for longer than `wait_s`.
    """
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StoreError(
            f"cannot write to {path.parent}: {error.strerror or error}; check the disk and the folder's permissions"
        ) from error
    with file:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if wait_s is None:
            fcntl.flock(file, kind)
        else:
            end = time.monotonic() + wait_s
            while not _taken(file, kind):
                if time.monotonic() >= end:
                    raise StoreError(busy or f"{path} is held by another process; wait for it, then repeat the command")
                time.sleep(0.02)
        yield


def _taken(file: IO[str], kind: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def held(path: Path) -> bool:
    """Whether some process holds the lock now; False where there is no such file."""
    import fcntl

    try:
        with path.open("a" if os.access(path, os.W_OK) else "r") as file:
            return not _taken(file, fcntl.LOCK_EX)
    except OSError:
        return False
