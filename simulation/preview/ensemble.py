"""An ensemble: base and scenarios of a design, simulated under common random numbers, by zone.

The base of a seed is simulated once and shared by all scenarios of that seed. With `pairs`, each scenario draws a few
of the seeds: an ensemble then sees many days' weather and luck, and not one day's. Every finished run is put into a
store at once, so that a killed job goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.store.protocol import MemoryStore, Store
from data.work import chosen_place, spread
from simulation.city import City
from simulation.errors import StudyCancelled
from simulation.preview.errors import PreviewError
from simulation.preview.window import Window
from simulation.run import RunResult
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.writing import to_form

#: What a preview tells of each zone, and its unit: as `simulation.effects` has them, and the flow through its streets.
QUANTITIES: dict[str, str] = {
    "speed_kmh": "km/h", "flow_veh_per_h": "veh/h", "delay_hours": "veh h", "vehicle_hours": "veh h",
    "vehicle_km": "veh km", "nox_kg": "kg", "no2": "ug/m3",
}  # fmt: skip
Progress = Callable[[int, int, str], Any]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Ensemble:
    """Simulated scenarios. K scenarios, S seeds, P runs a scenario, Z zones, Q quantities (order of `QUANTITIES`)."""

    zone_ids: tuple[str, ...]
    window: Window
    seeds: tuple[int, ...]
    scenarios: tuple[Scenario, ...]
    base: np.ndarray  # (S, Z, Q)
    values: np.ndarray  # (K, P, Z, Q)
    luck: np.ndarray  # (K, P) int64, place in `seeds` of each run
    link_time_s: np.ndarray  # (n_links,) mean travel time of the base runs; nan where nobody drove
    link_flow: np.ndarray  # (n_links,) mean vehicles of the base runs, over the window

    @property
    def differences(self) -> np.ndarray:
        """Scenario minus the base of the same seed, shape (K, P, Z, Q); nan where a zone had no vehicle."""
        return np.asarray(self.values - self.base[self.luck])

    @property
    def effects(self) -> np.ndarray:
        """Mean of `differences` over the seeds of a scenario, shape (K, Z, Q)."""
        return np.asarray(self.differences.mean(axis=1))


def simulate(
    city: City,
    scenarios: Sequence[Scenario],
    *,
    window: Window,
    seeds: Sequence[int] = (1,),
    pairs: int | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Ensemble:
    """Simulate an ensemble; runs that the store holds are not repeated.

    Parameters
    ----------
    city : City
    scenarios : sequence of Scenario
    window : Window
    seeds : sequence of int
        Of the pairs of base and scenario.
    pairs : int, optional
        Seeds that each scenario is run with, drawn from `seeds`; all of them where it is left out.
    store : Store, optional
        Keeps every finished run.
    progress : callable, optional
        `progress(done, total, message)` after every run.
    cancelled : callable, optional
        Asked after every run.

    Raises
    ------
    PreviewError
        If there is no scenario or seed, or fewer seeds than pairs.
    ScenarioError
        If a scenario does not fit the city.
    StudyCancelled
        If `cancelled` says so; what was finished is in the store.
    """
    if not scenarios or not seeds:
        raise PreviewError(f"{len(scenarios)} scenarios and {len(seeds)} seeds; at least one of each is needed")
    if pairs is not None and not 1 <= pairs <= len(seeds):
        raise PreviewError(f"pairs={pairs} must be from 1 to the number of seeds, {len(seeds)}")
    kept: Store = store if store is not None else MemoryStore()
    luck = _luck(len(scenarios), len(seeds), len(seeds) if pairs is None else pairs)
    total, done = len(seeds) + luck.size, 0
    if chosen_place() is not None:
        every: list[tuple[Scenario | None, int]] = [(None, int(seed)) for seed in seeds]
        every += [(scenario, int(seeds[at])) for scenario, row in zip(scenarios, luck) for at in row]
        _ahead(city, every, window, kept, progress, cancelled)
        progress = None  # has been told

    def one(scenario: Scenario | None, seed: int) -> dict[str, np.ndarray]:
        nonlocal done
        found = _run(city, scenario, seed, window, kept)
        done += 1
        if progress is not None:
            progress(done, total, f"run {done} of {total}")
        if cancelled is not None and cancelled():
            raise StudyCancelled(f"stopped after {done} of {total} runs; those are kept")
        return found

    bases = [one(None, seed) for seed in seeds]
    values = np.stack([[one(scenario, seeds[at])["zones"] for at in row] for scenario, row in zip(scenarios, luck)])
    distance, time = (sum(base[name] for base in bases) for name in ("distance_m", "time_s"))
    length = city.links["length_m"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        link_time = np.where(np.asarray(distance) > 0, length * np.asarray(time) / np.asarray(distance), np.nan)
    return Ensemble(
        zone_ids=tuple(city.zones["zone_id"]), window=window, seeds=tuple(int(s) for s in seeds),
        scenarios=tuple(scenarios), base=np.stack([base["zones"] for base in bases]), values=values,
        luck=luck, link_time_s=link_time, link_flow=np.asarray(distance) / length / len(bases),
    )  # fmt: skip


def _luck(scenarios: int, seeds: int, pairs: int) -> np.ndarray:
    """Places of each scenario's seeds, ascending; those of the first scenarios do not depend on how many follow."""
    if pairs == seeds:
        return np.tile(np.arange(seeds), (scenarios, 1))
    drawn = [np.random.default_rng([k, 29]).choice(seeds, pairs, replace=False) for k in range(scenarios)]
    return np.sort(np.array(drawn, dtype=np.int64), axis=1)


def zone_values(result: RunResult, zone_ids: Sequence[str]) -> np.ndarray:
    """What a run gave in each zone over its whole length. Shape (Z, Q), order of `QUANTITIES`.

    As `simulation.effects.measure` has it: sums of distance, time, delay and NOx, speed as distance over time,
    concentrations as means over time; besides, the mean flow.
    """
    truth = result.zone_truth
    delay = (truth["delay_s_per_km"] * truth["vehicle_distance_m"] / 1000.0).fillna(0.0)
    table = truth.assign(delay_veh_s=delay).groupby("zone_id")
    sums = table[["vehicle_distance_m", "vehicle_time_s", "delay_veh_s", "nox_g"]].sum().reindex(zone_ids)
    means = table[["flow_veh_per_h", "no2_ug_per_m3"]].mean().reindex(zone_ids)
    distance, time = sums["vehicle_distance_m"].to_numpy(float), sums["vehicle_time_s"].to_numpy(float)
    columns = {
        "speed_kmh": np.where(time > 0, 3.6 * distance / np.where(time > 0, time, 1.0), np.nan),
        "flow_veh_per_h": means["flow_veh_per_h"].to_numpy(float),
        "delay_hours": sums["delay_veh_s"].to_numpy(float) / 3600.0, "vehicle_hours": time / 3600.0,
        "vehicle_km": distance / 1000.0, "nox_kg": sums["nox_g"].to_numpy(float) / 1000.0,
        "no2": means["no2_ug_per_m3"].to_numpy(float),
    }  # fmt: skip
    return np.stack([columns[name] for name in QUANTITIES], axis=1)


def _ahead(
    city: City,
    every: Sequence[tuple[Scenario | None, int]],
    window: Window,
    store: Store,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Make runs that the store lacks where work is done now; each is stored as it ends."""
    keys = [_key(scenario, seed, window) for scenario, seed in every]
    missing = [k for k, key in enumerate(keys) if not _there(store, key)]
    calls = [(city, every[k][0], every[k][1], window) for k in missing]

    def keep(at: int, found: dict[str, np.ndarray]) -> None:
        _put(store, keys[missing[at]], found)

    done = len(every) - len(missing)
    for _ in spread(_made, calls, keep=keep):
        done += 1
        if progress is not None:
            progress(done, len(every), f"run {done} of {len(every)}")
        if cancelled is not None and cancelled():
            raise StudyCancelled(f"stopped after {done} of {len(every)} runs; those are kept")


def _there(store: Store, key: str) -> bool:
    try:
        store.get(key)
    except KeyError:
        return False
    return True


def _key(scenario: Scenario | None, seed: int, window: Window) -> str:
    form = None if scenario is None else to_form(scenario)["measures"]
    told = json.dumps([form, int(seed), window.start, window.hours], sort_keys=True, default=str)
    return f"runs/{hashlib.sha256(told.encode()).hexdigest()[:24]}.npz"


def _run(city: City, scenario: Scenario | None, seed: int, window: Window, store: Store) -> dict[str, np.ndarray]:
    """One run, from the store where it is there."""
    key = _key(scenario, seed, window)
    try:
        with np.load(io.BytesIO(store.get(key)), allow_pickle=False) as bundle:
            return {name: bundle[name] for name in bundle.files}
    except KeyError:
        found = _made(city, scenario, seed, window)
        _put(store, key, found)
        return found


def _made(city: City, scenario: Scenario | None, seed: int, window: Window) -> dict[str, np.ndarray]:
    changed, processes = (city, ()) if scenario is None else (scenario.apply(city), scenario.processes())
    result = changed.run(
        days=window.days, seed=int(seed), start=pd.Timestamp(window.start), processes=processes, incidents_per_day=0.0
    )
    found = {"zones": zone_values(result, list(city.zones["zone_id"]))}
    if scenario is None:
        totals = result.link_totals
        found |= {"distance_m": totals["vehicle_distance_m"].to_numpy(), "time_s": totals["vehicle_time_s"].to_numpy()}
    return found


def _put(store: Store, key: str, found: dict[str, np.ndarray]) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, **found)  # type: ignore[arg-type]
    store.put(key, file.getvalue())
