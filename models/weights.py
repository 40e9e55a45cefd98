"""Ensemble weights: shares of several forecasts, none negative, summing to one, learned from out-of-fold errors.

With shares that sum to one, the ensemble's error is the same mix of its members' errors, so that the best shares
follow from the matrix C of the errors' mean products: least w'Cw on the simplex. Each zone's C is drawn towards that
of all zones, so that a short history does not hand out weights by luck.
"""

from __future__ import annotations

import numpy as np

POOL_DAYS = 10.0  # days of left-out errors that all zones together count for in a zone's own matrix (assumed)
RIDGE = 0.002  # of the mean error: draws shares towards equal ones, where members are alike (assumed)
_STEPS = 400
_ROUNDS = 4  # of reweighting, for absolute errors


def stacking_weights(errors: np.ndarray, day: np.ndarray, *, pool_days: float = POOL_DAYS) -> np.ndarray:
    """Shares of M members by zone and horizon that make the absolute errors least.

    Parameters
    ----------
    errors : ndarray, shape (M, n, Z, S)
        Out-of-fold forecast less reading, on one scale; `nan` where there was no reading.
    day : ndarray of int, shape (n,)
        Local day of each origin.
    pool_days : float
        Days that all zones' errors count for beside a zone's own.

    Returns
    -------
    ndarray, shape (M, Z, S)
        Not negative, summing to one along the first axis; equal shares where nothing is known.

    References
    ----------
    Breiman (1996), doi:10.1007/BF00117832 (stacking with such shares); absolute errors by reweighting squares,
    Schlossmacher (1973), doi:10.1080/01621459.1973.10481336.
    """
    members, _, zones, horizons = errors.shape
    heard = np.isfinite(errors).all(axis=0)
    errors = np.where(heard, errors, 0.0).astype(np.float32)
    size = np.abs(errors).mean(axis=0).sum(axis=0) / np.maximum(heard.sum(axis=0), 1)  # (Z, S)
    size = np.maximum(size, 1e-9)
    errors = errors / size.astype(np.float32)
    days = float(np.unique(day).size)
    weights = np.full((members, zones, horizons), 1.0 / members)
    for _ in range(_ROUNDS):
        mixed = np.einsum("mnzs,mzs->nzs", errors, weights.astype(np.float32))
        pull = heard / np.maximum(np.abs(mixed), 0.1)
        own = np.einsum("anzs,bnzs,nzs->zsab", errors, errors, pull, optimize=True)
        own /= np.maximum(heard.sum(axis=0), 1)[..., None, None]
        pooled = own.mean(axis=0, keepdims=True)
        matrix = (days * own + pool_days * pooled) / (days + pool_days)
        weights = _on_simplex(matrix).transpose(2, 0, 1)
    return weights


def _on_simplex(matrix: np.ndarray) -> np.ndarray:
    """Shares w (..., M) that make w'Cw least, not negative, summing to one: exponentiated gradient steps.

    References
    ----------
    Kivinen & Warmuth (1997), doi:10.1006/inco.1996.2612
    """
    members = matrix.shape[-1]
    level = np.trace(matrix, axis1=-2, axis2=-1)[..., None, None] / members
    matrix = matrix + RIDGE * level * np.eye(members)
    rate = 0.5 / np.maximum(np.abs(matrix).max(axis=(-2, -1)), 1e-12)[..., None]
    weights = np.full(matrix.shape[:-1], 1.0 / members)
    for _ in range(_STEPS):
        slope = np.einsum("...ab,...b->...a", matrix, weights)
        slope = slope - (slope * weights).sum(axis=-1, keepdims=True)
        weights = weights * np.exp(-np.clip(4.0 * rate * slope, -5.0, 5.0))
        weights = weights / weights.sum(axis=-1, keepdims=True)
    weights = np.where(weights < 0.01, 0.0, weights)
    return weights / weights.sum(axis=-1, keepdims=True)
