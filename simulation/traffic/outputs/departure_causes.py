"""What each departure from a queue waited for: the rule of the model that set its instant.

The discharge of the link itself (one headway after the vehicle ahead), its red light, the capacity of the link entered
(one headway after whoever entered last, from any side), a full link ahead (the backward wave of the vehicle that made
room), or the junction (priority, gaps, node capacity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays, make_links
from simulation.traffic.outputs.queues import QueuePeriod, longest_queue
from simulation.traffic.outputs.stays import Stays

#: What a departure may have waited for.
CAUSES = ("discharge", "red", "inflow", "downstream", "junction")
DISCHARGE, RED, INFLOW, DOWNSTREAM, JUNCTION = range(5)
TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class Departures:
    """Departures of one link from a queue, in order. Shape (k,) each."""

    exit_s: np.ndarray
    gap_s: np.ndarray  # since it could have left if nothing but the vehicle ahead had held it
    cause: np.ndarray  # position in CAUSES
    into: np.ndarray  # link entered, below 0 where the trip ended

    def shares(self) -> np.ndarray:
        """Share of the service time by cause; all 0 where nobody left. Shape (5,)."""
        time = np.bincount(self.cause, weights=self.gap_s, minlength=len(CAUSES))
        return time / time.sum() if time.sum() > 0 else time

    def held_by(self, cause: int) -> tuple[np.ndarray, np.ndarray]:
        """Links entered by those that waited for a cause, and the share of all service time spent so."""
        rows = (self.cause == cause) & (self.into >= 0)
        links, place = np.unique(self.into[rows], return_inverse=True)
        return links, np.bincount(place, weights=self.gap_s[rows], minlength=links.size) / max(self.gap_s.sum(), 1e-12)


class LoggedNetwork:
    """A log by link, with the rules that a departure may have waited for."""

    def __init__(self, log: EntryLog, arrays: LinkArrays) -> None:
        self.arrays = arrays
        links = make_links(arrays)
        self.free_s = np.array(links["free_time"])
        self.drop = np.array(links["drop"])
        self.headway_s, self.headway_in_s = np.array(links["headway"]), np.array(links["headway_in"])
        self.wave_s, self.storage = np.array(links["wave_time"]), np.array(links["storage"], dtype=np.int64)
        self.stays = Stays.of(log, n_links=self.free_s.size)
        self._rows, self._start = self.stays.by_link(self.free_s.size)
        self._periods: dict[int, QueuePeriod | None] = {}
        self._departures: dict[int, Departures] = {}

    def rows(self, link: int) -> np.ndarray:
        """Stays on a link, in order of entry."""
        return self._rows[self._start[link] : self._start[link + 1]]

    def period(self, link: int) -> QueuePeriod | None:
        """The link's longest queue."""
        if link not in self._periods:
            entry_s, exit_s = (column[self.rows(link)] for column in (self.stays.entry_s, self.stays.exit_s))
            self._periods[link] = longest_queue(entry_s, exit_s, float(self.free_s[link]))
        return self._periods[link]

    def departures(self, link: int) -> Departures:
        """What each departure within the link's longest queue waited for; none where nobody waited."""
        if link not in self._departures:
            period = self.period(link)
            nobody = QueuePeriod(np.inf, np.inf, -np.inf, 0, 0)
            self._departures[link] = self._within(link, nobody if period is None else period)
        return self._departures[link]

    def _within(self, link: int, period: QueuePeriod) -> Departures:
        rows = self.rows(link)
        rows = rows[np.isfinite(self.stays.exit_s[rows])]
        rows = rows[np.argsort(self.stays.exit_s[rows], kind="stable")]
        leave = self.stays.exit_s[rows]
        ahead = np.concatenate([[-np.inf], leave[:-1]])
        ready = np.maximum(self.stays.entry_s[rows] + self.free_s[link], ahead)
        lanes = max(round(float(self.arrays.lanes[link])), 1)
        abreast = np.concatenate([np.full(min(lanes, leave.size), -np.inf), leave[:-lanes]])[: leave.size]
        headway = float(self.headway_s[link] * self.drop[link]) + TOLERANCE_S
        own = (leave - ahead <= headway) | (leave - abreast <= lanes * headway)
        cause = np.full(leave.size, JUNCTION)
        into = self.stays.into[rows].astype(np.int64)
        for target in np.unique(into[into >= 0]):
            at = np.flatnonzero(into == target)
            cause[at] = self._entering(int(target), leave[at])
        cause[self._green_begins(link, leave)] = RED
        cause[own] = DISCHARGE
        held = (leave > self.stays.entry_s[rows] + self.free_s[link] + TOLERANCE_S) & (leave >= period.begin_s)
        held &= leave <= period.end_s
        return Departures(leave[held], (leave - ready)[held], cause[held], into[held])

    def _entering(self, target: int, at_s: np.ndarray) -> np.ndarray:
        """Which rule of the link entered set these instants: INFLOW, DOWNSTREAM, or neither (JUNCTION)."""
        rows = self.rows(target)
        entries, exits = self.stays.entry_s[rows], np.sort(self.stays.exit_s[rows])
        place = np.searchsorted(entries, at_s, side="left")
        before = np.where(place > 0, entries[np.maximum(place - 1, 0)], -np.inf)
        storage = int(self.storage[target])
        freed = np.where(place >= storage, exits[np.maximum(place - storage, 0)], -np.inf)
        full = at_s - freed - self.wave_s[target] <= TOLERANCE_S + self.wave_s[target] / storage  # to one vehicle
        inflow = at_s - before <= self.headway_in_s[target] * self.drop[target] + TOLERANCE_S
        return np.select([inflow, full], [INFLOW, DOWNSTREAM], JUNCTION)

    def _green_begins(self, link: int, at_s: np.ndarray) -> np.ndarray:
        cycle = float(self.arrays.cycle_s[link])
        if cycle <= 0.0 or self.arrays.green_s[link] >= cycle:
            return np.zeros(at_s.size, dtype=bool)
        into_green = (at_s - float(self.arrays.green_start_s[link])) % cycle
        return np.minimum(into_green, cycle - into_green) <= 10 * TOLERANCE_S
