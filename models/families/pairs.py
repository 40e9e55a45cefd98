"""Pairs of a forecast origin and a horizon: one zone's rows as one table, for families whose trees serve all horizons.

A tree asks about the features of the horizon that it forecasts, so each pair is a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.families.tree_kernels import bin_edges, bin_rows
from models.rows import Rows


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs whose outcome is known, oldest origin first.

    Attributes
    ----------
    x : ndarray of float32, shape (N, F1 + F2)
    y : ndarray of float32, shape (N,)
    horizon : ndarray of int, shape (N,)
        Place of each pair's horizon.
    origin : ndarray of int, shape (N,)
        Place of each pair's origin.
    share : float
        Of all pairs of an origin and a horizon, known or not, how many are among these.
    """

    x: np.ndarray
    y: np.ndarray
    horizon: np.ndarray
    origin: np.ndarray
    share: float

    @property
    def size(self) -> int:
        """How many."""
        return int(self.y.size)


def pairs_of(rows: Rows, y: np.ndarray, place: int, budget: int) -> Pairs:
    """Known pairs of one zone, at most about `budget` of them: evenly thinned, the horizons taking turns.

    Parameters
    ----------
    rows : Rows
    y : ndarray of float32, shape (n, Z, S)
    place : int
        Place of the zone in `rows`.
    budget : int
    """
    known = np.isfinite(y[:, place])
    n, horizons = known.shape
    gap = max(1, -(-int(known.sum()) // budget))
    if gap > 1:
        turn = np.arange(n)[:, None] + np.arange(horizons) * max(1, gap // horizons)
        known &= turn % gap == 0
    origin, horizon = np.nonzero(known)
    x = np.concatenate([rows.common[origin, place], rows.ahead[origin, place, horizon]], axis=1)
    outcome = y[origin, place, horizon].astype(np.float32)
    return Pairs(x.astype(np.float32, copy=False), outcome, horizon, origin, outcome.size / max(known.size, 1))


def binned(x: np.ndarray, max_bin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bins (N, F), upper edges (F, max_bin - 1) and how many bins each feature has (F,)."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    edges, used = bin_edges(x, max_bin)
    return bin_rows(x, edges, used), edges, used
