"""A workspace: one city's folder, with its runs, observations, models and jobs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError, StoreError
from data.store.folder import FolderStore, write_atomic
from data.store.formats import WORKSPACE, check_format
from data.store.locks import locked
from data.store.room import Room, parse_size
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
        return RunStore(self.root / "runs", room=self.room)

    @property
    def room(self) -> Room:
        """What may be written here: a quota from `ZONEWISE_QUOTA`, or from `quota` in `workspace.json`."""
        told = os.environ.get("ZONEWISE_QUOTA") or _lenient(self.root / "workspace.json").get("quota")
        return Room(self.root, parse_size(told) if told else None)

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
        cure = "'zonewise doctor --repair' takes the one before it"
        try:
            value: dict[str, Any] = json.loads(path.read_text())
        except (ValueError, OSError, RecursionError) as error:
            raise StoreError(f"{path} is damaged ({error}); {cure}") from error
        if not isinstance(value, dict):
            raise StoreError(f"{path} is damaged (it holds a {type(value).__name__}); {cure}")
        odd = [name for name in ("runs", "job") if not isinstance(value.get(name, {}), dict)]
        if odd:
            raise StoreError(f"{path} is damaged ({' and '.join(odd)} must be objects); {cure}")
        check_format(value.pop("format_version", None), WORKSPACE, str(path))
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
        self.alter(lambda told: {**told, **values})

    def alter(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change what `workspace.json` says, whatever another process changes at the same time.

        What it said before stays beside it, as `workspace.previous.json`.

        Raises
        ------
        StoreError
            If it is damaged, or cannot be written.
        """
        path = self.root / "workspace.json"
        with locked(self.root / ".workspace.lock"):
            told = self.describe()
            value = {**change(told), "format_version": WORKSPACE}
            if told:
                write_atomic(self.previous_path, path.read_bytes(), durable=False)
            write_atomic(path, json.dumps(value, indent=1, sort_keys=True, default=str).encode())

    @property
    def previous_path(self) -> Path:
        """Where the description before the present one is kept."""
        return self.root / "workspace.previous.json"

    def at_work(self) -> AbstractContextManager[None]:
        """Keep `alone` out while runs are made; any number may be at work at once."""
        return locked(self.root / ".work.lock", shared=True)

    def alone(self) -> AbstractContextManager[None]:
        """Keep out everybody who makes runs; `StoreError` where somebody does."""
        busy = f"something is being computed in {self.root}; wait until it is finished, then repeat the command"
        return locked(self.root / ".work.lock", wait_s=0.0, busy=busy)


def _lenient(path: Path) -> dict[str, Any]:
    """What a file of JSON says; nothing where it cannot be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
