"""The traffic engine, alone and beside its peers: `zonewise benchmark traffic [--peers] [--runs N] [CASE ...]`.

Without a case the quick ones run. A case of shared data is found by `ZONEWISE_SHARED_DATA`, or in `shared/data` beside
the project. Each run has a process, one core and one thread of its own; the clock is the CPU's and runs while the
engine simulates: reading, building, writing input files and compiling are reported apart. Engines alternate, and each
round begins with another one. With `--peers` (extra `bench`), UXsim's C++ mode runs with its log off, at one and at
five vehicles a platoon, and SUMO mesoscopically on fixed routes; ours logs every link entry.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.benchmarks import figure
from app.benchmarks.peers import engines
from app.benchmarks.peers.process import alone
from app.benchmarks.peers.rows import OURS, ratios, rotated, row
from app.benchmarks.peers.task import HORIZON_S, Task
from data.errors import InputError

RUNS = 5
REROUTE_EVERY_S = 600.0
SEED = 1

#: What ours must reach: CPU time of a peer over ours (at least).
_RATIO_TARGETS = {
    "siouxfalls_dyn": {"uxsim_1": 50.0, "uxsim_5": 3.0, "sumo": 100.0},
    "chicago_10th": {"uxsim_1": 25.0},
}  # fmt: skip
#: CPU seconds and MiB of ours, at most.
_LIMITS = {"chicago_dyn": {"cpu_s": 8.0, "peak_mib": 800.0}}
#: Peers that can run a case on an ordinary machine; UXsim needs some 31 KiB a vehicle on the network of Chicago.
_PEERS = {
    "siouxfalls_dyn": ("uxsim_1", "uxsim_5", "sumo"),
    "chicago_10th": ("uxsim_1", "uxsim_5", "sumo"),
    "chicago_dyn": (),
}  # fmt: skip


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    arguments : sequence of str
        Cases (`case_names()`), `--peers`, and `--runs N` (how often each engine runs, 5 unless told).

    Raises
    ------
    InputError
        If an argument is no case, data of a named case is not there, or a peer is not installed.
    """
    names, peers, runs = _parsed(arguments)
    if peers:
        engines.require(("uxsim_1", "sumo"))
    out: dict[str, Any] = {"figures": [], "engines": {}, "curves": {}}
    for name in names or [case for case in QUICK if case not in HORIZON_S or _folder(case).is_dir()]:
        CASES[name](out, name, peers, runs)
    return out


def _parsed(arguments: Sequence[str]) -> tuple[list[str], bool, int]:
    names, peers, runs = [], False, RUNS
    words = iter(arguments)
    for word in words:
        if word == "--peers":
            peers = True
        elif word == "--runs":
            count = next(words, "")
            if not count.isdigit() or int(count) < 1:
                raise InputError(f"--runs takes a whole number of at least 1; found {count!r}")
            runs = int(count)
        elif word in CASES:
            names.append(word)
        else:
            raise InputError(f"no traffic case '{word}'; there are: {', '.join(CASES)}; options: --peers, --runs N")
    return names, peers, runs


def _folder(case: str) -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("ZONEWISE_SHARED_DATA", beside)) / "dynamic" / case


# --- cases that peers run too -----------------------------------------------------------------------------------------


def _side_by_side(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    """One shared case with ours and, if asked, its peers."""
    task = Task(folder=_folder(name), horizon_s=HORIZON_S[name], reroute_every_s=REROUTE_EVERY_S, seed=SEED)
    demand = len(task.read().trips)
    chosen = [OURS, *(_PEERS[name] if peers else ())]
    outcomes: dict[str, list[Any]] = {engine: [] for engine in chosen}
    for turn in range(runs):
        for engine in rotated(chosen, turn):
            outcomes[engine].append(engines.measure(engine, task))
    rows = {engine: row(outcomes[engine], demand) for engine in chosen}
    out["engines"][name] = rows
    out["figures"] += case_figures(name, rows)


def case_figures(name: str, rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Figures of a case from its rows: time and memory of ours, ratios to the peers, and how far results differ."""
    ours = rows[OURS]
    limits = _LIMITS.get(name, {})
    n = ours["runs"]
    figures = [
        figure(f"{name}: CPU time", ours["cpu_s"], "s", target=limits.get("cpu_s"), n=n, seed=SEED,
               lower=ours["cpu_s_min"], upper=ours["cpu_s_max"]),
        figure(f"{name}: peak memory", ours["peak_mib"], "MiB", target=limits.get("peak_mib"), n=n, seed=SEED),
        figure(f"{name}: trips done", ours["trips_done"], "trips", seed=SEED),
        figure(f"{name}: mean travel time of trips done", ours["mean_travel_time_s"], "s", seed=SEED),
        figure(f"{name}: mean over all trips", ours["mean_over_all_s"], "s", seed=SEED),
    ]  # fmt: skip
    for engine, value in ratios(rows).items():
        target = _RATIO_TARGETS.get(name, {}).get(engine)
        label = engines.LABELS[engine]
        figures.append(
            figure(f"{name}: CPU of {label} / ours", value, "x", target=target, at_most=False, n=n, seed=SEED)
        )
        with_rest = (rows[engine]["cpu_s"] + rows[engine]["after_s"]) / ours["cpu_s"]
        figures.append(
            figure(f"{name}: CPU of {label}, its evaluation included / ours", with_rest, "x", n=n, seed=SEED)
        )
    for engine, peer in rows.items():
        if engine != OURS:
            figures += _peer_figures(name, engine, peer, ours)
    return figures


def _peer_figures(name: str, engine: str, peer: dict[str, Any], ours: dict[str, Any]) -> list[dict[str, Any]]:
    label = engines.LABELS[engine]
    same_rule = engine == "uxsim_1"  # it alone reroutes every vehicle; SUMO's are on fixed routes
    apart = 100.0 * (ours["mean_over_all_s"] / peer["mean_over_all_s"] - 1.0)
    shown = [
        figure(f"{name}: {label}: CPU time", peer["cpu_s"], "s", n=peer["runs"], seed=SEED, lower=peer["cpu_s_min"],
               upper=peer["cpu_s_max"]),
        figure(f"{name}: {label}: trips done", peer["trips_done"], "trips", seed=SEED),
        figure(f"{name}: {label}: mean over all trips", peer["mean_over_all_s"], "s", seed=SEED),
    ]  # fmt: skip
    if same_rule:
        shown.append(figure(f"{name}: mean over all trips, ours against {label}, apart", abs(apart), "%", target=5.0))
    if not peer["comparable"]:
        made = 100.0 * (peer["trips_made"] / peer["demand"] - 1.0)
        shown.append(figure(f"{name}: {label}: vehicles made against demand (no ratio)", made, "%"))
    return shown


def _bound(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    """A shared case, and how far its mean lies above the bound of free flow when everybody arrives."""
    _side_by_side(out, name, peers, runs)
    above = engines.above_free_flow(
        Task(folder=_folder(name), horizon_s=float("inf"), reroute_every_s=REROUTE_EVERY_S, seed=SEED)
    )
    out["figures"] += [
        figure(f"{name}: mean above free flow, run until empty", above, "%", target=2.0, seed=SEED),
        figure(f"{name}: mean above free flow, never below 0", above, "%", target=0.0, at_most=False, seed=SEED),
    ]


# --- cases of our own -------------------------------------------------------------------------------------------------


def _speed(vehicles: int, traversals_each: int, target: float) -> Callable[[dict[str, Any], str, bool, int], None]:
    def measured(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
        from app.benchmarks.peers.scaling import traversals_per_second

        found = alone(traversals_per_second, vehicles, traversals_each=traversals_each, seed=SEED)
        out["curves"][name] = found
        out["figures"] += [
            figure(f"{name}: link traversals a CPU second, {vehicles:,} on the road", found["per_second"], "1/s",
                   target=target, at_most=False, seed=SEED),
            figure(f"{name}: peak memory", found["peak_mib"], "MiB", seed=SEED),
        ]  # fmt: skip

    return measured


def _apart(name_of_case: str, before_s: float) -> Callable[[dict[str, Any], str, bool, int], None]:
    """Identical fixed routes: delays on links and at origins under several rules of ours, and in UXsim."""

    def measured(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
        from app.benchmarks.peers import apart

        task = Task(
            folder=_folder(name_of_case), horizon_s=HORIZON_S[name_of_case], reroute_every_s=None,
            depart_before_s=before_s, seed=SEED,
        )  # fmt: skip
        found = {label: alone(apart.ours, task, **rule) for label, rule in _RULES.items()}
        out["curves"][name] = {"rules": [delays.row(label) for label, delays in found.items()]}
        if peers:
            found["UXsim"] = alone(apart.uxsim, task)
            table = apart.furthest_apart(task.read(), found["gates"], found["UXsim"])
            out["curves"][name]["rules"].append(found["UXsim"].row("UXsim"))
            out["curves"][name]["links_furthest_apart"] = table.to_dict(orient="records")
        for label, delays in found.items():
            row_ = delays.row(label)
            out["figures"] += [
                figure(f"{name}: {label}: mean over all trips", delays.mean_s, "s", n=delays.trips, seed=SEED),
                figure(f"{name}: {label}: delay on links", row_["delay_on_links_s"], "s", seed=SEED),
                figure(f"{name}: {label}: delay at origins", row_["delay_at_origins_s"], "s", seed=SEED),
                figure(f"{name}: {label}: trips done", delays.done, "trips", seed=SEED),
            ]

    return measured


#: Rules of ours on fixed routes: as it is, its limit, with those of UXsim one by one, and with SUMO's at origins.
_RULES: dict[str, dict[str, Any]] = {
    "gates": {},
    "gates, vehicles in 4": {"parts": 4},
    "gates, fluid limit": {"entrance_m": 20.0, "entrance_veh_per_s": 3.0, "parts": 4},
    "node queue first": {"origins": "node first"},
    "node queue first, entrances": {"origins": "node first", "entrance_m": 20.0, "entrance_veh_per_s": 1.0},
    "node queue first, fluid limit": {
        "origins": "node first", "entrance_m": 20.0, "entrance_veh_per_s": 3.0, "parts": 4,
    },
    "roads first": {"origins": "roads first"},
}  # fmt: skip


def _linearity(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    from app.benchmarks.peers.scaling import by_traversals

    found = alone(by_traversals, 20_000, doublings=7, seed=SEED)
    out["curves"][name] = found
    out["figures"] += [
        figure(f"{name}: exponent of CPU over traversals", found["exponent"], "1", target=1.05, seed=SEED),
        figure(f"{name}: exponent, lower end", found["exponent"], "1", target=0.95, at_most=False, seed=SEED),
    ]


def _in_flight(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    from app.benchmarks.peers.scaling import traversals_per_second

    curve = [
        alone(traversals_per_second, vehicles, traversals_each=each, seed=SEED)
        for vehicles, each in ((1_000, 500), (10_000, 100), (100_000, 20), (300_000, 10), (1_000_000, 5))
    ]
    out["curves"][name] = curve
    out["figures"] += [
        figure(f"{name}: traversals a CPU second, {found['vehicles']:,} on the road", found["per_second"], "1/s",
               seed=SEED)
        for found in curve
    ]  # fmt: skip


def _grid(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    from app.benchmarks.peers.scaling import large_grid

    found = alone(
        large_grid, n_links=100_000, n_trips=1_000_000, n_centres=1_000, mean_links=40, over_s=7_200.0, seed=SEED
    )
    out["curves"][name] = found
    out["figures"] += [
        figure(f"{name}: CPU time, 100,000 links, 1 M trips", found["cpu_s"], "s", target=90.0, seed=SEED),
        figure(f"{name}: of it routing", found["routing_s"], "s", seed=SEED),
        figure(f"{name}: of it movement", found["movement_s"], "s", seed=SEED),
        figure(f"{name}: links a trip", found["links_per_trip"], "1", seed=SEED),
        figure(f"{name}: trips arrived", found["arrived"], "trips", target=1_000_000, at_most=False, seed=SEED),
        figure(f"{name}: peak memory", found["peak_mib"], "MiB", seed=SEED),
    ]


def _static(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    from app.benchmarks.peers.static import static_figures

    out["figures"] += static_figures()


def _equilibrium(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    task = Task(folder=_folder("siouxfalls_dyn"), horizon_s=HORIZON_S["siouxfalls_dyn"], reroute_every_s=600.0)
    found = alone(engines.equilibrium, task, 0.001)
    out["curves"][name] = found
    within = next((row["iteration"] for row in found["curve"] if row["gap"] <= 0.01), None)
    out["figures"] += [
        figure(f"{name}: relative gap of siouxfalls_dyn, driven until empty", found["gap"], "1", target=0.03),
        figure(f"{name}: rounds", found["rounds"], "1"),
        figure(f"{name}: round that first reaches 1 %", -1 if within is None else within, "1"),
        figure(f"{name}: CPU time", found["cpu_s"], "s"),
    ]


def _compile(out: dict[str, Any], name: str, peers: bool, runs: int) -> None:
    taken = alone(engines.first_compile, Task(folder=_folder("siouxfalls_dyn"), horizon_s=1.0, reroute_every_s=600.0))
    out["figures"].append(figure(f"{name}: compiling the kernels for the first time, CPU", taken, "s", target=15.0))


CASES: dict[str, Callable[[dict[str, Any], str, bool, int], None]] = {
    "siouxfalls_dyn": _side_by_side, "chicago_10th": _bound, "chicago_dyn": _side_by_side,
    "siouxfalls_fixed": _apart("siouxfalls_dyn", float("inf")), "chicago_cut": _apart("chicago_dyn", 1_000.0),
    "cache": _speed(1_000, 1_000, 1.5e6), "million": _speed(1_000_000, 5, 0.6e6), "linearity": _linearity,
    "in_flight": _in_flight, "grid": _grid, "static": _static, "equilibrium": _equilibrium,
    "compile": _compile,
}  # fmt: skip
#: What runs when no case is named: seconds each.
QUICK = ("siouxfalls_dyn", "chicago_10th", "cache", "linearity", "static")
