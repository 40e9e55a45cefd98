"""Quarantine: a folder of a workspace where damaged things are put, under the path that they had. Nothing reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from data.errors import StoreError
from data.store.workspace import Workspace

FOLDER = "quarantine"


def put_aside(workspace: Workspace, path: Path) -> str:
    """Move a file or folder of a workspace there; returns what was done, in words.

    Raises
    ------
    StoreError
        If it cannot be moved; it stays where it is then.
    """
    inside = path.relative_to(workspace.root)
    day = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    target = workspace.root / FOLDER / day / inside
    count = 1
    while target.exists():
        count += 1
        target = workspace.root / FOLDER / f"{day}-{count}" / inside
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except FileNotFoundError:
        return f"{inside} was gone already"
    except OSError as error:
        raise StoreError(f"cannot move {path} to {target}: {error.strerror or error}") from error
    return f"moved to {target.relative_to(workspace.root)}"
