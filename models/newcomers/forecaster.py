"""The forecaster of a new zone: warm lines and, where it helps, the citywide model as a teacher, as one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.ensemble import EnsembleForecaster
from models.errors import NoDataError, SettingsError
from models.featuriser import Featuriser
from models.forecasting import LearnedForecaster
from models.horizons import followed
from models.newcomers.likeness import blend
from models.newcomers.warm_line import WarmLine
from models.panel import Panel
from models.profile import Profile
from models.rows import Rows
from models.scale import to_scale

LEAST_DAYS = 0.5  # of own readings, below which a level and a spread are guesses (assumed)


class TransferredForecaster(EnsembleForecaster):
    """One zone's micromodel with little data of its own; see `newcomers.transfer`.

    Attributes
    ----------
    members : list
        The warm line, then the teacher where there is one.
    borrowed : Profile
        The usual day that donors lend, one series.
    prior_days : float
        Own days of a time of day that weigh as much as the borrowed day.
    donors : dict of str to float
        Share of each donor in the usual day, those of 1 % and more, heaviest first.
    own_days : float
        Days of own readings learned from.
    reason : str
        In words.
    """

    kind = "transferred"

    def __init__(self, members: Sequence[Forecaster] | None = None, *, seed: int = 0, **_: Any) -> None:
        super().__init__(members or [], seed=seed, name="transferred")
        self.borrowed: Profile | None = None
        self.prior_days = 1.0
        self.donors: dict[str, float] = {}
        self.own_days = 0.0
        self.reason = ""
        self.scope, self.rank = "zone", 2.0

    @property
    def own_share(self) -> np.ndarray:
        """How much own rows count in the lines, beside donors', by horizon: shape (S,)."""
        line = self.members[0]
        assert isinstance(line, LearnedForecaster) and isinstance(line.learner, WarmLine)
        rows = self.own_days * (86_400 / self.step_s)
        return np.asarray(rows / (rows + line.learner.worth[0]))

    def settings(self) -> dict[str, Any]:
        """What the transfer rests on, as JSON values."""
        return {
            "seed": self.seed, "donors": {zone: round(share, 3) for zone, share in self.donors.items()},
            "own_days": round(self.own_days, 2), "prior_days": self.prior_days,
            "own_share": [round(float(share), 3) for share in self.own_share],
            "teacher": self.members[1].name if len(self.members) > 1 else None,
            "teacher_share": [round(float(w), 3) for w in self.weights[1:].sum(axis=0).mean(axis=0)],
        }  # fmt: skip

    def fit(self, *_: Any, **__: Any) -> Self:
        """Not to be called: `SettingsError` says who makes it."""
        raise SettingsError("a transferred forecaster is made by models.newcomers.transfer, and refitted by refit")

    def refit(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """Learned again from all own readings known at `train_end`: warm, so that its own days count more and more.

        Raises
        ------
        NoDataError
            If the zone has less than `LEAST_DAYS` days of readings.
        """
        past = panel.until(panel.known_by(train_end))
        line = self.members[0]
        assert self.borrowed is not None and isinstance(line, LearnedForecaster) and line.featuriser is not None
        own, days = own_readings(past, self.target, self.zone_ids[0])
        profile, usual = blend(
            own, past.calendar, self.borrowed, prior_days=self.prior_days, reach=reach_of(past.step_s)
        )
        again = copy(self)
        again.train_end, again.own_days, again.validation = pd.Timestamp(train_end).isoformat(), days, None
        again.members = [on(member, profile, again.train_end) for member in self.members]
        first = again.members[0]
        assert isinstance(first, LearnedForecaster) and isinstance(line.learner, WarmLine) and first.featuriser
        first.learner = line.learner.again().fit(*own_rows(past, first.featuriser, self.anchors, usual))
        again.profile = first.profile
        return again

    @property
    def can_refresh(self) -> bool:
        """Never: its usual day moves with every reading, so that it is refitted, warm."""
        return False

    def one(self, zone_id: str) -> Self:
        """Itself: it serves one zone."""
        self.places([zone_id])
        return self

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        meta, arrays, blobs = super()._state()
        assert self.borrowed is not None
        meta |= {"prior_days": self.prior_days, "donors": self.donors, "own_days": self.own_days}
        return {**meta, "reason": self.reason}, {**arrays, **self.borrowed.state("borrowed_")}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        super()._restore(meta, arrays, blobs)
        self.borrowed = Profile.restore(arrays, "borrowed_")
        self.prior_days, self.own_days = float(meta["prior_days"]), float(meta["own_days"])
        self.donors, self.reason = dict(meta["donors"]), str(meta["reason"])
        self.scope, self.rank = "zone", 2.0


def own_readings(past: Panel, target: str, zone_id: str) -> tuple[np.ndarray, float]:
    """A zone's readings on the model's scale (T,), and how many days of them there are.

    Raises
    ------
    NoDataError
        Where they are fewer than `LEAST_DAYS`.
    """
    own = to_scale(target, past.values[target][:, past.columns([zone_id])[0]])
    days = float(np.isfinite(own).sum() / past.steps_per_day)
    if days < LEAST_DAYS:
        raise NoDataError(
            f"zone '{zone_id}' has {24 * days:.1f} hours of '{target}'; transfer needs {24 * LEAST_DAYS:g} hours of its"
            f" own readings to know its level: wait, or take the macromodel of its neighbours"
        )
    return own, days


def on(member: Forecaster, profile: Profile, train_end: str) -> LearnedForecaster:
    """A member whose own zone has another usual day; neighbours' and other targets' stay."""
    assert isinstance(member, LearnedForecaster) and member.featuriser is not None
    featuriser = with_own(member.featuriser, np.zeros(1, dtype=np.int64), [profile])
    again = copy(member)
    again.featuriser, again.profile, again.train_end = featuriser, featuriser.base, train_end
    return again


def with_own(featuriser: Featuriser, places: np.ndarray, profiles: Sequence[Profile]) -> Featuriser:
    """A featuriser whose zones at `places` have these usual days, one series each."""
    whole = featuriser.profile
    mean, spread, scale = whole.mean.copy(), whole.spread.copy(), whole.scale.copy()
    for place, profile in zip(places, profiles):
        mean[place], spread[place], scale[place] = profile.mean[0], profile.spread[0], profile.scale[0]
    return replace(featuriser, profile=Profile(mean, spread, scale))


def own_rows(past: Panel, featuriser: Featuriser, steps: Sequence[int], usual: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Rows and outcomes (n, 1, S) of a featuriser's one zone, from its first reading on.

    `usual` (T, 1) holds the zone's usual values without the day itself.
    """
    n = len(past)
    every = featuriser.profile.usual(past.calendar, slice(0, n))
    every[:, 0] = usual[:, 0]
    history = (every, *(profile.usual(past.calendar, slice(0, n)) for profile in featuriser.other_profiles))
    grid = featuriser.deviation(past, slice(0, n), np.zeros(1, dtype=np.int64), history).astype(np.float32)
    known = np.arange(int(np.argmax(np.isfinite(grid[:, 0]))), n - 1)
    rows = featuriser.rows(past, known, steps, history=history)
    return rows, followed(grid, known[:, None] + np.asarray(steps))


def reach_of(step_s: int) -> int:
    """Steps to either side that make half an hour: how far a time of day is smoothed (assumed)."""
    return max(1, 1800 // step_s)
