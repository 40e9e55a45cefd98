"""What a scenario makes of the network, as the arrays a quick rerouting needs.

Nothing here asks which measure it was: the changed City is read, so that a measure of any class counts by what it does.
What it does beyond these arrays is named in `unread`, and a preview says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.air.emissions import POLLUTANTS, emission_table
from simulation.air.fleet import Fleet
from simulation.city import City
from simulation.traffic.costs import toll_eur

_NOX = POLLUTANTS.index("nox")
#: Tables of a City that the arrays below do not hold; a scenario that changes one is told in `unread`.
_TABLES = {"turns": "turns", "zones": "zones", "gateways": "border crossings", "actuated": "actuated signals"}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Roads:
    """A city's streets and demand. `n` links, `P` places, `C` vehicle classes."""

    free_s: np.ndarray  # (n,) free-flow time
    capacity: np.ndarray  # (n,) relative: lanes x share of green, 1 where nothing limits
    closed: np.ndarray  # (n,) share of vehicles, by class, that may not enter
    cars_closed: np.ndarray  # (n,) bool
    charge_s: np.ndarray  # (n,) mean over classes of what is paid, in seconds of each class's time
    od_veh: np.ndarray  # (P, P) a weekday
    nox: np.ndarray  # (K, B) g/m of the mean vehicle at each knot of speed, by fleet
    fleet_row: np.ndarray  # (n,) which of the K
    unread: tuple[str, ...] = ()


def roads(city: City, base: City | None = None) -> Roads:
    """Arrays of a city; with its `base`, what the arrays cannot tell is named.

    A city with other links than its base has the arrays of the base, and says so in `unread`.
    """
    unread: list[str] = []
    if base is not None:
        if len(city.links) != len(base.links):
            return replace(roads(base), unread=(f"{len(city.links) - len(base.links):+d} links",))
        unread = [word for name, word in _TABLES.items() if not _same(getattr(city, name), getattr(base, name))]
        if not _same(city.link_zone, base.link_zone):
            unread.append("zones")
        if not _same(city.costs, base.costs):
            unread.append("costs of time and distance")
        if not _same(city.demand.profiles, base.demand.profiles) or city.demand.cells is not base.demand.cells:
            unread.append("hours of departure")
        if city.demand.class_share != base.demand.class_share:
            unread.append("shares of vehicle classes")
    links, share = city.links, np.asarray(city.demand.class_share)
    length = links["length_m"].to_numpy(float)
    closed = city.closed_array()
    toll = toll_eur(city.tolls, len(links)) if city.tolls else np.zeros((len(VEHICLE_CLASSES), len(links)))
    fleets = [city.fleet, *(fleet for _, fleet in city.link_fleet)]
    row = np.zeros(len(links), dtype=np.int64)
    for k, (ids, _) in enumerate(city.link_fleet):
        row[list(ids)] = k + 1
    return Roads(
        free_s=np.maximum(length / links["free_flow_speed_mps"].to_numpy(float), 0.5),
        capacity=links["capacity_veh_per_s"].to_numpy(float) * _green(city),
        closed=share @ closed, cars_closed=closed[0], charge_s=share @ city.costs.charge_s(length, toll),
        od_veh=city.demand.od_veh, nox=np.stack([_nox(fleet, city.demand.class_share) for fleet in fleets]),
        fleet_row=row, unread=tuple(unread),
    )  # fmt: skip


def _green(city: City) -> np.ndarray:
    """Share of green at the end of each link; 1 without a signal."""
    green = np.ones(len(city.links))
    signals = city.signals
    if len(signals):
        green[signals["link_id"].to_numpy()] = (signals["green_s"] / signals["cycle_s"]).to_numpy(float)
    return np.maximum(green, 0.01)


@lru_cache(maxsize=64)
def _nox(fleet: Fleet, class_share: tuple[float, ...]) -> np.ndarray:
    return np.asarray(np.asarray(class_share) @ emission_table(fleet)[:, :, _NOX])


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    if isinstance(one, pd.DataFrame) and isinstance(other, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def same(one: Roads, other: Roads) -> bool:
    """Whether all arrays agree, bit for bit."""
    names = ("free_s", "capacity", "closed", "charge_s", "od_veh", "nox", "fleet_row")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
