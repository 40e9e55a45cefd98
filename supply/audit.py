"""Holds the lock against known vulnerabilities with no network: `python supply/audit.py DATABASE.zip`.

The database is OSV's export of the ecosystem PyPI (`all.zip`, one JSON record a vulnerability), fetched where there is
a network and carried over. Ends with status 1 and a line for every locked version that a record names, with the
versions that mend it. With a network, `make audit` asks the registry by pip-audit instead.

Records are read as OSV 1.6 has them: `affected[].versions` names versions, `affected[].ranges[].events` spans them.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

sys.path.insert(0, str(Path(__file__).parent))
from licences import locked, plain


def records(database: Path) -> Iterator[dict[str, Any]]:
    """Records of a database that were not withdrawn."""
    with zipfile.ZipFile(database) as bundle:
        for name in bundle.namelist():
            if name.endswith(".json"):
                record = json.loads(bundle.read(name))
                if not record.get("withdrawn"):
                    yield record


def findings(lock: Mapping[str, Sequence[str]], told: Iterator[dict[str, Any]]) -> list[str]:
    """A line for each locked version that a record names."""
    found = []
    for record in told:
        for part in record.get("affected", ()):
            package = part.get("package", {})
            name = plain(str(package.get("name", "")))
            if package.get("ecosystem") == "PyPI":
                found += [
                    f"{name} {version}: {record['id']} {record.get('summary', '')} ({_cure(part)})"
                    for version in lock.get(name, ())
                    if affected(version, part)
                ]
    return sorted(set(found))


def affected(version: str, part: Mapping[str, Any]) -> bool:
    """Whether a version is named, or lies in a range: from an `introduced` to before a `fixed` or past a last one."""
    if version in part.get("versions", ()):
        return True
    return any(
        _inside(Version(version), one.get("events", ()))
        for one in part.get("ranges", ())
        if one.get("type") == "ECOSYSTEM"
    )


def _inside(version: Version, events: Sequence[Mapping[str, str]]) -> bool:
    inside = False
    for event in sorted(events, key=lambda one: _version(next(iter(one.values())))):
        ((kind, text),) = list(event.items())[:1]
        at = _version(text)
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _cure(part: Mapping[str, Any]) -> str:
    mended = [e["fixed"] for r in part.get("ranges", ()) for e in r.get("events", ()) if "fixed" in e]
    return f"mended in {', '.join(mended)}" if mended else "no mended version is known"


def main(arguments: Sequence[str]) -> int:
    """Command line."""
    if len(arguments) != 1 or not zipfile.is_zipfile(arguments[0]):
        sys.stderr.write("give OSV's export of PyPI, a zip of JSON records\n")
        return 2
    lock = locked()
    found = findings(lock, records(Path(arguments[0])))
    sys.stdout.write("".join(f"{line}\n" for line in found) + f"{len(lock)} packages, {len(found)} findings\n")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
