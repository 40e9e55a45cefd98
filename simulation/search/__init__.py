"""Recommendation: which of many combinations of measures to take, for several aims and a budget.

Read `plans` (candidates, levels, budgets, the YAML file), `pareto` (plans that no other beats), `guess` (what plans
that were not simulated would do), `search` (which plan to simulate next), `objectives` (what a city gives), then
`recommend` (the Pareto set with its uncertainty, and the reason for each plan in words). Needs the extra `search`.
"""

from simulation.search.errors import SearchError
from simulation.search.plans import Candidate, Question, question_from_yaml, read_question
from simulation.search.search import Found, search

__all__ = ["Candidate", "Found", "Question", "SearchError", "question_from_yaml", "read_question", "search"]
