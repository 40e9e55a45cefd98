"""Regularization paths: how a family's error moves as one of its settings goes from simple to complex.

On rows that it learned from the error only falls; on rows left out it falls and then rises again. Where the two part is
where overfitting begins: the setting may be a line's penalty, a tree's depth, or the rounds of boosting, whose path
shows what early stopping would have kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import SettingsError
from models.learner import Learner
from models.rows import Rows
from models.tuning.folds import rolling_folds
from models.tuning.scoring import DaySums, as_class, longest, point_losses, standard_error, usual_losses


@dataclass(frozen=True, eq=False)
class Path:
    """Errors along a path, relative to the usual value's.

    Attributes
    ----------
    family, setting : str
    values : tuple
        Of the setting, from simple to complex.
    fitted : ndarray, shape (K,)
        On the rows learned from.
    loss : ndarray, shape (K,)
        On the rows left out.
    behind : ndarray, shape (K,)
        `loss` less that of the best value.
    behind_se : ndarray, shape (K,)
        Standard error of `behind`, over days.
    """

    family: str
    setting: str
    values: tuple[Any, ...]
    fitted: np.ndarray
    loss: np.ndarray
    behind: np.ndarray
    behind_se: np.ndarray

    @property
    def best(self) -> int:
        """Place of the least error on rows left out."""
        return int(np.argmin(self.loss))

    @property
    def simplest(self) -> int:
        """Place of the simplest value within one standard error of the best (Breiman et al. 1984)."""
        return int(np.flatnonzero(self.behind <= self.behind_se)[0])

    @property
    def gap(self) -> np.ndarray:
        """Share by which the error on rows left out is above that on rows learned from, (K,)."""
        return np.asarray(self.loss / np.maximum(self.fitted, 1e-12) - 1)

    @property
    def reason(self) -> str:
        """In words."""
        best, last = self.best, len(self.values) - 1
        text = f"{self.family}: {self.setting}={self.values[best]!r} errs least on days left out"
        text += f" ({self.loss[best]:.3f} of the usual value's error, {100 * self.gap[best]:.1f} % above that on the"
        text += f" days learned from); {self.values[self.simplest]!r} is as good within a standard error"
        if best < last:
            text += f"; at {self.values[last]!r} it is {100 * (self.loss[last] / self.loss[best] - 1):.1f} % worse:"
            text += f" overfitted, with a gap of {100 * self.gap[last]:.1f} %"
        return text


def regularization_path(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    setting: str,
    values: Sequence[Any],
    day: np.ndarray,
    settings: Mapping[str, Any] | None = None,
    folds: int = 2,
    seed: int = 0,
    loss: str | float = "absolute",
    zone_features: np.ndarray | None = None,
) -> Path:
    """Fit a family with each value of a setting, and score the rows learned from and those after them.

    Parameters
    ----------
    family, rows, y, day, settings, folds, seed, loss, zone_features
        As for `overfitting.shuffled_target`; the rows are of the training part alone.
    setting : str
        Which one.
    values : sequence
        From simple to complex, at least two.

    Raises
    ------
    SettingsError
        If the family has no such setting, or fewer than two values are given.
    """
    kind = as_class(family)
    faults = (
        []
        if setting in kind.defaults
        else [f"{kind.family} has no setting {setting!r}; it has {sorted(kind.defaults)}"]
    )
    if len(values) < 2:
        faults.append(f"{len(values)} value(s) of {setting!r}; a path needs at least 2")
    if faults:
        raise SettingsError("; ".join(faults))
    parts = rolling_folds(rows.shape[0], folds=folds, gap=longest(rows), day=day)
    unit = usual_losses(y[parts[0].score.start :], loss)
    inside, outside = [], []
    for value in values:
        own: list[DaySums] = []
        left: list[DaySums] = []
        for fold in parts:
            learner = kind(seed=seed, **{**(settings or {}), setting: value})
            learner.fit(rows.take(fold.fit), y[fold.fit], zone_features=zone_features)
            for found, part in ((own, fold.fit), (left, fold.score)):
                block = np.unique(day[part], return_inverse=True)[1]
                found.append(DaySums.of(point_losses(y[part], learner.predict(rows.take(part)), loss), block, unit))
        inside.append(DaySums.joined(own).mean())
        outside.append(DaySums.joined(left))
    error = np.array([sums.mean() for sums in outside])
    best = outside[int(np.argmin(error))].by_day()
    apart = np.array([float(standard_error(sums.by_day() - best)) for sums in outside])
    return Path(kind.family, setting, tuple(values), np.array(inside), error, error - error.min(), apart)
