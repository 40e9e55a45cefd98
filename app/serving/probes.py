"""Whether the app lives, and whether it can do its work: for whatever starts it again or sends people to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any

from data.errors import ZonewiseError
from data.store.workspace import Workspace


def readiness(space: Workspace) -> dict[str, Any]:
    """What works and what does not, in words without paths; `ready` is true where all does."""
    checks = {"workspace": workspace_fault(space), "jobs": jobs_fault(space)}
    return {"ready": not any(checks.values()), "checks": {name: fault or "fine" for name, fault in checks.items()}}


def workspace_fault(space: Workspace) -> str:
    """Why the workspace cannot be read; empty where it can."""
    if not (space.root / "workspace.json").is_file():
        return "there is no workspace.json"
    try:
        runs = dict(space.describe().get("runs") or {})
    except (ZonewiseError, OSError, TypeError, ValueError):
        return "workspace.json is damaged or cannot be read"
    lacking = sorted(step for step, run in runs.items() if run and not space.runs.has(str(run)))
    return f"runs are named but not there: {', '.join(lacking)}" if lacking else ""


def jobs_fault(space: Workspace) -> str:
    """Why no job could be written down; empty where it could. Nothing is written by asking."""
    path = space.jobs_path
    if not path.is_file():
        return "" if os.access(space.root, os.W_OK) else "the workspace's folder cannot be written to"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=2)) as base:
            base.execute("BEGIN IMMEDIATE")
            base.execute("SELECT count(*) FROM sqlite_master").fetchone()
            base.execute("ROLLBACK")
    except sqlite3.Error as error:
        return f"the job table cannot be written to ({error})"
    return ""
