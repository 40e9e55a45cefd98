"""Ridge regression in closed form, all horizons of a zone in one go.

The Gram matrix of each contiguous block of the history is made once; leaving a block out is a subtraction, so that
the penalty of every horizon is chosen by blocked cross-validation without touching the rows again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from models.design import Design
from models.families.learned import LearnedForecaster
from models.features import MOOD, Rows
from models.panel import Panel

#: Penalties tried, per row: from hardly any to so strong that only the usual value is left.
PENALTIES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 10.0, 1e3)
FIRST_PENALTY = 0.01  # of the line that only finds the rows to be weighed down

#: Features that a strong penalty spares, so that what is left is damped persistence and not nothing: the last reading,
#: the means of the last hour and day (places in `Rows.common`), yesterday around that time (place in `Rows.ahead`).
EASY_COMMON = (0, 6, 8)
EASY_AHEAD = (1,)
EASE = 7.0  # their penalty is divided by its square
_STORED = ("coefficient", "intercept", "centre", "penalty", "low", "high")


@dataclass(frozen=True, eq=False)
class Lines:
    """One line a horizon: coefficients on the raw features.

    Attributes
    ----------
    coefficient : ndarray, shape (S, F)
    intercept : ndarray, shape (S,)
    centre : ndarray, shape (S, F)
        Mean of each feature in training, from which contributions are counted.
    penalty : ndarray, shape (S,)
    low, high : ndarray, shape (S, F)
        Range of each feature in training. A line is no guide beyond it: a few days of history know nothing of a frost
        that they have not seen, so that features are held within the range.
    """

    coefficient: np.ndarray
    intercept: np.ndarray
    centre: np.ndarray
    penalty: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def held(self, rows: Rows, horizons: np.ndarray) -> Rows:
        """Features within the range of training."""
        width = rows.common.shape[2]
        low, high = self.low[horizons], self.high[horizons]
        return Rows(
            common=np.clip(rows.common, low[0, :width], high[0, :width]),
            ahead=np.clip(rows.ahead, low[:, width:], high[:, width:]),
        )

    def predict(self, rows: Rows, horizons: np.ndarray) -> np.ndarray:
        """Scaled deviations, shape (n, Z, S)."""
        rows = self.held(rows, horizons)
        width = rows.common.shape[2]
        coefficient = self.coefficient[horizons]
        out = rows.common @ coefficient[:, :width].T
        out += np.einsum("nzsf,sf->nzs", rows.ahead, coefficient[:, width:])
        return out + self.intercept[horizons]


def solve_horizons(rows: Rows, outcome: np.ndarray, blocks: np.ndarray) -> Lines:
    """Ridge lines for every horizon, each with the penalty that forecast left-out blocks best.

    Parameters
    ----------
    rows : Rows
        n origins, Z zones, S horizons.
    outcome : ndarray, shape (n, Z, S)
        `nan` rows are left out.
    blocks : ndarray of int, shape (n,)
        Contiguous parts of the history, 0 .. B-1.

    References
    ----------
    Hoerl & Kennard (1970), doi:10.1080/00401706.1970.10488634 (ridge);
    Racine (2000), doi:10.1016/S0304-4076(00)00030-0 (leaving out blocks of dependent data)
    """
    _, zones, horizons = outcome.shape
    where = np.repeat(blocks, zones)
    cuts = np.searchsorted(where, np.arange(int(where.max()) + 2))
    width = rows.common.shape[2]
    ease = np.ones(width + rows.ahead.shape[3])
    ease[[*EASY_COMMON, *(width + k for k in EASY_AHEAD)]] = EASE
    found = [_solve(rows.at(s), outcome[:, :, s].reshape(-1), cuts, ease) for s in range(horizons)]
    coefficient, intercept, centre, penalty = (np.stack(part) for part in zip(*found))
    common = rows.common.reshape(-1, width)
    ahead = rows.ahead.reshape(-1, horizons, rows.ahead.shape[3])
    low, high = (
        np.concatenate([np.broadcast_to(edge(common, axis=0), (horizons, width)), edge(ahead, axis=0)], axis=1)
        for edge in (np.min, np.max)
    )
    return Lines(coefficient, intercept, centre, penalty, low, high)


def _solve(
    x: np.ndarray, y: np.ndarray, cuts: np.ndarray, ease: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Line of one horizon: coefficients (F,), intercept, feature means (F,), penalty.

    Solved twice: rows that the first line misses by more than the typical miss weigh less in the second, in inverse
    proportion, which brings the line from the mean towards the median (Huber 1964, doi:10.1214/aoms/1177703732).
    """
    heard = np.isfinite(y)
    y = np.where(heard, y, 0.0)
    weight = heard.astype(float)
    line = _weighted(x, y, weight, cuts, ease, (FIRST_PENALTY,))
    miss = np.abs(y - line[1] - x @ line[0])
    typical = np.median(miss[heard]) if heard.any() else 1.0
    return _weighted(x, y, weight * np.minimum(1.0, typical / np.maximum(miss, 1e-12)), cuts, ease, PENALTIES)


def _weighted(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, cuts: np.ndarray, ease: np.ndarray, tried: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ridge line under row weights, its penalty chosen by leaving out blocks."""
    count = max(float(weight.sum()), 1e-9)
    centre, offset = weight @ x / count, float(weight @ y / count)
    root = np.sqrt(weight)[:, None]
    x = (x - centre) * root
    y = (y - offset) * root[:, 0]
    scale = np.sqrt(np.einsum("nf,nf->f", x, x) / count)
    live = scale > 1e-8
    scale = scale / ease
    x = x[:, live] / scale[live]
    grams = np.stack([x[a:b].T @ x[a:b] for a, b in pairwise(cuts)])
    cross = np.stack([x[a:b].T @ y[a:b] for a, b in pairwise(cuts)])
    gram, moment = grams.sum(axis=0), cross.sum(axis=0)
    penalties = np.asarray(tried) * count
    best = penalties[0]
    if len(tried) > 1:
        values, vectors = np.linalg.eigh(gram - grams)
        rotated = np.einsum("bfk,bf->bk", vectors, moment - cross)
        inner = rotated[None] / (np.maximum(values, 0.0)[None] + penalties[:, None, None])
        beta = np.matmul(vectors, inner[..., None])[..., 0]
        fitted = np.matmul(grams, beta[..., None])[..., 0]
        best = penalties[int(np.argmin((beta * (fitted - 2 * cross)).sum(axis=(1, 2))))]
    solution = np.linalg.solve(gram + best * np.eye(gram.shape[0]), moment)
    coefficient = np.zeros(live.size)
    coefficient[live] = solution / scale[live]
    return coefficient, np.asarray(offset - centre @ coefficient), centre, np.asarray(best / count)


class RidgeForecaster(LearnedForecaster):
    """Damped persistence, and a line a horizon over the zone, its neighbours and its other targets.

    The first part is what usually lasts of the present deviation, the second what the line adds to it; each counts as
    far as it can be trusted out of fold, so that a line that learned too much leaves the persistence standing.
    """

    family = "ridge"
    n_parts = 2

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.lines: Lines | None = None
        self.lasting = np.zeros((0, 2))  # (S, 2) shares of the last reading and the last day's mean that last

    def settings(self) -> dict[str, Any]:
        assert self.lines is not None
        return {"seed": self.seed, "penalty": [float(f"{p:.3g}") for p in self.lines.penalty]}

    def _learn_rows(self, design: Design) -> None:
        self.lines, self.lasting = design.linear, design.lasting

    def _predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        assert self.lines is not None
        lasts = rows.mood @ self.lasting[horizons].T
        return np.stack([lasts, self.lines.predict(rows, horizons) - lasts])

    def _n_parameters(self) -> int:
        assert self.lines is not None and self.profile is not None
        line = np.count_nonzero(self.lines.coefficient) + self.lines.intercept.size
        return int(line + self.lasting.size + self.profile.mean.size)

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        assert self.lines is not None and self.featuriser is not None and self.profile is not None
        rows = self.featuriser.rows(panel, known, (anchor,), np.array([place]))
        horizon = self.anchors.index(anchor)
        lasts, line = self.profile.scale[place] * self.trust[:2, horizon]
        return straight_contributions(
            self.lines, self.lasting[horizon], rows, self.featuriser.names, horizon, float(lasts), float(line)
        )

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        meta, arrays, blobs = super()._state()
        assert self.lines is not None
        return meta, arrays | lines_state(self.lines) | {"lasting": self.lasting}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        super()._restore(meta, arrays, blobs)
        self.lines, self.lasting = restore_lines(arrays), arrays["lasting"]


def lines_state(lines: Lines) -> dict[str, np.ndarray]:
    """Arrays to store."""
    return {f"line_{key}": getattr(lines, key) for key in _STORED}


def restore_lines(arrays: dict[str, np.ndarray]) -> Lines:
    """Inverse of `lines_state`."""
    return Lines(**{key: arrays[f"line_{key}"] for key in _STORED})


def straight_contributions(
    lines: Lines, lasting: np.ndarray, rows: Rows, names: tuple[str, ...], horizon: int, lasts: float, line: float
) -> list[tuple[str, float, float]]:
    """Contributions of persistence, counted `lasts` times, and of what the line adds to it, counted `line` times.

    The line's are counted from the features' means in training; its value there is the intercept.
    """
    x = rows.at(0)[0]
    held = lines.held(rows, np.array([horizon])).at(0)[0]
    added = lines.coefficient[horizon] * (held - lines.centre[horizon]) * line
    added[list(MOOD)] += lasting * x[list(MOOD)] * (lasts - line)
    base = float(lines.intercept[horizon] + lines.coefficient[horizon] @ lines.centre[horizon]) * line
    return [("intercept", 1.0, base), *((name, float(v), float(c)) for name, v, c in zip(names, x, added))]
