"""Teacher: what a macromodel or an ensemble says of every training row, said without having learned from that row.

A teacher that is asked about rows that it knows answers better than it will ever forecast, and a student would learn
its memory instead of its judgement. So the training part is cut into blocks of consecutive origins, and each block is
answered by members that learned from the others. Invented rows (between two origins that follow each other) have no
outcome; the teacher can answer them all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.design import Design, Workbench
from models.ensemble import EnsembleForecaster, combine
from models.errors import NoDataError, SettingsError
from models.forecasting import LearnedForecaster
from models.rows import Rows

FOLDS = 3  # blocks that are answered in turn (assumed; each costs two thirds of a training)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student may learn from.

    Attributes
    ----------
    design : Design
        Rows and outcomes, deviations from the usual day in the zone's scale.
    soft : ndarray of float32, shape (n, Z, S)
        The teacher's forecasts of the design's rows, out of fold; `nan` where it was not asked.
    weights : ndarray, shape (M, Z, S)
        Of the teacher's members.
    invented : Rows or None
        Rows between the design's, shape (m, Z, S).
    invented_soft : ndarray of float32, shape (m, Z, S)
    """

    design: Design
    soft: np.ndarray
    weights: np.ndarray
    invented: Rows | None
    invented_soft: np.ndarray


class Teacher:
    """Answers training rows out of fold.

    Parameters
    ----------
    model : Forecaster
        A learned forecaster, or an ensemble of such (baselines among its members are passed over).
    folds : int
        Blocks, from 2.
    invented : int
        Rows invented for each row.
    seed : int
        Of the invented rows.

    Raises
    ------
    SettingsError
        If nothing in the model learns, or folds or invented are out of range.
    """

    def __init__(self, model: Forecaster, *, folds: int = FOLDS, invented: int = 0, seed: int = 0) -> None:
        members = model.members if isinstance(model, EnsembleForecaster) else [model]
        self.members = [member for member in members if isinstance(member, LearnedForecaster)]
        faults = []
        if not self.members:
            faults.append(f"{model.name!r} holds no member that learns; a teacher is a learned model or a mix of such")
        if folds < 2 or invented < 0:
            faults.append(f"folds={folds}, invented={invented}: allowed are folds from 2 and invented from 0")
        if faults:
            raise SettingsError("; ".join(faults))
        self.name, self.zone_ids, self.anchors = model.name, model.zone_ids, model.anchors
        self.method = model.method if isinstance(model, EnsembleForecaster) else "average"
        self.folds, self.invented, self.seed = folds, invented, seed
        self._lessons: dict[tuple[int, int], Lesson] = {}

    def lesson(self, bench: Workbench, end: int) -> Lesson:
        """Rows of the first `end` intervals with the teacher's answers; made once for each bench and end.

        Raises
        ------
        NoDataError
            If there are fewer rows than blocks can be made of.
        """
        key = (id(bench), end)
        if key not in self._lessons:
            self._lessons[key] = self._lesson(bench, end)
        return self._lessons[key]

    def _lesson(self, bench: Workbench, end: int) -> Lesson:
        design = bench.design(end)
        n, zones, horizons = design.rows.shape
        gap = min(max(design.steps), n // (4 * self.folds))
        if n < 10 * self.folds:
            raise NoDataError(f"{n} rows are too few for {self.folds} blocks; a teacher needs {10 * self.folds} or more")
        block = np.arange(n) * self.folds // n
        rng = np.random.default_rng([self.seed, end])
        share = rng.random((self.invented, n - 1)).astype(np.float32)
        found = np.full((len(self.members), n, zones, horizons), np.nan, dtype=np.float32)
        beside = np.full((len(self.members), self.invented, n - 1, zones, horizons), np.nan, dtype=np.float32)
        for m, member in enumerate(self.members):
            source = bench.design(end, member.reference)
            for fold in range(self.folds):
                out = np.flatnonzero(block == fold)
                near = np.arange(max(0, out[0] - gap), min(n, out[-1] + 1 + gap))
                model = _learned(member, source, np.setdiff1d(np.arange(n), near))
                found[m, out] = model.answer(source.rows.take(out))
                inner = out[:-1]
                for k in range(self.invented if inner.size else 0):
                    beside[m, k, inner] = model.answer(between(source.rows, inner, share[k, inner]))
        weights = np.full((len(self.members), zones, horizons), 1.0 / len(self.members))
        if len(self.members) > 1:
            day = bench.panel.calendar.day[design.known + 1]
            weights = combine(found - design.outcome, day, self.method)  # type: ignore[arg-type]
        soft = np.einsum("mnzs,mzs->nzs", found, weights).astype(np.float32)
        every = np.arange(n - 1)
        parts = [between(design.rows, every, share[k]) for k in range(self.invented)]
        rows = _joined(parts) if parts else None
        mixed = np.einsum("mknzs,mzs->knzs", beside, weights).astype(np.float32)
        return Lesson(design, soft, weights, rows, mixed.reshape(-1, zones, horizons))


@dataclass(frozen=True, eq=False)
class _Learned:
    """A member that learned from some rows; it answers in deviations from the usual day."""

    member: LearnedForecaster
    share: np.ndarray

    def answer(self, rows: Rows) -> np.ndarray:
        """Forecasts (n, Z, S)."""
        found = self.member.learner.predict(rows)
        if self.member.start != "usual":
            found = found + rows.common[:, :, :1] * self.share
        if self.member.reference == "level":  # what is usual then, from the mean level, is a feature
            found = found - rows.ahead[..., rows.layout.ahead.index("ahead_usual")]
        return np.asarray(found)


def _learned(member: LearnedForecaster, design: Design, known: np.ndarray) -> _Learned:
    """The member, learned from some of a design's rows."""
    fresh = LearnedForecaster(
        member.family, seed=member.seed, start=member.start, reference=member.reference,
        settings=member.learner.settings,
    )  # fmt: skip
    rows, outcome = design.rows.take(known), design.outcome[known]
    share = fresh.shares_of(rows, outcome).astype(np.float32)
    if member.start != "usual":
        outcome = outcome - rows.common[:, :, :1] * share
    fresh.learner.fit(rows, outcome, zone_features=design.zone_features)
    return _Learned(fresh, share)


def between(rows: Rows, origins: np.ndarray, share: np.ndarray) -> Rows:
    """Rows between origins and those that follow them, a `share` of the way (n,)."""
    part = share[:, None, None]
    common = rows.common[origins] + part * (rows.common[origins + 1] - rows.common[origins])
    ahead = rows.ahead[origins] + part[..., None] * (rows.ahead[origins + 1] - rows.ahead[origins])
    return Rows(common, ahead, rows.layout)


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([part.common for part in parts]), np.concatenate([part.ahead for part in parts]), parts[0].layout
    )
