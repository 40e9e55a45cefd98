"""Case `trust`: does it hold under load, when processes die, and with hostile input?

`zonewise benchmark trust -- --only load` runs one part. Each says in its module how long it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.benchmarks import run_parts


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module."""
    return run_parts("trust", arguments)
