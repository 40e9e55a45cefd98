"""The entry log: which trip entered which link when. Everything an analyst takes out of a run follows from it.

One row an entry, in order of time. A vehicle leaves a link at the instant of its trip's next row, so exits are not
stored. A trip that arrives has a last row whose link is `END`, a trip that found no way on one whose link is `LOST`;
a trip without such a row is still on the link of its last row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.traffic.entry_log_kernels import first_fault, following_rows, group_by_trip
from simulation.traffic.paths import Paths

#: `link` of a row that tells that a trip ended: it arrived, or it found no way on.
END, LOST = -2, -1
#: Columns of the log as a table.
COLUMNS = ("trip", "link_id", "time_s")


@dataclass(frozen=True, slots=True)
class EntryLog:
    """Entries of a run, in order of time. Shape (m,) each.

    Parameters
    ----------
    trip : ndarray of int32
        Position of the trip in the order of release, from 0.
    link : ndarray of int32
        Link entered; `END` (-2) where the trip arrived, `LOST` (-1) where it found no way on.
    time_s : ndarray of float64
        Instant, s since the clock's zero.

    Raises
    ------
    RunError
        If the three are not of one length.
    """

    trip: np.ndarray
    link: np.ndarray
    time_s: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in (("trip", np.int32), ("link", np.int32), ("time_s", np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        if not self.trip.shape == self.link.shape == self.time_s.shape or self.trip.ndim != 1:
            raise RunError(
                f"an entry log needs three columns of one length; found trip {self.trip.shape}, link"
                f" {self.link.shape}, time_s {self.time_s.shape}"
            )

    def __len__(self) -> int:
        return int(self.trip.size)

    @property
    def n_trips(self) -> int:
        """One more than the largest trip of the log; trips that never entered a link are not counted beyond it."""
        return int(self.trip.max()) + 1 if self.trip.size else 0

    @property
    def end_s(self) -> float:
        """Instant of the last row, s; nan where the log is empty."""
        return float(self.time_s[-1]) if self.time_s.size else np.nan

    def following(self) -> np.ndarray:
        """Row in which each row's vehicle leaves, -1 where it has none: ended, or still on the link. int64, (m,)."""
        return following_rows(self.trip, self.n_trips)

    @property
    def exits(self) -> np.ndarray:
        """Instant at which each row's vehicle leaves the link, s; nan where it is still there or the trip has ended.

        Made anew at each call: keep it if it is needed twice. Shape (m,).
        """
        after = self.following()
        return np.where(after >= 0, self.time_s[after], np.nan) if len(self) else np.zeros(0)

    def link_times(self) -> np.ndarray:
        """Time that each row's vehicle spends on its link, s; nan as in `exits`. Shape (m,)."""
        return self.exits - self.time_s

    def arrivals(self, n_trips: int | None = None) -> np.ndarray:
        """Instant at which each trip arrived, s; nan where it has not. Shape (n_trips,)."""
        return self._by_trip(self.link == END, n_trips)

    def starts(self, n_trips: int | None = None) -> np.ndarray:
        """Instant at which each trip entered its first link, s; nan where it has not. Shape (n_trips,)."""
        out = np.full(self._size(n_trips), np.nan)
        out[self.trip[::-1]] = self.time_s[::-1]  # the last one written, the earliest, stays
        return out

    def travel_times(self, depart_s: np.ndarray | None = None, n_trips: int | None = None) -> np.ndarray:
        """Time of each trip, s; nan where it has not arrived. Shape (n_trips,).

        Parameters
        ----------
        depart_s : ndarray, shape (n_trips,), optional
            Departures; with them the wait at the gate of the first link counts, without them it does not.
        n_trips : int, optional
            Trips released; default the size of `depart_s`, or those that the log knows.
        """
        if depart_s is None:
            return self.arrivals(n_trips) - self.starts(n_trips)
        return self.arrivals(depart_s.size if n_trips is None else n_trips) - depart_s

    def by_trip(self, n_trips: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows grouped by trip, each trip's in order of time.

        Returns
        -------
        rows : ndarray of int64, shape (m,)
        start : ndarray of int64, shape (n_trips + 1,)
            Rows of trip i: `rows[start[i]:start[i + 1]]`.
        """
        return group_by_trip(self.trip, self._size(n_trips))

    def paths(self, n_trips: int | None = None) -> Paths:
        """Links that each trip entered, in order; ends are left out, and the path of who never entered is empty."""
        driven = np.flatnonzero(self.link >= 0)
        rows, start = group_by_trip(self.trip[driven], self._size(n_trips))
        return Paths(links=self.link[driven[rows]], start=start)

    def between(self, start_s: float, end_s: float) -> EntryLog:
        """Rows with `start_s <= time_s < end_s`, as a view. Vehicles that entered before are not in it."""
        a, b = np.searchsorted(self.time_s, [start_s, end_s], side="left")
        return EntryLog(self.trip[a:b], self.link[a:b], self.time_s[a:b])

    def to_table(self) -> pd.DataFrame:
        """The log as a table with columns `trip`, `link_id`, `time_s`, for a run store."""
        return pd.DataFrame(dict(zip(COLUMNS, (self.trip, self.link, self.time_s))), copy=False)

    @classmethod
    def from_table(cls, table: pd.DataFrame, *, n_links: int | None = None) -> EntryLog:
        """The log that `to_table` told of.

        Parameters
        ----------
        table : DataFrame
            Columns `trip`, `link_id`, `time_s`, in order of time.
        n_links : int, optional
            With it, links outside the network are found.

        Raises
        ------
        RunError
            Naming every fault: columns that are missing, values that are missing, rows out of order, numbers of trips
            or links that cannot be, rows of trips that had ended.
        """
        lacking = [name for name in COLUMNS if name not in table.columns]
        if lacking:
            raise RunError(f"an entry log needs the columns {list(COLUMNS)}; {lacking} missing, found {list(table)}")
        wrong = [name for name in COLUMNS if not pd.api.types.is_numeric_dtype(table[name])]
        gaps = [name for name in COLUMNS if name not in wrong and table[name].isna().any()]
        if wrong or gaps:
            raise RunError(f"an entry log needs numbers in every row; no numbers in {wrong}, missing values in {gaps}")
        log = cls(*(table[name].to_numpy() for name in COLUMNS))
        log.check(n_links=n_links)
        return log

    def check(self, *, n_links: int | None = None) -> None:
        """Raise one `RunError` that names every fault of the log; `from_table` tells which there are."""
        most = np.iinfo(np.int32).max if n_links is None else n_links
        usable = self.trip.size == 0 or int(self.trip.min()) >= 0
        found = first_fault(self.trip, self.link, self.time_s, self.n_trips if usable else 0, most)
        says = (
            "time_s goes back or is not finite; sort the table by time_s, keeping the order of equal times",
            f"link_id is outside {END}..{most - 1}; {END} means arrived, {LOST} lost",
            "trip is below 0",
            "a row of a trip that had ended; a trip ends once",
        )
        faults = [f"row {row}: {text}" for row, text in zip(found, says) if row >= 0]
        if faults:
            raise RunError(f"the entry log of {len(self)} rows is damaged: " + "; ".join(faults))

    def _size(self, n_trips: int | None) -> int:
        if n_trips is not None and n_trips < self.n_trips:
            raise RunError(f"n_trips={n_trips}, but the log holds trip {self.n_trips - 1}")
        return self.n_trips if n_trips is None else n_trips

    def _by_trip(self, chosen: np.ndarray, n_trips: int | None) -> np.ndarray:
        out = np.full(self._size(n_trips), np.nan)
        out[self.trip[chosen]] = self.time_s[chosen]
        return out
