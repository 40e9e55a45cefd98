"""Likeness: which zones a new zone is like, and the usual day that it may borrow from them.

A few days of readings at the same hours as everybody else's tell how the new zone goes with the others; what the others
are like on all other days follows from their long histories. Weather services and hydrologists extend short records
from long ones in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.calendar import Calendar
from models.profile import Profile

MOST_DONORS = 40  # zones weighed for one new zone, those that go best with it first
PENALTY_HOURS = 3.0  # hours of readings that hold each donor's weight towards 0 (assumed)
LEAST_HOURS = 6  # common hours below which two zones are not compared
FAR = 2.0  # a donor of the most unlike character is held so many times as hard as one of the same (assumed)
#: Days that a scale told by donors counts for beside the new zone's own (assumed).
SCALE_DAYS = 2.0


@dataclass(frozen=True, eq=False)
class Borrowed:
    """What one new zone takes from others before its own readings are weighed in.

    Attributes
    ----------
    donors : ndarray of int, shape (D,)
        Columns of the zones, by weight, heaviest first.
    weight : ndarray, shape (D,)
        Of their usual days, each in its own standard deviations; may be negative, need not sum to 1.
    profile : Profile
        One series.
    """

    donors: np.ndarray
    weight: np.ndarray
    profile: Profile

    @property
    def share(self) -> np.ndarray:
        """How much each donor counts: absolute weights that sum to 1, shape (D,)."""
        size = np.abs(self.weight)
        return np.asarray(size / np.maximum(size.sum(), 1e-12))


def hourly(values: np.ndarray, per_hour: int) -> np.ndarray:
    """Means over hours of (T, C), the last hours whole: shape (T // per_hour, C); `nan` where less than half is known.

    Single readings hold noise that two zones do not share; hours hold the day that they do share.
    """
    n = values.shape[0] // per_hour
    part = values[values.shape[0] - n * per_hour :].reshape(n, per_hour, -1)
    known = np.isfinite(part)
    count = known.sum(axis=1)
    total = np.where(known, part, 0.0).sum(axis=1)
    return np.where(2 * count >= per_hour, total / np.maximum(count, 1), np.nan)


def borrow(
    values: np.ndarray,
    own: np.ndarray,
    donors: np.ndarray,
    usual: Profile,
    *,
    per_hour: int,
    character: np.ndarray | None = None,
) -> Borrowed:
    """The donors of a new zone and its usual day by them.

    Parameters
    ----------
    values : ndarray, shape (T, C)
        Readings of all zones on the model's scale, ending at the same instant as `own`; gaps `nan`.
    own : ndarray, shape (T,)
        The new zone's.
    donors : ndarray of int, shape (D,)
        Columns that may be borrowed from.
    usual : Profile
        Of the C columns, from their long histories.
    per_hour : int
        Steps in an hour.
    character : ndarray or None, shape (D,)
        How unlike each donor is by its map (0: the same; see `unlike`); None counts all alike.

    Returns
    -------
    Borrowed
        A new zone that goes with nobody is given its own mean at all times.

    Notes
    -----
    Hours at which the new zone reported are standardised in every zone; a ridge line of the new zone's hours on the
    donors' gives the weights, and the same weights of the donors' usual days give its own.

    References
    ----------
    Hirsch (1982), doi:10.1029/WR018i004p01081 (short records extended from long ones);
    Hoerl & Kennard (1970), doi:10.1080/00401706.1970.10488634 (ridge)
    """
    hours = hourly(np.column_stack([own, values[:, donors]]), per_hour)
    hours = hours[np.isfinite(hours[:, 0])]
    level = float(np.nanmean(own)) if np.isfinite(own).any() else 0.0
    far = np.zeros(donors.size) if character is None else np.asarray(character, dtype=float)
    together = np.isfinite(hours[:, 1:]).sum(axis=0)
    fit = together >= max(LEAST_HOURS, 0.5 * hours.shape[0])
    if hours.shape[0] < LEAST_HOURS or not fit.any():
        return _alone(own, level, usual)
    donors, far, others = donors[fit], far[fit], hours[:, 1:][:, fit]
    mean = np.nanmean(others, axis=0)
    spread = np.maximum(np.nanstd(others, axis=0), 1e-6 + 1e-4 * np.abs(mean))
    x = np.nan_to_num((others - mean) / spread)
    own_mean, own_spread = float(hours[:, 0].mean()), float(hours[:, 0].std())
    if own_spread < 1e-9:
        return _alone(own, level, usual)
    y = (hours[:, 0] - own_mean) / own_spread
    held = 1.0 + (FAR - 1.0) * far
    best = np.argsort(-(y @ x) / held, kind="stable")[:MOST_DONORS]
    donors, mean, spread, x, held = donors[best], mean[best], spread[best], x[:, best], held[best]
    weight = np.linalg.solve(x.T @ x + PENALTY_HOURS * np.diag(held), x.T @ y)
    shape = (usual.mean[donors] - mean[:, None, None]) / spread[:, None, None]
    own_day = own_mean + own_spread * np.tensordot(weight, shape, axes=1)
    found = Borrowed(donors, weight, usual)
    scale = own_spread * float(found.share @ (usual.scale[donors] / spread))
    stray = scale * np.tensordot(found.share, usual.spread[donors] / usual.scale[donors, None, None], axes=1)
    order = np.argsort(-np.abs(weight), kind="stable")
    return Borrowed(donors[order], weight[order], Profile(own_day[None], stray[None], np.array([scale])))


def blend(
    own: np.ndarray, calendar: Calendar, borrowed: Profile, *, prior_days: float, reach: int
) -> tuple[Profile, np.ndarray]:
    """A usual day that is borrowed where there are no own days and one's own where there are many.

    Parameters
    ----------
    own : ndarray, shape (T,)
        Readings on the model's scale from the calendar's first position on; gaps `nan`.
    calendar : Calendar
    borrowed : Profile
        One series.
    prior_days : float
        Days of own readings of a time of day that count as much as what is borrowed.
    reach : int
        Steps to either side that a time of day is smoothed over.

    Returns
    -------
    Profile
        One series.
    ndarray, shape (T, 1)
        Usual values that each day would have had without itself, as `Profile.with_history` gives them.

    Notes
    -----
    Departures of own readings from the borrowed day are averaged by time of day and drawn towards 0, those of a type of
    day then towards those of all days: two levels of an empirical Bayes mean (Efron & Morris 1973,
    doi:10.1080/01621459.1973.10481350). How many days the borrowed day is worth is learned elsewhere (`rehearsal`).
    """
    n = own.size
    kind, step, spd = calendar.day_type[:n], calendar.step_of_day[:n], calendar.steps_per_day
    known = np.isfinite(own)
    off = np.where(known, own - borrowed.mean[0, kind, step], 0.0)
    day = calendar.day[:n] - calendar.day[0]
    heard = np.unique(day[known])
    slot = kind * spd + step
    total = _smooth(np.bincount(slot, off, 3 * spd).reshape(3, spd), reach)
    count = _smooth(np.bincount(slot, known, 3 * spd).reshape(3, spd), reach)
    mean = borrowed.mean[0] + _drawn(total, count, prior_days)
    usual = borrowed.mean[0, kind, step] + _drawn(total, count, prior_days)[kind, step]
    for d in heard:
        at = np.flatnonzero(day == d)
        part, seen = (np.bincount(slot[at], v[at], 3 * spd).reshape(3, spd) for v in (off, known.astype(float)))
        rest = np.maximum(count - _smooth(seen, reach), 0.0)
        without = _drawn(total - _smooth(part, reach), rest, prior_days)
        usual[at] = borrowed.mean[0, kind[at], step[at]] + without[kind[at], step[at]]
    days = float(known.sum()) / spd
    left = np.where(known, own - usual, 0.0)
    own_square = float((left**2).sum() / max(known.sum(), 1))
    scale = np.sqrt((days * own_square + SCALE_DAYS * borrowed.scale[0] ** 2) / (days + SCALE_DAYS))
    scale = max(float(scale), 1e-6 + 1e-4 * float(np.abs(mean).mean()))
    spread = borrowed.spread * (scale / borrowed.scale[0])
    return Profile(mean[None], np.maximum(spread, 1e-9), np.array([scale])), usual[:, None]


def unlike(features: np.ndarray, of: int, among: np.ndarray) -> np.ndarray:
    """How unlike zones are by their map, 0 to 1: distance over standardised features that vary, shape (D,).

    Parameters
    ----------
    features : ndarray, shape (Z, E)
        E.g. area, homes, jobs, road lengths, place.
    of : int
    among : ndarray of int, shape (D,)
    """
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    off = np.where(known, features - np.where(known, features, 0.0).sum(axis=0) / count, 0.0)
    spread = np.sqrt((off**2).sum(axis=0) / count)
    varies = spread > 1e-9
    if not varies.any():
        return np.zeros(among.size)
    off = off[:, varies] / spread[varies]
    apart = np.sqrt(((off[among] - off[of]) ** 2).sum(axis=1))
    return np.asarray(apart / np.maximum(apart.max(), 1e-9))


def _alone(own: np.ndarray, level: float, usual: Profile) -> Borrowed:
    """Nothing but the own mean, with the typical shape of strays."""
    scale = max(float(np.nanstd(own)) if np.isfinite(own).any() else 0.0, 1e-6 + 1e-4 * abs(level))
    stray = scale * (usual.spread / usual.scale[:, None, None]).mean(axis=0, keepdims=True)
    flat = np.full((1, *usual.mean.shape[1:]), level)
    none = np.zeros(0)
    return Borrowed(none.astype(np.int64), none, Profile(flat, stray, np.array([scale])))


def _drawn(total: np.ndarray, count: np.ndarray, prior_days: float) -> np.ndarray:
    """Mean departures by type and time of day, drawn towards those of all days, and these towards 0."""
    every = total.sum(axis=0) / (count.sum(axis=0) + prior_days)
    return np.asarray((total + prior_days * every) / (count + prior_days))


def _smooth(array: np.ndarray, reach: int) -> np.ndarray:
    """Triangular moving mean around the clock (axis 1)."""
    out = np.zeros_like(array, dtype=float)
    for k in range(-reach, reach + 1):
        out += (1.0 - abs(k) / (reach + 1)) / (reach + 1) * np.roll(array, k, axis=1)
    return out
