"""Teacher: what a macromodel or an ensemble says of every training row.

A teacher that is asked about rows that it knows answers better than it will ever forecast, and a student may learn its
memory instead of its judgement. Two cures: blocks of consecutive origins answered by members that learned from the
others (`folds`; each of them knows less than the teacher), and invented rows, between two origins that follow each
other, which have no outcome that could have been remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.design import Design, Workbench
from models.ensemble import EnsembleForecaster
from models.errors import NoDataError, SettingsError
from models.forecasting import LearnedForecaster
from models.rows import Rows

FOLDS = 0  # blocks that are answered in turn by members that learned from the others; 0: the teacher's own answers


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student may learn from.

    Attributes
    ----------
    design : Design
        Rows and outcomes, deviations from the usual day in the zone's scale.
    soft : ndarray of float32, shape (n, Z, S)
        The teacher's forecasts of the design's rows.
    answers : ndarray of float32, shape (M, n, Z, S)
        Its members'.
    invented : Rows or None
        Rows between the design's, shape (m, Z, S).
    invented_soft : ndarray of float32, shape (m, Z, S)
    """

    design: Design
    soft: np.ndarray
    answers: np.ndarray
    invented: Rows | None
    invented_soft: np.ndarray


class Teacher:
    """Answers training rows.

    Parameters
    ----------
    model : Forecaster
        A learned forecaster, or an ensemble of such (baselines among its members are passed over).
    folds : int
        Blocks answered in turn by members that learned from the others, from 2; 0 answers with members that learned
        from all rows. The members are weighed as the ensemble weighs them, which its own rolling validation told.
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
        if folds == 1 or folds < 0 or invented < 0:
            faults.append(f"folds={folds}, invented={invented}: allowed are folds 0 or from 2, and invented from 0")
        if faults:
            raise SettingsError("; ".join(faults))
        self.name, self.zone_ids, self.anchors = model.name, model.zone_ids, model.anchors
        weights = np.ones((1, len(model.zone_ids), len(model.anchors)))
        if isinstance(model, EnsembleForecaster):
            kept = [k for k, member in enumerate(members) if isinstance(member, LearnedForecaster)]
            weights = model.weights[kept]
            weights = weights / np.maximum(weights.sum(axis=0), 1e-9)
        self.weights = weights
        self.folds, self.invented, self.seed = folds, invented, seed
        self._lessons: dict[tuple[int, int, int], tuple[Workbench, Lesson]] = {}

    def lesson(self, bench: Workbench, end: int, stop: int | None = None) -> Lesson:
        """Rows of the first `end` intervals with the teacher's answers; made once for each bench, end and stop.

        Parameters
        ----------
        bench : Workbench
        end : int
        stop : int or None
            The first so many rows alone: neither teacher nor student knows an outcome of later ones. None takes all.

        Raises
        ------
        NoDataError
            If there are fewer rows than blocks can be made of.
        """
        rows = bench.design(end).rows.shape[0]
        stop = rows if stop is None else min(stop, rows)
        key = (id(bench), end, stop)
        if key not in self._lessons:
            self._lessons[key] = bench, self._lesson(bench, end, stop)
        return self._lessons[key][1]

    def _lesson(self, bench: Workbench, end: int, n: int) -> Lesson:
        design = bench.design(end)
        _, zones, horizons = design.rows.shape
        if n < 10 * max(1, self.folds):
            raise NoDataError(f"{n} rows are too few to teach from; {10 * max(1, self.folds)} are needed")
        share = np.random.default_rng([self.seed, end]).random((self.invented, n - 1)).astype(np.float32)
        found = np.full((len(self.members), n, zones, horizons), np.nan, dtype=np.float32)
        beside = np.full((len(self.members), self.invented, n - 1, zones, horizons), np.nan, dtype=np.float32)
        for m, member in enumerate(self.members):
            source = bench.design(end, member.reference)
            for asked, known in self._blocks(n, max(design.steps)):
                model = _learned(member, source, known)
                found[m, asked] = model.answer(source.rows.take(asked))
                for k in range(self.invented):
                    inner = asked[:-1]
                    beside[m, k, inner] = model.answer(between(source.rows, inner, share[k, inner]))
        soft = np.einsum("mnzs,mzs->nzs", found, self.weights).astype(np.float32)
        every = np.arange(n - 1)
        parts = [between(design.rows, every, share[k]) for k in range(self.invented)]
        rows = _joined(parts) if parts else None
        mixed = np.einsum("mknzs,mzs->knzs", beside, self.weights).astype(np.float32)
        return Lesson(design, soft, found, rows, mixed.reshape(-1, zones, horizons))

    def _blocks(self, n: int, reach: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows that are asked about, and those that the members learn from then."""
        every = np.arange(n)
        if self.folds == 0:
            return [(every, every)]
        gap, block = min(reach, n // (4 * self.folds)), every * self.folds // n
        found = []
        for fold in range(self.folds):
            asked = np.flatnonzero(block == fold)
            near = np.arange(max(0, asked[0] - gap), min(n, asked[-1] + 1 + gap))
            found.append((asked, np.setdiff1d(every, near)))
        return found


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
        if self.member.reference != "usual":  # what is usual then, from the mean level, is a feature
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
