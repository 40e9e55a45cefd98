"""Kernels over Gram matrices of many small systems: sums over rows, ridge lines, leave-a-block-out errors.

A system is one line: a zone and a horizon. Its Gram matrix has the constant first, then the features, then the
outcome. LANES systems are worked on side by side, the innermost index running over them, so that one instruction of
the processor advances several; each system's arithmetic is the same whatever its neighbours are. Symmetric matrices
are packed: row i of the lower triangle begins at i (i + 1) / 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 64
_LINE = 16  # lanes that are filled together: as many as a line of the processor's cache holds
#: What the compiler may do to sums to use wide instructions; `nan` keeps its meaning.
FAST = {"contract", "reassoc", "nsz", "arcp"}


@njit(cache=True)
def leave_out_masked(
    common: np.ndarray,  # (n, Z, F1) rows of one segment
    y: np.ndarray,  # (n, Z, S) outcomes, nan where unknown
    gram: np.ndarray,  # (Z, S, P, P) sums over all rows, constant first; the common part is changed in place
) -> None:
    """Take rows without an outcome out of the Gram matrix of each horizon, or add up the few that have one."""
    n, zones, f1 = common.shape
    x = np.ones(1 + f1, gram.dtype)
    for z in range(zones):
        for s in range(y.shape[2]):
            kept = 0
            for t in range(n):
                kept += np.isfinite(y[t, z, s])
            if kept == n:
                continue
            g = gram[z, s]
            add = 2 * kept < n
            if add:
                g[: 1 + f1, : 1 + f1] = 0.0
            for t in range(n):
                if np.isfinite(y[t, z, s]) != add:
                    continue
                x[1:] = common[t, z]
                for i in range(1 + f1):
                    xi = x[i] if add else -x[i]
                    gi = g[i]
                    for j in range(1 + f1):
                        gi[j] += xi * x[j]


@njit(cache=True)
def _load(gram: np.ndarray, first: int, out: np.ndarray) -> None:
    """Lower triangles of up to LANES systems, packed, side by side; the last one fills lanes left over."""
    last = gram.shape[0] - 1
    width = gram.shape[1]
    for start in range(0, LANES, _LINE):
        k = 0
        for i in range(width):
            for j in range(i + 1):
                for lane in range(start, start + _LINE):
                    out[k, lane] = gram[min(first + lane, last), i, j]
                k += 1


@njit(cache=True)
def _spread(total: np.ndarray, width: int, inverse: np.ndarray) -> None:
    """One over the standard deviation of each feature (0 where it does not vary) from packed sums."""
    for i in range(1, width - 1):
        row, diagonal = i * (i + 1) // 2, i * (i + 1) // 2 + i
        for lane in range(LANES):
            n = max(total[0, lane], 1.0)
            mean = total[row, lane] / n
            square = total[diagonal, lane] / n
            variance = square - mean * mean
            inverse[i, lane] = 1.0 / np.sqrt(variance) if variance > 1e-6 * square + 1e-12 else 0.0


@njit(cache=True, fastmath=FAST)
def _standardise(sums: np.ndarray, width: int, inverse: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> None:
    """Packed covariances in units of the standard deviations, and means, from packed sums."""
    one_over = mean[0]
    for lane in range(LANES):
        one_over[lane] = 1.0 / max(sums[0, lane], 1.0)
    for i in range(1, width):
        row = i * (i + 1) // 2
        first, own, scale_i = sums[row], mean[i], inverse[i]
        for lane in range(LANES):
            own[lane] = first[lane] * one_over[lane]
        for j in range(1, i + 1):
            source, to, other, scale_j = sums[row + j], cov[row + j], mean[j], inverse[j]
            for lane in range(LANES):
                to[lane] = (source[lane] * one_over[lane] - own[lane] * other[lane]) * (scale_i[lane] * scale_j[lane])


@njit(cache=True, fastmath=FAST)
def _solve(
    cov: np.ndarray, width: int, penalty: np.ndarray, ease: np.ndarray, factor: np.ndarray, beta: np.ndarray
) -> None:
    """Standardised coefficients `beta` (width, LANES) of ridge lines by Cholesky factors; entry 0 is unused.

    The outcome is the last row of `cov`: eliminating it with the others is the forward substitution. Four columns are
    taken at a time, which saves loads and stores of the running sums.
    """
    last = width - 1
    acc = beta[0]
    for i in range(1, width):
        row = i * (i + 1) // 2
        fi = factor[row : row + i + 1]
        for j in range(1, min(i, last - 1) + 1):
            column = j * (j + 1) // 2
            fj = factor[column : column + j + 1]
            source = cov[row + j]
            for lane in range(LANES):
                acc[lane] = source[lane]
            fours = (j - 1) // 4
            for four in range(fours):
                k = 1 + 4 * four
                a, b, c, d = fi[k], fi[k + 1], fi[k + 2], fi[k + 3]
                e, f, g, h = fj[k], fj[k + 1], fj[k + 2], fj[k + 3]
                for lane in range(LANES):
                    acc[lane] -= a[lane] * e[lane] + b[lane] * f[lane] + c[lane] * g[lane] + d[lane] * h[lane]
            for k in range(1 + 4 * fours, j):
                a, e = fi[k], fj[k]
                for lane in range(LANES):
                    acc[lane] -= a[lane] * e[lane]
            to, pivot = fi[j], fj[j]
            if i == j:
                for lane in range(LANES):
                    to[lane] = 1.0 / np.sqrt(max(acc[lane] + penalty[lane] * ease[i], 1e-12))
            else:
                for lane in range(LANES):
                    to[lane] = acc[lane] * pivot[lane]
    row = last * (last + 1) // 2
    for i in range(last - 1, 0, -1):
        own, source, pivot = beta[i], factor[row + i], factor[i * (i + 1) // 2 + i]
        for lane in range(LANES):
            own[lane] = source[lane]
        for k in range(i + 1, last):
            down, other = factor[k * (k + 1) // 2 + i], beta[k]
            for lane in range(LANES):
                own[lane] -= down[lane] * other[lane]
        for lane in range(LANES):
            own[lane] *= pivot[lane]


@njit(cache=True, fastmath=FAST)
def _unscale(width: int, inverse: np.ndarray, mean: np.ndarray, beta: np.ndarray) -> None:
    """From standardised to raw coefficients, in place: constant first, -1 for the outcome last."""
    last = width - 1
    constant = beta[0]
    for lane in range(LANES):
        constant[lane] = mean[last, lane]
        beta[last, lane] = -1.0
    for i in range(1, last):
        own, scale, centre = beta[i], inverse[i], mean[i]
        for lane in range(LANES):
            own[lane] *= scale[lane]
            constant[lane] -= own[lane] * centre[lane]


@njit(cache=True, fastmath=FAST)
def _squares(sums: np.ndarray, width: int, beta: np.ndarray, inner: np.ndarray, out: np.ndarray) -> None:
    """Sum of squared errors of the line `beta` over the rows behind the packed sums."""
    for lane in range(LANES):
        out[lane] = 0.0
    for i in range(width):
        row = i * (i + 1) // 2
        own, diagonal = beta[i], sums[row + i]
        for lane in range(LANES):
            inner[lane] = 0.5 * diagonal[lane] * own[lane]
        fours = i // 4
        for four in range(fours):
            k = 4 * four
            a, b, c, d = sums[row + k], sums[row + k + 1], sums[row + k + 2], sums[row + k + 3]
            e, f, g, h = beta[k], beta[k + 1], beta[k + 2], beta[k + 3]
            for lane in range(LANES):
                inner[lane] += a[lane] * e[lane] + b[lane] * f[lane] + c[lane] * g[lane] + d[lane] * h[lane]
        for k in range(4 * fours, i):
            a, e = sums[row + k], beta[k]
            for lane in range(LANES):
                inner[lane] += a[lane] * e[lane]
        for lane in range(LANES):
            out[lane] += 2.0 * own[lane] * inner[lane]


@njit(cache=True, fastmath=FAST)
def left_out_errors(
    blocks: np.ndarray,  # (N, K, P, P) sums over the rows of each block
    cores: np.ndarray,  # (N, K, P, P) sums over the rows of each block that are judged
    penalties: np.ndarray,  # (R,) times the identity, on standardised covariances
    ease: np.ndarray,  # (G, P) how hard each feature is penalised in comparison, G ways
) -> np.ndarray:  # (N, G, R) sum of squared errors over all cores, each forecast without its block
    """Errors of ridge lines on the blocks they were not fitted on, without touching a row."""
    systems, folds, width, _ = blocks.shape
    packed = width * (width + 1) // 2
    kind = blocks.dtype
    total = np.empty((packed, LANES), kind)
    block = np.empty((packed, LANES), kind)
    core = np.empty((packed, LANES), kind)
    cov = np.empty((packed, LANES), kind)
    factor = np.empty((packed, LANES), kind)
    inverse = np.empty((width, LANES), kind)
    mean = np.empty((width, LANES), kind)
    beta = np.empty((width, LANES), kind)
    penalty = np.empty(LANES, kind)
    inner = np.empty(LANES, kind)
    square = np.empty(LANES, kind)
    out = np.zeros((systems, ease.shape[0], penalties.size))
    for first in range(0, systems, LANES):
        total[:] = 0.0
        for k in range(folds):
            _load(blocks[:, k], first, block)
            total += block
        _spread(total, width, inverse)
        inverse[width - 1] = 1.0
        for k in range(folds):
            _load(blocks[:, k], first, block)
            _load(cores[:, k], first, core)
            for p in range(packed):
                own, all_of_it = block[p], total[p]
                for lane in range(LANES):
                    own[lane] = all_of_it[lane] - own[lane]
            _standardise(block, width, inverse, mean, cov)
            for g in range(ease.shape[0]):
                for r in range(penalties.size):
                    penalty[:] = penalties[r]
                    _solve(cov, width, penalty, ease[g], factor, beta)
                    _unscale(width, inverse, mean, beta)
                    _squares(core, width, beta, inner, square)
                    for lane in range(min(LANES, systems - first)):
                        out[first + lane, g, r] += square[lane]
    return out


@njit(cache=True, fastmath=FAST)
def searched_penalties(
    blocks: np.ndarray,  # (N, K, P, P) sums over the rows of each block
    cores: np.ndarray,  # (N, K, P, P) sums over the rows of each block that are judged
    penalties: np.ndarray,  # (R,) times the identity, on standardised covariances; ascending
    ease: np.ndarray,  # (P,) how hard each feature is penalised in comparison
) -> np.ndarray:  # (N,) place of the penalty with the least error on blocks left out
    """The best penalty of each system by `left_out_errors`, of which fewer than all are tried.

    Every third is tried, then the two beside the best of these, then one beyond if that was the last; all of up to 4.
    An error that falls and then rises along the penalties has its minimum there.
    """
    systems, folds, width, _ = blocks.shape
    packed, tried = width * (width + 1) // 2, penalties.size
    kind = blocks.dtype
    total = np.empty((packed, LANES), kind)
    block = np.empty((packed, LANES), kind)
    core = np.empty((folds, packed, LANES), kind)
    cov = np.empty((folds, packed, LANES), kind)
    factor = np.empty((packed, LANES), kind)
    inverse = np.empty((width, LANES), kind)
    mean = np.empty((folds, width, LANES), kind)
    beta = np.empty((width, LANES), kind)
    penalty = np.empty(LANES, kind)
    inner = np.empty(LANES, kind)
    square = np.empty(LANES, kind)
    error = np.empty((tried + 3, LANES))
    place = np.empty((tried + 3, LANES), np.int64)
    best = np.empty(LANES, np.int64)
    least = np.empty(LANES)
    out = np.empty(systems, np.int64)
    for first in range(0, systems, LANES):
        total[:] = 0.0
        for k in range(folds):
            _load(blocks[:, k], first, cov[k])
            total += cov[k]
        _spread(total, width, inverse)
        inverse[width - 1] = 1.0
        least[:] = np.inf
        best[:] = tried - 1
        for stage in range(3):
            if stage == 0:
                count = tried if tried <= 4 else (tried + 1) // 3
                for r in range(count):
                    place[r] = r if tried <= 4 else 3 * r + 1
            elif tried <= 4:
                break
            elif stage == 1:
                count = 2
                for lane in range(LANES):
                    place[0, lane] = best[lane] - 1
                    place[1, lane] = min(best[lane] + 1, tried - 1)
            else:
                count = 1
                wanted = False
                for lane in range(LANES):
                    wanted |= best[lane] == tried - 2
                    place[0, lane] = tried - 1
                if not wanted:
                    break
            error[:count] = 0.0
            for k in range(folds):
                if stage == 0:
                    _load(cores[:, k], first, core[k])
                    for p in range(packed):
                        rest, own, all_of_it = block[p], cov[k, p], total[p]
                        for lane in range(LANES):
                            rest[lane] = all_of_it[lane] - own[lane]
                    _standardise(block, width, inverse, mean[k], cov[k])
                for r in range(count):
                    for lane in range(LANES):
                        penalty[lane] = penalties[place[r, lane]]
                    _solve(cov[k], width, penalty, ease, factor, beta)
                    _unscale(width, inverse, mean[k], beta)
                    _squares(core[k], width, beta, inner, square)
                    for lane in range(LANES):
                        error[r, lane] += square[lane]
            for r in range(count):
                for lane in range(LANES):
                    asked = stage < 2 or best[lane] == tried - 2  # not what another lane asked for
                    if asked and error[r, lane] < least[lane]:
                        least[lane], best[lane] = error[r, lane], place[r, lane]
        for lane in range(min(LANES, systems - first)):
            out[first + lane] = best[lane]
    return out


@njit(cache=True, fastmath=FAST)
def ridge_lines(
    gram: np.ndarray,  # (N, P, P) sums over rows
    penalties: np.ndarray,  # (N,) times the identity, on standardised covariances
    ease: np.ndarray,  # (P,) how hard each feature is penalised in comparison
) -> np.ndarray:  # (N, P - 1) raw coefficients, constant first; 0 where a system has no rows
    """Ridge lines of many systems, each at its own penalty."""
    systems, width, _ = gram.shape
    packed = width * (width + 1) // 2
    total = np.empty((packed, LANES))
    cov = np.empty((packed, LANES))
    factor = np.empty((packed, LANES))
    inverse = np.empty((width, LANES))
    mean = np.empty((width, LANES))
    beta = np.empty((width, LANES))
    penalty = np.empty(LANES)
    out = np.zeros((systems, width - 1), np.float32)
    for first in range(0, systems, LANES):
        _load(gram, first, total)
        for lane in range(LANES):
            penalty[lane] = penalties[min(first + lane, systems - 1)]
        _spread(total, width, inverse)
        inverse[width - 1] = 1.0
        _standardise(total, width, inverse, mean, cov)
        _solve(cov, width, penalty, ease, factor, beta)
        _unscale(width, inverse, mean, beta)
        for lane in range(min(LANES, systems - first)):
            if total[0, lane] > 0.0:
                for i in range(width - 1):
                    out[first + lane, i] = beta[i, lane]
    return out


@njit(cache=True, fastmath=FAST)
def add_rows(
    common: np.ndarray,  # (n, Z, F1)
    ahead: np.ndarray,  # (n, Z, S, F2)
    y: np.ndarray,  # (n, Z, S) outcomes; nan rows are passed over
    sign: float,  # 1 adds, -1 takes away
    gram: np.ndarray,  # (Z, S, P, P) sums, constant first and outcome last; changed in place
) -> None:
    """Add rows to the Gram matrix of each zone and horizon."""
    n, zones, horizons, f2 = ahead.shape
    f1 = common.shape[2]
    width = f1 + f2 + 2
    x = np.empty((n, width), gram.dtype)
    way = np.float32(sign)
    for z in range(zones):
        for s in range(horizons):
            kept = 0
            for t in range(n):
                value = y[t, z, s]
                if np.isfinite(value):
                    to, first, second = x[kept], common[t, z], ahead[t, z, s]
                    to[0] = 1.0
                    for f in range(f1):
                        to[1 + f] = first[f]
                    for f in range(f2):
                        to[1 + f1 + f] = second[f]
                    to[width - 1] = value
                    kept += 1
            g = gram[z, s]
            for i in range(width):
                gi = g[i]
                fours = kept // 4
                for four in range(fours):
                    a, b, c, d = x[4 * four], x[4 * four + 1], x[4 * four + 2], x[4 * four + 3]
                    ai, bi, ci, di = way * a[i], way * b[i], way * c[i], way * d[i]
                    for j in range(width):
                        gi[j] += ai * a[j] + bi * b[j] + ci * c[j] + di * d[j]
                for t in range(4 * fours, kept):
                    a = x[t]
                    ai = way * a[i]
                    for j in range(width):
                        gi[j] += ai * a[j]
