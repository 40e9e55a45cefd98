"""One agent a zone: it observes every interval, and forecasts when it was given models.

An agent is a SimPy process. It sees what its zone's sensors reported and nothing else; readings of neighbours reach
it through the panel, where every agent writes what it saw.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import simpy

from data.schemas import FORECASTS, TIME_DTYPE, empty
from models.contract import Forecaster
from models.horizons import anchor_steps
from models.intervals import QUANTILES
from models.panel import Panel
from simulation.live import LiveCity, Phase


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecasters:
    """What agents forecast with.

    Attributes
    ----------
    history : Panel
        Readings before the run; the panel that agents write to begins with them.
    micromodels : mapping of (zone_id, target) to Forecaster
        Each zone's agent runs its own.
    citywide : mapping of (model name, target) to Forecaster
        Run once for all zones: the macromodel and the baselines.
    """

    history: Panel
    micromodels: Mapping[tuple[str, str], Forecaster]
    citywide: Mapping[tuple[str, str], Forecaster] = field(default_factory=dict)


class Notebook:
    """The panel that agents share, and the forecasts they made."""

    def __init__(self, forecasters: Forecasters, n_steps: int) -> None:
        self.panel, self.first = extended(forecasters.history, n_steps)
        self._parts: list[tuple[str, str, str, pd.Timestamp, np.ndarray]] = []

    def write(self, row: int, values: Mapping[str, np.ndarray]) -> None:
        """Enter what the sensors reported of the run's interval number `row`."""
        for name, array in self.panel.values.items():
            array[self.first + row] = values[name]

    def weather(self, row: int, values: Mapping[str, float]) -> None:
        """Enter the weather of the run's interval number `row`."""
        for name, array in self.panel.weather.items():
            array[self.first + row] = values[name]

    def add(self, model: str, target: str, zone_ids: Sequence[str], origin: pd.Timestamp, values: np.ndarray) -> None:
        """Keep a forecast, shape (n_zones, n_steps, n_quantiles)."""
        for zone, part in zip(zone_ids, values):
            self._parts.append((model, target, zone, origin, part))

    def table(self) -> pd.DataFrame:
        """The `forecasts` table."""
        if not self._parts:
            return empty(FORECASTS)
        steps, quantiles = anchor_steps(self.panel.step_s), QUANTILES
        per = len(steps) * len(quantiles)
        model, target, zone, origin, values = zip(*self._parts)
        horizon = np.repeat(np.asarray(steps, float) * self.panel.step_s, len(quantiles))
        count = len(values)
        return pd.DataFrame(
            {
                "model": pd.Categorical(np.repeat(np.array(model, dtype=object), per)),
                "zone_id": pd.Categorical(np.repeat(np.array(zone, dtype=object), per)),
                "target": pd.Categorical(np.repeat(np.array(target, dtype=object), per)),
                "forecast_origin": pd.DatetimeIndex(origin).repeat(per).astype(TIME_DTYPE),
                "horizon_s": np.tile(horizon, count),
                "quantile": np.tile(np.tile(np.asarray(quantiles, float), len(steps)), count),
                "value": np.concatenate([np.asarray(v, np.float64).ravel() for v in values]),
            }
        )


def extended(history: Panel, n_steps: int) -> tuple[Panel, int]:
    """A panel with room for some more intervals, and the row where they begin."""
    step = pd.Timedelta(seconds=history.step_s)
    times = history.times.append(pd.date_range(history.times[-1] + step, periods=n_steps, freq=step).as_unit("us"))

    def room(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.full((n_steps, *array.shape[1:]), np.nan)])

    panel = Panel(
        times=times, zone_ids=history.zone_ids, values={k: room(v) for k, v in history.values.items()},
        timezone=history.timezone, step_s=history.step_s, zones=history.zones, neighbours=history.neighbours,
        weather={k: room(v) for k, v in history.weather.items()}, country=history.country,
    )  # fmt: skip
    return panel, len(history.times)


@dataclass
class ZoneAgent:
    """Watches one zone, and forecasts it with its micromodels."""

    zone_id: str
    place: int  # column of the zone
    models: Mapping[str, Forecaster] = field(default_factory=dict)
    observed: int = 0
    missing: int = 0
    last_seen: pd.Timestamp | None = None

    def observe(self, at: pd.Timestamp, values: Mapping[str, np.ndarray]) -> None:
        """See what the zone's sensors reported of the interval that ended at `at`."""
        seen = any(np.isfinite(array[self.place]) for array in values.values())
        self.observed += 1
        if seen:
            self.last_seen = at
        else:
            self.missing += 1

    def process(self, live: LiveCity, desk: Desk) -> Generator[simpy.Event, Any, None]:
        """Observe, then forecast, at the end of every interval."""
        while True:
            yield live.wait(live.step_s, Phase.AGENTS)
            now = desk.now
            self.observe(now, desk.values)
            if desk.notebook is not None and self.models:
                origins = pd.DatetimeIndex([now])
                for target, model in self.models.items():
                    values = model.forecast(desk.notebook.panel, origins=origins, zone_ids=[self.zone_id])
                    desk.notebook.add("micromodel", target, [self.zone_id], now, values[0])


@dataclass
class Desk:
    """What agents find on their desk at the end of an interval: the sensors' report, and the shared notebook."""

    now: pd.Timestamp
    notebook: Notebook | None = None
    values: Mapping[str, np.ndarray] = field(default_factory=dict)


def citywide_process(
    live: LiveCity, desk: Desk, models: Mapping[tuple[str, str], Forecaster], zones_of: Mapping[str, Sequence[str]]
) -> Generator[simpy.Event, Any, None]:
    """Forecast all zones at once with each citywide model."""
    while True:
        yield live.wait(live.step_s, Phase.AGENTS)
        if desk.notebook is None:
            continue
        now = desk.now
        for (name, target), model in models.items():
            zone_ids = zones_of[target]
            if zone_ids:
                values = model.forecast(desk.notebook.panel, origins=pd.DatetimeIndex([now]), zone_ids=zone_ids)
                desk.notebook.add(name, target, zone_ids, now, values[0])
