"""Static equilibrium on published problems: how near, and how soon.

The objective of each problem's published flows is computed from those flows. Sioux Falls and Anaheim cost time alone,
Chicago Sketch 0.04 min/mile and 0.02 min/cent besides. Speed is CPU time of the solver, kernels compiled before, median
of `RUNS`; reading files is not in it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.benchmarks.peers.process import alone
from data.readers.tntp import read_tntp_flows, read_tntp_network, read_tntp_trips
from simulation.traffic.bpr import Bpr
from simulation.traffic.static_assignment import assign
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass
from simulation.traffic.static_assignment_problems import Problem, beckmann_objective, tntp_problem

RUNS = 5
GAP, OBJECTIVE_ERROR = 1e-6, 1e-6
FIRST_USE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A published problem, the costs that its solution holds for, and the gap and CPU time asked of us."""

    folder: str
    name: str
    label: str
    time_per_length: float = 0.0
    time_per_toll: float = 0.0
    speed_gap: float | None = None
    speed_s: float | None = None


CASES = (
    Case(folder="SiouxFalls", name="SiouxFalls", label="Sioux Falls", speed_gap=1e-6, speed_s=0.3),
    Case(folder="Anaheim", name="Anaheim", label="Anaheim", speed_gap=1e-6),
    Case(
        folder="Chicago-Sketch", name="ChicagoSketch", label="Chicago Sketch", time_per_length=0.04, time_per_toll=0.02,
        speed_gap=1e-4, speed_s=3.0,
    ),
)  # fmt: skip


def static_figures(folder: Path | str | None = None) -> list[dict[str, Any]]:
    """Figures of the static equilibrium: Braess always, the published problems where their files are found.

    Parameters
    ----------
    folder : Path or str, optional
        With a folder a problem in TNTP format; by default `tntp` in the shared data (`ZONEWISE_SHARED_DATA`, or
        `shared/data` beside the project).
    """
    here = Path(__file__).resolve().parents[3]
    default = Path(os.environ.get("ZONEWISE_SHARED_DATA", here.parent / "shared" / "data")) / "tntp"
    place = Path(default if folder is None else folder)
    rows = [
        figure("static: first use, compiling included", _first_use_s(), "CPU s", target=FIRST_USE_S),
        figure("static: Braess, flow on each of three routes less 2", _braess_error(), "veh", target=1e-6),
    ]
    for case in CASES:
        if (place / case.folder).is_dir():
            rows += _figures(case, place / case.folder)
    return rows


def _figures(case: Case, folder: Path) -> list[dict[str, Any]]:
    problem, published = _read(case, folder)
    target = beckmann_objective(problem.network, published, problem.classes[0])
    result = assign(problem.network, problem.od, classes=problem.classes, gap=GAP)
    error = abs(result.objective / target - 1.0)
    rows = [
        figure(f"static: {case.label}, objective against the published one", error, "1", target=OBJECTIVE_ERROR),
        figure(f"static: {case.label}, relative gap", result.relative_gap, "1", target=GAP),
    ]
    if case.speed_gap is not None:
        taken = [_cpu_s(problem, case.speed_gap) for _ in range(RUNS)]
        rows.append(
            figure(
                f"static: {case.label}, time to a gap of {case.speed_gap:g}", statistics.median(taken), "CPU s",
                target=case.speed_s, n=RUNS, lower=min(taken), upper=max(taken),
            )
        )  # fmt: skip
    return rows


def _read(case: Case, folder: Path) -> tuple[Problem, np.ndarray]:
    """The problem, and its published flows in the order of its links."""
    network = read_tntp_network(folder / f"{case.name}_net.tntp")
    trips = read_tntp_trips(next(iter(sorted(folder.glob(f"{case.name}_trips.tntp*")))))
    problem = tntp_problem(
        network.links, trips, first_thru_node=network.first_thru_node, time_per_length=case.time_per_length,
        time_per_toll=case.time_per_toll,
    )  # fmt: skip
    flows = read_tntp_flows(folder / f"{case.name}_flow.tntp")
    ordered = network.links.merge(flows, on=["from_node", "to_node"], how="left", validate="one_to_one")
    return problem, ordered["flow_native"].to_numpy(float)


def _cpu_s(problem: Problem, gap: float) -> float:
    begun = time.process_time()
    assign(problem.network, problem.od, classes=problem.classes, gap=gap)
    return time.process_time() - begun


def _braess() -> Problem:
    """Six trips from 1 to 2: 10 q on 1-3 and 4-2, 50 + q on 1-4 and 3-2, 10 + q on 3-4 (Braess 1968)."""
    free = np.array([1e-9, 50.0, 50.0, 1e-9, 10.0])
    cost = Bpr(
        free_time=free, capacity=np.ones(5), alpha=np.array([10.0, 1.0, 1.0, 10.0, 1.0]) / free, power=np.ones(5)
    )
    network = StaticNetwork.of(np.array([1, 1, 3, 4, 3]), np.array([3, 4, 2, 2, 4]), cost)
    od = pd.DataFrame({"origin_node_id": [1], "dest_node_id": [2], "flow": [6.0]})
    return Problem(network=network, od=od, classes=(UserClass(),))


def _braess_error() -> float:
    problem = _braess()
    shares = assign(problem.network, problem.od, gap=1e-12).route_shares()
    return float(np.abs(shares["flow"] - 2.0).max()) if len(shares) == 3 else np.inf


def _first_use_s() -> float:
    """CPU time of the first assignment of a process that finds nothing compiled."""
    with TemporaryDirectory() as folder, _environment(NUMBA_CACHE_DIR=folder):
        return alone(_first_assignment_s)


def _first_assignment_s() -> float:
    begun = time.process_time()
    _braess_error()
    return time.process_time() - begun


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
