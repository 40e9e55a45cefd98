"""How many ridge micromodels a CPU second trains and refreshes, one thread, beside scikit-learn's in a loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from models.families.ridge import Ridge
from models.rows import Layout, Rows

FEATURES = 24
HOURS = 8 * 7 * 24
REPEATS = 5
LOOKS = 2000


def linear_throughput(*, zones: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Training, refresh and latency of ridge micromodels on made rows: 8 weeks of hours, 24 features, one horizon.

    Parameters
    ----------
    zones : int
    seed : int

    Returns
    -------
    dict
        Zones per CPU second (`time.process_time`, the best of 5 after one run that compiles) of

        - `train_cross_validated`: `fit` from float32 rows in memory to lines: Gram matrices of 5 blocks, 10 penalties
          judged on each block left out, the line at the best, and the range of every feature;
        - `train_fixed_penalty`: the same with one penalty, which needs no judging (what `sklearn_fixed_penalty` does);
        - `refresh`: `update` with one new day (24 rows a zone): the rows are added to the kept Gram matrices, the
          ranges are widened, all lines are solved again at their penalties;
        - `sklearn_fixed_penalty`: `StandardScaler` and `Ridge` in a loop over the first 100 zones, None if it is not
          installed;

        and `latency_p50_ms`, `latency_p99_ms`: wall time of one forecast of one zone from its row.
    """
    rng = np.random.default_rng(seed)
    layout = Layout(tuple(f"own_lag_{k}" for k in range(FEATURES - 2)), ("ahead_day", "ahead_week"), (1,))
    common = rng.standard_normal((HOURS, zones, FEATURES - 2), dtype=np.float32)
    ahead = rng.standard_normal((HOURS, zones, 1, 2), dtype=np.float32)
    y = 0.5 * common[:, :, :1] + 0.3 * ahead[..., 0] + rng.standard_normal((HOURS, zones, 1), dtype=np.float32)
    rows = Rows(common, ahead, layout)
    judged, fixed = Ridge(refreshable=True), Ridge(penalties=(0.01,))
    out: dict[str, Any] = {"zones": zones, "rows": HOURS, "features": FEATURES}
    out["train_cross_validated"] = zones / _cpu_s(lambda: judged.fit(rows, y))
    out["train_fixed_penalty"] = zones / _cpu_s(lambda: fixed.fit(rows, y))
    day = rows.take(slice(0, 24))
    out["refresh"] = zones / _cpu_s(lambda: judged.update(day, y[:24]))
    out["sklearn_fixed_penalty"] = _sklearn_rate(common, ahead, y)
    return out | _latency(judged, rows)


def _cpu_s(work: Callable[[], Any]) -> float:
    """CPU seconds of the fastest of several runs, after one that compiles."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _sklearn_rate(common: np.ndarray, ahead: np.ndarray, y: np.ndarray) -> float | None:
    """Zones per CPU second of scikit-learn, zone by zone."""
    try:
        from sklearn.linear_model import Ridge as SklearnRidge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        return None
    zones = min(100, common.shape[1])
    x = [np.concatenate([common[:, z], ahead[:, z, 0]], axis=1) for z in range(zones)]

    def loop() -> None:
        for z in range(zones):
            make_pipeline(StandardScaler(), SklearnRidge(alpha=0.01 * HOURS)).fit(x[z], y[:, z, 0])

    return zones / _cpu_s(loop)


def _latency(model: Ridge, rows: Rows) -> dict[str, float]:
    """Wall time of one forecast of one zone."""
    place = np.array([0])
    part = rows.pick(place)
    one = [part.take(slice(k, k + 1)) for k in range(100)]
    taken = []
    for k in range(LOOKS):
        start = time.perf_counter()
        model.predict(one[k % len(one)], place)
        taken.append(time.perf_counter() - start)
    p50, p99 = np.quantile(taken, (0.5, 0.99)) * 1e3
    return {"latency_p50_ms": float(p50), "latency_p99_ms": float(p99)}
