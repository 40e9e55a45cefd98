"""Calibration to speeds, hidden levels of demand sought again: `zonewise benchmark speeds [CITY ...] [SEEDS]`.

The city's own demand is the truth. Its weekdays give the speeds of a quarter of the links in five hours, those with
fewer than 50 vehicles an hour left out. The prior has every part of the matrix (inbound, outbound, through, internal
trips, by district) wrong by a factor of its own, of 30 %. Told are the error of the speeds on the links used and on
links held out, before and after, and how far the parts' factors are from the truth, in logs.

A city is a name or an OpenStreetMap file; without one, as for `benchmark demand`. SEEDS is a number, 2 by default.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.demand import asked, cities

if TYPE_CHECKING:
    from simulation.city import City

SEEDS, HOURS, TRUTH_DAYS = 2, (7, 8, 12, 16, 17), 6
MEASURED_SHARE, LEAST_VEH_PER_H, LEVEL_SD, HELD_OUT = 0.25, 50.0, 0.3, 0.2


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
        rows = results[name] = [measure(city, seed) for seed in range(1, seeds + 1)]
        for what in ("rmse_used", "rmse_held_out", "level_error"):
            ratio = [row[what]["calibrated"] / row[what]["prior"] for row in rows]
            figures.append(
                figure(f"{name}: {what}, calibrated / prior", float(np.mean(ratio)), "1", target=1.0, n=seeds,
                       lower=float(min(ratio)), upper=float(max(ratio)))
            )  # fmt: skip
        figures.append(figure(f"{name}: CPU time of a seed", float(np.mean([row["cpu_s"] for row in rows])), "s"))
    return {"cities": results, "figures": figures}


def measure(city: City, seed: int) -> dict[str, Any]:
    """Hide the levels of the city's demand and calibrate back to them."""
    import pandas as pd

    from simulation.hourly_speeds import simulated_traffic
    from simulation.speed_calibration import calibrate_to_speeds, factored, parts_of

    rng = np.random.default_rng([seed, 13])
    part, names = parts_of(city)
    truth = simulated_traffic(city, HOURS, days=TRUTH_DAYS, seed=100_000 + seed)
    busy = truth.inflow_veh.mean(axis=(0, 1)) >= LEAST_VEH_PER_H
    chosen = rng.permutation(len(city.links))[: round(MEASURED_SHARE * len(city.links))]
    link, hour = (a.ravel() for a in np.meshgrid(chosen[busy[chosen]], HOURS, indexing="ij"))
    table = pd.DataFrame({"link_id": link, "hour": hour, "speed_mps": 1.0 / truth.pace_s_per_m(link, hour)}).dropna()
    wrong = LEVEL_SD * rng.standard_normal(len(names))
    prior = replace(city, demand=replace(city.demand, od_veh=factored(city, part, -wrong)))
    begun = time.process_time()
    found = calibrate_to_speeds(prior, table, hold_out=HELD_OUT, seed=seed)
    fit = found.quality.set_index(["scope", "stage"])["rmse_mps"]
    off = np.log(found.factors["factor"].to_numpy()) - wrong
    weight = found.factors["trips_veh"].to_numpy()
    return {
        "seed": seed, "links": int(np.unique(link).size), "taken": found.taken, "verdict": found.verdict,
        **{f"rmse_{scope}": fit[scope].to_dict() for scope in ("used", "held_out")},
        "level_error": {
            stage: float(np.sqrt(np.average(np.square(error), weights=weight)))
            for stage, error in (("prior", wrong), ("calibrated", off))
        },
        "factors": found.factors.to_dict("records"), "cpu_s": time.process_time() - begun,
    }  # fmt: skip
