"""The lock, the licences and the audit: what Zonewise is built from."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SUPPLY = ROOT / "supply"
ALLOWED = {
    "MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "PSF-2.0", "MPL-2.0", "Zlib",
    "CC0-1.0", "CC-BY-4.0", "EPL-2.0", "Apache-2.0 WITH LLVM-exception", "Public Domain",
    "LGPL-2.1-or-later",  # used as a library, unchanged
    "ODbL-1.0",  # data of time zones, attributed
}  # fmt: skip


def script(name):
    spec = importlib.util.spec_from_file_location(name, SUPPLY / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


LOCK = script("licences").locked()


def pinned():
    """Requirements of the lock with their markers, without hashes."""
    text = (SUPPLY / "lock.txt").read_text().replace("\\\n", " ")
    return [Requirement(re.split(r"\s+--hash", line)[0].strip()) for line in text.splitlines() if "==" in line]


def test_every_dependency_is_locked_within_its_bounds():
    """Of a default install and of `dev`, on each Python that the lock is for."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plain = script("licences").plain
    faults = []
    for python in ("3.11.7", "3.12.0", "3.13.0"):
        here = {**default_environment(), "python_version": python.rsplit(".", 1)[0], "python_full_version": python,
                "sys_platform": "linux", "platform_machine": "x86_64"}  # fmt: skip
        lock = {plain(one.name): one for one in pinned() if one.marker is None or one.marker.evaluate(here)}
        for text in (*told["dependencies"], *told["optional-dependencies"]["dev"]):
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate(here):
                continue
            found = lock.get(plain(wanted.name))
            version = next(iter(found.specifier)).version if found else None
            if version is None or not wanted.specifier.contains(version, prereleases=True):
                faults.append(f"Python {python}: {text}, locked {version}")
    assert not faults, f"{faults}; run 'make lock'"


def test_every_locked_file_has_a_hash_and_no_host_is_named():
    text = (SUPPLY / "lock.txt").read_text()
    entries = [part for part in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if part.strip()]
    assert len(entries) > 100 and all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--index|--find-links|--trusted|@ ", text)


def allowed(expression):
    """Of an OR one part is enough, of an AND all are needed."""
    return any(all(one.strip("() ") in ALLOWED for one in part.split(" AND ")) for part in expression.split(" OR "))


def test_every_locked_package_has_a_licence_that_is_allowed():
    with (SUPPLY / "licences.csv").open(encoding="utf-8") as file:
        told = {row["package"]: row["licence"] for row in csv.DictReader(file)}
    assert not set(LOCK) - set(told), "run 'make licences'"
    assert {name: told[name] for name in LOCK if not allowed(told[name])} == {}
    assert not allowed("GPL-3.0-only") and not allowed("MIT AND AGPL") and not allowed("unknown")


def record(**changes):
    part = {"package": {"ecosystem": "PyPI", "name": "Num_Py"}, **changes}
    return {"id": "OSV-1", "summary": "bad", "affected": [part]}


@pytest.mark.parametrize(
    ("events", "hit"),
    [
        ([{"introduced": "0"}, {"fixed": "2.5"}], True),
        ([{"introduced": "0"}, {"fixed": "2.4"}], False),
        ([{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}, {"last_affected": "2.4"}], True),
        ([{"introduced": "2.4.1"}], False),
    ],
)
def test_a_locked_version_in_a_range_is_found(events, hit):
    told = record(ranges=[{"type": "ECOSYSTEM", "events": events}])
    assert bool(script("audit").findings({"num-py": ["2.4"]}, iter([told]))) is hit


def test_the_audit_reads_a_database_and_says_what_mends(tmp_path, capsys):
    audit, path = script("audit"), tmp_path / "all.zip"
    name, (version, *_) = next(iter(LOCK.items()))
    bad = {"id": "OSV-2", "summary": "leaks", "affected": [
        {"package": {"ecosystem": "PyPI", "name": name}, "versions": [version],
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9999"}]}]}]}  # fmt: skip
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("OSV-2.json", json.dumps(bad))
        bundle.writestr("OSV-3.json", json.dumps({**bad, "id": "OSV-3", "withdrawn": "2026-01-01"}))
    assert audit.main([str(path)]) == 1
    said = capsys.readouterr().out
    assert f"{name} {version}: OSV-2 leaks (mended in 9999)" in said and "OSV-3" not in said
    assert audit.main([str(tmp_path / "none.zip")]) == 2
