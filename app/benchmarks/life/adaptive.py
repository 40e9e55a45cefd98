"""Part `adaptive`: do intervals in service keep their coverage month by month? Twelve stations, a year never seen.

Every station's 90 % intervals 1 and 6 hours ahead through the test year of Beijing, served by a `Follower` that learns
from readings as they come; static ones of each station, fitted once, stand beside.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.benchmarks.models.cut import following
from app.benchmarks.models.panels import each_there, narrowed
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.following import Follower
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.intervals.scores import hits, interval_score, rolling_coverage

PANELS, STEPS = ("pm25", "no2"), (1, 6)
WINDOW, WITHIN, WISHED = 720, (0.87, 0.93), 0.95
_LOW, _HIGH = QUANTILES.index(0.05), QUANTILES.index(0.95)


def line_of(bench: BenchmarkPanel, seed: int) -> LearnedForecaster:
    """A ridge line a station of the training part, for `STEPS`."""
    return LearnedForecaster("ridge", seed=seed).fit(
        bench.train, target=bench.target, zone_ids=bench.zone_ids, train_end=bench.panel.times[bench.test_from],
        steps=STEPS,
    )  # fmt: skip


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Share of 30-day windows that hold, and the interval score against static intervals."""
    figures: list[dict[str, Any]] = []
    notes: list[str] = []
    told: dict[str, dict[str, float]] = {}
    for bench in each_there(narrowed(PANELS, panels), notes):
        name, panel = bench.name, bench.panel
        model = line_of(bench, seed)
        follower = Follower.start(model, bench.train)
        known = np.arange(bench.test_from - 1, len(panel) - 1)
        origins = pd.DatetimeIndex([panel.origin(int(k)) for k in known])
        begun = time.process_time()
        fan = follower.advance(model, panel, origins)
        spent = time.process_time() - begun
        static = model.forecast(panel, origins=origins)
        actual = following(panel.values[bench.target], known, STEPS)
        for h, step in enumerate(STEPS):
            head = f"adaptive: {name} {step} h"
            inside, fixed = (hits(actual[:, :, h], q[:, :, h, _LOW], q[:, :, h, _HIGH]) for q in (fan, static))
            score, plain = (
                float(np.nanmean(interval_score(actual[:, :, h], q[:, :, h, _LOW], q[:, :, h, _HIGH])))
                for q in (fan, static)
            )
            share, before = (within(a) for a in (inside, fixed))
            by_station = {z: within(inside[:, [k]]) for k, z in enumerate(bench.zone_ids)}
            told[f"{name} {step} h"] = by_station
            figures += [
                figure(f"{head}, 30-day windows within 87-93 %", share, "1", target=WISHED, at_most=False,
                       n=int(np.isfinite(rolling_coverage(inside, WINDOW)).sum()), seed=seed),
                figure(f"{head}, the same of static intervals", before, "1"),
                figure(f"{head}, least of the stations", min(by_station.values()), "1"),
                figure(f"{head}, Winkler score over static", score / plain, "1", target=1.0),
                figure(f"{head}, coverage", float(np.nanmean(inside)), "1"),
            ]  # fmt: skip
        n = len(origins) * len(bench.zone_ids)
        figures.append(
            figure(f"adaptive: {name}, CPU of a station's origin, forecast included", spent / n * 1e6, "us", n=n)
        )
        state = len(follower.one(0).save())
        figures.append(figure(f"adaptive: {name}, stored state of a station", state / 1024, "KiB"))
    if not figures:
        raise InputError("; ".join(notes))
    return {"figures": figures, "stations": told, "notes": notes}


def within(inside: np.ndarray) -> float:
    """Share of windows whose coverage is within the limits."""
    share = rolling_coverage(inside, WINDOW)
    share = share[np.isfinite(share)]
    return float(((share >= WITHIN[0]) & (share <= WITHIN[1])).mean()) if share.size else float("nan")
