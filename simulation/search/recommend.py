"""The recommendation: Pareto plans simulated again with more luck, and the reason for each in plain words.

For every plan of the Pareto set: what it gains and costs, with 90 % intervals over pairs of runs (Student's t, as in
`simulation.effects`); which zones lose; how sure; and why not the plans one step away, each of which was either
simulated by the search or is told as foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from data.store.protocol import MemoryStore
from simulation.city import City
from simulation.effects import CONFIDENCE
from simulation.errors import StudyCancelled
from simulation.preview.ensemble import QUANTITIES, simulate
from simulation.preview.window import Window
from simulation.search.errors import SearchError
from simulation.search.guess import Guess
from simulation.search.objectives import objectives_of, pair_effects, simulated_objectives
from simulation.search.pareto import not_dominated
from simulation.search.plans import OBJECTIVES, Plan, Question, as_plan, one_hot
from simulation.search.search import Found

_WORDS = {
    "delay_hours": "delay", "vehicle_hours": "time driven", "vehicle_km": "traffic", "nox_kg": "NOx emitted",
    "no2": "NO2 in the streets", "no2_exposure": "NO2 where people live", "cost": "cost",
}  # fmt: skip
#: A zone loses if its delay grows by more than this share of its own and of the mean zone's base; smaller changes are
#: luck (assumed).
LOSING_SHARE = 0.05
SHOWN_ZONES, SHOWN_NEIGHBOURS = 3, 2


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Advice:
    """One recommended plan.

    Attributes
    ----------
    plan : tuple of int
    name : str
        Its candidates in words.
    effects : DataFrame
        `objective`, `base`, `effect`, `lower`, `upper`, `unit`; bounds are missing with one pair.
    losers : DataFrame
        `zone_id`, `name`, `delay_hours`, `share`: zones whose delay grows, worst first.
    sure : bool
        Whether at least one objective but the cost is better with certainty, i.e. its interval lies below zero.
    reason : str
    """

    plan: Plan
    name: str
    effects: pd.DataFrame
    losers: pd.DataFrame
    sure: bool
    reason: str


def recommend(
    city: City,
    found: Found,
    *,
    window: Window,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    most: int = 8,
    progress: Callable[[int, int, str], Any] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Advice]:
    """Simulate the Pareto plans again, leave out those that luck had put there, and say why each of the others.

    Parameters
    ----------
    city : City
    found : Found
        Of a search in this city.
    window : Window
        Of the search.
    seeds : sequence of int
        Pairs of runs for each plan.
    most : int
        Plans to recommend; of more, those that differ most in what they gain.
    progress, cancelled : callable, optional

    Returns
    -------
    list of Advice
        Cheapest first. Empty where nothing is better than doing nothing.

    Raises
    ------
    SearchError
        If there are no seeds.
    StudyCancelled
        If `cancelled` says so.
    """
    if not len(seeds):
        raise SearchError("no seeds to confirm the plans with; at least 1")
    question = found.question
    rows = [k for k in np.flatnonzero(found.pareto) if found.plans[k].any()]
    rows = _apart(found.values, rows, most)
    names, kept = simulated_objectives(question), MemoryStore()
    confirmed: list[tuple[Plan, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    for number, row in enumerate(rows):
        plan = as_plan(found.plans[row])
        ensemble = simulate(city, [question.scenario(plan)], window=window, seeds=seeds, store=kept)
        effects = pair_effects(ensemble, city, names)
        at = list(QUANTITIES).index("delay_hours")
        confirmed.append(
            (plan, effects, _base(ensemble.base, city, names), ensemble.effects[0][:, at],
             ensemble.base.mean(axis=0)[:, at])
        )  # fmt: skip
        if progress is not None:
            progress(number + 1, len(rows), question.in_words(plan))
        if cancelled is not None and cancelled():
            raise StudyCancelled(f"stopped after {number + 1} of {len(rows)} plans")
    if not confirmed:
        return []
    means = np.stack([one[1].mean(axis=0) for one in confirmed])
    table = [_with_cost(question, one[0], mean) for one, mean in zip(confirmed, means)]
    good_rows = not_dominated(np.array([np.zeros(len(question.objectives)), *table]))[1:]
    advice = [_advice(city, found, one, len(seeds)) for one, good in zip(confirmed, good_rows) if good]
    return sorted(advice, key=lambda one: (question.cost(one.plan), one.plan))


def _base(zones: np.ndarray, city: City, names: Sequence[str]) -> np.ndarray:
    return np.asarray(objectives_of(zones, city, names).mean(axis=0))


def _with_cost(question: Question, plan: Plan, mean: np.ndarray) -> np.ndarray:
    told = dict(zip(simulated_objectives(question), mean))
    return np.array([question.cost(plan) if name == "cost" else told[name] for name in question.objectives])


def _apart(values: np.ndarray, rows: list[Any], most: int) -> list[Any]:
    """Some rows that differ most: the best in each objective, then whoever is farthest from those taken."""
    if len(rows) <= most:
        return rows
    table = values[rows]
    span = np.ptp(table, axis=0)
    table = (table - table.min(axis=0)) / np.where(span > 0, span, 1.0)
    taken = list(dict.fromkeys(int(k) for k in table.argmin(axis=0)))[:most]
    while len(taken) < most:
        distance = np.linalg.norm(table[:, None] - table[taken][None], axis=2).min(axis=1)
        taken.append(int(distance.argmax()))
    return [rows[k] for k in sorted(taken)]


def _advice(city: City, found: Found, one: tuple[Plan, Any, Any, Any, Any], n: int) -> Advice:
    question = found.question
    plan, pairs_, base, delay, delay_base = one
    names = simulated_objectives(question)
    mean = pairs_.mean(axis=0)
    half = np.full(mean.shape, np.nan)
    if n > 1:
        half = student.ppf(0.5 + CONFIDENCE / 2, n - 1) * pairs_.std(axis=0, ddof=1) / np.sqrt(n)
    effects = pd.DataFrame(
        {
            "objective": list(names), "base": base, "effect": mean, "lower": mean - half, "upper": mean + half,
            "unit": [OBJECTIVES[name] for name in names],
        }
    )  # fmt: skip
    share = np.divide(delay, delay_base, out=np.zeros(delay.shape), where=delay_base > 0)
    zones = pd.DataFrame(
        {"zone_id": list(city.zones["zone_id"]), "name": list(city.zones["name"]), "delay_hours": delay, "share": share}
    )
    much = LOSING_SHARE * float(np.mean(delay_base))  # in an empty zone any vehicle is a large share
    losers = zones[(zones["share"] > LOSING_SHARE) & (zones["delay_hours"] > much)].sort_values(
        "delay_hours", ascending=False, ignore_index=True
    )
    sure = bool((effects["upper"] < 0).any())
    reason = _reason(found, plan, effects, losers, len(zones), sure, n)
    return Advice(plan=plan, name=question.in_words(plan), effects=effects, losers=losers, sure=sure, reason=reason)


def _reason(
    found: Found, plan: Plan, effects: pd.DataFrame, losers: pd.DataFrame, n_zones: int, sure: bool, n: int
) -> str:
    """What it gains, what it costs, who loses, how sure, why not its neighbours."""
    question = found.question
    gains = [_effect(row) for row in effects.itertuples() if row.effect < 0]
    harms = [_effect(row) for row in effects.itertuples() if row.effect > 0]
    text = [f"It lowers {_and(gains)}." if gains else "It lowers nothing that was asked for."]
    text.append(
        f"It costs {question.cost(plan):g} {question.cost_unit}" + (f" and raises {_and(harms)}." if harms else ".")
    )
    if len(losers):
        worst = [f"{row.name_} ({row.delay_hours:+.3g} veh h)" for row in
                 losers.head(SHOWN_ZONES).rename(columns={"name": "name_"}).itertuples()]  # fmt: skip
        text.append(
            f"Delay grows by more than {LOSING_SHARE:.0%} in {len(losers)} of {n_zones} zones, most in {_and(worst)}."
        )
    else:
        text.append(f"In no zone does delay grow by more than {LOSING_SHARE:.0%}.")
    if n < 2:
        text.append("It was simulated once: luck may be part of it.")
    else:
        sides = "better in at least one aim beyond doubt" if sure else "not better beyond doubt in any aim"
        text.append(f"Over {n} pairs of runs it is {sides} (90 % intervals).")
    text += _neighbours(found, plan, effects)
    return " ".join(text)


def _neighbours(found: Found, plan: Plan, effects: pd.DataFrame) -> list[str]:
    """Sentences on plans one step away: what each would gain and lose against this one."""
    question = found.question
    known = {as_plan(row): values for row, values in zip(found.plans, found.values)}
    here = known[plan]
    others = [other for other in question.neighbours(plan) if any(other)]
    unknown = [other for other in others if other not in known]
    guessed = dict(zip(unknown, _guessed(found, unknown))) if unknown else {}
    span = np.where(np.ptp(found.values, axis=0) > 0, np.ptp(found.values, axis=0), 1.0)
    ranked = sorted(
        others, key=lambda other: (float((((known.get(other, guessed.get(other))) - here) / span).sum()), other)
    )
    sentences = []
    for other in ranked[:SHOWN_NEIGHBOURS]:
        k = next(i for i, (a, b) in enumerate(zip(plan, other)) if a != b)
        if not other[k]:
            step = f"Without {question.part(k, plan[k])}"
        elif plan[k]:
            step = f"With {question.part(k, other[k])} in place of {question.part(k, plan[k])}"
        else:
            step = f"With {question.part(k, other[k])} as well"
        change = (known[other] if other in known else guessed[other]) - here
        better = [_step(name, value) for name, value in zip(question.objectives, change) if value < -1e-12]
        worse = [_step(name, value) for name, value in zip(question.objectives, change) if value > 1e-12]
        how = "simulated" if other in known else "foreseen, not simulated"
        if worse:
            sentences.append(f"{step}: {_and(worse)}" + (f", for {_and(better)}" if better else "") + f" ({how}).")
        else:
            sentences.append(f"{step}: {_and(better) or 'no difference'} ({how}).")
    return sentences


def _guessed(found: Found, plans: Sequence[Plan]) -> np.ndarray:
    """What the surrogate believes of plans, shape (n, objectives)."""
    question = found.question
    x, new = one_hot(found.plans, question), one_hot(list(plans), question)
    columns = []
    for k, name in enumerate(question.objectives):
        if name == "cost":
            columns.append(np.array([question.cost(plan) for plan in plans]))
        else:
            columns.append(Guess(x, found.values[:, k]).mean(new)[0])
    return np.stack(columns, axis=1)


def _effect(row: Any) -> str:
    part = f" or {abs(row.effect) / row.base:.1%}" if row.base > 0 else ""
    wide = "" if np.isnan(row.lower) else f" ({row.lower:+.3g} to {row.upper:+.3g})"
    return f"{_WORDS[row.objective]} by {abs(row.effect):.3g} {row.unit}{part}{wide}"


def _step(name: str, value: float) -> str:
    unit = f" {OBJECTIVES[name]}" if OBJECTIVES[name] else ""
    return f"{abs(value):.3g}{unit} {'less' if value < 0 else 'more'} {_WORDS[name]}"


def _and(parts: Sequence[str]) -> str:
    return " and ".join(parts) if len(parts) < 3 else ", ".join(parts[:-1]) + " and " + parts[-1]
