"""When to train again: never, every so often, or when a monitor says that the world has changed.

`replay` lives through readings day by day under a policy, and tells what it cost and how good the forecasts were.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from models.contract import MIN_DAYS, Forecaster
from models.errors import ModelError, SettingsError
from models.horizons import followed
from models.intervals import QUANTILES
from models.monitoring.monitor import Monitor
from models.monitoring.reference import Reference
from models.monitoring.residuals import series_of
from models.monitoring.settings import WORLD_KINDS, MonitorSettings
from models.panel import Panel
from models.scale import from_scale

POLICIES = ("never", "fixed", "on drift")
#: Days of the changed world after which a zone is trained again, from those days alone: as soon as a model can be
#: fitted, and whenever what there is to learn from has doubled (assumed).
LEARN_AFTER_DAYS = (5.0, 10.0, 20.0, 40.0)
_JUDGED_DAYS = 1.0  # of them, the last are kept to see whether the new model is better at all


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When to train again.

    Attributes
    ----------
    kind : {"never", "fixed", "on drift"}
    every_days : int
        Of `fixed`: all zones, from all history.
    settings : MonitorSettings
        Of `on drift`: by which changes are found; a zone whose world changed is trained again from what came since,
        and keeps its old model where the new one is no better on the last day.
    """

    kind: str = "never"
    every_days: int = 7
    settings: MonitorSettings = field(default_factory=MonitorSettings)

    def __post_init__(self) -> None:
        faults = [] if self.kind in POLICIES else [f"kind={self.kind!r}; allowed are {POLICIES}"]
        if self.every_days < 1:
            faults.append(f"every_days={self.every_days} must be at least 1")
        if faults:
            raise SettingsError("; ".join(faults))

    @property
    def name(self) -> str:
        """As tables call it."""
        return f"every {self.every_days} d" if self.kind == "fixed" else self.kind


@dataclass(frozen=True, eq=False, kw_only=True)
class Replay:
    """What a policy did.

    Attributes
    ----------
    error : ndarray, shape (n, Z, S)
        Forecast less reading in the target's unit, by origin; `nan` where no reading came.
    retrained : tuple of (int, tuple of str)
        Position and zones of every training.
    cpu_s : float
        Processor seconds of training, trials of models that were not kept included.
    watch_s : float
        Processor seconds of watching.
    alarms : int
        Of a changed world.
    """

    error: np.ndarray
    retrained: tuple[tuple[int, tuple[str, ...]], ...]
    cpu_s: float
    watch_s: float
    alarms: int

    @property
    def zone_trainings(self) -> int:
        """Zones trained again, each time counted."""
        return sum(len(zones) for _, zones in self.retrained)

    def mae(self, places: np.ndarray | None = None, rows: slice = slice(None)) -> float:
        """Mean absolute error of some zones and origins; all where none are named."""
        part = self.error[rows] if places is None else self.error[rows][:, places]
        return float(np.nanmean(np.abs(part)))


def replay(
    model: Forecaster, panel: Panel, reference: Reference, policy: Policy, *, start: int, end: int | None = None
) -> Replay:
    """Live from `start` on under a policy; every forecast by models that knew the readings before its origin only.

    Parameters
    ----------
    model : Forecaster
        Fitted before `start`; learns each zone for itself (a micromodel's family).
    panel : Panel
    reference : Reference
        Of the model, its zones in the same order.
    policy : Policy
    start, end : int
        First interval forecast for, and the first that is not; None takes the panel's end.
    """
    stop = len(panel) if end is None else end
    day = panel.steps_per_day
    service = [model.bare()] * len(model.zone_ids)
    alone = [model.bare().one(zone) for zone in model.zone_ids] if policy.kind == "on drift" else []
    monitor = Monitor(model.target, model.zone_ids, reference, policy.settings)
    lessons = Lessons(len(model.zone_ids))
    errors, retrained, spent, watched_s = [], [], 0.0, 0.0
    whole: Forecaster | None = model.bare()
    for begin in range(start, stop, day):
        known = np.arange(begin - 1, min(begin + day, stop) - 1)
        level = _levels(whole, service, panel, known)
        errors.append(_errors(model, panel, known, level, stop))
        last = known[-1] + 2
        if policy.kind == "on drift":
            begun = time.process_time()
            monitor.observe(series_of(model, panel, known, level[:, :, 0], bounds=_bounds(model, panel, known, level)))
            lessons.note(monitor, panel)
            watched_s += time.process_time() - begun
            begun = time.process_time()
            done = []
            for place, since in lessons.due(last, day):
                new = better(alone[place], service[place], place, panel, since, last)
                if new is not None:
                    service[place], whole = new, None
                    done.append(place)
            spent += time.process_time() - begun
            if done:
                monitor.rebase(reference.pick(np.array(done)), np.array(done))
                retrained.append((last, tuple(model.zone_ids[k] for k in done)))
        elif policy.kind == "fixed" and ((begin - start) // day + 1) % policy.every_days == 0 and last < stop:
            begun = time.process_time()
            assert whole is not None
            whole = whole.refit(panel.until(last), train_end=panel.origin(last - 1))
            service = [whole] * len(model.zone_ids)
            spent += time.process_time() - begun
            retrained.append((last, model.zone_ids))
    alarms = sum(alarm.kind in WORLD_KINDS for alarm in monitor.alarms)
    return Replay(
        error=np.concatenate(errors), retrained=tuple(retrained), cpu_s=spent, watch_s=watched_s, alarms=alarms
    )


class Lessons:
    """Zones whose world has changed, since when, and how often they were trained since."""

    def __init__(self, zones: int) -> None:
        self.since = np.full(zones, -1)
        self.taken = np.zeros(zones, dtype=np.int64)
        self._seen = 0

    def note(self, monitor: Monitor, panel: Panel) -> None:
        """Take in alarms that are new; a further one in a zone that is learning begins its lessons anew."""
        for alarm in monitor.alarms[self._seen :]:
            if alarm.kind in WORLD_KINDS:
                place = monitor.zone_ids.index(alarm.zone_id)
                self.since[place], self.taken[place] = panel.known_by(alarm.since), 0
        self._seen = len(monitor.alarms)

    def due(self, now: int, day: int) -> list[tuple[int, int]]:
        """Zones to train now, and the position from which their new world counts."""
        found: list[tuple[int, int]] = []
        for place in np.flatnonzero(self.since >= 0):
            days = (now - self.since[place]) / day
            while self.taken[place] < len(LEARN_AFTER_DAYS) and days >= LEARN_AFTER_DAYS[self.taken[place]]:
                self.taken[place] += 1
                if not found or found[-1][0] != place:
                    found.append((int(place), int(self.since[place])))
        return found


def better(alone: Forecaster, serving: Forecaster, place: int, panel: Panel, since: int, now: int) -> Forecaster | None:
    """A zone's model learned from what came since a change, where it beats the one in service on the last day.

    Parameters
    ----------
    alone : Forecaster
        The zone's first model, whose recipe is learned again.
    serving : Forecaster
        The one in service, of one zone or of many; `place` is the zone's among many.
    panel : Panel
    since, now : int
        Positions of the change, and of the first interval that is not known.
    """
    day = panel.steps_per_day
    trial_end = now - int(_JUDGED_DAYS * day)
    if trial_end - since < MIN_DAYS * day - day // 2:
        return None
    begin = max(0, min(since, trial_end - int(MIN_DAYS * day) - 1))
    try:
        trial = alone.refit(panel.during(begin, trial_end), train_end=panel.origin(trial_end - 1))
        known = np.arange(trial_end - 1, now - 1)
        old_place = np.array([place if len(serving.zone_ids) > 1 else 0])
        new = np.abs(_errors(alone, panel, known, trial._point(panel, known, np.array([0]), alone.anchors), now))
        old = np.abs(_errors(alone, panel, known, serving._point(panel, known, old_place, alone.anchors), now))
        both = np.isfinite(new) & np.isfinite(old)
        if not both.any() or new[both].mean() >= old[both].mean():
            return None
        return alone.refit(panel.during(begin, now), train_end=panel.origin(now - 1))
    except ModelError:
        return None  # too little was read since the change


def _levels(whole: Forecaster | None, service: list[Forecaster], panel: Panel, known: np.ndarray) -> np.ndarray:
    """Point forecasts (n, Z, S) on the model's scale by whoever serves each zone."""
    if whole is not None:
        return whole._point(panel, known, np.arange(len(whole.zone_ids)), whole.anchors)
    parts: dict[int, np.ndarray] = {}
    out = []
    for place, one in enumerate(service):
        if len(one.zone_ids) == 1 and len(service) > 1:
            out.append(one._point(panel, known, np.array([0]), one.anchors)[:, 0])
            continue
        if id(one) not in parts:
            parts[id(one)] = one._point(panel, known, np.arange(len(one.zone_ids)), one.anchors)
        out.append(parts[id(one)][:, place])
    return np.stack(out, axis=1)


def _errors(model: Forecaster, panel: Panel, known: np.ndarray, level: np.ndarray, end: int) -> np.ndarray:
    grid = panel.values[model.target][:, panel.columns(model.zone_ids)]
    reading = followed(grid, known[:, None] + np.asarray(model.anchors), end=end)
    return np.asarray(from_scale(model.target, level) - reading)


def _bounds(model: Forecaster, panel: Panel, known: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Ends of the first model's intervals around present forecasts, (n, Z, 2)."""
    fan = model.around(panel, level[:, :, :1], known, np.arange(len(model.zone_ids)), model.anchors[:1])
    return fan[:, :, 0][..., [QUANTILES.index(0.05), QUANTILES.index(0.95)]]
