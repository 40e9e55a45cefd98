"""A study: base and scenario under common random numbers, over several seeds, with the uncertainty of the effects.

`run_study` runs pairs and keeps what each tells; `study` is the same with fewer words, for scripts:

    from simulation import Scenario, study

    found = study(city, Scenario(name="close", measures=(...,)), seeds=5)

What days do: a run of several days has another draw of demand, incidents and weather each day, in one go. Drivers learn
the times of streets within the run and know no more of yesterday than its last hour; days are not iterations of route
choice. How far the ways are from equilibrium is stated for the first seed (`Study.gap`). With `equilibrium=` each side
of each pair is repeated until its ways are in equilibrium to a gap that is told (`Study.learned`, `day_to_day`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd

from data.store.protocol import Store
from data.work import chosen_place, spread, width
from simulation.city import City
from simulation.day_to_day import Learned, check_gap
from simulation.effects import effects, link_effects
from simulation.errors import RunError, StudyCancelled
from simulation.induced import Induced, induced_demand
from simulation.kpis import Groups, Rates, access_changes, default_groups, equity, read_rates, reliability_effects
from simulation.kpis.errors import KpiError
from simulation.kpis.figures import Frame
from simulation.kpis.ledger import noted_hours
from simulation.kpis.risk import replication_risk
from simulation.replication import Replication, Side, key_of, replicate, stored, to_bytes
from simulation.route_gap import RouteGap
from simulation.scenarios.measures import LinkMeasure, Measure
from simulation.scenarios.scenario import Scenario
from simulation.stopping import Until
from simulation.study_weather import typical_air

#: Called with (replications done, in all, message, effects so far or None).
Progress = Callable[[int, int, str, pd.DataFrame | None], Any]
DEFAULT_START = "2026-01-27"  # a Tuesday


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """What a study found.

    Attributes
    ----------
    effects : DataFrame
        `data.schemas.EFFECTS`: by quantity, for the city, inside and outside the places of the measures, by zone, by
        vehicle class, by group of residents and bus line, and for the city by hour; 90 % intervals over the seeds.
    link_effects : DataFrame
        Flow and speed of each link before and after.
    seeds : tuple of int
        Those that were run.
    inside : tuple of str
        Zones that hold a link of a measure.
    forced_moves : tuple of (int, int)
        Vehicles moved to keep the network from locking, base and scenario, by seed.
    hourly : DataFrame
        As `effects`, by zone and hour of day.
    reliability : DataFrame
        `simulation.kpis.reliability_effects`.
    equity : DataFrame
        `simulation.kpis.equity`: who gains and who loses.
    access : DataFrame
        `simulation.kpis.access_changes`: streets whose access changes.
    risk : DataFrame
        `simulation.kpis.replication_risk` under the scenario, and `chance_base` beside it.
    gap : tuple of RouteGap or None
        Of base and scenario with the first seed.
    learned : tuple of (Learned, Learned)
        Of base and scenario, by seed, where ways were brought into equilibrium.
    induced : Induced or None
        What demand came to, where it follows travel times.
    stopped : str
        Why the study ended: `seeds` (all were run), `width` or `seconds`.
    """

    effects: pd.DataFrame
    link_effects: pd.DataFrame
    seeds: tuple[int, ...]
    inside: tuple[str, ...]
    forced_moves: tuple[tuple[int, int], ...]
    hourly: pd.DataFrame = field(default_factory=pd.DataFrame)
    reliability: pd.DataFrame = field(default_factory=pd.DataFrame)
    equity: pd.DataFrame = field(default_factory=pd.DataFrame)
    access: pd.DataFrame = field(default_factory=pd.DataFrame)
    risk: pd.DataFrame = field(default_factory=pd.DataFrame)
    gap: tuple[RouteGap | None, RouteGap | None] = (None, None)
    learned: tuple[tuple[Learned, Learned], ...] = ()
    induced: Induced | None = None
    stopped: str = "seeds"


def run_study(
    city: City,
    scenario: Scenario,
    *,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    days: float = 1,
    start: str | pd.Timestamp = DEFAULT_START,
    weather: pd.DataFrame | Literal["typical", "each"] | None = None,
    background: pd.DataFrame | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    n_jobs: int = 1,
    until: Until | None = None,
    seconds: float | None = None,
    elasticity: float | None = None,
    store: Store | None = None,
    rates: Rates | None = None,
    groups: Groups | None = None,
    bus_lines: Mapping[str, Sequence[int]] | None = None,
    limits: Mapping[str, float] | None = None,
    gap: bool = True,
    equilibrium: float | None = None,
) -> Study:
    """Run base and scenario pair by pair and tell what changes, and how surely.

    Parameters
    ----------
    city : City
        The base.
    scenario : Scenario
    seeds : sequence of int
        One pair of runs each; with `until` or `seconds` at most these, in their order.
    days : float
        Length of each run.
    start : str or Timestamp
        Begin, local time.
    weather : DataFrame, "typical" (default) or "each", optional
        A table as `City.run` takes it, the same for every pair; or synthetic, of one typical draw for all pairs, or of
        another draw for each seed (see `simulation.study_weather`).
    background : DataFrame, optional
        As `City.run`, the same for every pair; synthetic, with the weather, if left out.
    progress : callable, optional
    cancelled : callable, optional
        Asked every simulated hour (with `n_jobs=1`) or after every pair.
    n_jobs : int
        Processes; the result does not depend on it.
    until : Until, optional
        Stop once an interval is narrow enough.
    seconds : float, optional
        Begin no further pair after so many seconds of the clock on the wall; what was run is in `Study.seeds`.
    elasticity : float, optional
        Of demand with respect to travel time, e.g. -0.5 (see `simulation.induced`); default: demand stays.
        Its rounds run the scenario with the first seed.
    store : Store, optional
        Keeps every replication as it is finished; what is there is not run again.
    rates : Rates, optional
        What time and harm cost; default `read_rates()`.
    groups : Groups, optional
        Groups of residents; default `default_groups(city.zones)`.
    bus_lines : mapping of sequence of int, optional
        Links of each bus line in order, by its name: its time on them is told.
    limits : mapping of float, optional
        Of the risks, by column of the zones' truth; default `simulation.kpis.risk.DEFAULT_LIMITS`.
    gap : bool
        Whether to tell how far from equilibrium ways are, with the first seed.
    equilibrium : float, optional
        Relative gap, e.g. 0.005, to which drivers' ways are brought before anything is told: base and scenario of each
        pair are each repeated until trips lose no more than that against their best ways (see `day_to_day`). Random
        incidents are then left out. Default: drivers choose by what they see on their way.

    Raises
    ------
    ScenarioError
        If a measure does not fit the city.
    RunError
        If there are no seeds, or the same one twice, or another option is impossible.
    StudyCancelled
        If `cancelled` says so.
    """
    seeds = tuple(int(seed) for seed in seeds)
    _check(city, seeds, seconds, bus_lines)
    weather, background = _air(city, weather, background, start, days)
    inside = touched_zones(city, scenario)
    changed = scenario.apply(city)
    frame = Frame.of(
        city, inside, default_groups(city.zones) if groups is None else groups,
        read_rates() if rates is None else rates, bus_lines or {},
    )  # fmt: skip
    stop = cancelled if cancelled is not None else _never
    if equilibrium is not None:
        check_gap(equilibrium)

    def side(of: City, what: Scenario | None) -> Side:
        return Side(
            city=of, scenario=what, inside=inside, days=days, start=start, weather=weather, background=background,
            frame=frame, equilibrium=equilibrium,
        )  # fmt: skip

    begun = time.monotonic()
    desk = _Desk(store=store, stop=stop, total=len(seeds), gap_seed=seeds[0] if gap else None)
    induced = None
    if elasticity is not None:
        base_s = desk.one(side(city, None), seeds[0], 0).skim_s
        induced = induced_demand(
            changed, base_s, lambda now: desk.one(side(now, scenario), seeds[0], 0).skim_s, elasticity
        )
        changed = induced.city
    pairs: list[tuple[Replication, Replication]] = []
    stopped = "seeds"
    early = until is not None or seconds is not None
    for pair in desk.pairs(side(city, None), side(changed, scenario), seeds, n_jobs, early):
        pairs.append(pair)
        k, (base, new) = len(pairs), zip(*pairs)
        if progress is not None:
            so_far = effects(scenario.name, [one.values for one in base], [one.values for one in new])
            progress(k, len(seeds), f"replication {k} of {len(seeds)}", so_far)
        if stop():
            raise StudyCancelled(f"stopped after {k} of {len(seeds)} replications")
        if until is not None and until.reached([one.values for one in base], [one.values for one in new]):
            stopped = "width"
            break
        if seconds is not None and time.monotonic() - begun >= seconds and k < len(seeds):
            stopped = "seconds"
            break
    return _told(city, changed, scenario, seeds, pairs, inside, frame, days, start, limits, induced, stopped)


def study(
    city: City,
    scenario: Scenario | Measure | Sequence[Measure] | str | Path,
    *,
    seeds: int | Sequence[int] = 5,
    **options: Any,
) -> Study:
    """`run_study` with fewer words.

    Parameters
    ----------
    city : City
    scenario : Scenario, measures, or str
        Measures are put under the name `scenario`; a text is the path of a YAML file or the name of a shipped scenario.
    seeds : int or sequence of int
        A number stands for 1 to that number.
    **options
        As `run_study`.
    """
    if isinstance(scenario, (str, Path)):
        from simulation.scenarios import load_shipped, read_scenario

        path = Path(scenario)
        scenario = read_scenario(path, city) if path.is_file() else load_shipped(str(scenario), city=city)
    elif isinstance(scenario, Measure):
        scenario = Scenario(name="scenario", measures=(scenario,))
    elif not isinstance(scenario, Scenario):
        scenario = Scenario(name="scenario", measures=tuple(scenario))
    return run_study(city, scenario, seeds=range(1, seeds + 1) if isinstance(seeds, int) else seeds, **options)


def touched_zones(city: City, scenario: Scenario) -> tuple[str, ...]:
    """Zones that hold at least a fifth of some link of a measure."""
    links: set[int] = set()
    for one in scenario.measures:
        if isinstance(one, LinkMeasure):
            links.update(int(link) for link in one.links(city))
    rows = city.link_zone[city.link_zone["link_id"].isin(links) & (city.link_zone["share"] >= 0.2)]
    found = set(rows["zone_id"])
    return tuple(zone for zone in city.zones["zone_id"] if zone in found)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Desk:
    """Gives out replications: from the store where they are there, else by a run that is stored as it ends."""

    store: Store | None
    stop: Callable[[], bool]
    total: int
    gap_seed: int | None
    names: dict[int, tuple[Side, str]] = field(default_factory=dict)

    def one(self, side: Side, seed: int, k: int) -> Replication:
        """One replication, run here if need be."""
        key, gap = self._key(side, seed), seed == self.gap_seed
        found = stored(self.store, key)
        if found is None:

            def tick(done: float, total: float, message: str) -> None:
                if self.stop():
                    raise StudyCancelled(f"stopped during replication {k + 1} of {self.total}")

            found = replicate(side, seed, gap=gap, tick=tick)
            if self.store is not None:
                self.store.put(key, to_bytes(found))
        return found

    def pairs(
        self, base: Side, new: Side, seeds: Sequence[int], n_jobs: int, early: bool
    ) -> Iterator[tuple[Replication, Replication]]:
        """Pairs in the order of the seeds, as they are finished.

        Where the study may stop early, no more pairs are begun at once than there are processes for.
        """
        if n_jobs == 1 and chosen_place() is None:
            for k, seed in enumerate(seeds):
                yield self.one(base, seed, k), self.one(new, seed, k)
            return
        batch = len(seeds)
        if early:
            batch = max(1, width(n_jobs if n_jobs > 0 else 2) // 2)
        for first in range(0, len(seeds), batch):
            tasks = [(side, seed) for seed in seeds[first : first + batch] for side in (base, new)]
            have = [stored(self.store, self._key(*task)) for task in tasks]
            missing = [task for task, there in zip(tasks, have) if there is None]

            def keep(k: int, found: Replication, missing: Sequence[tuple[Side, int]] = missing) -> None:
                if self.store is not None:
                    self.store.put(self._key(*missing[k]), to_bytes(found))

            calls = [(side, seed, seed == self.gap_seed) for side, seed in missing]
            made = spread(_replicate, calls, n_jobs=n_jobs, keep=keep)
            both: list[Replication] = []
            for there in have:
                both.append(next(made) if there is None else there)
                if len(both) == 2:
                    yield both[0], both[1]
                    both = []

    def _key(self, side: Side, seed: int) -> str:
        if self.store is None:
            return ""
        if id(side) not in self.names:
            self.names[id(side)] = (side, side.name())  # the side is kept, so that its id stays its own
        return key_of(self.names[id(side)][1], seed, gap=seed == self.gap_seed)


def _replicate(side: Side, seed: int, gap: bool) -> Replication:
    return replicate(side, seed, gap=gap, tick=None)


def _told(
    city: City,
    changed: City,
    scenario: Scenario,
    seeds: Sequence[int],
    pairs: Sequence[tuple[Replication, Replication]],
    inside: tuple[str, ...],
    frame: Frame,
    days: float,
    start: str | pd.Timestamp,
    limits: Mapping[str, float] | None,
    induced: Induced | None,
    stopped: str,
) -> Study:
    """All tables of the pairs that were run."""
    base, new = ([pair[k] for pair in pairs] for k in (0, 1))
    found = effects(scenario.name, [one.values for one in base], [one.values for one in new])
    begin = pd.Timestamp(start)
    begin = begin if begin.tzinfo is None else begin.tz_convert(city.timezone)
    hours = len(base[0].skim_s) // max(1, round(days)) if days >= 1 else len(noted_hours(begin, days))
    people = pd.Series(frame.people, index=list(frame.zone_ids))
    risk, today = (replication_risk([one.zone_hours for one in side], frame.zone_ids, limits) for side in (new, base))
    key = ["quantity", "limit", "zone_id", "hour"]
    risk = risk.merge(today[[*key, "chance"]].rename(columns={"chance": "chance_base"}), on=key, how="left")
    return Study(
        effects=found,
        link_effects=link_effects([one.link_totals for one in base], [one.link_totals for one in new], 24.0 * days),
        seeds=tuple(seeds[: len(pairs)]),
        inside=inside,
        forced_moves=tuple((a.forced_moves, b.forced_moves) for a, b in pairs),
        hourly=effects(scenario.name, [one.hourly for one in base], [one.hourly for one in new]),
        reliability=reliability_effects(
            [one.skim_s for one in base], [one.skim_s for one in new], city.pair_trips(), frame.zone_ids,
            hours=max(1, hours),
        ),
        equity=equity(found, people),
        access=access_changes(city, changed),
        risk=risk,
        gap=(base[0].gap, new[0].gap),
        learned=tuple((a.learned, b.learned) for a, b in pairs if a.learned is not None and b.learned is not None),
        induced=induced,
        stopped=stopped,
    )  # fmt: skip


def _air(
    city: City,
    weather: pd.DataFrame | str | None,
    background: pd.DataFrame | None,
    start: str | pd.Timestamp,
    days: float,
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Weather and background of every pair; None where each seed draws its own."""
    if isinstance(weather, pd.DataFrame):
        return weather, background
    if weather not in ("typical", "each", None):
        raise RunError(f"weather={weather!r}; allowed: a table, 'typical' or 'each'")
    if weather == "each":
        return None, background
    typical, around = typical_air(city, start, days)
    return typical, around if background is None else background


def _check(
    city: City, seeds: Sequence[int], seconds: float | None, bus_lines: Mapping[str, Sequence[int]] | None
) -> None:
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"seeds={list(seeds)}: at least one is needed, each once")
    if seconds is not None and not seconds > 0:
        raise RunError(f"seconds={seconds!r} must be above 0")
    n = len(city.links)
    faults = []
    for name, links in (bus_lines or {}).items():
        of = np.asarray(links)
        if not of.size or of.min() < 0 or of.max() >= n:
            faults.append(f"line {name!r}: links {of[:5].tolist()}; at least one is needed, from 0 to {n - 1}")
    if faults:
        raise KpiError("these bus lines cannot be told of: " + "; ".join(faults))


def _never() -> bool:
    return False


class _Callable(ModuleType):
    """Lets `from simulation import study` be called, though the module bears the name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Study:
        return study(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
