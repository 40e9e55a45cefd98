"""The SQLite file that jobs are kept in: its columns, its format, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from data.errors import StoreError
from data.store.formats import check_format

#: Format of the table, `PRAGMA user_version`; 1 knew no users, no queue and no marks of processes, and said 0.
FORMAT = 2
BUSY_S = 20.0  # how long a writer waits for another one

_FIRST = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, params TEXT NOT NULL, state TEXT NOT NULL,
    done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    partial TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '', pid INTEGER, created REAL NOT NULL,
    started REAL, ended REAL, cancel INTEGER NOT NULL DEFAULT 0
)
"""
_SINCE_2 = (
    "owner TEXT NOT NULL DEFAULT ''",  # who asked for it
    "digest TEXT NOT NULL DEFAULT ''",  # of kind and parameters: what is the same job
    "mark TEXT NOT NULL DEFAULT ''",  # the process that holds it
    "token TEXT NOT NULL DEFAULT ''",  # what this holder must show to report and to end it
    "beat REAL",  # when the holder was last heard
    "attempts INTEGER NOT NULL DEFAULT 0",  # how often it was begun
    "wanted INTEGER NOT NULL DEFAULT 0",  # a worker is to be started for it as soon as there is room
    "launched REAL",  # when a worker process was started for it that has not begun yet
    "launches INTEGER NOT NULL DEFAULT 0",
    "interrupted INTEGER NOT NULL DEFAULT 0",  # its process died
)
_SAME = (
    "CREATE UNIQUE INDEX IF NOT EXISTS same_job ON job (digest)"
    " WHERE state IN ('queued', 'running') AND cancel = 0 AND digest <> ''"
)


class UnwritableTableError(StoreError):
    """The table can be looked at, but nothing can be written."""


@contextmanager
def opened(path: Path, *, durable: bool = True, look: bool = False) -> Iterator[sqlite3.Connection]:
    """The table, in a transaction that other writers wait for; committed at the end of the block.

    Parameters
    ----------
    path : Path
        Made where it is not there; an older file is brought to this format first.
    durable : bool
        Flush to disk at the end. Progress need not be.
    look : bool
        Only read: nobody waits.

    Raises
    ------
    StoreError
        If the file is damaged, of a newer release, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as base:
            base.row_factory = sqlite3.Row
            base.execute("PRAGMA journal_mode = WAL")
            base.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if look and base.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
                base.execute("BEGIN")
                yield base
                return
            base.execute("BEGIN IMMEDIATE")
            try:
                migrate(base, str(path))
                yield base
            except BaseException:
                with suppress(sqlite3.Error):
                    base.execute("ROLLBACK")
                raise
            base.execute("COMMIT")
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        words = str(error).lower()
        only_read = isinstance(error, OSError) or "readonly" in words or "unable to open" in words
        raise (UnwritableTableError if only_read else StoreError)(
            f"job table {path}: {error}; check the disk and the folder's permissions. If the file is damaged,"
            " 'zonewise doctor --repair' moves it aside: runs stay, the list of jobs begins anew"
        ) from error


@contextmanager
def only_read(path: Path) -> Iterator[sqlite3.Connection]:
    """The table for a look, also where nothing can be written; an older file is read as if it had been migrated.

    Raises
    ------
    StoreError
        As `opened`; also where there is no such file.
    """
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as disk,
            closing(sqlite3.connect(":memory:", isolation_level=None)) as base,
        ):
            disk.backup(base)
            base.row_factory = sqlite3.Row
            migrate(base, str(path))
            yield base
    except (sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(f"job table {path}: {error}; see 'zonewise doctor'") from error


def migrate(base: sqlite3.Connection, what: str) -> int:
    """Bring a table to this format, and make one where there is none; returns the format it had.

    Raises
    ------
    NewerFormatError
        If a newer release wrote it.
    """
    (found,) = base.execute("PRAGMA user_version").fetchone()
    if found == FORMAT:
        return FORMAT
    check_format(int(found), FORMAT, what)
    base.execute(_FIRST)
    have = {row[1] for row in base.execute("PRAGMA table_info(job)")}
    for column in _SINCE_2:
        if column.split()[0] not in have:
            base.execute(f"ALTER TABLE job ADD COLUMN {column}")
    base.execute(_SAME)
    base.execute(f"PRAGMA user_version = {FORMAT}")
    return int(found)


def check(path: Path) -> list[str]:
    """What is wrong with the file, in words; nothing where it is whole or not there."""
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as base:
            found = [str(row[0]) for row in base.execute("PRAGMA integrity_check(5)")]
            (version,) = base.execute("PRAGMA user_version").fetchone()
            check_format(int(version), FORMAT, str(path))
            for row in base.execute("SELECT name FROM sqlite_master WHERE name = 'job'").fetchall():
                base.execute(f"SELECT * FROM {row[0]}").fetchall()  # text that is none is found in reading alone
    except (sqlite3.Error, StoreError, UnicodeDecodeError) as error:
        return [str(error)]
    return [] if found == ["ok"] else found
