"""Demand, frozen: trips between places a weekday, when they start, and which links they start and end on.

Places are the zones, then the gateways, in the order of their tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from data.schemas import OD, VEHICLE_CLASSES, validate
from simulation.demand.departures import BIN_S, DAY_TYPES, KINDS, WEEKEND_FACTOR, profile
from simulation.demand.gateways import base_class
from simulation.demand.generation import internal_share, trip_ends
from simulation.demand.od_matrix import balance, friction
from simulation.errors import DemandError

#: Shares of vehicle classes in urban traffic; assumption near European cordon counts (vans 10-15 %, heavy 2-5 %).
CLASS_SHARE = (0.83, 0.11, 0.035, 0.025)
#: Mean travel time of the friction, s; assumption: short trips dominate inside a town.
FRICTION_SCALE_S = 600.0
#: Streets of a zone where trips may start or end; the longest ones of the classes that have doors.
ACCESS_LINKS_PER_ZONE = 12
_DOORS = {"motorway": 0.0, "trunk": 0.1, "primary": 0.6, "secondary": 0.8}  # weight a metre; other classes 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Links on which trips of each place start or end: ranges of `link` by place, with cumulative weights in (0, 1]."""

    start: np.ndarray  # (places + 1,) int64
    link: np.ndarray  # (k,) int64
    cumulative: np.ndarray  # (k,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Demand as it was given: vehicles by pair, class and span of departure. Shape (k,) each.

    Only their shares of each pair are read: `DemandSpec.od_veh` says how many vehicles a pair has.
    """

    pair: np.ndarray  # int64, origin place * n_places + destination place
    vehicle_class: np.ndarray  # int64
    start_s: np.ndarray  # departures are even in [start_s, end_s), s since local midnight
    end_s: np.ndarray
    veh: np.ndarray  # above 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSpec:
    """Everything that makes a day's trips, but the day and the seed.

    With `exact`, a day holds whole vehicles that sum to the demand of that day, instead of Poisson numbers. With
    `cells`, trips depart when the cells say, in their classes, and the profiles serve only what has no cell.
    """

    places: tuple[str, ...]
    n_zones: int
    od_veh: np.ndarray  # (P, P) vehicles a weekday, all classes
    origins: Access
    destinations: Access
    class_share: tuple[float, ...] = CLASS_SHARE
    weekend_factor: float = WEEKEND_FACTOR
    city_day_sd: float = 0.04  # of the log of the day's total; assumption
    place_day_sd: float = 0.08  # of the log of each place's day; assumption
    place_hour_sd: float = 0.12  # of the log of each place's departures around an instant; assumption
    profiles: np.ndarray = field(default_factory=lambda: default_profiles())  # (day types, kinds, 96)
    exact: bool = False
    cells: Cells | None = None

    def __post_init__(self) -> None:
        n = len(self.places)
        if self.od_veh.shape != (n, n) or not np.isfinite(self.od_veh).all() or (self.od_veh < 0).any():
            raise DemandError(f"od_veh must be finite, at least 0 and of shape ({n}, {n}); found {self.od_veh.shape}")
        if len(self.class_share) != len(VEHICLE_CLASSES) or abs(sum(self.class_share) - 1) > 1e-9:
            raise DemandError(f"class_share must sum to 1 over {VEHICLE_CLASSES}; found {self.class_share}")

    def hour_share(self, hour: int) -> np.ndarray:
        """Share of each pair's weekday vehicles that departs in a local hour of day, 0 to 23. Shape (P, P)."""
        bins = self.profiles.shape[2] // 24
        share = self.profiles[0][:, hour * bins : (hour + 1) * bins].sum(axis=1)[self.kind]
        if self.cells is None:
            return np.asarray(share)
        cells, size = self.cells, share.size
        total = np.bincount(cells.pair, weights=cells.veh, minlength=size)
        within = np.minimum(cells.end_s, (hour + 1) * 3600.0) - np.maximum(cells.start_s, hour * 3600.0)
        span = cells.end_s - cells.start_s
        instant = (cells.start_s // 3600.0 == hour).astype(float)
        part = np.where(span > 0, np.maximum(within, 0.0) / np.where(span > 0, span, 1.0), instant)
        here = np.bincount(cells.pair, weights=cells.veh * part, minlength=size)
        return np.where(total > 0, here / np.where(total > 0, total, 1.0), share.ravel()).reshape(share.shape)

    @property
    def kind(self) -> np.ndarray:
        """Index into `KINDS` of each pair. Shape (P, P)."""
        inside = np.arange(len(self.places)) < self.n_zones
        return np.where(
            inside[:, None],
            np.where(inside[None, :], KINDS.index("internal"), KINDS.index("outbound")),
            np.where(inside[None, :], KINDS.index("inbound"), KINDS.index("through")),
        )

    @property
    def dest_link(self) -> np.ndarray:
        """Links where trips may end, each once, ascending: the rows of the route table. Shape (D,)."""
        return np.unique(self.destinations.link)

    def scaled(
        self, factor: float, *, origin_zones: Iterable[str] | None = None, dest_zones: Iterable[str] | None = None
    ) -> DemandSpec:
        """Demand with the trips from and to some places (all, if None) multiplied.

        Raises
        ------
        DemandError
            If the factor is negative or a place is unknown.
        """
        if not np.isfinite(factor) or factor < 0:
            raise DemandError(f"demand factor {factor!r} must be a number of at least 0; 1 changes nothing")
        rows, columns = self._index(origin_zones), self._index(dest_zones)
        od = self.od_veh.copy()
        od[np.ix_(rows, columns)] *= factor
        return replace(self, od_veh=od)

    def _index(self, places: Iterable[str] | None) -> np.ndarray:
        if places is None:
            return np.arange(len(self.places))
        known = {place: k for k, place in enumerate(self.places)}
        wanted = list(places)
        unknown = [place for place in wanted if place not in known]
        if unknown:
            raise DemandError(f"unknown places {unknown}; there are {list(self.places)}")
        return np.array([known[place] for place in wanted], dtype=np.int64)

    def starts(self, n_links: int) -> np.ndarray:
        """Vehicles a weekday that start on each link for each of `dest_link`. Shape (D, n_links)."""
        dest = self.dest_link
        start = _weights(self.origins, np.arange(n_links))
        end = _weights(self.destinations, dest)
        return np.asarray((start.T @ self.od_veh @ end).T)

    def table(self) -> pd.DataFrame:
        """The weekday's OD table by quarter hour and class (`data.schemas.OD`), for export."""
        o, d = np.nonzero(self.od_veh > 0)
        kind = self.kind[o, d]
        share = self.profiles[0][kind]  # (pairs, 96)
        trips = self.od_veh[o, d][:, None, None] * share[:, :, None] * np.array(self.class_share)
        pair, bin_, klass = (a.ravel() for a in np.indices(trips.shape))
        places = np.array(self.places, dtype=object)
        return validate(
            pd.DataFrame(
                {
                    "origin_zone_id": pd.Series(places[o[pair]], dtype="str"),
                    "dest_zone_id": pd.Series(places[d[pair]], dtype="str"),
                    "departure_s": bin_ * BIN_S,
                    "vehicle_class": pd.Series(np.array(VEHICLE_CLASSES, dtype=object)[klass], dtype="str"),
                    "trips_veh": trips.ravel(),
                }
            ),
            OD,
        )


def _weights(access: Access, links: np.ndarray) -> np.ndarray:
    """Share of each place's trips on each of some links, which ascend. Shape (P, links)."""
    owner = np.repeat(np.arange(access.start.size - 1), np.diff(access.start))
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    before = np.where(first, 0.0, np.concatenate([[0.0], access.cumulative[:-1]]))
    out = np.zeros((access.start.size - 1, links.size))
    np.add.at(out, (owner, np.searchsorted(links, access.link)), access.cumulative - before)
    return out


def default_profiles() -> np.ndarray:
    """Shares by quarter hour, shape (day types, kinds, 96)."""
    return np.stack([[profile(kind, day_type) for kind in KINDS] for day_type in DAY_TYPES])


def make_demand(
    zones: pd.DataFrame,
    links: pd.DataFrame,
    link_zone: pd.DataFrame,
    gateways: pd.DataFrame,
    time_between: Callable[[np.ndarray, np.ndarray], np.ndarray],
    core: np.ndarray,
) -> DemandSpec:
    """Demand from what zones are like and how much the gateways carry.

    In, out and through traffic of the gateways is given by their capacity or counts; zones share in and out
    traffic by their trip ends, and make the rest of their trip ends among themselves.

    Parameters
    ----------
    zones, links, link_zone, gateways : DataFrame
        Columns of `data.schemas`; gateways as `find_gateways` returns them.
    time_between : callable
        Takes links (n,) and links (m,); returns the free-flow time from the end of each of the first to the end of
        each of the second, s, inf where there is no way, shape (n, m).
    core : ndarray of bool, shape (n_links,)
        Links from which every other such link can be reached; trips of zones start and end on these.
    """
    origins, destinations = _access(zones, links[core], link_zone, gateways)
    n_zones, n_gates = len(zones), len(gateways)
    places = (*zones["zone_id"], *gateways["gateway_id"])
    time = _place_times(origins, destinations, time_between)
    will = friction(time, scale_s=FRICTION_SCALE_S)
    z, g = slice(0, n_zones), slice(n_zones, n_zones + n_gates)
    od = np.zeros((len(places), len(places)))
    ends = trip_ends(zones)
    inner = internal_share(float(zones["area_m2"].sum()))
    inward, outward = (gateways[name].to_numpy(float) for name in ("in_veh_per_day", "out_veh_per_day"))
    if n_gates and inward.sum() > 0 and outward.sum() > 0:
        mean = 0.5 * (inward.sum() + outward.sum())
        inward, outward = inward * mean / inward.sum(), outward * mean / outward.sum()
        through = gateways["through_share"].to_numpy(float)
        # Traffic that does not cross the city ends or starts in it: never more than the zones' doors account for.
        ending = min(1.0, (1.0 - inner) * ends.sum() / 2.0 / max(((1.0 - through) * inward).sum(), 1e-9))
        through = 1.0 - (1.0 - through) * ending
        apart = will[g, g] * ~np.eye(n_gates, dtype=bool)
        od[g, g] = balance(apart, through * inward, through * outward)
        into = np.maximum(inward - od[g, g].sum(axis=1), 0.0)
        out = np.maximum(outward - od[g, g].sum(axis=0), 0.0)
        od[g, z] = balance(will[g, z], into, ends)
        od[z, g] = balance(will[z, g].T, out, ends).T
    external = od[g, z].sum() + od[z, g].sum()
    internal = max(inner * ends.sum(), ends.sum() - external) / 2.0
    share = ends / ends.sum() * internal
    among = will[z, z] * ~np.eye(n_zones, dtype=bool) if n_zones > 1 else will[z, z]
    od[z, z] = balance(among, share, share)
    return DemandSpec(places=places, n_zones=n_zones, od_veh=od, origins=origins, destinations=destinations)


def _access(
    zones: pd.DataFrame, links: pd.DataFrame, link_zone: pd.DataFrame, gateways: pd.DataFrame
) -> tuple[Access, Access]:
    """Where trips start and end: on some of the given links of a zone, or on the one link of a gateway."""
    kind = links["road_class"].map(base_class)
    weight = links["length_m"] * kind.map(_DOORS).astype(float).fillna(1.0)
    doors = link_zone.assign(weight=link_zone["link_id"].map(weight.set_axis(links["link_id"])) * link_zone["share"])
    gate_links = set(gateways["in_link_id"]) | set(gateways["out_link_id"])
    doors = doors[doors["weight"] > 0]
    inner = doors[~doors["link_id"].isin(gate_links)]
    doors = pd.concat([inner, doors[~doors["zone_id"].isin(inner["zone_id"])]])  # a zone of gateway links alone
    doors = doors.sort_values(["weight", "link_id"], ascending=[False, True])
    per_zone = {zone: rows.head(ACCESS_LINKS_PER_ZONE) for zone, rows in doors.groupby("zone_id")}
    homeless = [zone for zone in zones["zone_id"] if zone not in per_zone]
    if homeless:
        raise DemandError(f"zones without a street to start from: {homeless}; merge them with a neighbour")
    inside = [(per_zone[z]["link_id"].to_numpy(), per_zone[z]["weight"].to_numpy()) for z in zones["zone_id"]]

    def build(column: str) -> Access:
        gates = [
            (np.array([link], dtype=np.int64), np.ones(1)) if link >= 0 else (np.empty(0, np.int64), np.empty(0))
            for link in gateways[column]
        ]
        parts = inside + gates
        cumulative = [np.cumsum(w) / w.sum() if w.size else w for _, w in parts]
        return Access(
            start=np.concatenate([[0], np.cumsum([link.size for link, _ in parts])]).astype(np.int64),
            link=np.concatenate([link for link, _ in parts]).astype(np.int64),
            cumulative=np.concatenate(cumulative),
        )

    return build("in_link_id"), build("out_link_id")


def _place_times(
    origins: Access, destinations: Access, time_between: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Free-flow time between places by their first access links, s; inf where a place has none. Shape (P, P)."""
    n = origins.start.size - 1

    def first(access: Access) -> tuple[np.ndarray, np.ndarray]:
        some = np.diff(access.start) > 0
        at = np.zeros(n, dtype=np.int64)
        at[some] = access.link[access.start[:-1][some]]
        return some, at

    has_o, o = first(origins)
    has_d, d = first(destinations)
    time = time_between(o, d)
    return np.where(has_o[:, None] & has_d[None, :], time, np.inf)
