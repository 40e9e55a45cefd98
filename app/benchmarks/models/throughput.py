"""Throughput and latency of small models by the thousand: lines, trees and networks, with their targets."""

from __future__ import annotations

from typing import Any

from app.benchmarks import figure
from app.benchmarks.models import throughput_neural, throughput_trees
from app.benchmarks.models.latency import latency_figures
from app.benchmarks.models.throughput_linear import linear_throughput

TRAIN_PER_S, REFRESH_PER_S, ROW_MS = 12_000.0, 150_000.0, 1.0
#: Points of the trees' curve besides the recipe: rounds, depth, bins and early stopping, one at a time.
CURVE: tuple[dict[str, Any], ...] = (
    {}, {"max_bin": 64}, {"rounds": 50, "eta": 0.2}, {"max_depth": 2}, {"patience": 10, "sample": 0.5},
    throughput_trees.RECIPE,
)  # fmt: skip


def throughput_figures(
    *,
    seed: int,
    zones: int = 1000,
    tree_zones: int = 60,
    peer_zones: int = 20,
) -> list[dict[str, Any]]:
    """All figures: see `throughput_linear`, `throughput_trees`, `throughput_neural` and `latency`.

    Parameters
    ----------
    seed : int
        Of the lines' rows and of the panel that latency is measured on; trees and networks have seeds of their own.
    zones : int
        Lines and networks trained.
    tree_zones, peer_zones : int
        Zones that our trees learn, and their peers.
    """
    trees = throughput_trees.curve(zones=tree_zones, peer_zones=peer_zones, settings=CURVE)
    return [
        *line_figures(seed=seed, zones=zones),
        *trees["figures"],
        *curve_figures(trees["curves"]["synthetic"], n=tree_zones),
        *throughput_neural.throughput(zones=zones, peer_zones=min(10, zones))["figures"],
        *latency_figures(seed=seed),
    ]


def line_figures(*, seed: int, zones: int) -> list[dict[str, Any]]:
    """Ridge lines trained and refreshed in a processor second."""
    found = linear_throughput(zones=zones, seed=seed)
    head = f"{zones:,} zones x {found['rows']:,} rows x {found['features']} features"
    figures = [
        figure(f"{head}: ridge, fixed penalty, trained", found["train_fixed_penalty"], "zones/s", target=TRAIN_PER_S,
               at_most=False, n=zones, seed=seed),
        figure(f"{head}: ridge, penalty cross-validated, trained", found["train_cross_validated"], "zones/s",
               target=TRAIN_PER_S, at_most=False, n=zones, seed=seed),
        figure(f"{head}: ridge, refreshed by a day", found["refresh"], "zones/s", target=REFRESH_PER_S, at_most=False,
               n=zones, seed=seed),
        figure("ridge, one forecast from its row, median", found["latency_p50_ms"], "ms", seed=seed),
        figure("ridge, one forecast from its row, p99", found["latency_p99_ms"], "ms", target=ROW_MS, seed=seed),
    ]  # fmt: skip
    peer = found["sklearn_fixed_penalty"]
    if peer is not None:
        figures.append(figure("scikit-learn's ridge in a loop, trained", peer, "zones/s", seed=seed))
    return figures


def curve_figures(rows: list[dict[str, Any]], *, n: int) -> list[dict[str, Any]]:
    """Points of the curve of error against processor seconds: a speed and an error each."""
    figures = []
    for row in rows:
        if row["model"] != "boosted_trees":
            continue
        told = ", ".join(f"{name} {value}" for name, value in row["settings"].items()) or "100 rounds, depth 4, 32 bins"
        figures += [
            figure(f"boosted trees curve ({told})", row["zones_per_cpu_s"], "zones/s", n=n),
            figure(f"boosted trees curve ({told}), MAE / XGBoost 100 x depth 4", row["mae_of_reference"], "1", n=n),
        ]
    return figures
