"""One day's vehicles: numbers, instants, links and tastes, each random number keyed by what it is for.

The number of trips of a pair and class is Poisson, by inverse distribution from one keyed uniform: more demand means
the same trips and some more, so that a base and a scenario differ by the scenario alone. Trip k of a pair has the same
departure, links and perception in every run with the same seed and day. Demand that was given can be `exact` instead:
whole vehicles that sum to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import poisson

from data.schemas import VEHICLE_CLASSES
from simulation.demand.departures import BIN_S, BINS, KINDS
from simulation.demand.spec import Access, DemandSpec
from simulation.demand.whole_vehicles import whole_vehicles
from simulation.streams import Purpose, bits, normal, uniform

_CLASSES = len(VEHICLE_CLASSES)
_CITY = 1 << 40  # item number of the city as a whole
_HOUR_KNOTS = 13  # knots of the smooth deviation of a place's departures: one every two hours


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTrips:
    """Trips of one day in order of departure. Shape (k,) each."""

    depart_s: np.ndarray  # s since local midnight
    origin_link: np.ndarray  # int64
    dest_link: np.ndarray  # int64
    taste: np.ndarray  # in (0, 1), keyed: picks the perception
    vehicle_class: np.ndarray  # int64
    pair: np.ndarray  # int64, origin place * n_places + destination place
    key: np.ndarray  # uint64, names the trip for keyed decisions

    def __len__(self) -> int:
        return self.depart_s.size

    def take(self, index: np.ndarray) -> DayTrips:
        """Some of the trips, in the order given."""
        return DayTrips(**{name: getattr(self, name)[index] for name in self.__slots__})


def joined(parts: Sequence[DayTrips]) -> DayTrips:
    """Several sets of trips as one, in order of departure."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in DayTrips.__slots__}
    return DayTrips(
        **{name: values[np.lexsort((columns["key"], columns["depart_s"]))] for name, values in columns.items()}
    )


def sample_day(spec: DemandSpec, *, seed: int, day: int, weekend: bool, closed: np.ndarray | None = None) -> DayTrips:
    """The trips of one day.

    Parameters
    ----------
    spec : DemandSpec
    seed : int
    day : int
        Number of the day, e.g. `date.toordinal()`.
    weekend : bool
    closed : ndarray of bool, shape (classes, n_links), optional
        Links where no trip of a class may start or end; its trips use the place's other links.
    """
    p = len(spec.places)
    o, d = np.nonzero(spec.od_veh > 0)
    pair = o * p + d
    level = _levels(spec, seed, day)
    mean = spec.od_veh[o, d] * level[o] * level[d] * (spec.weekend_factor if weekend else 1.0)
    if spec.cells is not None or spec.exact:
        return _given_day(spec, pair, mean, seed, day, weekend, closed)
    by_class = mean[:, None] * np.array(spec.class_share)[None, :]
    item = pair[:, None] * _CLASSES + np.arange(_CLASSES)[None, :]
    chance = uniform(seed, day, item.ravel(), Purpose.TRIP_COUNT)
    count = poisson.ppf(chance, by_class.ravel()).astype(np.int64)
    row = np.repeat(np.arange(count.size), count)
    number = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    where, klass = row // _CLASSES, row % _CLASSES
    item = item.ravel()[row]

    def keyed(purpose: Purpose) -> np.ndarray:
        return uniform(seed, day, item, purpose, index=number)

    depart = _departures(spec, seed, day, weekend, o[where], spec.kind[o, d][where], keyed(Purpose.DEPARTURE))
    trips = DayTrips(
        depart_s=depart,
        origin_link=picked_link(spec.origins, o[where], keyed(Purpose.ORIGIN_LINK)),
        dest_link=picked_link(spec.destinations, d[where], keyed(Purpose.DEST_LINK)),
        taste=keyed(Purpose.TRIP_LAYER),
        vehicle_class=klass,
        pair=pair[where],
        key=bits(seed, day, item, Purpose.TRIP_KEEP, index=number),
    )
    trips = trips.take(np.flatnonzero(trips.origin_link != trips.dest_link))
    trips = trips.take(np.lexsort((trips.key, trips.depart_s)))
    return trips if closed is None else around_closed(spec, trips, closed)


def _given_day(
    spec: DemandSpec, pair: np.ndarray, mean: np.ndarray, seed: int, day: int, weekend: bool, closed: np.ndarray | None
) -> DayTrips:
    """Whole vehicles of each pair, class and span that sum to the day's demand, each with its own luck.

    A cell's vehicle k keeps its departure, links and taste whatever the other cells have. Who would end on the link of
    its start ends on the next link of the place.
    """
    p = len(spec.places)
    cell_pair, klass, start, end, veh = _cells_of_day(spec, pair, mean)
    count = whole_vehicles(veh, seed=int(bits(seed, day, _CITY, Purpose.TRIP_COUNT)[0] >> np.uint64(1)))
    row = np.repeat(np.arange(count.size), count)
    number = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    where, item = cell_pair[row], (cell_pair * _CLASSES + klass)[row]
    # spans of one pair and class have their own numbers
    index = number + (np.rint(np.where(np.isnan(start), 0.0, start) * 1000.0).astype(np.int64) << 24)[row]

    def keyed(purpose: Purpose) -> np.ndarray:
        return uniform(seed, day, item, purpose, index=index)

    chance = keyed(Purpose.DEPARTURE)
    by_profile = _departures(spec, seed, day, weekend, where // p, spec.kind.ravel()[where], chance)
    depart = np.where(np.isnan(start[row]), by_profile, start[row] + chance * (end - start)[row])
    origin = picked_link(spec.origins, where // p, keyed(Purpose.ORIGIN_LINK))
    dest = picked_link(spec.destinations, where % p, keyed(Purpose.DEST_LINK))
    trips = DayTrips(
        depart_s=depart, origin_link=origin, dest_link=_elsewhere(spec.destinations, where % p, origin, dest),
        taste=keyed(Purpose.TRIP_LAYER), vehicle_class=klass[row], pair=where,
        key=bits(seed, day, item, Purpose.TRIP_KEEP, index=index),
    )  # fmt: skip
    trips = trips.take(np.flatnonzero(trips.origin_link != trips.dest_link))
    trips = trips.take(np.lexsort((trips.key, trips.depart_s)))
    return trips if closed is None else around_closed(spec, trips, closed)


def _cells_of_day(spec: DemandSpec, pair: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pair, class, start, end (nan: by profile) and vehicles of each cell of a day with `mean` vehicles a pair."""
    asked = np.zeros(len(spec.places) ** 2)
    asked[pair] = mean
    left = asked.copy()
    parts = []
    if spec.cells is not None:
        c = spec.cells
        total = np.bincount(c.pair, weights=c.veh, minlength=asked.size)
        # exactly the given number where the day has what was given
        veh = c.veh * np.divide(asked, total, out=np.zeros_like(asked), where=total > 0)[c.pair]
        parts.append((c.pair, c.vehicle_class, c.start_s, c.end_s, veh))
        left[total > 0] = 0.0
    rest = np.flatnonzero(left > 0)
    for k, share in enumerate(spec.class_share):
        never = np.full(rest.size, np.nan)
        parts.append((rest, np.full(rest.size, k, dtype=np.int64), never, never, left[rest] * share))
    return tuple(np.concatenate(part) for part in zip(*parts))


def _elsewhere(access: Access, place: np.ndarray, origin: np.ndarray, dest: np.ndarray) -> np.ndarray:
    """Destination links, with the next link of the place where a trip would end on the link that it starts on."""
    same = np.flatnonzero(origin == dest)
    out = dest.copy()
    for k in same:
        here = access.link[access.start[place[k]] : access.start[place[k] + 1]]
        out[k] = here[(int(np.flatnonzero(here == dest[k])[0]) + 1) % here.size]
    return out


def around_closed(spec: DemandSpec, trips: DayTrips, closed: np.ndarray) -> DayTrips:
    """Trips whose first or last link is closed to their class use another open link of the place, where it has one.

    Parameters
    ----------
    spec : DemandSpec
        That the trips were sampled from.
    trips : DayTrips
    closed : ndarray of bool, shape (classes, n_links)
    """
    if not closed.any():
        return trips
    ends = {}
    for name, access, place in (
        ("origin_link", spec.origins, trips.pair // len(spec.places)),
        ("dest_link", spec.destinations, trips.pair % len(spec.places)),
    ):
        link = getattr(trips, name).copy()
        for k in np.flatnonzero(closed[trips.vehicle_class, link]):
            here = access.link[access.start[place[k]] : access.start[place[k] + 1]]
            open_ = here[~closed[trips.vehicle_class[k], here]]
            if open_.size:
                link[k] = open_[int(trips.taste[k] * 1e6) % open_.size]
        ends[name] = link
    trips = replace(trips, **ends)
    return trips.take(np.flatnonzero(trips.origin_link != trips.dest_link))


def _levels(spec: DemandSpec, seed: int, day: int) -> np.ndarray:
    """How busy each place is that day; mean 1, square root each for origin and destination. Shape (P,)."""
    k = np.arange(len(spec.places))
    own = spec.place_day_sd * normal(seed, day, k, Purpose.ZONE_DAY_FACTOR)
    city = spec.city_day_sd * normal(seed, day, _CITY, Purpose.DAY_FACTOR)
    variance = spec.place_day_sd**2 + spec.city_day_sd**2
    return np.exp(0.5 * (own + city) - variance / 8.0)


def _departures(
    spec: DemandSpec, seed: int, day: int, weekend: bool, place: np.ndarray, kind: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """Departure of each trip, s since local midnight, by the inverse distribution of its place and kind."""
    p = len(spec.places)
    knot = np.arange(p)[:, None] * _HOUR_KNOTS + np.arange(_HOUR_KNOTS)[None, :]
    bumps = spec.place_hour_sd * normal(seed, day, knot.ravel(), Purpose.HOUR_FACTOR).reshape(p, _HOUR_KNOTS)
    at = (np.arange(BINS) + 0.5) / BINS * (_HOUR_KNOTS - 1)
    left = np.minimum(at.astype(int), _HOUR_KNOTS - 2)
    smooth = bumps[:, left] * (1 - (at - left)) + bumps[:, left + 1] * (at - left)  # (P, 96)
    density = spec.profiles[int(weekend)][None, :, :] * np.exp(smooth)[:, None, :]  # (P, kinds, 96)
    cumulative = np.cumsum(density / density.sum(axis=2, keepdims=True), axis=2).reshape(p * len(KINDS), BINS)
    cumulative[:, -1] = 1.0
    rows = place * len(KINDS) + kind
    at_bin = np.searchsorted((cumulative + np.arange(len(cumulative))[:, None]).ravel(), rows + chance)
    at_bin = np.clip(at_bin - rows * BINS, 0, BINS - 1)
    upper = cumulative[rows, at_bin]
    lower = np.where(at_bin > 0, cumulative[rows, at_bin - 1], 0.0)
    within = np.clip((chance - lower) / np.maximum(upper - lower, 1e-12), 0.0, 1.0 - 1e-9)
    return (at_bin + within) * BIN_S


def picked_link(access: Access, place: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Link of each trip at its place."""
    owner = np.repeat(np.arange(access.start.size - 1), np.diff(access.start))
    at = np.searchsorted(access.cumulative + owner, place + chance)
    at = np.clip(at, access.start[place], np.maximum(access.start[place + 1] - 1, access.start[place]))
    return access.link[at]
