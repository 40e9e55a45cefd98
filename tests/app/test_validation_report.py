"""The validation report: figures as benchmarks tell them, what was skipped and why, in three forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.benchmarks import case_names, figure
from app.benchmarks.closed_forms import capacity
from app.benchmarks.closed_forms import run as closed_forms
from app.cli import main
from app.reports.validation import document, validate, write
from app.reports.validation.parts import PARTS
from data.errors import InputError


def stand_in(calls):
    """A runner with two figures a case; peers are not installed."""

    def run(case, arguments):
        calls.append((case, *arguments))
        if "--peers" in arguments:
            raise InputError("UXsim is not installed: pip install 'zonewise[bench]'")
        return {
            "figures": [
                figure("pm25 1 h: automatic choice, MAE", 9.5, "ug/m3", n=800),
                figure("pm25 1 h: 90 % interval, coverage, distance from 0.9", 0.02, "1", target=0.015, n=800),
            ],
            "notes": ["metr: no file"],
        }

    return run


@pytest.fixture(scope="module")
def found():
    return validate(run=stand_in([]))


def test_parts_that_share_a_benchmark_run_it_once():
    """Errors and coverage of forecasts come from one run, each part with its own figures."""
    calls = []
    made = validate(quick=True, only=["forecasts", "forecast_intervals"], run=stand_in(calls))
    assert len(calls) == 1
    assert ["90 % interval" in part.figures[0]["name"] for part in made.parts] == [False, True]


def test_a_part_that_cannot_be_measured_says_why(found):
    peers = next(part for part in found.parts if part.name == "peers")
    assert peers.figures == () and "not installed" in peers.skipped[0]
    quick = validate(quick=True, only=["study_intervals"], run=stand_in([]))
    assert quick.parts[0].figures == () and "25 minutes" in quick.parts[0].skipped[0]


def test_targets_are_counted(found):
    """Coverage misses its target of 0.015 in each part that shows it: all but peers and errors."""
    aimed, met, empty = found.tally()
    assert (aimed, met, empty) == (5, 0, 1)


@pytest.mark.parametrize("ending", [".md", ".html"])
def test_the_report_is_written_with_json_beside_it(found, tmp_path, ending):
    path, beside = write(found, tmp_path / f"validation{ending}")
    text = path.read_text(encoding="utf-8")
    assert "Validation report" in text and "0.02" in text and "0.015" in text and "not installed" in text
    assert "zonewise benchmark closed_forms --json" in text and "http" not in text.replace("http-equiv", "")
    told = json.loads(beside.read_text(encoding="utf-8"))
    assert [part["name"] for part in told["parts"]] == [part.name for part in PARTS]
    assert told["parts"][0]["figures"][0]["value"] == 9.5 and told["machine"]["cores"]


def test_the_document_of_a_quick_report_says_so():
    made = validate(quick=True, only=["idaho"], run=stand_in([]))
    assert "Short form" in document(made).lead


def test_every_part_asks_for_benchmarks_that_are_there():
    for part in PARTS:
        assert part.full and all(words[0] in case_names() for words in (*part.full, *part.quick))
        assert part.quick or part.slow


def test_a_wrong_part_or_ending_is_refused_before_anything_runs(capsys, tmp_path):
    with pytest.raises(InputError, match="there are: closed_forms"):
        validate(only=["luck"])
    with pytest.raises(SystemExit):
        main(["report", "validation", "--quick", "--to", str(tmp_path / "report.pdf")])
    assert ".html or .md" in capsys.readouterr().err


def test_the_command_measures_the_closed_forms(capsys, tmp_path):
    """All five hold within a thousandth; nothing was typed."""
    main(["report", "validation", "--quick", "--only", "closed_forms", "--to", str(tmp_path / "v.md")])
    assert "5 of 5 targets met" in capsys.readouterr().out
    assert Path(tmp_path / "v.json").exists()


def test_the_closed_forms_are_those_of_the_theory():
    """C(3) = 0.2 x 3 x 5 / 8 = 0.375 veh/s; the queue before it holds 0.2 - 0.375 / 5 = 0.125 veh/m."""
    assert capacity(3.0) == pytest.approx(0.375)
    told = {one["name"]: one["value"] for one in closed_forms([])["figures"]}
    assert told["queue: density before the bottleneck, by theory"] == pytest.approx(0.125)
    assert told["queue: density before the bottleneck, measured"] == pytest.approx(0.125, rel=1e-3)
    with pytest.raises(InputError):
        closed_forms(["more"])
