"""The defence: a panel's recent readings cleaned of what cannot be believed, with a log of what was refused and why.

A reading is judged when it comes, by what was known then: against the range of its zone, its own repetitions, its usual
day, its companions' deviations and the clock. What is refused is replaced by what the companions make one expect, so
that no lag goes on telling it. A wrong clock or unit is mended instead. Good readings pass unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.errors import PanelError
from models.monitoring.inputs import run_limits
from models.panel import Panel
from models.robustness import checks
from models.robustness.habits import Habits
from models.scale import from_scale, to_scale
from zones.sensor_quality import LIMITS

#: Why a reading was changed; a later one goes before an earlier one where both hold.
REASONS = ("missing", "noise", "level", "jump", "unit", "clock", "stuck", "range")
LOG_COLUMNS = ("zone_id", "target", "reason", "since", "until", "readings", "done", "told")
_DONE = {"missing": "filled", "noise": "smoothed", "clock": "mended", "unit": "mended"}
_TOLD = {
    "missing": "no reading for over an hour: filled with what the zones alike make one expect",
    "noise": "readings jump about far more than ever before: smoothed",
    "level": "away from the zones alike for longer and further than ever before: refused",
    "jump": "a jump larger than ever before that the zones alike do not share: refused",
    "stuck": "the very same reading for longer than ever before: refused",
    "unit": "off by the factor between two units: converted back",
    "clock": "fits the usual day of another hour: the clock is wrong, mended",
    "range": "beyond what the sensor has ever read, or can read: refused",
}
MARGIN = 1.25  # by which a statistic must exceed the largest of the time habits were learned in (assumed)
BEYOND = 0.5  # share of the range ever read by which a reading may lie outside of it (assumed)
LEAST_CLOCK = 0.3  # share of a day's misfit that a wrong clock must explain (assumed)
HELD = 0.5  # share of the statistic that a reading itself must show to be refused with it (assumed)
FILL_AFTER_H = 1.0  # a silence as long is filled; models bridge shorter ones by themselves (assumed)
#: History that verdicts need, days: a day for the clock, and a margin.
LOOK_BACK_DAYS = 3.0


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A panel as a forecaster should see it.

    Attributes
    ----------
    panel : Panel
    log : DataFrame
        A row for each run of changed readings: `LOG_COLUMNS`; times UTC, `told` a sentence's worth of plain words.
    code : dict of str to ndarray of int8, shape (T, Z)
        By target: 0 as it was read, else 1 + place in `REASONS`.
    """

    panel: Panel
    log: pd.DataFrame
    code: Mapping[str, np.ndarray]

    def refused(self, target: str) -> np.ndarray:
        """Where a zone's own reading was not used as read, nor mended (T, Z)."""
        mended = [1 + REASONS.index(name) for name in ("clock", "unit", "noise")]
        return np.asarray((self.code[target] > 0) & ~np.isin(self.code[target], mended))


@dataclass(frozen=True, eq=False)
class Defence:
    """What is usual of each target, and how far good readings have strayed from it.

    Attributes
    ----------
    habits : dict of str to Habits
    limits : dict of str to dict of str to ndarray
        By target and check.
    """

    habits: Mapping[str, Habits]
    limits: Mapping[str, Mapping[str, np.ndarray]]

    @classmethod
    def fit(
        cls, panel: Panel, targets: Sequence[str] | None = None, *, train_end: pd.Timestamp | None = None
    ) -> Defence:
        """Learn from readings that were known at `train_end`; None takes all.

        Raises
        ------
        PanelError, ShortHistoryError, NoDataError
            As `Habits.fit`.
        """
        past = panel if train_end is None else panel.until(panel.known_by(train_end))
        habits, limits = {}, {}
        for target in past.values if targets is None else targets:
            habit, usual = Habits.fit(past, target)
            habits[target], limits[target] = habit, _limits(habit, past, usual)
        return cls(habits, limits)

    def clean(self, panel: Panel, *, start: int = 0, end: int | None = None, fill: bool = True) -> Cleaned:
        """The panel with its readings from `start` up to `end` judged.

        Parameters
        ----------
        panel : Panel
            Not changed; of the zones and step learned from. Each verdict rests on the readings up to its own.
        start, end : int
            Positions; verdicts look back `LOOK_BACK_DAYS` further.
        fill : bool
            Also fill silences of more than an hour with what is expected.

        Raises
        ------
        PanelError
            If zones, step or targets are not those that habits were learned of.
        """
        self._check(panel)
        end = len(panel) if end is None else end
        values, code, logs = dict(panel.values), {}, []
        for target, habit in self.habits.items():
            lo = max(0, start - int(LOOK_BACK_DAYS * panel.steps_per_day))
            told, why = _judged(habit, self.limits[target], panel, slice(lo, end), fill)
            grid, verdict = panel.values[target].copy(), np.zeros(panel.values[target].shape, dtype=np.int8)
            grid[start:end], verdict[start:end] = told[start - lo :], why[start - lo :]
            values[target], code[target] = grid, verdict
            logs.append(_log(panel, target, verdict))
        log = pd.concat(logs, ignore_index=True) if logs else pd.DataFrame(columns=list(LOG_COLUMNS))
        return Cleaned(replace(panel, values=values), log, code)

    def _check(self, panel: Panel) -> None:
        faults = []
        for target, habit in self.habits.items():
            if target not in panel.values:
                faults.append(f"the panel has no '{target}'; it has {sorted(panel.values)}")
            if habit.zone_ids != panel.zone_ids or habit.step_s != panel.step_s:
                faults.append(
                    f"habits of '{target}' are of {len(habit.zone_ids)} zones by steps of {habit.step_s} s, the panel"
                    f" has {len(panel.zone_ids)} by {panel.step_s} s: learn them from this panel"
                )
        if faults:
            raise PanelError("; ".join(faults))


def _limits(habit: Habits, past: Panel, usual: np.ndarray) -> dict[str, np.ndarray]:
    """What each check's statistic must exceed, from the time habits were learned in."""
    value = to_scale(habit.target, past.values[habit.target])
    scale, step_s = habit.profile.scale, habit.step_s
    z = (value - usual) / scale
    around = habit.expected(z)
    left = habit.less(z, around)
    above, zero = checks.run_lengths(past.values[habit.target])
    at = np.arange(len(past))

    def usual_at(slip: int) -> np.ndarray:
        return usual[np.clip(at - slip, 0, len(at) - 1)]

    level = checks.level_statistics(left, step_s)
    noise = checks.noise_statistic(left, step_s)
    expected = from_scale(habit.target, usual + scale * around)
    clock = checks.clock_statistics(value, usual_at, around, scale, step_s)
    return {
        "level": checks.largest(level, MARGIN),
        "jump": checks.largest(np.diff(left, axis=0), MARGIN),
        "noise": checks.largest(noise, MARGIN),
        "calm": np.nan_to_num(np.nanmedian(np.where(np.isfinite(noise).any(axis=0), noise, 1.0), axis=0), nan=1.0),
        "clock": np.maximum(checks.largest(clock, MARGIN), LEAST_CLOCK),
        "unit": checks.largest(checks.ratio_statistic(past.values[habit.target], expected, step_s), MARGIN),
        "stuck": run_limits(above.max(axis=0, initial=0), least_h=checks.STUCK_H, step_s=step_s),
        "zeros": run_limits(zero.max(axis=0, initial=0), least_h=checks.STUCK_H, step_s=step_s),
    }


def _judged(
    habit: Habits, limits: Mapping[str, np.ndarray], panel: Panel, rows: slice, fill: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Readings (t, Z) as they should be seen, and the codes of what was changed."""
    target, step_s, scale = habit.target, habit.step_s, habit.profile.scale
    read = panel.values[target][rows]
    at = np.arange(rows.start, rows.stop)
    most = len(panel.calendar.day) - 1

    def usual_at(slip: int) -> np.ndarray:
        return habit.profile.usual(panel.calendar, np.clip(at - slip, 0, most))

    usual = usual_at(0)
    wild, stuck = _impossible(habit, read), _stuck(limits, read)
    seen = np.where(wild, np.nan, read)
    value = to_scale(target, seen)
    z = (value - usual) / scale
    sound = np.isfinite(z) & ~stuck
    why = np.zeros(read.shape, dtype=np.int8)
    for _ in range(2):  # a second look, at which what was refused no longer speaks for its companions
        around = habit.expected(np.where(sound, z, np.nan))
        clock = checks.clock_statistics(value, usual_at, around, scale, step_s)
        mended, slipped = _clock(limits, clock, z, value, usual_at, scale, step_s)
        expected = from_scale(target, usual + scale * around)
        factor = _unit(limits, checks.ratio_statistic(seen, expected, step_s))
        other = np.isfinite(factor) & ~slipped
        with np.errstate(invalid="ignore"):
            mended = np.where(other, (to_scale(target, seen / np.where(other, factor, 1.0)) - usual) / scale, mended)
        left = habit.less(mended, around)
        away, jump = _away(limits, left, step_s), _jumped(limits, left, step_s)
        noise = checks.noise_statistic(left, step_s)
        noisy = checks.above(noise, limits["noise"]) & np.isfinite(left)
        why[:] = 0
        for name, hit in (("noise", noisy), ("level", away), ("jump", jump), ("unit", other), ("clock", slipped),
                          ("stuck", stuck), ("range", wild)):  # fmt: skip
            why[hit] = 1 + REASONS.index(name)
        sound = np.isfinite(z) & (why == 0)
    around = habit.expected(np.where(sound, z, np.nan))
    trust = np.minimum(1.0, limits["calm"] / np.fmax(noise, 1e-9)) ** 2  # share of the variance that is no noise
    wide = habit.spread * np.sqrt(1 + habit.stretch * around**2)
    smooth = checks.moving(left, checks.rows_of(1.0, step_s)) * trust
    best = np.where(why == 1 + REASONS.index("noise"), around + wide * np.nan_to_num(smooth), around)
    best = np.where((why == 1 + REASONS.index("unit")) | (why == 1 + REASONS.index("clock")), mended, best)
    if fill:
        silent = ~np.isfinite(read) & ~_heard_lately(read, checks.rows_of(FILL_AFTER_H, step_s))
        why[silent & np.isfinite(usual) & np.isfinite(habit.high)] = 1 + REASONS.index("missing")
    return np.where(why > 0, from_scale(target, usual + scale * best), read), why


def _impossible(habit: Habits, read: np.ndarray) -> np.ndarray:
    width = habit.high - habit.low
    with np.errstate(invalid="ignore"):
        beyond = (read > habit.high + BEYOND * width) | (read < habit.low - BEYOND * width)
        return np.asarray(beyond | (read < 0) | (read > LIMITS.get(habit.target, np.inf)) | np.isinf(read))


def _stuck(limits: Mapping[str, np.ndarray], read: np.ndarray) -> np.ndarray:
    above, zero = checks.run_lengths(read)
    return np.asarray((above >= limits["stuck"]) | (zero >= limits["zeros"]))


def _away(limits: Mapping[str, np.ndarray], left: np.ndarray, step_s: int) -> np.ndarray:
    """Readings that are part of an absence from the companions, by any window."""
    statistic = checks.level_statistics(left, step_s)
    part = np.nan_to_num(left * np.sign(statistic)) >= HELD * np.nan_to_num(np.abs(statistic), nan=np.inf)
    return np.asarray((checks.above(statistic, limits["level"]) & part).any(axis=0))


def _jumped(limits: Mapping[str, np.ndarray], left: np.ndarray, step_s: int) -> np.ndarray:
    """Readings after a jump, for as long as they stay there, an hour at most: then the level speaks."""
    jump = np.diff(left, axis=0, prepend=np.nan)
    jump = np.where(np.nan_to_num(np.abs(jump)) > limits["jump"], jump, 0.0)
    out = np.zeros(left.shape, dtype=bool)
    staying = np.ones(left.shape, dtype=bool)
    for back in range(checks.rows_of(1.0, step_s)):
        then = np.zeros_like(jump)
        then[back:] = jump[: len(jump) - back]
        here = np.nan_to_num(left * np.sign(then)) >= HELD * np.abs(then)
        out |= (then != 0) & here & staying
    return out


def _clock(limits, statistic, z, value, usual_at, scale, step_s):  # type: ignore[no-untyped-def]
    """Deviations by the clock that fits, and where it was another (t, Z)."""
    slips = checks.slips(step_s)
    if not slips:
        return z, np.zeros(z.shape, dtype=bool)
    over = np.nan_to_num(statistic) / limits["clock"][:, None, :]
    best = over.argmax(axis=0)
    slipped = (np.take_along_axis(over, best[None], axis=0)[0] > 1) & np.isfinite(z)
    mended = z
    for k, slip in enumerate(slips):
        here = slipped & (best == k)
        if here.any():
            mended = np.where(here, (value - usual_at(slip)) / scale, mended)
    return mended, slipped


def _unit(limits: Mapping[str, np.ndarray], ratio: np.ndarray) -> np.ndarray:
    """Factor between two units that readings are off by; `nan` where none."""
    return np.where(np.nan_to_num(np.abs(ratio)) > limits["unit"], checks.nearest_factor(ratio), np.nan)


def _heard_lately(read: np.ndarray, rows: int) -> np.ndarray:
    return np.isfinite(checks.moving(read, rows, least=0.0))


def _log(panel: Panel, target: str, code: np.ndarray) -> pd.DataFrame:
    """Runs of one reason in one zone as rows."""
    padded = np.vstack([np.zeros((1, code.shape[1]), dtype=np.int8), code])
    starts = (code > 0) & (code != padded[:-1])
    row, column = np.nonzero(starts.T)[::-1]
    if not row.size:
        return pd.DataFrame(columns=list(LOG_COLUMNS))
    after = np.vstack([code[1:] != code[:-1], np.ones((1, code.shape[1]), dtype=bool)]) & (code > 0)
    last = np.nonzero(after.T)[1]
    reason = [REASONS[code[r, c] - 1] for r, c in zip(row, column)]
    step = pd.Timedelta(seconds=panel.step_s)
    return pd.DataFrame(
        {
            "zone_id": [panel.zone_ids[c] for c in column], "target": target, "reason": reason,
            "since": panel.times[row], "until": panel.times[last] + step, "readings": last - row + 1,
            "done": [_DONE.get(name, "refused") for name in reason], "told": [_TOLD[name] for name in reason],
        }
    )  # fmt: skip
