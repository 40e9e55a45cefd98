"""What a scenario does to every zone, before any simulation: the inputs of the micromodels.

All features are changes, so that no change is a row of zeros. A zone's own come first, then the means over its
neighbours and over their neighbours (rings of the graph of adjacent zones), so that what a micromodel learns of one
place means the same in another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from simulation.city import City
from simulation.preview.network_change import Roads, roads, same
from simulation.preview.redistribution import QUANTITIES as REROUTED
from simulation.preview.redistribution import Redistribution
from simulation.preview.window import slots
from simulation.scenarios.scenario import Scenario

#: A zone's own features: the rerouting's effects, then what is done to its streets, as shares of its base vehicle-km.
OWN = (
    *(f"rerouted_{name}" for name in REROUTED), "rerouted_speed_kmh", "closed_share", "slower_share", "narrower_share",
    "charged_s", "cleaner_share", "trip_ends",
)  # fmt: skip
#: Of these the neighbours' means count as well, over two rings.
NEAR = ("rerouted_vehicle_km", "rerouted_delay_hours", "rerouted_nox_kg", "closed_share", "slower_share")
NAMES = (*OWN, *(f"near_{name}" for name in NEAR), *(f"far_{name}" for name in NEAR))
#: How far a scenario goes as a whole: what the check of scope looks at.
EXTENT = (
    "closed_share", "slower_share", "narrower_share", "wider_share", "charged_share", "charge_s", "cleaner_share",
    "more_trips", "fewer_trips", "rerouted_km", "rerouted_hours", "largest_zone_km", "largest_zone_hours",
)  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Question:
    """A scenario as the surrogates see it."""

    zones: np.ndarray  # (Z, len(NAMES))
    extent: np.ndarray  # (len(EXTENT),) at least 0
    unread: tuple[str, ...]
    nothing: bool = False  # no street, trip or vehicle is changed at all


class Features:
    """Features of scenarios in one city.

    Parameters
    ----------
    city : City
        The base.
    quick : Redistribution
        Of that city.
    speed_kmh, vehicle_km, vehicle_hours : ndarray, shape (Z,)
        Of the base runs.
    """

    def __init__(self, city: City, quick: Redistribution, base: dict[str, np.ndarray]) -> None:
        self.city, self.quick, self.base = city, quick, base
        zones = list(city.zones["zone_id"])
        place = {zone: k for k, zone in enumerate(zones)}
        near = np.zeros((len(zones), len(zones)), dtype=bool)
        a, b = (city.adjacency[name].map(place).to_numpy() for name in ("zone_id", "neighbour_zone_id"))
        near[a, b] = near[b, a] = True
        far = (near.astype(np.int32) @ near.astype(np.int32) > 0) & ~near & ~np.eye(len(zones), dtype=bool)
        self._near, self._far = _rows_to_one(near), _rows_to_one(far)
        self._km = quick.base.flow * quick.length_m / 1000.0  # (n,) of the base
        self._zone_km = np.maximum(quick.membership @ self._km, 1e-6)
        self._city_km = float(max(self._km.sum(), 1e-6))
        self._city_hours = float(max(quick.base.zones[:, 1].sum(), 1e-6))
        ends = city.demand.od_veh * quick.part
        self._trips = float(max(ends.sum(), 1e-6))
        self._n_zones = len(zones)

    def of(self, scenario: Scenario) -> Question:
        """Features of a scenario; one with hours is the mean over the window of what holds when.

        Raises
        ------
        ScenarioError
            If a measure does not fit the city.
        """
        zones = np.zeros((self._n_zones, len(NAMES)))
        extent = np.zeros(len(EXTENT))
        unread: list[str] = []
        nothing = True
        for slot in slots(scenario, self.quick.window, self.quick.weight):
            changed = roads(slot.scenario.apply(self.city), self.city)
            unread += [word for word in changed.unread if word not in unread]
            if same(changed, self.quick.base_roads):
                continue
            nothing = False
            one, far = self._changed(changed)
            zones += slot.share * one
            extent = np.maximum(extent, far)
        return Question(zones=zones, extent=extent, unread=tuple(unread), nothing=nothing and not unread)

    def _changed(self, changed: Roads) -> tuple[np.ndarray, np.ndarray]:
        quick, base = self.quick, self.quick.base_roads
        flows = quick.reroute(changed)
        delta = flows.zones - quick.base.zones
        km = np.maximum(self.base["vehicle_km"] + delta[:, 0], 0.02 * self.base["vehicle_km"] + 1e-9)
        hours = np.maximum(self.base["vehicle_hours"] + delta[:, 1], 0.02 * self.base["vehicle_hours"] + 1e-9)
        before = self.base["vehicle_km"] / np.maximum(self.base["vehicle_hours"], 1e-9)
        speed = np.where(self.base["vehicle_km"] > 0, km / hours - before, 0.0)
        room = changed.capacity / base.capacity
        what = {
            "closed": np.maximum(changed.closed - base.closed, 0.0),
            "slower": 1.0 - base.free_s / changed.free_s,
            "narrower": np.maximum(1.0 - room, 0.0), "wider": np.maximum(room - 1.0, 0.0),
            "charge": np.abs(changed.charge_s - base.charge_s),
            "cleaner": np.abs(1.0 - changed.nox.mean(axis=1) / base.nox.mean(axis=1)[0])[changed.fleet_row],
        }  # fmt: skip
        inside = {name: (quick.membership @ (values * self._km)) / self._zone_km for name, values in what.items()}
        trips = (changed.od_veh - base.od_veh) * quick.part
        n = self._n_zones
        ends = trips.sum(axis=0)[:n] + trips.sum(axis=1)[:n]
        own = np.column_stack(
            [delta, np.nan_to_num(speed), inside["closed"], inside["slower"], inside["narrower"] - inside["wider"],
             inside["charge"], inside["cleaner"], ends]
        )  # fmt: skip
        ring = own[:, [OWN.index(name) for name in NEAR]]
        zones = np.column_stack([own, self._near @ ring, self._far @ ring])
        whole = {name: float(values @ self._km) / self._city_km for name, values in what.items()}
        gone, more = -np.minimum(trips, 0.0).sum() / self._trips, np.maximum(trips, 0.0).sum() / self._trips
        extent = np.array(
            [whole["closed"], whole["slower"], whole["narrower"], whole["wider"],
             float((what["charge"] > 0) @ self._km) / self._city_km, float(what["charge"].max()), whole["cleaner"],
             more, gone, np.abs(delta[:, 0]).sum() / self._city_km, np.abs(delta[:, 1]).sum() / self._city_hours,
             np.abs(delta[:, 0]).max() / self._city_km, np.abs(delta[:, 1]).max() / self._city_hours]
        )  # fmt: skip
        return zones, extent


def _rows_to_one(near: np.ndarray) -> csr_array:
    return csr_array(near / np.maximum(near.sum(axis=1, keepdims=True), 1))
