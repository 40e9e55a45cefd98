"""Case `life`: many micromodels kept well: registry, choice, drift, transfer, distillation, reconciliation, edge.

Most parts take half a minute of a processor, `guard`, `distillation` and `selection` one to three minutes a panel,
`transfer` three or four a large panel, and `bridge` eight or more; the result tells `cpu_s` of each.
`zonewise benchmark life -- --only registry drift` runs two, `--panels scats` narrows a part to some of its panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.benchmarks import run_parts


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module."""
    return run_parts("life", arguments)
