"""Do the intervals of a study hold what they promise? Part `coverage` of case `scenarios`.

The toy town, from 07:00 to 08:00 in typical weather, with a street of one zone closed. `TRUTH` pairs of runs tell the
effect; 300 studies of 5 seeds, whose pairs are none of those and each used once, tell how often their 90 % interval
holds it, for sums, means and figures of single zones, skewed ones among them. A share of 300 studies is uncertain by 3
points itself: so the same pairs are put together to studies anew, `ORDERS` times, and the mean is told, the share of
the first 300 beside it. Studies of 10 seeds are put together of two each. Then the same for studies that stop by
themselves, drawn from the same pairs. The whole part runs 5,000 hours of the town: some 25 minutes of one core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import skew
from scipy.stats import t as student

from app.benchmarks import figure

TRUTH, STUDIES, SEEDS = 1000, 300, 5
ORDERS = 40
START, DAYS = "2026-01-27 07:00", 1.0 / 24.0
LEVEL = 0.90
#: Quantity, scope and zone of what is told; the zones are that of the closed street and the one across.
QUANTITIES = (
    ("travel_time_s", "city", ""), ("delay_hours", "city", ""), ("vehicle_km", "city", ""), ("nox_kg", "city", ""),
    ("no2", "city", ""), ("no2_exposure", "city", ""), ("speed_kmh", "city", ""), ("trips_unfinished", "city", ""),
    ("delay_hours", "zone", "Z01"), ("no2", "zone", "Z01"), ("vehicle_km", "zone", "Z04"),
    ("delay_hours", "zone", "Z04"),
)  # fmt: skip
#: Half-width at which studies stop, as a share of the deviation of a pair: some 30 replications.
STOP_WIDTH = 0.31
Pairs = Mapping[tuple[str, str, str], tuple[np.ndarray, np.ndarray]]  # base and scenario by seed


def measure(*, seed: int) -> dict[str, Any]:
    """Run the pairs and tell the coverage."""
    return told(pairs_of(range(seed, seed + TRUTH + STUDIES * SEEDS)), seed=seed)


def pairs_of(seeds: Sequence[int]) -> Pairs:
    """Base and scenario of every seed, each quantity an array over seeds."""
    from simulation.effects import Outcome
    from simulation.effects import measure as quantities
    from simulation.study_weather import typical_air

    city, changed, inside = toy()
    weather, background = typical_air(city, START, DAYS)
    values: dict[tuple[str, str, str], tuple[list[float], list[float]]] = {key: ([], []) for key in QUANTITIES}
    for one in seeds:
        for side, run_of in enumerate((city, changed)):
            run = run_of.run(days=DAYS, seed=one, start=START, weather=weather, background=background)
            outcome = Outcome(
                zone_truth=run.zone_truth, trips=run.trips, link_totals=run.link_totals,
                unfinished=run.summary["on_road"] + run.summary["waiting"],
            )  # fmt: skip
            found = quantities(outcome, city.zones, inside, city.timezone)
            series = found.xs(-1, level=3).droplevel(3)
            for key in QUANTITIES:
                values[key][side].append(float(series[key]))
    return {key: (np.array(base), np.array(new)) for key, (base, new) in values.items()}


def toy() -> tuple[Any, Any, tuple[str, ...]]:
    """The toy town in four zones, the same with a street of Z01 closed, and the zones that it touches."""
    from app.city_making import city_of
    from data.cities import load_city
    from simulation.scenarios import CloseStreet, Scenario, Selection
    from simulation.study import touched_zones
    from zones import make_zones

    read = load_city("toy")
    city = city_of(read, make_zones(read.links, read.places, kind="square", count=4))
    street = Selection(street=("Row street 3",), zones=("Z01",))
    scenario = Scenario(name="close", measures=(CloseStreet(where=street),))
    return city, scenario.apply(city), touched_zones(city, scenario)


def told(pairs: Pairs, *, seed: int, truth: int = TRUTH, seeds: int = SEEDS) -> dict[str, Any]:
    """Coverage and widths from the pairs: the first `truth` tell the effect, the rest are studies of `seeds` each."""
    rows, figures, ratios, stops = [], [], [], []
    for name, (base, new) in pairs.items():
        difference = new - base
        effect = float(difference[:truth].mean())
        rest = difference[truth:]
        studies = rest[: rest.size // seeds * seeds].reshape(-1, seeds)
        double = studies[: len(studies) // 2 * 2].reshape(-1, 2 * seeds)
        rng = np.random.default_rng(seed)
        shares = [float(interval(rng.permutation(studies.ravel()).reshape(studies.shape), effect)[0].mean())
                  for _ in range(ORDERS - 1)]  # fmt: skip
        held, half = interval(studies, effect)
        held_double, half_double = interval(double, effect)
        ratio = float(np.median(half_double) / np.median(half))
        stopped = _stopped(rest, effect, seed)
        label = " ".join(part for part in name if part)
        first = float(held.mean())
        share = float(np.mean([first, *shares]))
        rows.append({
            "quantity": label, "effect": effect, "sd": float(difference.std(ddof=1)),
            "skewness": float(skew(difference)), "coverage": share, "studies": int(held.size),
            "coverage_of_the_first_studies": first,
            "coverage_double": float(held_double.mean()),
            "width_ratio": ratio, **stopped,
        })  # fmt: skip
        figures.append(figure(f"coverage of {label}", share, "share", n=int(held.size), seed=seed,
                              lower=min(first, *shares), upper=max(first, *shares)))  # fmt: skip
        ratios.append(ratio)
        stops.append(stopped["coverage_stopped"])
    of_each = np.array([row["coverage"] for row in rows])
    once = np.array([row["coverage_of_the_first_studies"] for row in rows])
    figures += [
        figure("least coverage", float(of_each.min()), "share", target=0.87, at_most=False, n=len(rows), seed=seed),
        figure("largest coverage", float(of_each.max()), "share", target=0.93, n=len(rows), seed=seed),
        figure("mean coverage", float(of_each.mean()), "share", n=len(rows), seed=seed),
        figure("mean coverage, studies put together once", float(once.mean()), "share", n=len(rows), seed=seed,
               lower=float(once.min()), upper=float(once.max())),
        figure("width with twice the seeds over width, median", float(np.median(ratios)), "1", n=len(rows), seed=seed),
        figure("the same by theory", theory(seeds), "1", n=1, seed=seed),
        figure("coverage of studies that stop by their width, mean", float(np.mean(stops)), "share", n=len(rows),
               seed=seed),
    ]  # fmt: skip
    return {"figures": figures, "quantities": rows}


def interval(studies: np.ndarray, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether the t interval of each study, shape (studies, seeds), holds the effect, and its half-width."""
    k = studies.shape[1]
    half = student.ppf(0.5 + LEVEL / 2, k - 1) * studies.std(axis=1, ddof=1) / np.sqrt(k)
    return np.abs(studies.mean(axis=1) - effect) <= half, half


def theory(seeds: int) -> float:
    """Ratio of the expected widths of 2 k and k seeds: 1 / sqrt 2 times that of the t quantiles."""
    quantile = student.ppf(0.5 + LEVEL / 2, np.array([2 * seeds - 1, seeds - 1]))
    return float(quantile[0] / quantile[1] / np.sqrt(2.0))


def _stopped(rest: np.ndarray, effect: float, seed: int) -> dict[str, float]:
    """Coverage and length of studies that stop by `simulation.stopping.Until`, in random orders of the pairs."""
    from simulation.stopping import Until

    rule = Until(quantity="any", width=STOP_WIDTH * float(rest.std(ddof=1)))
    rng = np.random.default_rng(seed)
    held, length = [], []
    for _ in range(STUDIES):
        draw = rng.choice(rest, min(rest.size, 200), replace=False)
        n = next((k for k in range(rule.minimum, draw.size) if rule.narrow(draw[:k], 1.0)), draw.size)
        held.append(bool(interval(draw[None, :n], effect)[0][0]))
        length.append(n)
    return {"coverage_stopped": float(np.mean(held)), "mean_seeds_stopped": float(np.mean(length))}
