"""Induced demand: people drive more where a plan makes driving quicker, and less where it makes it slower.

Trips between two places follow their travel time with a constant elasticity,

    trips' = trips x (time' / time) ^ elasticity,

iterated until demand and times agree. Goodwin (1996, doi:10.1007/BF00166218) reviews elasticities of traffic with
respect to travel time of -0.5 in the short term and up to -1.0 in the long; those are of all traffic, so that trips
which only change their hour or destination count in them. Off unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulation.errors import RunError

if TYPE_CHECKING:
    from simulation.city import City

#: Rounds at most, and the change of all trips in a round below which they agree; assumptions.
ROUNDS, AGREE = 8, 0.001
#: Bounds of the factor of a pair: one street's jam must not empty or flood a pair of places; assumption.
LEAST, MOST = 0.25, 4.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Induced:
    """What demand came to.

    Attributes
    ----------
    city : City
        The changed city with its new demand.
    trips_before, trips_after : float
        Vehicles a weekday.
    rounds : int
    residual : float
        Change of all trips that a further round would make, as a share: how far demand and times still disagree.
    """

    city: City
    trips_before: float
    trips_after: float
    rounds: int
    residual: float


def induced_demand(
    changed: City, base_s: np.ndarray, times: Callable[[City], np.ndarray], elasticity: float
) -> Induced:
    """Let demand of a changed city follow its travel times.

    Successive averages: round k moves 1 / k of the way to the demand that the times of the round ask for.

    Parameters
    ----------
    changed : City
        With the demand of the base (or what measures made of it).
    base_s : ndarray, shape (K, P, P)
        Times from place to place in the base; nan where there is no way.
    times : callable
        The same for a city with some demand.
    elasticity : float
        At most 0, e.g. -0.5.

    Raises
    ------
    RunError
        If the elasticity is above 0 or below -3.
    """
    if not -3.0 <= elasticity <= 0.0:
        raise RunError(
            f"elasticity={elasticity!r} of demand with respect to travel time; allowed: -3 to 0, e.g. -0.5"
            " (0: nobody stays at home or joins)"
        )
    first = changed.demand.od_veh
    factor = np.ones_like(first)
    before = float(changed.pair_trips().sum())
    city, residual, k = changed, 0.0, 0
    for k in range(1, ROUNDS + 1):
        asked = factors(base_s, times(city), elasticity)
        step = (asked - factor) / k
        residual = abs(float((first * (asked - factor)).sum())) / max(before, 1e-12)
        factor = factor + step
        if residual < AGREE:
            break
        city = replace(changed, demand=replace(changed.demand, od_veh=first * factor))
    return Induced(
        city=city, trips_before=before, trips_after=float(city.pair_trips().sum()), rounds=k, residual=residual
    )


def factors(base_s: np.ndarray, now_s: np.ndarray, elasticity: float) -> np.ndarray:
    """Factor of the trips of each pair, from the mean over hours of its times; 1 where one of them is not known.

    Examples
    --------
    >>> factors(np.array([[[100.0]]]), np.array([[[400.0]]]), -0.5)
    array([[0.5]])
    """
    known = np.isfinite(base_s) & np.isfinite(now_s)
    before, after = (np.where(known, a, 0.0).sum(axis=0, dtype=float) for a in (base_s, now_s))
    both = (before > 0) & (after > 0)
    ratio = np.divide(after, before, out=np.ones_like(before), where=both)
    return np.clip(ratio**elasticity, LEAST, MOST)
