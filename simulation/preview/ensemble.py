"""An ensemble: base and scenarios of a design, simulated under common random numbers, by zone.

The base of a seed is simulated once and shared by all scenarios of that seed. Every finished run is put into a store at
once, so that a killed job goes on where it stopped.
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
    """Simulated scenarios. K scenarios, S seeds, Z zones, Q quantities (order of `QUANTITIES`)."""

    zone_ids: tuple[str, ...]
    window: Window
    seeds: tuple[int, ...]
    scenarios: tuple[Scenario, ...]
    base: np.ndarray  # (S, Z, Q)
    values: np.ndarray  # (K, S, Z, Q)
    link_time_s: np.ndarray  # (n_links,) mean travel time of the base runs; nan where nobody drove

    @property
    def effects(self) -> np.ndarray:
        """Mean over the seeds of scenario minus base, shape (K, Z, Q); nan where a zone had no vehicle."""
        return np.asarray((self.values - self.base).mean(axis=1))


def simulate(
    city: City,
    scenarios: Sequence[Scenario],
    *,
    window: Window,
    seeds: Sequence[int] = (1,),
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
    store : Store, optional
        Keeps every finished run.
    progress : callable, optional
        `progress(done, total, message)` after every run.
    cancelled : callable, optional
        Asked after every run.

    Raises
    ------
    PreviewError
        If there is no scenario or seed.
    ScenarioError
        If a scenario does not fit the city.
    StudyCancelled
        If `cancelled` says so; what was finished is in the store.
    """
    if not scenarios or not seeds:
        raise PreviewError(f"{len(scenarios)} scenarios and {len(seeds)} seeds; at least one of each is needed")
    kept: Store = store if store is not None else MemoryStore()
    total, done = (1 + len(scenarios)) * len(seeds), 0

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
    values = np.stack([[one(scenario, seed)["zones"] for seed in seeds] for scenario in scenarios])
    distance, time = (sum(base[name] for base in bases) for name in ("distance_m", "time_s"))
    length = city.links["length_m"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        link_time = np.where(np.asarray(distance) > 0, length * np.asarray(time) / np.asarray(distance), np.nan)
    return Ensemble(
        zone_ids=tuple(city.zones["zone_id"]), window=window, seeds=tuple(int(s) for s in seeds),
        scenarios=tuple(scenarios), base=np.stack([base["zones"] for base in bases]), values=values,
        link_time_s=link_time,
    )  # fmt: skip


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


def _run(city: City, scenario: Scenario | None, seed: int, window: Window, store: Store) -> dict[str, np.ndarray]:
    form = None if scenario is None else to_form(scenario)["measures"]
    told = json.dumps([form, int(seed), window.start, window.hours], sort_keys=True, default=str)
    key = f"runs/{hashlib.sha256(told.encode()).hexdigest()[:24]}.npz"
    try:
        with np.load(io.BytesIO(store.get(key)), allow_pickle=False) as bundle:
            return {name: bundle[name] for name in bundle.files}
    except KeyError:
        pass
    changed, processes = (city, ()) if scenario is None else (scenario.apply(city), scenario.processes())
    result = changed.run(
        days=window.days, seed=int(seed), start=pd.Timestamp(window.start), processes=processes, incidents_per_day=0.0
    )
    found = {"zones": zone_values(result, list(city.zones["zone_id"]))}
    if scenario is None:
        totals = result.link_totals
        found |= {"distance_m": totals["vehicle_distance_m"].to_numpy(), "time_s": totals["vehicle_time_s"].to_numpy()}
    file = io.BytesIO()
    np.savez_compressed(file, **found)  # type: ignore[arg-type]
    store.put(key, file.getvalue())
    return found
