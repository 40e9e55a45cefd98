"""Groups of residents, as far as the data tells who lives where.

No table of the city tells of persons. A group is people counted by zone: given by the caller (say, households without
a car), or else quartiles of residents by a trait of the zone they live in: `income` or `car_access` where the zones
have such a column, how densely people live where they have not. What holds for a zone need not hold for each who lives
there (the ecological fallacy), so such a group is said to be of places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.air.health.exposure import population
from simulation.kpis.errors import KpiError

#: Columns of the zones by which residents are put in quartiles, if they are there.
TRAITS = ("income", "car_access")


@dataclass(frozen=True, eq=False, kw_only=True)
class Groups:
    """People of each group in each zone.

    Attributes
    ----------
    names : tuple of str, length G
    people : ndarray, shape (G, Z)
        In the zones' order.
    """

    names: tuple[str, ...]
    people: np.ndarray

    @classmethod
    def of(cls, given: Mapping[str, Mapping[str, float]], zones: pd.DataFrame) -> Groups:
        """Groups from people by group and zone, e.g. `{"no car": {"Z01": 120}}`; zones left out have none.

        Raises
        ------
        KpiError
            Naming every unknown zone and every number that is no count.
        """
        place = {str(zone): k for k, zone in enumerate(zones["zone_id"])}
        people = np.zeros((len(given), len(place)))
        faults = []
        for row, (name, by_zone) in enumerate(given.items()):
            for zone, count in by_zone.items():
                if str(zone) not in place:
                    faults.append(f"group {name!r} names zone {zone!r}, which the city does not have")
                elif not (np.isfinite(count) and count >= 0):
                    faults.append(f"group {name!r} has {count!r} people in zone {zone!r}; at least 0 are needed")
                else:
                    people[row, place[str(zone)]] = count
        if faults:
            raise KpiError("these groups cannot be used: " + "; ".join(faults))
        return cls(names=tuple(given), people=people)


def default_groups(zones: pd.DataFrame) -> Groups:
    """Quartiles of residents by the traits of their zones that are known; no group where nobody is known to live.

    A zone that lies on a bound belongs to both quartiles, with the people that fill each.

    Parameters
    ----------
    zones : DataFrame
        `zone_id`, `area_m2`, `population` or `homes`, and perhaps `income`, `car_access`.
    """
    if not {"population", "homes"} & set(zones.columns):
        return Groups(names=(), people=np.zeros((0, len(zones))))
    people = population(zones).to_numpy(dtype=float)
    if not people.sum() > 0:
        return Groups(names=(), people=np.zeros((0, len(zones))))
    traits = {name: zones[name].to_numpy(dtype=float) for name in TRAITS if name in zones.columns}
    traits = {name: value for name, value in traits.items() if np.isfinite(value).any()}
    if not traits:
        traits = {"density": people / zones["area_m2"].to_numpy(dtype=float)}
    names: list[str] = []
    parts: list[np.ndarray] = []
    for name, value in traits.items():
        names += [f"{name} quartile {k + 1} of 4" for k in range(4)]
        parts.append(_quartiles(np.where(np.isfinite(value), people, 0.0), value))
    return Groups(names=tuple(names), people=np.concatenate(parts))


def _quartiles(people: np.ndarray, value: np.ndarray) -> np.ndarray:
    """People of each zone in each quarter of all people, lowest value first. Shape (4, Z)."""
    order = np.argsort(value, kind="stable")  # nan last, where nobody counts
    upper = np.cumsum(people[order])
    lower = upper - people[order]
    edges = upper[-1] * np.arange(5) / 4
    inside = np.clip(np.minimum(upper, edges[1:, None]) - np.maximum(lower, edges[:-1, None]), 0.0, None)
    out = np.empty((4, people.size))
    out[:, order] = inside
    return out
