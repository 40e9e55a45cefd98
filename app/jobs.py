"""The job table: long runs that outlive a page, in SQLite. Imports no Dash, so that the worker starts fast.

A callback adds a row and starts a worker process; the worker writes how far it is and looks whether it should stop;
any page, tab or server process reads the row. A row that says it is running while its process is gone has failed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.texts import t
from data.errors import StoreError

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN = (QUEUED, RUNNING)
_START_S = 60.0  # a worker that has not begun after so long never will

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, params TEXT NOT NULL, state TEXT NOT NULL,
    done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    partial TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '', pid INTEGER, created REAL NOT NULL,
    started REAL, ended REAL, cancel INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A row of the table. Times are seconds since 1970; `result` is the id of the run that came out."""

    id: str
    kind: str
    params: dict[str, Any]
    state: str
    done: float
    total: float
    message: str
    partial: list[dict[str, Any]]
    result: str
    pid: int | None
    created: float
    started: float | None
    ended: float | None
    cancel: bool

    @property
    def open(self) -> bool:
        """Whether it may still change."""
        return self.state in OPEN

    def seconds_left(self, now: float | None = None) -> float | None:
        """Time left by the pace so far; None before the first step is done."""
        if self.state != RUNNING or not self.started or self.done <= 0 or self.total <= 0:
            return None
        passed = (time.time() if now is None else now) - self.started
        return max(0.0, passed * (self.total - self.done) / self.done)


class Jobs:
    """The job table of a workspace."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @contextmanager
    def _base(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=20)) as base, base:
                base.row_factory = sqlite3.Row
                base.execute("PRAGMA journal_mode = WAL")
                base.execute(_SCHEMA)
                yield base
        except sqlite3.Error as error:
            raise StoreError(
                f"job table {self.path}: {error}; check the disk, or remove the file (runs stay)"
            ) from error

    def add(self, kind: str, params: Mapping[str, Any]) -> str:
        """A new row, queued; returns its id."""
        job = uuid.uuid4().hex[:12]
        with self._base() as base:
            base.execute(
                "INSERT INTO job (id, kind, params, state, created) VALUES (?, ?, ?, ?, ?)",
                (job, kind, json.dumps(dict(params)), QUEUED, time.time()),
            )
        return job

    def read(self, job: str) -> Job | None:
        """A row; one whose process is gone is marked as failed first. None where there is none."""
        with self._base() as base:
            row = base.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
            if row is None:
                return None
            if _dead(row):
                base.execute(
                    "UPDATE job SET state = ?, message = ?, ended = ? WHERE id = ? AND state = ?",
                    (FAILED, t("job.dead"), time.time(), job, row["state"]),
                )
                row = base.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
        values = dict(row)
        values["params"] = json.loads(values["params"])
        values["partial"] = json.loads(values["partial"] or "[]")
        values["cancel"] = bool(values["cancel"])
        return Job(**values)

    def list(self, limit: int = 50) -> list[Job]:
        """Newest first."""
        with self._base() as base:
            names = [r["id"] for r in base.execute("SELECT id FROM job ORDER BY created DESC LIMIT ?", (limit,))]
        return [job for name in names if (job := self.read(name)) is not None]

    def begin(self, job: str, pid: int) -> bool:
        """The worker takes the row; False where it was taken or cancelled before."""
        with self._base() as base:
            base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ? AND cancel = 1",
                (CANCELLED, time.time(), job, QUEUED),
            )
            found = base.execute(
                "UPDATE job SET state = ?, pid = ?, started = ? WHERE id = ? AND state = ?",
                (RUNNING, pid, time.time(), job, QUEUED),
            )
            return found.rowcount == 1

    def report(
        self, job: str, done: float, total: float, message: str, partial: Sequence[Mapping[Any, Any]] | None = None
    ) -> None:
        """How far it is; `partial` are effects so far."""
        with self._base() as base:
            base.execute("UPDATE job SET done = ?, total = ?, message = ? WHERE id = ?", (done, total, message, job))
            if partial is not None:
                base.execute(
                    "UPDATE job SET partial = ? WHERE id = ?", (json.dumps([dict(row) for row in partial]), job)
                )

    def end(self, job: str, state: str, *, message: str = "", result: str = "") -> None:
        """The last word on a row."""
        with self._base() as base:
            base.execute(
                "UPDATE job SET state = ?, message = ?, result = ?, ended = ? WHERE id = ?",
                (state, message, result, time.time(), job),
            )

    def stopped(self, job: str) -> bool:
        """Mark a running job as stopped; False where it has ended meanwhile."""
        with self._base() as base:
            found = base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ?", (CANCELLED, time.time(), job, RUNNING)
            )
            return found.rowcount == 1

    def cancel(self, job: str) -> None:
        """Ask a job to stop; one that has not begun stops at once."""
        with self._base() as base:
            base.execute("UPDATE job SET cancel = 1 WHERE id = ?", (job,))
            base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ?", (CANCELLED, time.time(), job, QUEUED)
            )

    def cancelled(self, job: str) -> bool:
        """Whether someone asked it to stop."""
        with self._base() as base:
            row = base.execute("SELECT cancel FROM job WHERE id = ?", (job,)).fetchone()
        return bool(row and row["cancel"])


def start_worker(workspace: Path, job: str) -> int:
    """Start the worker process of a job; returns its process id. It lives on when the server ends."""
    command = [sys.executable, "-m", "app.worker", "--workspace", str(workspace.resolve()), "--job", job]
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdin=subprocess.DEVNULL)
    return process.pid


def _dead(row: sqlite3.Row) -> bool:
    if row["state"] == QUEUED:
        return time.time() - float(row["created"]) > _START_S
    if row["state"] != RUNNING or not row["pid"]:
        return False
    pid = int(row["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:  # a child that ended and was not waited for is still listed: as a zombie
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return False
