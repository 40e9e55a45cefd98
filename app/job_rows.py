"""What rows of the job table tell and become: which are dead, which wait, and which may begin.

Functions of an open transaction; `jobs.Jobs` calls them, and holds what they mean together.
"""

from __future__ import annotations

import sqlite3
import time

from app.processes import Mark
from app.texts import t

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN = (QUEUED, RUNNING)
START_S = 60.0  # a worker that has not begun after so long never will
BEGINS = 2  # how often a job is begun by itself: a second death is told, not tried again


def open_one(base: sqlite3.Connection, digest: str) -> str | None:
    """Id of the open job of a digest."""
    row = base.execute(
        "SELECT id FROM job WHERE digest = ? AND digest <> '' AND state IN (?, ?) AND cancel = 0", (digest, *OPEN)
    ).fetchone()
    return None if row is None else str(row["id"])


def queue_again(base: sqlite3.Connection, job: str, *, attempts: int | None, message: str) -> None:
    base.execute(
        "UPDATE job SET state = ?, cancel = 0, wanted = 1, launched = NULL, launches = 0, token = '', mark = '',"
        " pid = NULL, started = NULL, ended = NULL, done = 0, interrupted = 0, message = ?,"
        " attempts = COALESCE(?, attempts) WHERE id = ?",
        (QUEUED, message, attempts, job),
    )


def due(base: sqlite3.Connection, *, again: bool = False) -> list[tuple[str, str]]:
    """What is to be done about rows whose process is gone: pairs of what and job."""
    found, now = [], time.time()
    for row in base.execute("SELECT * FROM job WHERE state IN (?, ?)", OPEN).fetchall():
        if row["state"] == RUNNING:
            mark = Mark.parse(row["mark"]) or Mark(pid=int(row["pid"] or -1))  # format 1 knew the number alone
            if mark.alive(None if row["beat"] is None else now - float(row["beat"])):
                continue
            repeat = (mark.restarted or (again and row["wanted"])) and row["attempts"] < BEGINS
            found.append(("cancel" if row["cancel"] else "queue" if repeat else "fail", row["id"]))
        elif row["wanted"]:
            if row["launched"] is not None and not 0 <= now - float(row["launched"]) <= START_S:
                found.append(("launch" if row["launches"] < BEGINS else "fail", row["id"]))
        elif now - float(row["created"]) > START_S:  # whoever added it died before a worker was asked for
            found.append(("fail", row["id"]))
    return found


def tend(base: sqlite3.Connection, *, again: bool = False) -> int:
    """Mark rows whose process is gone; returns how many were queued again.

    Parameters
    ----------
    again : bool
        Queue them again even where the machine has not restarted: nobody was there to be told.
    """
    found, now = due(base, again=again), time.time()
    for what, job in found:
        if what == "queue":
            queue_again(base, job, attempts=None, message=t("job.restarted"))
        elif what == "launch":
            base.execute("UPDATE job SET launched = NULL WHERE id = ?", (job,))
        elif what == "cancel":
            base.execute("UPDATE job SET state = ?, ended = ? WHERE id = ?", (CANCELLED, now, job))
        else:
            base.execute(
                "UPDATE job SET state = ?, message = ?, ended = ?, interrupted = 1 WHERE id = ?",
                (FAILED, t("job.dead"), now, job),
            )
    return sum(what == "queue" for what, _ in found)


def waiting(base: sqlite3.Connection, at_once: int | None = None) -> list[str]:
    """Jobs to start now: the oldest of the user with the fewest at work first; all that wait without `at_once`."""
    rows = base.execute(
        "SELECT id, owner, state, wanted, launched FROM job WHERE state IN (?, ?) ORDER BY rowid", OPEN
    ).fetchall()
    at_work = [row["owner"] for row in rows if row["state"] == RUNNING or row["launched"] is not None]
    queue = [row for row in rows if row["state"] == QUEUED and row["wanted"] and row["launched"] is None]
    if at_once is None:
        return [row["id"] for row in queue]
    chosen: list[str] = []
    while queue and len(at_work) < at_once:
        row = min(queue, key=lambda one: at_work.count(one["owner"]))
        queue.remove(row)
        at_work.append(row["owner"])
        chosen.append(row["id"])
    return chosen
