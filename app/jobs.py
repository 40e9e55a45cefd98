"""The job table: long runs that outlive a page, in SQLite. Imports no Dash, so that the worker starts fast.

A callback adds a row and asks for a worker process; there are so many at once (see `job_limits`), the others wait, and
a worker that ends starts the next. It writes how far it is and looks whether it should stop; any page, tab or server
process reads the row. A row whose process is gone (see `processes`) has failed and can be resumed; after a restart of
the machine or of the app it is queued again by itself, once. The same job is never open twice: asked for again, its
row is given back.
"""

from __future__ import annotations

import builtins
import getpass
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import job_table
from app.job_limits import JobLimits
from app.job_rows import (
    CANCELLED,
    DONE,
    FAILED,
    OPEN,
    QUEUED,
    RUNNING,
    due,
    open_one,
    queue_again,
    tend,
    waiting,
)
from app.processes import Mark
from data.errors import InputError

#: Of kinds whose work is kept in parts: what a resumed job finds done. Others run again from the start.
KEPT = {
    "scenario": "job.kept.replications", "preview": "job.kept.simulations", "recommend": "job.kept.simulations",
    "simulate": "job.kept.steps", "import": "job.kept.steps", "retrain": "job.kept.models",
}  # fmt: skip


__all__ = [
    "CANCELLED", "DONE", "FAILED", "KEPT", "OPEN", "QUEUED", "RUNNING", "Job", "Jobs", "dispatch", "launch",
    "start_worker", "system_user",
]  # fmt: skip


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
    by: str = ""
    attempts: int = 0
    interrupted: bool = False

    @property
    def open(self) -> bool:
        """Whether it may still change."""
        return self.state in OPEN

    @property
    def resumable(self) -> bool:
        """Whether it can be put in the queue again."""
        return self.state in (FAILED, CANCELLED)

    def seconds_left(self, now: float | None = None) -> float | None:
        """Time left by the pace so far; None before the first step is done, or where the clock was set back."""
        if self.state != RUNNING or not self.started or self.done <= 0 or self.total <= 0:
            return None
        passed = (time.time() if now is None else now) - self.started
        return max(0.0, passed * (self.total - self.done) / self.done) if passed > 0 else None


class Jobs:
    """The job table of a workspace.

    Parameters
    ----------
    path : Path or str
        Its SQLite file, in the workspace's folder.
    limits : JobLimits, optional
        Those of the environment if left out.
    """

    def __init__(self, path: Path | str, *, limits: JobLimits | None = None) -> None:
        self.path = Path(path)
        self._limits = limits

    @property
    def limits(self) -> JobLimits:
        """How many jobs there may be."""
        return self._limits or JobLimits.from_environment()

    # ------------------------------------------------------------------ asking

    def add(self, kind: str, params: Mapping[str, Any], *, by: str | None = None) -> str:
        """A new row, queued; returns its id. The same job, waiting or running, is given back instead.

        Parameters
        ----------
        by : str, optional
            Who asks; the user of the operating system if left out.

        Raises
        ------
        TooManyJobsError
            If the user, or the workspace, has too many open jobs.
        """
        who = by or system_user()
        text = json.dumps(dict(params), sort_keys=True)
        digest = hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()
        with self._base() as base:
            tend(base)
            same = open_one(base, digest)
            if same is not None:
                return same
            rows = base.execute("SELECT owner FROM job WHERE state IN (?, ?)", OPEN).fetchall()
            self.limits.check(who, sum(row["owner"] == who for row in rows), len(rows))
            job = uuid.uuid4().hex[:12]
            base.execute(
                "INSERT INTO job (id, kind, params, state, created, owner, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (job, kind, text, QUEUED, time.time(), who, digest),
            )
        return job

    def want(self, job: str) -> None:
        """Have a worker start for a queued job as soon as there is room."""
        with self._base() as base:
            base.execute("UPDATE job SET wanted = 1 WHERE id = ? AND state = ?", (job, QUEUED))

    def resume(self, job: str) -> str:
        """Put a job that failed or was stopped in the queue again; returns its id, or that of the same one if open.

        Raises
        ------
        InputError
            If there is no such job, or it is not over, or it is done.
        TooManyJobsError
            As `add`.
        """
        with self._base() as base:
            tend(base)
            row = base.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
            if row is None:
                raise InputError(f"no job '{job}'; see 'zonewise jobs list'")
            if row["state"] not in (FAILED, CANCELLED):
                raise InputError(f"job '{job}' is {row['state']}: only a job that failed or was stopped can be resumed")
            same = open_one(base, row["digest"])
            if same is not None:
                return same
            rows = base.execute("SELECT owner FROM job WHERE state IN (?, ?)", OPEN).fetchall()
            self.limits.check(row["owner"], sum(r["owner"] == row["owner"] for r in rows), len(rows))
            queue_again(base, job, attempts=0, message="")
        return job

    def cancel(self, job: str) -> None:
        """Ask a job to stop; one that has not begun stops at once."""
        with self._base() as base:
            base.execute("UPDATE job SET cancel = 1 WHERE id = ?", (job,))
            base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ?", (CANCELLED, time.time(), job, QUEUED)
            )

    def clean(self, *, older_than_s: float) -> int:
        """Forget jobs that ended so long ago, or in the future of a clock that was set back; returns how many."""
        now = time.time()
        with self._base() as base:
            tend(base)
            found = base.execute(
                "DELETE FROM job WHERE state NOT IN (?, ?) AND (COALESCE(ended, created) < ? OR COALESCE(ended,"
                " created) > ?)",
                (*OPEN, now - older_than_s, now + 86_400.0),
            )
            return found.rowcount

    # ------------------------------------------------------------------ looking

    def read(self, job: str) -> Job | None:
        """A row; one whose process is gone is marked first. None where there is none."""
        found = self._look("SELECT * FROM job WHERE id = ?", (job,))
        return found[0] if found else None

    def list(self, limit: int = 50) -> list[Job]:
        """Newest first."""
        return self._look("SELECT * FROM job ORDER BY rowid DESC LIMIT ?", (limit,))

    def _look(self, query: str, values: tuple[Any, ...]) -> builtins.list[Job]:
        """Rows; on the way the dead are marked, and what waits is started where there is room."""
        try:
            with self._base(look=True) as base:
                rows = base.execute(query, values).fetchall()
                waits, dead = waiting(base), due(base)
            if dead:
                with self._base() as base:
                    tend(base)
                    rows = base.execute(query, values).fetchall()
        except job_table.UnwritableTableError:
            if not self.path.is_file():
                raise
            with job_table.only_read(self.path) as base:  # a disk that can only be read
                return [_job(row) for row in base.execute(query, values)]
        if waits:
            dispatch(self.path.parent, limits=self._limits)
        return [_job(row) for row in rows]

    # ------------------------------------------------------------------ a worker's side

    def begin(self, job: str, pid: int, *, token: str = "") -> bool:
        """The worker takes the row; False where it was taken or cancelled before.

        Parameters
        ----------
        token : str
            What the worker shows with every word it says of the job; one that was taken from it is not heard.
        """
        now = time.time()
        with self._base() as base:
            base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ? AND cancel = 1",
                (CANCELLED, now, job, QUEUED),
            )
            found = base.execute(
                "UPDATE job SET state = ?, pid = ?, mark = ?, token = ?, started = ?, beat = ?, launched = NULL,"
                " attempts = attempts + 1, interrupted = 0, message = '' WHERE id = ? AND state = ?",
                (RUNNING, pid, Mark.of(pid).text(), token, now, now, job, QUEUED),
            )
            return found.rowcount == 1

    def report(
        self,
        job: str,
        done: float,
        total: float,
        message: str,
        partial: Sequence[Mapping[Any, Any]] | None = None,
        *,
        token: str = "",
    ) -> None:
        """How far it is; `partial` are effects so far."""
        more = "" if partial is None else ", partial = ?"
        values = [done, total, message, time.time()]
        values += [] if partial is None else [json.dumps([dict(row) for row in partial])]
        with self._base(durable=False) as base:
            base.execute(
                f"UPDATE job SET done = ?, total = ?, message = ?, beat = ?{more} WHERE id = ? AND (? = '' OR"
                " token = ?)",
                (*values, job, token, token),
            )

    def beat(self, job: str, *, token: str = "") -> bool:
        """Say that the worker lives; False where the job is not its own any more."""
        with self._base(durable=False) as base:
            found = base.execute(
                "UPDATE job SET beat = ? WHERE id = ? AND state = ? AND (? = '' OR token = ?)",
                (time.time(), job, RUNNING, token, token),
            )
            return found.rowcount == 1

    def end(self, job: str, state: str, *, message: str = "", result: str = "", token: str = "") -> bool:
        """The last word on a row; False where it is not the caller's any more."""
        with self._base() as base:
            found = base.execute(
                "UPDATE job SET state = ?, message = ?, result = ?, ended = ? WHERE id = ? AND (? = '' OR token = ?)",
                (state, message, result, time.time(), job, token, token),
            )
            return found.rowcount == 1

    def stopped(self, job: str) -> bool:
        """Mark a running job as stopped; False where it has ended meanwhile."""
        with self._base() as base:
            found = base.execute(
                "UPDATE job SET state = ?, ended = ? WHERE id = ? AND state = ?", (CANCELLED, time.time(), job, RUNNING)
            )
            return found.rowcount == 1

    def cancelled(self, job: str) -> bool:
        """Whether someone asked it to stop."""
        with self._base(look=True) as base:
            row = base.execute("SELECT cancel FROM job WHERE id = ?", (job,)).fetchone()
        return bool(row and row["cancel"])

    # ------------------------------------------------------------------ care

    def recover(self) -> int:
        """Queue again what was running when the app or the machine went down; returns how many. For the app's start."""
        with self._base() as base:
            return tend(base, again=True)

    def next_launches(self) -> builtins.list[str]:
        """Jobs that a worker is to be started for now, marked as such: nobody else starts them."""
        with self._base() as base:
            tend(base)
            chosen = waiting(base, self.limits.at_once)
            for job in chosen:
                base.execute("UPDATE job SET launched = ?, launches = launches + 1 WHERE id = ?", (time.time(), job))
            return chosen

    @contextmanager
    def _base(self, *, durable: bool = True, look: bool = False) -> Iterator[sqlite3.Connection]:
        with job_table.opened(self.path, durable=durable, look=look) as base:
            yield base


def start_worker(workspace: Path, job: str) -> int:
    """Ask for the worker process of a job: it starts now, or when there is room. Returns how many were started now."""
    Jobs(workspace / "jobs.sqlite").want(job)
    return dispatch(workspace)


def dispatch(workspace: Path, *, limits: JobLimits | None = None) -> int:
    """Start workers for what waits, as far as there is room; returns how many."""
    chosen = Jobs(workspace / "jobs.sqlite", limits=limits).next_launches()
    for job in chosen:
        launch(workspace, job)
    return len(chosen)


def launch(workspace: Path, job: str) -> int:
    """Start the worker process of a job; returns its process id. It lives on when the server ends."""
    command = [sys.executable, "-m", "app.worker", "--workspace", str(workspace.resolve()), "--job", job]
    root = Path(__file__).resolve().parent.parent
    low = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)  # on Windows; elsewhere the worker steps back itself
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdin=subprocess.DEVNULL, creationflags=low)
    return process.pid


def system_user() -> str:
    """The user of the operating system, or its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _job(row: sqlite3.Row) -> Job:
    told = {name: row[name] for name in ("id", "kind", "state", "done", "total", "message", "result", "pid", "created",
                                         "started", "ended", "attempts")}  # fmt: skip
    return Job(
        **told, params=_held(row["params"], dict), partial=_held(row["partial"], list), cancel=bool(row["cancel"]),
        by=row["owner"], interrupted=bool(row["interrupted"]),
    )  # fmt: skip


def _held(text: str, kind: type) -> Any:
    """A value that a row holds as JSON; an empty one where it is damaged."""
    try:
        value = json.loads(text or "null")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()
