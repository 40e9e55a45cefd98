"""Which code a run was made with: digests that go into the specification of every step."""

from __future__ import annotations

from functools import cache

from data.code_digest import code_digest


@cache
def code_version() -> dict[str, str]:
    """Digest of the code that each step's numbers come from, so that a change of code never meets an old run."""
    return {
        "city": code_digest("data", "zones", "simulation"),
        "simulation": code_digest("data", "zones", "simulation"),
        "models": code_digest("data", "models"),
    }
