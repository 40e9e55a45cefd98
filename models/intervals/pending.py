"""Origins whose readings are not all in: what every state that follows forecasts over time goes by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Pending:
    """Origins that were pending, with those that come after them.

    Attributes
    ----------
    rows : ndarray of int, shape (p + n,)
        Positions of all of them, oldest first.
    told : ndarray of int, shape (S,)
        First row whose reading had not come due before, by horizon.
    left : ndarray of int
        Positions of those that are pending after the last.
    """

    rows: np.ndarray
    told: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, before: np.ndarray, known: np.ndarray, steps: np.ndarray) -> Pending:
        """Pending positions `before` (p,), new ones `known` (n,), increasing, and horizons in positions (S,)."""
        rows = np.concatenate([before, known])
        told = np.zeros(steps.size, dtype=np.int64)
        if before.size:
            told[:] = np.searchsorted(before, before[-1] - steps, side="right")
        gone = int(np.searchsorted(rows, rows[-1] - steps.max(), side="right")) if rows.size else 0
        return cls(rows, told, rows[gone:].copy())
