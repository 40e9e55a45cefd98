"""Kernels of gradient boosting: one booster of shallow trees, with early stopping."""

from __future__ import annotations

import numpy as np
from numba import njit

from models.families.tree_kernels import COUNT_BITS, COUNT_MASK, grow, next_random, pack

SQUARED, QUANTILE = 0, 1


@njit(cache=True, nogil=True)
def boost(
    bins: np.ndarray,  # (N, F) uint8, oldest first
    y: np.ndarray,  # (N,) float32, finite
    n_train: int,  # the first rows learn, the others tell when to stop
    used: np.ndarray,  # (F,) bins of each feature
    max_bin: int,
    rounds: int,
    patience: int,  # rounds without a better error on the later rows before it stops; 0 never stops
    eta: float,
    max_depth: int,
    min_leaf: int,
    shrink: float,  # rows of no error that each leaf is thought to hold besides
    loss: int,  # SQUARED or QUANTILE
    level: float,  # of the quantile; 0.5 is the absolute loss
    sample: float,  # share of the blocks of rows that a tree learns from
    blocks: int,
    tries: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
    """Boost trees (Friedman 2001, doi:10.1214/aos/1013203451).

    Returns feature, cut, left, value (rounds, nodes) and nodes (rounds,) of the trees kept, the constant, and the
    error on the later rows after 0, 1, ... rounds.
    """
    size = 2 * (1 << max_depth) - 1
    n = y.size
    feature = np.full((rounds, size), -1, dtype=np.int64)
    cut = np.zeros((rounds, size), dtype=np.int64)
    left = np.full((rounds, size), -1, dtype=np.int64)
    value = np.zeros((rounds, size), dtype=np.float32)
    count = np.zeros(rounds, dtype=np.int64)
    start, stop, rank = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    state = np.array([seed], dtype=np.uint64)
    constant = _centre(y[:n_train].copy(), n_train, 0.0, loss, level)
    rest = np.empty(n, dtype=np.float64)
    for i in range(n):
        rest[i] = y[i] - constant
    gradient = np.empty(n)
    packed = np.empty(n, dtype=np.int64)
    memory = np.empty(n)
    order = np.empty(n_train, dtype=np.int64)
    block = max(1, -(-n_train // blocks))
    n_blocks = -(-n_train // block)
    taken = max(1, int(np.rint(sample * n_blocks)))
    deck = np.arange(n_blocks)
    errors = np.full(rounds + 1, np.nan)
    errors[0] = _error(rest, n_train, n, loss, level)
    best, best_round, kept = errors[0], 0, rounds
    for t in range(rounds):
        if loss == SQUARED:
            scale = pack(rest, packed)
        else:
            for i in range(n):
                gradient[i] = level if rest[i] > 0 else (level - 1.0 if rest[i] < 0 else 0.0)
            scale = pack(gradient, packed)
        m = 0
        for k in range(taken):
            if taken < n_blocks:
                j = k + int(next_random(state) * (n_blocks - k))
                deck[k], deck[j] = deck[j], deck[k]
            for row in range(deck[k] * block, min(n_train, (deck[k] + 1) * block)):
                order[m] = row
                m += 1
        nodes = grow(
            bins, packed, scale, order[:m], used, max_bin, 1 << max_depth, max_depth, min_leaf, shrink, 1e-9, tries,
            False, state, feature[t], cut[t], left[t], start, stop, rank,
        )  # fmt: skip
        count[t] = nodes
        for k in range(nodes):
            if left[t, k] >= 0 and loss != SQUARED:
                continue  # filled from the leaves below
            size_k = stop[k] - start[k]
            if loss == SQUARED:
                total = np.int64(0)
                for i in range(start[k], stop[k]):
                    total += packed[order[i]]
                value[t, k] = eta * ((total >> COUNT_BITS) / scale) / ((total & COUNT_MASK) + shrink)
            else:
                for i in range(size_k):
                    memory[i] = rest[order[start[k] + i]]
                value[t, k] = eta * _centre(memory, size_k, shrink, loss, level)
        if loss != SQUARED:
            for k in range(nodes - 1, -1, -1):
                if left[t, k] >= 0:
                    a = left[t, k]
                    n_a, n_b = stop[a] - start[a], stop[a + 1] - start[a + 1]
                    value[t, k] = (value[t, a] * n_a + value[t, a + 1] * n_b) / (n_a + n_b)
        for i in range(n):
            node = 0
            while left[t, node] >= 0:
                node = left[t, node] + (bins[i, feature[t, node]] > cut[t, node])
            rest[i] -= value[t, node]
        if n_train < n:
            errors[t + 1] = _error(rest, n_train, n, loss, level)
            if errors[t + 1] < best:
                best, best_round = errors[t + 1], t + 1
            elif patience > 0 and t + 1 - best_round >= patience:
                break
    if n_train < n and patience > 0:
        kept = best_round
    return feature[:kept], cut[:kept], left[:kept], value[:kept], count[:kept], constant, errors


@njit(cache=True, nogil=True)
def _centre(values: np.ndarray, n: int, shrink: float, loss: int, level: float) -> float:
    """Mean or quantile of the first n values, drawn to 0 as if `shrink` more were 0; puts them in another order."""
    if n == 0:
        return 0.0
    if loss == SQUARED:
        return values[:n].sum() / (n + shrink)
    at = level * (n - 1)
    k = int(at)
    low = _select(values, n, k)
    high = low
    if at > k:
        high = values[k + 1]
        for i in range(k + 2, n):
            high = min(high, values[i])
    return (low + (at - k) * (high - low)) * n / (n + shrink)


@njit(cache=True, nogil=True)
def _select(values: np.ndarray, n: int, k: int) -> float:
    """The k-th smallest of the first n; those after place k are no smaller (Hoare 1961, doi:10.1145/366622.366647)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@njit(cache=True, nogil=True)
def _error(rest: np.ndarray, first: int, last: int, loss: int, level: float) -> float:
    """Mean loss of the rows first to last."""
    total = 0.0
    for i in range(first, last):
        r = rest[i]
        if loss == SQUARED:
            total += r * r
        else:
            total += r * level if r > 0 else r * (level - 1.0)
    return total / max(1, last - first)
