"""Learners on a panel's split, directly: features from the training part, fitted there, told on the test part.

No validation within and no choice: what a single family makes of a split, and what it costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.benchmarks.models.split import BenchmarkPanel
from models.design import Design
from models.featuriser import Featuriser
from models.horizons import followed
from models.importance import feature_groups
from models.learner import Learner, learner_class
from models.profile import Profile
from models.rows import Layout, Rows
from models.scale import from_scale, to_scale

Array = np.ndarray
N_LAGS = 12


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one split of a panel, in each zone's own scale.

    Attributes
    ----------
    bench : BenchmarkPanel
    rows, outcome : Rows, ndarray of float32, shape (n, Z, S)
        Learned from.
    test : Rows
        Of every origin of the test part.
    usual : ndarray, shape (m, Z, S)
        What a forecast of 0 means, on the model's scale.
    scale : ndarray, shape (Z,)
    zone_features : ndarray or None, shape (Z, E)
    known : ndarray of int, shape (n,)
        Last known position at each origin learned from.
    features_s : float
        CPU seconds of features and outcomes learned from (those of the test part are not among them).
    """

    bench: BenchmarkPanel
    rows: Rows
    outcome: Array
    test: Rows
    usual: Array
    scale: Array
    zone_features: Array | None
    known: Array
    features_s: float

    @classmethod
    def of(cls, bench: BenchmarkPanel) -> Split:
        """With all features."""
        begun = time.process_time()
        design = Design(bench.train, target=bench.target, zone_ids=bench.zone_ids, steps=bench.steps)
        spent = time.process_time() - begun
        return cls._joined(
            bench, design.featuriser, design.rows, design.outcome, design.zone_features, design.known, spent
        )

    @classmethod
    def of_lags(cls, bench: BenchmarkPanel) -> Split:
        """With the zone's last `N_LAGS` readings and those of its neighbours alone.

        There is no clock in it: readings are told from the zone's mean of the training part, not from its usual day.
        """
        begun = time.process_time()
        train, zones = bench.train, len(bench.zone_ids)
        with_clock, _ = Featuriser.fit(train, target=bench.target, zone_ids=bench.zone_ids)
        readings = to_scale(bench.target, train.values[bench.target][:, train.columns(with_clock.needed)])
        featuriser = replace(with_clock, profile=flat_profile(readings, train.steps_per_day))
        known = np.arange(N_LAGS, len(train) - 1)
        rows = lags_alone(featuriser.rows(train, known, bench.steps))
        grid = featuriser.deviation(train, slice(0, len(train)), np.arange(zones)).astype(np.float32)
        outcome = followed(grid, known[:, None] + np.asarray(bench.steps))
        spent = time.process_time() - begun
        made = cls._joined(bench, featuriser, rows, np.ascontiguousarray(outcome), None, known, spent)
        return replace(made, test=lags_alone(made.test))

    @classmethod
    def _joined(cls, bench, featuriser, rows, outcome, zone_features, known, spent):  # type: ignore[no-untyped-def]
        panel = bench.panel
        profile = featuriser.profile.pick(np.arange(len(bench.zone_ids)))
        aim = bench.origins[:, None] + np.asarray(bench.steps)
        return cls(
            bench=bench, rows=rows, outcome=outcome, test=featuriser.rows(panel, bench.origins, bench.steps),
            usual=profile.usual(panel.calendar, aim).transpose(0, 2, 1), scale=profile.scale,
            zone_features=zone_features, known=known, features_s=spent,
        )  # fmt: skip

    def fit(
        self, family: str, *, seed: int, settings: Mapping[str, Any] | None = None, zones: Array | None = None
    ) -> tuple[Learner, float]:
        """Fit a family to all zones or some; the learner, and CPU seconds without those of features."""
        kind = learner_class(family)
        rows, outcome, like = self.rows, self.outcome, self.zone_features
        if zones is not None:
            rows, outcome = rows.pick(zones), outcome[:, zones]
            like = None if like is None else like[zones]
        begun = time.process_time()
        learner = kind(seed=seed, **(settings or {})).fit(rows, outcome, zone_features=like)
        return learner, time.process_time() - begun

    def told(self, learner: Learner) -> Array:
        """Forecasts of the test part, shape (m, Z, S), in the panel's unit."""
        return self.level(learner.predict(self.test))

    def level(self, deviation: Array, zones: Array | None = None) -> Array:
        """Readings that deviations (m, Z, S) in the zones' scale mean, in the panel's unit."""
        every = slice(None) if zones is None else zones
        return from_scale(self.bench.target, self.usual[:, every] + deviation * self.scale[every][:, None])


def flat_profile(readings: Array, steps_per_day: int) -> Profile:
    """A usual day that is the mean all day long, of readings (T, C) on the model's scale; `nan` counts as nothing."""
    known = np.isfinite(readings)
    heard = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, readings, 0.0).sum(axis=0) / heard
    away = np.where(known, readings - mean, 0.0)
    scale = np.maximum(np.sqrt((away**2).sum(axis=0) / heard), 1e-6)
    shape = (len(mean), 3, steps_per_day)
    day = np.broadcast_to(mean[:, None, None], shape)
    spread = np.broadcast_to(np.maximum(np.abs(away).sum(axis=0) / heard, 1e-9)[:, None, None], shape)
    return Profile(np.ascontiguousarray(day), np.ascontiguousarray(spread), scale)


def lags_alone(rows: Rows) -> Rows:
    """Own lags and the neighbours' features; nothing about the moment forecast for, no means over longer times."""
    names = rows.layout.common
    near = feature_groups(names).get("neighbours", np.zeros(0, dtype=np.int64))
    keep = np.concatenate([rows.layout.lags()[:N_LAGS], near])
    layout = Layout(tuple(names[k] for k in keep), (), rows.layout.steps)
    return Rows(np.ascontiguousarray(rows.common[:, :, keep]), rows.ahead[..., :0], layout)


def compiled(bench: BenchmarkPanel, families: Sequence[str], *, zones: int = 3) -> None:
    """Run features and families once on a few zones, so that compiling is not among the seconds measured."""
    few = np.arange(zones)
    split = Split.of(bench)
    for family in families:
        split.fit(family, seed=0, zones=few)
