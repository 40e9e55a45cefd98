"""Following: a forecaster's intervals while time runs, wider or narrower as its own late errors show.

Every forecast's interval rests on the errors that were known at its origin, none later: forecasts from earlier
origins are made again, in order, so that nothing need be remembered between calls.
"""

from __future__ import annotations

import numpy as np

from models.contract import Forecaster
from models.errors import NotFittedError
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
    places = np.arange(len(model.zone_ids))
    steps = np.asarray(model.anchors)
    aim = known[:, None] + steps
    assert model.profile is not None
    if level is None:
        level, _ = model._point(panel, known, places, model.anchors)
    columns = panel.columns(model.zone_ids)
    grid = panel.values[model.target][:, columns]
    inside = aim < len(panel)
    reading = np.where(inside[..., None], to_scale(model.target, grid[np.where(inside, aim, 0)]), np.nan)
    usual, stray = model.profile.usual(panel.calendar, aim), model.profile.stray(panel.calendar, aim)
    live = calibration_of(model).live()
    _, out = live.follow(
        known, level=level, usual=usual.transpose(0, 2, 1), stray=stray.transpose(0, 2, 1),
        reading=reading.transpose(0, 2, 1),
    )  # fmt: skip
    end = int(known[0]) + 1 if train_end is None else train_end
    return Bounds.fit(grid[:end]).apply(from_scale(model.target, out), quantiles=live.calibration.quantiles)
