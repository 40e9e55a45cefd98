"""The engines by name, each measured in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

from app.benchmarks.peers.process import alone
from app.benchmarks.peers.rows import OURS
from app.benchmarks.peers.task import Outcome, Task
from data.errors import InputError

LABELS = {
    OURS: "Zonewise",
    "uxsim_1": "UXsim C++ at 1 a platoon",
    "uxsim_5": "UXsim C++ at 5 a platoon",
    "sumo": "SUMO meso",
}
#: Module that each peer's package is imported as, and the package.
_NEEDS = {"uxsim_1": ("uxsim", "uxsim"), "uxsim_5": ("uxsim", "uxsim"), "sumo": ("sumo", "eclipse-sumo")}


def require(peers: Sequence[str]) -> None:
    """Make sure that peers are installed.

    Raises
    ------
    InputError
        Naming every package that is missing and how to install it.
    """
    missing = sorted({package for peer in peers for module, package in [_NEEDS[peer]] if find_spec(module) is None})
    if missing:
        raise InputError(
            f"peer(s) not installed: {', '.join(missing)}; install them with  pip install 'zonewise[bench]'"
            "  or leave out --peers"
        )


def measure(engine: str, task: Task) -> Outcome:
    """One run of one engine in a fresh process."""
    if engine == OURS:
        return alone(import_module("app.benchmarks.peers.ours").measure, task)
    require((engine,))
    fixed = replace(task, reroute_every_s=None)
    if engine == "sumo":  # it takes fixed routes at free flow, whatever the others do
        return alone(import_module("app.benchmarks.peers.sumo").measure, fixed)
    platoon = int(engine.removeprefix("uxsim_"))
    return alone(import_module("app.benchmarks.peers.uxsim").measure, task, platoon=platoon)


def above_free_flow(task: Task) -> float:
    """Mean travel time of all trips, run by ours until empty, above the mean at free flow, %."""
    from app.benchmarks.peers.free_flow import free_flow_bound_s

    outcome = measure(OURS, task)
    return 100.0 * (outcome.mean_travel_time_s / free_flow_bound_s(task.read()) - 1.0)


def equilibrium(task: Task, gap: float) -> dict[str, Any]:
    """Dynamic user equilibrium by ours: its gap by round."""
    found: dict[str, Any] = import_module("app.benchmarks.peers.ours").equilibrium(task, gap=gap)
    return found


def first_compile(task: Task) -> float:
    """CPU seconds until the kernels of a first run are compiled, with an empty cache."""
    with TemporaryDirectory() as cache:
        os.environ["NUMBA_CACHE_DIR"] = cache  # read when Numba is imported, in this fresh process
        begun = time.process_time()
        import_module("app.benchmarks.peers.ours").warm_up(task)
        return time.process_time() - begun
