"""Throughput of small neural networks: a thousand zones in one batched run, beside scikit-learn's, zone by zone.

The rows are those of `throughput_trees`: 1,344 hourly rows to learn from (eight weeks), 24 features, one horizon. Both
learn networks of one hidden layer; ours by absolute error, scikit-learn's by squared (it has no other), so both errors
are given for both. Seconds are of the processor, one thread.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from app.benchmarks import figure
from app.benchmarks.models.throughput_trees import SEED, synthetic
from models.families.mlp import ZoneMLP
from models.rows import Rows


def throughput(*, zones: int = 1000, peer_zones: int = 10) -> dict[str, Any]:
    """CPU seconds and errors of `zones` networks in one batch, and of scikit-learn on the first `peer_zones`.

    Returns
    -------
    dict
        `figures` (see `app.benchmarks`) and `rows`: model, zones_per_cpu_s, mae, rmse on the peers' zones, and the
        absolute error of the ridge line that our networks start from.
    """
    rows, y, test, truth = synthetic(zones)
    peer_zones = min(peer_zones, zones)
    some = np.arange(peer_zones)
    with threadpool_limits(limits=1):
        start = time.process_time()
        model = ZoneMLP(seed=SEED).fit(rows, y)
        seconds = time.process_time() - start
        forecast = model.predict(test)
        assert model.line is not None
        line = model.line.forecast(*model.line.inputs(test)).transpose(2, 0, 1)
        start = time.process_time()
        peer = np.stack([_peer(rows, y, test, zone) for zone in some], axis=1)
        peer_seconds = time.process_time() - start
    found: list[dict[str, Any]] = [
        {"model": "mlp", "zones_per_cpu_s": zones / seconds, **_errors(forecast[:, some], truth[:, some])},
        {"model": "the line it starts from", **_errors(line[:, some], truth[:, some])},
        {"model": "scikit-learn MLP", "zones_per_cpu_s": peer_zones / peer_seconds, **_errors(peer, truth[:, some])},
    ]
    figures = [
        figure(f"{zones:,} small networks, CPU time", seconds, "s", target=60.0 * zones / 1000, n=zones, seed=SEED),
        figure("small networks, MAE / MAE of scikit-learn's", found[0]["mae"] / found[2]["mae"], "1", n=peer_zones),
        figure("small networks, RMSE / RMSE of scikit-learn's", found[0]["rmse"] / found[2]["rmse"], "1", n=peer_zones),
        figure("small networks, CPU time / scikit-learn's", seconds / zones / (peer_seconds / peer_zones), "1"),
    ]
    return {"figures": figures, "rows": found, "seed": SEED}


def _peer(rows: Rows, y: np.ndarray, test: Rows, zone: int) -> np.ndarray:
    network = MLPRegressor(hidden_layer_sizes=(16,), alpha=1e-2, early_stopping=True, random_state=SEED)
    network.fit(rows.at(0)[:, zone], y[:, zone, 0])
    return network.predict(test.at(0)[:, zone])[:, None]


def _errors(forecast: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    error = np.asarray(forecast, dtype=float) - truth
    return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}
