"""OD matrices from counts: the most likely matrix, given a prior and what was counted, within bounds.

Generalised least squares (Cascetta 1984, doi:10.1016/0191-2615(84)90012-2) with independent errors,

    sum over counts ((predicted - counted) / sd)^2 + sum over pairs ((x - prior) / (cv x prior))^2,

solved by gradients (Spiess 1990, A gradient approach for the O-D matrix adjustment problem, publication 693, Centre de
recherche sur les transports, Montreal) without ever holding the matrix of link-use proportions: whoever calls gives the
map from demand to flows and its transpose. As flows depend on demand through congestion, the caller repeats: assign,
estimate, assign again (Yang 1995, doi:10.1016/0191-2615(95)00003-U).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from simulation.errors import DemandError


@dataclass(frozen=True, slots=True, kw_only=True)
class OdEstimate:
    """What the estimation found.

    Attributes
    ----------
    od_veh : ndarray, shape (P, P)
        0 where the prior is.
    predicted : ndarray, shape (m,)
        Flows that go with it.
    misfit_before, misfit : float
        Sum of squares to be minimised, at the prior and at the end.
    at_bound : int
        Pairs that stopped at one of their bounds.
    iterations : int
    """

    od_veh: np.ndarray
    predicted: np.ndarray
    misfit_before: float
    misfit: float
    at_bound: int
    iterations: int


def estimate_od(
    prior_veh: np.ndarray,
    counted: np.ndarray,
    count_sd: np.ndarray,
    flows: Callable[[np.ndarray], np.ndarray],
    pull: Callable[[np.ndarray], np.ndarray],
    *,
    offset: np.ndarray | None = None,
    prior_cv: float = 0.3,
    bounds: tuple[float, float] = (0.1, 5.0),
    start_veh: np.ndarray | None = None,
    iterations: int = 200,
) -> OdEstimate:
    """The matrix that explains counts best without going further from the prior than it must.

    Parameters
    ----------
    prior_veh : ndarray, shape (P, P)
        At least 0; pairs of 0 stay 0.
    counted, count_sd : ndarray, shape (m,)
        Counts and their standard deviations (of the count and of the model that predicts it together), above 0.
    flows : callable
        Linear: OD of shape (P, P) to flows of shape (m,).
    pull : callable
        Its transpose: a number for each count, shape (m,), to one for each pair, shape (P, P).
    offset : ndarray, shape (m,), optional
        Flows that no demand of the matrix makes; predicted flows are `flows(x) + offset`.
    prior_cv : float
        Standard deviation of each pair of the prior, as a share of it; above 0.
    bounds : tuple of float
        Smallest and largest x / prior: 0 <= lower <= 1 <= upper.
    start_veh : ndarray, shape (P, P), optional
        Where the search begins; the result does not depend on it but for rounding, as the problem is convex.
    iterations : int
        Of the search, at most.

    Raises
    ------
    DemandError
        Naming every argument that cannot be used.
    """
    prior, counted, sd = np.asarray(prior_veh, float), np.asarray(counted, float), np.asarray(count_sd, float)
    more = np.zeros_like(counted) if offset is None else np.asarray(offset, float)
    _check(prior, counted, sd, more, prior_cv, bounds)
    pairs = np.nonzero(prior > 0)
    mean = prior[pairs]
    unit = prior_cv * mean

    def whole(z: np.ndarray) -> np.ndarray:
        od = np.zeros_like(prior)
        od[pairs] = mean + unit * z
        return od

    def misfit(z: np.ndarray) -> tuple[float, np.ndarray]:
        gap = (flows(whole(z)) + more - counted) / sd
        return float(gap @ gap + z @ z), 2.0 * (unit * pull(gap / sd)[pairs] + z)

    low, high = (np.full(mean.size, (share - 1.0) / prior_cv) for share in bounds)
    z = np.zeros(mean.size)
    before = misfit(z)[0]
    if start_veh is not None:
        z = np.clip((np.asarray(start_veh, float)[pairs] - mean) / unit, low, high)
    found = minimize(
        misfit, z, jac=True, method="L-BFGS-B", bounds=np.stack([low, high], axis=1),
        options={"maxiter": iterations, "maxcor": 30, "ftol": 1e-10, "gtol": 1e-6},
    )  # fmt: skip
    z = np.clip(found.x, low, high)
    od = whole(z)
    od[pairs] = np.clip(od[pairs], bounds[0] * mean, bounds[1] * mean)  # rounding
    return OdEstimate(
        od_veh=od, predicted=flows(od) + more, misfit_before=before, misfit=float(found.fun),
        at_bound=int(((z <= low) | (z >= high)).sum()), iterations=int(found.get("nit", 0)),
    )  # fmt: skip


def common_factor(
    predicted: np.ndarray, counted: np.ndarray, count_sd: np.ndarray, *, offset: np.ndarray | float = 0.0
) -> float:
    """Factor on all of the demand that fits the counts best: weighted least squares through the origin.

    Parameters
    ----------
    predicted, counted, count_sd : ndarray, shape (m,)
        `predicted` without the offset.

    Returns
    -------
    float
        1 where nothing is predicted; never below 0.
    """
    weight = 1.0 / np.asarray(count_sd, float) ** 2
    own = float(weight @ np.square(predicted))
    return max(float(weight @ (predicted * (counted - offset))) / own, 0.0) if own > 0 else 1.0


def _check(
    prior: np.ndarray, counted: np.ndarray, sd: np.ndarray, more: np.ndarray, cv: float, bounds: tuple[float, float]
) -> None:
    faults = []
    if prior.ndim != 2 or prior.shape[0] != prior.shape[1] or not np.isfinite(prior).all() or (prior < 0).any():
        faults.append(f"prior_veh must be square, finite and at least 0; found shape {prior.shape}")
    elif not prior.any():
        faults.append("prior_veh is 0 everywhere; a pair that is 0 in the prior stays 0")
    if counted.ndim != 1 or not counted.size or not np.isfinite(counted).all() or (counted < 0).any():
        faults.append(f"counted must be a row of numbers of at least 0; found shape {counted.shape}")
    if sd.shape != counted.shape or not np.isfinite(sd).all() or (sd <= 0).any():
        faults.append(f"count_sd must be above 0, one for each of {counted.size} counts; found shape {sd.shape}")
    if more.shape != counted.shape or not np.isfinite(more).all():
        faults.append(f"offset must be finite, one for each of {counted.size} counts; found shape {more.shape}")
    if not (np.isfinite(cv) and cv > 0):
        faults.append(f"prior_cv={cv!r} must be above 0, e.g. 0.3")
    if not (0 <= bounds[0] <= 1 <= bounds[1] and np.isfinite(bounds[1])):
        faults.append(f"bounds={bounds!r} must be 0 <= lower <= 1 <= upper")
    if faults:
        raise DemandError("no OD matrix can be estimated: " + "; ".join(faults))
