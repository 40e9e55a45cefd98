"""Calibration to counts, a hidden OD matrix sought again: `zonewise benchmark demand [CITY ...] [SEEDS]`.

The city's own demand is the truth that nobody sees. It is driven for twenty weekdays by the dynamic simulation, as four
weeks of counters tell of it; their mean flows in some hours on 20 % of the links, drawn at random, are what was
counted. The prior is the truth with an independent error of 30 % on every pair. The calibrated demand and the prior
are then driven for twenty weekdays with luck of their own. Told are GEH and RMSE over links that carry 300 veh/h and
more in the busiest hour, in that hour, on counted and held-out links, the error of the OD matrix, whether the
calibration was taken, and beside them what the truth itself scores with other luck: no calibration can be expected to
do better. The same is done with flows and counts of one static assignment ("static").

A city is a name or an OpenStreetMap file; without one, Krems (of `ZONEWISE_SHARED_DATA`, or `shared/data` beside the
project; skipped with a reason where it is absent) and central Helsinki. SEEDS is a number, 3 by default.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.benchmarks import figure

if TYPE_CHECKING:
    import pandas as pd

    from simulation.city import City

SEEDS = 3
PRIOR_NOISE, COUNTED_SHARE, LARGE_VEH_PER_H = 0.3, 0.2, 300.0
TRUTH_DAYS, ROUND_DAYS = 20, 10
ZONES = 18
#: Hours that counters report beside the busiest one.
HOURS = (11, 13, 15, 16)


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case.

    Parameters
    ----------
    arguments : sequence of str
        Cities (names or files), and how many seeds.
    """
    seeds, sources = asked(arguments, SEEDS)
    results: dict[str, Any] = {}
    figures: list[dict[str, Any]] = []
    for name, city in cities(sources, results):
        for kind in ("dynamic", "static"):
            rows = [measure(city, kind, seed) for seed in range(1, seeds + 1)]
            results[f"{name}, {kind}"] = rows
            figures += _figures(f"{name}, {kind}", rows)
    return {"cities": results, "figures": figures}


def asked(arguments: Sequence[str], seeds: int) -> tuple[int, list[str]]:
    """How many seeds, and which cities: those named, or Krems and central Helsinki."""
    count = next((int(a) for a in arguments if a.isdigit()), seeds)
    return count, [a for a in arguments if not a.isdigit()] or [krems(), "helsinki"]


def cities(sources: Sequence[str], results: dict[str, Any]) -> Iterator[tuple[str, City]]:
    """Cities by name, one at a time; of one whose file is not there `results` says why it was skipped."""
    for source in sources:
        name = Path(source).name.split(".")[0]
        if os.sep in source and not Path(source).is_file():
            results[name] = {"skipped": f"no file {source}; set ZONEWISE_SHARED_DATA"}
            continue
        yield name, make(source)


def krems() -> str:
    """Path of the shared extract of Krems, whether it is there or not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return str(Path(os.environ.get("ZONEWISE_SHARED_DATA", beside)) / "osm" / "krems.osm.gz")


def make(source: str) -> City:
    """A city with hexagons, as the pipeline makes it."""
    from app.city_making import city_of
    from data.cities import load_city
    from zones import make_zones

    read = load_city(source)
    zones = make_zones(read.links, read.places, kind="hex", count=ZONES)
    return city_of(read, zones)


def busiest_hour(city: City) -> int:
    """Local hour of day in which most weekday trips depart."""
    return int(np.argmax([(city.demand.od_veh * city.demand.hour_share(hour)).sum() for hour in range(24)]))


def measure(city: City, kind: str, seed: int) -> dict[str, Any]:
    """Hide the city's demand and calibrate back to it."""
    import pandas as pd

    from simulation.count_calibration import calibrate_demand
    from simulation.hourly_flows import assigned_flows, simulated_flows, with_demand

    begun = time.process_time()
    hour, truth = busiest_hour(city), city.demand.od_veh
    hours = sorted({*HOURS, hour})
    rng = np.random.default_rng([seed, 11])
    prior = truth * np.clip(1.0 + PRIOR_NOISE * rng.standard_normal(truth.shape), 0.05, None)

    def flows(od_veh: np.ndarray, luck: int) -> np.ndarray:
        changed = with_demand(city, od_veh)
        if kind == "static":
            return assigned_flows(changed, hours).flow_veh_per_h
        return simulated_flows(changed, hours, days=TRUTH_DAYS, seed=luck).flow_veh_per_h

    counted, peak = flows(truth, 100_000 + seed), hours.index(hour)
    n = counted.shape[1]
    seen = np.zeros(n, dtype=bool)
    seen[rng.choice(n, size=round(COUNTED_SHARE * n), replace=False)] = True
    # every counter in every hour, and the large links of the busiest hour that nobody counts, to be judged by
    wanted = np.broadcast_to(seen, counted.shape).copy()
    wanted[peak] |= counted[peak] >= LARGE_VEH_PER_H
    row, link = np.nonzero(wanted)
    table = pd.DataFrame(
        {"link_id": link, "hour": np.array(hours)[row], "veh_per_h": counted[row, link], "held_out": ~seen[link]}
    )
    found = calibrate_demand(
        replace(city, demand=replace(city.demand, od_veh=prior)), table, assignment=kind, days=ROUND_DAYS,
        check_days=TRUTH_DAYS, prior_cv=PRIOR_NOISE, count_days=TRUTH_DAYS, seed=seed,
    )  # fmt: skip
    again = flows(truth, seed + 1000)[peak]
    large = found.links[(found.links["counted_veh_per_h"] >= LARGE_VEH_PER_H) & (found.links["hour"] == hour)]
    return {
        "seed": seed, "hour": hour, "links": n, "counted_links": int(seen.sum()), "pairs": int((truth > 0).sum()),
        "fit": _fit(large, again), "od": {"prior": _od_error(prior, truth), "calibrated": _od_error(found.demand.od_veh,
        truth)}, "taken": found.taken, "verdict": found.verdict, "rounds": found.rounds.to_dict("records"),
        "cpu_s": time.process_time() - begun,
    }  # fmt: skip


def _fit(large: pd.DataFrame, again: np.ndarray) -> dict[str, dict[str, Any]]:
    """Measures of fit by scope and stage."""
    from simulation.demand.count_fit import fit_quality

    table = large.assign(truth_again_veh_per_h=again[large["link_id"].to_numpy()])
    scopes = {"all": table, "counted": table[~table["held_out"]], "held_out": table[table["held_out"]]}
    return {
        scope: {
            stage: fit_quality(part[f"{stage}_veh_per_h"].to_numpy(), part["counted_veh_per_h"].to_numpy())
            for stage in ("prior", "calibrated", "truth_again")
        }
        for scope, part in scopes.items()
    }


def _od_error(od: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Root mean square and mean absolute error over the pairs that have trips, vehicles a day; the latter as share."""
    some = truth > 0
    off = (od - truth)[some]
    return {"rmse_veh": float(np.sqrt(np.mean(off**2))), "absolute_share": float(np.abs(off).sum() / truth.sum())}


def _figures(name: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over seeds, with the worst and the best seed as bounds."""

    def tell(what: str, values: Sequence[float], unit: str, target: float | None = None, at_most: bool = True) -> None:
        told.append(
            figure(f"{name}: {what}", float(np.mean(values)), unit, target=target, at_most=at_most, n=len(values),
                   lower=float(min(values)), upper=float(max(values)))
        )  # fmt: skip

    told: list[dict[str, Any]] = []
    for scope in ("all", "counted", "held_out"):
        fit = [row["fit"][scope] for row in rows]
        for stage in ("calibrated", "prior", "truth_again"):
            share = [f[stage]["geh_below_5_share"] for f in fit]
            goal = 0.85 if stage == "calibrated" else None
            tell(f"{scope}: GEH < 5, {stage}", share, "1", goal, at_most=False)
        for stage in ("calibrated", "prior", "truth_again"):
            tell(f"{scope}: RMSE, {stage}", [f[stage]["rmse_veh_per_h"] for f in fit], "veh/h")
        ratio = [f["calibrated"]["rmse_veh_per_h"] / f["prior"]["rmse_veh_per_h"] for f in fit]
        tell(f"{scope}: RMSE, calibrated / prior", ratio, "1", 0.5 if scope == "counted" else 1.0)
    for what in ("rmse_veh", "absolute_share"):
        ratio = [row["od"]["calibrated"][what] / row["od"]["prior"][what] for row in rows]
        tell(f"OD error ({what}), calibrated / prior", ratio, "1", 1.0)
        tell(f"OD error ({what}), prior", [row["od"]["prior"][what] for row in rows], "veh/d or 1")
    tell("share of calibrations taken", [float(row["taken"]) for row in rows], "1")
    tell("CPU time of a seed", [row["cpu_s"] for row in rows], "s")
    return told
