"""What a city has for good beside its tables: factors of demand, limits of streets, streets that some vehicles avoid.

A `City` holds them in tuples, and a `LiveCity` begins with them; measures with hours add their own for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.errors import DemandError, RunError


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class DemandFactor:
    """Trips between places, multiplied, of all vehicle classes or of some.

    Attributes
    ----------
    matrix : ndarray, shape (P, P)
        Factor of each pair of places of the demand; at least 0, 1 changes nothing.
    classes : tuple of int, optional
        Indices into `VEHICLE_CLASSES`; None: all.

    Raises
    ------
    DemandError
        If a factor is below 0 or not a number, or a class is unknown.
    """

    matrix: np.ndarray
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        faults = []
        if not (np.isfinite(self.matrix).all() and (self.matrix >= 0).all()):
            faults.append("factors must be numbers of at least 0")
        faults += _unknown(self.classes)
        if faults:
            raise DemandError("demand cannot be multiplied: " + "; ".join(faults))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LinkLimit:
    """Links that keep a share of their capacity and of their speed: works, an incident, weather.

    Attributes
    ----------
    links : ndarray of int64, shape (n,)
    capacity, speed : ndarray, shape (n,), or float
        Above 0 and at most 1; 1 takes nothing.

    Raises
    ------
    RunError
        If a share is outside (0, 1].
    """

    links: np.ndarray
    capacity: np.ndarray | float = 1.0
    speed: np.ndarray | float = 1.0

    def __post_init__(self) -> None:
        faults = []
        for name in ("capacity", "speed"):
            share = np.asarray(getattr(self, name), dtype=float)
            if not (np.isfinite(share).all() and (share > 0).all() and (share <= 1).all()):
                faults.append(f"{name} share {share.ravel()[:3].tolist()} must be above 0 and at most 1")
        if faults:
            raise RunError("links cannot be limited: " + "; ".join(faults) + "; to leave nothing, close them")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Avoided:
    """Links that a share of each class drives around, unless its trip begins or ends on them.

    Attributes
    ----------
    links : ndarray of int64, shape (n,)
    share : tuple of float
        Of the vehicles of each class of `VEHICLE_CLASSES`, 0 to 1.

    Raises
    ------
    RunError
        If a share is missing or outside [0, 1].
    """

    links: np.ndarray
    share: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.share) != len(VEHICLE_CLASSES) or not all(0 <= one <= 1 for one in self.share):
            raise RunError(f"share={self.share!r} must give each of {VEHICLE_CLASSES} a share of 0 to 1")


def hold(entries: list[Any], entry: Any, changed: Callable[[], None]) -> Callable[[], None]:
    """Put an entry in force among others; returns what takes it out, once. `changed` is called after either."""
    entries.append(entry)
    changed()

    def undo() -> None:
        for k, other in enumerate(entries):
            if other is entry:
                del entries[k]
                changed()
                return

    return undo


def demand_product(factors: list[DemandFactor]) -> np.ndarray | None:
    """Product of some factors: None without any, (P, P) if all are for all classes, else (classes, P, P)."""
    if not factors:
        return None
    for_all = [one.matrix for one in factors if one.classes is None]
    product = np.prod(for_all, axis=0) if for_all else np.ones_like(factors[0].matrix)
    own = [one for one in factors if one.classes is not None]
    if not own:
        return np.asarray(product)
    by_class = np.tile(product, (len(VEHICLE_CLASSES), 1, 1))
    for one in own:
        by_class[list(one.classes or ())] *= one.matrix
    return by_class


def limit_shares(limits: list[LinkLimit], n_links: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of capacity and of speed that some limits leave together. Shape (n_links,) each."""
    capacity, speed = np.ones(n_links), np.ones(n_links)
    for one in limits:
        capacity[one.links] *= one.capacity
        speed[one.links] *= one.speed
    return capacity, speed


def avoided_table(avoided: list[Avoided], n_links: int) -> tuple[np.ndarray, np.ndarray]:
    """Links that avoiders keep out of, and the share of each class that are avoiders.

    Where several are in force, who avoids one avoids all, and the largest share holds.

    Returns
    -------
    links : ndarray of bool, shape (n_links,)
    share : ndarray, shape (classes,)
    """
    shut, share = np.zeros(n_links, dtype=bool), np.zeros(len(VEHICLE_CLASSES))
    for one in avoided:
        shut[one.links] = True
        share = np.maximum(share, one.share)
    return shut, share


def _unknown(classes: tuple[int, ...] | None) -> list[str]:
    wrong = [k for k in classes or () if not 0 <= k < len(VEHICLE_CLASSES)]
    if wrong or classes == ():
        return [f"classes {wrong or 'missing'}; allowed: 0 to {len(VEHICLE_CLASSES) - 1}, {VEHICLE_CLASSES}"]
    return []
