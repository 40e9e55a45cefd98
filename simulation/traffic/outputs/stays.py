"""Stays: who was on which link from when to when, and where to. The entry log turned into one row a traversal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.entry_log_kernels import group_by_trip
from simulation.traffic.network import LinkArrays, make_links
from simulation.traffic.outputs.stay_kernels import leaving

#: `into` of a vehicle that is still on the link when the log ends.
STILL = -3


@dataclass(frozen=True, slots=True)
class Stays:
    """One row a traversal, in order of entry. Shape (s,) each.

    Parameters
    ----------
    trip, link : ndarray of int32
    entry_s, exit_s : ndarray of float64
        s; `exit_s` is inf where the vehicle is still there.
    into : ndarray of int32
        Link entered next; `entry_log.END`, `entry_log.LOST`, or `STILL`.
    """

    trip: np.ndarray
    link: np.ndarray
    entry_s: np.ndarray
    exit_s: np.ndarray
    into: np.ndarray

    @classmethod
    def of(cls, log: EntryLog, *, n_links: int) -> Stays:
        """The stays of a log.

        Raises
        ------
        RunError
            If the log names a link that is not there.
        """
        if len(log) and int(log.link.max()) >= n_links:
            raise RunError(f"the log names link {int(log.link.max())}; the network has links 0 to {n_links - 1}")
        exit_s, into = leaving(log.trip, log.link, log.time_s, log.n_trips)
        on_link = log.link >= 0
        if on_link.all():
            return cls(log.trip, log.link, log.time_s, exit_s, into)
        return cls(*(column[on_link] for column in (log.trip, log.link, log.time_s, exit_s, into)))

    def __len__(self) -> int:
        return int(self.trip.size)

    def take(self, rows: np.ndarray) -> Stays:
        """Some of the stays, in the order given."""
        return Stays(*(getattr(self, name)[rows] for name in self.__slots__))

    def by_link(self, n_links: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows grouped by link, each link's in order of entry: `rows[start[l]:start[l + 1]]` are those of link l."""
        return group_by_trip(self.link, n_links)


def free_flow_times(arrays: LinkArrays) -> np.ndarray:
    """Time over each empty link as the engine counts it, waits at signals left out, s. Shape (n_links,)."""
    return np.array(make_links(arrays)["free_time"])
