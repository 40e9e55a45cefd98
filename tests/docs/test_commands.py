"""Every command line of README and docs exists, with its options; those of marked blocks run as they stand there.

A block of commands after `<!-- run -->` runs in a folder of its own, in the order of the page; the block after
`<!-- file NAME -->` is written there first.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from pkgutil import iter_modules

import click
import numpy as np
import pandas as pd
import pytest

from app.benchmarks import case_names
from app.cli import cli, main
from app.commands.monitoring import _ShowFirst

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "examples" not in p.parts),
]  # fmt: skip
FENCE = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)```", re.DOTALL)
INLINE = re.compile(r"(?<!`)`(?:\.venv/bin/)?(zonewise [a-z][^`]*)`(?!`)")
#: Commands of README's list of the most useful that a small made city can answer in a moment.
QUICK = ("compare", "forecast", "outlook", "monitor", "models")


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Mark, language and body of each fenced block."""
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        yield found["mark"] or "", found["language"], found["body"]


def command_lines(text: str) -> list[str]:
    """Lines that call `zonewise`, continued lines joined, comments off."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^\s*(?:\$ )?(?:\.venv/bin/)?(zonewise .*)$", joined, re.MULTILINE)
    return [part.strip() for line in lines for part in re.sub(r"\s#.*", "", line).split("&&")]


def whole_lines() -> list[tuple[str, str]]:
    """(page, command line) of blocks and of indented lines."""
    found = []
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        text = page.read_text(encoding="utf-8")
        for line in dict.fromkeys(command_lines(text)):
            found.append((name, line.removeprefix(".venv/bin/")))
    return found


def said_within() -> list[tuple[str, str]]:
    """(page, command) of running text: it need not be whole."""
    return [
        (page.relative_to(ROOT).as_posix(), " ".join(text.split()))
        for page in PAGES
        for text in dict.fromkeys(INLINE.findall(page.read_text(encoding="utf-8").replace("\n", " ")))
    ]


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and what is left of them; `AssertionError` where there is none."""
    command: click.Command = cli
    left = list(words)
    while isinstance(command, click.Group) and (left or isinstance(command, _ShowFirst)):
        if isinstance(command, _ShowFirst) and (not left or left[0] not in command.commands):
            left.insert(0, "show")
        if left[0].startswith("-") or left[0].isupper():
            break
        name = left.pop(0)
        assert name in command.commands, f"no command {name!r}; there are {', '.join(sorted(command.commands))}"
        command = command.commands[name]
    return command, left


def faults(line: str, *, whole: bool) -> str:
    """What is wrong with a command line, or nothing."""
    words = shlex.split(line)[1:]
    try:
        command, left = resolved(words)
    except AssertionError as error:
        return str(error)
    if command.name == "benchmark":
        return _benchmark(left)
    if isinstance(command, click.Group) and whole and not left and command.no_args_is_help:
        return f"{command.name} needs a command"
    context = click.Context(command, info_name=command.name)
    try:
        given, rest, _ = command.make_parser(context).parse_args(args=list(left))
    except click.UsageError as error:
        return "" if not whole and "requires an argument" in error.format_message() else error.format_message()
    if rest and not isinstance(command, click.Group):
        return f"{' '.join(rest)}: more arguments than {command.name} takes"
    for parameter in command.params:
        value = given.get(parameter.name)
        choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else None
        if choices is not None and isinstance(value, str) and not value.isupper() and value not in choices:
            return f"{value!r} is none of {', '.join(choices)}"
        missing = value is None or value == () or not isinstance(value, (str, list, tuple, int, bool))
        if whole and parameter.required and missing:
            return f"{parameter.name} is missing"
    return ""


def _benchmark(words: list[str]) -> str:
    words = [word for word in words if word not in ("--json", "--", "--help") and not word.isupper()]
    if not words:
        return ""
    if words[0] not in case_names():
        return f"no benchmark {words[0]!r}"
    case = import_module(f"app.benchmarks.{words[0]}")
    if "--only" not in words or not hasattr(case, "__path__"):
        return ""
    there = {module.name for module in iter_modules(case.__path__)} | set(
        getattr(import_module(f"app.benchmarks.{words[0]}.run"), "PARTS", ())
    )
    asked = list(takewhile(lambda word: not word.startswith("-"), words[words.index("--only") + 1 :]))
    wrong = [word for word in asked if word not in there]
    return f"no part {', '.join(wrong)} of {words[0]}" if wrong else ""


@pytest.mark.parametrize(("page", "line"), whole_lines())
def test_every_command_line_of_the_docs_can_be_typed(page, line):
    """Command, options, choices and the number of arguments are those of the program."""
    assert faults(line, whole=True) == ""


@pytest.mark.parametrize(("page", "line"), said_within())
def test_every_command_that_the_docs_mention_exists(page, line):
    assert faults(line, whole=False) == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("zonewise fly demo", "no command 'fly'"),
        ("zonewise compare --loud", "No such option"),
        ("zonewise demo --zones round", ""),
        ("zonewise export demo --format dxf --to out", "'dxf' is none of"),
        ("zonewise export demo --to out", "kind is missing"),
        ("zonewise compare one two", "more arguments"),
        ("zonewise benchmark speed", "no benchmark"),
        ("zonewise benchmark life --only luck", "no part luck"),
    ],
)
def test_a_wrong_command_line_is_found(line, told):
    """The check itself: kinds of zones may come from packages, so any name of one passes here."""
    assert told in faults(line, whole=True) and bool(faults(line, whole=True)) == bool(told)


# --- those that run ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A home and a folder to work in, for the commands of this module."""
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("docs")
    patch.setenv("ZONEWISE_HOME", str(root / "home"))
    patch.setenv("ZONEWISE_CACHE", str(root / "cache"))
    patch.delenv("ZONEWISE_WORKSPACE", raising=False)
    patch.chdir(root)
    yield root
    patch.undo()


#: A smaller town and two families: the same commands in a quarter of the time.
SMALLER = {
    "--city synthetic:300@7 --zone-count 8 --days 10": "--city toy --zone-count 4 --days 8",
    "zonewise train first": "zonewise train first --families ridge,macro_ridge --n-jobs 1",
    "zonewise train la": "zonewise train la --families ridge,macro_ridge --n-jobs 1",
}


def smaller(line: str) -> str:
    """A command line of a page, on a smaller town."""
    for text, instead in SMALLER.items():
        line = line.replace(text, instead)
    return line


def run_page(page: Path) -> list[str]:
    """Write a page's files, then run its marked blocks; the lines that ran."""
    ran = []
    for mark, _, body in blocks(page):
        words = mark.split()
        if words[:1] == ["file"] and len(words) == 2:
            Path(words[1]).write_text(body, encoding="utf-8")
        elif words[:1] == ["run"]:
            for line in command_lines(body):
                main(shlex.split(smaller(line))[1:])
                ran.append(line)
    return ran


@pytest.fixture(scope="module")
def tutorial(folder):
    """The tutorial's lines, run on a smaller town: (lines, what they printed)."""
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert all(text in page for text in list(SMALLER)[:2])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ran = run_page(ROOT / "docs" / "tutorial.md")
    return ran, printed.getvalue()


def test_the_tutorial_runs_as_it_stands(folder, tutorial):
    """From streets to a report of a plan by the page's own lines, on a smaller town."""
    ran, text = tutorial
    assert [line.split()[1] for line in ran] == [
        "simulate", "train", "models", "compare", "demo", "forecast", "air", "scenario", "scenario",
    ]  # fmt: skip
    assert "MASE" in text and "Z01" in text
    assert (folder / "plan.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_readmes_quick_commands_run(tutorial, capsys, monkeypatch):
    """On the tutorial's town, whose zones are four: each prints something, and none ends with an error."""
    monkeypatch.setenv("ZONEWISE_WORKSPACE", "first")
    lines = command_lines((ROOT / "README.md").read_text(encoding="utf-8").replace("Z07", "Z02"))
    quick = [shlex.split(line)[1:] for line in lines if shlex.split(line)[1] in QUICK and " la" not in line]
    assert {words[0] for words in quick} == set(QUICK)
    for words in quick:
        capsys.readouterr()
        main(words)
        assert capsys.readouterr().out.strip(), words


def test_the_guide_to_sensors_runs_with_two_weeks_of_readings(folder, capsys):
    """The table has the page's columns; two detectors, a daily wave, noise that lasts, gaps."""
    page = ROOT / "docs" / "guides" / "your-sensors.md"
    header = next(body.splitlines()[0] for mark, _, body in blocks(page) if mark.startswith("file speeds.csv"))
    rng = np.random.default_rng(3)
    times = pd.date_range("2026-03-02", periods=96 * 15, freq="15min", tz="UTC")
    parts = []
    for sensor, level in (("A1", 14.0), ("A2", 10.0)):
        mood = rng.normal(0, 0.3, len(times)).cumsum() * 0.05
        speed = level + 2 * np.cos(2 * np.pi * np.arange(len(times)) / 96) + np.clip(mood, -3, 3)
        flow = 500 + 200 * np.sin(2 * np.pi * np.arange(len(times)) / 96) + rng.normal(0, 20, len(times))
        table = pd.DataFrame({"sensor_id": sensor, "time": times, "speed_mps": speed, "flow_veh_per_h": flow})
        parts.append(table.mask(pd.Series(rng.random(len(times)) < 0.02), table.assign(flow_veh_per_h=np.nan)))
    made = pd.concat(parts)
    assert header.split(",") == list(made.columns)
    made.to_csv(folder / "speeds.csv", index=False)
    (folder / "sensors.csv").write_text("sensor_id,lat,lon\nA1,48.20,16.36\nA2,48.21,16.38\n")
    assert [line.split()[1] for line in run_page(page)] == ["import", "train", "compare"]
    assert "2 zones" in capsys.readouterr().out


def test_the_python_of_the_guide_to_zones_runs(capsys):
    """The toy town in squares."""
    body = next(b for _, language, b in blocks(ROOT / "docs" / "guides" / "your-zones.md") if language == "python")
    exec(compile(body, "your-zones.md", "exec"), {"__name__": "doc"})
    assert "Z01" in capsys.readouterr().out
