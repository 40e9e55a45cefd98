"""Projection: forecasts of all levels made to agree, at the least cost in the metric of their errors."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import nnls

from models.errors import SettingsError

Method = Literal["city_kept", "bottom_up", "ols", "wls", "structural", "mint"]
METHODS: tuple[Method, ...] = ("city_kept", "bottom_up", "ols", "wls", "structural", "mint")
_LEAST = 1e-6  # of the mean eigenvalue: the least that correlations keep
_JITTER = 1e-9  # of the mean variance, so that a node without errors does not stop the solver


def error_matrix(method: Method, upper: np.ndarray, errors: np.ndarray | None) -> np.ndarray:
    """The matrix W whose inverse prices changes of the base forecasts, shape (N, N).

    Parameters
    ----------
    method : {"city_kept", "bottom_up", "ols", "wls", "structural", "mint"}
        The city's own forecast, all others made to fit it; zones alone; all nodes alike; variances of their errors;
        numbers of zones below them; shrunk covariances of their errors.
    upper : ndarray, shape (M, Z)
        What zones add to the nodes above, see `Hierarchy.upper`.
    errors : ndarray or None, shape (n, N)
        Base forecast less reading on rows that no model saw; `nan` where there was none.

    Raises
    ------
    SettingsError
        For an unknown method, or one that needs errors and gets none.

    References
    ----------
    Hyndman et al. (2011), doi:10.1016/j.csda.2011.03.006 (OLS); Athanasopoulos et al. (2017),
    doi:10.1016/j.ejor.2017.02.046 (structural); Wickramasuriya, Athanasopoulos & Hyndman (2019),
    doi:10.1080/01621459.2018.1448825 (MinT); Schafer & Strimmer (2005), doi:10.2202/1544-6115.1175 (shrinkage)
    """
    m, zones = upper.shape
    if method not in METHODS:
        raise SettingsError(f"there is no method {method!r} of reconciliation; there are {METHODS}")
    if method == "bottom_up":
        return np.diag(np.concatenate([np.ones(m), np.zeros(zones)]))
    if method == "ols":
        return np.eye(m + zones)
    if method == "structural":
        return np.diag(np.concatenate([(upper > 0).sum(axis=1).astype(float), np.ones(zones)]))
    if method == "city_kept":
        return np.diag(np.concatenate([[0.0], (upper[1:] > 0).sum(axis=1).astype(float), np.ones(zones)]))
    if errors is None or errors.shape[0] < 2:
        raise SettingsError(f"method {method!r} needs errors of the base forecasts; ols and structural need none")
    full = shrunk_covariance(errors)
    level = float(np.trace(full)) / len(full)
    full = full + _JITTER * max(level, 1e-12) * np.eye(len(full))
    return np.diag(np.diag(full)) if method == "wls" else full


def shrunk_covariance(errors: np.ndarray) -> np.ndarray:
    """Covariance (N, N) of errors (n, N), its correlations shrunk towards 0 by as much as they are uncertain.

    Errors are centred; a gap counts as an error of 0 in proportion to the known ones. The share is that of Schafer &
    Strimmer (2005): the sum of the correlations' sampling variances over the sum of their squares.
    """
    known = np.isfinite(errors)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, errors, 0.0).sum(axis=0) / count
    off = np.where(known, errors - mean, 0.0)
    spread = np.sqrt((off**2).sum(axis=0) / count)
    x = off / np.where(spread > 0, spread, 1.0)
    n = np.maximum(known.T.astype(float) @ known, 2.0)
    r = x.T @ x / n
    variance = np.maximum((x**2).T @ (x**2) / n - r**2, 0.0) / (n - 1.0)
    apart = ~np.eye(len(r), dtype=bool)
    squares = float((r[apart] ** 2).sum())
    share = 1.0 if squares <= 0 else float(np.clip(variance[apart].sum() / squares, 0.0, 1.0))
    r = np.clip((1.0 - share) * r, -1.0, 1.0)
    np.fill_diagonal(r, 1.0)
    return np.asarray(_positive(r) * np.outer(spread, spread))


def _positive(r: np.ndarray) -> np.ndarray:
    """Correlations near `r` that are positive definite: pairs heard at different times may contradict each other."""
    values, vectors = np.linalg.eigh(r)
    if values[0] >= _LEAST:
        return r
    mended = (vectors * np.maximum(values, _LEAST)) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    return np.asarray(mended / np.outer(scale, scale))


def mapping(upper: np.ndarray, w: np.ndarray) -> np.ndarray:
    """From base forecasts of all nodes to reconciled ones of the zones, shape (Z, N).

    With constraints C = (I, -upper), y - W C' (C W C')^-1 C y is what comes nearest in the metric of W and adds up; of
    it, the zones. As many numbers are solved for as there are nodes above the zones.
    """
    m, zones = upper.shape
    constraint = np.hstack([np.eye(m), -upper])
    wc = w @ constraint.T
    gain = np.linalg.solve(constraint @ wc, constraint)
    keep = np.eye(m + zones)[m:]
    return np.asarray(keep - wc[m:] @ gain)


def reconcile(base: np.ndarray, upper: np.ndarray, w: np.ndarray, *, nonnegative: bool = True) -> np.ndarray:
    """Reconciled forecasts of all nodes; those above are computed from the zones', so that they add up exactly.

    Parameters
    ----------
    base : ndarray, shape (n, N)
        Of the nodes above (M) and the zones (Z).
    upper : ndarray, shape (M, Z)
    w : ndarray, shape (N, N)
        See `error_matrix`.
    nonnegative : bool
        Where a zone would fall below 0, the nearest forecasts that are 0 or more are found instead of a cut, which
        would no longer be the nearest.

    Returns
    -------
    ndarray, shape (n, N)

    References
    ----------
    Wickramasuriya, Turlach & Hyndman (2020), doi:10.1007/s11222-020-09930-0 (non-negative reconciliation);
    Lawson & Hanson (1974), "Solving least squares problems" (the solver)
    """
    m = upper.shape[0]
    zones = base @ mapping(upper, w).T
    if nonnegative:
        below = np.flatnonzero((zones < 0).any(axis=1))
        if below.size and not w[m:, m:].any():  # bottom-up: the zones' own forecasts
            zones = np.maximum(zones, 0.0)
        elif below.size:
            level = float(np.trace(w)) / len(w)
            factor = np.linalg.cholesky(w + _JITTER * level * np.eye(len(w)))
            tall = np.linalg.solve(factor, np.vstack([upper, np.eye(upper.shape[1])]))
            for row in below:
                zones[row] = nnls(tall, np.linalg.solve(factor, base[row]))[0]
    return np.concatenate([zones @ upper.T, zones], axis=1)
