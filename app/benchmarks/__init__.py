"""Benchmarks: one file a case, each with `run(arguments) -> dict`. Peers are imported here alone.

Every case returns `{"machine", "versions", "figures": [{"name", "value", "unit", "target", "met", "n", "seed", "lower",
"upper"}]}` and what it names besides.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

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
