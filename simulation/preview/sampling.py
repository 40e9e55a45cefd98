"""Which scenarios an ensemble simulates: a design over kinds of measures, places, extents and strengths.

A scrambled Sobol sequence (Owen 1998, doi:10.1006/jcom.1998.0487) fills the space evenly, so that every kind, every
part of the city and every strength is seen with few simulations. Each scenario has one to `most_measures` measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.stats import qmc

from simulation.air.fleet import Ban
from simulation.city import City
from simulation.preview.errors import PreviewError
from simulation.preview.window import Window
from simulation.scenarios.fleet_measures import LowEmissionZone
from simulation.scenarios.hours import Hours
from simulation.scenarios.measures import CloseStreet, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.toll_measure import ChargeToll

#: Kinds of measures and the range of their strength: lanes more or fewer, km/h, factor of trips, latest banned Euro
#: standard of diesels, EUR; a closure has none. What planners of towns try first (assumed).
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "close_street": (0.0, 0.0), "lanes": (-1.0, 1.0), "speed_limit": (20.0, 40.0), "demand": (0.8, 1.2),
        "low_emission_zone": (3.0, 6.0), "toll": (0.5, 4.0),
    }
)  # fmt: skip
_LEAST_CHANGE = 0.02  # of demand: a factor nearer to 1 than this tells the ensemble nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What an ensemble may hold.

    Attributes
    ----------
    ranges : mapping
        Strengths by kind; kinds left out are never drawn.
    most_measures : int
        Of one scenario, 1 to 4.
    closed_links : int
        Most links of one closure.
    hours_share : float
        Share of measures that hold in a part of the window only.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: RANGES)
    most_measures: int = 3
    closed_links: int = 8
    hours_share: float = 0.2

    def __post_init__(self) -> None:
        faults = []
        unknown = [kind for kind in self.ranges if kind not in RANGES]
        if unknown or not self.ranges:
            faults.append(f"kinds {unknown or 'missing'}; allowed: {list(RANGES)}")
        faults += [f"range of {kind} {low:g} to {high:g} ends before it begins"
                   for kind, (low, high) in self.ranges.items() if low > high]  # fmt: skip
        if not 1 <= self.most_measures <= 4:
            faults.append(f"most_measures={self.most_measures}; allowed: 1 to 4")
        if self.closed_links < 1:
            faults.append(f"closed_links={self.closed_links}; at least 1")
        if not 0 <= self.hours_share <= 1:
            faults.append(f"hours_share={self.hours_share:g}; allowed: 0 to 1")
        if faults:
            raise PreviewError("the design cannot be used: " + "; ".join(faults))


def draw(city: City, n: int, *, window: Window, design: Design | None = None, seed: int = 1) -> list[Scenario]:
    """Scenarios of a design, every one of which fits the city.

    Parameters
    ----------
    city : City
    n : int
        How many.
    window : Window
        Hours of timed measures lie in it.
    design : Design, optional
    seed : int
        The first k of n scenarios are the same for every n.

    Raises
    ------
    PreviewError
        If `n` is below 1, or the city has no street that can be closed without cutting a place off.
    """
    if n < 1:
        raise PreviewError(f"n={n} scenarios; at least 1")
    design = design or Design()
    places = _Places(city, design.closed_links)
    points = qmc.Sobol(d=1 + 5 * design.most_measures, scramble=True, seed=np.random.default_rng([seed, 811]))
    found: list[Scenario] = []
    for _ in range(50 * n + 50):
        if len(found) == n:
            break
        row = points.random(1)[0]
        count = 1 + int(row[0] * design.most_measures)
        measures = [_measure(row[1 + 5 * k : 6 + 5 * k], places, design, window) for k in range(count)]
        kept = tuple(measure for measure in measures if measure is not None)
        scenario = Scenario(name=f"design-{seed}-{len(found) + 1}", measures=kept)
        if kept and not scenario.check(city):
            found.append(scenario)
    if len(found) < n:
        raise PreviewError(f"only {len(found)} of {n} scenarios fit {city.label}; allow more kinds in the design")
    return found


class _Places:
    """Where measures may be: streets (all links of a name in a zone), zones, the important streets of a zone."""

    def __init__(self, city: City, closed_links: int) -> None:
        links = city.links
        share = city.link_zone.sort_values(["share", "zone_id"], ascending=[False, True])
        home = share.drop_duplicates("link_id").set_index("link_id")["zone_id"].reindex(range(len(links)))
        self.zones = [str(zone) for zone in city.zones["zone_id"]]
        self.with_links = [zone for zone in self.zones if (home == zone).any()]
        gates = set(city.gateways[["in_link_id", "out_link_id"]].to_numpy().ravel())
        inner = [link for link in range(len(links)) if link not in gates and home.notna()[link]]
        streets: dict[tuple[str, str], list[int]] = {}
        low, high = links[["from_node_id", "to_node_id"]].min(axis=1), links[["from_node_id", "to_node_id"]].max(axis=1)
        for link in inner:
            name = str(links["name"].iloc[link] or "") or f"{low.iloc[link]}-{high.iloc[link]}"
            streets.setdefault((str(home[link]), name), []).append(link)
        self.streets = [tuple(ids[:closed_links]) for _, ids in sorted(streets.items())]
        major = links["capacity_veh_per_s"] / links["lanes"]
        strong = major >= major.quantile(0.7)
        self.major = [
            ids for zone in self.with_links if (ids := tuple(np.flatnonzero((home == zone).to_numpy() & strong)))
        ]
        if not self.streets or not self.with_links:
            raise PreviewError(f"{city.label} has no street inside its zones; nothing could be tried")


def _measure(u: np.ndarray, places: _Places, design: Design, window: Window) -> Measure | None:
    """One measure from five numbers in [0, 1): kind, place, extent, strength, hours."""
    kinds = list(design.ranges)
    kind = kinds[min(int(u[0] * len(kinds)), len(kinds) - 1)]
    low, high = design.ranges[kind]
    strength = low + u[3] * (high - low)
    hours = _hours(u[4] / design.hours_share, window) if u[4] < design.hours_share else None

    def pick(of: list) -> object:
        return of[min(int(u[1] * len(of)), len(of) - 1)]

    zone = str(pick(places.with_links))
    street = Selection(links=tuple(int(link) for link in pick(places.streets)))  # type: ignore[attr-defined]
    area = Selection(zones=(zone,)) if u[2] < 0.6 else Selection(zones=_around(zone, places, u[2]))
    if kind == "close_street":
        return CloseStreet(where=street, hours=hours)
    if kind == "lanes":
        change = float(np.rint(strength))
        return SetLanes(where=street if u[2] < 0.5 else area, change=change, hours=hours) if change else None
    if kind == "speed_limit":
        return SpeedLimit(where=area, kmh=float(5 * np.rint(strength / 5)), hours=hours)
    if kind == "demand":
        if abs(strength - 1.0) < _LEAST_CHANGE:
            return None
        ends = {"from_zones": (zone,)} if u[2] < 0.33 else {"to_zones": (zone,)} if u[2] < 0.67 else {}
        return ScaleDemand(factor=float(np.round(strength, 3)), hours=hours, **ends)  # type: ignore[arg-type]
    if kind == "low_emission_zone":
        return LowEmissionZone(where=area, bans=(Ban(fuel="diesel", euro_max=int(np.rint(strength))),), hours=hours)
    return ChargeToll(where=area, eur=float(np.round(strength, 2)), cordon=bool(u[2] >= 0.3), hours=hours)


def _around(zone: str, places: _Places, extent: float) -> tuple[str, ...]:
    """A zone and some others in the order of the table, up to a third of the city."""
    most = max(2, round(len(places.with_links) / 3))
    count = 2 + int((extent - 0.6) / 0.4 * (most - 1))
    at = places.with_links.index(zone)
    ring = [places.with_links[(at + k) % len(places.with_links)] for k in range(min(count, most))]
    return tuple(ring)


def _hours(u: float, window: Window) -> Hours:
    """A part of the window, in quarters of an hour, at least a third of it."""
    quarters = window.quarters()
    n = quarters.size
    length = min(max(1, n // 3 + int(u * (n - n // 3))), 95)  # a whole day has no hours
    first = int((u * 7919) % 1 * (n - length + 1))
    end = float((quarters[first] + 900.0 * length) % 86_400.0)
    return Hours(float(quarters[first]), end or 86_400.0)
