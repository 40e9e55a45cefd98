"""A folder of exported files: it appears whole or not at all, and replaces nothing that is not an export."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import InputError, StoreError

#: The file that tells an export from any other folder.
MARK = "export.json"


@contextmanager
def new_folder(target: Path | str, *, kind: str, force: bool = False) -> Iterator[Path]:
    """A folder to write into, beside the target; it gets the target's name when the block ends without an error.

    Parameters
    ----------
    target : path
        Where the export shall be. A folder that is missing or empty is filled.
    kind : str
        Name of the format, kept in `export.json`.
    force : bool
        Replace an earlier export. Other folders are never replaced.

    Raises
    ------
    InputError
        If something stands at the target: an earlier export without `force`, or anything else.
    StoreError
        If the disk is full or the folder cannot be written; what stood there stays.
    """
    target = Path(target)
    _check(target, force)
    aside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".aside-{target.name}-", dir=target.parent))
        yield aside
        files = sorted(path.name for path in aside.iterdir())
        (aside / MARK).write_text(json.dumps({"zonewise_export": kind, "files": files}, indent=1))
        aside.chmod(0o777 & ~_umask())
        _swap(aside, target)
    except OSError as error:
        raise StoreError(
            f"cannot write the export {target}: {error.strerror or error}; what stood there is unharmed. Free some disk"
            f" space or check the folder's permissions, then repeat the command"
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _check(target: Path, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target} is a file; name a folder that is not there yet")
    if not any(target.iterdir()):
        return
    if not (target / MARK).is_file():
        raise InputError(f"{target} holds files that are no export; name a folder that is empty or not there yet")
    if not force:
        raise InputError(f"{target} holds an earlier export; name another folder, or add --force to replace it")


def _swap(aside: Path, target: Path) -> None:
    """Give the new folder its name; an old one stands until then."""
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".aside-old-{target.name}-", dir=target.parent))
    old.rmdir()
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
