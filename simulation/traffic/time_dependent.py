"""Time-dependent travel times: how long each link takes who enters it when, and the fastest ways through them.

Read off an entry log: a link's instant of exit as a function of the instant of entry, straight lines between knots, so
that nobody overtakes by entering later. The wait at the gate of a trip's first link counts as a link of its own.
Penalties of turns are what drivers feel, not time that passes, and do not count here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.paths import Paths
from simulation.traffic.routing import link_keys
from simulation.traffic.time_dependent_kernels import arrivals_on_paths, fastest_paths, leave_at, measure_exits

if TYPE_CHECKING:
    from simulation.traffic.loading import Network

#: Distance of the knots, s: below the minutes over which queues grow and shrink, above most headways within them.
STEP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTimes:
    """Instants of exit by instant of entry. Links n, knots B at `begin_s + b x step_s`.

    Attributes
    ----------
    exit_s : ndarray, shape (n, B)
        When a vehicle that enters the link at the knot leaves it; never falls along the knots.
    gate_s : ndarray, shape (n, B)
        When a trip that departs at the knot enters the link as its first.
    """

    begin_s: float
    step_s: float
    exit_s: np.ndarray
    gate_s: np.ndarray

    @classmethod
    def free(cls, free_s: np.ndarray) -> LinkTimes:
        """Empty streets: `free_s` on each link at all times, shape (n,)."""
        at = np.array([0.0, 1.0])
        return cls(begin_s=0.0, step_s=1.0, exit_s=at + free_s[:, None], gate_s=np.tile(at, (free_s.size, 1)))

    @classmethod
    def from_log(
        cls,
        log: EntryLog,
        depart_s: np.ndarray,
        free_s: np.ndarray,
        *,
        step_s: float = STEP_S,
        until_s: float | None = None,
    ) -> LinkTimes:
        """What those who drove tell about every link.

        Parameters
        ----------
        log : EntryLog
        depart_s : ndarray, shape (k,)
            Departure of each trip.
        free_s : ndarray, shape (n,)
            Time over each empty link, s.
        step_s : float
            Distance of the knots, s.
        until_s : float, optional
            When the run ended, s; default the last row. Whoever is on a link then leaves it then at the earliest.

        Raises
        ------
        RunError
            If the step is not above 0 or the log names trips or links that are not there.
        """
        faults = []
        if not step_s > 0:
            faults.append(f"step_s={step_s!r} must be above 0")
        if len(log) and log.n_trips > depart_s.size:
            faults.append(f"the log names trip {log.n_trips - 1}; there are {depart_s.size} departures")
        if len(log) and int(log.link.max()) >= free_s.size:
            faults.append(f"the log names link {int(log.link.max())}; there are {free_s.size} links")
        if faults:
            raise RunError("no link times: " + "; ".join(faults))
        begin = float(depart_s.min()) if depart_s.size else 0.0
        end = max(log.end_s if len(log) else begin, begin if until_s is None else until_s)
        knots = int(np.ceil((end - begin) / step_s)) + 2
        exits, gates = np.empty((free_s.size, knots)), np.empty((free_s.size, knots))
        measure_exits(
            log.trip, log.link, log.time_s, np.ascontiguousarray(depart_s, dtype=float),
            np.ascontiguousarray(free_s, dtype=float), end, begin, float(step_s), exits, gates,
        )  # fmt: skip
        return cls(begin_s=begin, step_s=float(step_s), exit_s=exits, gate_s=gates)

    def travel_s(self, link: int, entry_s: float) -> float:
        """Time over a link for who enters it at an instant, s."""
        return float(leave_at(self.exit_s, link, entry_s, self.begin_s, self.step_s)) - entry_s

    def arrivals(self, paths: Paths, depart_s: np.ndarray) -> np.ndarray:
        """When trips would arrive that drive these paths, s. Shape (k,)."""
        out = np.empty(depart_s.size)
        arrivals_on_paths(
            paths.links, paths.start, np.ascontiguousarray(depart_s, dtype=float), self.exit_s, self.gate_s,
            self.begin_s, self.step_s, out,
        )  # fmt: skip
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Journeys:
    """Trips as a search for fastest ways reads them: made once, searched often.

    Attributes
    ----------
    depart_s : ndarray, shape (k,)
    origin, dest : ndarray of int64, shape (k,)
        Rows of the sets below.
    origin_start, origin_link : ndarray
        Links on which trips from each origin may begin, as ranges.
    dest_of : ndarray of int64, shape (n,)
        Destination whose trips end at the end of each link, -1 for none.
    out_start, out_link : ndarray
        Turns out of each link, as ranges.
    key : ndarray of uint64, shape (n,)
        Names of links: of ways that are equal to the last bit, a lot drawn from them picks one.
    """

    depart_s: np.ndarray
    origin: np.ndarray
    dest: np.ndarray
    origin_start: np.ndarray
    origin_link: np.ndarray
    dest_of: np.ndarray
    out_start: np.ndarray
    out_link: np.ndarray
    key: np.ndarray

    @classmethod
    def between_nodes(
        cls,
        network: Network,
        orig: np.ndarray,
        dest: np.ndarray,
        depart_s: np.ndarray,
    ) -> Journeys:
        """Trips from node to node: they begin on any link out of one and end on any link into the other.

        Parameters
        ----------
        network : Network
        orig, dest : ndarray of int, shape (k,)
            Nodes.
        depart_s : ndarray, shape (k,)
        """
        turns, from_node, to_node = network.turns, network.from_node, network.to_node
        order = np.argsort(from_node, kind="stable")
        n = from_node.size
        after = np.repeat(np.arange(n), np.diff(turns.in_start))
        by_link = np.argsort(turns.in_link, kind="stable")
        return cls(
            depart_s=np.ascontiguousarray(depart_s, dtype=float), origin=np.asarray(orig, np.int64),
            dest=np.asarray(dest, np.int64), origin_link=order.astype(np.int32),
            origin_start=np.searchsorted(from_node[order], np.arange(network.n_nodes + 1)).astype(np.int64),
            dest_of=np.asarray(to_node, np.int64), out_link=after[by_link].astype(np.int32),
            out_start=np.searchsorted(turns.in_link[by_link], np.arange(n + 1)).astype(np.int64),
            key=link_keys(network.arrays),
        )  # fmt: skip

    def fastest(
        self,
        times: LinkTimes,
        *,
        slot_s: float | None = None,
        seed: int = 0,
        charge_s: np.ndarray | None = None,
        row: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Paths]:
        """Earliest arrival of each trip, or arrival by its cheapest way, and the way that leads to it.

        Parameters
        ----------
        times : LinkTimes
        slot_s : float, optional
            Trips of one origin that depart in the same slot of so many seconds take the ways that are fastest from the
            middle of the slot, each with its own arrival on them: cheaper, and never earlier than the exact one. None:
            every instant of departure by itself.
        seed : int
            Of the lots by which equal ways are told apart.
        charge_s : ndarray, shape (rows, n), optional
            What links cost besides time, in seconds; inf where they are banned. With it the cheapest way is sought
            instead of the fastest, with one way kept for each link: a way that is dearer up to some link but earlier
            there is lost, though it might win further on.
        row : ndarray of int, shape (k,), optional
            Row of `charge_s` of each trip, e.g. its vehicle class; default 0.

        Returns
        -------
        arrival_s : ndarray, shape (k,)
            inf where no way leads.
        paths : Paths
            Empty where no way leads.
        """
        k = self.depart_s.size
        at = self.depart_s if slot_s is None else (np.floor(self.depart_s / slot_s) + 0.5) * slot_s
        rows = np.zeros(k, np.int64) if row is None else np.asarray(row, np.int64)
        charge = np.zeros((0, self.dest_of.size)) if charge_s is None else np.ascontiguousarray(charge_s, dtype=float)
        order = np.lexsort((self.dest, at, rows, self.origin))
        origin, leave, rows = self.origin[order], at[order], rows[order]
        new = np.ones(k, dtype=bool)
        new[1:] = (origin[1:] != origin[:-1]) | (leave[1:] != leave[:-1]) | (rows[1:] != rows[:-1])
        group_start = np.append(np.flatnonzero(new), k).astype(np.int64)
        arrival, start = np.empty(k), np.empty(k + 1, dtype=np.int64)
        links = fastest_paths(
            group_start, origin, self.dest[order], leave, self.origin_start, self.origin_link, self.dest_of,
            self.out_start, self.out_link, self.key, np.uint64(seed & 0xFFFFFFFF), times.exit_s, times.gate_s,
            times.begin_s, times.step_s, charge, rows, arrival, start,
        )  # fmt: skip
        back = np.empty(k, dtype=np.int64)
        back[order] = np.arange(k)
        paths, arrival = Paths(links=links, start=start).take(back), arrival[back]
        if slot_s is not None:
            arrival = np.where(np.isfinite(arrival), times.arrivals(paths, self.depart_s), np.inf)
        return arrival, paths
