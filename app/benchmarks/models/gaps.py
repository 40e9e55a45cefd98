"""The gap between validation and test by panel and horizon: shift of the data, optimism, and where that comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.library import Library
from app.benchmarks.models.split import Task
from models.contract import Forecaster
from models.gap_parts import GapParts, gap_parts, nested_loss
from models.generalisation import EXPLAIN_OPTIMISM, GapReport, generalisation_gap
from models.scale import from_scale

Array = np.ndarray
NAIVE, USUAL = "last_value", "historical_average"
MIX = "mix"


def gap_figures(ours: Library) -> list[dict[str, Any]]:
    """Figures of `gaps`."""
    return gaps(ours)[0]


def gaps(ours: Library) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Test over validation error of the best of each kind and of the mix, in parts, and the same in words.

    Where optimism is above 3 % and clear of chance, the model learns once more at the middle of the test part, to tell
    what its age has to do with it.
    """
    bench, figures, words = ours.bench, [], {}
    again: dict[str, Array] = {}
    for task in bench.tasks:
        for kind in ("zone", "city", MIX):
            family, gap, parts = _gap(ours, kind, task, again)
            head = f"{bench.name} {task.name}: {family}"
            figures += [
                figure(f"{head}, test over validation MAE", 1 + parts.total, "1"),
                figure(f"{head}, of which shift of the data (last value)", 1 + parts.shift, "1"),
                figure(f"{head}, optimism", parts.optimism, "1", target=EXPLAIN_OPTIMISM, lower=float(gap.low[0, 0]),
                       upper=float(gap.high[0, 0])),
                figure(f"{head}, optimism by choosing (nested over plain validation)", parts.choosing, "1"),
            ]  # fmt: skip
            if parts.age is not None:
                figures.append(figure(f"{head}, optimism by age (learning the test part's first half)", parts.age, "1"))
            if parts.other_shift is not None:
                second = (1 + parts.total) / (1 + parts.other_shift) - 1
                figures.append(figure(f"{head}, optimism if the usual value's gap is the shift", second, "1"))
            words[f"{task.name}: {family}"] = parts.words()
    return figures, words


def _gap(ours: Library, kind: str, task: Task, again: dict[str, Array]) -> tuple[str, GapReport, GapParts]:
    """The model asked about, its gap, and the parts of that; `again` holds forecasts of those that learned anew."""
    if kind == MIX:
        family = MIX
        plain = nested = ours.validated()[MIX][task.name]  # its weights are of other folds already
    else:
        family, plain, nested = _chosen(ours, kind, task)
    test = ours.test_losses(family, NAIVE, task)
    gap = generalisation_gap(*ours.validation_losses(family, NAIVE, task), *test, level=0.9)
    usual = generalisation_gap(*ours.validation_losses(family, USUAL, task), *ours.test_losses(family, USUAL, task))
    told = {
        "total": float(gap.total[0, 0]), "shift": float(gap.shift[0, 0]), "clear": bool(gap.low[0, 0] > 0),
        "plain": plain, "nested": nested, "other_shift": float(usual.shift[0, 0]),
    }  # fmt: skip
    parts = gap_parts(**told)
    if parts.to_explain:
        if family not in again:
            again[family] = _learned_on(ours, family)
        stale, fresh = _young_and_old(ours, family, task, again[family])
        parts = gap_parts(**told, stale=stale, fresh=fresh)
    return family, gap, parts


def _chosen(ours: Library, kind: str, task: Task) -> tuple[str, float, float]:
    """Best family of a kind on all validation rows, what it promises there, and what choosing by fold keeps."""
    records = {name: record for name, record in ours.records().items() if ours.scope.get(name) == kind}
    losses = {name: np.abs(r.actual - r.point)[:, :, task.places] for name, r in records.items()}
    return nested_loss(losses, next(iter(records.values())).fold)


def _learned_on(ours: Library, family: str) -> Array:
    """Test forecasts (n, Z, S) of a model that learns the first half of the test part, too, where it lies behind."""
    bench, training = ours.bench, ours.training
    middle = (bench.test_from + len(bench.panel)) // 2
    past, end = bench.panel.until(middle), bench.panel.origin(middle - 1)
    late = bench.origins >= middle - 1
    found = ours.forecasts[family].copy()
    own: Forecaster = training.mixes[bench.target] if family == MIX else training.candidates[family, bench.target]
    model = own.refit(past, train_end=end)
    level = model._point(bench.panel, bench.origins[late], np.arange(len(bench.zone_ids)), bench.steps)
    found[late] = from_scale(bench.target, level)
    return found


def _young_and_old(ours: Library, family: str, task: Task, fresh: Array) -> tuple[float, float]:
    """Mean test errors of a model as it was, and with the second half by the one that learned the first."""
    bench = ours.bench
    errors = [np.abs(bench.actual - found)[task.rows][:, :, task.places] for found in (ours.forecasts[family], fresh)]
    return float(np.nanmean(errors[0])), float(np.nanmean(errors[1]))
