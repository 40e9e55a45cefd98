"""Ensemble weights: shares of several forecasts, none negative, summing to one, learned from out-of-fold errors.

With shares that sum to one, the ensemble's error is the same mix of its members' errors, so that the best shares
follow from the matrix C of the errors' mean products: least w'Cw on the simplex. Each zone's C is drawn towards that
of all zones, so that a short history does not hand out weights by luck.
"""

from __future__ import annotations

import numpy as np

POOL_DAYS = 10.0  # days of left-out errors that all zones together count for in a zone's own matrix (assumed)
RIDGE = 0.002  # of the errors' mean square: draws shares towards equal ones, where members are alike (assumed)
#: Ridges of which `ensemble` takes, by horizon, the one that served best on folds that its shares had not seen.
RIDGES = (RIDGE, 0.02, 0.1)
LEAST_SHARE = 0.01  # below it a member is left out, so that it need not be run (assumed)
_ROUNDS = 4  # of reweighting, for absolute errors


def stacking_weights(
    errors: np.ndarray, day: np.ndarray, *, pool_days: float = POOL_DAYS, ridge: float | np.ndarray = RIDGE
) -> np.ndarray:
    """Shares of M members by zone and horizon that make the absolute errors least.

    Parameters
    ----------
    errors : ndarray, shape (M, n, Z, S)
        Out-of-fold forecast less reading, on one scale; `nan` where there was no reading.
    day : ndarray of int, shape (n,)
        Local day of each origin.
    pool_days : float
        Days that all zones' errors count for beside a zone's own.
    ridge : float or ndarray, shape (S,)
        Share of the errors' mean square that draws shares towards equal ones: what was best by a little over some days
        need not be so over others (Smith & Wallis 2009, doi:10.1111/j.1468-0084.2008.00541.x).

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
        pull = heard / np.maximum(np.abs(mixed), 0.2)
        own = np.einsum("anzs,bnzs,nzs->zsab", errors, errors, pull, optimize=True)
        own /= np.maximum(heard.sum(axis=0), 1)[..., None, None]
        pooled = own.mean(axis=0, keepdims=True)
        matrix = (days * own + pool_days * pooled) / (days + pool_days)
        weights = _on_simplex(matrix, np.broadcast_to(ridge, horizons)).transpose(2, 0, 1)
    return weights


def mixed(levels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Members' forecasts (M, n, Z, S), each weighed (M, Z, S): (n, Z, S)."""
    return np.asarray(np.einsum("mnzs,mzs->nzs", levels, weights))


def spread_of(levels: np.ndarray, weights: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Weighed standard deviation of the members' forecasts around what they mix to, (n, Z, S)."""
    square = sum(w * (level - middle) ** 2 for level, w in zip(levels, weights))
    return np.asarray(np.sqrt(square))


def _on_simplex(matrix: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Shares w (Z, S, M) that make w'Cw least, not negative, summing to one; C has a ridge (S,) beside.

    The unbounded shares, C^-1 1 over their sum; where one is negative, the most negative member is left out and the
    rest solved again.
    """
    members = matrix.shape[-1]
    level = np.trace(matrix, axis1=-2, axis2=-1)[..., None, None] / members
    matrix = matrix + (ridge[:, None, None] * np.minimum(level, _least(matrix)) + 1e-12) * np.eye(members)
    left = np.ones(matrix.shape[:-1], dtype=bool)
    weights = np.full(matrix.shape[:-1], 1.0 / members)
    for _ in range(members):
        both = left[..., :, None] & left[..., None, :]
        system = np.where(both, matrix, 0.0) + np.where(left, 0.0, 1.0)[..., None] * np.eye(members)
        found = np.linalg.solve(system, left.astype(float)[..., None])[..., 0] * left
        total = found.sum(axis=-1, keepdims=True)
        weights = np.divide(found, total, out=weights, where=np.abs(total) > 1e-12)
        worst = np.argmin(weights, axis=-1)
        negative = np.take_along_axis(weights, worst[..., None], axis=-1) < 0
        if not negative.any():
            break
        left &= ~(negative & (np.arange(members) == worst[..., None]))
    weights = np.where(weights < LEAST_SHARE, 0.0, weights)
    return weights / weights.sum(axis=-1, keepdims=True)


def _least(matrix: np.ndarray) -> np.ndarray:
    """Least diagonal entry of each matrix, shape (..., 1, 1): the best member's mean squared error."""
    return np.diagonal(matrix, axis1=-2, axis2=-1).min(axis=-1)[..., None, None]
