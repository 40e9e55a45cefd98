"""Candidates, plans and budgets: what a search may combine, and what it may spend.

A candidate is a group of measures that is taken or not, or taken at one of some levels (a charge of 1, 2 or 4 EUR). A
plan is one level for every candidate, 0 where it is not taken. Plans that cost more than the budget, hold more
candidates than allowed or two that exclude each other are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulation.city import City
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import from_form
from simulation.search.errors import SearchError

#: What a plan may be judged by; less is better. `cost` is what its candidates cost; the rest is simulated.
OBJECTIVES = {
    "delay_hours": "veh h", "vehicle_hours": "veh h", "vehicle_km": "veh km", "nox_kg": "kg", "no2": "ug/m3",
    "no2_exposure": "ug/m3", "cost": "",
}  # fmt: skip
#: Plans up to this number are all looked at by the surrogate; of more, a sample that the search breeds.
MOST_LISTED = 20_000

Plan = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing that may be done. `levels[k]` is what level k + 1 means, `costs[k]` what it costs."""

    name: str
    label: str
    levels: tuple[Scenario, ...]
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a search is asked."""

    name: str
    candidates: tuple[Candidate, ...]
    objectives: tuple[str, ...]
    cost_limit: float = np.inf
    most_candidates: int = 10**6
    excludes: tuple[tuple[int, int], ...] = ()
    cost_unit: str = "MEUR"

    def cost(self, plan: Plan) -> float:
        """What a plan costs."""
        return float(sum(one.costs[level - 1] for one, level in zip(self.candidates, plan) if level))

    def allows(self, plan: Plan) -> bool:
        """Whether budget and exclusions allow a plan."""
        taken = [k for k, level in enumerate(plan) if level]
        if len(taken) > self.most_candidates or self.cost(plan) > self.cost_limit + 1e-9:
            return False
        return not any(plan[a] and plan[b] for a, b in self.excludes)

    def scenario(self, plan: Plan) -> Scenario:
        """The plan as one scenario."""
        measures = tuple(
            measure
            for one, level in zip(self.candidates, plan) if level
            for measure in one.levels[level - 1].measures
        )  # fmt: skip
        name = f"{self.name}-" + "".join(str(level) for level in plan)
        return Scenario(name=name, measures=measures, label=self.in_words(plan))

    def in_words(self, plan: Plan) -> str:
        """Its candidates by their labels."""
        return " + ".join(self.part(k, level) for k, level in enumerate(plan) if level) or "nothing"

    def part(self, k: int, level: int) -> str:
        """A candidate at a level."""
        one = self.candidates[k]
        return one.label if len(one.levels) == 1 else one.levels[level - 1].label

    @property
    def n_plans(self) -> int:
        """Plans without regard to the budget."""
        return int(np.prod([len(one.levels) + 1 for one in self.candidates], dtype=object))

    def plans(self) -> np.ndarray:
        """All allowed plans, int, shape (n, candidates), in the order of counting.

        Raises
        ------
        SearchError
            If there are more than `MOST_LISTED`.
        """
        if self.n_plans > MOST_LISTED:
            raise SearchError(f"{self.n_plans} plans are too many to list; at most {MOST_LISTED}")
        sizes = [len(one.levels) + 1 for one in self.candidates]
        rows = np.stack(np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij"), axis=-1)
        rows = rows.reshape(-1, len(sizes))
        return np.array([row for row in rows if self.allows(as_plan(row))], dtype=np.int64)

    def neighbours(self, plan: Plan) -> list[Plan]:
        """Allowed plans that differ in one candidate."""
        found = []
        for k, one in enumerate(self.candidates):
            for level in range(len(one.levels) + 1):
                other = (*plan[:k], level, *plan[k + 1 :])
                if level != plan[k] and self.allows(other):
                    found.append(other)
        return found


def as_plan(row: Iterable[Any]) -> Plan:
    """A row of levels as a plan."""
    return tuple(int(level) for level in row)


class _Levels(BaseModel):
    """`values: {eur: [1, 2, 4]}`: a level for each value of one key of the first measure."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str
    values: tuple[float, ...] = Field(min_length=1, max_length=9)
    costs: tuple[float, ...] | None = None


class _CandidateEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    label: str = ""
    cost: float = Field(default=0.0, ge=0)
    measures: tuple[dict[str, Any], ...] = Field(min_length=1)
    levels: _Levels | None = None


class _Budget(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    cost: float | None = Field(default=None, ge=0)
    candidates: int | None = Field(default=None, ge=1)
    unit: str = "MEUR"


class _QuestionEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    objectives: tuple[str, ...] = Field(min_length=1, max_length=4)
    budget: _Budget = _Budget()
    candidates: tuple[_CandidateEntry, ...] = Field(min_length=1, max_length=60)
    excludes: tuple[tuple[str, str], ...] = ()


def read_question(path: str | Path, city: City | None = None) -> Question:
    """A question from a YAML file; see `question_from_yaml`."""
    return question_from_yaml(Path(path).read_text(encoding="utf-8"), city=city, source=Path(path).name)


def question_from_yaml(text: str, *, city: City | None = None, source: str = "question") -> Question:
    """A question from YAML text.

    Parameters
    ----------
    text : str
        `name`, `objectives` (of `OBJECTIVES`), `budget` (`cost`, `candidates`, `unit`), `candidates` (each `name`,
        `label`, `cost`, `measures` as in a scenario file and, to try several strengths of the first measure,
        `levels: {key, values, costs}`), `excludes` (pairs of names).
    city : City, optional
        With it, every measure is checked against the city.
    source : str
        For messages.

    Raises
    ------
    SearchError
        With every fault at once.
    """
    try:
        told = _QuestionEntry.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SearchError(f"{source} is no YAML: {error}") from error
    except ValidationError as error:
        listed = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SearchError(f"{source}: {listed}") from error
    names = [entry.name for entry in told.candidates]
    faults = [f"objective '{name}'; allowed: {list(OBJECTIVES)}" for name in told.objectives if name not in OBJECTIVES]
    faults += [f"candidate '{name}' is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    faults += [
        f"excludes names '{name}', which is no candidate"
        for pair in told.excludes
        for name in pair
        if name not in names
    ]
    candidates = []
    for entry in told.candidates:
        try:
            candidates.append(_candidate(entry, city))
        except (ScenarioError, SearchError) as error:
            faults.append(f"candidate '{entry.name}': {error}")
    if faults:
        raise SearchError(f"{source}: " + "; ".join(faults))
    return Question(
        name=told.name, candidates=tuple(candidates), objectives=told.objectives, cost_unit=told.budget.unit,
        cost_limit=np.inf if told.budget.cost is None else told.budget.cost,
        most_candidates=told.budget.candidates or len(candidates),
        excludes=tuple((names.index(a), names.index(b)) for a, b in told.excludes),
    )  # fmt: skip


def _candidate(entry: _CandidateEntry, city: City | None) -> Candidate:
    label = entry.label or entry.name
    if entry.levels is None:
        forms, labels, costs = [list(entry.measures)], [label], [entry.cost]
    else:
        given = entry.levels
        costs = list(given.costs) if given.costs is not None else [entry.cost] * len(given.values)
        if len(costs) != len(given.values):
            raise SearchError(f"{len(given.values)} levels and {len(costs)} costs; one each is needed")
        forms = [[{**entry.measures[0], given.key: value}, *entry.measures[1:]] for value in given.values]
        labels = [f"{label} ({given.key} {value:g})" for value in given.values]
    levels: list[Scenario] = []
    for number, (form, text) in enumerate(zip(forms, labels)):
        scenario = from_form({"name": f"{entry.name}-{number + 1}", "measures": [dict(one) for one in form]}, city=city)
        levels.append(replace(scenario, label=text))
    return Candidate(name=entry.name, label=label, levels=tuple(levels), costs=tuple(costs))


def one_hot(rows: np.ndarray | Sequence[Plan], question: Question) -> np.ndarray:
    """Plans as 0 and 1 by candidate and level, shape (n, levels in all)."""
    table = np.asarray(rows, dtype=np.int64).reshape(-1, len(question.candidates))
    columns = [
        table[:, k] == level + 1 for k, one in enumerate(question.candidates) for level in range(len(one.levels))
    ]
    return np.stack(columns, axis=1).astype(float)
