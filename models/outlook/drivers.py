"""Drivers: which kinds of input a zone's forecast rests on, by how much worse it is when they are shuffled in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.forecasting import LearnedForecaster
from models.horizons import followed
from models.importance import PLAIN, permutation_importance
from models.panel import Panel
from models.scale import to_scale

MOST_DAYS = 28  # days looked at, the newest
ORIGINS_A_DAY = 24
_REPEATS = 3
LEAST = 0.01  # growth of the error below which an input is not worth a word


@dataclass(frozen=True)
class Driver:
    """One kind of input of one zone's model.

    Attributes
    ----------
    group : str
        Key of `models.importance.PLAIN`.
    growth, low, high : float
        Share by which the mean error grows without it, with an interval of about 95 %.
    """

    group: str
    growth: float
    low: float
    high: float

    @property
    def counts(self) -> bool:
        """Whether it is sure, and large enough to be told."""
        return self.low > 0 and self.growth >= LEAST

    @property
    def name(self) -> str:
        """In plain words."""
        return PLAIN.get(self.group, self.group)


def drivers(model: Forecaster, panel: Panel, zone_id: str, *, step: int, seed: int = 0) -> list[Driver]:
    """Inputs of one zone's forecast, the most important first; empty for models that are no learner alone.

    Parameters
    ----------
    model : Forecaster
    panel : Panel
    zone_id : str
    step : int
        Horizon, one of the model's anchors.
    seed : int

    Notes
    -----
    It tells what the model uses, not what causes what. Days are shuffled as a whole, which is also how doubt is told.
    """
    if not isinstance(model, LearnedForecaster) or model.featuriser is None or model.profile is None:
        return []
    place = model.places([zone_id])
    spd = panel.steps_per_day
    every = max(1, spd // ORIGINS_A_DAY)
    last = len(panel) - step - 1
    known = np.arange(max(8 * spd, last - MOST_DAYS * spd), last, every)
    block = max(1, spd // every)
    if known.size < 4 * block:
        return []
    rows = model.featuriser.rows(panel, known, (step,), place)
    aim = known[:, None] + step
    reading = followed(to_scale(model.target, panel.values[model.target][:, panel.columns([zone_id])]), aim)
    usual = model.profile.pick(place).usual(panel.calendar, aim).transpose(0, 2, 1)
    y = (reading - usual) / model.profile.scale[place][:, None]
    if model.start != "usual":
        y = y - rows.common[:, :, :1] * model.share[place][:, [model.anchors.index(step)]]
    if np.isfinite(y).sum() < 2 * block:
        return []
    found = permutation_importance(model.learner, rows, y, block=block, places=place, repeats=_REPEATS, seed=seed)
    base = max(float(found.base[0]), 1e-12)
    told = [
        Driver(group, float(found.mean[k, 0]) / base, float(found.low[k, 0]) / base, float(found.high[k, 0]) / base)
        for k, group in enumerate(found.groups)
    ]
    return sorted(told, key=lambda driver: -driver.growth)
