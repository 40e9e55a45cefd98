"""Logistic regressions of many zones at once, shrunk towards a prior."""

from __future__ import annotations

import numpy as np

CLIP = 30.0  # log odds beyond which a chance is 0 or 1 in double precision, near enough


def chance(log_odds: np.ndarray) -> np.ndarray:
    """Probability of a log odds, without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -CLIP, CLIP)))


def log_odds(p: np.ndarray, floor: float = 1e-6) -> np.ndarray:
    """Log odds of a probability, kept `floor` away from 0 and 1."""
    inside = np.clip(p, floor, 1.0 - floor)
    return np.log(inside) - np.log1p(-inside)


def logistic_lines(
    x: np.ndarray,
    happened: np.ndarray,
    *,
    prior: np.ndarray,
    precision: np.ndarray,
    start: np.ndarray | None = None,
    sweeps: int = 12,
    tolerance: float = 1e-6,
) -> np.ndarray:
    """Coefficients that maximise each zone's log likelihood minus half the weighted squared distance from a prior.

    Newton's method (iteratively reweighted least squares), all zones side by side, each step halved until it improves.

    Parameters
    ----------
    x : ndarray of float32, shape (Z, n, P)
        Features; a constant is one of them.
    happened : ndarray, shape (Z, n)
        1 where it happened, 0 where not, `nan` where unknown; values between count in part.
    prior, precision : ndarray, shape (P,) or (Z, P)
        Where coefficients go without evidence, and how strongly (1 over the variance of the coefficient), above 0.
    start : ndarray or None, shape (Z, P)
        Coefficients to start from; None starts at the prior.
    sweeps : int
        Most Newton steps.
    tolerance : float
        Stop when no coefficient moved by more.

    Returns
    -------
    ndarray of float64, shape (Z, P)

    References
    ----------
    le Cessie & van Houwelingen (1992), doi:10.2307/2347628
    """
    zones, _, width = x.shape
    known = np.isfinite(happened)
    y = np.where(known, happened, 0.0)
    prior, precision = np.broadcast_to(prior, (zones, width)), np.broadcast_to(precision, (zones, width))
    beta = np.array(prior if start is None else start, dtype=np.float64)
    at = np.arange(width)
    value, eta = _penalised(x, y, known, beta, prior, precision)
    for _ in range(sweeps):
        p = chance(eta)
        slope = np.einsum("znp,zn->zp", x, np.where(known, y - p, 0.0), optimize=True) - precision * (beta - prior)
        weighted = x * np.sqrt(np.where(known, p * (1.0 - p), 0.0)).astype(np.float32)[:, :, None]
        curve = (weighted.transpose(0, 2, 1) @ weighted).astype(np.float64)
        curve[:, at, at] += precision
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        for _ in range(8):
            tried, tried_eta = _penalised(x, y, known, beta + step, prior, precision)
            worse = tried < value - 1e-7 * (1.0 + np.abs(value))
            if not worse.any():
                break
            step[worse] *= 0.5
        else:
            step[worse] = 0.0
            tried, tried_eta = _penalised(x, y, known, beta + step, prior, precision)
        beta, value, eta = beta + step, tried, tried_eta
        if np.abs(step).max(initial=0.0) < tolerance:
            break
    return beta


def _penalised(
    x: np.ndarray, y: np.ndarray, known: np.ndarray, beta: np.ndarray, prior: np.ndarray, precision: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Penalised log likelihood (Z,) and log odds (Z, n)."""
    eta = np.clip((x @ beta.astype(np.float32)[..., None])[..., 0].astype(np.float64), -CLIP, CLIP)
    likelihood = np.where(known, y * eta - np.logaddexp(0.0, eta), 0.0).sum(axis=1)
    return likelihood - 0.5 * (precision * (beta - prior) ** 2).sum(axis=1), eta
