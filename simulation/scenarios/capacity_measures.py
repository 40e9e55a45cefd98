"""Measures that take capacity: a limit, an incident, a day's weather."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulation.demand_effects import RAIN_FACTOR
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import LinkMeasure, Measure
from simulation.scenarios.timetable import Overlay, Undo
from simulation.standing import LinkLimit

if TYPE_CHECKING:
    from simulation.city import City

#: Share of a direction's capacity that is left, by its lanes, with the shoulder or one, two, ... lanes blocked (Highway
#: Capacity Manual 2010, exhibit 10-17, for freeways; 0: closed). A direction of one lane: assumed, vehicles squeeze
#: past.
INCIDENT_SHARE = {
    1: (0.81, 0.20), 2: (0.81, 0.35, 0.0), 3: (0.83, 0.49, 0.17, 0.0), 4: (0.85, 0.58, 0.25, 0.13),
    5: (0.87, 0.65, 0.40, 0.20), 6: (0.89, 0.71, 0.50, 0.26),
}  # fmt: skip
#: Speed and capacity under weather, of those in dry weather: Hranac et al. (2006), "Empirical studies on traffic flow
#: in inclement weather", FHWA-HOP-07-073 (free-flow speed 2-3.6 % less in light rain, 6-9 % in heavy rain, 5-16 % in
#: light snow; capacity 10-11 % less in rain of either kind, 12-20 % in snow; freeways, middle of the ranges). Trips in
#: rain: Keay & Simmonds (2005, doi:10.1016/j.aap.2004.07.005); in snow: assumed.
WEATHER = {
    "light_rain": (0.972, 0.895, RAIN_FACTOR), "heavy_rain": (0.925, 0.895, RAIN_FACTOR), "snow": (0.895, 0.84, 0.95)
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LimitCapacity(LinkMeasure):
    """Links keep a share of their capacity; their speed stays."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            text = f"capacity share {self.share:g}; allowed: above 0, at most 1; to leave nothing, close the street"
            raise ScenarioError([Fault(text, where="percent")])

    def begin(self, overlay: Overlay) -> Undo:
        """Take capacity; the result gives it back."""
        return overlay.live.limit(self.links(overlay.live.city).tolist(), capacity=self.share)

    def in_words(self) -> str:
        """`40 % of capacity on X`."""
        return f"{100 * self.share:g} % of capacity on {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        links = self.links(city)
        if self.share == 1:
            return city
        return replace(city, link_limits=(*city.link_limits, LinkLimit(links=links, capacity=self.share)))


@dataclass(frozen=True, kw_only=True)
class Incident(LinkMeasure):
    """A crash or breakdown on a street, in its hours: lanes are blocked, or only the shoulder (`lanes_blocked=0`).

    What is left follows the number of lanes of each link (`INCIDENT_SHARE`), or is `share`. Links with nothing left are
    closed. Random incidents of the run happen all the same.
    """

    lanes_blocked: int = 1
    share: float | None = None

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.hours is None:
            faults.append(Fault("an incident has a begin and an end", where="start"))
        if self.where.is_empty:
            faults.append("an incident needs a place (links, street, line, ...)")
        if not 0 <= self.lanes_blocked <= 12:
            faults.append(Fault(f"lanes_blocked {self.lanes_blocked}; allowed: 0 to 12", where="lanes_blocked"))
        if self.share is not None and not 0 <= self.share <= 1:
            faults.append(Fault(f"capacity share {self.share:g}; allowed: 0 to 1", where="percent"))
        if faults:
            raise ScenarioError(faults)

    def left(self, city: City) -> np.ndarray:
        """Share of capacity left on each of its links, shape (n,)."""
        links = self.links(city)
        if self.share is not None:
            return np.full(links.size, float(self.share))
        most = max(len(row) for row in INCIDENT_SHARE.values())
        table = np.array([(*row, *[0.0] * (most - len(row))) for row in INCIDENT_SHARE.values()])
        lanes = np.clip(city.links["lanes"].to_numpy(dtype=float)[links].round(), 1, len(table)).astype(int)
        blocked = min(self.lanes_blocked, most - 1)
        return np.asarray(np.where(self.lanes_blocked > lanes, 0.0, table[lanes - 1, blocked]))

    def begin(self, overlay: Overlay) -> Undo:
        """Block; the result clears the street."""
        city = overlay.live.city
        links, left = self.links(city), self.left(city)
        undone = [overlay.live.limit(links[left > 0].tolist(), capacity=left[left > 0])] if (left > 0).any() else []
        if (left == 0).any():
            undone.append(overlay.close(links[left == 0], range(4)))

        def undo() -> None:
            for one in undone:
                one()

        return undo

    def in_words(self) -> str:
        """`Incident on X: 1 lane blocked`."""
        if self.share is not None:
            text = f"{100 * self.share:g} % of capacity left"
        elif self.lanes_blocked == 0:
            text = "shoulder blocked"
        else:
            text = f"{self.lanes_blocked} {'lane' if self.lanes_blocked == 1 else 'lanes'} blocked"
        return f"Incident on {self.where.in_words()}: {text}{self._when()}"

    def _applied(self, city: City) -> City:
        return city  # it always has hours


@dataclass(frozen=True, kw_only=True)
class WeatherDay(Measure):
    """Rain or snow as drivers feel it: shares of speed and capacity on every street, and of trips.

    The air keeps the weather of the run (`City.run(weather=...)`): wind and mixing do not change with it.
    """

    kind: str = "light_rain"
    speed: float | None = None
    capacity: float | None = None
    demand: float | None = None

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.kind not in WEATHER:
            faults.append(Fault(f"weather {self.kind!r}; allowed: {list(WEATHER)}", where="kind"))
        for name, most in (("speed", 1.0), ("capacity", 1.0), ("demand", 5.0)):
            value = getattr(self, name)
            least = 0.0 if name == "demand" else 0.05
            if value is not None and not least <= value <= most:
                faults.append(Fault(f"{name} share {value:g}; allowed: {least:g} to {most:g}", where=name))
        if faults:
            raise ScenarioError(faults)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of speed, capacity and trips."""
        usual = WEATHER[self.kind]
        given = (self.speed, self.capacity, self.demand)
        return tuple(u if g is None else g for g, u in zip(given, usual))  # type: ignore[return-value]

    def check(self, city: City) -> list[Fault]:
        """It fits every city."""
        return []

    def begin(self, overlay: Overlay) -> Undo:
        """Let it begin; the result ends it."""
        speed, capacity, demand = self.shares
        every = list(range(len(overlay.live.city.links)))
        streets = overlay.live.limit(every, capacity=capacity, speed=speed)
        trips = overlay.scale_demand(demand, None, None)

        def undo() -> None:
            trips()
            streets()

        return undo

    def in_words(self) -> str:
        """`Heavy rain: speed 92.5 %, capacity 89.5 %, trips 98 %`."""
        speed, capacity, demand = (f"{100 * share:g} %" for share in self.shares)
        name = self.kind.replace("_", " ").capitalize()
        return f"{name}: speed {speed}, capacity {capacity}, trips {demand}{self._when()}"

    def _applied(self, city: City) -> City:
        speed, capacity, demand = self.shares
        if demand != 1:
            city = replace(city, demand=city.demand.scaled(demand))
        if speed == capacity == 1:
            return city
        limit = LinkLimit(links=np.arange(len(city.links)), capacity=capacity, speed=speed)
        return replace(city, link_limits=(*city.link_limits, limit))
