"""Pruning: what a workspace does not need any more, how large it is, and its removal."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.care.quarantine import FOLDER
from data.errors import StoreError
from data.store.room import used_bytes
from data.store.workspace import Workspace

#: Kinds that people made on purpose: they stay unless they are named.
KEPT_KINDS = ("study", "recommendation", "preview", "plans", "sweep", "demand", "report")
#: Folders of simulations that jobs keep in parts, so that they can go on; a finished job's are of use to the next one.
PARTS = ("studies", "ensembles", "searches", "trainings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """Something that can go.

    Attributes
    ----------
    kind : str
        `run`, `replications`, `candidates` or `quarantine`.
    name : str
        Path below the workspace.
    why : str
        Why it can go.
    bytes : int
    """

    kind: str
    name: str
    why: str
    bytes: int


def spare(workspace: Workspace, *, code: str, parts_days: float | None = None) -> list[Spare]:
    """What can go: runs that nothing in force is made from, parts of other versions of the code, the quarantine.

    Parameters
    ----------
    workspace : Workspace
    code : str
        Present version of the code that makes replications.
    parts_days : float, optional
        Parts that nobody wrote to for so many days too.

    Raises
    ------
    StoreError
        If `workspace.json` is damaged: nobody knows then what is in use.
    """
    root = workspace.root
    manifests = {str(run["id"]): run for run in workspace.runs.list()}
    used = {str(run) for run in workspace.describe().get("runs", {}).values()}
    used |= {run for run, told in manifests.items() if told["kind"] in KEPT_KINDS}
    waiting = list(used)
    while waiting:  # what they were made from stays
        for parent in manifests.get(waiting.pop(), {}).get("parents", []):
            if parent not in used:
                used.add(str(parent))
                waiting.append(str(parent))
    found = [
        Spare(
            kind="run", name=f"runs/{run}", why="nothing in use is made from it", bytes=used_bytes(root / "runs" / run)
        )
        for run in manifests if run not in used
    ]  # fmt: skip
    folder = root / "studies"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and path.name != code:
            found.append(
                Spare(kind="replications", name=f"studies/{path.name}", bytes=used_bytes(path),
                      why="of another version of the simulation")
            )  # fmt: skip
    folder = root / "trainings"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and path.name in manifests:
            found.append(
                Spare(kind="candidates", name=f"trainings/{path.name}", bytes=used_bytes(path),
                      why="of a training that is finished")
            )  # fmt: skip
    if parts_days is not None:
        found += _old_parts(root, parts_days, {one.name for one in found})
    if (root / FOLDER).is_dir():
        found.append(Spare(kind="quarantine", name=FOLDER, why="damaged things", bytes=used_bytes(root / FOLDER)))
    return found


def remove(workspace: Workspace, found: list[Spare]) -> int:
    """Remove what can go, with nobody at work; returns the bytes that were freed.

    Raises
    ------
    StoreError
        If something is being computed in the workspace, or something cannot be removed.
    """
    freed = 0
    with workspace.alone():
        for one in found:
            path = workspace.root / one.name
            if one.kind == "run":
                workspace.runs.remove(path.name)
            else:
                try:
                    shutil.rmtree(path)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise StoreError(f"cannot remove {path}: {error.strerror or error}") from error
            freed += one.bytes
    return freed


def _old_parts(root: Path, days: float, told: set[str]) -> list[Spare]:
    limit = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    found = []
    for top in PARTS:
        for path in sorted((root / top).iterdir()) if (root / top).is_dir() else ():
            name = f"{top}/{path.name}"
            times = [file.stat().st_mtime for file in path.rglob("*") if file.is_file()]
            if path.is_dir() and name not in told and times and max(times) < limit:
                found.append(
                    Spare(kind="replications", name=name, why=f"not written to for {days:g} days",
                          bytes=used_bytes(path))
                )  # fmt: skip
    return found
