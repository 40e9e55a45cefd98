"""Throughput of boosted trees: error against CPU seconds, ours beside XGBoost and LightGBM, on the same rows.

The synthetic zones have 24 features (two daily waves, weekend, 21 readings that follow four slow common causes) and an
outcome with a line, a bend, a threshold that holds by day alone and noise; 1,344 hourly rows to learn from (eight
weeks), 336 to judge by. Seconds are of the processor, one thread, binning included; kernels are compiled before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.benchmarks import figure
from models.families.boosted_trees import BoostedTrees
from models.rows import Layout, Rows

SEED = 11
TRAIN_ROWS, TEST_ROWS, FEATURES = 1344, 336, 24
#: Beside `_PLAIN`; named after a look at zones of another seed, so that those measured here had no part in the choice.
RECIPE: dict[str, Any] = {"max_depth": 3}
#: Ours, settings beside `_PLAIN`.
CURVE: tuple[dict[str, Any], ...] = (
    {"max_bin": 64}, {}, {"max_bin": 16}, {"sample": 0.5}, {"sample": 0.5, "features": 0.5},
    {"rounds": 50, "eta": 0.2}, {"rounds": 50, "eta": 0.2, "sample": 0.5}, {"rounds": 30, "eta": 0.3},
    {"rounds": 60, "eta": 0.15, "max_bin": 24, "sample": 0.5}, {"max_depth": 3}, {"max_depth": 2},
    {"max_depth": 3, "rounds": 60, "eta": 0.15, "sample": 0.5}, {"patience": 10}, {"patience": 10, "sample": 0.5},
    {"patience": 10, "folds": 3}, {"loss": "absolute"}, {"loss": "absolute", "sample": 0.5},
)  # fmt: skip
_PLAIN: dict[str, Any] = {
    "loss": "squared", "rounds": 100, "eta": 0.1, "max_depth": 4, "min_leaf": 5, "max_bin": 32, "shrink": 1.0,
    "sample": 1.0, "features": 1.0, "patience": 0, "folds": 0, "linear_first": False,
}  # fmt: skip


def curve(
    *,
    zones: int = 60,
    peer_zones: int = 20,
    settings: Sequence[dict[str, Any]] = CURVE,
    real: tuple[Rows, np.ndarray, Rows, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Error against CPU seconds.

    Parameters
    ----------
    zones, peer_zones : int
        Synthetic zones that ours and the peers learn; both are judged on the peers' zones.
    settings : sequence of dict
        Of `BoostedTrees`, beside 100 rounds of depth 4 with all rows; `RECIPE` among them.
    real : tuple of Rows, ndarray, Rows, ndarray, or None
        Rows and outcomes to learn from and to judge by, of a real panel; its first horizon is taken.

    Returns
    -------
    dict
        `figures` (see `app.benchmarks`), `curves`: a list of rows for each panel (model, settings, zones_per_cpu_s,
        mae, mae_of_reference, explained), and `recipe`.
    """
    panels = {"synthetic": synthetic(zones)}
    if real is not None:
        rows, y, test, y_test = real
        panels["real"] = (rows.horizons([0]), y[:, :, :1], test.horizons([0]), y_test[:, :, :1])
    curves = {name: _curve(panel, min(peer_zones, panel[1].shape[1]), settings) for name, panel in panels.items()}
    recipe = next(row for row in curves["synthetic"] if row["model"] == "boosted_trees" and row["settings"] == RECIPE)
    by_model = {row["model"]: row for row in curves["synthetic"] if row["model"] != "boosted_trees"}
    figures = [
        figure(
            "boosted trees, zones per CPU second", recipe["zones_per_cpu_s"], "zones/s", target=12.0, at_most=False,
            n=zones, seed=SEED,
        ),
        figure("boosted trees, MAE / XGBoost 100 x depth 4", recipe["mae_of_reference"], "1", target=1.005, n=zones),
        *(
            figure(f"{name}, zones per CPU second", row["zones_per_cpu_s"], "zones/s", n=peer_zones)
            for name, row in by_model.items()
        ),
    ]  # fmt: skip
    return {"figures": figures, "curves": curves, "recipe": {**_PLAIN, **RECIPE}, "seed": SEED}


def synthetic(zones: int) -> tuple[Rows, np.ndarray, Rows, np.ndarray]:
    """Rows and outcomes to learn from and to judge by; each zone from its own stream of random numbers."""
    n = TRAIN_ROWS + TEST_ROWS
    x, y = np.empty((n, zones, FEATURES), dtype=np.float32), np.empty((n, zones, 1), dtype=np.float32)
    for z, rng in enumerate(np.random.default_rng(SEED).spawn(zones)):
        x[:, z], y[:, z, 0] = _zone(rng, n)
    names = ("day_sin", "day_cos", "weekend", *(f"own_lag_{k}" for k in range(FEATURES - 3)))
    whole = Rows(x, np.zeros((n, zones, 1, 0), dtype=np.float32), Layout(names, (), (1,)))
    return whole.take(slice(TRAIN_ROWS)), y[:TRAIN_ROWS], whole.take(slice(TRAIN_ROWS, n)), y[TRAIN_ROWS:]


def _zone(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    hours = np.arange(n)
    causes, shocks = np.zeros((n, 4)), rng.standard_normal((n, 4))
    for i in range(1, n):
        causes[i] = 0.9 * causes[i - 1] + 0.44 * shocks[i]
    x = 0.5 * causes @ rng.standard_normal((4, FEATURES)) + 0.7 * rng.standard_normal((n, FEATURES))
    x[:, 0], x[:, 1] = np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24)
    x[:, 2] = hours // 24 % 7 >= 5
    y = x @ (0.1 * rng.standard_normal(FEATURES)) + 0.6 * np.tanh(2 * x[:, 3]) * (x[:, 0] > 0)
    y += 0.5 * np.maximum(x[:, 4], 0) * (1 - x[:, 2]) - 0.4 * np.minimum(x[:, 5], -0.5)
    return x, y + 0.5 * rng.standard_normal(n)


def _curve(
    panel: tuple[Rows, np.ndarray, Rows, np.ndarray], peer_zones: int, settings: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of one panel's curve; the reference, XGBoost as it comes, first."""
    rows, y, test, y_test = panel
    zones, few = y.shape[1], np.arange(peer_zones)
    found: list[dict[str, Any]] = []

    def add(model: str, wanted: dict[str, Any], seconds: float, learned: int, out: np.ndarray) -> None:
        mae = float(np.nanmean(np.abs(y_test[:, few, 0] - out)))
        explained = 1.0 - mae / float(np.nanmean(np.abs(y_test[:, few, 0])))
        reference = found[0]["mae"] if found else mae
        found.append({
            "model": model, "settings": wanted, "zones_per_cpu_s": learned / max(seconds, 1e-9), "mae": mae,
            "mae_of_reference": mae / reference, "explained": explained,
        })  # fmt: skip

    for model, wanted, fit in _peers():
        seconds, out = 0.0, np.empty((test.shape[0], peer_zones))
        for z in few:
            known = np.isfinite(y[:, z, 0])
            x, target, x_test = rows.at(0)[known, z], y[known, z, 0], np.ascontiguousarray(test.at(0)[:, z])
            begun = time.process_time()
            predict = fit(np.ascontiguousarray(x), target)
            seconds += time.process_time() - begun
            out[:, z] = predict(x_test)
        add(model, wanted, seconds, peer_zones, out)
    for wanted in settings:
        asked = {**_PLAIN, **wanted}
        BoostedTrees(**{**asked, "rounds": 2}).fit(rows.pick(few[:1]), y[:, :1])  # compiles
        begun = time.process_time()
        ours = BoostedTrees(**asked).fit(rows, y)
        seconds = time.process_time() - begun
        add("boosted_trees", wanted, seconds, zones, ours.predict(test.pick(few), few)[:, :, 0])
    return found


_Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def _peers() -> list[tuple[str, dict[str, Any], _Fit]]:
    """XGBoost with its own and with fewer bins; LightGBM where it is installed."""
    import xgboost

    def xgb(bins: int) -> _Fit:
        options = {
            "objective": "reg:squarederror", "eta": 0.1, "max_depth": 4, "max_bin": bins, "tree_method": "hist",
            "min_child_weight": 5, "nthread": 1, "verbosity": 0, "seed": SEED,
        }  # fmt: skip

        def fit(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
            matrix = xgboost.QuantileDMatrix(x, y, nthread=1, max_bin=bins)
            return xgboost.train(options, matrix, num_boost_round=100).inplace_predict

        return fit

    found: list[tuple[str, dict[str, Any], _Fit]] = [
        ("XGBoost, 256 bins", {"rounds": 100, "max_depth": 4, "max_bin": 256}, xgb(256)),
        ("XGBoost, 32 bins", {"rounds": 100, "max_depth": 4, "max_bin": 32}, xgb(32)),
    ]
    try:
        import lightgbm
    except ImportError:
        return found

    def light(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        options = {
            "objective": "regression", "learning_rate": 0.1, "num_leaves": 16, "max_depth": 4, "max_bin": 63,
            "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1, "seed": SEED, "deterministic": True,
        }  # fmt: skip
        booster = lightgbm.train(options, lightgbm.Dataset(x, y), num_boost_round=100)
        return lambda rows: np.asarray(booster.predict(rows))

    return [*found, ("LightGBM, 63 bins", {"rounds": 100, "max_depth": 4, "max_bin": 63}, light)]
