"""Selection in operation: when a simpler candidate is as good, what giving up hopeless ones saves, what a budget costs.

On each panel families compete, each with several settings, and every zone chooses by out-of-fold errors. The rules for
"as good and simpler" (see `models.select.Rule`) are told on the test part: error and number of parameters of the
micromodels chosen. The same training with hopeless candidates given up, and with a budget of two fifths of its
processor seconds, tells what is saved and what that costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.altered import fewer
from app.benchmarks.models.cut import recent
from app.benchmarks.models.library import errors_by_zone
from app.benchmarks.models.panels import each_there, names, narrowed
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.choosing import USUAL
from models.operation import Allowance
from models.select import RULES, choose_families, error_unit
from models.training import Training, train

MOST_ZONES = 20
TRAIN_DAYS = 180  # of long panels
SETTINGS = 3
FAMILIES = ("ridge", "quantile_linear", "tree", "boosted_trees", "macro_ridge", "macro_xgboost")
BUDGET_SHARE = 0.4


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of every panel that is there."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"notes": []}
    for whole in each_there(narrowed(names(), panels), told["notes"]):
        bench = recent(fewer(whole, MOST_ZONES), train_days=TRAIN_DAYS)
        made, told[bench.name] = selection_figures(bench, seed=seed)
        figures += made
    if not figures:
        raise InputError("; ".join(told["notes"]))
    return {"figures": figures, **told}


def selection_figures(bench: BenchmarkPanel, *, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rules, giving up and budget on one panel."""
    whole, whole_s = _timed(bench, seed)
    error = errors_by_zone(bench, whole)
    figures = [
        figure(f"{bench.name}: {len(whole.candidates)} candidates fitted in full, CPU", whole_s, "s", seed=seed),
        *rule_figures(bench, whole, error),
    ]
    pruned, pruned_s = _timed(bench, seed, prune=True)
    limit = BUDGET_SHARE * whole_s
    bound, bound_s = _timed(bench, seed, prune=True, budget=Allowance(cpu_s=limit))
    told: dict[str, Any] = {}
    for name, found, seconds in (("hopeless given up", pruned, pruned_s), ("on a budget", bound, bound_s)):
        other = errors_by_zone(bench, found)
        head = f"{bench.name}, {name}"
        figures += [
            figure(f"{head}: candidates not fitted in full", len(found.left_out), "1", n=len(whole.candidates)),
            figure(f"{head}: CPU over that of fitting all", seconds / whole_s, "1", seed=seed),
        ]
        for task in bench.tasks:
            for kind in ("micromodel", "in_use"):
                ratio = _mean(other[kind], task.places) / _mean(error[kind], task.places)
                figures.append(figure(f"{head} {task.name}: {kind}, test MAE over that of fitting all", ratio, "1"))
        told[name] = {key: why for (key, _), why in found.left_out.items()}
        told[f"{name}, a reason"] = str(found.choices["reason"].iloc[0])
    figures.append(
        figure(f"{bench.name}, on a budget: seconds spent over the budget", bound_s / limit, "1", target=1.0)
    )
    return figures, told


def rule_figures(bench: BenchmarkPanel, training: Training, error: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Test error and parameters of the micromodels that each rule chooses, over those of the least error's."""
    target = bench.target
    models = {name: m for (name, of), m in training.candidates.items() if of == target and m.scope == "zone"}
    models[USUAL] = training.baselines[USUAL, target]
    records = {name: model.validation for name, model in models.items() if model.validation is not None}
    unit, ranks = error_unit(records[USUAL]), {name: model.rank for name, model in models.items()}
    chosen = {rule: [c.family for c in choose_families(records, unit, ranks, rule=rule)] for rule in RULES}
    size: dict[tuple[str, int], float] = {}
    for families in chosen.values():
        for z, family in enumerate(families):
            if (family, z) not in size:
                size[family, z] = float(models[family].one(bench.zone_ids[z])._n_parameters())
    figures = []
    least = [size[family, z] for z, family in enumerate(chosen["least"])]
    for rule, families in chosen.items():
        own = [size[family, z] for z, family in enumerate(families)]
        head = f"{bench.name}, rule {rule}"
        figures += [
            figure(f"{head}: parameters of a micromodel, mean", float(np.mean(own)), "1", n=len(own)),
            figure(f"{head}: the same over those of the least error", float(np.mean(own) / np.mean(least)), "1"),
        ]
        for task in bench.tasks:
            pair = [
                np.nanmean([np.nanmean(error[f][z, task.places]) for z, f in enumerate(some)])
                for some in (families, chosen["least"])
            ]
            figures.append(figure(f"{head} {task.name}: test MAE over that of the least error", pair[0] / pair[1], "1"))
    return figures


def _timed(bench: BenchmarkPanel, seed: int, **options: Any) -> tuple[Training, float]:
    begun = time.process_time()
    training = train(
        bench.panel, targets=(bench.target,), train_end=bench.panel.times[bench.test_from], steps=bench.steps,
        families=FAMILIES, settings=SETTINGS, seed=seed, **options,
    )  # fmt: skip
    return training, time.process_time() - begun


def _mean(error: np.ndarray, places: np.ndarray) -> float:
    return float(np.nanmean(error[:, places]))
