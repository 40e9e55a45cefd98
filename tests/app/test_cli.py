"""The command line as a person meets it: the whole job on the toy town, then every command; bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import main
from app.progress import Bars
from models.candidates import candidates

JOB = ["--city", "toy", "--days", "8", "--test-days", "2", "--zone-count", "4", "--n-jobs", "1"]
SCENARIO = """\
name: close_middle
measures:
  - measure: close_street
    street: Row street 3
    start: "06:00"
    end: "20:00"
"""


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """A home folder where the toy town's job is done."""
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("home")
    patch.setenv("ZONEWISE_HOME", str(root))
    patch.setenv("ZONEWISE_CACHE", str(root / "cache"))
    patch.delenv("ZONEWISE_WORKSPACE", raising=False)
    main(["demo", "town", *JOB, "--no-serve"])
    yield root
    patch.undo()


def said(capsys, *arguments: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    main(list(arguments))
    return capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    """The one line that a refused command prints; its exit status is 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 2
    text = capsys.readouterr().err.strip()
    assert text.startswith("zonewise: ") and "\n" not in text and "Traceback" not in text
    return text


def test_a_second_demo_repeats_no_step(capsys):
    """The runs are there: no new one appears."""
    before = json.loads(said(capsys, "runs", "list", "town", "--json"))
    said(capsys, "demo", "town", *JOB, "--no-serve")
    assert json.loads(said(capsys, "runs", "list", "town", "--json")) == before
    assert [run["kind"] for run in before] == ["city", "simulation", "training", "comparison", "live"]


def test_compare_prints_mase_by_horizon_with_intervals(capsys):
    """Every model has a MASE between its bounds; the naive forecast is there to be beaten."""
    told = json.loads(said(capsys, "compare", "town", "--json"))
    models = {row["model"] for row in told["mase"]}
    competed = {candidate.name for candidate in candidates("quick")}
    assert {"micromodel", "macromodel", "mix", "seasonal_naive", "historical_average", *competed} <= models
    for row in told["mase"]:
        assert row["lower"] <= row["mase"] <= row["upper"] and row["horizon_s"] in (900, 3600, 86_400)
    text = said(capsys, "compare", "town")
    assert "MASE" in text and "15 min" in text and "1 h" in text and "24 h" in text


def test_forecast_tells_each_zone_with_its_bounds(capsys):
    """One row a zone, for its task, bounds in order."""
    rows = json.loads(said(capsys, "forecast", "town", "--json"))
    assert [row["zone_id"] for row in rows] == ["Z01", "Z02", "Z03", "Z04"]
    assert all(row["q05"] <= row["q50"] <= row["q95"] for row in rows)
    one = json.loads(said(capsys, "forecast", "town", "--zone", "Z02", "--target", "speed_mps", "--json"))
    assert [(row["zone_id"], row["target"]) for row in one] == [("Z02", "speed_mps")]


def test_models_are_listed_and_shown(capsys):
    """Every zone's model of speed, and its card."""
    rows = json.loads(said(capsys, "models", "list", "town", "--json"))
    assert {"_city", "Z01", "Z04"} <= {row["zone_id"] for row in rows}
    card = json.loads(said(capsys, "models", "show", "Z01", "speed_mps", "town", "--json"))
    assert card["zone_id"] == "Z01" and card["reason"] and card["training_run"].startswith("training-")


def test_a_scenario_file_runs_and_is_kept(capsys, tmp_path):
    """Closing the middle street slows trips down; a repeated run is the same run."""
    (tmp_path / "close.yaml").write_text(SCENARIO)
    command = ["scenario", "run", str(tmp_path / "close.yaml"), "town", "--seeds", "2", "--n-jobs", "1", "--json"]
    told = json.loads(said(capsys, *command))
    time = next(r for r in told["effects"] if r["quantity"] == "travel_time_s" and r["scope"] == "city")
    assert time["effect"] > 0 and time["lower"] < time["effect"] < time["upper"] and time["n"] == 2
    assert json.loads(said(capsys, *command))["run"] == told["run"]


def test_runs_are_shown_and_spare_ones_pruned(capsys):
    """A manifest is JSON; what the job uses is no spare run."""
    runs = json.loads(said(capsys, "runs", "list", "town", "--json"))
    shown = json.loads(said(capsys, "runs", "show", runs[0]["id"], "town"))
    assert shown["kind"] == "city" and shown["versions"]["numpy"]
    assert said(capsys, "runs", "prune", "town") == ""


def test_simulate_and_train_tell_what_they_did(capsys):
    """Both find their runs finished and tell of them."""
    told = json.loads(said(capsys, "simulate", "town", "--json"))
    assert told["conserved"] and told["departed"] > 1000
    rows = json.loads(said(capsys, "train", "town", "--json"))["rows"]
    assert sum(row["is_task"] for row in rows) == 4


def test_help_names_every_command(capsys):
    """A newcomer finds the commands and where to start."""
    text = said(capsys, "--help")
    for word in ("demo", "simulate", "train", "forecast", "compare", "models", "scenario", "app", "runs", "benchmark"):
        assert word in text
    assert "Start with" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "nowhere", "--run", "x"], "no finished run 'x'"),
        (["models", "list", "nowhere"], "no workspace"),
        (["forecast", "town", "--zone", "Z99"], "no zone_id 'Z99'"),
        (["forecast", "town", "--horizon", "17"], "not forecast"),
        (["models", "show", "Z01", "noise", "town"], "noise"),
        (["scenario", "run", "no_such", "town"], "shipped are"),
        (["scenario", "run", "summer_esplanadi", "town"], "esplanadi"),
        (["runs", "show", "x", "town"], "no finished run"),
        (["demo", "new", "--days", "3", "--no-serve"], "at least 8"),
        (["demo", "new", "--city", "/no/such.osm.pbf", "--no-serve"], "/no/such.osm.pbf"),
        (["demo", "../../etc", "--days", "x", "--no-serve"], "not a valid integer"),
        (["demo", "bad name!", "--no-serve"], "workspace name"),
        (["app", "town", "--host", "0.0.0.0"], "nobody signs in: give --users"),
        (["benchmark", "none"], "no benchmark case"),
        (["frobnicate"], "No such command"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, arguments, says):
    """Exit status 2, one line, no traceback."""
    assert says.lower() in refused(capsys, *arguments).lower()


def test_a_scenario_file_with_faults_names_their_lines(capsys, tmp_path):
    """An unknown key in line 4 and an unquoted time in line 5."""
    broken = SCENARIO.replace("street: Row street 3", "streat: Row street 3").replace('"06:00"', "06:30")
    (tmp_path / "broken.yaml").write_text(broken)
    text = refused(capsys, "scenario", "run", str(tmp_path / "broken.yaml"), "town")
    assert "line 4" in text and "line 5" in text and "street" in text


def test_bars_tell_a_line_a_step_where_there_is_no_terminal(capsys):
    """No carriage returns in a log file."""
    with Bars() as bars:
        bars("city", 0, 2, "reading")
        bars("city", 2, 2, "4 zones")
        bars("simulation", 1, 1, "done")
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2 and "4 zones" in lines[0] and "\r" not in "".join(lines)


def test_bars_call_the_steps_of_readings_by_what_they_do(capsys):
    with Bars(measured=True) as bars:
        bars("simulation", 1, 1, "9 readings")
    assert "Reading sensors" in (told := capsys.readouterr().err) and "Simulating" not in told


def test_the_readme_names_commands_that_exist(capsys):
    """Every `zonewise ...` of the README is a command with a help text."""
    readme = Path(__file__).parents[2].joinpath("README.md").read_text()
    commands = {line.split("zonewise ", 1)[1].split()[0] for line in readme.splitlines() if "bin/zonewise " in line}
    commands.discard("--help")
    commands.discard("--help`")
    assert {"compare", "forecast", "scenario", "app", "demo"} <= commands
    for command in commands:
        assert "Usage" in said(capsys, command, "--help")
