"""Which code a run was made with: digests that go into the specification of every step."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def code_version() -> dict[str, str]:
    """Digest of the code that each step's numbers come from, so that a change of code never meets an old run."""

    def digest(*packages: str) -> str:
        text = hashlib.sha256()
        for package in packages:
            spec = find_spec(package)
            assert spec is not None and spec.origin is not None
            for path in sorted(Path(spec.origin).parent.rglob("*")):
                if path.suffix in (".py", ".csv"):
                    text.update(path.name.encode() + path.read_bytes())
        return text.hexdigest()[:12]

    return {
        "city": digest("data", "zones", "simulation"),
        "simulation": digest("data", "zones", "simulation"),
        "models": digest("data", "models"),
    }
