"""The library on a panel: every family trained on the training part alone, chosen, and forecast on the test part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.benchmarks.models.split import BenchmarkPanel, Task
from models.compare import model_levels
from models.following import follow
from models.intervals import QUANTILES
from models.scale import from_scale
from models.serving import around_in_use, follow_in_use
from models.training import Training, train
from models.validation import Validation

Array = np.ndarray
AUTOMATIC, AS_LEARNED = "automatic", "automatic as learned"
_MEDIAN = QUANTILES.index(0.5)


@dataclass(frozen=True, eq=False)
class Library:
    """What the library made of a panel.

    Attributes
    ----------
    bench : BenchmarkPanel
    training : Training
    forecasts : dict of str to ndarray, shape (n, Z, S)
        Point forecasts of the test part in the panel's unit: every family and baseline, `micromodel` (each zone's own
        choice), `macromodel`, `mix`, `automatic as learned` (what the choice puts in use) and `automatic`: the same as
        it serves, which follows its own late errors.
    levels : dict of str to ndarray
        The same on the model's scale, but for `automatic`.
    quantiles : ndarray, shape (n, Z, S, Q)
        Of the automatic choice as it serves, the panel's unit.
    scope : dict of str to str
        "zone", "city" or "baseline", by family.
    seconds : dict of str to float
        CPU seconds of fitting with validation, by candidate; the first bears the features made for all.
    forecast_s : float
        CPU seconds of all test forecasts.
    """

    bench: BenchmarkPanel
    training: Training
    forecasts: dict[str, Array]
    levels: dict[str, Array]
    quantiles: Array
    scope: dict[str, str]
    seconds: dict[str, float]
    forecast_s: float

    def validated(self) -> dict[str, dict[str, float]]:
        """Out-of-fold MAE by family and figure, in the panel's telling unit."""
        return {name: self._task_errors(record) for name, record in self.records().items()}

    def records(self) -> dict[str, Validation]:
        """Out-of-fold forecasts by candidate and baseline, those of the macromodel, and the mix's."""
        training, target = self.training, self.bench.target
        models = {name: model for (name, _), model in {**training.candidates, **training.baselines}.items()}
        if target in training.macromodels:
            models["macromodel"] = training.macromodels[target]
        if target in training.mixes:
            models["mix"] = training.mixes[target]
        return {name: model.validation for name, model in models.items() if model.validation is not None}

    def _task_errors(self, record: Validation) -> dict[str, float]:
        error = np.abs(record.actual - record.point) * self.bench.per_unit
        return {task.name: float(np.nanmean(error[:, :, task.places])) for task in self.bench.tasks}

    def validation_losses(self, name: str, naive: str, task: Task) -> tuple[Array, Array, Array]:
        """Absolute errors (n, Z, 1) of two models on the validation part, averaged over a figure's steps, and days."""
        records = self.records()
        own, other = (_averaged(records[n].actual - records[n].point, task) for n in (name, naive))
        return own, other, records[name].day

    def test_losses(self, name: str, naive: str, task: Task) -> tuple[Array, Array, Array]:
        """The same on the test part."""
        bench = self.bench
        found = [_averaged((bench.actual - self.forecasts[n])[task.rows], task) for n in (name, naive)]
        return found[0], found[1], bench.days[task.rows]

    def best(self, scope: str) -> dict[str, str]:
        """Family of a kind with the least out-of-fold error, by figure."""
        validated = self.validated()
        names = [name for name, of in self.scope.items() if of == scope]
        return {task.name: min(names, key=lambda n: validated[n][task.name]) for task in self.bench.tasks}

    def static(self) -> Array:
        """Quantiles (n, Z, S, Q) of the automatic choice with static intervals of each zone, the panel's unit."""
        bench = self.bench
        return around_in_use(self.training, bench.target, bench.panel, bench.origins, levels=self.levels)

    def following(self, family: str) -> Array:
        """Point forecasts (n, Z, S) of a family that follows its own late errors as the automatic choice does."""
        bench, model = self.bench, self.training.candidates[family, self.bench.target]
        fan = follow(model, bench.panel, bench.origins, level=self.levels[family], train_end=bench.test_from)
        return fan[..., _MEDIAN]


def errors_by_zone(bench: BenchmarkPanel, training: Training) -> dict[str, Array]:
    """Mean absolute test error of every model of a training, (Z, S), the panel's unit."""
    levels = model_levels(bench.panel, training, bench.target, bench.zone_ids, bench.origins, bench.steps)
    return {
        name: np.nanmean(np.abs(bench.actual - from_scale(bench.target, level)), axis=0)
        for name, level in levels.items()
    }


def _averaged(error: Array, task: Task) -> Array:
    """Mean absolute error over a figure's steps, (n, Z, 1); `nan` where none was read."""
    size = np.abs(error[:, :, task.places])
    known = np.isfinite(size)
    count = known.sum(axis=2, keepdims=True)
    total = np.where(known, size, 0.0).sum(axis=2, keepdims=True)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def run_library(
    bench: BenchmarkPanel, *, effort: str = "standard", families: Sequence[str] | None = None, seed: int = 1
) -> Library:
    """Train on the training part, choose there, forecast every origin of the test part."""
    panel = bench.panel
    training = train(
        panel, targets=(bench.target,), train_end=panel.times[bench.test_from], steps=bench.steps, effort=effort,
        families=families, seed=seed,
    )  # fmt: skip
    begun = time.process_time()
    levels = model_levels(panel, training, bench.target, bench.zone_ids, bench.origins, bench.steps)
    levels[AS_LEARNED] = levels.pop("in_use")
    quantiles = follow_in_use(training, bench.target, panel, bench.origins, levels=levels, train_end=bench.test_from)
    spent = time.process_time() - begun
    forecasts = {name: from_scale(bench.target, level) for name, level in levels.items()}
    forecasts[AUTOMATIC] = quantiles[..., _MEDIAN]
    scope = {name: model.scope for (name, _), model in training.candidates.items()}
    scope |= {name: "baseline" for name, _ in training.baselines}
    return Library(
        bench=bench, training=training, forecasts=forecasts, levels=levels, quantiles=quantiles, scope=scope,
        seconds={name: s for (name, _), s in training.seconds.items()}, forecast_s=spent,
    )  # fmt: skip
