"""The monitor: every new reading against what was forecast, and what is told when something has changed.

One monitor watches one target in one or many zones; its state is a few arrays. Readings may come one interval at a
time or thousands at once, the alarms are the same. A change has one alarm: it opens once, ends when all has been quiet
for a day or the model was trained again, and what follows from it (a shift makes errors scatter, too) opens none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.errors import ScoresError
from models.monitoring.advice import told
from models.monitoring.alarms import Alarm
from models.monitoring.inputs import run_limits, runs, same_as_last
from models.monitoring.reference import Reference, columns
from models.monitoring.residuals import Series
from models.monitoring.settings import INPUT_KINDS, KINDS, PATTERN_BINS, WORLD_KINDS, MonitorSettings
from models.monitoring.windows import longest, statistics

WORLD, INPUT = 0, 1  # the two causes that a zone can have an alarm for at a time
_OF_CAUSE = (WORLD_KINDS, INPUT_KINDS)
_AS_LOUD = 0.75  # share of the loudest statistic that a simpler kind needs to have the alarm (assumed)
_ONE_SIDED = 0.5  # share of the mean square of errors since the change that their mean explains, if it is one (assumed)
_FAR = 2.0  # usual deviations of a mean that within two stretches of a day is a shift sooner than a pattern (assumed)
_SURE = 3.0  # standard errors that such a mean must lie off zero (assumed)
_RANGE_READINGS = 2  # readings in a row out of range that are an alarm: one may be a slip (assumed)


@dataclass
class Monitor:
    """Watches one target in Z zones.

    Parameters
    ----------
    target : str
    zone_ids : sequence of str, length Z
    reference : Reference
    settings : MonitorSettings or None

    Attributes
    ----------
    alarms : list of Alarm
        All that were raised, oldest first; those that are open are changed in place of their last state.
    """

    target: str
    zone_ids: Sequence[str]
    reference: Reference
    settings: MonitorSettings

    def __init__(
        self, target: str, zone_ids: Sequence[str], reference: Reference, settings: MonitorSettings | None = None
    ) -> None:
        self.target, self.zone_ids, self.reference = target, tuple(zone_ids), reference
        self.settings = settings or MonitorSettings()
        n = len(self.zone_ids)
        if reference.bias.shape[0] != n:
            raise ScoresError(f"the reference is of {reference.bias.shape[0]} zones, the monitor of {n}")
        self.alarms: list[Alarm] = []
        step_s = reference.step_s
        self._memory = longest(step_s)
        self._quiet_steps = max(1, round(self.settings.quiet_h * 3600 / step_s))
        self._missing_limit = run_limits(reference.missing, least_h=self.settings.missing_h, step_s=step_s)
        self._same_limit = run_limits(reference.same, least_h=self.settings.stuck_h, step_s=step_s)
        self._start()

    def _start(self) -> None:
        """Nothing heard, nothing open."""
        n = len(self.zone_ids)
        self._z, self._missed, self._away, self._off = (np.full((0, n), np.nan) for _ in range(4))
        self._part = np.zeros(0, dtype=np.int64)
        self._position: int | None = None
        self._silence, self._same, self._outlying = (np.zeros(n, dtype=np.int64) for _ in range(3))
        self._last = np.full(n, np.nan)
        self._open = np.full((n, 2), -1)  # kind that is open, by cause
        self._quiet = np.zeros((n, 2), dtype=np.int64)
        self._alarm_of: dict[tuple[int, int], int] = {}
        self.level = np.zeros((n, len(KINDS)))  # latest statistic over its threshold, by kind

    # --- while time runs ----------------------------------------------------------------------------------------

    def observe(self, series: Series, *, beside: tuple[int, int] = (0, 0)) -> list[Alarm]:
        """Take the next intervals; alarms that opened or ended in them.

        Parameters
        ----------
        series : Series
            One interval or many, after those taken before.
        beside : tuple of int
            Zones that others watch: how many are disturbed now, and how many there are.

        Raises
        ------
        ScoresError
            If zones, step or order do not fit.
        """
        self._check(series)
        n = len(series)
        if n == 0:
            return []
        reading = series.reading
        silence = runs(~np.isfinite(reading), self._silence)
        same = runs(same_as_last(reading, self._last), self._same)
        outlying = runs(self._out_of_range(reading), self._outlying)
        faults = np.stack(
            [silence / self._missing_limit, same / self._same_limit, outlying / _RANGE_READINGS], axis=-1
        )  # fmt: skip
        z, missed, away = self.reference.standardised(series, self.settings.clip)
        # a third of a suspicious calm already says nothing of the world
        broken = (same >= np.maximum(2, self._same_limit // 3)) | (outlying > 0)
        off = np.where(np.isfinite(reading), reading - series.point, np.nan)
        z, missed, away, off = (
            np.concatenate([old, np.where(broken, np.nan, new)])
            for old, new in ((self._z, z), (self._missed, missed), (self._away, away), (self._off, off))
        )
        part = np.concatenate([self._part, series.part])
        kept = len(self._part)
        found = statistics(z, missed, away, part, step_s=series.step_s)
        ratio = self.reference.departures(found)[kept:] / self.reference.limit
        level = np.concatenate([_by_kind(ratio), faults], axis=-1)
        self._beside = beside
        self._level_all, self._z_all, self._away_all, self._off_all, self._kept = level, z, away, off, kept
        changed = self._judge(series, level)
        cut = max(0, len(z) - self._memory)
        self._z, self._missed, self._away, self._off = (a[cut:].copy() for a in (z, missed, away, off))
        self._part = part[cut:]
        self._silence, self._same, self._outlying = silence[-1], same[-1], outlying[-1]
        self._last = _last_heard(reading, self._last)
        self._position = int(series.position[-1])
        self.level = np.nan_to_num(level[-1])
        return changed

    def rebase(self, reference: Reference, places: np.ndarray | None = None, *, why: str = "trained again") -> None:
        """Begin anew with another reference, of the zones at `places` or of all: after the model was trained again."""
        at = np.arange(len(self.zone_ids)) if places is None else places
        parts = {name: getattr(self.reference, name).copy() for name in _BY_ZONE}
        for name, array in parts.items():
            array[at] = getattr(reference, name)
        self.reference = Reference(step_s=self.reference.step_s, days=reference.days, **parts)
        for remembered in (self._z, self._missed, self._away, self._off):
            remembered[:, at] = np.nan
        now = None if self._position is None else self._instant(self._position)
        for place in at:
            if now is not None and self._open[place, WORLD] >= 0:
                self._end(int(place), WORLD, now, why)
        self._quiet[at, WORLD] = 0

    @property
    def disturbed(self) -> bool:
        """Whether any zone is close to an alarm, or has one, of a changed world."""
        return bool((self.level[:, : len(WORLD_KINDS)] >= self.settings.release).any())

    def open_alarms(self) -> list[Alarm]:
        """Alarms that stand."""
        return [alarm for alarm in self.alarms if alarm.state == "open"]

    # --- state --------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """All that changes with time, to store; alarms are kept by an `AlarmBook`."""
        named = {name: getattr(self, f"_{name}") for name in _CHANGING}
        index = np.array([[z, c, k] for (z, c), k in sorted(self._alarm_of.items())], dtype=np.int64).reshape(-1, 3)
        at = np.array([-1 if self._position is None else self._position])
        return {**named, "position": at, "alarm_of": index, "level": self.level}

    def restore(self, arrays: dict[str, np.ndarray], alarms: Sequence[Alarm] = ()) -> Monitor:
        """Go on from stored arrays and the alarms raised so far.

        Raises
        ------
        ScoresError
            Naming every array that is missing.
        """
        lost = [name for name in (*_CHANGING, "position", "alarm_of", "level") if name not in arrays]
        if lost:
            raise ScoresError(f"the stored monitor of '{self.target}' lacks {', '.join(lost)}; start it anew")
        for name in _CHANGING:
            setattr(self, f"_{name}", arrays[name].copy())
        self.level = arrays["level"].copy()
        position = int(arrays["position"][0])
        self._position = None if position < 0 else position
        self.alarms = list(alarms)
        self._alarm_of = {(int(z), int(c)): int(k) for z, c, k in arrays["alarm_of"]}
        return self

    # --- inside -------------------------------------------------------------------------------------------------

    def _check(self, series: Series) -> None:
        faults = []
        if series.error.shape[1:] != (len(self.zone_ids),):
            faults.append(f"the series is of {series.error.shape[1:]} zones, the monitor of {len(self.zone_ids)}")
        if series.step_s != self.reference.step_s:
            faults.append(f"the series has steps of {series.step_s} s, the reference of {self.reference.step_s} s")
        gaps = np.diff(series.position)
        if (gaps != 1).any() or (self._position is not None and len(series) and series.position[0] <= self._position):
            faults.append("intervals must follow one another, after those taken before")
        if faults:
            raise ScoresError("; ".join(faults))
        if self._position is not None and len(series) and series.position[0] > self._position + 1:
            self._skip(int(series.position[0]) - self._position - 1)

    def _skip(self, steps: int) -> None:
        """Intervals that nobody told of: forget as much."""
        n, keep = len(self.zone_ids), max(0, self._memory - steps)
        blank = np.full((min(steps, self._memory), n), np.nan)
        for name in ("_z", "_missed", "_away", "_off"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old[len(old) - keep :] if keep else old[:0], blank]))
        part = self._part[len(self._part) - keep :] if keep else self._part[:0]
        self._part = np.concatenate([part, np.zeros(len(blank), dtype=np.int64)])

    def _out_of_range(self, reading: np.ndarray) -> np.ndarray:
        span = self.settings.range_share * np.maximum(self.reference.high - self.reference.low, 0.0)
        low = np.where(self.reference.low >= 0, np.minimum(0.0, self.reference.low), self.reference.low - span)
        with np.errstate(invalid="ignore"):
            return np.asarray((reading < low) | (reading > self.reference.high + 2 * span))

    def _judge(self, series: Series, level: np.ndarray) -> list[Alarm]:
        """Open and end alarms, step by step; steps at which nothing can change are passed over."""
        top = np.stack([_peak(level[..., : len(WORLD_KINDS)]), _peak(level[..., len(WORLD_KINDS) :])], axis=-1)
        loud, calm = top >= 1.0, top < self.settings.release
        changed: list[Alarm] = []
        for i in range(len(series)):
            standing = self._open >= 0
            self._quiet = np.where(
                standing & calm[i], self._quiet + 1, np.where(standing & ~np.isnan(top[i]), 0, self._quiet)
            )
            opened = loud[i] & ~standing
            opened[:, WORLD] &= ~(standing[:, INPUT] | loud[i][:, INPUT])
            ended = standing & (self._quiet >= np.array([self._quiet_steps, max(1, self._quiet_steps // 4)]))
            if not opened.any() and not ended.any():
                continue
            now = self._instant(int(series.position[i]))
            changed += [
                self._begin(int(zone), int(cause), i, now, series, level) for zone, cause in np.argwhere(opened)
            ]
            changed += [self._end(int(zone), int(cause), now, "all quiet again") for zone, cause in np.argwhere(ended)]
        return changed

    def _begin(self, zone: int, cause: int, i: int, now: pd.Timestamp, series: Series, level: np.ndarray) -> Alarm:
        names = _OF_CAUSE[cause]
        first = 0 if cause == WORLD else len(WORLD_KINDS)
        values = np.nan_to_num(level[i, zone, first : first + len(names)])
        # a shift of the mean that has just begun looks like a pattern too: the simpler kind that is as loud has it
        kind = names[int(np.argmax(values >= (_AS_LOUD * values.max() if cause == WORLD else 1.0)))]
        if kind in ("variance", "pattern") and self._leans(kind, zone, i):
            kind = "mean"  # a large shift reaches the other sums' thresholds before its own
        start, size, size_text = self._measured(kind, zone, i, series)
        since = self._instant(int(series.position[i]) - start)
        others = self._others(zone, i, level, first, len(names)) + self._beside[0]
        sentence, advice = told(
            kind, self.target, size_text=size_text, hours=start * series.step_s / 3600, others=others,
            zones=len(self.zone_ids) + self._beside[1],
        )  # fmt: skip
        alarm = Alarm.new(
            zone_id=self.zone_ids[zone], target=self.target, kind=kind, since=since, first_seen=now,
            size=float(f"{size:.6g}"), size_text=size_text, reason=sentence, advice=advice,
            level=float(f"{values.max():.6g}"),
        )  # fmt: skip
        self._open[zone, cause], self._quiet[zone, cause] = KINDS.index(kind), 0
        self._alarm_of[zone, cause] = len(self.alarms)
        self.alarms.append(alarm)
        return alarm

    def _end(self, zone: int, cause: int, now: pd.Timestamp, why: str) -> Alarm:
        place = self._alarm_of.pop((zone, cause))
        self._open[zone, cause], self._quiet[zone, cause] = -1, 0
        self.alarms[place] = ended = self.alarms[place].ended(now, why)
        return ended

    def _measured(self, kind: str, zone: int, i: int, series: Series) -> tuple[int, float, str]:
        """Steps since when, size, and the size in plain units."""
        from models.monitoring.advice import size_text

        if kind in INPUT_KINDS:
            run = int(self._run(kind, zone, i, series))
            return run, run * series.step_s / 3600, size_text(kind, self.target, run * series.step_s / 3600)
        stop = self._kept + i + 1
        z = self._remembered(self._away_all if kind == "drift" else self._z_all, zone, i)
        off = self._remembered(self._off_all, zone, i)
        start = _onset(z, kind)
        recent = slice(start, None)
        length = len(z) - start
        if kind == "mean":
            size = float(np.nanmean(off[recent])) if np.isfinite(off[recent]).any() else float("nan")
        elif kind == "variance":
            size = float(np.nanmean(np.abs(z[recent])) / np.exp(self.reference.spread[zone, 0] / 2))
        elif kind == "drift":
            size = float(np.nanmean(z[recent])) if np.isfinite(z[recent]).any() else float("nan")
        elif kind == "pattern":
            part = np.concatenate([self._part, series.part])[max(0, stop - self._memory) : stop]
            means = [np.nanmean(off[part == b]) if np.isfinite(off[part == b]).any() else 0.0 for b in range(8)]
            worst = int(np.argmax(np.abs(np.asarray(means) - np.mean(means))))
            size = float(means[worst] - np.mean(means))
            return length, size, size_text(kind, self.target, size, part=worst)
        else:
            size = 1.0 - self._missed_share(zone, i)
        return length, size, size_text(kind, self.target, size)

    def _remembered(self, values: np.ndarray, zone: int, i: int) -> np.ndarray:
        """A zone's values up to step `i`, as far back as the longest window."""
        stop = self._kept + i + 1
        return np.asarray(values[max(0, stop - self._memory) : stop, zone])

    def _leans(self, kind: str, zone: int, i: int) -> bool:
        """Whether errors since the change lie on one side; in a pattern's place only while young and if far off."""
        z = self._remembered(self._z_all, zone, i)
        z = z[_onset(z, "variance" if kind == "variance" else "mean") :]
        z = z[np.isfinite(z)]
        mean, square = float(z.mean()), float((z * z).mean())
        young = len(z) * self.reference.step_s <= 2 * 86_400 / PATTERN_BINS
        if kind == "pattern" and not (young and abs(mean) >= _FAR):
            return False
        return mean**2 >= max(_ONE_SIDED * square, _SURE**2 * (square - mean**2) / len(z))

    def _missed_share(self, zone: int, i: int) -> float:
        """Share of readings outside their interval over the last days."""
        k = [kind for kind, _ in columns()].index("coverage")
        beyond = self._level_all[i, zone, WORLD_KINDS.index("coverage")] * self.reference.limit[zone, k]
        return float(self.reference.miss[zone] + beyond)

    def _run(self, kind: str, zone: int, i: int, series: Series) -> int:
        limit = {"missing": self._missing_limit[zone], "stuck": self._same_limit[zone], "range": _RANGE_READINGS}[kind]
        return round(float(self._level_all[i, zone, KINDS.index(kind)]) * float(limit))

    def _others(self, zone: int, i: int, level: np.ndarray, first: int, n: int) -> int:
        """Other zones that are disturbed at the same time."""
        near = np.nan_to_num(level[i, :, first : first + n]).max(axis=1) >= self.settings.release
        near[zone] = False
        return int(near.sum())

    def _instant(self, position: int) -> pd.Timestamp:
        """End of an interval: when its reading is known."""
        return pd.Timestamp((position + 1) * self.reference.step_s, unit="s", tz="UTC").as_unit("us")


_BY_ZONE = ("bias", "scale", "level", "scatter", "miss", "spread", "limit", "low", "high", "missing", "same")
_CHANGING = ("z", "missed", "away", "off", "part", "silence", "same", "outlying", "last", "open", "quiet")


def _by_kind(ratio: np.ndarray) -> np.ndarray:
    """Largest of a kind's windows, (n, Z, 4)."""
    names = [kind for kind, _ in columns()]
    return np.stack([_peak(ratio[..., [k == kind for k in names]]) for kind in WORLD_KINDS], axis=-1)


def _peak(level: np.ndarray) -> np.ndarray:
    """Largest along the last axis; `nan` where none is known."""
    known = np.isfinite(level).any(axis=-1)
    return np.where(known, np.where(np.isfinite(level), level, -np.inf).max(axis=-1), np.nan)


def _last_heard(reading: np.ndarray, before: np.ndarray) -> np.ndarray:
    every = np.concatenate([before[None], reading])
    row = np.where(np.isfinite(every), np.arange(len(every))[:, None], 0).max(axis=0)
    return np.asarray(np.take_along_axis(every, row[None], axis=0)[0])


def _onset(z: np.ndarray, kind: str) -> int:
    """Row from which a change most likely stands: where the likelihood ratio of a shift since then is largest."""
    x = np.where(np.isfinite(z), z, 0.0)
    if kind in ("variance", "coverage"):
        x = np.where(np.isfinite(z), (x**2 - 1) / np.sqrt(2), 0.0)
    elif kind == "pattern":
        return max(0, len(z) - (2 * len(z)) // 3)
    n = np.cumsum(np.isfinite(z)[::-1])[::-1]
    total = np.cumsum(x[::-1])[::-1]
    score = np.abs(total) / np.sqrt(np.maximum(n, 4))
    return int(np.argmax(score))
