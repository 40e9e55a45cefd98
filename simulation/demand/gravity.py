"""Gravity with friction that was calibrated: how strongly trips avoid long ways, so that their lengths are those known.

Friction is a function of the cost of a trip (time in s, or metres):

- `exponential`: exp(-beta c) (Wilson 1971, doi:10.1068/a030001),
- `power`: c^-beta,
- `tanner`: c^alpha exp(-beta c), the gamma function of Tanner (1961, Road Research Laboratory Technical Paper 51).

`calibrate_gravity` finds the one parameter that meets a mean trip cost, as Hyman (1969, doi:10.1068/a010105) does, with
a bracketing root search in the place of his secant, which cannot fail where the mean lies between its limits: the mean
falls as beta rises. With a trip length distribution, Tanner's two parameters are the most likely ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize

from simulation.demand.od_matrix import balance
from simulation.errors import DemandError

FORMS = ("exponential", "power", "tanner")
#: A cost below it counts as this much in a power: a trip within a zone has no cost of 0.
LEAST_COST = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Friction:
    """A friction function.

    Attributes
    ----------
    form : str
        One of `FORMS`.
    beta : float
        1 / unit of cost (`exponential`, `tanner`), or the exponent (`power`).
    alpha : float
        Exponent of `tanner`.
    """

    form: str
    beta: float
    alpha: float = 0.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise DemandError(f"friction form={self.form!r}; allowed are {FORMS}")
        if not (np.isfinite(self.beta) and np.isfinite(self.alpha)):
            raise DemandError(f"friction beta={self.beta!r} and alpha={self.alpha!r} must be numbers")

    def __call__(self, cost: np.ndarray) -> np.ndarray:
        """Willingness at each cost; 0 where the cost is not finite. The largest is 1: only ratios matter."""
        c = np.asarray(cost, dtype=float)
        there = np.isfinite(c)
        safe = np.where(there, np.maximum(c, LEAST_COST if self.form != "exponential" else 0.0), 1.0)
        exponent = -self.beta * (np.log(safe) if self.form == "power" else safe)
        if self.form == "tanner":
            exponent = exponent + self.alpha * np.log(safe)
        top = exponent[there].max() if there.any() else 0.0
        return np.where(there, np.exp(np.maximum(exponent - top, -700.0)), 0.0)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Gravity:
    """A calibrated trip distribution: trips (n, m), their friction, and the mean cost that they have."""

    od_veh: np.ndarray
    friction: Friction
    mean_cost: float


def gravity(productions: np.ndarray, attractions: np.ndarray, cost: np.ndarray, friction: Friction) -> np.ndarray:
    """Trips by a doubly constrained gravity model. Shape (n, m).

    Parameters
    ----------
    productions, attractions : ndarray, shape (n,), (m,)
        Trip ends, at least 0; attractions are scaled to the productions' sum.
    cost : ndarray, shape (n, m)
        Not finite where no trips go.
    friction : Friction
    """
    return balance(friction(cost), productions, attractions)


def mean_cost(od_veh: np.ndarray, cost: np.ndarray) -> float:
    """Mean cost of the trips; nan without trips."""
    some = np.asarray(od_veh) > 0
    trips = np.asarray(od_veh)[some]
    return float(trips @ np.asarray(cost)[some] / trips.sum()) if trips.size else float("nan")


def calibrate_gravity(
    productions: np.ndarray,
    attractions: np.ndarray,
    cost: np.ndarray,
    *,
    mean: float | None = None,
    shares: np.ndarray | None = None,
    edges: np.ndarray | None = None,
    form: str = "exponential",
    alpha: float = 0.5,
    tolerance: float = 1e-6,
) -> Gravity:
    """The friction whose trips have a known mean cost, or a known distribution of costs.

    Parameters
    ----------
    productions, attractions, cost
        As in `gravity`.
    mean : float, optional
        Mean trip cost to meet. Give it, or `shares`.
    shares, edges : ndarray, shape (k,) and (k + 1,), optional
        Share of trips with a cost in [edges[i], edges[i + 1]). One parameter is then set by the distribution's
        log-likelihood (multinomial), and both of `tanner`.
    form : str
        One of `FORMS`.
    alpha : float
        Exponent of `tanner` where the mean alone is given; assumption.
    tolerance : float
        Of the mean, as a share.

    Raises
    ------
    DemandError
        Naming every fault; also where no friction gives that mean, with the limits that trips of these ends can have.
    """
    faults = []
    cost = np.asarray(cost, dtype=float)
    if form not in FORMS:
        faults.append(f"form={form!r}; allowed are {FORMS}")
    if cost.shape != (np.size(productions), np.size(attractions)):
        faults.append(f"cost has shape {cost.shape}; allowed is {(np.size(productions), np.size(attractions))}")
    elif (cost[np.isfinite(cost)] < 0).any() or not np.isfinite(cost).any():
        faults.append("cost must be at least 0, and finite for some pairs")
    if (mean is None) == (shares is None or edges is None):
        faults.append("give the mean, or shares with their edges")
    if mean is not None and not (np.isfinite(mean) and mean > 0):
        faults.append(f"mean={mean!r} must be above 0")
    if shares is not None and edges is not None:
        s, e = np.asarray(shares, float), np.asarray(edges, float)
        if e.shape != (s.size + 1,) or (np.diff(e) <= 0).any() or (s < 0).any() or s.sum() <= 0:
            faults.append("shares must be at least 0, and edges rise, one more of them than shares")
    if faults:
        raise DemandError("no gravity model can be calibrated: " + "; ".join(faults))
    unit = 1.0 if form == "power" else 1.0 / float(np.mean(np.maximum(cost[np.isfinite(cost)], 1e-9)))

    def made(beta: float, a: float = alpha) -> Gravity:
        friction = Friction(form=form, beta=beta, alpha=a if form == "tanner" else 0.0)
        od = gravity(productions, attractions, cost, friction)
        return Gravity(od_veh=od, friction=friction, mean_cost=mean_cost(od, cost))

    if mean is not None:
        return _by_mean(made, mean, unit, tolerance)
    assert shares is not None and edges is not None
    return _by_shares(made, cost, np.asarray(shares, float), np.asarray(edges, float), unit, form)


def _by_mean(made: Callable[..., Gravity], mean: float, unit: float, tolerance: float) -> Gravity:
    low, high = -1.0 * unit, 4.0 * unit
    for _ in range(8):  # the mean falls as beta rises: widen until it is bracketed
        longest, shortest = made(low).mean_cost, made(high).mean_cost
        if longest >= mean >= shortest:
            break
        low, high = (2.0 * low, high) if longest < mean else (low, 2.0 * high)
    else:
        raise DemandError(
            f"no friction gives a mean cost of {mean:g}: trips of these ends have {shortest:g} to {longest:g}"
        )
    beta = brentq(lambda b: made(b).mean_cost - mean, low, high, xtol=1e-14, rtol=max(tolerance * 1e-3, 1e-14))
    return made(float(beta))


def _by_shares(
    made: Callable[..., Gravity], cost: np.ndarray, shares: np.ndarray, edges: np.ndarray, unit: float, form: str
) -> Gravity:
    there = np.isfinite(cost)
    bin_ = np.clip(np.searchsorted(edges, cost[there], side="right") - 1, -1, shares.size)
    inside = (bin_ >= 0) & (bin_ < shares.size)
    wanted = shares / shares.sum()

    def unlikely(parameters: np.ndarray) -> float:
        found = made(parameters[0] * unit, parameters[1] if form == "tanner" else 0.0)
        trips = np.bincount(bin_[inside], weights=found.od_veh[there][inside], minlength=shares.size)
        return float(-(wanted * np.log(np.maximum(trips / max(trips.sum(), 1e-300), 1e-12))).sum())

    start = np.array([1.0, 0.5])[: 2 if form == "tanner" else 1]
    best = minimize(unlikely, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 800})
    return made(float(best.x[0]) * unit, float(best.x[1]) if form == "tanner" else 0.0)
