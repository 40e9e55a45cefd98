"""Part `transfer`: new zones with few days of readings, against the automatic choice on the same days.

Zones are left out in groups: the donors' training never saw them, and of their readings only the last days before the
test part remain, as inputs of others as well; one that reported for less than a day of them is not scored. From scratch
is `models.training.train` on those days of all zones; of one or two days it makes no choice, and ridge stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.cut import after, around_test, following, hidden
from app.benchmarks.models.panels import load, narrowed
from app.benchmarks.models.split import BenchmarkPanel
from models.baselines import HistoricalAverage
from models.errors import NoDataError
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.newcomers import transfer_all
from models.panel import Panel
from models.training import Training, train

#: Days that new zones have, by panel; those with a longer training part show more.
DAYS: dict[str, tuple[int, ...]] = {"metr": (1, 3), "scats": (1, 3, 7), "pm25": (1, 2, 3, 7, 14, 28, 56)}
STEPS = {"metr": (3, 6, 12), "scats": (1, 4, 96), "pm25": (1, 6, 24)}
GROUPS = {"metr": 4, "scats": 4, "pm25": 4}
#: Groups that are scored: one of a large panel is enough zones, and each zone is forecast by a model of its own.
SCORED = {"metr": 1, "scats": 1, "pm25": 4}
DONOR_DAYS, TEST_DAYS = 180, 28  # of long panels, donors' history and test part that are read
ORIGINS = 250  # scored, at most
WIN_SHARE, ASKED_DAYS = 0.8, 3
LEAST_GRID_DAYS = 4.0  # a training part shorter than this is refused: what comes before is empty then
MEDIAN = QUANTILES.index(0.5)
KINDS = ("transferred", "from scratch", "from scratch, in use", "macromodel", "usual")


@dataclass(frozen=True, eq=False)
class Errors:
    """Mean absolute errors of every zone, (Z, S) by kind of model, in the panel's unit."""

    of: dict[str, np.ndarray]

    def share(self, better: str, than: str) -> np.ndarray:
        """Of each zone scored, whether one kind's error in proportion to the other's is below 1 over the horizons."""
        ratio = np.log(self.of[better] / self.of[than])
        ratio = ratio[np.isfinite(ratio).any(axis=1)]
        return np.asarray(np.nanmean(ratio, axis=1) < 0)

    def mean(self, kind: str) -> np.ndarray:
        """Over the zones, by horizon."""
        return np.asarray(np.nanmean(self.of[kind], axis=0))


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Learning curves of new zones, and in how many zones transfer beats learning from scratch."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    for name in narrowed(DAYS, panels):
        told[name] = {}
        found = curves(load(name), DAYS[name], seed=seed)
        for days, errors in found.items():
            head = f"{name}, {days} day{'s' if days > 1 else ''} of data"
            zones = len(errors.share("transferred", "from scratch"))
            for than in ("from scratch", "from scratch, in use"):
                asked = name in ("metr", "scats") and days == ASKED_DAYS and than == "from scratch, in use"
                won = float(np.mean(errors.share("transferred", than)))
                figures.append(
                    figure(f"{head}: zones where transferred beats {than}", won, "1",
                           target=WIN_SHARE if asked else None, at_most=False, n=zones, seed=seed)
                )  # fmt: skip
            told[name][days] = {kind: errors.mean(kind).round(4).tolist() for kind in KINDS}
    return {"figures": figures, "mean_errors": told, "steps": STEPS}


def curves(bench: BenchmarkPanel, all_days: tuple[int, ...], *, seed: int) -> dict[int, Errors]:
    """Errors by days of data of the new zones."""
    whole, end = around_test(bench, train_days=DONOR_DAYS, test_days=TEST_DAYS)
    steps = STEPS[bench.name]
    origins = np.arange(end - 1, len(whole) - min(steps))
    origins = origins[:: max(1, -(-origins.size // ORIGINS))]
    zones = len(whole.zone_ids)
    group = np.random.default_rng(seed).permutation(zones) % GROUPS[bench.name]
    found = {days: {kind: np.full((zones, len(steps)), np.nan) for kind in KINDS} for days in all_days}
    actual = following(whole.values[bench.target], origins, steps)
    for days in all_days:
        for kind, errors in _scratch(whole, bench.target, end, days, origins, steps, actual, seed).items():
            found[days][kind] = errors
    for k in range(SCORED[bench.name]):
        new = np.flatnonzero(group == k)
        blind = hidden(whole, new, len(whole))
        training = train(
            blind, targets=[bench.target], train_end=whole.origin(end - 1), steps=steps,
            families=("ridge", "macro_xgboost"), seed=seed,
        )  # fmt: skip
        for days in all_days:
            told = hidden(whole, new, end - days * whole.steps_per_day)
            heard = np.isfinite(told.values[bench.target][:end, new]).sum(axis=0) >= whole.steps_per_day
            found[days] = _transferred(training, told, bench.target, new[heard], origins, steps, actual, found[days])
    return {days: Errors(errors) for days, errors in found.items()}


def _transferred(training, panel, target, new, origins, steps, actual, found):  # type: ignore[no-untyped-def]
    """With the errors of a group's new zones filled in."""
    ids = [panel.zone_ids[z] for z in new]
    models = transfer_all(training, panel, target, ids)
    at = panel.origins(origins)
    for zone, z in zip(ids, new):
        model = models[zone]
        for kind, one in (("transferred", model), ("macromodel", model.members[-1])):
            point = one.forecast(panel, origins=at, steps=steps)[:, 0, :, MEDIAN]
            found[kind][z] = np.nanmean(np.abs(point - actual[:, z]), axis=0)
    return found


def _scratch(  # type: ignore[no-untyped-def]
    whole, target, end, days, origins, steps, actual, seed
) -> dict[str, np.ndarray]:
    """Errors of what is learned from the last days alone, by kind."""
    spd = whole.steps_per_day
    first = max(0, end - int(max(days, LEAST_GRID_DAYS) * spd))
    short = after(hidden(whole, np.arange(len(whole.zone_ids)), end - days * spd), first)
    at = whole.origins(origins)
    until = whole.origin(end - 1)
    try:
        training = train(short, targets=[target], train_end=until, steps=steps, seed=seed)
    except NoDataError:
        return _lines_of(short, target, until, at, steps, actual, seed)
    return _errors_of(training, short, target, at, steps, actual)


def _lines_of(short, target, until, at, steps, actual, seed):  # type: ignore[no-untyped-def]
    """Errors where there are too few days for a choice: ridge stands for it, and the mean day for the usual one.

    Zones without a day of readings among them learn nothing and are not scored.
    """
    found = {}
    heard = np.isfinite(short.values[target][: short.known_by(until)]).sum(axis=0) >= short.steps_per_day
    zones, place = tuple(np.asarray(short.zone_ids)[heard]), np.flatnonzero(heard)
    line, mean = LearnedForecaster("ridge", seed=seed), HistoricalAverage(seed=seed)
    for kind, model in (("from scratch", line), ("usual", mean)):
        model.fit(short, target=target, zone_ids=zones, train_end=until, steps=steps)
        point = model.forecast(short, origins=at, steps=steps)[..., MEDIAN]
        found[kind] = np.full((len(short.zone_ids), len(steps)), np.nan)
        found[kind][place] = np.nanmean(np.abs(point - actual[:, place]), axis=0)
    return {**found, "from scratch, in use": found["from scratch"]}


def _errors_of(training: Training, panel: Panel, target, at, steps, actual) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    zones = training.zones(target)
    place = panel.columns(zones)
    choices = training.choices[training.choices["target"] == target].set_index("zone_id")
    models = {name: m for (name, of), m in {**training.candidates, **training.baselines}.items() if of == target}
    points = {
        name: model.forecast(panel, origins=at, steps=steps)[..., MEDIAN]
        for name, model in {**models, "_mix": training.mixes[target]}.items()
    }
    found = {
        kind: np.full((len(panel.zone_ids), len(steps)), np.nan) for kind in KINDS if kind.startswith(("from", "us"))
    }
    for z, (zone, column) in enumerate(zip(zones, place)):
        own = points[training.micromodels[zone, target].name][:, z]
        kind = choices.loc[zone, "model_in_use"]
        macro = points[training.macromodels[target].name][:, z]
        used = {"micromodel": own, "macromodel": macro, "mix": points["_mix"][:, z]}[str(kind)]
        for name, point in (
            ("from scratch", own), ("from scratch, in use", used), ("usual", points["historical_average"][:, z])
        ):  # fmt: skip
            found[name][column] = np.nanmean(np.abs(point - actual[:, column]), axis=0)
    return found
