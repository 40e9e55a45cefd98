"""Kernels for sparse lines: coordinate descent on Gram matrices, down a path of penalties."""

from __future__ import annotations

import numpy as np
from numba import njit

#: What the compiler may do to sums to use wide instructions; `nan` keeps its meaning.
FAST = {"contract", "reassoc", "nsz", "arcp"}
#: The path ends after so many penalties in a row that are no better than the best.
PATIENCE = 3


@njit(cache=True)
def _standardised(sums: np.ndarray, inverse: np.ndarray, mean: np.ndarray, cov: np.ndarray, right: np.ndarray) -> None:
    """Covariances of the features and with the outcome in units of the features' deviations, and means (P,)."""
    rows = max(sums[0, 0], 1.0)
    size = right.size
    for i in range(size + 2):
        mean[i] = sums[i, 0] / rows
    for i in range(size):
        source = sums[1 + i]
        for j in range(size):
            cov[i, j] = (source[1 + j] / rows - mean[1 + i] * mean[1 + j]) * inverse[i] * inverse[j]
        right[i] = (source[1 + size] / rows - mean[1 + i] * mean[1 + size]) * inverse[i]


@njit(cache=True, fastmath=FAST)
def _descend(
    cov: np.ndarray, left: np.ndarray, beta: np.ndarray, flat: np.ndarray, round_: np.ndarray, sweeps: int
) -> None:
    """Coordinate descent from `beta`, in place; `left` is the outcome's covariance not yet explained."""
    size = beta.size
    for _ in range(sweeps):
        most = 0.0
        for j in range(size):
            diagonal = cov[j, j]
            if diagonal <= 0.0:
                continue
            pull = left[j] + diagonal * beta[j]
            new = 0.0
            if pull > flat[j]:
                new = (pull - flat[j]) / (diagonal + round_[j])
            elif pull < -flat[j]:
                new = (pull + flat[j]) / (diagonal + round_[j])
            change = new - beta[j]
            if change != 0.0:
                beta[j] = new
                column = cov[j]
                for k in range(size):
                    left[k] -= change * column[k]
                most = max(most, abs(change))
        if most < 1e-4:
            return


@njit(cache=True)
def _raw(beta: np.ndarray, inverse: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
    """Raw coefficients, constant first, from standardised ones."""
    out[0] = mean[beta.size + 1]
    for j in range(beta.size):
        out[1 + j] = beta[j] * inverse[j]
        out[0] -= out[1 + j] * mean[1 + j]


@njit(cache=True, fastmath=FAST)
def _squares(sums: np.ndarray, line: np.ndarray) -> float:
    """Sum of squared errors of a line over the rows behind the sums; features without a coefficient cost nothing."""
    last = line.size
    total = sums[last, last]
    for i in range(last):
        if line[i] == 0.0:
            continue
        source = sums[i]
        inner = -2.0 * source[last]
        for j in range(last):
            inner += source[j] * line[j]
        total += line[i] * inner
    return total


@njit(cache=True)
def sparse_lines(
    whole: np.ndarray,  # (N, K, P, P) sums over the rows of each block
    judged: np.ndarray,  # (N, K, P, P) sums over the rows of each block that are judged
    path: np.ndarray,  # (R,) penalties as shares of the least that leaves no feature unspared, falling
    ease: np.ndarray,  # (F,) how hard each feature is penalised in comparison
    mix: float,  # share of the penalty on absolute (1: lasso) rather than squared coefficients
    caution: float,  # how many standard errors worse than the best a sparser line may be
    sweeps: int,  # most rounds over the features at each penalty
    lines: np.ndarray,  # (N, 1 + F) filled: constant first
    penalties: np.ndarray,  # (N,) filled: penalties chosen
) -> None:
    """Lasso or elastic-net lines with the penalty of least error on blocks left out."""
    systems, folds, width, _ = whole.shape
    size = width - 2
    cov, right, left = np.empty((size, size)), np.empty(size), np.empty(size)
    beta, inverse, mean, line = np.empty(size), np.zeros(size), np.empty(width), np.empty(size + 1)
    total = np.empty((width, width))
    errors, mean_error = np.empty((folds, path.size)), np.empty(path.size)
    covs, lefts, means = np.empty((folds, size, size)), np.empty((folds, size)), np.empty((folds, width))
    betas = np.empty((folds, size))
    for n in range(systems):
        total[:] = 0.0
        for k in range(folds):
            total += whole[n, k]
        rows = total[0, 0]
        if rows < 1.0:
            lines[n] = 0.0
            penalties[n] = 0.0
            continue
        for f in range(size):
            square = total[1 + f, 1 + f] / rows
            variance = square - (total[1 + f, 0] / rows) ** 2
            inverse[f] = 1.0 / np.sqrt(variance) if variance > 1e-6 * square + 1e-12 else 0.0
        _standardised(total, inverse, mean, cov, right)
        most = 1e-12
        for f in range(size):
            most = max(most, abs(right[f]) / max(mix, 0.001) / max(ease[f], 1.0))
        for k in range(folds):
            _standardised(total - whole[n, k], inverse, means[k], covs[k], lefts[k])
        betas[:] = 0.0
        mean_error[:] = np.inf
        best = 0
        for r in range(path.size):
            weight = most * path[r]
            for k in range(folds):
                _descend(covs[k], lefts[k], betas[k], weight * mix * ease, weight * (1.0 - mix) * ease, sweeps)
                _raw(betas[k], inverse, means[k], line)
                errors[k, r] = _squares(judged[n, k], line)
            mean_error[r] = errors[:, r].mean()
            if mean_error[r] < mean_error[best]:
                best = r
            elif r >= best + PATIENCE:
                break
        if folds > 1 and caution > 0.0:
            for r in range(best):
                gap = errors[:, r] - errors[:, best]
                if gap.mean() <= caution * np.std(gap) / np.sqrt(folds - 1.0):
                    best = r
                    break
        _standardised(total, inverse, mean, cov, right)
        beta[:] = 0.0
        left[:] = right
        for r in range(best + 1):
            weight = most * path[r]
            _descend(cov, left, beta, weight * mix * ease, weight * (1.0 - mix) * ease, sweeps)
        _raw(beta, inverse, mean, line)
        lines[n] = line
        penalties[n] = most * path[best]
