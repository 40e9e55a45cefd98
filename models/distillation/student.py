"""Student: a small model a zone that learns from a teacher's forecasts as well as from what followed.

A teacher's forecast is an outcome without its noise, and it is there for rows whose outcome is missing too. How much
the student believes it is chosen by horizon on rows set aside; nothing at all is among the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.design import Workbench
from models.distillation.teacher import FOLDS, Teacher
from models.errors import SettingsError
from models.featuriser import Featuriser
from models.forecasting import LearnedForecaster
from models.panel import Panel
from models.profile import Profile
from models.rows import Rows

#: Shares of the teacher's forecast in what the student learns that are tried.
BELIEFS = (0.0, 0.5, 1.0)
GRAIN = 1024  # parts of a series' scale that its usual day is told in: 0.001 standard deviations (assumed)
HELD_OUT = 0.25  # of the rows, the last ones, that the belief is chosen on (assumed)


class DistilledForecaster(LearnedForecaster):
    """Micromodels of one family that a teacher taught.

    Parameters
    ----------
    family : str
        Of scope "zone".
    teacher : Teacher or None
        None learns from outcomes alone, as `LearnedForecaster` does: so does one that was loaded, when it is refitted.
    beliefs : sequence of float
        Shares of the teacher's forecast, 0 to 1, of which validation chooses by horizon; a single one is taken as
        it is.
    seed, settings, name
        As in `LearnedForecaster`.

    Attributes
    ----------
    belief : ndarray, shape (S,)
        Chosen.

    Raises
    ------
    SettingsError
        For a family of scope "city", or beliefs that are none or out of range.

    References
    ----------
    Hinton, Vinyals & Dean (2015), arXiv:1503.02531 (distillation); Lopez-Paz et al. (2016), arXiv:1511.03643 (why soft
    targets help); Bucila, Caruana & Niculescu-Mizil (2006), doi:10.1145/1150402.1150464 (invented rows).
    """

    kind = "distilled"

    def __init__(
        self,
        family: str = "model_tree",
        *,
        teacher: Teacher | None = None,
        beliefs: Sequence[float] = BELIEFS,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> None:
        super().__init__(family, seed=seed, settings=settings, name=name or f"distilled_{family}")
        faults = [] if self.scope == "zone" else [f"{family} learns a city at a time; a student learns a zone"]
        if not beliefs or not all(0.0 <= b <= 1.0 for b in beliefs):
            faults.append(f"beliefs={tuple(beliefs)}: allowed is at least one, each from 0 to 1")
        if faults:
            raise SettingsError("; ".join(faults))
        self.teacher, self.beliefs = teacher, tuple(float(b) for b in beliefs)
        self.teacher_name = "" if teacher is None else teacher.name
        self.belief = np.zeros(0)

    def settings(self) -> dict[str, Any]:
        told = {"teacher": self.teacher_name, "belief": [round(float(b), 3) for b in self.belief]}
        return {**super().settings(), **told}

    def _learn(self, bench: Workbench, end: int) -> None:
        if self.teacher is None:
            super()._learn(bench, end)
            self.belief, self.teacher_name = np.zeros(len(self.anchors)), ""
            return
        lesson = self.teacher.lesson(bench, end)
        design = lesson.design
        self.featuriser, self._design_end = _small(design.featuriser), end
        self.profile = self.featuriser.base
        self.share = self.shares_of(design.rows, design.outcome)
        n = design.rows.shape[0]
        head = n - max(1, round(HELD_OUT * n))
        until = max(head - max(design.steps), head // 2)  # so far that no outcome learned from is judged
        late, truth = design.rows.take(slice(head, None)), design.outcome[head:]
        start = late.common[:, :, :1] * self.share
        errors = []
        early = self.teacher.lesson(bench, end, until) if len(self.beliefs) > 1 else lesson
        for belief in self.beliefs if len(self.beliefs) > 1 else ():
            tried = self._taught(early, np.full(truth.shape[2], belief), until)
            error = np.abs(tried.predict(late) + start - truth)
            errors.append(np.nanmean(error, axis=(0, 1)))
        chosen = np.argmin(errors, axis=0) if errors else np.zeros(truth.shape[2], dtype=np.int64)
        self.belief = np.asarray(self.beliefs)[chosen]
        self.learner = self._taught(lesson, self.belief, n)

    @property
    def can_refresh(self) -> bool:
        """Never: it learns from its teacher, too, which new readings do not bring."""
        return False

    def _taught(self, lesson, belief: np.ndarray, stop: int):  # type: ignore[no-untyped-def]
        """A learner of the first `stop` rows and of those invented between them, by belief (S,)."""
        design = lesson.design
        rows, y, soft = design.rows.take(slice(0, stop)), design.outcome[:stop], lesson.soft[:stop]
        blend = belief * soft + (1.0 - belief) * y
        blend = np.where(belief > 0, np.where(np.isfinite(y), blend, soft), y)
        if lesson.invented is not None and belief.any():
            every = len(lesson.soft) - 1
            some = np.flatnonzero(np.arange(len(lesson.invented_soft)) % every < stop - 1)
            heard = np.where(belief > 0, lesson.invented_soft[some], np.nan)
            more = lesson.invented.take(some)
            order = np.argsort(np.concatenate([np.arange(stop), some % every + 0.5]), kind="stable")
            rows = Rows(
                np.concatenate([rows.common, more.common])[order], np.concatenate([rows.ahead, more.ahead])[order],
                rows.layout,
            )  # fmt: skip
            blend = np.concatenate([blend, heard])[order]
        blend = (blend - rows.common[:, :, :1] * self.share).astype(np.float32)
        fresh = type(self.learner)(seed=self.seed, **self.learner.settings)
        return fresh.fit(rows, blend, zone_features=design.zone_features)

    def _pick(self, places: np.ndarray) -> None:
        super()._pick(places)
        self.teacher = None

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        head, arrays, blobs = super()._state()
        if self.teacher_name:  # usual days as steps from one time of the day to the next, in grains
            mean, scale = arrays.pop("f_profile_mean"), arrays["f_profile_scale"]
            grains = np.rint(mean * GRAIN / scale[:, None, None]).astype(np.int64)
            steps = np.diff(grains, axis=2, prepend=0)
            arrays["steps"] = steps.astype(np.int16 if np.abs(steps).max(initial=0) < 32_767 else np.int32)
        return {**head, "teacher": self.teacher_name, "beliefs": self.beliefs}, {**arrays, "belief": self.belief}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        if "steps" in arrays:
            grain = arrays["f_profile_scale"][:, None, None] / GRAIN
            arrays = {**arrays, "f_profile_mean": np.cumsum(arrays["steps"], axis=2, dtype=np.int64) * grain}
        super()._restore(meta, arrays, blobs)
        self.teacher, self.teacher_name = None, str(meta["teacher"])
        self.beliefs, self.belief = tuple(meta["beliefs"]), arrays["belief"]


def _small(featuriser: Featuriser) -> Featuriser:
    """The same with usual days that store small: in grains of their scale, without the spread of neighbours."""
    profile, own = featuriser.profile, len(featuriser.zone_ids)
    grain = profile.scale[:, None, None] / GRAIN
    mean = np.round(profile.mean / grain) * grain
    spread = np.ones_like(profile.spread)
    spread[:own] = np.round(profile.spread[:own] / grain[:own]) * grain[:own]
    spread[:own] = np.maximum(spread[:own], grain[:own])
    return replace(featuriser, profile=Profile(mean, spread, profile.scale))


def distil(
    teacher: Forecaster,
    panel: Panel,
    *,
    family: str = "model_tree",
    train_end: pd.Timestamp,
    calibrate_from: pd.Timestamp | None = None,
    settings: Mapping[str, Any] | None = None,
    folds: int = FOLDS,
    invented: int = 0,
    beliefs: Sequence[float] = BELIEFS,
    seed: int = 0,
    bench: Workbench | None = None,
) -> DistilledForecaster:
    """Teach a macromodel or an ensemble to one small model for each of its zones.

    Parameters
    ----------
    teacher : Forecaster
        Fitted: its families, settings, target, zones and horizons are taken.
    panel : Panel
    family : str
        Of the students.
    train_end, calibrate_from : Timestamp
        As in `Forecaster.fit`; nothing at or after `train_end` is read by teacher or student.
    settings : mapping or None
        Of the student's family.
    folds, invented : int
        See `Teacher`.
    beliefs : sequence of float
        See `DistilledForecaster`.
    bench : Workbench or None
        Features already made.

    Returns
    -------
    DistilledForecaster
        With validation and intervals of its own; `one(zone_id)` is what a zone's sensor needs.

    Raises
    ------
    SettingsError, ShortHistoryError, NoDataError
    """
    lessons = Teacher(teacher, folds=folds, invented=invented, seed=seed)
    student = DistilledForecaster(family, teacher=lessons, beliefs=beliefs, seed=seed, settings=settings)
    student.fit(
        panel, target=teacher.target, zone_ids=teacher.zone_ids, train_end=train_end, calibrate_from=calibrate_from,
        steps=teacher.anchors, bench=bench,
    )  # fmt: skip
    student.teacher = None  # what was said is learned; a student that is stored or sent elsewhere stands alone
    return student
