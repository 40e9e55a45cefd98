"""Following: a forecaster's intervals while time runs, wider or narrower as its own late errors show.

Every forecast's interval rests on the errors that were known at its origin, none later: forecasts from earlier
origins are made again, in order, so that nothing need be remembered between calls.
"""

from __future__ import annotations

import numpy as np

from models.contract import Forecaster
from models.errors import NotFittedError
from models.horizons import followed
from models.intervals.bounds import Bounds
from models.intervals.calibration import Calibration
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
        steps=model.anchors,
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
    readings[np.broadcast_to((late > known[0])[:, None], readings.shape)] = np.nan
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
