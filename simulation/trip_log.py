"""A run's trips and their entry log, on request: who departed when, and which link each entered when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.layout import NONE
from simulation.traffic.outputs.carried_kernels import standing

if TYPE_CHECKING:
    from simulation.demand.trips import DayTrips

COLUMNS = ("trip", "depart_s", "origin_link_id", "dest_link_id", "vehicle_class")


class TripLog:
    """Collects the trips of one run.

    Vehicles that are on the road when the run begins have their entry into the link where they are then, at its true
    instant before the beginning; so the log tells of every vehicle that was there.

    Parameters
    ----------
    engine : TrafficEngine
        At the beginning of the run, with its log on.
    dest_link : ndarray of int64
        Link of each destination of the route table.
    """

    def __init__(self, engine: TrafficEngine, dest_link: np.ndarray) -> None:
        self.engine = engine
        trips = engine.v.trips
        here = np.flatnonzero(trips["origin"] != NONE)
        here = here[np.argsort(trips["number"][here], kind="stable")]
        dest = trips["dest"][here].astype(np.int64)
        self._number = [trips["number"][here].astype(np.int64)]
        self._parts = [
            _table(trips["depart"][here], np.full(here.size, NONE), np.where(dest >= 0, dest_link[dest], NONE),
                   trips["vehicle_class"][here])
        ]  # fmt: skip
        row, link, since = standing(engine.v)
        order = np.lexsort((trips["number"][row], since))
        self._opening = EntryLog(trips["number"][row][order], link[order], since[order])

    def add(self, released: Trips, trips: DayTrips) -> None:
        """Note trips that have just been released."""
        last = self.engine.released
        self._number.append(np.arange(last - len(released), last))
        self._parts.append(_table(released.depart_s, trips.origin_link, trips.dest_link, released.vehicle_class))

    def drop(self, taken: int) -> None:
        """Forget the last trips, which were taken back before they departed."""
        if taken:
            self._number[-1], self._parts[-1] = self._number[-1][:-taken], self._parts[-1].iloc[:-taken]

    def tables(self) -> tuple[pd.DataFrame, EntryLog]:
        """Trips and log; a trip of the log is a row of the table.

        Returns
        -------
        trips : DataFrame
            `trip` (0..k-1), `depart_s` of the run's clock, `origin_link_id` (-1 of those on the road at the beginning),
            `dest_link_id`, `vehicle_class`.
        log : EntryLog
        """
        number = np.concatenate(self._number)
        made = self.engine.entry_log()
        trip, link, time_s = (
            np.concatenate([getattr(self._opening, name), getattr(made, name)]) for name in ("trip", "link", "time_s")
        )
        table = pd.concat(self._parts, ignore_index=True)
        table.insert(0, "trip", np.arange(len(table)))
        return table, EntryLog(np.searchsorted(number, trip), link, time_s)


def _table(depart_s: np.ndarray, origin: np.ndarray, dest: np.ndarray, klass: np.ndarray) -> pd.DataFrame:
    kind = pd.Categorical.from_codes(np.asarray(klass, dtype=np.int64), categories=list(VEHICLE_CLASSES))
    return pd.DataFrame(dict(zip(COLUMNS[1:], (np.array(depart_s), np.array(origin), np.array(dest), kind))))
