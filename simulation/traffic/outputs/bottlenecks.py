"""Bottlenecks: the worst queues, what each one waited for, and the capacity that its demand exceeded.

Each departure from a queue is put down to the rule of the model that set its instant: the discharge of the link
itself (one headway after the vehicle ahead), its red light, the capacity of the link that it entered (one headway after
whoever entered last, from any side), a full link ahead (the backward wave of the vehicle that made room), or the
junction (priority, gaps, node capacity). A queue before a full link is no bottleneck of its own: its root is found by
following the queue downstream to the first link that waited for something else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays, make_links
from simulation.traffic.outputs.queues import QueuePeriod, link_delays, longest_queue
from simulation.traffic.outputs.stays import Stays

#: What a departure may have waited for, in the order in which equal instants are decided.
CAUSES = ("discharge", "red", "inflow", "downstream", "junction")
DISCHARGE, RED, INFLOW, DOWNSTREAM, JUNCTION = range(5)
_TOLERANCE_S = 1e-6
_MAX_CHAIN = 1000  # links of a queue that is followed downstream
COLUMNS = (
    "link_id", "delay_veh_h", "queue_veh", "begin_s", "peak_s", "end_s", *(f"share_{name}" for name in CAUSES),
    "binding", "root_link_id", "root_binding", "demand_veh_per_h", "capacity_veh_per_h", "demand_over_capacity",
)  # fmt: skip


def worst_queues(log: EntryLog, arrays: LinkArrays, *, count: int = 10, until_s: float | None = None) -> pd.DataFrame:
    """The links on which most time was lost, and why.

    Parameters
    ----------
    log : EntryLog
        Of a whole run, from the first vehicle on.
    arrays : LinkArrays
        The links as they were in the run; queues of links that were changed in it may be put down to the wrong cause.
    count : int
        Number of links, at most.
    until_s : float, optional
        End of the run, s; default the last row of the log.

    Returns
    -------
    DataFrame
        Longest delay first: `link_id`; `delay_veh_h` over the run; `queue_veh`, `begin_s`, `peak_s`, `end_s` of its
        longest queue (`end_s` inf where it lasts); `share_*` of the queue's service time by cause; `binding`, the
        largest; `root_link_id` and `root_binding`, where the queue begins. `demand_veh_per_h` is what reached the root
        while its queue grew, `capacity_veh_per_h` what the binding constraint lets pass (discharge times the share of
        green; the capacity of the link entered; at a junction, what did pass), and their ratio.
    """
    known = _Network(log, arrays)
    delay = link_delays(known.stays, free_time_s=known.free_s, until_s=log.end_s if until_s is None else until_s)
    worst = np.lexsort((np.arange(delay.size), -delay))[:count]
    rows = [known.describe(int(link), float(delay[link])) for link in worst if delay[link] > _TOLERANCE_S]
    return pd.DataFrame([row for row in rows if row], columns=list(COLUMNS))


@dataclass(frozen=True, slots=True)
class Departures:
    """Departures of one link from a queue, in order. Shape (k,) each."""

    exit_s: np.ndarray
    gap_s: np.ndarray  # since it could have left if nothing but the vehicle ahead had held it
    cause: np.ndarray  # position in CAUSES
    into: np.ndarray  # link entered, below 0 where the trip ended


class _Network:
    """A log by link, with the rules that a departure may have waited for."""

    def __init__(self, log: EntryLog, arrays: LinkArrays) -> None:
        self.arrays = arrays
        links = make_links(arrays)
        self.free_s = np.array(links["free_time"])
        self.headway_s = 1.0 / arrays.discharge_veh_per_s
        self.headway_in_s = 1.0 / arrays.capacity_veh_per_s
        jam, capacity, speed = arrays.jam_density_veh_per_m, arrays.capacity_veh_per_s, arrays.speed_mps
        self.wave_s = arrays.length_m * (jam - capacity / speed) / capacity
        self.storage = np.array(links["storage"], dtype=np.int64)
        self.stays = Stays.of(log, n_links=self.free_s.size)
        self._rows, self._start = self.stays.by_link(self.free_s.size)

    def rows(self, link: int) -> np.ndarray:
        """Stays on a link, in order of entry."""
        return self._rows[self._start[link] : self._start[link + 1]]

    def describe(self, link: int, delay_s: float) -> dict[str, object] | None:
        """One row of `worst_queues`."""
        period = self.period(link)
        if period is None:
            return None
        share = self.shares(link, period)
        root, root_period, binding = self.root(link, period)
        demand, capacity = self.load(root, root_period, binding)
        told = (
            link, delay_s / 3600.0, period.queue_veh, period.begin_s, period.peak_s, period.end_s, *share,
            CAUSES[int(np.argmax(share))], root, CAUSES[binding], 3600.0 * demand, 3600.0 * capacity,
            demand / capacity if capacity > 0 else np.inf,
        )  # fmt: skip
        return dict(zip(COLUMNS, told))

    def period(self, link: int) -> QueuePeriod | None:
        """The link's longest queue."""
        rows = self.rows(link)
        return longest_queue(self.stays.entry_s[rows], self.stays.exit_s[rows], float(self.free_s[link]))

    def departures(self, link: int, period: QueuePeriod) -> Departures:
        """What each departure within a period waited for."""
        rows = self.rows(link)
        rows = rows[np.isfinite(self.stays.exit_s[rows])]
        rows = rows[np.argsort(self.stays.exit_s[rows], kind="stable")]
        leave = self.stays.exit_s[rows]
        ahead = np.concatenate([[-np.inf], leave[:-1]])
        ready = np.maximum(self.stays.entry_s[rows] + self.free_s[link], ahead)
        lanes = max(round(float(self.arrays.lanes[link])), 1)
        abreast = np.concatenate([np.full(min(lanes, leave.size), -np.inf), leave[:-lanes]])[: leave.size]
        headway = float(self.headway_s[link])
        own = (leave - ahead <= headway + _TOLERANCE_S) | (leave - abreast <= lanes * headway + _TOLERANCE_S)
        cause = np.full(leave.size, JUNCTION)
        into = self.stays.into[rows].astype(np.int64)
        for target in np.unique(into[into >= 0]):
            at = np.flatnonzero(into == target)
            cause[at] = self._entering(int(target), leave[at])
        cause[self._green_begins(link, leave)] = RED
        cause[own] = DISCHARGE
        held = (leave > self.stays.entry_s[rows] + self.free_s[link] + _TOLERANCE_S) & (leave >= period.begin_s)
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
        # storages are whole vehicles: an engine that rounds otherwise is off by one headway of the backward wave
        full = at_s - freed - self.wave_s[target] <= _TOLERANCE_S + self.wave_s[target] / storage
        inflow = at_s - before <= self.headway_in_s[target] + _TOLERANCE_S
        return np.select([inflow, full], [INFLOW, DOWNSTREAM], JUNCTION)

    def _green_begins(self, link: int, at_s: np.ndarray) -> np.ndarray:
        cycle = float(self.arrays.cycle_s[link])
        if cycle <= 0.0 or self.arrays.green_s[link] >= cycle:
            return np.zeros(at_s.size, dtype=bool)
        into_green = (at_s - float(self.arrays.green_start_s[link])) % cycle
        return np.minimum(into_green, cycle - into_green) <= 10 * _TOLERANCE_S

    def shares(self, link: int, period: QueuePeriod) -> np.ndarray:
        """Share of the queue's service time by cause. Shape (5,)."""
        gone = self.departures(link, period)
        time = np.bincount(gone.cause, weights=gone.gap_s, minlength=len(CAUSES))
        if time.sum() <= 0.0:  # nobody has left yet: whatever it is, it is ahead
            time[DOWNSTREAM if self.arrays.cycle_s[link] <= 0 else RED] = 1.0
        return time / time.sum()

    def root(self, link: int, period: QueuePeriod) -> tuple[int, QueuePeriod, int]:
        """Where a queue begins: the first link downstream that waits for something else than a full link."""
        seen = {link}
        while True:
            binding = int(np.argmax(self.shares(link, period)))
            if binding != DOWNSTREAM or len(seen) > _MAX_CHAIN:
                return link, period, binding
            gone = self.departures(link, period)
            full = (gone.cause == DOWNSTREAM) & (gone.into >= 0)
            if not full.any():
                return link, period, binding
            ahead = int(np.argmax(np.bincount(gone.into[full], weights=gone.gap_s[full])))
            further = self.period(ahead)
            if ahead in seen or further is None:
                return link, period, binding
            seen.add(ahead)
            link, period = ahead, further

    def load(self, link: int, period: QueuePeriod, binding: int) -> tuple[float, float]:
        """What reached a queue while it grew, and what the binding constraint lets pass, veh/s."""
        span = max(period.peak_s - period.begin_s, _TOLERANCE_S)
        cycle, green = float(self.arrays.cycle_s[link]), float(self.arrays.green_s[link])
        if binding in (DISCHARGE, RED):
            share = min(green / cycle, 1.0) if cycle > 0.0 else 1.0
            return period.arrived_veh / span, float(self.arrays.discharge_veh_per_s[link]) * share
        gone = self.departures(link, period)
        if binding == INFLOW:
            entered = gone.into[(gone.cause == INFLOW) & (gone.into >= 0)]
            target = int(np.argmax(np.bincount(entered)))
            return self._demand_on(target, period), float(self.arrays.capacity_veh_per_s[target])
        return period.arrived_veh / span, (period.arrived_veh - period.queue_veh) / span

    def _demand_on(self, target: int, period: QueuePeriod) -> float:
        """Vehicles that would have entered a link from begin to peak had nothing held them at its start, veh/s."""

        def within(at_s: np.ndarray) -> int:
            return int(np.count_nonzero((at_s >= period.begin_s) & (at_s <= period.peak_s)))

        into = np.flatnonzero(self.stays.into == target)
        due = self.stays.entry_s[into] + self.free_s[self.stays.link[into]]
        from_gates = within(self.stays.entry_s[self.rows(target)]) - within(self.stays.exit_s[into])
        return (within(due) + from_gates) / max(period.peak_s - period.begin_s, _TOLERANCE_S)
