"""Measures on who drives at all: other means of travel, and new homes, jobs and shops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulation.demand.generation import ENDS_PER_HOME, ENDS_PER_JOB, ENDS_PER_SHOP
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import Measure, class_faults, class_rows, places_of
from simulation.scenarios.select import Point, local_points, zone_ids_of
from simulation.scenarios.timetable import Overlay, Undo
from simulation.standing import DemandFactor

if TYPE_CHECKING:
    from simulation.city import City

#: Way by road over the straight line between two places: mean of the 51 largest urban areas of the USA in 2010
#: (Giacomin & Levinson 2015, doi:10.1068/b130131p).
CIRCUITY = 1.34
#: Means of travel that may take over car trips.
MEANS = ("bicycle", "transit", "foot")


@dataclass(frozen=True, slots=True)
class Band:
    """Of trips up to a length, km, so large a share changes; bands go on where the one before ends."""

    up_to_km: float
    share: float


@dataclass(frozen=True, kw_only=True)
class ShiftMode(Measure):
    """Some car trips are made by other means: a share of those in each band of distance.

    Distance is the straight line between the places times `CIRCUITY`; within a zone, half the radius of a circle of its
    area times the same. Of a trip that crosses the city's border only the part inside is known: it shifts only with
    `across_border`, and counts `outside_km` more. Which trips change is drawn by trip, the same in every run of a seed.
    Buses and trams themselves stay as they are: their crowding is not modelled.
    """

    bands: tuple[Band, ...]
    to: str = "bicycle"
    classes: tuple[str, ...] = ("car",)
    from_zones: tuple[str, ...] = ()
    to_zones: tuple[str, ...] = ()
    across_border: bool = False
    outside_km: float = 6.0  # MEAN_TRIP_M of `simulation.demand.generation`; assumed

    def __post_init__(self) -> None:
        faults: list[Fault | str] = [*class_faults(self.classes)]
        if self.to not in MEANS:
            faults.append(Fault(f"unknown means {self.to!r}; allowed: {list(MEANS)}", where="to"))
        if not self.bands:
            faults.append(Fault("at least one band of distance is needed (up_to_km, percent)", where="bands"))
        ends = [band.up_to_km for band in self.bands]
        if any(not end > 0 for end in ends) or sorted(set(ends)) != ends:
            faults.append(Fault(f"bands end at {ends} km; they must be above 0 and grow", where="bands"))
        wrong = [band.share for band in self.bands if not 0 <= band.share <= 1]
        if wrong:
            faults.append(Fault(f"shares {wrong} of bands; allowed: 0 to 1 (0 to 100 percent)", where="bands"))
        if not 0 <= self.outside_km <= 500:
            faults.append(Fault(f"outside_km {self.outside_km:g}; allowed: 0 to 500", where="outside_km"))
        if faults:
            raise ScenarioError(faults)

    def check(self, city: City) -> list[Fault]:
        """Places that the city does not have."""
        ends = (("from_zones", self.from_zones), ("to_zones", self.to_zones))
        return [Fault(text, where=key) for key, names in ends for text in places_of(names, city)[1]]

    def factor(self, city: City) -> DemandFactor:
        """What is left of the trips of each pair of places."""
        faults = self.check(city)
        if faults:
            raise ScenarioError(faults)
        demand = city.demand
        km = distance_km(city)
        n, inside = demand.n_zones, np.arange(len(demand.places)) < demand.n_zones
        km = km + self.outside_km * (2 - inside[:, None].astype(float) - inside[None, :])
        shift = np.zeros(km.shape)
        for band in reversed(self.bands):
            shift[km <= band.up_to_km] = band.share
        if not self.across_border:
            shift[n:], shift[:, n:] = 0.0, 0.0
        for names, axis in ((self.from_zones, 0), (self.to_zones, 1)):
            if names:
                chosen = np.isin(demand.places, places_of(names, city)[0])
                shift[~chosen if axis == 0 else slice(None), ~chosen if axis == 1 else slice(None)] = 0.0
        return DemandFactor(matrix=1.0 - shift, classes=tuple(class_rows(self.classes)))

    def remarks(self, city: City) -> list[str]:
        """How much of the demand it moves."""
        factor, od = self.factor(city), city.demand.od_veh
        share = sum(city.demand.class_share[row] for row in factor.classes or ())
        moved = share * float((od * (1.0 - factor.matrix)).sum())
        return [f"{moved:,.0f} of {od.sum():,.0f} vehicle trips of a weekday ({moved / od.sum():.1%}) change means"]

    def begin(self, overlay: Overlay) -> Undo:
        """Trips that start from now on shift; the result ends that."""
        return overlay.live.multiply_demand(self.factor(overlay.live.city))

    def in_words(self) -> str:
        """`Bicycle instead of car: 30 % of trips up to 5 km`."""
        bands = ", ".join(f"{100 * band.share:g} % of trips up to {band.up_to_km:g} km" for band in self.bands)
        text = f"{self.to.capitalize()} instead of {', '.join(self.classes)}: {bands}"
        text += f" from {', '.join(self.from_zones)}" if self.from_zones else ""
        text += f" to {', '.join(self.to_zones)}" if self.to_zones else ""
        return text + self._when()

    def _applied(self, city: City) -> City:
        factor = self.factor(city)
        if (factor.matrix == 1).all():
            return city
        return replace(city, demand_factors=(*city.demand_factors, factor))


def distance_km(city: City) -> np.ndarray:
    """Length of a way between places, km, as far as it lies in the city. Shape (P, P)."""
    zones, gates = city.zones, city.gateways
    at = city.nodes.set_index("node_id")[["x_m", "y_m"]]
    points = np.concatenate([zones[["x_m", "y_m"]].to_numpy(float), at.loc[gates["node_id"]].to_numpy(float)])
    metres = np.hypot(*(points[:, None, k] - points[None, :, k] for k in (0, 1)))
    within = 0.5 * np.sqrt(zones["area_m2"].to_numpy(float) / np.pi)
    np.fill_diagonal(metres, np.concatenate([within, np.zeros(len(gates))]))
    return np.asarray(CIRCUITY * metres / 1000.0)


@dataclass(frozen=True, kw_only=True)
class NewDevelopment(Measure):
    """New homes, jobs and shops in a zone, for good: its trips follow the demand model's own rates.

    So many trip ends a day are added (`simulation.demand.generation`), half of them departures, half arrivals. They go
    where the zone's trips go and come from where they come from; in a zone without trips, as all trips of the city do.
    They start and end on the zone's streets.

    Attributes
    ----------
    zone : str
        Id or name; empty with `at`.
    at : (float, float), optional
        Longitude and latitude instead of a zone.
    """

    zone: str = ""
    at: Point | None = None
    homes: float = 0.0
    jobs: float = 0.0
    shops: float = 0.0

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if bool(self.zone) == (self.at is not None):
            faults.append("a development needs either a zone or a point ('at')")
        for name in ("homes", "jobs", "shops"):
            if not 0 <= getattr(self, name) <= 1e6:
                faults.append(Fault(f"{name} {getattr(self, name):g}; allowed: 0 to 1,000,000", where=name))
        if self.hours is not None:
            faults.append("a development is for good; leave out start, end and days (an 'event' has hours)")
        if faults:
            raise ScenarioError(faults)

    @property
    def trip_ends(self) -> float:
        """Vehicle trip ends a day, departures and arrivals together."""
        return ENDS_PER_HOME * self.homes + ENDS_PER_JOB * self.jobs + ENDS_PER_SHOP * self.shops

    def check(self, city: City) -> list[Fault]:
        """A zone or point that the city does not have."""
        if self.at is None:
            return [Fault(text, where="zone") for text in zone_ids_of([self.zone], city.zones)[1]]
        try:
            self.place(city)
        except ScenarioError as error:
            return list(error.faults)
        return []

    def place(self, city: City) -> int:
        """Number of its zone."""
        if self.at is not None:
            return zone_at(self.at, city)
        found, wrong = zone_ids_of([self.zone], city.zones)
        if wrong:
            raise ScenarioError([Fault(text, where="zone") for text in wrong])
        return int(np.flatnonzero(city.zones["zone_id"].astype(str) == found[0])[0])

    def begin(self, overlay: Overlay) -> Undo:
        """It has no hours."""
        raise ScenarioError(["a development is for good"])

    def in_words(self) -> str:
        """`New in Z03: 500 homes, 200 jobs`."""
        counts = ((self.homes, "homes"), (self.jobs, "jobs"), (self.shops, "shops"))
        parts = ", ".join(f"{count:g} {name}" for count, name in counts if count) or "nothing"
        return f"New in {self.zone or f'{self.at[0]:g}, {self.at[1]:g}' if self.at else self.zone}: {parts}"

    def _applied(self, city: City) -> City:
        if self.trip_ends == 0:
            return city
        demand, k = city.demand, self.place(city)
        od = demand.od_veh
        out, into = (
            row if row.sum() > 0 else total for row, total in ((od[k], od.sum(axis=0)), (od[:, k], od.sum(axis=1)))
        )
        one_way = self.trip_ends / 2.0
        if out.sum() <= 0 or into.sum() <= 0:
            raise ScenarioError([f"{city.label} has no trips that a development's could be like"])
        new = od.copy()
        new[k] += one_way * out / out.sum()
        new[:, k] += one_way * into / into.sum()
        added = np.arange(len(city.zones)) == k
        counts = {name: city.zones[name] + getattr(self, name) * added for name in ("homes", "jobs", "shops")}
        return replace(city, demand=replace(demand, od_veh=new), zones=city.zones.assign(**counts))


def zone_at(point: Point, city: City) -> int:
    """Number of the zone that holds a point, or of the nearest within 100 m.

    Raises
    ------
    ScenarioError
        If the point lies outside the city.
    """
    import shapely

    here = shapely.Point(local_points([point], city)[0])
    away = city.zones.geometry.distance(here).to_numpy()
    if not away.min() <= 100.0:
        text = f"the point {point[0]:g}, {point[1]:g} lies {away.min():,.0f} m outside {city.label}"
        raise ScenarioError([Fault(text + "; longitude comes first, then latitude", where="at")])
    return int(np.argmin(away))
