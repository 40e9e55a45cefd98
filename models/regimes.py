"""Regimes: when a forecast is easy or hard, by the clock, by what happened, and by what was heard.

Three partitions of the same rows: by local time of the interval forecast for (peaks by the zone's own usual weekday,
off-peak, night, weekend or holiday), by its reading (ordinary, or an incident: further from the usual than all but one
in forty readings of the training part), and by the origin (the zone's last hour heard whole, with gaps, or silent).

An incident is told by its outcome, which no model knew: every model errs more there, and one that always cries wolf
errs less. Read those rows to compare models with each other, not as a score to be improved (Lerch et al. 2017,
doi:10.1214/16-STS588).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.backtest import TestRows, block_sums
from models.panel import Panel
from models.profile import Profile
from models.scale import to_scale
from models.significance import PairedTest, PairSums, paired_test
from models.verdicts import verdicts

CLOCK = ("morning_peak", "evening_peak", "off_peak", "night", "weekend")
EVENT = ("ordinary", "incident")
HEARD = ("heard", "gaps", "silent")
REGIMES = ("all", *CLOCK, *EVENT, *HEARD)
WORDS = {
    "morning_peak": "in the morning peak", "evening_peak": "in the evening peak", "off_peak": "between the peaks",
    "night": "at night", "weekend": "at weekends and on holidays", "ordinary": "when all is as usual",
    "incident": "in incidents", "heard": "when the last hour is known", "gaps": "when the last hour has gaps",
    "silent": "when nothing was heard for an hour",
}  # fmt: skip
MORNING_H, EVENING_H = (5, 12), (14, 21)  # local hours in which a zone's two peaks are looked for (assumed)
PEAK_H = 2  # length of a peak (assumed)
NIGHT_H = (23, 5)  # local, weekends included (assumed)
INCIDENT = 0.975  # quantile of |deviation| / usual deviation in the training part
LEAST_STEPS = 8  # intervals in a day below which there is no telling of peaks and nights


@dataclass(frozen=True, eq=False)
class UsualDays:
    """What is usual in each zone, from the training part alone.

    Attributes
    ----------
    target : str
    profile : Profile
        On the model's scale.
    limit : ndarray, shape (Z,)
        Deviation, in usual deviations of its time of day, beyond which a reading is an incident.
    clock : ndarray of int8, shape (Z, 3, S)
        Place in `CLOCK` by day type and step of the day; -1 where days have too few steps.
    """

    target: str
    profile: Profile
    limit: np.ndarray
    clock: np.ndarray

    @classmethod
    def fit(cls, panel: Panel, *, target: str, zone_ids: Sequence[str]) -> UsualDays:
        """Learn from the whole of `panel` (cut it first with `until`)."""
        values = to_scale(target, panel.values[target][:, panel.columns(zone_ids)])
        profile, others = Profile.with_history(values, panel.calendar)
        far = np.abs(values - others) / profile.stray(panel.calendar, slice(0, len(panel)))
        limit = np.array([np.quantile(x[np.isfinite(x)], INCIDENT) if np.isfinite(x).any() else np.inf for x in far.T])
        return cls(target, profile, limit, clock_regimes(profile.mean, burden=-1 if "speed" in target else 1))

    def regimes(self, panel: Panel, rows: TestRows, *, zone_ids: Sequence[str], steps: Sequence[int]) -> np.ndarray:
        """Regimes of the rows of these zones, as places in `REGIMES`, shape (3, n, Z, H) of int8; -1 for none.

        `zone_ids` are those fitted on, in their order.
        """
        calendar, aim = panel.calendar, rows.known[:, None] + np.asarray(steps)
        usual, stray = (f(calendar, aim).transpose(0, 2, 1) for f in (self.profile.usual, self.profile.stray))
        far = np.abs(to_scale(self.target, rows.actual) - usual) / stray > self.limit[:, None]
        event = np.where(np.isfinite(rows.actual), REGIMES.index("ordinary") + far, -1)
        clock = self.clock.transpose(1, 2, 0)[calendar.day_type[aim], calendar.step_of_day[aim]].transpose(0, 2, 1)
        clock = np.where(clock >= 0, clock + REGIMES.index("morning_peak"), -1)
        missing = missing_share(panel.values[self.target][:, panel.columns(zone_ids)], rows.known, panel.step_s)
        heard = REGIMES.index("heard") + (missing > 0) + (missing >= 1)
        return np.stack([clock, event, np.broadcast_to(heard[..., None], event.shape)]).astype(np.int8)

    def pick(self, places: np.ndarray) -> UsualDays:
        """Of some of the zones."""
        return UsualDays(self.target, self.profile.pick(places), self.limit[places], self.clock[places])


def clock_regimes(mean: np.ndarray, *, burden: int = 1) -> np.ndarray:
    """Place in `CLOCK` by zone, day type and step of the day, (Z, 3, S) of int8.

    Parameters
    ----------
    mean : ndarray, shape (Z, 3, S)
        Usual values by day type (0: weekday).
    burden : int
        1 where peaks are high values, -1 where they are low ones (speeds).
    """
    zones, _, steps = mean.shape
    if steps < LEAST_STEPS:
        return np.full(mean.shape, -1, dtype=np.int8)
    hour = np.arange(steps) * 24 / steps
    width = max(1, round(PEAK_H * steps / 24))
    out = np.full(mean.shape, CLOCK.index("weekend"), dtype=np.int8)
    out[:, 0] = CLOCK.index("off_peak")
    sums = np.cumsum(np.concatenate([np.zeros((zones, 1)), burden * mean[:, 0]], axis=1), axis=1)
    for name, (begin, end) in (("morning_peak", MORNING_H), ("evening_peak", EVENING_H)):
        starts = np.flatnonzero((hour >= begin) & (hour < end))
        starts = starts[: max(starts.size - width + 1, 1)]
        first = starts[np.argmax(sums[:, starts + width] - sums[:, starts], axis=1)]
        inside = np.arange(steps) - first[:, None]
        out[:, 0][(inside >= 0) & (inside < width)] = CLOCK.index(name)
    out[:, :, (hour >= NIGHT_H[0]) | (hour < NIGHT_H[1])] = CLOCK.index("night")
    return out


def missing_share(values: np.ndarray, known: np.ndarray, step_s: int) -> np.ndarray:
    """Share of the readings (T, Z) missing in the hour up to each last known position, (n, Z)."""
    width = max(1, 3600 // step_s)
    gone = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(~np.isfinite(values), axis=0)])
    first = np.maximum(known + 1 - width, 0)
    return np.asarray((gone[known + 1] - gone[first]) / (known + 1 - first)[:, None])


def regime_sums(values: np.ndarray, regimes: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Sums over zones of (n, Z, H) by block, regime and horizon, shape (D, R, H); `nan` counts as 0.

    Parameters
    ----------
    values : ndarray, shape (n, Z, H)
    regimes : ndarray of int, shape (P, n, Z, H)
        Partitions: places in `REGIMES`, -1 for none.
    block : ndarray of int, shape (n,)
        Numbered from 0 in order.
    """
    values = np.where(np.isfinite(values), values, 0.0)
    blocks, size, zones = int(block[-1]) + 1, len(REGIMES) + 1, values.shape[1]
    out = np.empty((blocks, len(REGIMES), values.shape[2]))
    first = np.repeat(block * size, zones)
    for h in range(values.shape[2]):
        load = np.ascontiguousarray(values[:, :, h]).ravel()
        found = sum(np.bincount(first + part[:, :, h].ravel() + 1, load, blocks * size) for part in regimes)
        out[:, :, h] = np.reshape(found, (blocks, size))[:, 1:]
    out[:, 0] = block_sums(values, block).sum(axis=1)
    return out


def regime_table(
    model: str, target: str, horizons_s: Sequence[int], total: np.ndarray, count: np.ndarray, *, draws: int, seed: int
) -> pd.DataFrame:
    """One model's rows of the table `regimes`: model, target, horizon_s, regime, mae, n, lower, upper.

    `total` and `count` are `regime_sums` of absolute errors and of ones; bounds are of the studentised block bootstrap
    of `significance.paired_test`, at 90 %.
    """
    test = paired_test(PairSums(total, np.zeros_like(total), count), draws=draws, seed=seed)
    table = _by_regime(target, horizons_s, test, {"mae": test.mean_a})
    table = table.assign(lower=np.maximum(test.low, 0.0).ravel(), upper=test.high.ravel(), model=model)
    columns = ["model", "target", "horizon_s", "regime", "mae", "n", "lower", "upper"]
    return table.loc[table["n"] > 0, columns].reset_index(drop=True)


def regime_pairs(
    target: str, horizons_s: Sequence[int], sums: Mapping[str, np.ndarray], count: np.ndarray, *, draws: int, seed: int
) -> pd.DataFrame:
    """Micromodel against macromodel by regime: the difference, its interval, p corrected for the regimes, words."""
    test = paired_test(PairSums(sums["micromodel"], sums["macromodel"], count), draws=draws, seed=seed)
    found = verdicts(test)
    table = _by_regime(
        target, horizons_s, test,
        {"micro_mae": test.mean_a, "macro_mae": test.mean_b, "difference": test.difference, "lower": test.low,
         "upper": test.high, "p": test.p, "p_corrected": found.p},
    )  # fmt: skip
    names = np.array(["micromodel", "tie", "macromodel"], dtype=object)
    table["verdict"] = names[found.winner.ravel() + 1]
    table["words"] = [found.words(r, h) for r in range(len(REGIMES)) for h in range(len(horizons_s))]
    return table[table["n"] > 0].reset_index(drop=True)


def _by_regime(
    target: str, horizons_s: Sequence[int], test: PairedTest, columns: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    r, h = (axis.ravel() for axis in np.indices(test.count.shape))
    table = {
        "target": target, "horizon_s": np.asarray(horizons_s, dtype=float)[h],
        "regime": np.asarray(REGIMES, dtype=object)[r], "n": test.count.ravel().astype(np.int64),
    }  # fmt: skip
    return pd.DataFrame({**table, **{name: column.ravel() for name, column in columns.items()}})
