"""What shared luck is worth: part `common_luck` of case `scenarios`.

Every shipped scenario, in central Helsinki (cut into hexagons), for an hour: pairs that share their luck, and the same
runs as if each side had seeds of its own. The ratio is that of the intervals' widths, sqrt(var(differences) /
(var(base) + var(scenario))), which needs no further runs, since runs with different seeds are independent. It is told
by quantity and scenario; a scenario's is the median over the quantities that it changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure

PAIRS, ZONES = 10, 30
START, DAYS = "2026-01-27 07:00", 1.0 / 24.0
QUANTITIES = (
    "travel_time_s", "delay_hours", "vehicle_km", "speed_kmh", "nox_kg", "co2_kg", "no2", "pm25", "no2_exposure",
    "trips_unfinished",
)  # fmt: skip
#: Shipped scenarios that change nothing before 08:00 are begun at their own hour.
LATER = "2026-01-27 12:00"


def measure(*, seed: int) -> dict[str, Any]:
    """Run the pairs and tell the ratios."""
    from simulation.scenarios import load_shipped, shipped_names

    city = _helsinki()
    base: dict[str, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    for name in shipped_names("helsinki"):
        scenario = load_shipped(name, city=city)
        for start in (START, LATER):
            if start not in base:
                base[start] = _values(city, None, start, seed)
            new = _values(scenario.apply(city), scenario, start, seed)
            if not np.array_equal(new, base[start]):
                rows += told(name, base[start], new)
                break
        else:
            rows.append({"scenario": name, "quantity": "", "ratio": float("nan")})
    return {"figures": _figures(rows, seed), "ratios": rows}


def told(name: str, base: np.ndarray, new: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a scenario: width with shared luck over width without, by quantity that the scenario changes.

    Parameters
    ----------
    base, new : ndarray, shape (pairs, quantities)
    """
    apart = base.var(axis=0, ddof=1) + new.var(axis=0, ddof=1)
    shared = (new - base).var(axis=0, ddof=1)
    changes = (new != base).any(axis=0) & (apart > 0)
    return [
        {"scenario": name, "quantity": quantity, "ratio": float(np.sqrt(shared[k] / apart[k]))}
        for k, quantity in enumerate(QUANTITIES)
        if changes[k]
    ]


def _figures(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    names = sorted({row["scenario"] for row in rows})
    of = {name: [r["ratio"] for r in rows if r["scenario"] == name and np.isfinite(r["ratio"])] for name in names}
    median = {name: float(np.median(ratios)) for name, ratios in of.items() if ratios}
    out = [
        figure(f"width with shared luck over width without, {name}", value, "1", n=len(of[name]), seed=seed,
               lower=min(of[name]), upper=max(of[name]))
        for name, value in median.items()
    ]  # fmt: skip
    every = [r["ratio"] for r in rows if np.isfinite(r["ratio"])]
    out.append(
        figure("the same, median scenario", float(np.median(list(median.values()))), "1", target=0.5, n=len(median),
               seed=seed, lower=float(np.quantile(every, 0.05)), upper=float(np.quantile(every, 0.95)))
    )  # fmt: skip
    return out


def _values(city: Any, scenario: Any, start: str, seed: int) -> np.ndarray:
    """Citywide quantities of each seed. Shape (pairs, quantities)."""
    from simulation.effects import Outcome
    from simulation.effects import measure as quantities
    from simulation.study_weather import typical_air

    out = np.empty((PAIRS, len(QUANTITIES)))
    weather, background = typical_air(city, start, DAYS)
    for k in range(PAIRS):
        processes = () if scenario is None else scenario.processes()
        run = city.run(
            days=DAYS, seed=seed + k, start=start, processes=processes, weather=weather, background=background
        )
        outcome = Outcome(
            zone_truth=run.zone_truth, trips=run.trips, link_totals=run.link_totals,
            unfinished=run.summary["on_road"] + run.summary["waiting"],
        )  # fmt: skip
        found = quantities(outcome, city.zones, (), city.timezone).xs(("city", "", -1), level=(1, 2, 3)).droplevel(1)
        out[k] = found.reindex(list(QUANTITIES)).to_numpy(dtype=float)
    return out


def _helsinki() -> Any:
    from app.city_making import city_of
    from data.cities import load_city
    from zones import make_zones

    read = load_city("helsinki")
    return city_of(read, make_zones(read.links, read.places, kind="hex", count=ZONES))
