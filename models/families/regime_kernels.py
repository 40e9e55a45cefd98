"""Kernels of the regime family: soft clusters of many zones, zone after zone.

All regimes of a zone share one covariance, so that the log chance of a regime is linear in the state.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def responsibilities(
    state: np.ndarray,  # (Z, m, d) whitened states, float32
    slopes: np.ndarray,  # (Z, K, d)
    offsets: np.ndarray,  # (Z, K), -inf for a regime that is not there
) -> np.ndarray:  # (Z, m, K) float32, each row summing to 1
    """Chance of each regime given the state."""
    zones, m, d = state.shape
    count = offsets.shape[1]
    out = np.zeros((zones, m, count), dtype=np.float32)
    score = np.empty(count)
    for z in range(zones):
        for i in range(m):
            best = -np.inf
            for k in range(count):
                score[k] = offsets[z, k]
                for j in range(d):
                    score[k] += slopes[z, k, j] * state[z, i, j]
                best = max(best, score[k])
            total = 0.0
            for k in range(count):
                score[k] = np.exp(score[k] - best)
                total += score[k]
            for k in range(count):
                out[z, i, k] = score[k] / total
    return out


@njit(cache=True)
def gate(
    centres: np.ndarray,  # (K, d)
    shares: np.ndarray,  # (K,)
    inverse: np.ndarray,  # (d, d) of the covariance within regimes
    slopes: np.ndarray,  # (K, d) out
    offsets: np.ndarray,  # (K,) out
) -> None:
    """Slopes and offsets of the regimes' log chances."""
    for k in range(centres.shape[0]):
        half = 0.0
        for j in range(centres.shape[1]):
            slopes[k, j] = 0.0
            for i in range(centres.shape[1]):
                slopes[k, j] += inverse[j, i] * centres[k, i]
            half += 0.5 * slopes[k, j] * centres[k, j]
        offsets[k] = np.log(shares[k]) - half


@njit(cache=True)
def mixtures(
    state: np.ndarray,  # (Z, m, d) whitened states of mean 0, float32
    centres: np.ndarray,  # (Z, K, d) to start from; changed in place
    shares: np.ndarray,  # (Z, K) to start from, above 0; changed in place
    sweeps: int,
    floor: float,  # added to the variances within regimes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # slopes (Z, K, d), offsets (Z, K), mean log likelihood (Z,)
    """Gaussian mixtures of one covariance a zone, by expectation-maximisation."""
    zones, m, d = state.shape
    count = centres.shape[1]
    slopes, offsets = np.zeros((zones, count, d)), np.zeros((zones, count))
    likelihood = np.zeros(zones)
    score = np.empty(count)
    weight = np.empty(count)
    total = np.empty((count, d))
    for z in range(zones):
        scatter = np.zeros((d, d))
        for i in range(m):
            for j in range(d):
                for k in range(j + 1):
                    scatter[j, k] += state[z, i, j] * state[z, i, k] / m
        for j in range(d):
            for k in range(j):
                scatter[k, j] = scatter[j, k]
        before = -np.inf
        for _ in range(sweeps):
            within = scatter.copy()
            for k in range(count):
                for j in range(d):
                    for i in range(d):
                        within[j, i] -= shares[z, k] * centres[z, k, j] * centres[z, k, i]
            # a start may be further out than the scatter allows; keep the covariance a covariance
            values, axes = np.linalg.eigh(within)
            values = np.maximum(values, 0.0) + floor
            inverse = (axes / values) @ axes.T
            gate(centres[z], shares[z], inverse, slopes[z], offsets[z])
            likelihood[z] = -0.5 * np.log(values).sum() - 0.5 * (inverse * scatter).sum()
            weight[:] = 0.0
            total[:] = 0.0
            for i in range(m):
                best = -np.inf
                for k in range(count):
                    score[k] = offsets[z, k]
                    for j in range(d):
                        score[k] += slopes[z, k, j] * state[z, i, j]
                    best = max(best, score[k])
                norm = 0.0
                for k in range(count):
                    score[k] = np.exp(score[k] - best)
                    norm += score[k]
                likelihood[z] += (best + np.log(norm)) / m
                for k in range(count):
                    r = score[k] / norm
                    if r > 1e-6:
                        weight[k] += r
                        for j in range(d):
                            total[k, j] += r * state[z, i, j]
            for k in range(count):
                shares[z, k] = max(weight[k] / m, 1e-4)
                if weight[k] > 1e-3:
                    for j in range(d):
                        centres[z, k, j] = total[k, j] / weight[k]
            shares[z] /= shares[z].sum()
            if likelihood[z] - before < 1e-6:
                break
            before = likelihood[z]
    return slopes, offsets, likelihood
