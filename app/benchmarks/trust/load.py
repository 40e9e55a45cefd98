"""Part `load`: planners at work in the app while a study runs; are they answered in time, and does memory stay flat?

A copy of a workspace is served as `zonewise app` serves it. Each planner opens pages, chooses zones, layers, models and
scenarios, an action every 4 to 6 s; a study runs all the while, and another begins where one ends. Takes `SECONDS`, 5
minutes; `ZONEWISE_LOAD_SECONDS`, `ZONEWISE_LOAD_PLANNERS` and `ZONEWISE_LOAD_WORKSPACE` (a folder; default the
workspace `demo`) make it another.

Before anything is counted, a few people click through every page: the first use of a kernel on a machine compiles it,
and the first use in a worker reads what it needs. The slowest answer of that time is told as a figure of its own.

Memory grows while workers first meet each zone, target and model, and keep what they read, up to their bound. Its slope
is therefore that of the second half, and is held against its target only where the whole takes half an hour.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from app import ids
from app.benchmarks import figure
from app.benchmarks.app.planner import Planner
from app.benchmarks.app.serving import started
from app.jobs import Jobs
from app.study_job import MOST_SEEDS
from data.errors import InputError, ZonewiseError
from data.store.workspace import Workspace, home

PLANNERS, SECONDS = 50, 300.0
WORKERS = 2
PAUSE_S = (4.0, 6.0)
MOST_P95_MS = 500.0
#: Growth over half an hour that counts as flat: a twentieth of what two workers hold.
MOST_GROWTH_MB, WHOLE_S = 50.0, 1800.0
MOST_STUDIES = 20  # that are begun in turn
LEAST_STUDY = 0.95  # of the time one should be at work
CLICKS = 6  # of each of those who come before anything is counted
PAGES = ("/", "/micro-macro", "/scenarios", "/models", "/monitor")


class Tally:
    """Times and faults of all planners."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {"page": [], "data": [], "callback": []}
        self.faults: list[str] = []
        self._lock = threading.Lock()

    def add(self, kind: str, seconds: float, fault: str) -> None:
        """A request that was answered, or not."""
        with self._lock:
            self.times[kind].append(seconds)
            if fault:
                self.faults.append(f"{kind}: {fault}")

    def ms(self, kind: str, percent: float) -> float:
        """A percentile, ms; nan where nothing was asked."""
        return float(np.percentile(self.times[kind], percent)) * 1e3 if self.times[kind] else float("nan")


def measure(*, seed: int = 1) -> dict[str, Any]:
    """Let the planners work.

    Returns
    -------
    dict
        `figures`: p95 of pages and callbacks, errors, memory and its slope; besides, percentiles by kind, the memory
        over time in MB, and the first faults.

    Raises
    ------
    InputError
        If there is no workspace to serve, or this system has no /proc.
    """
    source = Path(os.environ.get("ZONEWISE_LOAD_WORKSPACE") or home() / "demo")
    if not (source / "workspace.json").is_file() or not Path("/proc/self/smaps_rollup").exists():
        raise InputError(f"no workspace at {source} ('zonewise demo' makes one), or no /proc on this system")
    planners = int(os.environ.get("ZONEWISE_LOAD_PLANNERS", PLANNERS))
    seconds = float(os.environ.get("ZONEWISE_LOAD_SECONDS", SECONDS))
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(Path(folder) / source.name)
        shutil.copytree(source, space.root)
        with started(space, workers=WORKERS) as (address, master):
            slowest = _warmed(address, seed)
            tally, memory, studies = _work(space, address, master, planners, seconds, seed)
    slope, peak = _slope(memory), max(mb for _, mb in memory)
    most = MOST_GROWTH_MB if seconds >= WHOLE_S else None
    pages, calls = len(tally.times["page"]), len(tally.times["callback"])
    about = {"n": planners, "seed": seed}
    return {
        "figures": [
            figure("load_page_p95", tally.ms("page", 95), "ms", target=MOST_P95_MS, n=pages, seed=seed),
            figure("load_callback_p95", tally.ms("callback", 95), "ms", target=MOST_P95_MS, n=calls, seed=seed),
            figure("load_first_use_slowest", 1e3 * slowest, "ms", **about),
            figure("load_errors", len(tally.faults), "errors", target=0, **about),
            figure("load_memory", peak, "MB", **about),
            figure("load_memory_slope", slope, "MB per 30 min", target=most, **about),
            figure(
                "load_study_at_work", studies.share, "share of the time", target=LEAST_STUDY, at_most=False, **about
            ),
        ],
        "percentiles_ms": {kind: {p: tally.ms(kind, p) for p in (50, 90, 95, 99, 100)} for kind in tally.times},
        "requests": {kind: len(times) for kind, times in tally.times.items()},
        "memory_mb": [[round(at), round(mb, 1)] for at, mb in memory],
        "studies": studies.told,
        "faults": tally.faults[:20],
    }


class Studies:
    """Keeps a study at work: as the page does it, and another one where it has ended."""

    def __init__(self, boss: Planner, space: Workspace) -> None:
        self.boss, self.space = boss, space
        self.told: list[str] = []
        self._open: list[bool] = []

    @property
    def share(self) -> float:
        """Share of the looks at which one was at work."""
        return float(np.mean(self._open)) if self._open else 0.0

    def look(self) -> None:
        """See whether the last one is at work; begin the next if not."""
        if self.told:
            row = None
            with suppress(ZonewiseError):
                row = Jobs(self.space.jobs_path).read(str(self.boss.parts[ids.SCENARIO_JOB]["data"]))
            self._open.append(row is not None and row.open)
            if row is not None and not row.open:
                self.told[-1] += f", {row.state}: {row.message}"
        if not (self._open and self._open[-1]) and len(self.told) < MOST_STUDIES:
            self.told.append(begin_study(self.boss, len(self.told)))


def _work(
    space: Workspace, address: str, master: int, planners: int, seconds: float, seed: int
) -> tuple[Tally, list[tuple[float, float]], Studies]:
    tally = Tally()
    studies = Studies(Planner(address, lambda *_: None), space)
    studies.boss.open("/scenarios")
    studies.look()
    end = time.monotonic() + seconds
    rngs = np.random.default_rng(seed).spawn(planners)
    threads = [threading.Thread(target=_planner, args=(address, tally, rng, end), daemon=True) for rng in rngs]
    for thread in threads:
        thread.start()
    began, memory = time.monotonic(), []
    while time.monotonic() < end:
        memory.append((time.monotonic() - began, workers_mb(master)))
        studies.look()
        time.sleep(min(5.0, seconds / 10))
    for thread in threads:
        thread.join(timeout=40)
    studies.boss.click(ids.SCENARIO_STOP)
    return tally, memory, studies


def _warmed(address: str, seed: int) -> float:
    """Let the first people come, who pay for what is compiled, read and kept; seconds of the slowest answer."""
    tally, rng = Tally(), np.random.default_rng([seed, PLANNERS])
    for path in PAGES:
        for _ in range(WORKERS * 2):
            planner = Planner(address, tally.add)
            planner.open(path)
            for _ in range(CLICKS):
                act(planner, path, rng)
    return max(max(times, default=0.0) for times in tally.times.values())


def begin_study(boss: Planner, number: int = 0) -> str:
    """Start the `number`th study, a long one, as the page does; in words how it went."""
    draft = {"name": f"load_{number}", "label": f"Load {number}", "measures": [
        {"measure": "close_street", "links": [number], "start": "06:00", "end": "20:00"}]}  # fmt: skip
    boss.parts[ids.SCENARIO_DRAFT]["data"] = draft
    boss.parts[ids.SCENARIO_SEEDS]["value"] = MOST_SEEDS
    boss.click(ids.SCENARIO_RUN)
    job = boss.parts.get(ids.SCENARIO_JOB, {}).get("data")
    return f"{draft['name']} as job {job}" if job else "not started: " + json.dumps(boss.parts.get(ids.SCENARIO_FAULT))


def _planner(address: str, tally: Tally, rng: np.random.Generator, end: float) -> None:
    """A person at work until the end."""
    planner = Planner(address, tally.add)
    time.sleep(float(rng.uniform(0.0, PAUSE_S[1])))
    page = ""
    while time.monotonic() < end:
        if not page or rng.random() < 0.25:
            page = PAGES[int(rng.integers(len(PAGES)))]
            planner.open(page)
        else:
            act(planner, page, rng)
        time.sleep(float(rng.uniform(*PAUSE_S)))


def act(planner: Planner, page: str, rng: np.random.Generator) -> None:
    """Something that a planner does on a page."""

    def choose(ident: str, prop: str = "value") -> None:
        offered = planner.options(ident)
        if offered:
            planner.change(ident, prop, offered[int(rng.integers(len(offered)))])

    turn = int(rng.integers(2))
    if page == "/":
        if turn:
            choose(ids.MAP_LAYER)
        else:
            zones = planner.options(ids.MODELS_ZONE) or [f"Z{n:02d}" for n in range(1, 19)]
            planner.change(ids.MAP, "selectedZone", zones[int(rng.integers(len(zones)))])
    elif page == "/micro-macro":
        choose((ids.COMPARE_TARGET, ids.COMPARE_HORIZON)[turn])
    elif page == "/scenarios":
        choose((ids.SCENARIO_SHIPPED, ids.SCENARIO_KIND)[turn])
    elif page == "/models":
        choose((ids.MODELS_ZONE, ids.MODELS_TARGET)[turn])
    else:
        planner.change(ids.MONITOR_TICK, "n_intervals", int(rng.integers(1, 10**6)))


def workers_mb(master: int) -> float:
    """Memory of the server and its workers, shared pages counted once (PSS), MB; jobs of their own are left out."""
    total, waiting = 0.0, [master]
    while waiting:
        pid = waiting.pop()
        try:
            if b"app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                continue
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        waiting += [int(child) for found in children for child in found]
    return total


def _slope(memory: list[tuple[float, float]]) -> float:
    """Growth over the second half of the time, MB per half an hour; the first half fills what is kept."""
    late = memory[len(memory) // 2 :]
    if len(late) < 3:
        return float("nan")
    at, mb = np.array(late).T
    return float(np.polyfit(at, mb, 1)[0]) * 1800.0
