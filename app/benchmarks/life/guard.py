"""The overfitting guard in service: what it costs on real panels, and whom it lets in where nothing can be forecast.

On each panel the quick candidates train, are chosen and guarded. The same training without its guard tells what the
guard changed on the test part. Then the target is replaced by one with the same usual days and nothing else to forecast
(see `altered.unforecastable`), and whoever is let in all the same is counted. Last: how the error falls with the days
learned from, and how it moves along a penalty, along rounds of boosting, with early stopping and with dropout.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.altered import fewer, unforecastable
from app.benchmarks.models.guards import thinned
from app.benchmarks.models.library import errors_by_zone
from app.benchmarks.models.panels import each_there, names, narrowed
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.assign import check_overrides
from models.choosing import USUAL, TargetChoice, choose
from models.design import Design
from models.errors import ShortHistoryError
from models.overfitting import learning_curve
from models.path import regularization_path
from models.training import Training, train

MOST_ZONES = 60
#: Family, setting that a path is walked along, its values from simple to complex, and what else is set: a penalty,
#: rounds of boosting, the same with and without early stopping (10 rounds of patience; 0 has none), dropout.
PATHS: tuple[tuple[str, str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("ridge", "penalties", ((100.0,), (10.0,), (1.0,), (0.1,), (0.001,)), {}),
    ("boosted_trees", "rounds", (10, 30, 100, 300), {"patience": 0}),
    ("boosted_trees", "patience", (10, 0), {"rounds": 300}),
    ("mlp", "dropout", (0.5, 0.25, 0.1, 0.0), {}),
)


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of every panel that is there."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"notes": []}
    for whole in each_there(narrowed(names(), panels), told["notes"]):
        bench = fewer(whole, MOST_ZONES)
        made, beside = guard_figures(bench, seed=seed)
        more, words = curve_figures(bench, seed=seed)
        figures += made + more
        told[bench.name] = {**beside, **words}
    if not figures:
        raise InputError("; ".join(told["notes"]))
    return {"figures": figures, **told}


def guard_figures(bench: BenchmarkPanel, *, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The guard's price on the true target, and whom it lets in on one that cannot be forecast."""
    training = _train(bench, bench.panel, seed)
    begun = time.process_time()
    free, held = _chosen(training, bench, guard=False), _chosen(training, bench, guard=True)
    spent = time.process_time() - begun
    error = errors_by_zone(bench, training)
    zones, head = len(bench.zone_ids), bench.name
    table = training.guard
    figures = [
        figure(f"{head}: zones whose micromodel fell back", int(table["fell_back"].sum()), "1", n=zones, seed=seed),
        figure(f"{head}: skill kept from rows learned from, median zone", float(table["kept"].median()), "1", n=zones),
        figure(f"{head}: error of choices made on the other fold over that promised, mean less 1",
               float((table["nested"] / table["promised"]).mean() - 1), "1", n=zones, seed=seed),
        figure(f"{head}: choosing twice, with the guard once, over all of training, CPU",
               spent / sum(training.seconds.values()), "1", seed=seed),
    ]  # fmt: skip
    for task in bench.tasks:
        micro = [
            _error(error, choice, training.macromodels[bench.target].name, task.places, False)
            for choice in (held, free)
        ]
        used = [
            _error(error, choice, training.macromodels[bench.target].name, task.places, True) for choice in (held, free)
        ]
        figures += [
            figure(f"{head} {task.name}: micromodels with the guard over without it, test MAE", micro[0] / micro[1],
                   "1", target=1.005, n=zones, seed=seed),
            figure(f"{head} {task.name}: model in use with the guard over without it, test MAE", used[0] / used[1],
                   "1", target=1.005, n=zones, seed=seed),
        ]  # fmt: skip
    figures += noise_figures(replace(bench, panel=unforecastable(bench.panel, bench.target, seed=seed)), seed=seed)
    return figures, {"words": table.loc[table["fell_back"], "words"].head(3).tolist()}


def noise_figures(bench: BenchmarkPanel, *, seed: int) -> list[dict[str, Any]]:
    """Whom training lets in where nothing can be forecast, and how many of those err more than the usual value does.

    A few days' usual value is itself mostly noise, and a line that draws it towards the mean is better, rightly.
    """
    training = _train(bench, bench.panel, seed)
    error = errors_by_zone(bench, training)
    zones, macro = len(bench.zone_ids), training.macromodels[bench.target].name
    every = np.arange(len(bench.steps))
    figures = []
    for name in ("with", "without"):
        choice = _chosen(training, bench, guard=name == "with")
        served = [_served(choice, macro, z, True) for z in range(zones)]
        micro_in = sum(family != USUAL for family in choice.families)
        any_in = sum(model != USUAL for model in served)
        harm = sum(np.nanmean(error[model][z]) > np.nanmean(error[USUAL][z]) for z, model in enumerate(served))
        ratio = _error(error, choice, macro, every, True) / float(np.nanmean(error[USUAL]))
        head = f"{bench.name}, nothing to forecast, {name} the guard"
        wanted = 0.0 if name == "with" else None
        figures += [
            figure(f"{head}: zones with a learned micromodel", micro_in, "1", n=zones, seed=seed),
            figure(f"{head}: zones with any learned model in use", any_in, "1", n=zones, seed=seed),
            figure(f"{head}: zones where it errs more than the usual value on the test part", harm, "1", target=wanted,
                   n=zones, seed=seed),
            figure(f"{head}: test MAE of the models in use over the usual value's", ratio, "1", n=zones, seed=seed),
        ]  # fmt: skip
    return figures


def curve_figures(bench: BenchmarkPanel, *, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A learning curve and paths of settings, inside the training part."""
    design = Design(bench.train, target=bench.target, zone_ids=bench.zone_ids, steps=bench.steps)
    rows, y, day = thinned(design, bench)
    figures: list[dict[str, Any]] = []
    words: dict[str, Any] = {}
    try:
        curve = learning_curve("ridge", rows, y, day=day, seed=seed)
        words["learning curve"] = curve.reason
        for days, loss in zip(curve.days, curve.loss):
            figures.append(
                figure(f"{bench.name}: ridge, error from {days} days, share of the usual value's", loss, "1")
            )
    except ShortHistoryError as error:
        words["learning curve"] = str(error)
    for family, setting, values, fixed in PATHS:
        try:
            path = regularization_path(
                family, rows, y, setting=setting, values=values, day=day, settings=fixed, seed=seed
            )
        except ShortHistoryError as error:
            words[f"{setting} of {family}"] = str(error)
            continue
        words[f"{setting} of {family}"] = path.reason
        for value, loss, gap in zip(path.values, path.loss, path.gap):
            head = f"{bench.name}: {family}, {setting} {value[0] if isinstance(value, tuple) else value:g}"
            figures += [figure(f"{head}, error on days left out, share of the usual value's", loss, "1"),
                        figure(f"{head}, that over the error on days learned from", 1 + gap, "1")]  # fmt: skip
    return figures, words


def _train(bench: BenchmarkPanel, panel: Any, seed: int) -> Training:
    end = bench.panel.times[bench.test_from]
    return train(panel, targets=(bench.target,), train_end=end, steps=bench.steps, effort="quick", seed=seed)


def _chosen(training: Training, bench: BenchmarkPanel, *, guard: bool) -> TargetChoice:
    """The choice among what was trained, again with the guard or without it."""
    target = bench.target
    own = {name: model for (name, of), model in training.candidates.items() if of == target}
    usual = {name: model for (name, of), model in training.baselines.items() if of == target}
    return choose(own, usual, check_overrides(None, bench.panel, ()), seen=training.seen_of(target), guard=guard)


def _error(error: dict[str, np.ndarray], choice: TargetChoice, macro: str, places: np.ndarray, in_use: bool) -> float:
    """Mean test error (Z, S) of the zones' micromodels, or of the models in use, over a figure's steps."""
    found = []
    for z in range(len(choice.rows)):
        found.append(np.nanmean(error[_served(choice, macro, z, in_use)][z, places]))
    return float(np.nanmean(found))


def _served(choice: TargetChoice, macro: str, z: int, in_use: bool) -> str:
    """Name of a zone's model in use, or of its micromodel."""
    model = str(choice.rows[z]["model_in_use"]) if in_use else "micromodel"
    return {"micromodel": choice.families[z], "macromodel": macro}.get(model, model)
