"""Transfer: a forecaster for a zone that has only just begun to report, from zones that have reported for long.

The zone borrows the usual day of those that it is like, its lines lean on all donors' rows, and the citywide model
teaches; how far each is trusted is rehearsed on old zones that begin again (see `rehearsal`) and, for the lines, on
days of its own that are left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.errors import NoDataError, UnknownZoneError
from models.featuriser import Featuriser
from models.forecasting import LearnedForecaster
from models.horizons import followed
from models.intervals import ConformalIntervals
from models.newcomers.forecaster import TransferredForecaster, own_readings, own_rows, reach_of, with_own
from models.newcomers.likeness import Borrowed, blend, borrow, unlike
from models.newcomers.rehearsal import Lessons, rehearse
from models.newcomers.warm import WORTH_DAYS, grams, prior_of, squares, warm_lines
from models.newcomers.warm_line import WarmLine
from models.panel import Panel, by_zone
from models.profile import Profile
from models.scale import to_scale
from models.zone_features import CHARACTER, zone_features

if TYPE_CHECKING:
    from models.training import Training

MOST_TEACHERS = 120  # zones whose rows the lines lean on; of more, so many are drawn
LEAST_DONORS = 2
MAX_BYTES = 400_000_000  # of the donors' rows; beyond it, every second or third origin is taken
POOL_DAYS = 10.0  # days of own left-out rows that the rehearsal counts for when donors' worth is chosen (assumed)
NAMED_SHARE = 0.01  # donors of less are not named


def transfer(
    training: Training,
    panel: Panel,
    zone_id: str,
    *,
    target: str,
    train_end: pd.Timestamp | None = None,
    seed: int | None = None,
) -> TransferredForecaster:
    """A forecaster of one new zone; see `transfer_all`."""
    return transfer_all(training, panel, target, (zone_id,), train_end=train_end, seed=seed)[zone_id]


def transfer_all(
    training: Training,
    panel: Panel,
    target: str,
    zone_ids: Sequence[str],
    *,
    train_end: pd.Timestamp | None = None,
    seed: int | None = None,
) -> dict[str, TransferredForecaster]:
    """Forecasters of zones that are new, made together.

    Parameters
    ----------
    training : Training
        Of the zones that have reported for long: donors are those with micromodels of `target`; the citywide candidate
        with the least error that learns more than lines is the teacher.
    panel : Panel
        Of old and new zones; a new zone is `nan` until it reports.
    target : str
    zone_ids : sequence of str
    train_end : Timestamp or None
        UTC; nothing at or after it is read. None takes that of `training`.
    seed : int or None
        None takes that of `training`.

    Returns
    -------
    dict of str to TransferredForecaster
        Ordinary forecasters that can be registered, each with its `reason`.

    Raises
    ------
    NoDataError
        If there are fewer than `LEAST_DONORS` donors, or a new zone has less than half a day of readings.
    UnknownZoneError
        If the panel does not have a zone.
    """
    end = panel.known_by(training.train_end if train_end is None else train_end)
    past, seed = panel.until(end), training.seed if seed is None else seed
    panel.columns(zone_ids)
    old = tuple(zone for zone in training.zones(target) if zone not in zone_ids)
    if len(old) < LEAST_DONORS:
        raise NoDataError(
            f"{len(old)} zone(s) with models of '{target}' could lend to {list(zone_ids)[:5]}; at least {LEAST_DONORS}"
            f" are needed"
        )
    missing = sorted(set(old) - set(panel.zone_ids))
    if missing:
        raise UnknownZoneError(f"zones {missing[:5]} of the training are not in the panel; give that of all zones")
    return _Transfer(training, past, target, old, tuple(zone_ids), seed).made()


class _Transfer:
    """What all new zones of one call share."""

    def __init__(
        self, training: Training, past: Panel, target: str, old: tuple[str, ...], new: tuple[str, ...], seed: int
    ) -> None:
        self.training, self.past, self.target, self.seed = training, past, target, seed
        self.old, self.new, self.every = old, new, (*old, *new)
        self.donors = np.arange(len(old))
        self.values = to_scale(target, past.values[target][:, past.columns(self.every)])
        self.own = {zone: own_readings(past, target, zone) for zone in new}
        self.usual = Profile.fit(self.values, past.calendar)
        like = next(m for (_, of), m in training.candidates.items() if of == target)
        self.steps = like.anchors
        self.featuriser, self.history = Featuriser.fit(past, target=target, zone_ids=self.every)
        self.teacher = self._teacher()
        self.far = self._unlike()
        layout = self.featuriser.layout(self.steps)
        each = 4 * min(len(old), MOST_TEACHERS) * (len(layout.common) + len(self.steps) * (len(layout.ahead) + 1))
        self.stride = max(1, -(-len(past) * each // MAX_BYTES))
        rng = np.random.default_rng(seed)
        self.taught_by = (
            np.sort(rng.choice(self.donors, MOST_TEACHERS, replace=False)) if len(old) > MOST_TEACHERS else self.donors
        )
        self.lessons: dict[int, Lessons] = {}

    def made(self) -> dict[str, TransferredForecaster]:
        """Every new zone's forecaster."""
        prior, low, high = self._prior()
        return {zone: self._one(zone, prior, low, high) for zone in self.new}

    def _one(self, zone: str, prior: np.ndarray, low: np.ndarray, high: np.ndarray) -> TransferredForecaster:
        past, place = self.past, len(self.old) + self.new.index(zone)
        own, days = self.own[zone]
        lessons = self._rehearsed(days)
        begin = int(np.argmax(np.isfinite(own)))
        found = borrow(
            self.values[begin:], own[begin:], self.donors, self.usual, per_hour=max(1, 3600 // past.step_s),
            character=self.far[place][self.donors],
        )  # fmt: skip
        profile, usual = blend(
            own, past.calendar, found.profile, prior_days=lessons.prior_days, reach=reach_of(past.step_s)
        )
        featuriser = with_own(self.featuriser.pick(np.array([place])), np.zeros(1, dtype=np.int64), [profile])
        rows, outcome = own_rows(past, featuriser, self.steps, usual)
        first = len(past) - 1 - rows.shape[0]
        day = past.calendar.day[np.arange(first, len(past) - 1) + 1]
        edges = np.append(np.flatnonzero(np.diff(day, prepend=day[0] - 1)), day.size)
        worth = best_worth(grams(rows, outcome, edges)[0], prior, lessons, days, past.steps_per_day)
        line = LearnedForecaster("warm_line", seed=self.seed, start="usual", name="transferred_line")
        assert isinstance(line.learner, WarmLine)
        line.learner.begin(prior, worth * past.steps_per_day, low, high).fit(rows, outcome)
        line.share = np.zeros((1, len(self.steps)))
        members = [line]
        if self.teacher is not None and (lessons.weights[1:] > 0).any():
            members.append(self._teacher_of(found))
        made = TransferredForecaster(members, seed=self.seed)
        for member in members:
            self._place(member, featuriser, zone, lessons)
        made._adopt((zone,))
        made.weights = lessons.weights[: len(members), None, :].copy()
        made.intervals = ConformalIntervals(lessons.offsets)
        made.borrowed, made.prior_days, made.own_days = found.profile, lessons.prior_days, days
        made.donors = {
            self.old[d]: float(s) for d, s in zip(found.donors, found.share) if s >= NAMED_SHARE
        }  # fmt: skip
        made.reason = _reason(made, lessons, len(self.taught_by))
        return made

    def _place(self, member: LearnedForecaster, featuriser: Featuriser, zone: str, lessons: Lessons) -> None:
        if member.featuriser is not None:  # the teacher's own weather scale
            known = member.featuriser
            featuriser = replace(featuriser, weather_mean=known.weather_mean, weather_scale=known.weather_scale)
        member.featuriser, member.profile = featuriser, featuriser.base
        member.target, member.zone_ids, member.step_s = self.target, (zone,), self.past.step_s
        member.anchors, member.validation = self.steps, None
        member.train_end = self.past.origin(len(self.past) - 1).isoformat()
        member.intervals = ConformalIntervals(lessons.offsets)

    def _rehearsed(self, days: float) -> Lessons:
        """Lessons for zones with about so many days: shared by those within a fifth or so of each other."""
        key = round(4 * float(np.log2(max(days, 0.25))))
        if key not in self.lessons:
            features = None
            if self.teacher is not None:
                features = zone_features(self.past, self.featuriser)
            self.lessons[key] = rehearse(
                self.past, self.featuriser, self.history, self.values, self.taught_by, self.steps, days=days,
                teacher=self.teacher, zone_features=features, far=self.far, stride=self.stride, seed=self.seed,
            )  # fmt: skip
        return self.lessons[key]

    def _prior(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Donors' sums of products, and the range of their features."""
        n = len(self.past)
        known = np.arange(min(self.past.steps_per_day // 2, n // 4), n - 1, self.stride)
        rows = self.featuriser.rows(self.past, known, self.steps, self.taught_by, history=self.history)
        grid = self.featuriser.deviation(self.past, slice(0, n), self.taught_by, self.history).astype(np.float32)
        outcome = followed(grid, known[:, None] + np.asarray(self.steps))
        prior = prior_of(grams(rows, outcome)[:, :, 0], np.ones(self.taught_by.size))
        ahead = rows.ahead.reshape(-1, rows.ahead.shape[2] * rows.ahead.shape[3])
        low = np.concatenate([rows.common.min(axis=(0, 1)), ahead.min(axis=0)])
        high = np.concatenate([rows.common.max(axis=(0, 1)), ahead.max(axis=0)])
        return prior, low, high

    def _teacher(self) -> LearnedForecaster | None:
        """The best citywide model that is more than a line and reads the same features."""
        names = self.featuriser.layout(self.steps).names
        found = []
        for (_, target), model in self.training.candidates.items():
            if target != self.target or model.scope != "city" or not isinstance(model, LearnedForecaster):
                continue
            if model.reference != "usual" or model.family == "macro_ridge" or model.featuriser is None:
                continue
            if model.featuriser.layout(self.steps).names == names and model.anchors == self.steps:
                found.append(model)
        best = self.training.macromodels.get(self.target)
        return next((m for m in found if m is best), found[0] if found else None)

    def _teacher_of(self, found: Borrowed) -> LearnedForecaster:
        """The teacher, as if the new zone were its first donor."""
        assert self.teacher is not None
        heaviest = int(found.donors[0]) if found.donors.size else 0
        place = self.teacher.places([self.old[heaviest]])
        one = copy(self.teacher)
        one.learner = self.teacher.learner.pick(place)
        one.share = self.teacher.share.mean(axis=0, keepdims=True)
        return one

    def _unlike(self) -> np.ndarray:
        """How unlike zones are by their map, (Z, Z)."""
        n = len(self.every)
        if self.past.zones is None:
            return np.zeros((n, n))
        features = by_zone(self.past.zones.iloc[self.past.columns(self.every)], dict.fromkeys(CHARACTER, np.nan))
        return np.stack([unlike(features, z, np.arange(n)) for z in range(n)])


def best_worth(blocks: np.ndarray, prior: np.ndarray, lessons: Lessons, days: float, steps_per_day: int) -> np.ndarray:
    """Days of own rows that donors' rows count for, by horizon, shape (S,).

    Parameters
    ----------
    blocks : ndarray, shape (S, K, P, P)
        Sums over each of the new zone's days, each left out once.
    prior : ndarray, shape (S, P, P)
    lessons : Lessons
        Its losses count for `POOL_DAYS` of own days.
    """
    total = blocks.sum(axis=1, dtype=np.float64)
    own = np.zeros((total.shape[0], len(WORTH_DAYS)))
    if blocks.shape[1] > 1:
        for m, worth in enumerate(WORTH_DAYS):
            rows = np.full(total.shape[0], worth * steps_per_day)
            for k in range(blocks.shape[1]):
                part = blocks[:, k].astype(np.float64)
                own[:, m] += squares(part, warm_lines(total - part, prior, rows))
    least = own.min(axis=1, keepdims=True)
    relative = np.where(least > 0, own / np.maximum(least, 1e-12), 1.0)
    both = (POOL_DAYS * lessons.loss + days * relative) / (POOL_DAYS + days)
    return np.asarray(WORTH_DAYS)[np.argmin(both, axis=1)]


def _reason(made: TransferredForecaster, lessons: Lessons, teachers: int) -> str:
    named = ", ".join(f"{zone} ({100 * share:.0f} %)" for zone, share in list(made.donors.items())[:5])
    more = max(len(made.donors) - 5, 0)
    own = made.own_share
    text = f"Learned from {made.own_days:.1f} days of its own readings and from zones that reported for longer. "
    if named:
        text += f"Its usual day is like that of {named}{f' and {more} more' if more else ''}; the borrowed day counts"
        text += f" as {made.prior_days:g} own day{'' if made.prior_days == 1 else 's'}. "
    else:
        text += "It goes with no other zone, so that its usual day is its own mean. "
    text += f"Beside the rows of {teachers} zones its own count {100 * own[0]:.0f} % at the nearest horizon and"
    text += f" {100 * own[-1]:.0f} % at the farthest. "
    if len(made.members) > 1:
        text += f"The citywide {made.members[1].name} is asked for {100 * made.weights[1].mean():.0f} %. "
    return text + (
        f"How far to trust each was tried on {lessons.pupils} old zones that began again with {lessons.days:.1f} days"
    )
