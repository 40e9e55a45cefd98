"""The search: simulate a few plans, learn from them, simulate those that may better the Pareto set, and so on.

Each round draws a possible truth of all plans from the surrogate and simulates the plan that would add most hypervolume
if it were so (Thompson sampling for many objectives: Bradford, Schweidtmann & Lapkin 2018,
doi:10.1007/s10898-018-0609-2). Plans and objectives come from a `Question`; simulations come from a function of the
caller, so that a table of known answers serves as well as a city. Same seed, same search.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.store.protocol import MemoryStore, Store
from data.work import chosen_place, spread
from simulation.errors import StudyCancelled
from simulation.search.errors import SearchError
from simulation.search.guess import Guess
from simulation.search.pareto import hypervolume, not_dominated, reference_point
from simulation.search.plans import MOST_LISTED, Plan, Question, as_plan, one_hot

#: Simulated effects of a plan: (simulated objectives,), in the order of `Question.objectives` without `cost`.
Evaluate = Callable[[Plan], np.ndarray]
#: What a preview says of plans: rows of the same.
Foresee = Callable[[Sequence[Plan]], np.ndarray]
#: Plans that a draw looks at where there are more.
POOL = 1500
#: Rounds without a better Pareto set, in shares of the budget, after which a search ends by itself.
PATIENCE_SHARE, LEAST_PATIENCE = 0.5, 10


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Found:
    """What a search found.

    Attributes
    ----------
    question : Question
    plans : ndarray of int, shape (n, candidates)
        Simulated, in their order.
    values : ndarray, shape (n, objectives)
        Effects against the base, less is better; with `cost` where it is an objective.
    pareto : ndarray of bool, shape (n,)
    volume : ndarray, shape (n,)
        Hypervolume after each simulation, over the last.
    """

    question: Question
    plans: np.ndarray
    values: np.ndarray
    pareto: np.ndarray
    volume: np.ndarray


def search(
    question: Question,
    evaluate: Evaluate,
    *,
    simulations: int,
    foresee: Foresee | None = None,
    seed: int = 1,
    store: Store | None = None,
    progress: Callable[[int, int, str], Any] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Found:
    """Look for the Pareto set.

    Parameters
    ----------
    question : Question
    evaluate : callable
        Simulates one plan.
    simulations : int
        Most plans to simulate; the plan of nothing is known to change nothing and is not simulated.
    foresee : callable, optional
        A preview's word on plans: where the surrogate starts.
    seed : int
        Of all draws.
    store : Store, optional
        Keeps every simulated plan, so that a search goes on where it stopped.
    progress : callable, optional
        `progress(done, total, message)`.
    cancelled : callable, optional

    Raises
    ------
    SearchError
        If the budget allows no plan, or no simulation.
    StudyCancelled
        If `cancelled` says so; what was simulated is in the store.
    """
    if simulations < 1:
        raise SearchError(f"simulations={simulations}; at least 1")
    kept: Store = store if store is not None else MemoryStore()
    rng = np.random.default_rng([seed, 4049])
    book = _Book(question)
    begin = _first_plans(question, rng, simulations)
    patience = max(LEAST_PATIENCE, int(PATIENCE_SHARE * simulations))
    if chosen_place() is not None:  # the first plans depend on no other's outcome
        _at_once(begin, evaluate, kept)
    while book.simulated < simulations:
        if begin:
            plan: Plan | None = begin.pop(0)
        elif book.since_better() >= patience:
            break
        else:
            plan = _next(book, rng, foresee)
        if plan is None:
            break
        book.add(plan, _simulated(plan, evaluate, kept))
        if progress is not None:
            progress(book.simulated, simulations, question.in_words(plan))
        if cancelled is not None and cancelled():
            raise StudyCancelled(f"stopped after {book.simulated} of {simulations} plans; those are kept")
    return book.found()


class _Book:
    """Plans simulated so far."""

    def __init__(self, question: Question) -> None:
        self.question = question
        nothing = (0,) * len(question.candidates)
        self.plans: list[Plan] = [nothing]
        self.effects = [np.zeros(sum(name != "cost" for name in question.objectives))]
        self._better_at = 0

    @property
    def simulated(self) -> int:
        return len(self.plans) - 1

    def add(self, plan: Plan, effect: np.ndarray) -> None:
        self.plans.append(plan)
        self.effects.append(np.asarray(effect, dtype=float))
        if not_dominated(self.values())[-1]:
            self._better_at = self.simulated

    def since_better(self) -> int:
        return self.simulated - self._better_at

    def values(self) -> np.ndarray:
        return with_cost(self.question, self.plans, np.array(self.effects))

    def found(self) -> Found:
        values = self.values()
        reference = reference_point(values)
        whole = max(hypervolume(values, reference), 1e-300)
        volume = [hypervolume(values[: k + 1], reference) / whole for k in range(len(values))]
        return Found(
            question=self.question, plans=np.array(self.plans), values=values, pareto=not_dominated(values),
            volume=np.array(volume),
        )  # fmt: skip


def with_cost(question: Question, plans: Sequence[Plan], effects: np.ndarray) -> np.ndarray:
    """Objectives of plans, shape (n, objectives): effects, and the cost where it is asked for."""
    columns, at = [], 0
    for name in question.objectives:
        if name == "cost":
            columns.append(np.array([question.cost(as_plan(plan)) for plan in plans]))
        else:
            columns.append(effects[:, at])
            at += 1
    return np.stack(columns, axis=1)


def _simulated(plan: Plan, evaluate: Evaluate, store: Store) -> np.ndarray:
    try:
        return np.array(json.loads(store.get(_key(plan))), dtype=float)
    except KeyError:
        found = _asked(evaluate, plan)
        _put(store, plan, found)
        return found


def _at_once(plans: Sequence[Plan], evaluate: Evaluate, store: Store) -> None:
    """Simulate plans where work is done now; each is stored as it ends."""
    there = set(store.list("plans/"))
    missing = [plan for plan in dict.fromkeys(plans) if _key(plan) not in there]
    for _ in spread(
        _asked, [(evaluate, plan) for plan in missing], keep=lambda k, found: _put(store, missing[k], found)
    ):
        pass


def _asked(evaluate: Evaluate, plan: Plan) -> np.ndarray:
    return np.asarray(evaluate(plan), dtype=float)


def _key(plan: Plan) -> str:
    return "plans/" + "-".join(map(str, plan)) + ".json"


def _put(store: Store, plan: Plan, found: np.ndarray) -> None:
    store.put(_key(plan), json.dumps(found.tolist()).encode())


def _first_plans(question: Question, rng: np.random.Generator, most: int) -> list[Plan]:
    """Every candidate alone at its strongest, as far as allowed, and some plans of several: what a line needs."""
    size = len(question.candidates)
    alone = [tuple(len(one.levels) if k == j else 0 for j in range(size)) for k, one in enumerate(question.candidates)]
    found = [plan for plan in alone if question.allows(plan)]
    rng.shuffle(found)
    for _ in range(max(2, size // 2)):
        plan = _random(question, rng)
        if plan is not None and any(plan) and plan not in found:
            found.append(plan)
    if not found:
        raise SearchError(f"the budget of {question.name!r} allows no candidate at all")
    return [as_plan(plan) for plan in found[: max(1, most // 2)]]


def _random(question: Question, rng: np.random.Generator) -> Plan | None:
    """A random allowed plan: candidates in random order, each taken at a random level if it still fits."""
    plan = [0] * len(question.candidates)
    share = rng.uniform(0.2, 1.0)
    for k in rng.permutation(len(plan)):
        if rng.uniform() < share:
            plan[k] = int(rng.integers(1, len(question.candidates[k].levels) + 1))
            if not question.allows(tuple(plan)):
                plan[k] = 0
    return tuple(plan)


def _pool(book: _Book, rng: np.random.Generator) -> np.ndarray:
    """Plans not simulated yet that a draw looks at: all, or a sample with those near the Pareto set."""
    question, done = book.question, set(book.plans)
    if question.n_plans <= MOST_LISTED:
        rows = question.plans()
        rows = rows[[as_plan(row) not in done for row in rows]]
        if len(rows) > POOL:
            rows = rows[np.sort(rng.choice(len(rows), POOL, replace=False))]
        return rows
    near = {
        other for plan, good in zip(book.plans, not_dominated(book.values()), strict=True) if good
        for step in question.neighbours(plan) for other in (step, *question.neighbours(step)[:20])
    }  # fmt: skip
    while len(near) < POOL:
        plan = _random(question, rng)
        if plan is not None:
            near.add(plan)
        if len(near) >= question.n_plans // 2:
            break
    others = sorted(near - done)
    if not others:
        return np.zeros((0, len(question.candidates)), dtype=np.int64)
    chosen = np.sort(rng.choice(len(others), min(POOL, len(others)), replace=False))
    return np.array([others[k] for k in chosen], dtype=np.int64)


def _next(book: _Book, rng: np.random.Generator, foresee: Foresee | None) -> Plan | None:
    """The plan that adds most to the Pareto set in one draw of what may be true."""
    question, pool = book.question, _pool(book, rng)
    if not len(pool):
        return None
    x, new = one_hot(book.plans, question), one_hot(pool, question)
    effects = np.array(book.effects)
    told = foresee(book.plans) if foresee is not None else None
    ahead = foresee([as_plan(row) for row in pool]) if foresee is not None else None
    drawn = np.stack(
        [
            Guess(x, effects[:, k], None if told is None else told[:, k]).draw(
                new, rng, None if ahead is None else ahead[:, k]
            )
            for k in range(effects.shape[1])
        ],
        axis=1,
    )
    values = with_cost(question, [as_plan(row) for row in pool], drawn)
    known = book.values()
    both = np.concatenate([known, values])
    low, high = both.min(axis=0), both.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    known, values = (known - low) / span, (values - low) / span
    reference = np.full(known.shape[1], 1.1)
    front = known[not_dominated(known)]
    hopeful = np.flatnonzero(not_dominated(np.concatenate([front, values]))[len(front) :])
    if not hopeful.size:
        return as_plan(pool[int(np.argmin(values.sum(axis=1)))])
    if hopeful.size > 60:
        hopeful = np.sort(rng.choice(hopeful, 60, replace=False))
    gain = [hypervolume(np.concatenate([front, values[[k]]]), reference) for k in hopeful]
    return as_plan(pool[hopeful[int(np.argmax(gain))]])
