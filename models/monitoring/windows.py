"""Window statistics: sums over the last hours of standardised errors, one number a kind, zone and step.

A shift of the mean, of the spread or of the day's pattern each moves its own sum and leaves the others nearly alone.
Sums over a day are used rather than sums of whitened errors without end: errors one step ahead are nearly white, what
correlation is left raises the sums' own spread, from which thresholds are set, and a day's sum answers within a day.
"""

from __future__ import annotations

import numpy as np

from models.monitoring.settings import PATTERN_BINS, WINDOWS_H, WORLD_KINDS

#: A window speaks once it holds this share of its steps (assumed).
LEAST_SHARE = 0.5


def window_steps(step_s: int) -> dict[str, tuple[int, ...]]:
    """Windows of each kind in steps."""
    return {kind: tuple(max(1, round(h * 3600 / step_s)) for h in hours) for kind, hours in WINDOWS_H.items()}


def longest(step_s: int) -> int:
    """Steps that must be remembered to go on."""
    return max(max(steps) for steps in window_steps(step_s).values())


def statistics(
    z: np.ndarray, missed: np.ndarray, away: np.ndarray, part: np.ndarray, *, step_s: int
) -> dict[str, np.ndarray]:
    """Statistics of every kind and window at every step, each from the steps up to it.

    Parameters
    ----------
    z : ndarray, shape (n, Z)
        Standardised errors, clipped; `nan` where there was no reading.
    missed : ndarray, shape (n, Z)
        1 where the reading lay outside its interval, less the usual share; `nan` where there was none.
    away : ndarray, shape (n, Z)
        Readings less the usual day, standardised likewise.
    part : ndarray of int, shape (n,)
        Stretch of the local day, 0 to `PATTERN_BINS` - 1.
    step_s : int

    Returns
    -------
    dict of str to ndarray, shape (n, Z, W)
        `mean`: mean error; `variance`: twice the logarithm of the mean absolute error, which grows as the logarithm of
        the variance does and is less moved by heavy tails; `pattern`: variance between
        stretches of the day less what scatter within them explains; `coverage`: share of readings outside beyond the
        usual; `drift`: mean distance from the usual day. `nan` where a window holds too little.
    """
    of = window_steps(step_s)
    heard = np.isfinite(z)
    x = np.where(heard, z, 0.0)
    count, first, second = _cumulated(heard.astype(float)), _cumulated(x), _cumulated(x * x)
    size = _cumulated(np.abs(x))
    out: dict[str, list[np.ndarray]] = {kind: [] for kind in WORLD_KINDS}
    with np.errstate(invalid="ignore", divide="ignore"):
        for w in of["mean"]:
            out["mean"].append(_enough(_last(first, w) / _last(count, w), _last(count, w), w))
        for w in of["variance"]:
            n = _last(count, w)
            out["variance"].append(_enough(2 * np.log(np.maximum(_last(size, w) / n, 1e-3)), n, w))
    bins = [(part == b)[:, None] for b in range(PATTERN_BINS)]
    counts, sums = [_cumulated(heard * b) for b in bins], [_cumulated(x * b) for b in bins]
    for w in of["pattern"]:
        out["pattern"].append(_between([_last(c, w) for c in counts], [_last(s, w) for s in sums], _last(second, w), w))
    known = np.isfinite(missed)
    n_known, total = _cumulated(known.astype(float)), _cumulated(np.where(known, missed, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        for w in of["coverage"]:
            out["coverage"].append(_enough(_last(total, w) / _last(n_known, w), _last(n_known, w), w))
    near = np.isfinite(away)
    n_near, distance = _cumulated(near.astype(float)), _cumulated(np.where(near, away, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        for w in of["drift"]:
            out["drift"].append(_enough(_last(distance, w) / _last(n_near, w), _last(n_near, w), w))
    return {kind: np.stack(found, axis=-1) for kind, found in out.items()}


def _between(counts: list[np.ndarray], sums: list[np.ndarray], second: np.ndarray, w: int) -> np.ndarray:
    """Variance between stretches of the day, less its expectation if all scatter were within them."""
    n = np.stack(counts)
    total = n.sum(axis=0)
    full = n >= LEAST_SHARE * w / PATTERN_BINS
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(full, np.stack(sums) / n, np.nan)
        k = full.sum(axis=0)
        middle = np.where(full, mean, 0.0).sum(axis=0) / k
        between = np.where(full, (mean - middle) ** 2, 0.0).sum(axis=0) / np.maximum(k - 1, 1)
        rest = np.maximum(second / total - (np.stack(sums).sum(axis=0) / total) ** 2 - between, 0.05)
        found = between - rest * PATTERN_BINS / total
    return np.where(k >= PATTERN_BINS - 2, found, np.nan)


def _cumulated(values: np.ndarray) -> np.ndarray:
    """Running sums with a row of zeros before."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _last(cumulated: np.ndarray, w: int) -> np.ndarray:
    """Sum of the last `w` rows at each row; of fewer at the beginning."""
    start = np.maximum(np.arange(1, len(cumulated)) - w, 0)
    return np.asarray(cumulated[1:] - cumulated[start])


def _enough(value: np.ndarray, n: np.ndarray, w: int) -> np.ndarray:
    return np.where(n >= max(2.0, LEAST_SHARE * w), value, np.nan)
