"""Measure the parts of the validation report, one after the other; a part that cannot be measured says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tomllib import loads
from typing import Any

from app.benchmarks import machine, run_case
from app.reports.validation.parts import PARTS, Measured
from data.errors import InputError
from data.store.runs import versions

Figure = Mapping[str, Any]
Runner = Callable[[str, Sequence[str]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was found of one part.

    Attributes
    ----------
    name, title, about : str
    commands : tuple of str
        That repeat the figures.
    figures : tuple of dict
        As benchmarks tell them: name, value, unit, target, met, n, seed, lower, upper.
    skipped : tuple of str
        What could not be measured, and why.
    """

    name: str
    title: str
    about: str
    commands: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """All parts, and what they were measured with."""

    made: str  # UTC, ISO 8601
    version: str
    quick: bool
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    cpu_s: float
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def tally(self) -> tuple[int, int, int]:
        """Figures with a target, those that meet it, and parts of which nothing was measured."""
        aimed = [one for part in self.parts for one in part.figures if one["met"] is not None]
        return len(aimed), sum(bool(one["met"]) for one in aimed), sum(not part.figures for part in self.parts)


def validate(
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    report: Callable[[str], Any] | None = None,
    run: Runner = run_case,
) -> Validation:
    """Measure.

    Parameters
    ----------
    quick : bool
        The short form of each part, and none of those that take long.
    only : sequence of str
        Names of parts; all where none is named.
    report : callable, optional
        Called with the title of each part before it is measured.
    run : callable
        `app.benchmarks.run_case`, or a stand-in.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        If a part is not known.
    """
    unknown = sorted(set(only) - {part.name for part in PARTS})
    if unknown:
        raise InputError(
            f"no part {', '.join(unknown)} of the validation report; there are: {', '.join(p.name for p in PARTS)}"
        )
    started = time.process_time()
    known: dict[tuple[str, ...], Mapping[str, Any] | str] = {}
    parts = []
    for part in PARTS:
        if only and part.name not in only:
            continue
        if report is not None:
            report(part.title)
        parts.append(_measured(part, quick, known, run))
    used = versions()
    return Validation(
        made=datetime.now(UTC).isoformat(timespec="minutes"), version=used.pop("zonewise", None) or _in_sources(),
        quick=quick, machine=machine(), versions=used, cpu_s=time.process_time() - started, parts=tuple(parts),
    )  # fmt: skip


def _measured(part: Measured, quick: bool, known: dict[tuple[str, ...], Mapping[str, Any] | str], run: Runner) -> Part:
    """One part; benchmarks that another part asked for already are not run again."""
    asked = part.quick if quick else part.full
    figures: list[Figure] = []
    skipped: list[str] = []
    if not asked:
        skipped.append(part.slow)
    for words in asked:
        if words not in known:
            try:
                known[words] = run(words[0], list(words[1:]))
            except InputError as error:
                known[words] = str(error)
        found = known[words]
        if isinstance(found, str):
            skipped.append(found)
            continue
        figures += [one for one in found["figures"] if part.keeps(one["name"])]
        skipped += _left_out(found)
    commands = tuple(f"zonewise benchmark {' '.join(words)} --json" for words in asked or part.full)
    return Part(
        name=part.name, title=part.title, about=part.about, commands=commands,
        figures=tuple({**one, "value": float(one["value"])} for one in figures),
        skipped=tuple(dict.fromkeys(skipped)),
    )  # fmt: skip


def _left_out(found: Mapping[str, Any]) -> list[str]:
    """What a benchmark says that it left out, in whichever way it says so."""
    told = found.get("skipped", {})
    return [*found.get("notes", ()), *(f"{name}: {why}" for name, why in dict(told).items())]


def _in_sources() -> str:
    """Version of a checkout that is run without being installed."""
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    return str(loads(project.read_text(encoding="utf-8"))["project"]["version"]) if project.is_file() else "unknown"
