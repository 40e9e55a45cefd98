"""Guard against overfitting: on outcomes whose days were exchanged there is nothing to learn, so nobody is promoted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.split import BenchmarkPanel
from models.design import Design
from models.errors import ShortHistoryError
from models.overfitting import shuffled_target
from models.rows import Rows

#: A line, trees and a network; the network with one member, which is three times as quick and no more cautious.
FAMILIES: dict[str, dict[str, Any]] = {"ridge": {}, "boosted_trees": {}, "macro_mlp": {"members": 1}}
#: Cells (row, zone, horizon) that are learned from at most; beyond it, every second, third ... origin of a day is.
MOST_CELLS = 120_000
EXCHANGES = 2


def shuffled_figures(bench: BenchmarkPanel, *, seed: int) -> list[dict[str, Any]]:
    """Zones promoted with exchanged days (none should be), and with the true outcomes; outcomes are centred."""
    design = Design(bench.train, target=bench.target, zone_ids=bench.zone_ids, steps=bench.steps)
    rows, outcome, day = thinned(design, bench)
    found: list[dict[str, Any]] = []
    for family, settings in FAMILIES.items():
        head = f"{bench.name}: {family}"
        try:
            report = shuffled_target(
                family, rows, outcome, day=day, settings=settings, exchanges=EXCHANGES, seed=seed,
                zone_features=design.zone_features,
            )  # fmt: skip
        except ShortHistoryError:
            found.append(figure(f"{head}, too few days to exchange any", 0.0, "1", seed=seed))
            continue
        zones, worst = len(bench.zone_ids), int(report.promoted[1:].sum(axis=1).max())
        found += [
            figure(f"{head}, zones promoted with exchanged days, most of {EXCHANGES} exchanges", worst, "1",
                   target=0.0, n=zones, seed=seed),
            figure(f"{head}, zones promoted with true outcomes", int(report.promoted[0].sum()), "1", n=zones,
                   seed=seed),
            figure(f"{head}, share of the usual value's error saved with exchanged days, highest",
                   float(report.city[1:].max()), "1", n=report.blocks, seed=seed),
            figure(f"{head}, share of the usual value's error saved with true outcomes", float(report.city[0]), "1",
                   n=report.blocks, seed=seed),
        ]  # fmt: skip
    return found


def thinned(design: Design, bench: BenchmarkPanel) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Rows at the figures' last horizons, at most so many that `MOST_CELLS` holds.

    Returns
    -------
    rows : Rows
        n rows of S horizons.
    outcome : ndarray, shape (n, Z, S)
        See `centred`.
    day : ndarray of int, shape (n,)
    """
    last = sorted({int(task.places[-1]) for task in bench.tasks})
    calendar = bench.panel.calendar
    stride = thinning(design.outcome.shape[0] * len(bench.zone_ids) * len(last), bench.panel.steps_per_day)
    kept = np.flatnonzero(calendar.step_of_day[design.known + 1] % stride == 0)
    rows = design.rows.take(kept).horizons(last)
    rows = Rows(rows.common, rows.ahead, replace(rows.layout, steps=in_rows(rows.layout.steps, stride)))
    return rows, centred(design.outcome[kept][:, :, last]), calendar.day[design.known[kept] + 1]


def centred(outcome: np.ndarray) -> np.ndarray:
    """Outcomes (n, Z, S) less their median in each zone and horizon; `nan` stays.

    A constant may be learned from exchanged days, too, and rightly: the usual value is a mean, and where outcomes are
    skewed their median has a smaller absolute error.
    """
    heard = np.isfinite(outcome).any(axis=0)
    middle = np.zeros(outcome.shape[1:], dtype=np.float32)
    middle[heard] = np.nanmedian(outcome[:, heard], axis=0)
    return np.asarray(outcome - middle)


def in_rows(steps: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """Horizons in thinned rows, at least as long and still rising: gaps between folds are told by them.

    Examples
    --------
    >>> in_rows((3, 6, 9, 12), 4), in_rows((1, 4, 96), 8)
    ((1, 2, 3, 4), (1, 2, 12))
    """
    found: list[int] = []
    for step in steps:
        found.append(max(-(-step // stride), found[-1] + 1 if found else 1))
    return tuple(found)


def thinning(cells: int, steps_per_day: int, most: int = MOST_CELLS) -> int:
    """Every how many steps an origin is taken: a divisor of the day, so that days keep equal lengths.

    Examples
    --------
    >>> thinning(1000, 24, most=1000), thinning(5000, 24, most=1000), thinning(10**9, 24, most=1000)
    (1, 6, 12)
    """
    wanted = -(-cells // most)
    divisors = [k for k in range(1, steps_per_day // 2 + 1) if steps_per_day % k == 0]
    return next((k for k in divisors if k >= wanted), divisors[-1])
