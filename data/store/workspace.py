"""A workspace: one city's folder, with its runs, observations, models and jobs."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError, StoreError
from data.store.folder import FolderStore, write_atomic
from data.store.runs import RunStore

DEFAULT_WORKSPACE = "demo"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths and stores below one workspace folder; nothing is made until something is written."""

    root: Path

    @property
    def name(self) -> str:
        """Name of the workspace: that of its folder."""
        return self.root.name

    @property
    def runs(self) -> RunStore:
        """The run store, `runs/`."""
        return RunStore(self.root / "runs")

    @property
    def models(self) -> FolderStore:
        """The model registry's store, `models/`."""
        return FolderStore(self.root / "models")

    @property
    def observations(self) -> FolderStore:
        """Measured tables, append-only, `observations/`."""
        return FolderStore(self.root / "observations")

    @property
    def jobs_path(self) -> Path:
        """The job table, a SQLite file."""
        return self.root / "jobs.sqlite"

    def describe(self) -> dict[str, Any]:
        """Content of `workspace.json`: city, zones, time zone, step; empty where the workspace is new."""
        path = self.root / "workspace.json"
        if not path.is_file():
            return {}
        try:
            value: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error}); mend or remove it") from error
        if not isinstance(value, dict):
            raise StoreError(f"{path} is damaged (it holds a {type(value).__name__}); mend or remove it")
        return value

    def stamp(self) -> tuple[int, int]:
        """Changes with every `update`: when `workspace.json` was written, ns, and its size; zeros where it is new."""
        try:
            told = (self.root / "workspace.json").stat()
        except OSError:
            return (0, 0)
        return (told.st_mtime_ns, told.st_size)

    def update(self, **values: Any) -> None:
        """Add to `workspace.json`, atomically."""
        merged = {**self.describe(), **values}
        write_atomic(self.root / "workspace.json", json.dumps(merged, indent=1, sort_keys=True, default=str).encode())


def home() -> Path:
    """Folder that holds the workspaces: `ZONEWISE_HOME`, or `workspaces/` in the current folder."""
    return Path(os.environ.get("ZONEWISE_HOME", "workspaces")).expanduser()


def workspaces(folder: Path | None = None) -> list[Workspace]:
    """Workspaces below a folder (`home()` if None), by name: folders with a plain name that say what they are."""
    folder = home() if folder is None else folder
    if not folder.is_dir():
        return []
    found = (path for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name))
    return [Workspace(path) for path in found if (path / "workspace.json").is_file()]


def open_workspace(name: str | None = None) -> Workspace:
    """Workspace by name (below `home()`) or by path of a folder.

    Raises
    ------
    InputError
        If the name has characters that a folder name should not have.
    """
    name = name or os.environ.get("ZONEWISE_WORKSPACE") or DEFAULT_WORKSPACE
    if os.sep in name or name.startswith("."):
        return Workspace(Path(name).expanduser())
    if not _NAME.fullmatch(name):
        raise InputError(f"workspace name {name!r}: use letters, digits, '-', '_' and '.', or a path with '/'")
    return Workspace(home() / name)
