"""Peers in the same job: the same readings, origins and tries, each tuned on the validation part alone.

`naive` needs nothing; `boosted` needs LightGBM; `nixtla` needs mlforecast and statsforecast (extra `bench`). What is
not installed is told and left out. Read `inputs` for what peers look at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from app.benchmarks.models.inputs import Inputs
from app.benchmarks.models.score import differences, scores
from app.benchmarks.models.split import BenchmarkPanel
from models.errors import PanelError
from models.horizons import followed
from models.intervals.bias import DecayingBias

Array = np.ndarray

_log = logging.getLogger(__name__)

#: Zones on which the setting of a model a zone is chosen (assumed: choices agree over zones).
ZONES_TRIED = 30


@dataclass(frozen=True, eq=False)
class Peer:
    """Forecasts of one peer.

    Attributes
    ----------
    name : str
    forecasts, validation : ndarray, shape (n, Z, S)
        Of the test and of the validation part, panel's unit; `nan` where it was not run.
    cpu_s : float
        CPU seconds of everything it took: features, tries, fits, forecasts.
    tries : int
        Settings that were tried at each tuned horizon.
    note : str
    """

    name: str
    forecasts: Array
    validation: Array
    cpu_s: float
    tries: int = 1
    note: str = ""

    @property
    def whole(self) -> bool:
        """Whether every origin and zone of the validation part was forecast."""
        return bool(np.isfinite(self.validation).all())


@dataclass(frozen=True, eq=False)
class Peers:
    """All peers of a panel.

    Attributes
    ----------
    bench, validation : BenchmarkPanel
    found : dict of str to Peer
    missing : dict of str to str
        Why a peer is not there.
    """

    bench: BenchmarkPanel
    validation: BenchmarkPanel
    found: dict[str, Peer]
    missing: dict[str, str] = field(default_factory=dict)

    def errors(self, *, part: str = "test") -> dict[str, dict[str, tuple[float, float]]]:
        """MAE and RMSE by peer and figure; of the part `test` or `validation`."""
        told = {}
        for name, peer in self.found.items():
            if part == "test":
                made = scores(self.bench, peer.forecasts)
            else:
                made = scores(self.validation, peer.validation)
            told[name] = {figure: (score.mae, score.rmse) for figure, score in made.items()}
        return told

    def best(self, *, measure: str = "mae") -> dict[str, str]:
        """Best peer of every figure, chosen on the validation part.

        A peer that was run for some origins or zones only is held against the best of the others there, and must
        beat it beyond doubt.

        Parameters
        ----------
        measure : {"mae", "rmse"}
        """
        if measure not in ("mae", "rmse"):
            raise PanelError(f"measure={measure!r}; allowed are 'mae' and 'rmse'")
        whole = [name for name, peer in self.found.items() if peer.whole]
        parts = [name for name in self.found if name not in whole]
        validated = {name: self._validated(self.found[name].validation, measure) for name in self.found}
        chosen = {}
        for task in self.bench.tasks:
            best = min(whole, key=lambda name: validated[name][task.name])
            for name in parts:
                held = differences(
                    self.validation, self.found[name].validation, self.found[best].validation, measure=measure
                )
                if held[task.name].beats:  # a few origins may favour anyone
                    best = name
            chosen[task.name] = best
        return chosen

    def following(self, name: str) -> Array:
        """Test forecasts (n, Z, S) of a peer that follows its own late errors, as our forecasters do in service.

        How fast errors are forgotten is chosen on the validation part; see `models.intervals.bias`. Errors are those in
        the panel's unit: a peer may forecast less than nothing, which has no place on a model's scale.
        """
        bench, before, peer = self.bench, self.validation, self.found[name]
        steps = np.asarray(bench.steps)
        forecasts = np.concatenate([peer.validation, peer.forecasts]).astype(float)
        known = np.concatenate([before.origins, bench.origins])
        later = known.size - before.origins.size
        unseen = DecayingBias.fit(before.actual - forecasts[:-later], before.origins, steps, bench.panel.steps_per_day)
        readings = followed(bench.panel.values[bench.target], known[:, None] + steps)
        added, _ = unseen.follow(known, steps, readings - forecasts, None)
        return (forecasts + added)[-later:]

    def _validated(self, forecasts: Array, measure: str) -> dict[str, float]:
        return {name: getattr(score, measure) for name, score in scores(self.validation, forecasts).items()}


def run_peers(bench: BenchmarkPanel, *, seed: int = 1, only: Sequence[str] | None = None) -> Peers:
    """Run every peer that is installed.

    Parameters
    ----------
    bench : BenchmarkPanel
        Its training part is split once more for tuning; see `BenchmarkPanel.validation`.
    seed : int
    only : sequence of str or None
        Some of `KINDS`; the naive ones always run.

    Returns
    -------
    Peers
        One thread; a package that is lacking is logged and told in `missing`.
    """
    unknown = sorted(set(only or ()) - set(KINDS))
    if unknown:
        raise PanelError(f"no peers {unknown}; there are {sorted(KINDS)}")
    validation = bench.validation()
    found, missing = naive(bench, validation), {}
    for kind, (packages, make) in KINDS.items():
        if only is not None and kind not in only:
            continue
        lacking = [name for name in packages if find_spec(name) is None]
        if lacking:
            missing[kind] = f"not installed: {', '.join(lacking)}; install zonewise[bench]"
            _log.warning("peer %s left out; %s", kind, missing[kind])
            continue
        try:
            made = make(bench, validation, seed)
        except Exception as error:  # a peer that fails must not end the benchmark; it is told instead
            missing[kind] = f"failed: {type(error).__name__}: {error}"
            _log.warning("peer %s left out; %s", kind, missing[kind], exc_info=True)
            continue
        found |= {peer.name: peer for peer in made}
    return Peers(bench, validation, found, missing)


def naive(bench: BenchmarkPanel, validation: BenchmarkPanel) -> dict[str, Peer]:
    """The last reading, and the reading a day and a week before; where there is none, what stands in is the other."""
    made: dict[str, Callable[[Inputs, Array, int], Array]] = {
        "last value": lambda source, known, step: source.last[known],
        "seasonal naive (day)": lambda source, known, step: _before(source, known, step, days=1),
        "seasonal naive (week)": lambda source, known, step: _before(source, known, step, days=7),
    }
    found = {}
    for name, forecast in made.items():
        start = time.process_time()
        parts = []
        for part in (bench, validation):
            source = Inputs(part)
            told = np.stack([forecast(source, part.origins, step) for step in part.steps], axis=2)
            parts.append(told.astype(float) * source.scale[:, None] + source.mean[:, None])
        found[name] = Peer(name, parts[0], parts[1], time.process_time() - start)
    return found


def _before(source: Inputs, known: Array, step: int, *, days: int) -> Array:
    calendar = source.bench.panel.calendar
    back = (calendar.day_before if days == 1 else calendar.week_before)[known + step]
    usable = (back >= 0) & (back <= known)
    return np.where(usable[:, None], source.last[np.clip(back, 0, known)], source.last[known])


def _pooled(bench: BenchmarkPanel, validation: BenchmarkPanel, seed: int) -> list[Peer]:
    return _tuned("LightGBM", Inputs, bench, validation, seed)


def _mlforecast(bench: BenchmarkPanel, validation: BenchmarkPanel, seed: int) -> list[Peer]:
    from app.benchmarks.models.nixtla import MLForecastInputs

    return _tuned("mlforecast + LightGBM", MLForecastInputs, bench, validation, seed)


def _tuned(name: str, kind: type[Inputs], bench: BenchmarkPanel, validation: BenchmarkPanel, seed: int) -> list[Peer]:
    """One model of all series for each horizon, under both losses."""
    from app.benchmarks.models.boosted import LOSSES, SHAPES, TUNE_ROWS, forecast, tune

    start = time.process_time()
    before = kind(validation)
    tuned = tune(before, tuned_steps(bench), seed=seed)
    after = kind(bench)
    _ = after.common
    shared = (time.process_time() - start) / len(LOSSES)
    found = []
    for loss in LOSSES:
        start = time.process_time()
        validated = forecast(before, tuned, loss, most_rows=TUNE_ROWS, seed=seed)
        told = forecast(after, tuned, loss, seed=seed)
        best = {step: (t.shape.about, t.shape.leaves, t.rounds) for (step, of), t in tuned.best.items() if of == loss}
        note = "; ".join(f"step {s}: {a}, {leaves} leaves, {n} rounds" for s, (a, leaves, n) in best.items())
        cpu_s = shared + time.process_time() - start
        found.append(Peer(f"{name} {loss}", told, validated, cpu_s, len(SHAPES) * len(LOSSES), note))
    return found


def _zone_by_zone(bench: BenchmarkPanel, validation: BenchmarkPanel, seed: int) -> list[Peer]:
    from app.benchmarks.models.boosted import LOSSES, ZONE_SHAPES, forecast_zones

    start = time.process_time()
    before, zones = Inputs(validation), np.arange(len(bench.zone_ids))
    some = np.unique(np.linspace(0, len(zones) - 1, min(ZONES_TRIED, len(zones))).astype(np.int64)).tolist()
    ends = {max(task.steps) for task in bench.tasks}
    steps = bench.steps if len(bench.steps) <= 4 else tuple(sorted({bench.steps[0], *ends}))
    tries = {}
    for shape in ZONE_SHAPES:
        for loss in LOSSES:
            told = forecast_zones(before, (shape, loss), steps=steps, zones=some, seed=seed)
            tries[shape, loss] = told, np.mean([s.mae for s in scores(validation, told).values()])
    best = min(tries, key=lambda key: tries[key][1])
    made = forecast_zones(Inputs(bench), best, steps=steps, zones=zones.tolist(), seed=seed)
    note = f"{best[0].about}, {best[1]}; setting chosen on {len(some)} zones"
    if steps != bench.steps:
        note += f"; fitted at steps {steps}, linear between"
    return [Peer("LightGBM per zone", made, tries[best][0], time.process_time() - start, len(tries), note)]


def _statistical(bench: BenchmarkPanel, validation: BenchmarkPanel, seed: int) -> list[Peer]:
    from app.benchmarks.models.nixtla import statistical

    before, after = statistical(validation), statistical(bench)
    found = []
    for name, (told, cpu_s) in after.items():
        validated, spent = before[name]
        run = np.isfinite(told[:, :, 0])
        note = f"{run.any(axis=1).sum()} of {len(run)} origins, {run.any(axis=0).sum()} of {run.shape[1]} zones"
        found.append(Peer(f"statsforecast {name}", told, validated, cpu_s + spent, 1, note))
    return found


def tuned_steps(bench: BenchmarkPanel) -> tuple[int, ...]:
    """Horizons at which settings are tried; those between take the nearest one's."""
    steps = bench.steps
    return steps if len(steps) <= 4 else (steps[len(steps) // 4 - 1], steps[-1])


#: Packages that a kind of peer needs, and how it is run.
KINDS: dict[str, tuple[tuple[str, ...], Callable[[BenchmarkPanel, BenchmarkPanel, int], list[Peer]]]] = {
    "lightgbm": (("lightgbm",), _pooled),
    "mlforecast": (("lightgbm", "mlforecast"), _mlforecast),
    "zones": (("lightgbm",), _zone_by_zone),
    "statsforecast": (("statsforecast",), _statistical),
}
