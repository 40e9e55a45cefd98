"""Are the chances of a study to be believed? Part `risk` of case `scenarios`.

The toy town from 07:00 to 09:00 with weather drawn anew for each seed. A study of 10 seeds tells each zone's chance to
pass a limit in each hour; 40 further seeds tell how often it does. Limits lie at the median and the upper quartile of
what further seeds of a third kind show, so that there is something to tell. Told are the points of the reliability
diagram, with one independent case a study, and the Brier score's parts, over 20 studies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure

STUDIES, SEEDS, TRIALS, SCALE = 20, 10, 40, 20
START, DAYS = "2026-01-27 07:00", 2.0 / 24.0
COLUMNS = ("no2_ug_per_m3", "travel_time_index")
LEVELS = (0.5, 0.75)


def measure(*, seed: int) -> dict[str, Any]:
    """Run the town and hold chances against what came."""
    from app.benchmarks.scenarios.coverage import toy
    from simulation.kpis.figures import zone_hours

    _, changed, _ = toy()
    zones = list(changed.zones["zone_id"])
    runs = []
    for one in range(seed, seed + SCALE + TRIALS + STUDIES * SEEDS):
        found, _ = zone_hours(changed.run(days=DAYS, seed=one, start=START).zone_truth, zones, changed.timezone)
        runs.append({name: found[name] for name in COLUMNS})
    return told(runs, zones, seed=seed)


def told(runs: list[dict[str, np.ndarray]], zones: list[str], *, seed: int) -> dict[str, Any]:
    """Chances, outcomes and their scores from runs: those of the scale, of the trials, then the studies."""
    from simulation.kpis.risk import brier_parts, replication_risk, risk_reliability

    scale, trials, rest = runs[:SCALE], runs[SCALE : SCALE + TRIALS], runs[SCALE + TRIALS :]
    chances, outcomes = [], []
    for name in COLUMNS:
        for level in LEVELS:
            limit = float(np.nanquantile(np.stack([run[name] for run in scale]), level))
            came = np.stack([run[name] > limit for run in trials]).reshape(TRIALS, -1)
            for k in range(len(rest) // SEEDS):
                table = replication_risk(rest[k * SEEDS : (k + 1) * SEEDS], zones, {name: limit})
                chance = table.loc[table["hour"] >= 0, "chance"].to_numpy(float)
                chances.append(np.broadcast_to(chance, came.shape).ravel())
                outcomes.append(came.ravel().astype(float))
    p, y = np.concatenate(chances), np.concatenate(outcomes)
    parts = brier_parts(p, y)
    cells = came.shape[1] * len(COLUMNS) * len(LEVELS)
    diagram = risk_reliability(p, y, per_case=p.size / (TRIALS * len(COLUMNS) * len(LEVELS)))
    return {
        "figures": [
            figure(f"{name} of the chances", parts[name], "1", n=cells, seed=seed)
            for name in ("brier", "reliability", "resolution", "uncertainty")
        ],
        "diagram": diagram.to_dict("records"),
    }
