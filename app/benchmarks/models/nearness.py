"""Who is whose neighbour, where only places are known."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

#: Neighbours of a zone (assumed).
K_NEAREST = 8
EARTH_M = 6_371_008.8  # mean radius, IUGG


def distances_m(lat: Array, lon: Array) -> Array:
    """Great-circle distances of places, m, shape (Z, Z); `nan` where one is not known, 0 on the diagonal."""
    phi, lam = np.radians(np.asarray(lat, dtype=float)), np.radians(np.asarray(lon, dtype=float))
    half = (
        np.sin((phi[:, None] - phi) / 2.0) ** 2
        + np.cos(phi)[:, None] * np.cos(phi) * np.sin((lam[:, None] - lam) / 2.0) ** 2
    )
    apart: Array = 2.0 * EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return apart


def nearest_weights(apart: Array, *, k: int = K_NEAREST) -> Array:
    """Weights of the k nearest neighbours by a Gaussian kernel, rows summing to 1, shape (Z, Z).

    Parameters
    ----------
    apart : ndarray, shape (Z, Z)
        Distances, m; `nan` for pairs that are no neighbours.
    k : int

    Notes
    -----
    exp(-(d / s)^2) with s the standard deviation of the distances to the k nearest, as DCRNN made METR-LA's graph from
    road distances (Li et al. 2018, arXiv:1707.01926).
    """
    apart = np.where(np.eye(len(apart), dtype=bool) | ~np.isfinite(apart), np.inf, apart)
    order = np.argsort(apart, axis=1, kind="stable")[:, : min(k, len(apart) - 1)]
    near = np.take_along_axis(apart, order, axis=1)
    known = np.isfinite(near)
    scale = near[known].std() if known.any() else 1.0
    weights = np.zeros(apart.shape)
    kernel = np.where(known, np.maximum(np.exp(-((np.where(known, near, 0.0) / max(scale, 1.0)) ** 2)), 1e-6), 0.0)
    np.put_along_axis(weights, order, kernel, axis=1)
    return rows_sum_to_one(weights)


def rows_sum_to_one(weights: Array) -> Array:
    """Weights without the diagonal, each row divided by its sum; a row of zeros stays."""
    weights = weights.astype(float)
    np.fill_diagonal(weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
