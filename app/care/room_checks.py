"""Checks of what is beside the runs: the description, observations, models, alarms, replications, jobs and the disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from app.care.findings import FAULT, NOTE, WARNING, Finding
from app.care.quarantine import FOLDER, put_aside
from data.errors import StoreError, ZonewiseError
from data.store.formats import NewerFormatError
from data.store.observations import Observations
from data.store.room import LEAST_FREE, free_bytes, told_size, used_bytes
from data.store.workspace import Workspace

_OLD_S = 3600.0  # a file aside that is younger may belong to a writer at work
_ASIDE = ".aside-"


def check_description(workspace: Workspace) -> Iterator[Finding]:
    """Findings about `workspace.json`."""
    path = workspace.root / "workspace.json"
    cure = "'zonewise doctor --repair' takes the description before it"
    if not path.is_file():
        made = any(workspace.root.glob("runs/*/manifest.json"))
        if made and not workspace.previous_path.is_file():
            yield Finding(
                level=WARNING, where="workspace.json", what="is not there yet: the first command here was not finished",
                cure="repeat that command ('zonewise simulate' or 'demo', with its options): what is made is used",
            )  # fmt: skip
        elif made:
            yield Finding(
                level=FAULT, where="workspace.json", what="is not there, though runs are", cure=cure,
                mend=lambda: _former(workspace),
            )  # fmt: skip
        return
    try:
        workspace.describe()
    except NewerFormatError as error:
        yield Finding(level=FAULT, where="workspace.json", what=str(error), cure="use the newer release of Zonewise")
    except StoreError as error:
        yield Finding(level=FAULT, where="workspace.json", what=str(error), cure=cure, mend=lambda: _former(workspace))


def check_references(workspace: Workspace) -> Iterator[Finding]:
    """Findings about runs that the description names; call it after damaged ones were put aside."""
    try:
        told = workspace.describe().get("runs", {})
    except StoreError:
        return
    lost = {kind: run for kind, run in told.items() if not workspace.runs.has(str(run))}
    if not lost:
        return

    def mend() -> str:
        workspace.alter(lambda old: {**old, "runs": {k: r for k, r in old.get("runs", {}).items() if k not in lost}})
        return "taken out of workspace.json"

    yield Finding(
        level=FAULT, where="workspace.json", mend=mend,
        what=f"names runs that are not there: {', '.join(lost.values())}",
        cure="'zonewise demo' (or 'compare', in an imported workspace) makes them again; 'zonewise doctor --repair'"
        " takes them out until then",
    )  # fmt: skip


def check_observations(workspace: Workspace) -> Iterator[Finding]:
    """Findings about measured readings: a batch is read as a whole or put aside as a whole."""
    store = workspace.observations
    again = "'zonewise doctor --repair' moves it aside; then import its file again"
    for key in store.list("batches/"):
        path = store.root / key
        try:
            note = json.loads(store.get(key))
            parts = [str(part["key"]) for part in note["parts"]]
            lost = [part for part in parts if not (store.root / part).is_file()]
        except (ValueError, KeyError, TypeError, StoreError) as error:
            yield _aside(workspace, path, f"observations/{key}", f"is damaged ({error})", again)
            continue
        if lost:
            yield _aside(workspace, path, f"observations/{key}", f"names parts that are not there: {lost}", again)
            continue
        broken = [part for part in parts if not _is_table(store.root / part)]
        if broken:
            yield _aside(workspace, path, f"observations/{key}", f"has damaged parts: {broken}", again)
    places = store.root / "places.parquet"
    if places.is_file() and not _is_table(places):
        yield _aside(workspace, places, "observations/places.parquet", "is damaged", again)
    if store.root.is_dir():
        try:
            Observations(store).batches()
        except NewerFormatError as error:
            yield Finding(level=FAULT, where="observations", what=str(error), cure="use the newer release of Zonewise")
        except StoreError:
            pass  # told above


def check_models(workspace: Workspace, *, repair: bool) -> Iterator[Finding]:
    """Findings about the registry: versions, standings, the index."""
    if not workspace.models.root.is_dir():
        return
    from models.registry import Registry
    from models.registry_care import check

    for row in check(Registry(workspace.models, by="doctor"), repair=repair).itertuples():
        waits = str(row.cure) == "promote a version"  # a training that was killed, or versions that nobody wanted yet
        yield Finding(
            level=WARNING if waits else FAULT, what=str(row.fault),
            where=f"models/{row.zone_id}/{row.target}/{row.version}".rstrip("/"),
            cure="repeat 'zonewise train', or 'zonewise models promote'" if waits else
            f"{row.cure}: 'zonewise models --help'",
            done=str(row.cure) if str(row.cure).startswith("mended") else "",
        )  # fmt: skip


def check_alarms(workspace: Workspace) -> Iterator[Finding]:
    """Findings about the alarms' book."""
    folder = workspace.root / "alarms" / "entries"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            happenings = json.loads(path.read_text())
            if not all(isinstance(one, dict) and "what" in one for one in happenings):
                raise TypeError("it holds something else")
        except (OSError, ValueError, TypeError) as error:
            yield _aside(
                workspace, path, f"alarms/entries/{path.name}", f"is damaged ({error})",
                "'zonewise doctor --repair' moves it aside; 'zonewise monitor' raises what still is so again",
            )  # fmt: skip


def check_jobs(workspace: Workspace) -> Iterator[Finding]:
    """Findings about the table of jobs."""
    from app import job_table
    from app.jobs import Jobs

    path = workspace.jobs_path
    if not path.is_file():
        return
    faults = job_table.check(path)
    if faults:
        newer = any("newer" in fault for fault in faults)

        def mend() -> str:
            done = put_aside(workspace, path)
            for name in (f"{path.name}-wal", f"{path.name}-shm"):
                if (path.parent / name).is_file():
                    put_aside(workspace, path.parent / name)
            return done

        yield Finding(
            level=FAULT, where=path.name, what="; ".join(faults), mend=None if newer else mend,
            cure="use the newer release of Zonewise" if newer else
            "'zonewise doctor --repair' moves it aside: runs stay, the list of jobs begins anew",
        )  # fmt: skip
        return
    try:
        died = [job for job in Jobs(path).list(10_000) if job.interrupted and job.resumable]
    except ZonewiseError as error:
        yield Finding(level=FAULT, where=path.name, what=str(error), cure="check the disk and the permissions")
        return
    if died:
        yield Finding(
            level=WARNING, where=path.name, what=f"{len(died)} job(s) died before they ended: {died[0].id} ...",
            cure="'zonewise jobs resume' goes on with them; 'zonewise jobs clean' forgets old ones",
        )  # fmt: skip


def check_leftovers(workspace: Workspace) -> Iterator[Finding]:
    """Findings about files that killed writers left aside, anywhere but among the runs."""
    now = time.time()
    for folder, folders, names in os.walk(workspace.root):
        top = Path(folder) == workspace.root
        folders[:] = [name for name in folders if not (top and name in ("runs", FOLDER))]
        for name in (*names, *folders):
            path = Path(folder, name)
            if not name.startswith(_ASIDE):
                continue
            try:
                age = abs(now - path.stat().st_mtime)
            except FileNotFoundError:
                continue
            if age > _OLD_S:
                yield _aside(
                    workspace, path, str(path.relative_to(workspace.root)), "a writer that was killed left it",
                    "'zonewise doctor --repair' moves it aside", level=WARNING,
                )  # fmt: skip


def check_disk(workspace: Workspace) -> Iterator[Finding]:
    """Findings about room: the disk, the quota, and whether anything can be written."""
    free = free_bytes(workspace.root)
    if free < 5 * LEAST_FREE:
        yield Finding(
            level=FAULT if free < LEAST_FREE else WARNING, where=".", what=f"the disk has {told_size(free)} left",
            cure="free some space; 'zonewise runs prune' shows what can go",
        )  # fmt: skip
    room = workspace.room
    if room.quota is not None:
        used = used_bytes(workspace.root)
        if used >= 0.9 * room.quota:
            yield Finding(
                level=FAULT if used >= room.quota else WARNING, where=".",
                what=f"{told_size(used)} are used of a quota of {told_size(room.quota)}",
                cure="'zonewise runs prune' shows what can go; or raise ZONEWISE_QUOTA",
            )  # fmt: skip
    if not os.access(workspace.root, os.W_OK):
        yield Finding(
            level=WARNING, where=".", what="the folder cannot be written: what is there can be shown, nothing new made",
            cure="give the user of this process the right to write",
        )  # fmt: skip
    kept = workspace.root / FOLDER
    if kept.is_dir() and (size := used_bytes(kept)):
        yield Finding(
            level=NOTE, where=FOLDER, what=f"{told_size(size)} of damaged things are kept here",
            cure="look, and remove the folder when nothing of it is needed; 'zonewise runs prune --yes' does",
        )  # fmt: skip


def _aside(workspace: Workspace, path: Path, where: str, what: str, cure: str, level: str = FAULT) -> Finding:
    return Finding(level=level, where=where, what=what, cure=cure, mend=lambda: put_aside(workspace, path))


def _former(workspace: Workspace) -> str:
    """Put the damaged description aside and take the one before it; without one, say what to do."""
    path = workspace.root / "workspace.json"
    done = put_aside(workspace, path) if path.is_file() else "nothing was there"
    try:
        value = json.loads(workspace.previous_path.read_text())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{done}, and there is no description before it; restore a back-up, or repeat 'zonewise demo' with the"
            " options of then: runs that are there are used again"
        ) from error
    workspace.alter(lambda _: {key: item for key, item in value.items() if key != "format_version"})
    return f"{done}; the description before it is in force"


def _is_table(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_table(path)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, pa.ArrowException):
        return False
    return True
