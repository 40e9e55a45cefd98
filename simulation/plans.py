"""Several plans against one base: what each changes against today, and what one changes against another.

All runs with one seed share their luck, so two plans are compared pair by pair like a plan with today: the difference
of two effects is far surer than either interval suggests. Every run is a replication as a study keeps it, and is not
repeated where the store has it; the base runs once a seed for all plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from data.store.protocol import Store
from data.work import chosen_place, spread
from simulation.city import City
from simulation.effects import CONFIDENCE, effects
from simulation.errors import RunError, StudyCancelled
from simulation.kpis import Rates, default_groups, read_rates
from simulation.kpis.figures import Frame
from simulation.replication import Replication, Side, key_of, replicate, stored, to_bytes
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.scenario import Scenario
from simulation.study import DEFAULT_START, touched_zones
from simulation.study_weather import typical_air

#: Called with (runs done, in all, message).
Progress = Callable[[int, int, str], Any]
_KEY = ["quantity", "scope", "zone_id", "hour", "unit"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Plans:
    """What several plans change.

    Attributes
    ----------
    effects : DataFrame
        `data.schemas.EFFECTS`: every plan against today, one below the other; 90 % intervals.
    differences : DataFrame
        `first`, `second`, `quantity`, `scope`, `zone_id`, `hour`, `unit`, `first_value`, `second_value`, `difference`
        (second less first), `lower`, `upper` (90 %, each pair by itself), `family_lower`, `family_upper` (Bonferroni's:
        90 % for all pairs of plans at once), `n`.
    seeds : tuple of int
    inside : tuple of str
        Zones that hold a link of a measure of any plan.
    forced_moves : dict of tuple of int
        By name (`""`: today), by seed: vehicles moved to keep the network from locking.
    """

    effects: pd.DataFrame
    differences: pd.DataFrame
    seeds: tuple[int, ...]
    inside: tuple[str, ...]
    forced_moves: dict[str, tuple[int, ...]]


def compare_plans(
    city: City,
    scenarios: Sequence[Scenario],
    *,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    days: float = 1,
    start: str | pd.Timestamp = DEFAULT_START,
    weather: pd.DataFrame | None = None,
    background: pd.DataFrame | None = None,
    store: Store | None = None,
    rates: Rates | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    pairwise: bool = True,
) -> Plans:
    """Run today and every plan with the same seeds.

    Parameters
    ----------
    city : City
        The base.
    scenarios : sequence of Scenario
        With different names.
    seeds : sequence of int
    days : float
        Length of each run.
    start : str or Timestamp
        Begin, local time.
    weather, background : DataFrame, optional
        As `City.run` takes them, the same for every run; without, one typical draw of synthetic weather.
    store : Store, optional
        Keeps every replication as it is finished; what is there is not run again.
    rates : Rates, optional
        What time and harm cost; default `read_rates()`.
    n_jobs : int
        Processes; the result does not depend on it.
    progress : callable, optional
    cancelled : callable, optional
        Asked after every run, and every simulated hour with one process.
    pairwise : bool
        Whether to compare plans with each other; a sweep of many has too many pairs.

    Returns
    -------
    Plans

    Raises
    ------
    ScenarioError
        With every measure of every plan that does not fit the city.
    RunError
        If there is no plan or seed, or the same one twice.
    StudyCancelled
        If `cancelled` says so; finished runs are in the store.
    """
    seeds = tuple(int(seed) for seed in seeds)
    _check(city, scenarios, seeds)
    if weather is None:
        typical, around = typical_air(city, start, days)
        weather, background = typical, around if background is None else background
    touched = {zone for one in scenarios for zone in touched_zones(city, one)}
    inside = tuple(zone for zone in city.zones["zone_id"] if zone in touched)
    frame = Frame.of(city, inside, default_groups(city.zones), read_rates() if rates is None else rates, {})

    def side(of: City, what: Scenario | None) -> Side:
        return Side(
            city=of, scenario=what, inside=inside, days=days, start=start, weather=weather, background=background,
            frame=frame,
        )  # fmt: skip

    sides = [side(city, None), *(side(one.apply(city), one) for one in scenarios)]
    values: list[list[pd.Series]] = [[] for _ in sides]
    moves: list[list[int]] = [[] for _ in sides]
    total = len(sides) * len(seeds)
    for done, (k, found) in enumerate(_runs(sides, seeds, store, n_jobs, cancelled), start=1):
        values[k].append(found.values)
        moves[k].append(found.forced_moves)
        if progress is not None:
            progress(done, total, f"run {done} of {total}")
    names = ["", *(one.name for one in scenarios)]
    told = [effects(name, values[0], own) for name, own in zip(names[1:], values[1:])]
    return Plans(
        effects=pd.concat(told, ignore_index=True),
        differences=differences(names[1:], values[1:]) if pairwise else differences([], []),
        seeds=seeds, inside=inside, forced_moves={name: tuple(own) for name, own in zip(names, moves)},
    )  # fmt: skip


def differences(names: Sequence[str], values: Sequence[Sequence[pd.Series]]) -> pd.DataFrame:
    """Paired differences between plans.

    Parameters
    ----------
    names : sequence of str, length k
    values : sequence of sequences of Series
        Of each plan, what `simulation.effects.measure` gave with each seed, in one order of the seeds.

    Returns
    -------
    DataFrame
        As `Plans.differences`: k (k - 1) / 2 pairs; bounds are missing with one seed alone.

    References
    ----------
    Law (2015), Simulation Modeling and Analysis, 5th ed., sections 10.2.1 and 10.3 (paired t and Bonferroni's
    inequality over comparisons).
    """
    columns = ["first", "second", *_KEY, "first_value", "second_value", "difference", "lower", "upper"]
    columns += ["family_lower", "family_upper", "n"]
    pairs = list(combinations(range(len(names)), 2))
    if not pairs:
        return pd.DataFrame(columns=columns)
    tables = [pd.concat(list(own), axis=1) for own in values]
    index = tables[0].index
    for table in tables[1:]:
        index = index.intersection(table.index, sort=False)
    cube = np.stack([table.loc[index].to_numpy(dtype=float) for table in tables])  # (plans, keys, seeds)
    known = np.isfinite(cube).all(axis=(0, 2))
    cube, labels = cube[:, known], index[known].to_frame(index=False, name=_KEY)
    n = cube.shape[2]
    parts = []
    for a, b in pairs:
        gap = cube[b] - cube[a]
        mean = gap.mean(axis=1)
        error = gap.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(mean.shape, np.nan)
        alone, family = (
            student.ppf(1.0 - (1.0 - CONFIDENCE) / 2 / count, max(n - 1, 1)) * error for count in (1, len(pairs))
        )
        parts.append(labels.assign(
            first=names[a], second=names[b], first_value=cube[a].mean(axis=1), second_value=cube[b].mean(axis=1),
            difference=mean, lower=mean - alone, upper=mean + alone, family_lower=mean - family,
            family_upper=mean + family, n=n,
        ))  # fmt: skip
    return pd.concat(parts, ignore_index=True)[columns]


def _runs(
    sides: Sequence[Side],
    seeds: Sequence[int],
    store: Store | None,
    n_jobs: int,
    cancelled: Callable[[], bool] | None,
) -> Iterator[tuple[int, Replication]]:
    """Number of the side and its replication, seed by seed; each is stored as it ends. Equal sides run once."""
    names = [side.name() for side in sides]
    first = {name: k for k, name in reversed(list(enumerate(names)))}
    tasks = [(k, seed) for seed in seeds for k in range(len(sides))]
    have = [_kept(store, names[k], seed) if first[names[k]] == k else None for k, seed in tasks]
    missing = [task for task, there in zip(tasks, have) if there is None and first[names[task[0]]] == task[0]]

    def stop() -> None:
        if cancelled is not None and cancelled():
            raise StudyCancelled("stopped; finished runs are kept where there is a store")

    def tick(done: float, total: float, message: str) -> None:
        stop()

    def keep(at: int, found: Replication) -> None:
        k, seed = missing[at]
        if store is not None:
            store.put(key_of(names[k], seed, gap=False), to_bytes(found))

    def one_by_one() -> Iterator[Replication]:
        for at, (k, seed) in enumerate(missing):
            found = replicate(sides[k], seed, gap=False, tick=tick)
            keep(at, found)
            yield found

    if chosen_place() is None and (n_jobs == 1 or len(missing) < 2):
        made = one_by_one()
    else:
        made = spread(_replicate, [(sides[k], seed) for k, seed in missing], n_jobs=n_jobs, keep=keep)
    of_seed: dict[tuple[int, int], Replication] = {}
    for (k, seed), there in zip(tasks, have):
        stop()
        if first[names[k]] != k:
            yield k, of_seed[first[names[k]], seed]
            continue
        found = next(made) if there is None else there
        if k == 0:
            of_seed.clear()  # a seed's runs are needed until its last side
        of_seed[k, seed] = found
        yield k, found


def _replicate(side: Side, seed: int) -> Replication:
    return replicate(side, seed, gap=False, tick=None)


def _kept(store: Store | None, name: str, seed: int) -> Replication | None:
    """A stored replication, with or without the gap of its ways: its figures are the same."""
    found = stored(store, key_of(name, seed, gap=False))
    return found if found is not None else stored(store, key_of(name, seed, gap=True))


def _check(city: City, scenarios: Sequence[Scenario], seeds: Sequence[int]) -> None:
    names = [one.name for one in scenarios]
    faults = []
    if not names:
        faults.append("no scenario; at least one is needed")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(f"scenarios of one name: {', '.join(twice)}; give each its own 'name:'")
    if not seeds or len(set(seeds)) < len(seeds):
        faults.append(f"seeds={list(seeds)}: at least one is needed, each once")
    if faults:
        raise RunError("these plans cannot be compared: " + "; ".join(faults))
    wrong = [
        Fault(fault.text, where=f"{one.name}: {fault.where}", line=fault.line)
        for one in scenarios
        for fault in one.check(city)
    ]
    if wrong:
        raise ScenarioError(wrong, source=f"scenarios in {city.label}")
