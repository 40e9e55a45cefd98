"""What a plan is judged by: citywide effects against the base, from the same runs that a preview learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.store.protocol import MemoryStore, Store
from simulation.air.health.exposure import population
from simulation.city import City
from simulation.preview.ensemble import QUANTITIES, Ensemble, simulate
from simulation.preview.preview import Preview
from simulation.preview.window import Window
from simulation.search.plans import Plan, Question
from simulation.search.search import Evaluate, Foresee

_NAMES = list(QUANTITIES)


def simulated_objectives(question: Question) -> tuple[str, ...]:
    """Objectives that need a simulation."""
    return tuple(name for name in question.objectives if name != "cost")


def objectives_of(zones: np.ndarray, city: City, names: Sequence[str]) -> np.ndarray:
    """Citywide numbers of zones' values: sums, concentrations by area, and by people where they live.

    Parameters
    ----------
    zones : ndarray, shape (..., Z, Q)
        Order of `simulation.preview.ensemble.QUANTITIES`.
    names : sequence of str
        Of `simulation.search.plans.OBJECTIVES`, without `cost`.

    Returns
    -------
    ndarray, shape (..., len(names))
    """
    area = city.zones["area_m2"].to_numpy(float)
    people = _people(city)
    columns = []
    for name in names:
        if name in ("no2", "no2_exposure"):
            values = zones[..., _NAMES.index("no2")]
            weight = np.where(np.isfinite(values), people if name == "no2_exposure" else area, 0.0)
            columns.append((np.nan_to_num(values) * weight).sum(axis=-1) / np.maximum(weight.sum(axis=-1), 1e-12))
        else:
            columns.append(np.nan_to_num(zones[..., _NAMES.index(name)]).sum(axis=-1))
    return np.stack(columns, axis=-1)


def _people(city: City) -> np.ndarray:
    if {"population", "homes"} & set(city.zones.columns):
        found = population(city.zones).reindex(city.zones["zone_id"]).to_numpy(float)
        if np.nansum(found) > 0:
            return np.nan_to_num(found)
    return city.zones["area_m2"].to_numpy(float)


def evaluator(
    city: City, question: Question, *, window: Window, seeds: Sequence[int] = (1,), store: Store | None = None
) -> Evaluate:
    """Simulates a plan under common random numbers: mean effects over the seeds. The base is simulated once."""
    return _Evaluator(city, question, window, tuple(seeds), store if store is not None else MemoryStore())


@dataclass(frozen=True, eq=False)
class _Evaluator:
    """A plan's mean effects. Another process keeps the base's runs in a store of its own."""

    city: City
    question: Question
    window: Window
    seeds: tuple[int, ...]
    store: Store

    def __call__(self, plan: Plan) -> np.ndarray:
        ensemble = simulate(
            self.city, [self.question.scenario(plan)], window=self.window, seeds=self.seeds, store=self.store
        )
        return np.asarray(pair_effects(ensemble, self.city, simulated_objectives(self.question)).mean(axis=0))

    def __reduce__(self) -> tuple[Any, ...]:
        return _anew, (self.city, self.question, self.window, self.seeds)


def _anew(city: City, question: Question, window: Window, seeds: tuple[int, ...]) -> _Evaluator:
    return _Evaluator(city, question, window, seeds, MemoryStore())


def pair_effects(ensemble: Ensemble, city: City, names: Sequence[str]) -> np.ndarray:
    """Effects of the ensemble's first scenario by seed, shape (S, len(names))."""
    return objectives_of(ensemble.values[0], city, names) - objectives_of(ensemble.base, city, names)


def foreseer(preview: Preview, question: Question) -> Foresee:
    """A preview's word on plans; each plan is asked about once."""
    names = simulated_objectives(question)
    known: dict[Plan, np.ndarray] = {}
    place = {zone: k for k, zone in enumerate(preview.zone_ids)}

    def one(plan: Plan) -> np.ndarray:
        if plan not in known:
            table = preview.ask(question.scenario(plan)).effects
            rows = table[table["zone_id"] != ""]
            zones = np.zeros((2, len(place), len(_NAMES)))
            at = rows["zone_id"].map(place).to_numpy(), rows["quantity"].map(_NAMES.index).to_numpy()
            zones[0][at] = rows["base"]
            zones[1][at] = rows["base"] + rows["effect"]
            values = objectives_of(zones, preview.city, names)
            known[plan] = values[1] - values[0]
        return known[plan]

    return lambda plans: np.stack([one(plan) for plan in plans])


def zone_table(ensemble: Ensemble) -> pd.DataFrame:
    """Mean effect of the first scenario on every zone: `zone_id` and a column a quantity."""
    return pd.DataFrame(ensemble.effects[0], columns=_NAMES).assign(zone_id=list(ensemble.zone_ids))
