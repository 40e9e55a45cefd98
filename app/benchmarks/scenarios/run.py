"""Case `scenarios`: how sure a study is, and how well previews, searches and warnings serve.

`coverage` and `preview` take longest; `zonewise benchmark scenarios --only search` runs one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.benchmarks import run_parts


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module."""
    return run_parts("scenarios", arguments)
