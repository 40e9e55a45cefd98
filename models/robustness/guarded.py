"""Guarded forecasts: from cleaned readings, with wider intervals where a zone's own sensor cannot be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.contract import Forecaster, validation_start
from models.featuriser import BRIDGE_HOURS
from models.horizons import between
from models.intervals import QUANTILES
from models.panel import Panel
from models.robustness.defence import LOOK_BACK_DAYS, Cleaned, Defence
from models.robustness.disturbances import apart

_MEDIAN = QUANTILES.index(0.5)
_LEVEL = 0.9  # of errors that are compared
_ORIGINS = 400
_SETS = 3  # of zones that are silenced together
_MOST = 10.0


@dataclass(frozen=True, eq=False)
class Fallback:
    """How much wider intervals must be where a zone's own readings are not believed.

    Attributes
    ----------
    factor : ndarray, shape (S,)
        By anchor of the model, 1 or more.
    """

    factor: np.ndarray

    @classmethod
    def fit(cls, model: Forecaster, panel: Panel, defence: Defence, *, seed: int = 0) -> Fallback:
        """Silence some sensors in the last part of what the model learned from; see how much further forecasts err.

        Zones are silenced in sets of which no two are neighbours; factors are shared by all zones, since the part is
        short. Readings that the model has learned from are forecast too well with and without a sensor; their ratio
        tells.
        """
        end = panel.known_by(pd.Timestamp(model.train_end))
        past = panel.until(end)
        start = max(validation_start(past, end), int(LOOK_BACK_DAYS * past.steps_per_day))
        known = np.arange(start, end - max(model.anchors) - 1)
        known = known[:: max(1, -(-known.size // _ORIGINS))]
        if known.size < 2:
            return cls(np.ones(len(model.anchors)))
        origins = past.origins(known)
        aim = np.minimum(known[:, None] + np.asarray(model.anchors), end - 1)
        seeing: list[np.ndarray] = []
        blind: list[np.ndarray] = []
        for k in range(_SETS):
            zones = apart(past, model.zone_ids, seed=seed + k)
            columns = past.columns(zones)
            grid = past.values[model.target].copy()
            grid[start - past.steps_per_day :, columns] = np.nan
            silent = defence.clean(
                replace(past, values={**past.values, model.target: grid}), start=start - past.steps_per_day
            ).panel
            actual = past.values[model.target][aim][:, :, columns].transpose(0, 2, 1)
            for where, told in ((past, seeing), (silent, blind)):
                found = model.forecast(where, origins=origins, zone_ids=zones)[..., _MEDIAN]
                told.append(np.abs(found - actual).reshape(-1, len(model.anchors)))
        with np.errstate(invalid="ignore", divide="ignore"):
            far, near = (np.nanquantile(np.concatenate(parts), _LEVEL, axis=0) for parts in (blind, seeing))
            factor = np.nan_to_num(far / near, nan=1.0, posinf=_MOST)
        return cls(np.clip(factor, 1.0, _MOST))

    def widened(self, model: Forecaster, fan: np.ndarray, steps: Sequence[int], blind: np.ndarray) -> np.ndarray:
        """Quantiles (n, Z, S, Q) further from their median where `blind` (n, Z); not below zero."""
        if tuple(steps) == model.anchors:
            factor = self.factor
        else:
            below, above, share = between(model.anchors, steps)
            factor = self.factor[below] + share * (self.factor[above] - self.factor[below])
        middle = fan[..., _MEDIAN : _MEDIAN + 1]
        wide = np.maximum(middle + (fan - middle) * factor[:, None], 0.0)
        return np.where(blind[:, :, None, None], wide, fan)


def blind_zones(cleaned: Cleaned, target: str, known: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whether no own reading of the last hours was believed, at each origin (n, Z)."""
    panel = cleaned.panel
    rows = max(1, BRIDGE_HOURS * 3600 // panel.step_s)
    believed = np.isfinite(panel.values[target][:, columns]) & ~cleaned.refused(target)[:, columns]
    count = np.vstack([np.zeros((1, columns.size), dtype=np.int64), np.cumsum(believed, axis=0)])
    stop = np.clip(known + 1, 0, len(panel))
    return np.asarray(count[stop] - count[np.maximum(stop - rows, 0)] == 0)


def guarded_forecast(
    model: Forecaster,
    panel: Panel,
    defence: Defence,
    *,
    origins: pd.DatetimeIndex,
    zone_ids: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    fallback: Fallback | None = None,
    start: int | None = None,
) -> tuple[np.ndarray, Cleaned]:
    """Quantile forecasts from readings as the defence lets them pass.

    Parameters
    ----------
    model, panel, origins, zone_ids, steps
        As `Forecaster.forecast`.
    defence : Defence
        Of the model's target at least.
    fallback : Fallback or None
        None leaves intervals as they are.
    start : int or None
        First position that is judged; None takes what came since the model was trained.

    Returns
    -------
    ndarray, shape (n, Z, S, Q)
    Cleaned
        What forecasts were made from, and the log.
    """
    known = panel.known(origins)
    begin = min(panel.known_by(pd.Timestamp(model.train_end)), int(known.min())) if start is None else start
    cleaned = defence.clean(panel, start=max(begin, 0), end=int(known.max()) + 1)
    fan = model.forecast(cleaned.panel, origins=origins, zone_ids=zone_ids, steps=steps)
    if fallback is None:
        return fan, cleaned
    columns = panel.columns(list(model.zone_ids if zone_ids is None else zone_ids))
    blind = blind_zones(cleaned, model.target, known, columns)
    return fallback.widened(model, fan, model.anchors if steps is None else steps, blind), cleaned
