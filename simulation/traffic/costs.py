"""Generalised cost: what a link costs each vehicle class, in seconds of its own time.

    cost_s = time_s + (toll_eur + length_m x cost_eur_per_m) x 3600 / value_of_time_eur_per_h

Classes that may use the same links at the same charges share a group, so that routes are kept once for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.errors import RunError

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """A charge on some links, paid on each by every vehicle of some classes that drives it.

    Attributes
    ----------
    link_ids : tuple of int
    eur : float
        EUR a vehicle and link; at least 0.
    classes : tuple of int
        Indices into `VEHICLE_CLASSES`.
    each_eur : tuple of float, optional
        EUR of each link, added to `eur`: a charge by distance. Links are then named once each.

    Raises
    ------
    RunError
        If the charge is negative or not a number, or a class is unknown.
    """

    link_ids: tuple[int, ...]
    eur: float
    classes: tuple[int, ...] = tuple(range(len(VEHICLE_CLASSES)))
    each_eur: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        faults = []
        each = np.asarray(() if self.each_eur is None else self.each_eur, dtype=float)
        if not (np.isfinite(each).all() and (each >= 0).all()):
            faults.append("each_eur must be numbers of at least 0")
        if self.each_eur is not None and each.size != len(self.link_ids):
            faults.append(f"each_eur needs one charge for each of {len(self.link_ids)} links; found {each.size}")
        if not (np.isfinite(self.eur) and self.eur >= 0):
            faults.append(f"eur={self.eur!r} must be a number of at least 0")
        wrong = [k for k in self.classes if not 0 <= k < len(VEHICLE_CLASSES)]
        if wrong or not self.classes:
            faults.append(f"classes {wrong or 'missing'}; allowed: 0 to {len(VEHICLE_CLASSES) - 1}, {VEHICLE_CLASSES}")
        if faults:
            raise RunError("a toll cannot be charged: " + "; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCosts:
    """What an hour and a metre cost each vehicle class, in the order of `VEHICLE_CLASSES`.

    The defaults are assumptions, for the user to set: 12 EUR/h lies within the 10-15 EUR/h of studies of commuting;
    vans, lorries and buses carry paid drivers, goods or many passengers. Distance is free by default, so that routes
    follow time alone where there is no toll.

    Attributes
    ----------
    value_of_time_eur_per_h : tuple of float
        Above 0.
    cost_eur_per_m : tuple of float
        Fuel and wear; at least 0.

    Raises
    ------
    RunError
        Naming every value that is impossible.
    """

    value_of_time_eur_per_h: tuple[float, ...] = (12.0, 20.0, 35.0, 60.0)
    cost_eur_per_m: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        faults = []
        for name, least in (("value_of_time_eur_per_h", "above 0"), ("cost_eur_per_m", "at least 0")):
            values = np.asarray(getattr(self, name), dtype=float)
            if values.shape != (len(VEHICLE_CLASSES),):
                faults.append(f"{name} needs one value for each of {VEHICLE_CLASSES}; found {values.size}")
            elif not np.isfinite(values).all() or (values < 0).any() or (least == "above 0" and (values == 0).any()):
                faults.append(f"{name} must be {least}; found {values.tolist()}")
        if faults:
            raise RunError("the costs of the vehicle classes are impossible: " + "; ".join(faults))

    def charge_s(self, length_m: np.ndarray, toll_eur: np.ndarray) -> np.ndarray:
        """All that is not time, in seconds of each class's time. Shape (classes, n_links).

        Parameters
        ----------
        length_m : ndarray, shape (n_links,)
        toll_eur : ndarray, shape (classes, n_links)
        """
        price = toll_eur + np.asarray(self.cost_eur_per_m)[:, None] * length_m
        return np.asarray(price * (SECONDS_PER_HOUR / np.asarray(self.value_of_time_eur_per_h)[:, None]))


def toll_eur(tolls: Iterable[Toll], n_links: int) -> np.ndarray:
    """Sum of tolls, EUR. Shape (classes, n_links).

    Raises
    ------
    RunError
        If a toll names a link that is not there.
    """
    total = np.zeros((len(VEHICLE_CLASSES), n_links))
    for toll in tolls:
        links = np.asarray(toll.link_ids, dtype=np.int64)
        wrong = links[(links < 0) | (links >= n_links)]
        if wrong.size:
            raise RunError(f"a toll names links {wrong[:5].tolist()}; link ids run from 0 to {n_links - 1}")
        total[np.ix_(np.asarray(toll.classes, dtype=np.int64), np.unique(links))] += toll.eur
        if toll.each_eur is not None:
            total[np.ix_(np.asarray(toll.classes, dtype=np.int64), links)] += np.asarray(toll.each_eur)
    return total


def cost_groups(closed: np.ndarray, charge_s: np.ndarray) -> np.ndarray:
    """Group of each class: those with equal rows in both tables share one, numbered as they come. Shape (classes,).

    Parameters
    ----------
    closed : ndarray of bool, shape (classes, n_links)
    charge_s : ndarray, shape (classes, n_links)
    """
    seen: dict[bytes, int] = {}
    rows: Sequence[bytes] = [bans.tobytes() + charges.tobytes() for bans, charges in zip(closed, charge_s)]
    return np.array([seen.setdefault(row, len(seen)) for row in rows], dtype=np.int64)


def by_group(table: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rows of a table by class, shape (classes, n_links), as one row a group."""
    return np.stack([table[int(np.argmax(group == g))] for g in range(int(group.max()) + 1)])
