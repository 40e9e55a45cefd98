"""Times of turns: how long a street takes who leaves it by which turn, and the cheapest ways through such times.

At a crossing those who turn left may wait for minutes while others pass, so a way is told turn by turn: each turn is a
piece of its own (a street, left by this turn), and so is each street on which trips end. Times are means over spans of
some minutes, so that nobody is said to have lost for having met a red light.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.entry_log import EntryLog
from simulation.traffic.layout import END
from simulation.traffic.network import TurnIndex
from simulation.traffic.paths import Paths
from simulation.traffic.routing import CLOSED_PENALTY_S
from simulation.traffic.time_dependent import Journeys, LinkTimes

#: Length of the spans, s (assumed: some cycles of a signal, and short against the rise of a peak).
SPAN_S = 300.0
#: Vehicles for which the mean of the whole street counts in the mean of a turn, so that one lucky one makes no fast way
#: (assumed).
_DRAWN_TO_STREET = 2.0


class TurnTimes:
    """A street network piece by piece: first its turns, then its streets as ends of trips. n links, m turns.

    Parameters
    ----------
    turns : TurnIndex
        All turns, banned ones too.
    key : ndarray of uint64, shape (n,)
        Names of the links.

    Attributes
    ----------
    from_link : ndarray of int64, shape (m + n,)
        Street of each piece.
    """

    def __init__(self, turns: TurnIndex, key: np.ndarray) -> None:
        n = turns.in_start.size - 1
        after = np.repeat(np.arange(n), np.diff(turns.in_start))
        self._order = np.argsort(turns.in_link.astype(np.int64) * n + after, kind="stable")
        before, after = turns.in_link[self._order].astype(np.int64), after[self._order]
        self.n, self.m = n, before.size
        self._turn = before * n + after
        self.from_link = np.concatenate([before, np.arange(n)])
        with np.errstate(over="ignore"):
            odd = np.uint64(0x9E3779B97F4A7C15)
            self._key = key[self.from_link] * odd + np.concatenate([key[after], np.zeros(n, dtype=np.uint64)])
        self._by_link = np.argsort(self.from_link, kind="stable")
        self._start = np.searchsorted(self.from_link[self._by_link], np.arange(n + 1)).astype(np.int64)
        size = np.concatenate([np.diff(self._start)[after], np.zeros(n, dtype=np.int64)])
        self._out_start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        first = np.repeat(self._start[after] - self._out_start[: self.m], size[: self.m])
        self._out = self._by_link[first + np.arange(self._out_start[-1])].astype(np.int32)

    def pieces(self, paths: Paths) -> Paths:
        """Paths of links as paths of pieces."""
        links = paths.links.astype(np.int64)
        following = np.append(links[1:], 0)
        last = np.zeros(links.size, dtype=bool)
        ends = paths.start[1:][np.diff(paths.start) > 0] - 1
        last[ends] = True
        return Paths(links=self._piece(links, np.where(last, END, following)).astype(np.int32), start=paths.start)

    def links(self, pieces: Paths) -> Paths:
        """Inverse of `pieces`."""
        return Paths(links=self.from_link[pieces.links].astype(np.int32), start=pieces.start)

    def cost_s(self, turns: TurnIndex, link_s: np.ndarray) -> np.ndarray:
        """What pieces cost besides time, s: their street's charge and what drivers feel of the turn. (G, m + n).

        Parameters
        ----------
        turns : TurnIndex
            The same turns, with the penalties of now.
        link_s : ndarray, shape (G, n)
            Charges of links.
        """
        felt = np.zeros(self.m + self.n)
        felt[: self.m] = np.minimum(turns.in_penalty[self._order], CLOSED_PENALTY_S)
        return np.asarray(link_s[:, self.from_link] + felt)

    def means(self, log: EntryLog, depart_s: np.ndarray, origin: np.ndarray, free_s: np.ndarray) -> LinkTimes:
        """Mean times of pieces in each span, by instant of entry; on empty streets with the mean wait at lights.

        Parameters
        ----------
        log : EntryLog
        depart_s : ndarray, shape (k,)
            Departure of each of its trips.
        origin : ndarray of int64, shape (k,)
            First link of each; -1 of who was on the road already.
        free_s : ndarray, shape (n,)
            Time over each empty link, the mean wait at its signal included (`routing.free_times`).

        Returns
        -------
        LinkTimes
            Of pieces, knots in the middle of the spans. Whoever was still on a link or at its gate as the log ended
            counts with the time until then.
        """
        begin = float(depart_s.min()) if depart_s.size else 0.0
        end = max(log.end_s, begin) if len(log) else begin
        spans = int((end - begin) // SPAN_S) + 1
        knots = begin + (np.arange(spans) + 0.5) * SPAN_S

        def sums(of: np.ndarray, many: int, since: np.ndarray, spent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            cell = of * spans + np.clip((since - begin) // SPAN_S, 0, spans - 1).astype(np.int64)
            count = np.bincount(cell, minlength=many * spans).reshape(many, spans)
            return count, np.bincount(cell, weights=spent, minlength=many * spans).reshape(many, spans)

        on = np.flatnonzero(log.link >= 0)
        after = log.following()[on]
        left = np.where(after >= 0, log.time_s[after], end)
        spent, link = left - log.time_s[on], log.link[on].astype(np.int64)
        count, total = sums(link, self.n, log.time_s[on], spent)
        street = np.where(count > 0, total / np.maximum(count, 1), free_s[:, None])
        told = np.flatnonzero(after >= 0)
        piece = self._piece(link[told], log.link[after[told]].astype(np.int64))
        count, total = sums(piece, self.m + self.n, log.time_s[on][told], spent[told])
        mean = (total + _DRAWN_TO_STREET * street[self.from_link]) / (count + _DRAWN_TO_STREET)
        set_out = np.flatnonzero(origin >= 0)
        starts = log.starts(depart_s.size)[set_out]
        wait = np.maximum(np.where(np.isfinite(starts), starts, end) - depart_s[set_out], 0.0)
        count, total = sums(origin[set_out], self.n, depart_s[set_out], wait)
        gate = np.maximum.accumulate(knots + total / np.maximum(count, 1), axis=1)
        return LinkTimes(
            begin_s=begin + 0.5 * SPAN_S, step_s=SPAN_S, exit_s=np.maximum.accumulate(knots + mean, axis=1),
            gate_s=gate[self.from_link],
        )  # fmt: skip

    def journeys(self, origin: np.ndarray, dest: np.ndarray, depart_s: np.ndarray) -> Journeys:
        """Trips from link to link over pieces; the ways found are of pieces.

        Parameters
        ----------
        origin, dest : ndarray of int64, shape (k,)
            First and last link of each trip.
        depart_s : ndarray, shape (k,)
        """
        dest_of = np.concatenate([np.full(self.m, -1, dtype=np.int64), np.arange(self.n)])
        return Journeys(
            depart_s=np.ascontiguousarray(depart_s, dtype=float), origin=origin, dest=dest,
            origin_start=self._start, origin_link=self._by_link.astype(np.int32), dest_of=dest_of,
            out_link=self._out, out_start=self._out_start, key=self._key,
        )  # fmt: skip

    def _piece(self, link: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Piece of each step; steps that are no turn of the network (a vehicle that was moved) count as ends."""
        turn = link * self.n + following
        at = np.minimum(np.searchsorted(self._turn, turn), max(self.m - 1, 0))
        known = (following >= 0) & (self._turn[at] == turn) if self.m else np.zeros(link.size, dtype=bool)
        return np.where(known, at, self.m + link)


def paid(pieces: Paths, cost: np.ndarray, row: np.ndarray) -> np.ndarray:
    """What each trip pays on its pieces, s. Shape (k,).

    Parameters
    ----------
    pieces : Paths
    cost : ndarray, shape (G, m + n)
    row : ndarray of int, shape (k,)
        Row of `cost` of each trip.
    """
    trip = np.repeat(np.arange(len(pieces)), np.diff(pieces.start))
    return np.bincount(trip, weights=cost[row[trip], pieces.links], minlength=len(pieces))
