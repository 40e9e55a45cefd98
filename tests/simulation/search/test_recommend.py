"""Recommendations in a living town: what is confirmed, and what is said of it."""

import numpy as np
import pytest

from simulation.preview import Window
from simulation.search import question_from_yaml, search
from simulation.search.objectives import evaluator
from simulation.search.recommend import recommend

WINDOW = Window(start="2025-09-02 07:30", hours=0.75)
TEXT = """
name: town
objectives: [vehicle_hours, cost]
budget: {unit: MEUR}
candidates:
  - {name: fewer, label: Fewer trips, cost: 2, measures: [{measure: demand, percent: -20}]}
  - {name: slow, label: Walking pace, cost: 1, measures: [{measure: speed_limit, kmh: 10}]}
"""


@pytest.fixture(scope="module")
def advice(town):
    pytest.importorskip("pymoo")
    question = question_from_yaml(TEXT, city=town)
    found = search(question, evaluator(town, question, window=WINDOW), simulations=3, seed=1)
    return found, recommend(town, found, window=WINDOW, seeds=(1, 2, 3))


def test_only_what_lowers_something_is_recommended(advice):
    """Walking pace costs money and time; fewer trips saves time for money: one plan is left."""
    found, told = advice
    assert len(found.plans) == 4 and [one.name for one in told] == ["Fewer trips"]
    row = told[0].effects.iloc[0]
    assert row["effect"] < -0.15 * row["base"] and row["lower"] < row["effect"] < row["upper"] < 0 and told[0].sure


def test_the_reason_names_gain_cost_losers_certainty_and_neighbours(advice):
    reason = advice[1][0].reason
    for words in ("It lowers time driven by", "It costs 2 MEUR", "In no zone does delay grow", "Over 3 pairs of runs",
                  "With Walking pace as well", "simulated"):  # fmt: skip
        assert words in reason


def test_effects_of_the_search_are_those_of_the_same_pair(advice, town):
    """Common random numbers: a plan simulated again with the search's seed gives the same number."""
    found, _ = advice
    question = found.question
    again = evaluator(town, question, window=WINDOW)((1, 0))
    row = next(k for k, plan in enumerate(found.plans) if tuple(plan) == (1, 0))
    assert np.array_equal(found.values[row, :1], again)
