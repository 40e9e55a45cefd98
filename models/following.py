"""Following: a forecaster while time runs, its intervals wider or narrower and its bias off as its late errors show.

Every forecast's interval rests on the errors that were known at its origin, none later. `follow` looks back on many
origins at once; a `Follower` serves one origin after another and is stored between them, as arrays.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.errors import ModelFileError, NotFittedError, ScoresError
from models.horizons import followed
from models.intervals.bounds import Bounds
from models.intervals.calibration import Calibration, LiveIntervals
from models.panel import Panel
from models.scale import from_scale, to_scale


def calibration_of(model: Forecaster) -> Calibration:
    """What a forecaster's out-of-fold errors say of its intervals.

    Raises
    ------
    NotFittedError
        If the model carries no validation: it was loaded or refitted.
    """
    record = model.validation
    if record is None:
        raise NotFittedError(f"{model!r} carries no validation; it was loaded or refitted, fit it to follow its errors")
    return Calibration.fit(
        level=record.level, usual=record.usual, stray=record.stray, reading=record.reading, known=record.known,
        steps=model.anchors, per_day=86_400 // model.step_s,
    )  # fmt: skip


def follow(
    model: Forecaster, panel: Panel, known: np.ndarray, *, level: np.ndarray | None = None, train_end: int | None = None
) -> np.ndarray:
    """Quantiles of forecasts from consecutive origins, each from the errors known at its origin.

    Parameters
    ----------
    model : Forecaster
        With its validation.
    panel : Panel
    known : ndarray of int, shape (n,)
        Last known position at each origin, increasing.
    level : ndarray or None, shape (n, Z, S)
        Point forecasts on the model's scale, where they were made already.
    train_end : int or None
        Intervals of the panel that bound what the target can be; None takes those up to the first origin.

    Returns
    -------
    ndarray of float32, shape (n, Z, S, Q)
        In the target's unit, at the model's anchors, non-decreasing along Q.
    """
    record = model.validation
    calibration = calibration_of(model)
    assert model.profile is not None and record is not None
    steps = np.asarray(model.anchors)
    if level is None:
        level = model._point(panel, known, np.arange(len(model.zone_ids)), model.anchors)
    aim = known[:, None] + steps
    usual, stray = model.profile.usual(panel.calendar, aim), model.profile.stray(panel.calendar, aim)
    warm, _ = calibration.live(spacing=1).follow(
        record.known, level=record.level, usual=record.usual, stray=record.stray, reading=record.reading
    )
    late = warm.pending[:, None] + steps
    readings = _readings(model, panel, late)
    readings[np.broadcast_to((late > known[-1])[:, None], readings.shape)] = np.nan
    _, out = warm.follow(
        known, level=level, usual=usual.transpose(0, 2, 1), stray=stray.transpose(0, 2, 1),
        reading=_readings(model, panel, aim), late=readings,
    )  # fmt: skip
    end = int(known[0]) + 1 if train_end is None else train_end
    bounds = Bounds.fit(panel.values[model.target][:end, panel.columns(model.zone_ids)])
    return bounds.apply(from_scale(model.target, out), quantiles=calibration.quantiles)


def _readings(model: Forecaster, panel: Panel, at: np.ndarray) -> np.ndarray:
    """Readings at positions (n, S) on the model's scale, (n, Z, S); `nan` beyond the panel."""
    return followed(to_scale(model.target, panel.values[model.target][:, panel.columns(model.zone_ids)]), at)


@dataclass
class Follower:
    """Intervals of one forecaster in service: what is remembered from one origin to the next.

    Attributes
    ----------
    live : LiveIntervals
        Positions count steps of the grid since 1970-01-01 UTC, so that panels may begin anywhere.
    bounds : Bounds
        What the target can be.
    step_s : int
    """

    live: LiveIntervals
    bounds: Bounds
    step_s: int

    @classmethod
    def start(cls, model: Forecaster, panel: Panel, *, train_end: int | None = None) -> Self:
        """Warm from the forecaster's validation.

        Parameters
        ----------
        model : Forecaster
            With its validation; a refitted model may take over afterwards.
        panel : Panel
            That it learned from.
        train_end : int or None
            Intervals of the panel that bound what the target can be; None takes those before the model's `train_end`.

        Raises
        ------
        NotFittedError
            If the model carries no validation.
        """
        calibration = calibration_of(model)
        record = model.validation
        assert record is not None
        known = record.known + panel.first_step
        live, _ = calibration.live(spacing=1).follow(
            known, level=record.level, usual=record.usual, stray=record.stray, reading=record.reading
        )
        end = panel.known_by(pd.Timestamp(model.train_end)) if train_end is None else train_end
        bounds = Bounds.fit(panel.values[model.target][:end, panel.columns(model.zone_ids)])
        return cls(live, bounds, panel.step_s)

    def advance(self, model: Forecaster, panel: Panel, origins: pd.DatetimeIndex) -> np.ndarray:
        """Forecast from the next origins, each after learning from the readings known there; remember what was said.

        Parameters
        ----------
        model : Forecaster
            Of the same zones, target and anchors; it may have been refitted in between.
        panel : Panel
            With the readings of at least the last day; nothing after the last origin is read.
        origins : DatetimeIndex, length n
            UTC, increasing and after those before; origins that were left out, as when the service stood still, are
            forgiven.

        Returns
        -------
        ndarray of float32, shape (n, Z, S, Q)
            In the target's unit, at the model's anchors, non-decreasing along Q.

        Raises
        ------
        ScoresError
            If the panel's step, the model's zones or anchors, or the origins do not go on from what is remembered.
        """
        steps, first, known = self.live.calibration.steps, panel.first_step, panel.known(origins)
        self._check(model, panel, known + first)
        assert model.profile is not None
        if not known.size:
            return np.empty((0, *self.live.level.shape[1:], len(self.live.calibration.quantiles)), dtype=np.float32)
        level = model._point(panel, known, np.arange(len(model.zone_ids)), model.anchors)
        aim = known[:, None] + steps
        usual, stray = (f(panel.calendar, aim).transpose(0, 2, 1) for f in (model.profile.usual, model.profile.stray))
        due = self.live.pending[:, None] - first + steps
        reading, late = (_known_readings(model, panel, at, int(known[-1])) for at in (aim, due))
        self.live, out = self.live.follow(
            known + first, level=level, usual=usual, stray=stray, reading=reading, late=late
        )
        return self.bounds.apply(from_scale(model.target, out), quantiles=self.live.calibration.quantiles)

    def _check(self, model: Forecaster, panel: Panel, at: np.ndarray) -> None:
        steps, pending = self.live.calibration.steps, self.live.pending
        faults = []
        if panel.step_s != self.step_s:
            faults.append(f"the panel has steps of {panel.step_s} s, the follower of {self.step_s} s")
        if tuple(model.anchors) != tuple(steps.tolist()):
            faults.append(f"the model's anchors are {model.anchors}, the follower's {tuple(steps.tolist())}")
        if len(model.zone_ids) != self.live.level.shape[1]:
            faults.append(f"the model serves {len(model.zone_ids)} zones, the follower {self.live.level.shape[1]}")
        if (np.diff(at) <= 0).any() or (pending.size and at.size and at[0] <= pending[-1]):
            faults.append("origins must increase, and lie after those that were served")
        if faults:
            raise ScoresError("; ".join(faults))

    def save(self) -> bytes:
        """All of it as one `npz` file, without pickle."""
        arrays = {
            **{f"c_{name}": array for name, array in self.live.calibration.arrays().items()},
            **{f"l_{name}": array for name, array in self.live.arrays().items()},
            **{f"b_{name}": np.asarray(getattr(self.bounds, name)) for name in _BOUNDS},
            "step_s": np.array(self.step_s),
        }
        bundle = io.BytesIO()
        np.savez_compressed(bundle, **cast(dict[str, Any], arrays))
        return bundle.getvalue()

    def one(self, place: int) -> Self:
        """What serves one zone; adaptive intervals learn from their own zone alone."""
        return type(self)(self.live.pick(np.array([place])), self.bounds.pick(np.array([place])), self.step_s)

    @classmethod
    def load(cls, value: bytes) -> Self:
        """Inverse of `save`.

        Raises
        ------
        ModelFileError
            If the bytes are damaged or of another format.
        """
        try:
            with np.load(io.BytesIO(value), allow_pickle=False) as bundle:
                arrays = {key: bundle[key] for key in bundle.files}
            calibration = Calibration.restore(_named(arrays, "c_"))
            live = calibration.live(spacing=1).restore(_named(arrays, "l_"))
            return cls(live, Bounds(**_named(arrays, "b_")), int(arrays["step_s"]))
        except Exception as error:
            raise ModelFileError(
                f"the stored intervals are damaged ({type(error).__name__}: {error}); start them from a validation"
            ) from error


def _known_readings(model: Forecaster, panel: Panel, at: np.ndarray, last: int) -> np.ndarray:
    """Readings at positions (n, S) on the model's scale, (n, Z, S); `nan` after the position `last`."""
    found = _readings(model, panel, at)
    return np.where((at > last)[:, None], np.nan, found)


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


_BOUNDS = ("low", "high")
