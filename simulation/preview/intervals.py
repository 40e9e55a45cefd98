"""How sure a preview is: conformal bounds from scenarios that the models had not seen, scaled by zone and by size.

Zones of one scenario err together, so the bound is taken over scenarios first: every scenario counts the same, whatever
its zones (the pooled two-layer bound of Dunn, Wasserman & Ramdas 2022, doi:10.1080/01621459.2022.2060112). It holds
for scenarios drawn like those of the ensemble, and not for what the check of scope turns away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

CONFIDENCE = 0.90
_FLOOR = 0.05  # of a row's mean error: no interval is narrower in scale than this


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Bounds:
    """Half-width of the interval of each row: `factor x (still x spread + moved x size of the answer)`."""

    spread: np.ndarray  # (R,) mean absolute error of each row, out of fold
    still: float
    moved: float
    factor: float

    def half(self, predicted: np.ndarray, activity: np.ndarray) -> np.ndarray:
        """Half-widths, shape (..., R); 0 where nothing at all is changed near the row."""
        return np.asarray(self.factor * self._scale(predicted, activity))

    def _scale(self, predicted: np.ndarray, activity: np.ndarray) -> np.ndarray:
        size = np.abs(predicted) + activity
        return np.maximum(self.still * self.spread + self.moved * size, _FLOOR * self.spread + 1e-12)


def learn_bounds(error: np.ndarray, predicted: np.ndarray, activity: np.ndarray, known: np.ndarray) -> Bounds:
    """Bounds from out-of-fold errors.

    Parameters
    ----------
    error, predicted : ndarray, shape (K, R)
        Simulated less predicted, and predicted.
    activity : ndarray, shape (K, R)
        Size of what the quick rerouting tells of a row, in the unit of the effect.
    known : ndarray of bool, shape (K, R)
    """
    size = np.abs(error)
    spread = np.array([size[known[:, r], r].mean() if known[:, r].any() else 0.0 for r in range(size.shape[1])])
    spread = np.maximum(spread, 1e-12)
    parts = np.stack([np.broadcast_to(spread, size.shape)[known], (np.abs(predicted) + activity)[known]], axis=1)
    still, moved = nnls(parts, size[known])[0] if known.any() else (1.0, 0.0)
    draft = Bounds(spread=spread, still=float(still), moved=float(moved), factor=1.0)
    score = np.where(known, size / draft._scale(predicted, activity), np.nan)
    return Bounds(spread=spread, still=float(still), moved=float(moved), factor=_two_layer(score))


def _two_layer(score: np.ndarray) -> float:
    """Quantile of scores over scenarios of equal weight, with the correction for their number."""
    rows = np.isfinite(score)
    count = rows.sum(axis=1, keepdims=True)
    weight = np.where(rows, 1.0 / np.maximum(count, 1), 0.0)[rows]
    values = score[rows]
    k = int((count > 0).sum())
    level = CONFIDENCE * (1.0 + 1.0 / max(k, 1))
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / max(k, 1)
    return float(values[order][min(np.searchsorted(reached, level), values.size - 1)])
