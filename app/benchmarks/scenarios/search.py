"""Part `search`: how soon the recommendation finds the Pareto set of a case whose every plan was simulated.

A small town with eight measures that may be taken or not: 256 plans, all simulated for one hour of the morning peak
under the same luck. Searches with several seeds then see only the plans that they ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.benchmarks import figure
from data.store.protocol import Store

SEARCH_SEEDS = 10
SHARE = 0.25
QUESTION = """
name: small-town
objectives: [delay_hours, no2, cost]
budget: {unit: MEUR}
candidates:
  - {name: slow-west, cost: 0.4, measures: [{measure: speed_limit, street: [Column street 2], kmh: 20}]}
  - {name: slow-all, cost: 0.9, measures: [{measure: speed_limit, road_class: [residential], kmh: 20}]}
  - {name: close-row, cost: 0.3, measures: [{measure: close_street, street: [Row street 2]}]}
  - {name: wide-row, cost: 3.0, measures: [{measure: lanes, street: [Row street 4], change: 1}]}
  - {name: narrow-main, cost: 0.5, measures: [{measure: lanes, street: [Column street 3], change: -1}]}
  - name: clean
    cost: 1.5
    measures: [{measure: low_emission_zone, road_class: [primary], ban: [{fuel: diesel, up_to_euro: 5}]}]
  - {name: toll, cost: 1.0, measures: [{measure: toll, street: [Row street 3], eur: 1}]}
  - {name: transit, cost: 4.0, measures: [{measure: demand, percent: -8}]}
"""


def case(seed: int) -> tuple[Any, Any, Any]:
    """City, question and window."""
    from app.city_making import city_of
    from data.cities import load_city
    from simulation.preview import Window
    from simulation.search import question_from_yaml
    from zones import make_zones

    source = load_city("toy")
    city = city_of(source, make_zones(source.links, source.places, kind="square", count=9))
    return city, question_from_yaml(QUESTION, city=city), Window(start="2026-01-27 07:30", hours=1.0)


def exhaustive(
    city: Any, question: Any, window: Any, *, store: Store | None = None, cancelled: Callable[[], bool] | None = None
) -> dict[tuple[int, ...], np.ndarray]:
    """Effects of every plan, by plan."""
    from simulation.preview import simulate
    from simulation.search.objectives import objectives_of, simulated_objectives
    from simulation.search.plans import as_plan

    plans = [as_plan(row) for row in question.plans() if row.any()]
    found = simulate(
        city, [question.scenario(plan) for plan in plans], window=window, seeds=(1,), store=store, cancelled=cancelled
    )
    names = simulated_objectives(question)
    effects = objectives_of(found.values[:, 0], city, names) - objectives_of(found.base[0], city, names)
    return dict(zip(plans, effects))


def measure(*, seed: int = 1, store: Store | None = None) -> dict[str, Any]:
    """Simulate all plans, then search with several seeds."""
    city, question, window = case(seed)
    truth = exhaustive(city, question, window, store=store)
    return searched(question, truth, seed=seed)


def searched(question: Any, truth: dict[tuple[int, ...], np.ndarray], *, seed: int) -> dict[str, Any]:
    """How much of the whole Pareto set's hypervolume searches reach, and random ones beside them."""
    from simulation.search import search
    from simulation.search.pareto import hypervolume, not_dominated, reference_point
    from simulation.search.search import with_cost

    nothing = (0,) * len(question.candidates)
    plans = [nothing, *truth]
    effects = np.stack([np.zeros_like(next(iter(truth.values()))), *truth.values()])
    values = with_cost(question, plans, effects)
    low, high = values.min(axis=0), values.max(axis=0)
    values = (values - low) / (high - low)
    reference = reference_point(values)
    whole = hypervolume(values, reference)
    at = {plan: k for k, plan in enumerate(plans)}
    budget = int(SHARE * len(plans))
    reached, needed, random = [], [], []
    for k in range(SEARCH_SEEDS):
        found = search(question, lambda plan: truth[plan], simulations=budget, seed=seed + k)
        rows = [at[tuple(int(v) for v in plan)] for plan in found.plans]
        volume = np.array([hypervolume(values[rows[: n + 1]], reference) / whole for n in range(len(rows))])
        reached.append(float(volume[-1]))
        needed.append(int(np.argmax(volume >= 0.95)) if volume[-1] >= 0.95 else len(plans))
        drawn = np.random.default_rng([seed, k, 7]).choice(len(plans), budget, replace=False)
        random.append(hypervolume(values[[0, *drawn]], reference) / whole)
    spread = {"lower": min(reached), "upper": max(reached)}
    return {
        "figures": [
            figure("hypervolume at 25 % of the simulations, median", float(np.median(reached)), "share", target=0.95,
                   at_most=False, n=SEARCH_SEEDS, seed=seed, **spread),
            figure("hypervolume at 25 % of the simulations, worst search", min(reached), "share", target=0.95,
                   at_most=False, n=SEARCH_SEEDS, seed=seed),
            figure("simulations to 95 % of the hypervolume, median", float(np.median(needed)) / len(plans), "share",
                   target=SHARE, n=SEARCH_SEEDS, seed=seed, lower=min(needed) / len(plans),
                   upper=max(needed) / len(plans)),
            figure("hypervolume of random plans at 25 %, median", float(np.median(random)), "share", n=SEARCH_SEEDS,
                   seed=seed, lower=min(random), upper=max(random)),
        ],
        "plans": len(plans), "pareto_plans": int(not_dominated(values).sum()), "budget": budget,
        "reached": reached, "simulations_needed": needed, "random": random,
    }  # fmt: skip
