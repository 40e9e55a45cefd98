"""Which code some packages hold: a digest that changes with every file of theirs that numbers come from."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path


def code_digest(*packages: str) -> str:
    """Twelve hexadecimal digits of all Python files and coefficient tables below these packages.

    Parameters
    ----------
    *packages : str
        Importable packages, e.g. `models`; their order counts.
    """
    text = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        assert spec is not None and spec.origin is not None
        for path in sorted(Path(spec.origin).parent.rglob("*")):
            if path.suffix in (".py", ".csv"):
                text.update(path.name.encode() + path.read_bytes())
    return text.hexdigest()[:12]
