"""A study: base and scenario under common random numbers, over several seeds, with the uncertainty of the effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from simulation.city import City
from simulation.effects import Outcome, effects, link_effects, measure
from simulation.errors import RunError, StudyCancelled
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.scenario import Scenario

#: Called with (replications done, in all, message, effects so far or None).
Progress = Callable[[int, int, str, pd.DataFrame | None], Any]
DEFAULT_START = "2026-01-27"  # a Tuesday


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """What a study found.

    Attributes
    ----------
    effects : DataFrame
        `data.schemas.EFFECTS`: by quantity, for the city, inside and outside the places of the measures, by zone and
        by hour; 90 % intervals over the seeds.
    link_effects : DataFrame
        Flow and speed of each link before and after.
    seeds : tuple of int
    inside : tuple of str
        Zones that hold a link of a measure.
    forced_moves : tuple of (int, int)
        Vehicles moved to keep the network from locking, base and scenario, by seed.
    """

    effects: pd.DataFrame
    link_effects: pd.DataFrame
    seeds: tuple[int, ...]
    inside: tuple[str, ...]
    forced_moves: tuple[tuple[int, int], ...]


def run_study(
    city: City,
    scenario: Scenario,
    *,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    days: float = 1,
    start: str | pd.Timestamp = DEFAULT_START,
    weather: pd.DataFrame | None = None,
    background: pd.DataFrame | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    n_jobs: int = 1,
) -> Study:
    """Run base and scenario pair by pair and tell what changes, and how surely.

    Parameters
    ----------
    city : City
        The base.
    scenario : Scenario
    seeds : sequence of int
        One pair of runs each.
    days : float
        Length of each run.
    start : str or Timestamp
        Begin, local time.
    weather, background : DataFrame, optional
        As `City.run`, the same for every pair; synthetic, another for each seed, if left out.
    progress : callable, optional
    cancelled : callable, optional
        Asked every simulated hour (with `n_jobs=1`) or after every pair.
    n_jobs : int
        Processes.

    Raises
    ------
    ScenarioError
        If a measure does not fit the city.
    RunError
        If there are no seeds, or the same one twice.
    StudyCancelled
        If `cancelled` says so.
    """
    seeds = tuple(int(seed) for seed in seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"seeds={list(seeds)}: at least one is needed, each once")
    inside = touched_zones(city, scenario)
    changed = scenario.apply(city)
    base_values: list[pd.Series] = []
    new_values: list[pd.Series] = []
    base_links: list[pd.DataFrame] = []
    new_links: list[pd.DataFrame] = []
    forced: list[tuple[int, int]] = []
    stop = cancelled if cancelled is not None else _never
    air = {"weather": weather, "background": background}
    pairs = _pairs(city, changed, scenario, seeds, days, start, air, stop, n_jobs, progress)
    for k, ((base, moved_base), (new, moved_new)) in enumerate(pairs):
        base_values.append(measure(base, city.zones, inside, city.timezone))
        new_values.append(measure(new, city.zones, inside, city.timezone))
        base_links.append(base.link_totals)
        new_links.append(new.link_totals)
        forced.append((moved_base, moved_new))
        if progress is not None:
            so_far = effects(scenario.name, base_values, new_values)
            progress(k + 1, len(seeds), f"replication {k + 1} of {len(seeds)}", so_far)
        if stop():
            raise StudyCancelled(f"stopped after {k + 1} of {len(seeds)} replications")
    return Study(
        effects=effects(scenario.name, base_values, new_values),
        link_effects=link_effects(base_links, new_links, 24.0 * days),
        seeds=seeds,
        inside=inside,
        forced_moves=tuple(forced),
    )


def touched_zones(city: City, scenario: Scenario) -> tuple[str, ...]:
    """Zones that hold at least a fifth of some link of a measure."""
    links: set[int] = set()
    for one in scenario.measures:
        if isinstance(one, LinkMeasure):
            links.update(int(link) for link in one.links(city))
    rows = city.link_zone[city.link_zone["link_id"].isin(links) & (city.link_zone["share"] >= 0.2)]
    found = set(rows["zone_id"])
    return tuple(zone for zone in city.zones["zone_id"] if zone in found)


Side = tuple[Outcome, int]
Air = dict[str, Any]  # `weather` and `background` of every run


def _pairs(
    city: City,
    changed: City,
    scenario: Scenario,
    seeds: Sequence[int],
    days: float,
    start: str | pd.Timestamp,
    air: Air,
    stop: Callable[[], bool],
    n_jobs: int,
    progress: Progress | None,
) -> Any:
    """Pairs of outcomes in the order of the seeds, as they are finished."""
    if n_jobs == 1:
        for k, seed in enumerate(seeds):

            def tick(done: float, total: float, message: str, k: int = k) -> None:
                if stop():
                    raise StudyCancelled(f"stopped during replication {k + 1} of {len(seeds)}")

            yield (
                _side(city, None, seed, days, start, air, tick),
                _side(changed, scenario, seed, days, start, air, tick),
            )
        return
    tasks = [
        delayed(_side)(*side, seed, days, start, air, None)
        for seed in seeds
        for side in ((city, None), (changed, scenario))
    ]
    results = iter(Parallel(n_jobs=n_jobs, return_as="generator")(tasks))
    for base in results:
        yield base, next(results)


def _side(
    city: City, scenario: Scenario | None, seed: int, days: float, start: str | pd.Timestamp, air: Air, tick: Any
) -> Side:
    """One run of one side."""
    processes = scenario.processes() if scenario is not None else ()
    result = city.run(days=days, seed=seed, start=start, processes=processes, progress=tick, **air)
    outcome = Outcome(
        zone_truth=result.zone_truth,
        trips=result.trips,
        link_totals=result.link_totals,
        unfinished=result.summary["on_road"] + result.summary["waiting"],
        noise=result.noise,
    )
    return outcome, int(result.summary["forced_moves"])


def _never() -> bool:
    return False
