"""Bottlenecks: the worst queues, what each one waited for, and the capacity that its demand exceeded.

A queue before a full link is no bottleneck of its own: its root is looked for on the links that held it up, and on
those that held up these. Of all constraints met there (a stop line with its signal, the entrance of a link, a
junction), the root is the one that demand exceeded most.

Demand is what would have come without any queue: departures shifted by the free-flow times of the ways that were
driven. The excess of a constraint is the longest queue that this demand would have made before it alone, with its
capacity served at a constant rate (a deterministic queue: Newell 1982, Applications of Queueing Theory, chapter 2,
doi:10.1007/978-94-009-5970-5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays
from simulation.traffic.outputs.departure_causes import (
    CAUSES,
    DISCHARGE,
    DOWNSTREAM,
    INFLOW,
    JUNCTION,
    RED,
    TOLERANCE_S,
    LoggedNetwork,
)
from simulation.traffic.outputs.queues import QueuePeriod, link_delays
from simulation.traffic.outputs.stay_kernels import free_arrivals, largest_excess

_MAX_ROOTS = 200  # links that a queue is followed over
_MATTERS = 0.05  # share of a queue's service time from which a cause is followed up
COLUMNS = (
    "link_id", "delay_veh_h", "queue_veh", "begin_s", "peak_s", "end_s", *(f"share_{name}" for name in CAUSES),
    "binding", "root_link_id", "root_binding", "demand_veh_per_h", "capacity_veh_per_h", "demand_over_capacity",
    "excess_veh",
)  # fmt: skip


def worst_queues(
    log: EntryLog,
    arrays: LinkArrays,
    *,
    count: int = 10,
    depart_s: np.ndarray | None = None,
    until_s: float | None = None,
) -> pd.DataFrame:
    """The links on which most time was lost, and why.

    Parameters
    ----------
    log : EntryLog
        Of a whole run, from the first vehicle on.
    arrays : LinkArrays
        The links as they were in the run; queues of links that were changed in it may be put down to the wrong cause.
    count : int
        Number of links, at most.
    depart_s : ndarray, shape (n_trips,), optional
        When each trip wanted to start, s; default when it entered its first link, which hides what waits at gates.
    until_s : float, optional
        End of the run, s; default the last row of the log.

    Returns
    -------
    DataFrame
        Longest delay first: `link_id`; `delay_veh_h` over the run; `queue_veh`, `begin_s`, `peak_s`, `end_s` of its
        longest queue (`end_s` inf where it lasts); `share_*` of that queue's service time by cause
        (`departure_causes`); `binding`, the largest. `root_link_id` and `root_binding`: the link where the constraint
        is (for `inflow`, the link entered) and its kind. `demand_veh_per_h` over the time in which the excess built up,
        `capacity_veh_per_h` (discharge times the share of green; capacity of the link entered; of the junction; of a
        stream that gives way, by Harders 1968), their ratio, and `excess_veh`. A ratio below 1 says that no capacity
        was exceeded for long: the queue comes from the rhythm of arrivals, or of a signal.

    Raises
    ------
    RunError
        If `depart_s` is shorter than the log's trips.
    """
    search = _Search(log, arrays, depart_s)
    known = search.known
    delay = link_delays(known.stays, free_time_s=known.free_s, until_s=log.end_s if until_s is None else until_s)
    worst = np.lexsort((np.arange(delay.size), -delay))[:count]
    rows = [search.describe(int(link), float(delay[link])) for link in worst if delay[link] > TOLERANCE_S]
    return pd.DataFrame([row for row in rows if row], columns=list(COLUMNS))


@dataclass(frozen=True, slots=True)
class Load:
    """A constraint with the demand on it."""

    link: int
    kind: int  # position in CAUSES
    demand: float  # veh/s
    capacity: float  # veh/s
    excess: float  # veh


class _Search:
    """Looks for the constraint behind a queue."""

    def __init__(self, log: EntryLog, arrays: LinkArrays, depart_s: np.ndarray | None) -> None:
        self.known, self.arrays = LoggedNetwork(log, arrays), arrays
        if depart_s is not None and depart_s.size < log.n_trips:
            raise RunError(f"depart_s names {depart_s.size} trips, the log {log.n_trips}")
        begun = np.full(log.n_trips, np.nan) if depart_s is None else np.array(depart_s, dtype=float)
        stays = self.known.stays
        self.due = free_arrivals(stays.trip, stays.link, begun, stays.entry_s, self.known.free_s)
        self._loads: dict[tuple[int, int], Load] = {}

    def describe(self, link: int, delay_s: float) -> dict[str, object] | None:
        """One row of `worst_queues`."""
        period = self.known.period(link)
        if period is None:
            return None
        share = self.known.departures(link).shares()
        if not share.any():  # nobody has left yet: whatever it is, it is ahead
            share[RED if self.arrays.cycle_s[link] > 0 else DOWNSTREAM] = 1.0
        root = max(self.constraints(link, period), key=lambda load: load.excess)
        told = (
            link, delay_s / 3600.0, period.queue_veh, period.begin_s, period.peak_s, period.end_s, *share,
            CAUSES[int(np.argmax(share))], root.link, CAUSES[root.kind], 3600.0 * root.demand, 3600.0 * root.capacity,
            root.demand / root.capacity, root.excess,
        )  # fmt: skip
        return dict(zip(COLUMNS, told))

    def constraints(self, link: int, period: QueuePeriod) -> Iterator[Load]:
        """The constraints of a link with a queue, and of those that held it up."""
        found, waiting = {link}, [(link, period)]
        while waiting:
            at, when = waiting.pop(0)
            gone = self.known.departures(at)
            yield self.stop_line(at)
            for target, share in zip(*gone.held_by(INFLOW)):
                if share >= _MATTERS:
                    yield self.entrance(int(target))
            if gone.shares()[JUNCTION] >= _MATTERS:
                yield from self.junction(at, when)
            for target, share in zip(*gone.held_by(DOWNSTREAM)):
                further = self.known.period(int(target)) if share >= _MATTERS and target not in found else None
                if further is not None and len(found) < _MAX_ROOTS:
                    found.add(int(target))
                    waiting.append((int(target), further))

    def stop_line(self, link: int) -> Load:
        """The end of a link: its discharge in its share of green."""
        cycle, green = float(self.arrays.cycle_s[link]), float(self.arrays.green_s[link])
        share = min(green / cycle, 1.0) if cycle > 0.0 else 1.0
        capacity = float(self.arrays.discharge_veh_per_s[link]) * share
        return self._load(link, DISCHARGE if share == 1.0 else RED, self.known.rows(link), 0.0, capacity)

    def entrance(self, link: int) -> Load:
        """The start of a link: its own capacity, for all who enter it."""
        capacity = float(self.arrays.capacity_veh_per_s[link])
        return self._load(link, INFLOW, self.known.rows(link), float(self.known.free_s[link]), capacity)

    def junction(self, link: int, period: QueuePeriod) -> Iterator[Load]:
        """The junction at the end of a link: its capacity, and that of a stream that gives way there.

        A stream that crosses a flow q in gaps of t_c or more, one vehicle in t_f, has the capacity
        q exp(-q t_c) / (1 - exp(-q t_f)) (Harders 1968, Strassenbau und Strassenverkehrstechnik 76).
        """
        rules = self.arrays.junctions
        if rules is None:
            return
        node = int(rules.node[link])
        if node >= 0:
            rows = np.concatenate([self.known.rows(int(a)) for a in np.flatnonzero(rules.node == node)])
            yield self._load(link, JUNCTION, rows, 0.0, 1.0 / float(rules.node_headway_s[node]))
        first = rules.yield_to[rules.yield_start[link] : rules.yield_start[link + 1]]
        end = min(period.end_s, float(self.known.stays.entry_s[-1]))
        if first.size and end > period.begin_s:
            leave = np.concatenate([self.known.stays.exit_s[self.known.rows(int(a))] for a in first])
            q = np.count_nonzero((leave >= period.begin_s) & (leave < end)) / (end - period.begin_s)
            follow, gap = float(self.known.headway_s[link]), float(rules.critical_gap_s[link])
            capacity = q * np.exp(-q * gap) / -np.expm1(-q * follow) if q > 0 else 1.0 / follow
            yield self._load(link, JUNCTION, self.known.rows(link), 0.0, float(max(capacity, 1e-9)), keep=False)

    def _load(
        self, link: int, kind: int, rows: np.ndarray, before_s: float, capacity: float, keep: bool = True
    ) -> Load:
        """Demand of some stays on a constraint that they meet so long before the end of their link."""
        if keep and (link, kind) in self._loads:
            return self._loads[link, kind]
        times = np.sort(self.due[rows]) - before_s
        excess, first, last = largest_excess(times, capacity)
        n = last - first + 1
        demand = n / max(float(times[last] - times[first]) + 1.0 / capacity, 1e-9) if n > 0 else 0.0
        load = Load(link, kind, demand, capacity, excess)
        if keep:
            self._loads[link, kind] = load
        return load
