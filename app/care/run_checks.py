"""Checks of runs: manifests, files against their digests, parents, formats, clocks, and what killed writers left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.care.findings import FAULT, NOTE, WARNING, Finding
from app.care.quarantine import put_aside
from data.errors import StoreError
from data.schemas import ALL_TABLES, validate
from data.store.formats import NewerFormatError
from data.store.runs import FORMAT_VERSION, RunStore
from data.store.workspace import Workspace

_AHEAD = timedelta(minutes=10)  # clocks of machines that share a disk may differ by so much
_AGAIN = "'zonewise doctor --repair' moves it aside; the command that made it makes it again"


def check_runs(workspace: Workspace, *, thorough: bool = True, migrate: bool = False) -> Iterator[Finding]:
    """Findings about the folder `runs`.

    Parameters
    ----------
    workspace : Workspace
    thorough : bool
        Read every table and hold it against its schema, besides the digests.
    migrate : bool
        Bring manifests of an older format to this one.
    """
    store = workspace.runs
    manifests: dict[str, dict[str, Any]] = {}
    old: list[str] = []
    for folder in sorted(store.root.iterdir()) if store.root.is_dir() else ():
        where = f"runs/{folder.name}"
        if folder.name.startswith("."):
            continue
        if not folder.is_dir() or not (folder / "manifest.json").is_file():
            yield _broken(workspace, folder, where, "is no run: it has no manifest.json")
            continue
        try:
            manifest = store.manifest(folder.name)
            faults = store.check(folder.name) + (_tables(store, manifest) if thorough else [])
        except NewerFormatError as error:
            yield Finding(level=FAULT, where=where, what=str(error), cure="use the newer release of Zonewise")
            continue
        except StoreError as error:
            yield _broken(workspace, folder, where, str(error))
            continue
        if faults:
            yield _broken(workspace, folder, where, "; ".join(faults))
            continue
        manifests[folder.name] = manifest
        if manifest.get("format_version") != FORMAT_VERSION:
            old.append(folder.name)
    yield from _parents(manifests)
    yield from _clocks(manifests)
    if old:
        yield _older(store, old, migrate)
    for path in store.leftovers():
        yield Finding(
            level=WARNING, where=f"runs/{path.name}", what="a writer that was killed left it; nothing reads it",
            cure="'zonewise doctor --repair' moves it aside; the next command of its kind removes it",
            mend=lambda path=path: put_aside(workspace, path),  # type: ignore[misc]
        )  # fmt: skip


def _broken(workspace: Workspace, folder: Path, where: str, what: str) -> Finding:
    return Finding(level=FAULT, where=where, what=what, cure=_AGAIN, mend=lambda: put_aside(workspace, folder))


def _tables(store: RunStore, manifest: dict[str, Any]) -> list[str]:
    """Faults of tables that cannot be read, or break their schema."""
    faults = []
    for name, rows in manifest.get("tables", {}).items():
        try:
            table = store.read(str(manifest["id"]), name)
            if len(table) != rows:
                faults.append(f"{name}.parquet has {len(table)} rows instead of {rows}")
            if name in ALL_TABLES:
                validate(table, ALL_TABLES[name])
        except StoreError as error:
            faults.append(str(error))
        except ValueError as error:  # of a schema
            faults.append(f"{name}.parquet: {error}")
    return faults


def _parents(manifests: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for run, manifest in manifests.items():
        lost = [str(parent) for parent in manifest.get("parents", []) if parent not in manifests]
        if lost:
            yield Finding(
                level=WARNING, where=f"runs/{run}", what=f"made from {', '.join(lost)}, which is not there (any more)",
                cure="the run itself can be read; 'zonewise demo' makes what is missing again",
            )  # fmt: skip


def _clocks(manifests: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    ahead = []
    for run, manifest in manifests.items():
        try:
            created = datetime.fromisoformat(str(manifest["created"]))
        except ValueError:
            ahead.append(run)
            continue
        if created.replace(tzinfo=created.tzinfo or UTC) > now + _AHEAD:
            ahead.append(run)
    if ahead:
        yield Finding(
            level=WARNING, where=f"runs/{ahead[0]}", cure="set this machine's clock",
            what=f"{len(ahead)} run(s) say that they were made later than now, {now:%Y-%m-%d %H:%M} UTC: the clock was"
            " set back, or is wrong",
        )  # fmt: skip


def _older(store: RunStore, old: list[str], migrate: bool) -> Finding:
    def mend() -> str:
        return f"{sum(store.migrate(run) for run in old)} run(s) are of format {FORMAT_VERSION} now"

    return Finding(
        level=NOTE, where=f"runs/{old[0]}", mend=mend if migrate else None,
        what=f"{len(old)} run(s) are of a format before {FORMAT_VERSION}: they can be read, but have no digests",
        cure="'zonewise doctor --migrate' brings them up to date",
    )  # fmt: skip
