"""Benchmarks: one file a case, each with `run(arguments) -> dict`. Peers are imported here alone.

Every case returns `{"machine", "versions", "figures": [{"name", "value", "unit", "target", "met", "n", "seed", "lower",
"upper"}]}` and what it names besides.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from threadpoolctl import threadpool_limits

from data.errors import InputError
from data.store.runs import versions


def case_names() -> list[str]:
    """Names of the cases: modules here, and packages with a `run` module."""
    return sorted(
        module.name
        for module in iter_modules(__path__)
        if not module.ispkg or any((Path(folder) / module.name / "run.py").exists() for folder in __path__)
    )


def run_case(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a case; `InputError` where there is none of that name."""
    if name not in case_names():
        raise InputError(f"no benchmark case '{name}'; there are: {', '.join(case_names())}")
    case = import_module(f"app.benchmarks.{name}")
    if hasattr(case, "__path__"):
        case = import_module(f"app.benchmarks.{name}.run")
    result: dict[str, Any] = case.run(list(arguments))
    return {"machine": machine(), "versions": versions(), **result}


def run_parts(case: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a case made of parts: every module of the package `app.benchmarks.<case>` but `run`.

    Each has `measure(seed=...) -> {"figures": [...], ...}`; `--only` chooses among them, all run where it is left out.
    A part whose `measure` takes `panels` too can be narrowed by `--panels` to some of its panels of readings, or to
    some of the commands that it tries.

    Parameters
    ----------
    case : str
    arguments : sequence of str
        Of the command line.

    Returns
    -------
    dict
        `figures` of all parts, `parts`: what each tells besides, `cpu_s`: processor seconds of each. A part whose data
        is not there leaves a note.

    Raises
    ------
    InputError
        If no part could be measured.
    """
    folder = Path(__file__).parent / case
    parts = sorted(
        module.name
        for module in iter_modules([str(folder)])
        if module.name != "run" and not module.name.startswith("_")
    )
    parser = argparse.ArgumentParser(prog=f"zonewise benchmark {case}")
    parser.add_argument("--only", nargs="*", choices=parts, default=[], help="parts; all where none is named")
    parser.add_argument("--panels", nargs="*", default=[], help="what a part is made of: panels, or commands; all")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(list(arguments))
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    notes: list[str] = []
    spent: dict[str, float] = {}
    with threadpool_limits(limits=1):  # seconds are of one thread
        for part in wanted.only or parts:
            measure = import_module(f"app.benchmarks.{case}.{part}").measure
            options: dict[str, Any] = {"seed": wanted.seed}
            if wanted.panels and "panels" in inspect.signature(measure).parameters:
                options["panels"] = tuple(wanted.panels)
            begun = time.process_time()
            try:
                found = measure(**options)
            except InputError as error:
                notes.append(f"{part}: {error}")
                continue
            figures += found.pop("figures")
            told[part] = found
            spent[part] = round(time.process_time() - begun, 1)
    if not figures:
        raise InputError("nothing was measured: " + "; ".join(notes))
    return {"figures": figures, "parts": told, "notes": notes, "cpu_s": spent}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    target: float | None = None,
    at_most: bool = True,
    n: int = 1,
    seed: int | None = None,
    lower: float | None = None,
    upper: float | None = None,
) -> dict[str, Any]:
    """One figure; `met` tells whether it reaches its target (at most it, or at least it)."""
    met = None if target is None else bool(value <= target if at_most else value >= target)
    return {
        "name": name, "value": value, "unit": unit, "target": target, "met": met, "n": n, "seed": seed, "lower": lower,
        "upper": upper,
    }  # fmt: skip
