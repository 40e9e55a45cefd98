"""Kernels for quantile lines: a smoothed check loss, minimised over the rows of one zone and horizon after another."""

from __future__ import annotations

import numpy as np
from numba import njit

#: What the compiler may do to sums to use wide instructions; `nan` keeps its meaning.
FAST = {"contract", "reassoc", "nsz", "arcp"}
#: Rows are padded to a multiple of this many numbers, so that loops over features have no remainder.
PAD = 16


@njit(cache=True)
def _design(
    common: np.ndarray,
    ahead: np.ndarray,
    y: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
) -> int:  # rows whose outcome is known
    """Standardised features `x` (n, padded) and outcomes of one zone and horizon."""
    f1, f2 = common.shape[1], ahead.shape[1]
    kept = 0
    for t in range(y.size):
        if np.isfinite(y[t]):
            row, first, second = x[kept], common[t], ahead[t]
            for f in range(f1):
                row[f] = (first[f] - mean[f]) * inverse[f]
            for f in range(f2):
                row[f1 + f] = (second[f] - mean[f1 + f]) * inverse[f1 + f]
            target[kept] = y[t]
            kept += 1
    return kept


@njit(cache=True)
def _factor(cov: np.ndarray, out: np.ndarray) -> None:
    """Lower Cholesky factor of a positive definite matrix."""
    for i in range(cov.shape[0]):
        for j in range(i + 1):
            value = cov[i, j]
            for k in range(j):
                value -= out[i, k] * out[j, k]
            out[i, j] = np.sqrt(max(value, 1e-12)) if i == j else value / out[j, j]


@njit(cache=True)
def _backsolve(factor: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """Solve with a Cholesky factor."""
    size = factor.shape[0]
    for i in range(size):
        value = right[i]
        for k in range(i):
            value -= factor[i, k] * out[k]
        out[i] = value / factor[i, i]
    for i in range(size - 1, -1, -1):
        out[i] /= factor[i, i]
        for k in range(i):
            out[k] -= factor[i, k] * out[i]


@njit(cache=True, fastmath=FAST)
def _slopes(
    x: np.ndarray,
    target: np.ndarray,
    kept: int,
    line: np.ndarray,
    constant: np.float32,
    level: np.float32,
    width: np.float32,
    gradient: np.ndarray,
) -> tuple[float, float]:  # mean slope of the loss at the residuals; share of residuals within `width`
    """Mean of (slope of the smoothed check loss) times features, into `gradient`, in one pass over the rows."""
    gradient[:] = 0.0
    size = line.size
    total, near = 0.0, 0
    half, over = np.float32(0.5), np.float32(0.5) / width
    for t in range(kept):
        row = x[t]
        fitted = constant
        for f in range(size):
            fitted += row[f] * line[f]
        miss = target[t] - fitted
        bent = miss * over
        if bent > half:
            bent = half
        elif bent < -half:
            bent = -half
        else:
            near += 1
        slope = level - half + bent
        total += slope
        for f in range(size):
            gradient[f] += slope * row[f]
    for f in range(size):
        gradient[f] /= kept
    return total / kept, near / kept


@njit(cache=True)
def _misses(x: np.ndarray, target: np.ndarray, kept: int, line: np.ndarray, constant: float) -> np.ndarray:
    """Residuals of a line."""
    out = np.empty(kept)
    for t in range(kept):
        fitted = constant
        for f in range(line.size):
            fitted += x[t, f] * line[f]
        out[t] = target[t] - fitted
    return out


@njit(cache=True)
def check_lines(
    common: np.ndarray,  # (n, Z, F1)
    ahead: np.ndarray,  # (n, Z, S, F2)
    y: np.ndarray,  # (n, Z, S), nan where unknown
    gram: np.ndarray,  # (Z, S, P, P) sums over the rows known: constant, features, outcome
    start: np.ndarray,  # (Z, S, 1 + F) lines to begin from, constant first
    penalty: np.ndarray,  # (Z, S) of ridge lines
    ease: np.ndarray,  # (Z, S, F) how hard each feature is penalised in comparison
    levels: np.ndarray,  # (Q,) quantile levels
    band: float,  # half width of the smoothing in residual deviations; 0: by the number of rows
    rounds: int,  # most steps of the descent
    exact: bool,  # whether the constant is moved to the very quantile of the residuals
    out: np.ndarray,  # (Z, S, Q, 1 + F) filled: lines, constant first
) -> None:
    """Quantile lines by preconditioned gradient descent with Barzilai-Borwein steps.

    The preconditioner is the ridge matrix times the mean curvature of the loss. A line's own rows alone decide when
    it is done, so that it does not matter what it is fitted with.
    """
    n, zones, horizons, f2 = ahead.shape
    features = common.shape[2] + f2
    padded = -(-features // PAD) * PAD
    x = np.zeros((n, padded), np.float32)
    target = np.empty(n, np.float32)
    line = np.zeros(padded, np.float32)
    gradient = np.zeros(padded, np.float32)
    cov = np.empty((features, features))
    factor = np.zeros((features, features))
    mean, inverse = np.zeros(features), np.zeros(features)
    slope, last, step = np.zeros(features), np.zeros(features), np.zeros(features)
    for z in range(zones):
        for s in range(horizons):
            g = gram[z, s]
            rows = g[0, 0]
            if rows < 1.0:
                out[z, s] = 0.0
                continue
            for f in range(features):
                mean[f] = g[1 + f, 0] / rows
                square = g[1 + f, 1 + f] / rows
                variance = square - mean[f] ** 2
                inverse[f] = 1.0 / np.sqrt(variance) if variance > 1e-6 * square + 1e-12 else 0.0
            for f in range(features):
                for h in range(features):
                    cov[f, h] = (g[1 + f, 1 + h] / rows - mean[f] * mean[h]) * inverse[f] * inverse[h]
                cov[f, f] += penalty[z, s] * ease[z, s, f]
            _factor(cov, factor)
            kept = _design(common[:, z], ahead[:, z, s], y[:, z, s], mean, inverse, x, target)
            for q in range(levels.size):
                level = levels[q]
                constant = np.float64(start[z, s, 0])
                for f in range(features):
                    line[f] = start[z, s, 1 + f] / inverse[f] if inverse[f] > 0.0 else 0.0
                    constant += start[z, s, 1 + f] * mean[f]
                miss = _misses(x, target, kept, line, constant)
                deviation = np.sqrt(np.mean(miss**2))
                if deviation < 1e-6:
                    out[z, s, q] = start[z, s]
                    continue
                if level != 0.5:
                    constant += np.quantile(miss, level)
                share = band
                if band <= 0.0:
                    share = max(0.05, np.sqrt(level * (1 - level)) * ((features + np.log(rows)) / rows) ** 0.4)
                width = deviation * min(share, 1.0)
                curvature, pace, squared_before, drift_before = 0.0, 1.0, 0.0, 0.0
                for turn in range(rounds):
                    drift, near = _slopes(x, target, kept, line, constant, level, width, gradient)  # type: ignore[arg-type]
                    if turn == 0:
                        curvature = max(near, 0.02) / (2 * width)
                    for f in range(features):
                        slope[f] = gradient[f] / curvature - penalty[z, s] * ease[z, s, f] * line[f]
                    drift /= curvature
                    if turn > 0:
                        # Barzilai-Borwein: the step before, over how much the slope fell along it.
                        fell = 0.0
                        for f in range(features):
                            fell += step[f] * (last[f] - slope[f])
                        fell += drift_before * (drift_before - drift)
                        pace = min(max(pace * squared_before / max(fell, 1e-12), 0.2), 8.0)
                    _backsolve(factor, slope, step)
                    squared = drift * drift
                    for f in range(features):
                        squared += step[f] * slope[f]
                        last[f] = slope[f]
                        line[f] += pace * step[f]
                    constant += pace * drift
                    squared_before, drift_before = squared, drift
                    if squared < (1e-3 * deviation) ** 2:
                        break
                if exact:
                    constant += np.quantile(_misses(x, target, kept, line, constant), level)
                row = out[z, s, q]
                for f in range(features):
                    row[1 + f] = line[f] * inverse[f]
                    constant -= row[1 + f] * mean[f]
                row[0] = constant
