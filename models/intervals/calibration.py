"""From out-of-fold forecasts to intervals that follow: everything of this package put together, for one forecaster.

`Calibration` is fitted once, on forecasts that had not seen their readings. `LiveIntervals` is where it stands at a
moment: it takes each new forecast and the readings that have come in since, and says the quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from models.errors import ScoresError
from models.intervals.adaptive import AdaptiveSettings, AdaptiveState
from models.intervals.bias import DecayingBias
from models.intervals.normalised import MEMORIES, RecentErrors, SpreadFeatures, SpreadModel
from models.intervals.normalised_kernels import recent_means
from models.intervals.pending import Pending
from models.intervals.split import QUANTILES, ConformalIntervals


@dataclass(frozen=True, eq=False)
class Calibration:
    """How large the errors of one forecaster are: static offsets, what makes them larger, and how to follow them.

    Attributes
    ----------
    steps : ndarray of int, shape (S,)
        Horizons in positions.
    quantiles : tuple of float, length Q
    offsets : ndarray, shape (Z, S, Q)
        Static offsets in units of the expected error.
    plain : ndarray, shape (Z, S, Q)
        Static offsets in units of the usual deviation, for a forecaster that does not follow its own errors.
    features : SpreadFeatures
    spread : SpreadModel
    bias : DecayingBias
        How it is followed where forecasts err to one side, before the first error.
    n_origins : int
        Origins that all of it rests on.
    spacing : int
        Positions from one of them to the next.
    """

    steps: np.ndarray
    quantiles: tuple[float, ...]
    offsets: np.ndarray
    plain: np.ndarray
    features: SpreadFeatures
    spread: SpreadModel
    bias: DecayingBias
    n_origins: int
    spacing: int

    @classmethod
    def fit(
        cls,
        *,
        level: np.ndarray,
        usual: np.ndarray,
        stray: np.ndarray,
        reading: np.ndarray,
        known: np.ndarray,
        steps: np.ndarray | tuple[int, ...],
        per_day: int,
        quantiles: tuple[float, ...] = QUANTILES,
    ) -> Calibration:
        """Learn from out-of-fold forecasts, oldest first.

        Parameters
        ----------
        level, usual, stray, reading : ndarray, shape (n, Z, S)
            Point forecast, usual value, usual absolute deviation and reading (`nan` where none), on the model's scale.
        known : ndarray of int, shape (n,)
            Last known position at each origin, increasing.
        steps : array of int, shape (S,)
        per_day : int
            Positions in a day.
        quantiles : tuple of float, length Q

        Raises
        ------
        ScoresError
            If shapes do not fit together.
        """
        known, steps = np.asarray(known, dtype=np.int64), np.asarray(steps, dtype=np.int64)
        shape = reading.shape
        given = {"level": level.shape, "usual": usual.shape, "stray": stray.shape}
        faults = [f"{name} has shape {found}, reading {shape}" for name, found in given.items() if found != shape]
        if known.shape != shape[:1] or steps.shape != shape[2:]:
            faults.append(f"known {known.shape} and steps {steps.shape} must count the origins and horizons of {shape}")
        if (np.diff(known) <= 0).any():
            faults.append("known must increase; sort the origins")
        if faults:
            raise ScoresError("; ".join(faults))
        spacing = max(1, int(np.median(np.diff(known)))) if known.size > 1 else 1
        apart = np.maximum(1, steps // spacing)
        bias = DecayingBias.fit(reading - level, known, steps, per_day)
        level = level + bias.follow(known, steps, reading - level, None)[0]
        scores = (reading - level) / stray
        features = SpreadFeatures.fit(usual, stray, scores)
        recent, _ = _Recent.start(*shape[1:]).follow(known, steps, scores, None)
        x = features.make(level, usual, stray, recent)
        beside = SpreadModel.out_of_fold(scores, x, steps=apart)
        return cls(
            steps=steps, quantiles=tuple(quantiles),
            offsets=ConformalIntervals.fit(scores / beside, quantiles=quantiles, steps=apart).offsets,
            plain=ConformalIntervals.fit(scores, quantiles=quantiles, steps=apart).offsets,
            features=features, spread=SpreadModel.fit(scores, x, steps=apart), bias=bias, n_origins=known.size,
            spacing=spacing,
        )  # fmt: skip

    def pick(self, places: np.ndarray) -> Calibration:
        """Some of the zones."""
        return replace(
            self, offsets=self.offsets[places], plain=self.plain[places], features=self.features.pick(places),
            spread=self.spread.pick(places), bias=self.bias.pick(places),
        )  # fmt: skip

    def live(self, *, settings: AdaptiveSettings | None = None, spacing: int | None = None) -> LiveIntervals:
        """Before the first origin; let it `follow` the forecasts it was fitted on, and it starts warm.

        Parameters
        ----------
        settings : AdaptiveSettings or None
        spacing : int or None
            Positions from one origin to the next in use; None: as in calibration.
        """
        spacing = spacing or self.spacing
        adaptive = AdaptiveState.start(
            self.offsets, steps=self.steps, quantiles=self.quantiles, settings=settings, spacing=spacing,
            calibrated_on=max(1, self.n_origins * self.spacing // spacing),
        )  # fmt: skip
        zones, horizons = self.offsets.shape[:2]
        nothing = np.zeros((0, zones, horizons))
        return LiveIntervals(self, adaptive, _Recent.start(zones, horizons), self.bias, *[nothing] * 4)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, to store."""
        return {
            "steps": self.steps, "quantiles": np.asarray(self.quantiles), "offsets": self.offsets, "plain": self.plain,
            "typical_level": self.features.level, "typical_stray": self.features.stray,
            "typical_size": self.features.size, "coefficients": self.spread.coefficients,
            "counts": np.array([self.n_origins, self.spacing]),
            **{f"bias_{name}": array for name, array in self.bias.arrays().items()},
        }  # fmt: skip

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray]) -> Calibration:
        """Inverse of `arrays`; `KeyError` names what is missing."""
        features = SpreadFeatures(arrays["typical_level"], arrays["typical_stray"], arrays["typical_size"])
        return cls(
            steps=arrays["steps"], quantiles=tuple(arrays["quantiles"].tolist()), offsets=arrays["offsets"],
            plain=arrays["plain"], features=features, spread=SpreadModel(arrays["coefficients"]), bias=_bias(arrays),
            n_origins=int(arrays["counts"][0]), spacing=int(arrays["counts"][1]),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Recent:
    """Running means of absolute scores: `total` and `mass` (Z, S, M), position of the origin told `last` (S,)."""

    total: np.ndarray
    mass: np.ndarray
    last: np.ndarray
    pending: np.ndarray

    @classmethod
    def start(cls, zones: int, horizons: int) -> _Recent:
        shape = (zones, horizons, len(MEMORIES))
        return cls(np.zeros(shape), np.zeros(shape), np.full(horizons, -1), np.zeros(0, dtype=np.int64))

    def follow(
        self, known: np.ndarray, steps: np.ndarray, scores: np.ndarray, late: np.ndarray | None
    ) -> tuple[RecentErrors, _Recent]:
        """Recent errors at each origin, and the state after the last."""
        p, due = self.pending.size, Pending.of(self.pending, known, steps)
        every = scores if late is None else np.concatenate([late, scores])
        total, mass, last = self.total.copy(), self.mass.copy(), self.last.copy()
        means, weights = np.empty((due.rows.size, *total.shape)), np.empty((due.rows.size, *total.shape))
        recent_means(
            due.rows, steps, np.abs(every).astype(float), np.asarray(MEMORIES), total, mass, due.told, last, means,
            weights, p,
        )  # fmt: skip
        return RecentErrors(means[p:], weights[p:]), _Recent(total, mass, last, due.left)


@dataclass(frozen=True, eq=False)
class LiveIntervals:
    """A calibration in use: the quantiles of each new forecast, from the readings that have come in.

    Attributes
    ----------
    calibration : Calibration
    adaptive : AdaptiveState
    recent : running means of absolute scores
    bias : DecayingBias
    level, added, stray, spread : ndarray, shape (p, Z, S)
        Of the forecasts whose readings are not all in, made at `pending`; the bias `added` to `level`.
    """

    calibration: Calibration
    adaptive: AdaptiveState
    recent: _Recent
    bias: DecayingBias
    level: np.ndarray
    added: np.ndarray
    stray: np.ndarray
    spread: np.ndarray

    @property
    def pending(self) -> np.ndarray:
        """Positions of the origins whose readings are not all in, oldest first, shape (p,)."""
        return self.adaptive.pending

    def follow(
        self,
        known: np.ndarray,
        *,
        level: np.ndarray,
        usual: np.ndarray,
        stray: np.ndarray,
        reading: np.ndarray,
        late: np.ndarray | None = None,
    ) -> tuple[LiveIntervals, np.ndarray]:
        """Quantiles of a sequence of forecasts, each from what was known at its origin, and the state after the last.

        Parameters
        ----------
        known : ndarray of int, shape (n,)
            Last known position at each origin, increasing and after `pending`.
        level, usual, stray : ndarray, shape (n, Z, S)
            Of the forecasts, on the model's scale.
        reading : ndarray, shape (n, Z, S)
            What came, `nan` where nothing did; a reading counts from the origin at which it was known, and those not
            known at any of these origins are never looked at.
        late : ndarray or None, shape (p, Z, S)
            Readings for the forecasts made at `pending`, `nan` where not in yet.

        Returns
        -------
        LiveIntervals
        ndarray of float32, shape (n, Z, S, Q)
            Quantiles on the model's scale, non-decreasing along Q; the median is `level` with the bias added.

        Raises
        ------
        ScoresError
            If shapes or the order of the origins are wrong.
        """
        known = np.asarray(known, dtype=np.int64)
        p = self.pending.size
        if late is None and p == 0:
            late = np.empty((0, *level.shape[1:]))
        if late is None or late.shape != self.level.shape:
            raise ScoresError(
                f"late must have shape {self.level.shape}, the readings so far for the forecasts made at"
                f" {self.pending.tolist()[:5]}...; found {None if late is None else late.shape}"
            )
        steps = self.calibration.steps
        added, bias = self.bias.follow(known, steps, reading - level, late - self.level)
        middle = level + added
        scores, late_scores = (reading - middle) / stray, (late - (self.level + self.added)) / self.stray
        recent, recent_after = self.recent.follow(known, steps, scores, late_scores)
        x = self.calibration.features.make(middle, usual, stray, recent)
        spread = self.calibration.spread.spread(x)
        adaptive, offsets = self.adaptive.follow(known, scores / spread, late=late_scores / self.spread)
        out = (middle[..., None] + offsets * (stray * spread)[..., None]).astype(np.float32)
        kept = adaptive.pending.size
        parts = (self.level, level), (self.added, added), (self.stray, stray), (self.spread, spread)
        pending = (np.concatenate(part)[p + known.size - kept :] for part in parts)
        return LiveIntervals(self.calibration, adaptive, recent_after, bias, *pending), out

    def pick(self, places: np.ndarray) -> LiveIntervals:
        """Some of the zones, as they stand: no zone learns from another while it follows."""
        recent = replace(self.recent, total=self.recent.total[places], mass=self.recent.mass[places])
        return LiveIntervals(
            self.calibration.pick(places), self.adaptive.pick(places), recent, self.bias.pick(places),
            self.level[:, places], self.added[:, places], self.stray[:, places], self.spread[:, places],
        )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """All that changes with time, to store beside the calibration's own arrays."""
        own = {name: getattr(self, name) for name in _PENDING}
        own |= {f"bias_{name}": array for name, array in self.bias.arrays().items()}
        means = {f"recent_{f.name}": getattr(self.recent, f.name) for f in fields(_Recent)}
        return {**{f"adaptive_{k}": v for k, v in self.adaptive.arrays().items()}, **means, **own}

    def restore(self, arrays: dict[str, np.ndarray]) -> LiveIntervals:
        """This state, made by `Calibration.live`, as it was when `arrays` were stored; `KeyError` names what misses."""
        adaptive = {k.removeprefix("adaptive_"): v for k, v in arrays.items() if k.startswith("adaptive_")}
        recent: dict[str, Any] = {f.name: arrays[f"recent_{f.name}"].copy() for f in fields(_Recent)}
        own: dict[str, Any] = {name: arrays[name].copy() for name in _PENDING}
        return replace(
            self, adaptive=self.adaptive.restore(adaptive), recent=_Recent(**recent), bias=_bias(arrays), **own
        )


_PENDING = ("level", "added", "stray", "spread")


def _bias(arrays: dict[str, np.ndarray]) -> DecayingBias:
    """What `DecayingBias.arrays` stored among others."""
    return DecayingBias.restore({k.removeprefix("bias_"): v for k, v in arrays.items() if k.startswith("bias_")})
