"""Observations of a workspace: readings of real sensors, append-only, in parts by day, with where the sensors stand.

A batch is what one file or message brought: its parts are written first, its note `batches/<id>.json` last, and a
reader looks only at parts that a note names. So a kill midway leaves what was there, and the same batch again changes
nothing. Later batches correct earlier ones, value by value.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from data.errors import StoreError
from data.schemas import OBSERVATIONS, OBSERVED_QUANTITIES, SENSOR_PLACES, empty, validate
from data.store.protocol import Store

#: With fewer readings a day a batch is kept by month, so that years of hourly data are dozens of files, not thousands.
_BY_MONTH_BELOW = 5_000
_PLACES = "places.parquet"


class Observations:
    """Readings in a `Store`, such as a workspace's `observations`."""

    def __init__(self, store: Store) -> None:
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
        digest = table_digest(table)
        notes = self.batches()
        for note in notes:
            if note["digest"] == digest:
                return str(note["id"]), False
        batch = f"{len(notes) + 1:06d}-{digest[:12]}"
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
            "id": batch, "digest": digest, "rows": len(table), "parts": parts, "source": dict(source or {}),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
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
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"observations/{key} is damaged ({error}); remove it and import its file again"
                ) from error
        return notes

    def digest(self) -> str:
        """What all observations are, in 16 hex digits: pins them in a run's specification."""
        text = "\n".join(str(note["digest"]) for note in self.batches())
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, since: pd.Timestamp | None = None, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Readings with `since` <= time < `until`, by sensor and time; of a value that came twice the later batch's.

        Raises
        ------
        StoreError
            If a part is missing or damaged.
        """
        found = []
        for note in self.batches():
            for part in note["parts"]:
                if (until is not None and pd.Timestamp(part["first"]) >= until) or (
                    since is not None and pd.Timestamp(part["last"]) < since
                ):
                    continue
                try:
                    found.append(pd.read_parquet(io.BytesIO(self.store.get(part["key"]))))
                except (KeyError, OSError, ValueError) as error:
                    raise StoreError(
                        f"observations/{part['key']} is missing or damaged ({error}); remove the note"
                        f" observations/batches/{note['id']}.json and import its file again"
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


def _bytes(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file, index=False, compression="zstd")
    return file.getvalue()
