"""Sessions and failed sign-ins, in one small SQLite file that all workers share.

A browser holds 256 random bits; the file holds only their SHA-256, so that who reads it cannot sign in with it. A
session begins anew at each sign-in, and ends at sign-out, after its time, or when name, role file or password change.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from data.errors import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    token TEXT PRIMARY KEY, name TEXT NOT NULL, stamp TEXT NOT NULL, ends REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS failure (who TEXT PRIMARY KEY, times INTEGER NOT NULL, last REAL NOT NULL);
"""
#: Failures that are free, then a wait that doubles with each, up to the longest; forgotten after a quiet hour.
FREE_BY_NAME, FREE_BY_ADDRESS = 5, 20
FIRST_WAIT_S, LONGEST_WAIT_S, FORGET_S = 2.0, 300.0, 3600.0


class Sessions:
    """Sessions in a file.

    Parameters
    ----------
    path : Path
        Made where it is not there, readable by its owner alone.
    hours : float
        How long a session lasts.
    now : callable, optional
        Clock, s; tests take their own.
    """

    def __init__(self, path: Path, *, hours: float = 12.0, now: Callable[[], float] = time.time) -> None:
        self.path, self.hours, self._now = path, hours, now
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"cannot keep sessions in {path}: {error.strerror or error}") from error
        with self._base() as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.executescript(_SCHEMA)

    @contextmanager
    def _base(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=10)) as base, base:
                yield base
        except sqlite3.Error as error:
            raise StoreError(f"sessions in {self.path}: {error}; remove the file, and all sign in again") from error

    def begin(self, name: str, stamp: str) -> str:
        """A new session; returns what the browser holds."""
        token = secrets.token_urlsafe(32)
        now = self._now()
        with self._base() as base:
            base.execute("DELETE FROM session WHERE ends < ?", (now,))
            base.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?)", (_hidden(token), name, stamp, now + 3600 * self.hours)
            )
        return token

    def read(self, token: str) -> tuple[str, str] | None:
        """Name and stamp of a session that has not ended; None for anything else."""
        if not token or len(token) > 100:
            return None
        with self._base() as base:
            row = base.execute(
                "SELECT name, stamp FROM session WHERE token = ? AND ends >= ?", (_hidden(token), self._now())
            ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def end(self, token: str) -> None:
        """Forget a session; nothing happens where there is none."""
        if token and len(token) <= 100:
            with self._base() as base:
                base.execute("DELETE FROM session WHERE token = ?", (_hidden(token),))

    def wait_s(self, name: str, address: str) -> float:
        """Seconds until this name, from this address, may try again."""
        with self._base() as base:
            rows = base.execute("SELECT who, times, last FROM failure WHERE who IN (?, ?)", _keys(name, address))
            return max((self._left(*row) for row in rows), default=0.0)

    def failed(self, name: str, address: str) -> None:
        """Count a failure for the name and for the address."""
        now = self._now()
        with self._base() as base:
            base.execute("DELETE FROM failure WHERE last < ?", (now - FORGET_S,))
            for who in _keys(name, address):
                base.execute(
                    "INSERT INTO failure VALUES (?, 1, ?) ON CONFLICT (who) DO UPDATE SET times = times + 1, last = ?",
                    (who, now, now),
                )

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name; those of an address stay: who knows one password may try for another."""
        with self._base() as base:
            base.execute("DELETE FROM failure WHERE who = ?", (_keys(name, "")[0],))

    def _left(self, who: str, times: int, last: float) -> float:
        over = times - (FREE_BY_NAME if who.startswith("name:") else FREE_BY_ADDRESS)
        if over < 0:
            return 0.0
        return max(0.0, last + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(over, 20)) - self._now())


def _hidden(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _keys(name: str, address: str) -> tuple[str, str]:
    """A network of IPv6 counts as one address: one person has as many as they like."""
    parts = address.split(":")
    return f"name:{name[:64]}", "address:" + (":".join(parts[:4]) if len(parts) > 2 else address)
