"""Kills: SIGKILL at random points of simulate, train, compare, a study and an import, and what the next command finds.

Each command runs in a fork of this process, on a copy of a small workspace. Every second kill comes at a random instant
of the command, the others at a random file operation (an open for writing, a rename, a removal), where damage would be
done if any could. After every kill the doctor looks at the workspace, and every file of every run that was finished is
compared with what it was. Then the same command is started again, and killed again, until it ends by itself: what it
has made must be that of a run that nobody killed, byte for byte. Left out of the comparison are the files that hold
nothing but what a clock measured (`seconds.json`, `costs.parquet`) or that say when (manifests, the models' cards). It
takes about forty minutes on two cores that are busy with other things, and a quarter of an hour on free ones;
`--panels train compare` kills these commands alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.trust import _small as small
from data.errors import InputError, ZonewiseError
from data.store.workspace import Workspace

#: Kills of each of the five commands.
KILLS_EACH = 40
#: Files that tell when and how fast something was made.
_OF_TIME = ("manifest.json", "seconds.json", "costs.parquet")
_EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
_MOST_S = 300.0


@dataclass(frozen=True)
class Victim:
    """A command that is killed: what it is called with, and the workspace that it begins with."""

    name: str
    arguments: Callable[[Workspace], list[str]]
    base: Path | None


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Measure the part; see the module. `panels` are commands to kill, all five where none is named."""
    with tempfile.TemporaryDirectory() as folder:
        every = victims(Path(folder), seed)
        strange = sorted(set(panels) - {victim.name for victim in every})
        if strange:
            raise InputError(f"{', '.join(strange)}: killed are {', '.join(victim.name for victim in every)}")
        chosen = [victim for victim in every if victim.name in panels or not panels]
        found = [kill(victim, KILLS_EACH, Path(folder), seed) for victim in chosen]
    total = sum(one["kills"] for one in found)
    names = ("lost", "unreadable", "different", "failed")
    told = {name: sum(len(one[name]) for one in found) for name in names}
    figures = [
        figure("trust_kills", total, "kills", target=KILLS_EACH * len(found), at_most=False, n=len(found), seed=seed),
        figure("trust_kills_lost_results", told["lost"], "runs", target=0, n=total, seed=seed),
        figure("trust_kills_unreadable_stores", told["unreadable"], "stores", target=0, n=total, seed=seed),
        figure("trust_kills_other_results", told["different"], "files", target=0, n=total, seed=seed),
        figure("trust_kills_not_resumed", told["failed"], "commands", target=0, n=total, seed=seed),
        figure("trust_kills_resumed", sum(one["resumed"] for one in found), "commands", n=total, seed=seed),
    ]
    return {"figures": figures, "commands": found}


def victims(folder: Path, seed: int) -> list[Victim]:
    """The commands, with the workspaces that they begin with."""
    town, six, yaml = folder / "town", folder / "six", folder / "close.yaml"
    yaml.write_text(small.SCENARIO)
    os.environ["ZONEWISE_CACHE"] = str(folder / "cache")
    options = [*small.TOWN, "--seed", str(seed)]
    simulated, trained = folder / "simulated", folder / "trained"
    _done(["simulate", str(town), *options])
    shutil.copytree(town, simulated)
    _done(["train", str(town), "--n-jobs", "1"])
    shutil.copytree(town, trained)
    _done(small.import_command(folder / "files", Workspace(six), 10, seed))
    return [
        Victim("simulate", lambda w: ["simulate", str(w.root), *options], None),
        Victim("train", lambda w: ["train", str(w.root), "--n-jobs", "1"], simulated),
        Victim("compare", lambda w: ["compare", str(w.root), "--n-jobs", "1"], trained),
        Victim("study", lambda w: ["scenario", "run", str(yaml), str(w.root), "--seeds", "2", "--n-jobs", "1"],
               simulated),
        Victim("import", lambda w: small.import_command(folder / "files", w, 3, seed, first=10), six),
    ]  # fmt: skip


def kill(victim: Victim, count: int, folder: Path, seed: int) -> dict[str, Any]:
    """Kill a command so many times; what was found, in words."""
    rng = np.random.default_rng([seed, len(victim.name), sum(map(ord, victim.name))])
    # one path for all: where a workspace lies is part of some results (paths of files that it reads)
    space = Workspace(folder / "killed")
    _fresh(victim, space)
    begun = time.perf_counter()
    events = _run(victim.arguments(space), count_events=True)
    length = time.perf_counter() - begun
    told: dict[str, Any] = {
        "command": victim.name, "kills": 0, "resumed": 0, "seconds": round(length, 2), "file_operations": events,
        "lost": [], "unreadable": [], "different": [], "failed": [],
    }  # fmt: skip
    expected = results(space)
    begun = time.perf_counter()
    _fresh(victim, space)
    before, killed_since = finished(space), 0
    while told["kills"] < count:
        by_event = bool(told["kills"] % 2)
        at_event = int(rng.integers(1, max(2, events + 1))) if by_event else None
        after_s = None if by_event else float(rng.uniform(0, length))
        status = _killed(victim.arguments(space), after_s, at_event)
        if status == -signal.SIGKILL:
            told["kills"] += 1
            killed_since += 1
            told["lost"] += _lost(before, finished(space))
            told["unreadable"] += _faults(space)
        elif status == 0:
            told["resumed"] += killed_since > 0
            now = results(space)
            told["different"] += [name for name in expected.keys() | now.keys() if expected.get(name) != now.get(name)]
            told["unreadable"] += _faults(space)
            _fresh(victim, space)
            killed_since = 0
        else:
            told["failed"].append(f"status {status} after {killed_since} kills")
            _fresh(victim, space)
            killed_since = 0
        before = finished(space)
    status = _run_status(victim.arguments(space))  # what the last kills left is resumed too
    if status != 0:
        told["failed"].append(f"status {status} at the end")
    now = results(space)
    told["different"] += [name for name in expected.keys() | now.keys() if expected.get(name) != now.get(name)]
    told["resumed"] += status == 0
    told["total_s"] = round(time.perf_counter() - begun, 1)
    shutil.rmtree(space.root)
    return told


def finished(space: Workspace) -> dict[str, str]:
    """Digest of every file of every finished run, and of every batch of observations."""
    runs = [str(run["id"]) for run in space.runs.list()]
    found = {f"{run}/{name}": value for run in runs for name, value in _digests(space.runs.root / run).items()}
    notes = space.observations.list("batches/")
    return found | {key: hashlib.sha256(space.observations.get(key)).hexdigest() for key in notes}


def results(space: Workspace) -> dict[str, str]:
    """Digests of what was computed: files of runs but those that tell of time, models in force, readings."""
    from data.store.observations import Observations
    from models.registry import Registry

    told = {name: value for name, value in finished(space).items() if not name.endswith(_OF_TIME)}
    told = {name: value for name, value in told.items() if not name.startswith("batches/")}
    if space.models.root.is_dir():
        registry = Registry(space.models)
        for row in registry.list().itertuples():
            for name, value in registry.files(row.zone_id, row.target).items():
                told[f"models/{row.zone_id}/{row.target}/{name}"] = hashlib.sha256(value).hexdigest()
    observed = Observations(space.observations)
    told["observations"] = observed.digest()
    told["description"] = repr(sorted(space.describe().get("runs", {}).items()))
    return told


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def _lost(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name, value in before.items() if after.get(name) != value]


def _faults(space: Workspace) -> list[str]:
    """What the doctor calls a fault."""
    from app.care.doctor import examine

    if not space.root.is_dir():
        return []
    try:
        return [f"{one.where}: {one.what}" for one in examine(space, thorough=False) if one.wrong]
    except ZonewiseError as error:
        return [str(error)]


def _fresh(victim: Victim, space: Workspace) -> None:
    shutil.rmtree(space.root, ignore_errors=True)
    if victim.base is not None:
        shutil.copytree(victim.base, space.root)


def _done(arguments: Sequence[str]) -> None:
    """A command that must succeed, in this process: what it imports and compiles serves the forks."""
    if small.command(arguments) != 0:
        raise ZonewiseError(f"zonewise {' '.join(arguments)} failed before anything was killed")


def _run(arguments: Sequence[str], *, count_events: bool) -> int:
    """Run a command in a fork to its end; returns how many file operations it did."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status, counted = 1, [0]
        try:
            sys.addaudithook(_counter(counted, None))
            status = small.command(arguments)
            os.write(write, str(counted[0]).encode())
        finally:
            os._exit(status)
    os.close(write)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with os.fdopen(read) as file:
        told = file.read()
    if status != 0:
        raise ZonewiseError(f"zonewise {' '.join(arguments)} ended with status {status}, though nobody killed it")
    return int(told)


def _run_status(arguments: Sequence[str]) -> int:
    return _killed(arguments, None, None)


def _killed(arguments: Sequence[str], after_s: float | None, at_event: int | None) -> int:
    """Run a command in a fork and kill it; returns its exit status, -9 where the kill ended it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setsid()
            if at_event is not None:
                sys.addaudithook(_counter([0], at_event))
            status = small.command(arguments)
        finally:
            os._exit(status)
    begun = time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        passed = time.monotonic() - begun
        if after_s is not None and passed >= after_s:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if passed > _MOST_S:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return 124
        time.sleep(0.002)


def _counter(counted: list[int], last: int | None) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that counts file operations, and ends the process at the last one."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS:
            return
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or arguments[0] == os.devnull:
                return
        counted[0] += 1
        if last is not None and counted[0] >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook
