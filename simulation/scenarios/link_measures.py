"""Measures that build: a new street, and lanes for buses alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from data.schemas import VEHICLE_CLASSES
from data.units import KMH_PER_MPS
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import URBAN_BELOW_KMH, URBAN_FACTOR, LinkMeasure, Measure, class_rows
from simulation.scenarios.network_changes import with_links
from simulation.scenarios.select import ROAD_CLASSES, Point, local_points
from simulation.scenarios.timetable import Overlay, Undo

if TYPE_CHECKING:
    from simulation.city import City

#: The ends of a new street must lie this near to a crossing that exists, m.
SNAP_M = 40.0
#: Column of the links table that names the link a bus lane was taken from; -1 elsewhere.
BUS_LANE_OF = "bus_lane_of"
_OTHERS = tuple(name for name in VEHICLE_CLASSES if name != "bus")


@dataclass(frozen=True, kw_only=True)
class NewLink(Measure):
    """A new street between two crossings, for good: a bridge, a tunnel, a gap that is closed.

    Its capacity and storage a lane are those of the city's streets of its class. Signals at its ends get new plans; it
    has no doors and no walls, and demand is not made anew for it (`demand` or `development` do that).

    Attributes
    ----------
    line : tuple of (float, float)
        Longitude and latitude of its points; the first and the last are moved to the nearest crossing.
    """

    line: tuple[Point, ...]
    name: str = "New street"
    road_class: str = "residential"
    lanes: float = 1.0
    kmh: float = 50.0
    two_way: bool = True

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if len(self.line) < 2:
            faults.append(Fault(f"a new street needs at least 2 points; found {len(self.line)}", where="line"))
        if self.road_class.removesuffix("_link") not in ROAD_CLASSES:
            faults.append(Fault(f"road class {self.road_class!r}; allowed: {list(ROAD_CLASSES)}", where="road_class"))
        if not 1 <= self.lanes <= 12:
            faults.append(Fault(f"lanes {self.lanes:g}; allowed: 1 to 12", where="lanes"))
        if not 5 <= self.kmh <= 130:
            faults.append(Fault(f"speed limit {self.kmh:g} km/h; allowed: 5 to 130", where="kmh"))
        if self.hours is not None:
            faults.append("a new street is for good; leave out start, end and days")
        if faults:
            raise ScenarioError(faults)

    def ends(self, city: City) -> tuple[int, int]:
        """Rows of the nodes that it joins.

        Raises
        ------
        ScenarioError
            If an end is too far from a crossing, or both are at the same.
        """
        points = local_points([self.line[0], self.line[-1]], city)
        at = city.nodes[["x_m", "y_m"]].to_numpy(float)
        away = np.hypot(at[:, 0] - points[:, :1], at[:, 1] - points[:, 1:])  # (2, nodes)
        nearest, faults = away.argmin(axis=1), []
        for name, row in zip(("first", "last"), range(2)):
            if away[row].min() > SNAP_M:
                text = (
                    f"the {name} point lies {away[row].min():,.0f} m from the nearest crossing; allowed: {SNAP_M:g} m"
                )
                faults.append(Fault(text + "; longitude comes first, then latitude", where="line"))
        if not faults and nearest[0] == nearest[1]:
            faults.append(Fault("both ends lie at the same crossing", where="line"))
        if faults:
            raise ScenarioError(faults)
        return int(nearest[0]), int(nearest[1])

    def check(self, city: City) -> list[Fault]:
        """Ends that meet no crossing."""
        try:
            self.ends(city)
        except ScenarioError as error:
            return list(error.faults)
        return []

    def begin(self, overlay: Overlay) -> Undo:
        """It has no hours."""
        raise ScenarioError(["a new street is for good"])

    def in_words(self) -> str:
        """`New street New bridge, 2 lanes, 50 km/h`."""
        lanes = f"{self.lanes:g} {'lane' if self.lanes == 1 else 'lanes'}"
        way = "" if self.two_way else ", one-way"
        return f"New street: {self.name}, {self.road_class}, {lanes}, {self.kmh:g} km/h{way}"

    def _applied(self, city: City) -> City:
        start, end = self.ends(city)
        points = local_points(self.line, city)
        points[[0, -1]] = city.nodes[["x_m", "y_m"]].to_numpy(float)[[start, end]]
        shapes = [shapely.LineString(points)] + ([shapely.LineString(points[::-1])] if self.two_way else [])
        capacity, jam = _per_lane(city.links, self.road_class)
        node = city.nodes["node_id"].to_numpy()
        pairs = [(node[start], node[end]), (node[end], node[start])][: len(shapes)]
        k = len(shapes)
        rows: dict[str, Any] = {
            "from_node_id": [a for a, _ in pairs], "to_node_id": [b for _, b in pairs], "geometry": shapes,
            "length_m": [max(shape.length, 1.0) for shape in shapes], "lanes": [float(self.lanes)] * k,
            "free_flow_speed_mps": [self.kmh / KMH_PER_MPS * (URBAN_FACTOR if self.kmh < URBAN_BELOW_KMH else 1.0)] * k,
            "capacity_veh_per_s": [capacity * self.lanes] * k, "jam_density_veh_per_m": [jam * self.lanes] * k,
            "road_class": [self.road_class] * k, "name": [self.name] * k, "oneway": [not self.two_way] * k,
        }  # fmt: skip
        return with_links(city, rows)


def _per_lane(links: pd.DataFrame, road_class: str) -> tuple[float, float]:
    """Median capacity and jam density a lane of the streets of a class, or of all where there are none."""
    same = links["road_class"] == road_class
    some = links[same] if same.any() else links
    capacity, jam = ((some[name] / some["lanes"]).median() for name in ("capacity_veh_per_s", "jam_density_veh_per_m"))
    return float(capacity), float(jam)


@dataclass(frozen=True, kw_only=True)
class BusLane(LinkMeasure):
    """Streets give a lane of each direction to buses, where they have more than one.

    The lane becomes a link of its own beside the others, with the same ends, signals and turns, its share of capacity
    and storage, and closed to all but buses. With hours it is built and stays closed outside of them, and the other
    lanes are as many as before. Buses drive as their route is fastest: on the lane where that pays.
    """

    def __post_init__(self) -> None:
        if self.where.is_empty:
            raise ScenarioError(["a bus lane needs a place (street, links, ...)"])

    def split(self, city: City) -> tuple[np.ndarray, np.ndarray]:
        """Links that give a lane, and bus lanes that there are already for links of the place."""
        links = self.links(city)
        lanes = city.links["lanes"].to_numpy(dtype=float)[links]
        if BUS_LANE_OF not in city.links.columns:
            return links[lanes >= 2], np.zeros(0, dtype=np.int64)
        owner = city.links[BUS_LANE_OF].to_numpy()
        built = np.flatnonzero(np.isin(owner, links) & (owner >= 0))
        rest = (lanes >= 2) & (owner[links] < 0) & ~np.isin(links, owner[built])
        return links[rest], built

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and streets without a lane to give."""
        faults = super().check(city)
        if not faults and not any(part.size for part in self.split(city)):
            faults.append(Fault(f"no street with two lanes a direction: {self.where.in_words()}"))
        return faults

    def remarks(self, city: City) -> list[str]:
        """Links that have no lane to give."""
        links, some = self.links(city), self.split(city)[0]
        if some.size == links.size:
            return []
        return [f"{links.size - some.size} of {links.size} links have one lane; the bus lane has gaps there"]

    def apply(self, city: City) -> City:
        """The city with the lanes built: for buses, or closed to all until its hours."""
        parents, _ = self.split(city)
        if not parents.size:
            return city
        if self.hours is None:
            return _built(city, parents, closed=_OTHERS, taken=True)
        return _built(city, parents, closed=VEHICLE_CLASSES, taken=False)

    def begin(self, overlay: Overlay) -> Undo:
        """Open the lanes to buses and take them from the others; the result ends it."""
        city, live = overlay.live.city, overlay.live
        _, built = self.split(city)
        parents = city.links[BUS_LANE_OF].to_numpy()[built]
        narrowed = overlay.set_lanes(parents, city.links["lanes"].to_numpy(float)[parents] - 1.0)
        live.open(built.tolist(), class_rows(("bus",)))

        def undo() -> None:
            live.close(built.tolist(), class_rows(("bus",)))
            narrowed()

        return undo

    def in_words(self) -> str:
        """`Bus lane on X`."""
        return f"Bus lane on {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        return self.apply(city)


def _built(city: City, parents: np.ndarray, *, closed: tuple[str, ...], taken: bool) -> City:
    """The city with a lane of some links as links of their own, closed to some classes."""
    n, k = len(city.links), parents.size
    if BUS_LANE_OF not in city.links.columns:
        city = replace(city, links=city.links.assign(**{BUS_LANE_OF: np.full(n, -1, dtype=np.int64)}))
    own = city.links.iloc[parents]
    share = 1.0 / own["lanes"].to_numpy(float)
    rows: dict[str, Any] = {name: own[name].tolist() for name in own.columns if name not in ("link_id", "turn_lanes")}
    rows |= {
        "lanes": [1.0] * k, "capacity_veh_per_s": (own["capacity_veh_per_s"].to_numpy(float) * share).tolist(),
        "jam_density_veh_per_m": (own["jam_density_veh_per_m"].to_numpy(float) * share).tolist(),
        BUS_LANE_OF: parents.tolist(),
    }  # fmt: skip
    ids = np.arange(n, n + k)
    beside = pd.Series(ids, index=parents)
    turns = city.turns
    one, two = turns["from_link_id"].map(beside), turns["to_link_id"].map(beside)
    more = [
        turns.assign(from_link_id=one)[one.notna()],
        turns.assign(to_link_id=two)[two.notna()],
        turns.assign(from_link_id=one, to_link_id=two)[one.notna() & two.notna()],
    ]
    new_turns = pd.concat(more, ignore_index=True).astype({"from_link_id": np.int64, "to_link_id": np.int64})
    grown = with_links(city, rows, turns=new_turns, like=parents)
    if taken:
        left = np.ones(len(grown.links))
        left[parents] = 1.0 - share
        names = ("lanes", "capacity_veh_per_s", "jam_density_veh_per_m")
        grown = replace(grown, links=grown.links.assign(**{name: grown.links[name] * left for name in names}))
    cells = {(link, klass) for link in ids.tolist() for klass in class_rows(closed)}
    inherited = {(int(beside[link]), klass) for link, klass in city.closed if link in beside.index}
    return replace(grown, closed=grown.closed | cells | inherited)
