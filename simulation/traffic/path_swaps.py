"""Trips that change to a better way, round by round: how many, which, and how fast the rate follows the gap.

A trip changes with a chance that grows with what it loses (Lu, Mahmassani & Zhou 2009, doi:10.1016/j.trb.2008.07.005);
the rate answers to the gap (Liu, He & He 2009, doi:10.1007/s11067-007-9023-x).
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.paths import Paths

#: A trip is drawn to change in the first round with so many times its excess (time lost over time experienced).
SWAP_RATE = 3.0
#: A gap beyond so many times the best one is clearly worse. This and the factors of the rate (after such a round; after
#: one with a larger gap than the round before; after one with a smaller gap) are assumptions that did well on two
#: routes with bottlenecks, on Braess's network and on Sioux Falls alike.
WORSE, SLOWER, SLOW, FASTER = 1.3, 0.5, 0.8, 1.05
#: Largest chance to change in one round, and least share of all trips that are drawn (one trip, if that is more), so
#: that no search comes to a standstill; assumptions.
MOST, LEAST = 0.5, 0.0005


class SwapRate:
    """How willingly trips change, by what the rounds before have shown.

    Attributes
    ----------
    rate : float
        Chance to change over the share of a trip's time that it loses.
    best : float
        Smallest gap so far.
    since : int
        Rounds since then.
    """

    def __init__(self, rate: float = SWAP_RATE) -> None:
        self.rate, self.best, self.since = rate, np.inf, 0
        self._previous = np.inf

    def see(self, gap: float) -> bool:
        """Note a round's gap; returns whether it was so bad that the next round starts from the best one again."""
        first, back = np.isinf(self._previous), False
        if gap < self.best:
            self.best, self.since = gap, 0
        else:
            self.since += 1
            if gap > WORSE * self.best:
                back = True
                self.rate *= SLOWER
            elif gap > self._previous:
                self.rate *= SLOW
        if not first and gap < self._previous:
            self.rate *= FASTER
        self._previous = gap
        return back

    def swaps(self, loss: np.ndarray, order: np.ndarray, lot: float) -> np.ndarray:
        """Trips that change, bool, shape (k,), from the share of its time that each loses, shape (k,)."""
        self.rate = max(self.rate, max(LEAST * loss.size, 1.0) / max(float(loss.sum()), 1e-12))
        return drawn(np.minimum(self.rate * loss, MOST), order, lot)


def same_ways(paths: Paths, others: Paths) -> np.ndarray:
    """Whether two sets of paths agree, trip by trip. bool, shape (k,)."""
    size = np.diff(paths.start)
    same = size == np.diff(others.start)
    trips = np.flatnonzero(same)
    differs = paths.take(trips).links != others.take(trips).links
    same[np.repeat(trips, size[trips])[differs]] = False
    return same


def drawn(chance: np.ndarray, order: np.ndarray, lot: float) -> np.ndarray:
    """Trips drawn with their chances, evenly along an order (systematic sampling). bool, shape (k,)."""
    passed = np.floor(np.concatenate([[0.0], np.cumsum(chance[order])]) + lot)
    chosen = np.empty(chance.size, dtype=bool)
    chosen[order] = passed[1:] > passed[:-1]
    return chosen


def changed(paths: Paths, others: Paths, swap: np.ndarray) -> Paths:
    """Paths, with those of some trips taken from others."""
    both = Paths(
        links=np.concatenate([paths.links, others.links]),
        start=np.concatenate([paths.start, others.start[1:] + paths.start[-1]]),
    )
    return both.take(np.arange(swap.size) + np.where(swap, swap.size, 0))
