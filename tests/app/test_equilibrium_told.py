"""A study in equilibrium says how near it came: on the command line, in the report, and in what repeats it."""

import pytest
from pydantic import ValidationError

from app.commands.scenarios import gap_words
from app.reports.method import equilibrium_words
from app.reports.specification import StudySpec
from app.study_job import run_job


def side(gap, rounds, first):
    return {"gap": gap, "first_gap": first, "asked": 0.01, "rounds": rounds, "trips": 9, "mean_s": 2.0, "best_s": 1.9}


LEARNED = [[side(0.008, 4, 0.05), side(0.012, 40, 0.3)], [side(0.009, 6, 0.04), side(0.002, 5, 0.2)]]


def test_the_command_tells_the_largest_gap_of_each_side():
    """0.8 and 0.9 % today, 1.2 and 0.2 % with the plan."""
    assert gap_words([]) == []
    assert "0.90 % today, 1.20 % with the plan (asked: 1 %)" in gap_words(LEARNED)[0]


def test_the_report_tells_what_was_asked_reached_and_missed():
    """One of four runs stays above 1 %."""
    words = equilibrium_words(LEARNED)
    assert "less than 1 %" in words and "0.90 % today (6 rounds" in words and "1.20 % with the plan (40 rounds" in words
    assert words.endswith("1 of 4 runs did not come that near.")
    assert "did not come" not in equilibrium_words(LEARNED[1:])


def test_what_repeats_a_study_carries_its_equilibrium():
    asked = {"run": "study-1", "scenario": {}, "pairs": 2, "days": 1, "start": "2026-01-27"}
    assert StudySpec(**asked, equilibrium=0.01).equilibrium == 0.01 and StudySpec(**asked).equilibrium is None
    with pytest.raises(ValidationError):
        StudySpec(**asked, equilibrium=0.9)


def test_a_job_hands_its_equilibrium_on():
    told = {}

    def make(workspace, scenario, **options):
        told.update(options)
        return "study-1", False

    form = {"name": "nothing", "measures": []}
    run_job(None, {"scenario": form, "seeds": 2, "equilibrium": 0.01}, lambda *args: None, lambda: False, make=make)
    assert told["equilibrium"] == 0.01 and told["seeds"] == 2
