"""Case `life`: many micromodels kept well: registry, choice, drift, transfer, distillation, reconciliation, edge.

Each part is a module beside this one with `measure(seed=...) -> {"figures": [...], ...}`; `--only` names some.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from app.benchmarks import run_parts


def parts() -> list[str]:
    """Names of the parts: every module here but this one."""
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent)]) if module.name != "run")


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module."""
    return run_parts("life", parts(), arguments)
