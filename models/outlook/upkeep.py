"""Upkeep: train again, look at the sensor, or leave it: by alarms, by how errors have grown since training, by age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.intervals import QUANTILES
from models.monitoring.reference import OPTIMISM
from models.panel import Panel

VERDICTS = ("check the sensor", "train again", "watch", "leave it")
_MEDIAN = QUANTILES.index(0.5)
OLD_DAYS = 90.0  # a model older than that has not seen the season it serves in (assumed)
CLEAR = 0.1  # growth of the error that is worth training again for (assumed)
MOST_DAYS = 28  # days of errors on each side
LEAST_DAYS = 3  # without which nothing is said of growth (assumed)
_PER_DAY = 24
_RESAMPLES = 400


@dataclass(frozen=True)
class Upkeep:
    """What to do with one zone's model.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    reason : str
        In a sentence.
    age_days : float
    growth, low, high : float
        Mean error since training over that before, with an interval of 90 % over days; `nan` where too few days came.
    """

    verdict: str
    reason: str
    age_days: float
    growth: float
    low: float
    high: float


def upkeep(
    model: Forecaster,
    panel: Panel,
    zone_id: str,
    *,
    step: int,
    alarms: pd.DataFrame | None = None,
    seed: int = 0,
) -> Upkeep:
    """What to do with the model of a zone.

    Parameters
    ----------
    model : Forecaster
    panel : Panel
        Readings from before training up to now.
    zone_id : str
    step : int
        Horizon whose errors are compared.
    alarms : DataFrame or None
        `models.monitoring.ALARMS`; those of other zones, and closed ones, are left out.
    seed : int
    """
    now = panel.origin(len(panel) - 1)
    trained = pd.Timestamp(model.train_end)
    age = max(0.0, (now - trained).total_seconds() / 86_400)
    growth, low, high = _growth(model, panel, zone_id, panel.known_by(trained), step, seed)
    verdict, reason = _verdict(_open(alarms, zone_id, model.target), age, growth, low, high)
    return Upkeep(verdict, reason, age, growth, low, high)


def _open(alarms: pd.DataFrame | None, zone_id: str, target: str) -> pd.DataFrame:
    if alarms is None or alarms.empty:
        return pd.DataFrame(columns=["advice", "size_text"])
    return alarms[(alarms["zone_id"] == zone_id) & (alarms["target"] == target) & (alarms["state"] != "closed")]


def _verdict(alarms: pd.DataFrame, age: float, growth: float, low: float, high: float) -> tuple[str, str]:
    since = f"trained {age:.0f} days ago" if round(age) != 1 else "trained a day ago"
    grown = (
        f"since then its error was {growth:.2f} times that before ({low:.2f} to {high:.2f})"
        if np.isfinite(growth)
        else "too few days have come since to say whether its error has grown"
    )
    if len(alarms):
        newest = alarms.iloc[-1]
        verdict = {"check the sensor": "check the sensor", "retrain": "train again"}.get(str(newest["advice"]), "watch")
        return verdict, f"There is an alarm ({newest['size_text']}); {since}, {grown}."
    if np.isfinite(low) and low > 1 and growth > 1 + CLEAR:
        return "train again", f"The model was {since}; {grown}."
    if age > OLD_DAYS:
        return "train again", f"The model was {since} and has not seen this season; {grown}."
    if np.isfinite(growth) and growth > 1 + CLEAR:
        return "watch", f"The model was {since}; {grown}, which is not clear yet."
    return "leave it", f"The model was {since}; {grown}."


def _growth(
    model: Forecaster, panel: Panel, zone_id: str, trained: int, step: int, seed: int
) -> tuple[float, float, float]:
    """Mean error after over before training, with its interval over days."""
    spd = panel.steps_per_day
    nothing = float("nan"), float("nan"), float("nan")
    every = max(1, spd // _PER_DAY)
    after = np.arange(max(trained - 1, 0), len(panel) - step)[::every][-MOST_DAYS * spd // every :]
    before = np.arange(max(8 * spd, trained - MOST_DAYS * spd), trained - step)[::every]
    if min(after.size, before.size) * every < LEAST_DAYS * spd:
        return nothing
    parts = [_errors(model, panel, zone_id, known, step) for known in (before, after)]
    known_days = [panel.calendar.day[known] for known in (before, after)]
    sums = [_by_day(error, day) for error, day in zip(parts, known_days)]
    if min(len(total) for total, _ in sums) < LEAST_DAYS:
        return nothing
    rng = np.random.default_rng(seed)
    drawn, plain = [], []
    for total, count in sums:
        some = rng.integers(0, len(total), (_RESAMPLES, len(total)))
        drawn.append(total[some].sum(axis=1) / count[some].sum(axis=1))
        plain.append(total.sum() / count.sum())
    if plain[0] <= 0:
        return nothing
    ratio = drawn[1] / np.maximum(drawn[0] * OPTIMISM, 1e-12)
    low, high = np.quantile(ratio, (0.05, 0.95))
    return float(plain[1] / (plain[0] * OPTIMISM)), float(low), float(high)


def _errors(model: Forecaster, panel: Panel, zone_id: str, known: np.ndarray, step: int) -> np.ndarray:
    found = model.forecast(panel, origins=panel.origins(known), zone_ids=(zone_id,), steps=(step,))[:, 0, 0, _MEDIAN]
    return np.abs(found - panel.values[model.target][known + step, panel.columns([zone_id])[0]])


def _by_day(error: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(error)
    _, of = np.unique(day[known], return_inverse=True)
    return np.bincount(of, error[known]), np.bincount(of).astype(float)
