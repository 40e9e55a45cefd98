"""Strong scaling of training on a Dask cluster: the same 500 zones on one worker, then on two.

Wall time of the same training on each, workers warm and on one thread, with the processor seconds of all processes
beside it: where other work runs on the machine, the wall's ratio tells less. Needs two cores to itself and the extra
`cluster`; a few minutes. `ZONEWISE_SCALING_ZONES` makes it another number of zones.
"""

from __future__ import annotations

import os
import time
from typing import Any

import pandas as pd

from app.benchmarks import figure
from app.benchmarks.trust.memory import panel

ZONES, DAYS = 500, 10
FAMILIES = ("ridge", "tree")
TARGET = 1.7


def measure(*, seed: int) -> dict[str, Any]:
    """Seconds with one worker over those with two, and the processor seconds of both."""
    zones = int(os.environ.get("ZONEWISE_SCALING_ZONES", ZONES))
    whole = panel(zones, DAYS, seed)
    rows = [_on(workers, whole, seed) for workers in (1, 2)]
    one, two = rows
    return {
        "figures": [
            figure(f"training {zones} zones, 1 to 2 workers", one["wall_s"] / two["wall_s"], "x",
                   target=TARGET if zones >= ZONES else None, at_most=False, seed=seed),
            figure("processor time, 2 workers over 1", two["cpu_s"] / one["cpu_s"], "x", seed=seed),
        ],
        "rows": rows, "same": one["errors"] == two["errors"], "load_before": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }  # fmt: skip


def _on(workers: int, whole: Any, seed: int) -> dict[str, Any]:
    from data.work import working_at
    from data.work.cluster import cluster_at
    from models.training import train

    end = whole.times[-1] - pd.Timedelta(days=2)
    with cluster_at(f"local:{workers}") as cluster, working_at(cluster):
        assert cluster is not None
        cluster.client.run(warm)
        before = sum(cluster.client.run(time.process_time).values()) + time.process_time()
        begun = time.perf_counter()
        made = train(whole, train_end=end, families=FAMILIES, seed=seed)
        wall = time.perf_counter() - begun
        after = sum(cluster.client.run(time.process_time).values()) + time.process_time()
    return {
        "workers": workers, "wall_s": wall, "cpu_s": after - before,
        "errors": made.scores["value"].sum(),
    }  # fmt: skip


def warm() -> None:
    """Load and compile on a worker what training needs."""
    from models.training import train

    small = panel(2, 8, 0)
    train(small, train_end=small.times[-1] - pd.Timedelta(days=2), families=FAMILIES, seed=0)
