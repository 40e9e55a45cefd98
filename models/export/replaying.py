"""Replaying: a panel's readings as the commands that a sensor's trial program takes, and the difference it makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.export.sizes import Compiled
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.panel import Panel
from models.scale import from_scale

_WIND = ("wind_speed_mps", "wind_east", "wind_north")


@dataclass(frozen=True, eq=False)
class Agreement:
    """C and Python beside each other.

    Attributes
    ----------
    device, model : ndarray, shape (n, S, Q)
        In the target's unit.
    floor : float
        Of values below it a difference is told in shares of it: a hundredth of what is usual in the zone on average.
    """

    device: np.ndarray
    model: np.ndarray
    floor: float

    @property
    def relative(self) -> float:
        """Largest relative difference."""
        return float((np.abs(self.device - self.model) / np.maximum(np.abs(self.model), self.floor)).max())


def agreement(compiled: Compiled, model: LearnedForecaster, panel: Panel, known: np.ndarray) -> Agreement:
    """Feed a compiled micromodel a panel's readings and compare its forecasts with the model's.

    Parameters
    ----------
    compiled : Compiled
    model : LearnedForecaster
        Of one zone.
    panel : Panel
        As a forecaster reads it.
    known : ndarray of int
        Rising: last known positions of the origins compared.
    """
    first = max(0, int(known.min()) - 8 * panel.steps_per_day)
    device, faults = compiled.replay(_commands(compiled, model, panel, first, known))
    assert not faults and len(device) == known.size, f"results {faults[:5]}, {len(device)} of {known.size} forecasts"
    levels = [QUANTILES.index(q) for q in compiled.files.levels]
    found = [
        model.forecast(panel, origins=pd.DatetimeIndex([panel.origin(int(k))]), steps=compiled.files.steps)
        for k in known
    ]
    assert model.profile is not None
    mean = float(from_scale(model.target, model.profile.level)[0])
    return Agreement(device, np.concatenate(found)[:, 0][..., levels], 1e-2 * mean)


def _commands(compiled: Compiled, model: LearnedForecaster, panel: Panel, first: int, known: np.ndarray) -> list[str]:
    f = model.featuriser
    assert f is not None
    last = int(known.max())
    times = np.asarray(panel.times.as_unit("s").asi8)
    own = panel.values[model.target][:, panel.columns(model.zone_ids)[0]]
    window = slice(first, last + 1)
    told: list[np.ndarray] = []
    for kind, name in compiled.files.sides:
        if kind == "zone":
            place = f.needed.index(name)
            told.append(f.deviation(panel, window, np.array([place]), None)[:, 0])
        elif kind == "other":
            told.append(panel.values[name][window, panel.columns(model.zone_ids)[0]])
        else:
            told.append(panel.weather.get(name, np.full(len(panel), np.nan))[window])
    windy = any(kind == "weather" and name in _WIND for kind, name in compiled.files.sides)
    ask = set(known.tolist())
    out = []
    for i in range(first, last + 1):
        out.append(f"p {times[i]} 0 {_word(own[i])} 0")
        for k, (kind, name) in enumerate(compiled.files.sides):
            if not (kind == "weather" and name in _WIND):
                out.append(f"h {times[i]} {k} {_word(told[k][i - first])} 0")
        if windy:
            speed, angle = (
                panel.weather.get(name, np.full(len(panel), np.nan))[i] for name in ("wind_speed_mps", "wind_dir_deg")
            )
            out.append(f"w {times[i]} 0 {_word(speed)} {_word(angle)}")
        if i in ask:
            out.append("f 0 0 0 0")
    return out


def _word(value: float) -> str:
    return "nan" if not np.isfinite(value) else repr(float(value))
