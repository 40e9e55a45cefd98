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
from models.following import Follower
from models.horizons import anchor_steps
from models.intervals import QUANTILES
from models.monitoring import Keeper, Monitor
from models.monitoring.residuals import series_of
from models.panel import Panel
from models.scale import to_scale
from simulation.clock import Phase
from simulation.live import LiveCity

_MIDDLE, _ENDS = QUANTILES.index(0.5), [QUANTILES.index(0.05), QUANTILES.index(0.95)]


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
    monitors : mapping of (zone_id, target) to Monitor
        By which each zone's agent watches its own micromodel; they live on with the run.
    followers : mapping of (zone_id, target) to Follower
        Adaptive intervals of micromodels, where they are wanted.
    keepers : mapping of (zone_id, target) to Keeper
        By which each zone's agent trains its micromodel again at the end of a day, where its policy asks for it; a
        keeper on drift looks at the monitor that it was made with. They live on with the run.
    """

    history: Panel
    micromodels: Mapping[tuple[str, str], Forecaster]
    citywide: Mapping[tuple[str, str], Forecaster] = field(default_factory=dict)
    monitors: Mapping[tuple[str, str], Monitor] = field(default_factory=dict)
    followers: Mapping[tuple[str, str], Follower] = field(default_factory=dict)
    keepers: Mapping[tuple[str, str], Keeper] = field(default_factory=dict)


class Notebook:
    """The panel that agents share, and the forecasts they made."""

    def __init__(self, forecasters: Forecasters, n_steps: int) -> None:
        self.panel, self.first = extended(forecasters.history, n_steps)
        self._parts: list[tuple[str, str, str, pd.Timestamp, np.ndarray]] = []
        self._watched = [key for key in forecasters.monitors if key in forecasters.micromodels]
        self._disturbed: set[tuple[str, str]] = set()  # zones and targets whose agents see a changed world

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

    def disturbed(self, zone_id: str, target: str, disturbed: bool) -> None:
        """What a zone's agent tells the others: whether its world looks changed."""
        (self._disturbed.add if disturbed else self._disturbed.discard)((zone_id, target))

    def beside(self, zone_id: str, target: str) -> tuple[int, int]:
        """Other zones that are disturbed in a target, and those that are watched."""
        return tuple(  # type: ignore[return-value]
            sum(of == target and zone != zone_id for zone, of in keys) for keys in (self._disturbed, self._watched)
        )

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
    monitors: Mapping[str, Monitor] = field(default_factory=dict)
    followers: Mapping[str, Follower] = field(default_factory=dict)
    keepers: Mapping[str, Keeper] = field(default_factory=dict)
    observed: int = 0
    missing: int = 0
    last_seen: pd.Timestamp | None = None
    _told: dict[str, np.ndarray] = field(default_factory=dict)  # quantiles for the next interval, by target

    def observe(self, at: pd.Timestamp, values: Mapping[str, np.ndarray]) -> None:
        """See what the zone's sensors reported of the interval that ended at `at`."""
        seen = any(np.isfinite(array[self.place]) for array in values.values())
        self.observed += 1
        if seen:
            self.last_seen = at
        else:
            self.missing += 1

    def watch(self, now: pd.Timestamp, notebook: Notebook) -> None:
        """Hold what came in the interval that ends now against what was forecast for it."""
        position = int(notebook.panel.known(now)[0])
        for target, monitor in self.monitors.items():
            fan = self._told.get(target)
            if fan is None:
                continue
            level = to_scale(target, fan[None, None, _MIDDLE])
            series = series_of(
                self.models[target], notebook.panel, np.array([position - 1]), level, bounds=fan[None, None, _ENDS]
            )
            monitor.observe(series, beside=notebook.beside(self.zone_id, target))
            notebook.disturbed(self.zone_id, target, monitor.disturbed)

    def renew(self, now: pd.Timestamp, notebook: Notebook) -> None:
        """At the end of a local day, let keepers train models again where their policies ask for it."""
        end = int(notebook.panel.known(now)[0]) + 1
        day = notebook.panel.calendar.day
        if day[end] == day[end - 1]:
            return
        for target, keeper in self.keepers.items():
            new = keeper.day_ended(notebook.panel, end)
            if new is not None:
                self.models = {**self.models, target: new}

    def foresee(self, now: pd.Timestamp, notebook: Notebook) -> None:
        """Forecast every target from what is known now."""
        for target, model in self.models.items():
            follower = self.followers.get(target)
            origins = pd.DatetimeIndex([now])
            if follower is None:
                values = model.forecast(notebook.panel, origins=origins, zone_ids=[self.zone_id])[0]
            else:
                values = follower.advance(model, notebook.panel, origins)[0]
            notebook.add("micromodel", target, [self.zone_id], now, values)
            self._told[target] = values[0, 0]

    def process(self, live: LiveCity, desk: Desk) -> Generator[simpy.Event, Any, None]:
        """Observe, watch what was forecast, train again at the end of a day, then forecast anew; every interval."""
        while True:
            yield live.wait(live.step_s, Phase.AGENTS)
            self.observe(desk.now, desk.values)
            if desk.notebook is not None and self.models:
                self.watch(desk.now, desk.notebook)
                self.renew(desk.now, desk.notebook)
                self.foresee(desk.now, desk.notebook)


@dataclass
class Desk:
    """What agents find on their desk at the end of an interval: the sensors' report, and the shared notebook."""

    now: pd.Timestamp
    notebook: Notebook | None = None
    values: Mapping[str, np.ndarray] = field(default_factory=dict)


def citywide_process(
    live: LiveCity, desk: Desk, models: Mapping[tuple[str, str], Forecaster], zones_of: Mapping[str, Sequence[str]]
) -> Generator[simpy.Event, Any, None]:
    """Forecast all zones at once with each citywide model: those that it knows, which a zone new to the city is not."""
    known = {key: [zone for zone in zones_of[key[1]] if zone in model.zone_ids] for key, model in models.items()}
    while True:
        yield live.wait(live.step_s, Phase.AGENTS)
        if desk.notebook is None:
            continue
        now = desk.now
        for (name, target), model in models.items():
            zone_ids = known[name, target]
            if zone_ids:
                values = model.forecast(desk.notebook.panel, origins=pd.DatetimeIndex([now]), zone_ids=zone_ids)
                desk.notebook.add(name, target, zone_ids, now, values[0])
