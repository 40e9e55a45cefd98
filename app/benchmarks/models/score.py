"""Scores that every forecaster is told by, ours and peers': errors by figure, and whether one beats another.

Point forecasts have shape (n origins, Z, S steps), in the order of `BenchmarkPanel.origins`, `zone_ids` and `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.benchmarks.models.split import BenchmarkPanel, Task
from models.errors import PanelError

Array = np.ndarray

N_BOOT = 2000
#: Below this many days of test, blocks of a few hours stand in for days (assumed): two days cannot be resampled.
LEAST_DAYS = 5
BLOCK_S = 3 * 3600


@dataclass(frozen=True)
class Score:
    """Errors of one figure, in the panel's telling unit.

    Attributes
    ----------
    mae, rmse : float
    n : int
        Pairs of a forecast and a reading.
    """

    mae: float
    rmse: float
    n: int


@dataclass(frozen=True)
class Difference:
    """Error of A minus that of B over the same origins and zones: below 0, A is better.

    Attributes
    ----------
    mean, lower, upper : float
        Telling unit; the interval is of the paired block bootstrap.
    share : float
        `mean` as a share of B's error.
    level : float
    blocks : int
        Blocks that were resampled.
    """

    mean: float
    lower: float
    upper: float
    share: float
    level: float
    blocks: int

    @property
    def beats(self) -> bool:
        """Whether A beats B: the whole interval lies below 0."""
        return self.upper < 0.0

    @property
    def worse(self) -> bool:
        """Whether A is worse than B: the whole interval lies above 0."""
        return self.lower > 0.0

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `no difference`."""
        return "better" if self.beats else "worse" if self.worse else "no difference"


def scores(
    bench: BenchmarkPanel, forecasts: Array, *, masked: bool = False, zones: Array | Sequence[int] | None = None
) -> dict[str, Score]:
    """MAE and RMSE of every figure of a panel; METR-LA's are averaged over steps 1..p.

    Parameters
    ----------
    bench : BenchmarkPanel
    forecasts : ndarray, shape (n, Z, S)
        In the panel's unit; `nan` where no forecast was made.
    masked : bool
        Leave out readings that the publisher filled in (`BenchmarkPanel.filled`).
    zones : sequence of int or None
        Places of the zones that count; None takes all.

    Raises
    ------
    PanelError
        If the shape is another.
    """
    return {task.name: _score(error) for task, error in _errors(bench, forecasts, masked=masked, zones=zones)}


def zone_maes(bench: BenchmarkPanel, forecasts: Array, *, masked: bool = False) -> dict[str, Array]:
    """MAE of every zone by figure, shape (Z,); `nan` where a zone has no pair."""
    found = {}
    for task, error in _errors(bench, forecasts, masked=masked, zones=None):
        known = np.isfinite(error)
        n = known.sum(axis=(0, 2))
        total = np.where(known, np.abs(error), 0.0).sum(axis=(0, 2))
        found[task.name] = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    return found


def differences(
    bench: BenchmarkPanel,
    ours: Array,
    theirs: Array,
    *,
    measure: str = "mae",
    masked: bool = False,
    level: float = 0.95,
    seed: int = 1,
    zones: Array | Sequence[int] | None = None,
) -> dict[str, Difference]:
    """Error of `ours` minus that of `theirs` by figure, over the cells that both forecast.

    Parameters
    ----------
    ours, theirs : ndarray, shape (n, Z, S)
    measure : {"mae", "rmse"}
    level : float
        Of the interval.
    seed : int

    Notes
    -----
    Paired block bootstrap (Kunsch 1989, doi:10.1214/aos/1176347265): local days, with all zones and steps of their
    origins together, are drawn with replacement; both forecasts see the same draw, so that a hard day weighs on both.
    With fewer than `LEAST_DAYS` days, blocks of three hours are drawn instead, and intervals are too narrow by what
    lasts longer than that.
    """
    pairs = zip(_errors(bench, ours, masked=masked, zones=zones), _errors(bench, theirs, masked=masked, zones=zones))
    return {
        task.name: _difference(a, b, blocks_of(bench)[task.rows], measure=measure, level=level, seed=seed)
        for (task, a), (_, b) in pairs
    }


def blocks_of(bench: BenchmarkPanel) -> Array:
    """Block of each origin, shape (n,): its local day, or three hours where there are few days."""
    days = bench.days
    if np.unique(days).size >= LEAST_DAYS:
        return days
    return bench.origins // max(1, BLOCK_S // bench.panel.step_s)


def _errors(
    bench: BenchmarkPanel, forecasts: Array, *, masked: bool, zones: Array | Sequence[int] | None
) -> list[tuple[Task, Array]]:
    """Forecast minus reading of every figure, telling unit, shape (n of the figure, zones, steps of the figure)."""
    shape = (len(bench.origins), len(bench.zone_ids), len(bench.steps))
    if forecasts.shape != shape:
        raise PanelError(
            f"forecasts of {bench.name} must have shape (origins, zones, steps) = {shape}; found {forecasts.shape}"
        )
    actual = bench.actual
    if masked:
        actual = np.where(bench.following(bench.filled), np.nan, actual)
    error = (forecasts.astype(float) - actual) * bench.per_unit
    if zones is not None:
        error = error[:, np.asarray(zones)]
    return [(task, error[task.rows][:, :, task.places]) for task in bench.tasks]


def _score(error: Array) -> Score:
    known = error[np.isfinite(error)]
    if not known.size:
        return Score(float("nan"), float("nan"), 0)
    return Score(float(np.abs(known).mean()), float(np.sqrt((known**2).mean())), int(known.size))


def _difference(a: Array, b: Array, block: Array, *, measure: str, level: float, seed: int) -> Difference:
    if measure not in ("mae", "rmse"):
        raise PanelError(f"measure={measure!r}; allowed are 'mae' and 'rmse'")
    both = np.isfinite(a) & np.isfinite(b)
    loss = np.abs if measure == "mae" else np.square
    code = np.unique(block, return_inverse=True)[1]
    size = int(code.max(initial=-1)) + 1
    sums = np.zeros((3, size))
    for k, grid in enumerate((np.where(both, loss(a), 0.0), np.where(both, loss(b), 0.0), both)):
        sums[k] = np.bincount(code, weights=grid.sum(axis=(1, 2)), minlength=size)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(size, np.full(size, 1.0 / size), size=N_BOOT).astype(float)
    drawn = weights @ sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.vstack([sums.sum(axis=1), drawn])
        means = means[:, :2] / means[:, 2:]
        means = means if measure == "mae" else np.sqrt(means)
        gap = means[:, 0] - means[:, 1]
    tail = 50.0 * (1.0 - level)
    lower, upper = np.nanpercentile(gap[1:], [tail, 100.0 - tail]) if both.any() else (np.nan, np.nan)
    share = gap[0] / means[0, 1] if both.any() and means[0, 1] > 0 else np.nan
    return Difference(float(gap[0]), float(lower), float(upper), float(share), level, size)
