"""Lists the licences of all that the lock names: `python supply/licences.py` writes `licences.csv` beside this file.

Run it where the lock is installed. A package that is for other systems alone keeps the row that it has; a new one of
that kind is added by hand.
"""

from __future__ import annotations

import csv
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

HERE = Path(__file__).parent
#: Licences by the words that packages use for them; the first that fits, so longer ones come first.
WORDS = (
    ("GNU Affero", "AGPL"), ("LGPL-2.1-or-later", "LGPL-2.1-or-later"), ("Lesser General Public", "LGPL"),
    ("Open Database License", "ODbL-1.0"), ("Permission is hereby granted, free of charge", "MIT"),
    ("MIT License", "MIT"), ("3-Clause BSD", "BSD-3-Clause"), ("BSD License", "BSD-3-Clause"),
    ("^BSD$", "BSD-3-Clause"),
    ("Apache Software License", "Apache-2.0"), ("Apache License", "Apache-2.0"), ("^Apache 2.0$", "Apache-2.0"),
    ("Mozilla Public License 2.0", "MPL-2.0"), ("Python Software Foundation", "PSF-2.0"), ("^MIT$", "MIT"),
)  # fmt: skip


def locked(path: Path = HERE / "lock.txt") -> dict[str, list[str]]:
    """Versions of each package in the lock, by its plain name."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", path.read_text(), flags=re.MULTILINE):
        found.setdefault(plain(name), []).append(version)
    return found


def plain(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(name: str) -> str | None:
    """What an installed package says of its licence, as an SPDX expression where it can be told; None if not there."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    if told.get("License-Expression"):
        return str(told["License-Expression"])
    classes = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier") or () if c.startswith("License ::")]
    classes = [one for one in classes if one != "OSI Approved"]
    texts = classes or [str(told.get("License") or "")]
    return " OR ".join(dict.fromkeys(_short(one) for one in texts if one)) or "unknown"


def _short(text: str) -> str:
    return next((name for words, name in WORDS if re.search(words, text)), text.splitlines()[0][:60])


def main() -> None:
    """Write the list."""
    path = HERE / "licences.csv"
    with path.open(encoding="utf-8", newline="") as file:
        before = {row["package"]: row["licence"] for row in csv.DictReader(file)} if path.is_file() else {}
    rows = [(name, licence_of(name) or before.get(name, "unknown")) for name in sorted(locked())]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("package", "licence"), *rows])


if __name__ == "__main__":
    main()
