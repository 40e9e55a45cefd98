"""Searches: the budget holds, the Pareto set is right, the same seed gives the same search."""

import numpy as np
import pytest

from data.store.protocol import MemoryStore
from simulation.errors import StudyCancelled
from simulation.search import SearchError, question_from_yaml, search
from simulation.search.pareto import hypervolume, not_dominated, reference_point
from simulation.search.plans import as_plan
from simulation.search.search import with_cost

TEXT = """
name: six
objectives: [delay_hours, no2, cost]
candidates:
  - {name: a, cost: 1, measures: [{measure: demand, percent: -1}]}
  - {name: b, cost: 2, measures: [{measure: demand, percent: -2}]}
  - {name: c, cost: 1, measures: [{measure: demand, percent: -3}]}
  - {name: d, cost: 3, measures: [{measure: demand, percent: -4}]}
  - {name: e, cost: 1, measures: [{measure: demand, percent: -5}]}
  - name: f
    measures: [{measure: demand, percent: 5}]
    levels: {key: percent, values: [5, 10], costs: [1, 2]}
"""
GAIN = np.array([[-5.0, 1.0], [-2.0, -3.0], [1.0, -4.0], [-6.0, -2.0], [2.0, 2.0], [3.0, -1.0]])


def town(plan):
    """Effects add up, less a quarter where a and d meet; f counts by its level."""
    taken = np.array(plan, dtype=float)
    return taken @ GAIN + (1.25 if plan[0] and plan[3] else 0.0)


@pytest.fixture(scope="module")
def question():
    return question_from_yaml(TEXT)


def all_values(question):
    plans = [as_plan(row) for row in question.plans()]
    return with_cost(question, plans, np.array([town(plan) for plan in plans]))


def test_rows_that_no_other_beats():
    """(1, 3), (2, 2) and (3, 1) trade; (3, 3) is beaten by (2, 2); of twins the first stays."""
    rows = np.array([[1, 3], [3, 3], [2, 2], [3, 1], [2, 2]])
    assert not_dominated(rows).tolist() == [True, False, True, True, False]


def test_the_volume_of_two_boxes():
    """Reference (4, 4): box of (1, 3) is 3 x 1, that of (2, 2) is 2 x 2, they share 2 x 1: 3 + 4 - 2 = 5."""
    pytest.importorskip("pymoo")
    assert hypervolume(np.array([[1.0, 3.0], [2.0, 2.0], [5.0, 0.0]]), np.array([4.0, 4.0])) == pytest.approx(5.0)


def test_a_quarter_of_the_plans_finds_the_pareto_set(question):
    """96 plans, 24 simulated: at least 95 % of the volume, with every seed."""
    pytest.importorskip("pymoo")
    values = all_values(question)
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    reference = reference_point((values - low) / span)
    whole = hypervolume((values - low) / span, reference)
    for seed in (1, 2):
        found = search(question, town, simulations=24, seed=seed)
        assert len(found.plans) <= 25
        assert hypervolume((found.values - low) / span, reference) >= 0.95 * whole


def test_the_same_seed_is_the_same_search_and_a_killed_one_goes_on(question):
    """Stopped after 6 plans and begun again on the same store: those 6 are not simulated twice, the end is the same."""
    pytest.importorskip("pymoo")
    whole = search(question, town, simulations=14, seed=4)
    store, asked = MemoryStore(), []

    def counted(plan):
        asked.append(plan)
        return town(plan)

    with pytest.raises(StudyCancelled, match="6 of 14"):
        search(question, counted, simulations=14, seed=4, store=store, cancelled=lambda: len(asked) == 6)
    again = search(question, counted, simulations=14, seed=4, store=store)
    assert np.array_equal(again.plans, whole.plans) and np.array_equal(again.values, whole.values)
    assert len(asked) == len(set(asked)) == len(whole.plans) - 1


def test_budget_number_and_exclusions_bound_every_plan():
    """Costs up to 3, two candidates at most, a and b never together: 1 + 5 alone that fit and what pairs remain."""
    pytest.importorskip("pymoo")
    question = question_from_yaml(TEXT + "budget: {cost: 3, candidates: 2}\nexcludes: [[a, b]]\n")
    plans = [as_plan(row) for row in question.plans()]
    assert all(question.cost(p) <= 3 and sum(map(bool, p)) <= 2 and not (p[0] and p[1]) for p in plans)
    assert (1, 0, 1, 0, 0, 0) in plans and (0, 0, 0, 1, 0, 0) in plans and (1, 1, 0, 0, 0, 0) not in plans
    found = search(question, town, simulations=8, seed=1)
    assert all(question.allows(as_plan(row)) for row in found.plans)


def test_a_preview_that_is_right_saves_simulations(question):
    """The surrogate starts from the preview: after the first plans the Pareto set is there."""
    pytest.importorskip("pymoo")
    values = all_values(question)
    front = {tuple(row) for row in np.round(values[not_dominated(values)], 9)}

    def share(found):
        return len(front & {tuple(row) for row in np.round(found.values, 9)}) / len(front)

    told = search(question, town, simulations=20, seed=3, foresee=lambda plans: np.stack([town(p) for p in plans]))
    blind = search(question, town, simulations=20, seed=3)
    assert share(told) >= share(blind)


def test_faults_of_a_question_are_told_together():
    bad = TEXT.replace("no2, cost", "joy, cost") + "excludes: [[a, z]]\n"
    with pytest.raises(SearchError, match=r"objective 'joy'.*excludes names 'z'"):
        question_from_yaml(bad)
    with pytest.raises(SearchError, match="allows no candidate"):
        search(question_from_yaml(TEXT + "budget: {cost: 0.5}\n"), town, simulations=3)
