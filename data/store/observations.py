"""Observations of a workspace: readings of real sensors, append-only, in parts by day, with where the sensors stand.

A batch is what one file or message brought: its parts are written first, its note `batches/<id>.json` last, and a
reader looks only at parts that a note names. So a kill midway leaves what was there, and the same batch again changes
nothing. Later batches correct earlier ones, value by value.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import StoreError
from data.schemas import OBSERVATIONS, OBSERVED_QUANTITIES, SENSOR_PLACES, empty, validate
from data.store.formats import OBSERVED, check_format
from data.store.protocol import SharedStore

#: With fewer readings a day a batch is kept by month, so that years of hourly data are dozens of files, not thousands.
_BY_MONTH_BELOW = 5_000
_PLACES = "places.parquet"


class Observations:
    """Readings in a `Store`, such as a workspace's `observations`."""

    def __init__(self, store: SharedStore) -> None:
        self.store = store

    def append(self, table: pd.DataFrame, *, source: Mapping[str, Any] | None = None) -> tuple[str, bool]:
        """Add a batch.

        Parameters
        ----------
        table : DataFrame
            `data.schemas.OBSERVATIONS`.
        source : mapping, optional
            Where it came from, as JSON values; not part of what it is.

        Returns
        -------
        tuple of (str, bool)
            The batch's id, and whether it is new.

        Raises
        ------
        SchemaError
            If the table breaks its schema.
        StoreError
            If it cannot be written; nothing of it is read then.
        """
        table = validate(table, OBSERVATIONS).sort_values(["sensor_id", "time"], ignore_index=True)
        with self.store.lock():  # the order of batches says which one corrects which
            return self._append(table, dict(source or {}))

    def _append(self, table: pd.DataFrame, source: dict[str, Any]) -> tuple[str, bool]:
        digest = table_digest(table)
        notes = self.batches()
        for note in notes:
            if note["digest"] == digest:
                return str(note["id"]), False
        last = max((int(str(note["id"]).partition("-")[0]) for note in notes), default=0)
        batch = f"{last + 1:06d}-{digest[:12]}"
        days = table["time"].dt.strftime("%Y-%m-%d")
        n_days = days.nunique()
        if n_days >= 2 and len(table) < _BY_MONTH_BELOW * n_days:
            days = table["time"].dt.strftime("%Y-%m")
        parts = []
        for day, rows in table.groupby(days.to_numpy(), sort=True):
            key = f"{day}/{batch}.parquet"
            self.store.put(key, _bytes(rows.reset_index(drop=True)))
            parts.append(
                {"key": key, "rows": len(rows), "first": str(rows["time"].min()), "last": str(rows["time"].max())}
            )
        note = {
            "id": batch, "digest": digest, "rows": len(table), "parts": parts, "source": source,
            "format_version": OBSERVED, "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        self.store.put(f"batches/{batch}.json", json.dumps(note, indent=1, sort_keys=True, default=str).encode())
        return batch, True

    def batches(self) -> list[dict[str, Any]]:
        """Notes of all whole batches, oldest first.

        Raises
        ------
        StoreError
            If a note is damaged.
        """
        notes = []
        for key in self.store.list("batches/"):
            try:
                note = json.loads(self.store.get(key))
                notes.append({name: note[name] for name in ("id", "digest", "rows", "parts", "source")})
                int(str(note["id"]).partition("-")[0])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise StoreError(
                    f"observations/{key} is damaged ({error}); 'zonewise doctor --repair' moves it aside, then import"
                    " its file again"
                ) from error
            check_format(note.get("format_version"), OBSERVED, f"observations/{key}")
        return notes

    def digest(self) -> str:
        """What all observations are, in 16 hex digits: pins them in a run's specification."""
        text = "\n".join(str(note["digest"]) for note in self.batches())
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(
        self,
        since: pd.Timestamp | None = None,
        until: pd.Timestamp | None = None,
        *,
        columns: Sequence[str] | None = None,
        sensors: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Readings with `since` <= time < `until`, by sensor and time; of a value that came twice the later batch's.

        Parameters
        ----------
        since, until : Timestamp or None
            UTC.
        columns : sequence of str or None
            Quantities to read, besides `sensor_id` and `time`; None for all. Others are not taken from the files.
        sensors : sequence of str or None
            Ids of the sensors to read; None for all.

        Raises
        ------
        StoreError
            If a part is missing or damaged.
        """
        found = []
        for note in self.batches() if sensors is None or len(sensors) else ():
            for part in note["parts"]:
                if (until is not None and pd.Timestamp(part["first"]) >= until) or (
                    since is not None and pd.Timestamp(part["last"]) < since
                ):
                    continue
                try:
                    found.append(_part(self.store.get(part["key"]), columns, sensors))
                except (KeyError, OSError, ValueError, TypeError, pa.ArrowException) as error:
                    raise StoreError(
                        f"observations/{part['key']} is missing or damaged ({error}); 'zonewise doctor --repair' moves"
                        f" batch {note['id']} aside, then import its file again"
                    ) from error
        if not found:
            return empty(OBSERVATIONS, columns=["sensor_id", "time"])
        table = pd.concat(found, ignore_index=True)
        inside = np.ones(len(table), dtype=bool)
        if since is not None:
            inside &= (table["time"] >= since).to_numpy()
        if until is not None:
            inside &= (table["time"] < until).to_numpy()
        table = table[inside]
        keys = ["sensor_id", "time"]
        twice = table.duplicated(keys, keep=False).to_numpy()
        if twice.any():
            merged = table[twice].groupby(keys, as_index=False, sort=False).last()  # the last that is no gap
            table = pd.concat([table[~twice], merged], ignore_index=True)
        order = [*keys, *(q for q in (*OBSERVED_QUANTITIES, "fault") if q in table)]
        return validate(table[order].sort_values(keys, ignore_index=True), OBSERVATIONS)

    def chunks(
        self,
        days: int = 31,
        *,
        since: pd.Timestamp | None = None,
        until: pd.Timestamp | None = None,
        columns: Sequence[str] | None = None,
        sensors: Sequence[str] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Readings in turns of so many days, so that no more than a turn's are held at once; empty turns are left out.

        A value that came twice is the later batch's, as in `read`: what `read` gives is what the turns hold together.

        Parameters
        ----------
        days : int
            Length of a turn.
        since, until, columns, sensors
            As `read`.
        """
        span = self.span()
        if span is None:
            return
        at = span[0] if since is None else max(span[0], since)
        end = span[1] + pd.Timedelta(1, unit="us") if until is None else until
        while at < end:
            after = min(at + pd.Timedelta(days=days), end)
            table = self.read(at, after, columns=columns, sensors=sensors)
            if len(table):
                yield table
            at = after

    def span(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """First and last time of all readings; None where there is none."""
        parts = [part for note in self.batches() for part in note["parts"]]
        if not parts:
            return None
        return min(pd.Timestamp(p["first"]) for p in parts), max(pd.Timestamp(p["last"]) for p in parts)

    def places(self) -> pd.DataFrame:
        """Where the sensors stand; empty where nothing was imported."""
        try:
            return pd.read_parquet(io.BytesIO(self.store.get(_PLACES)))
        except KeyError:
            return empty(SENSOR_PLACES)
        except (OSError, ValueError, TypeError, pa.ArrowException) as error:
            raise StoreError(
                f"observations/{_PLACES} is damaged ({error}); 'zonewise doctor --repair' moves it aside, then import"
                " the files again"
            ) from error

    def put_places(self, places: pd.DataFrame) -> None:
        """Replace the table of places."""
        self.store.put(_PLACES, _bytes(validate(places, SENSOR_PLACES)))


def joined_places(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Places of both; the new one's of a sensor that is in both."""
    if old.empty:
        return new.reset_index(drop=True)
    kept = old[~old["sensor_id"].isin(set(new["sensor_id"]))]
    return pd.concat([kept, new], ignore_index=True).sort_values("sensor_id", ignore_index=True)


def table_digest(table: pd.DataFrame) -> str:
    """SHA-256 of a table's values, whatever file it came from."""
    text = hashlib.sha256("\t".join(table.columns).encode())
    text.update(np.ascontiguousarray(pd.util.hash_pandas_object(table, index=False).to_numpy()).tobytes())
    return text.hexdigest()


def _part(content: bytes, columns: Sequence[str] | None, sensors: Sequence[str] | None) -> pd.DataFrame:
    """A part's rows of some sensors and columns; a column that it lacks is left out."""
    file = io.BytesIO(content)
    wanted = None
    if columns is not None:
        there = pq.read_schema(file).names
        wanted = [name for name in ("sensor_id", "time", *columns) if name in there]
    rows = None if sensors is None else [("sensor_id", "in", list(sensors))]
    table: pd.DataFrame = pd.read_parquet(file, columns=wanted, filters=rows)
    return table


def _bytes(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file, index=False, compression="zstd")
    return file.getvalue()
