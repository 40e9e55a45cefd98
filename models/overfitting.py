"""Overfitting: does a family claim skill where there is none, and does the test part bear out the validation?

`shuffled_target` asks for skill on outcomes whose days were exchanged, `promotable` (see `models.promotion`) is the
rule by which training lets a model into service (see `models.guard`), `learning_curve` shows what more days bring;
`generalisation_gap` (see `models.generalisation`) splits the gap between validation and test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import SettingsError, ShortHistoryError
from models.generalisation import GapReport, generalisation_gap
from models.learner import Learner
from models.promotion import ALPHA, Skill, promotable
from models.rows import Rows
from models.tuning.folds import Fold, rolling_folds
from models.tuning.scoring import DaySums, as_class, fold_forecast, longest, point_losses, standard_error, usual_losses

__all__ = [
    "GapReport",
    "LearningCurve",
    "ShuffleReport",
    "exchange_days",
    "generalisation_gap",
    "learning_curve",
    "promotable",
    "shuffled_target",
]


@dataclass(frozen=True, eq=False)
class ShuffleReport:
    """What a family claims with exchanged days beside what it claims with the true ones.

    Attributes
    ----------
    skill, se : ndarray, shape (P + 1, Z)
        Share of the usual value's loss saved on the blocks left out, by zone; row 0 with the true outcomes, the others
        with one exchange of days each.
    city, city_se : ndarray, shape (P + 1,)
        The same for all zones together.
    promoted : ndarray of bool, shape (P + 1, Z)
        What `promotable` says.
    blocks : int
        Days scored.
    """

    family: str
    skill: np.ndarray
    se: np.ndarray
    city: np.ndarray
    city_se: np.ndarray
    promoted: np.ndarray
    blocks: int

    @property
    def caught(self) -> bool:
        """No zone's model is promoted in any of the exchanges."""
        return not self.promoted[1:].any()

    @property
    def reason(self) -> str:
        """In words."""
        zones = self.promoted.shape[1]
        shuffled = self.promoted[1:].sum(axis=1)
        return (
            f"{self.family}: with exchanged days a skill of {100 * self.city[1:].mean():.1f} % (highest of"
            f" {shuffled.size}: {100 * self.city[1:].max():.1f} %), at most {shuffled.max()} of {zones} zones promoted;"
            f" with the true outcomes {100 * self.city[0]:.1f} %, {self.promoted[0].sum()} of {zones} zones promoted"
        )


def exchange_days(y: np.ndarray, day: np.ndarray, *, seed: int, turn: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes whose days were exchanged whole, none at its own place, and the rows that belong to whole days.

    Parameters
    ----------
    y : ndarray, shape (n, Z, S)
    day : ndarray of int, shape (n,)
    seed : int
    turn : bool
        Also turn each day within itself by hours of its own, so that the hour says nothing either. Without it what
        holds at an hour on all days (a usual day that was not taken out in full) can still be learned, rightly.

    Returns
    -------
    y : ndarray, shape (m, Z, S)
        All zones and horizons of a day move together, so that what lasts within a day still lasts.
    rows : ndarray of int, shape (m,)
        Places of the rows kept: those of days with the usual number of rows.

    Raises
    ------
    ShortHistoryError
        If there are fewer than four whole days.
    """
    numbers, place, size = np.unique(day, return_inverse=True, return_counts=True)
    length = int(np.bincount(size).argmax())
    whole = np.flatnonzero(size == length)
    if whole.size < 4:
        raise ShortHistoryError(
            f"{whole.size} whole days of {length} rows among {numbers.size}: too few to exchange; at least 4"
        )
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(np.isin(place, whole))
    order = rng.permutation(whole.size)
    source = np.empty(whole.size, dtype=np.int64)
    source[order] = np.roll(order, 1)  # one cycle through all days: no day keeps its own
    hours = np.arange(length) + (rng.integers(0, length, size=(whole.size, 1)) if turn else 0)
    moved = np.take_along_axis(
        rows.reshape(whole.size, length)[source], np.broadcast_to(hours % length, (whole.size, length)), axis=1
    ).ravel()
    return y[moved], rows


def shuffled_target(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    day: np.ndarray,
    settings: Mapping[str, Any] | None = None,
    exchanges: int = 3,
    folds: int = 2,
    seed: int = 0,
    loss: str | float = "absolute",
    zone_features: np.ndarray | None = None,
    turn: bool = True,
    together: bool = True,
    alpha: float = ALPHA,
) -> ShuffleReport:
    """Fit on outcomes whose days were exchanged: who then claims skill on days left out sees what is not there.

    Parameters
    ----------
    family : str or class of Learner
    rows, y, folds, loss, zone_features
        Of the training part, as for `models.tuning.tune`.
    day : ndarray of int, shape (n,)
    settings : mapping or None
    exchanges : int
        Repetitions with other exchanges.
    turn : bool
        See `exchange_days`.
    together : bool
        Whether zones borrow strength from each other, see `promotable`.
    alpha : float
        See `promotable`.

    Notes
    -----
    Horizons count together: where a long one can hardly be forecast, ask for each apart (`rows.horizons`).

    References
    ----------
    Ojala & Garriga (2010), JMLR 11, 1833-1863 (permutation tests of whether anything was learned).
    """
    kind = as_class(family)
    if exchanges < 1:
        raise SettingsError(f"exchanges={exchanges}; at least 1")
    kept = exchange_days(y, day, seed=seed)[1]
    part, truth, days = rows.take(kept), y[kept], day[kept]
    parts = rolling_folds(kept.size, folds=folds, gap=longest(rows), day=days)
    skills = []
    for k in range(exchanges + 1):
        target = truth if k == 0 else exchange_days(y, day, seed=seed + k, turn=turn)[0]
        skills.append(_skills(kind, dict(settings or {}), part, target, days, parts, seed, loss, zone_features))
    skill, se, city, city_se, blocks = (np.stack(found) for found in zip(*skills))
    whole = [(float(c), float(e)) if together else None for c, e in zip(city, city_se)]
    promoted = np.stack(
        [promotable(s, e, blocks=int(blocks[0]), city=c, alpha=alpha) for s, e, c in zip(skill, se, whole)]
    )
    return ShuffleReport(kind.family, skill, se, city, city_se, promoted, int(blocks[0]))


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Loss by the number of days learned from, relative to the usual value's.

    Attributes
    ----------
    days : tuple of int
    loss, se : ndarray, shape (K,)
        On the same last rows for every number of days.
    fitted : ndarray, shape (K,)
        On the rows learned from.
    zones : ndarray, shape (K, Z)
        `loss` by zone.
    """

    days: tuple[int, ...]
    loss: np.ndarray
    se: np.ndarray
    fitted: np.ndarray
    zones: np.ndarray

    @property
    def reason(self) -> str:
        """In words: does more history help, and how far are the rows learned from flattered."""
        gap = 100 * (self.loss[-1] / max(self.fitted[-1], 1e-12) - 1)
        text = (
            f"{self.days[-1]} days: loss {self.loss[-1]:.3f} of the usual value's, {gap:.1f} % above that on the days"
            " learned from"
        )
        if len(self.days) > 1:
            fell = 100 * (1 - self.loss[-1] / self.loss[-2])
            text += f"; {abs(fell):.1f} % {'less' if fell >= 0 else 'more'} than with {self.days[-2]} days"
        return text


def learning_curve(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    day: np.ndarray,
    days: Sequence[int] = (3, 7, 14, 28, 56, 112),
    settings: Mapping[str, Any] | None = None,
    score_share: float = 0.25,
    seed: int = 0,
    loss: str | float = "absolute",
    zone_features: np.ndarray | None = None,
) -> LearningCurve:
    """Learn from the last few days before a block and from ever more of them; score the block each time.

    Parameters
    ----------
    family, rows, y, day, settings, loss, zone_features
        As for `shuffled_target`.
    days : sequence of int
        Numbers of days; those longer than the history are replaced by all of it.
    score_share : float
        Last part of the rows, scored.

    Raises
    ------
    ShortHistoryError
        If no number of days fits before the block.
    """
    kind = as_class(family)
    fold = rolling_folds(rows.shape[0], folds=1, gap=longest(rows), first=1 - score_share, day=day)[0]
    end = fold.fit.stop
    have = int(np.unique(day[:end]).size)
    wanted = sorted({min(int(d), have) for d in days if d >= 1})
    unit = usual_losses(y[fold.score], loss)
    block = np.unique(day[fold.score], return_inverse=True)[1]
    found = []
    for count in wanted:
        first = int(np.searchsorted(day[:end], np.unique(day[:end])[-count]))
        part = slice(first, end)
        learner = kind(seed=seed, **(settings or {}))
        learner.fit(rows.take(part), y[part], zone_features=zone_features)
        sums = DaySums.of(point_losses(y[fold.score], learner.predict(rows.take(fold.score)), loss), block, unit)
        inner = point_losses(y[part], learner.predict(rows.take(part)), loss)
        own = DaySums.of(inner, np.zeros(end - first, dtype=int), usual_losses(y[part], loss)).mean()
        found.append((sums.mean(), float(standard_error(sums.by_day())), own, sums.by_zone()))
    if not found:
        raise ShortHistoryError(f"none of {list(days)} days; give at least one number of days from 1 up")
    mean, se, fitted, zones = (np.array(part) for part in zip(*found))
    return LearningCurve(tuple(wanted), mean, se, fitted, zones)


def _skills(
    kind: type[Learner],
    settings: dict[str, Any],
    rows: Rows,
    y: np.ndarray,
    day: np.ndarray,
    folds: Sequence[Fold],
    seed: int,
    loss: str | float,
    zone_features: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Skill and standard error by zone and for the city, and the number of days."""
    unit = usual_losses(y[folds[0].score.start :], loss)
    mine, usual = [], []
    for fold in folds:
        forecast = fold_forecast(kind, settings, rows, y, fold, seed=seed, zone_features=zone_features)
        block = np.unique(day[fold.score], return_inverse=True)[1]
        mine.append(DaySums.of(point_losses(y[fold.score], forecast, loss), block, unit))
        usual.append(DaySums.of(point_losses(y[fold.score], np.zeros((), np.float32), loss), block, unit))
    found = Skill.of(DaySums.joined(mine), DaySums.joined(usual))
    return found.skill, found.se, np.asarray(found.city), np.asarray(found.city_se), np.asarray(found.blocks)
