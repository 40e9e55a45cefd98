"""The traffic benchmark: what is compared, how, and what it says when a peer is missing."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.benchmarks import case_names, traffic
from app.benchmarks.peers import engines
from app.benchmarks.peers.free_flow import free_flow_bound_s, paths_of_trips
from app.benchmarks.peers.grid import make_grid, trips_to_centres, wandering
from app.benchmarks.peers.ours import network_of, paths_of, trips_of
from app.benchmarks.peers.process import alone
from app.benchmarks.peers.rows import OURS, comparable, ratios, rotated, row
from app.benchmarks.peers.task import Outcome, Task
from app.benchmarks.peers.uxsim import platoons
from app.benchmarks.peers.variants import LAST, PRIORITY, connected, finer, plain, with_entrances
from data.errors import InputError
from data.readers.dynamic_case import DynamicCase, read_dynamic_case
from simulation.traffic.loading import simulate

_OUTCOME = Outcome(
    cpu_s=1.0, setup_s=0.1, after_s=0.0, compile_s=0.0, trips_made=1000, trips_done=900, mean_travel_time_s=300.0,
    mean_over_all_s=330.0, peak_mib=100.0, version="1", parts_s=(("routing", 0.25), ("movement", 0.75)),
)  # fmt: skip


def _case() -> DynamicCase:
    """A triangle: 0 -> 1 -> 2 takes 100 + 50 s, 0 -> 2 straight 200 s; a slower twin of 0 -> 1 comes first."""
    return DynamicCase(
        name="triangle",
        nodes=pd.DataFrame({"node_id": [0, 1, 2], "name": ["a", "b", "c"], "x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 0.0]}),
        links=pd.DataFrame(
            {
                "link_id": [0, 1, 2, 3], "name": list("wxyz"), "from_node_id": [0, 0, 1, 0],
                "to_node_id": [1, 1, 2, 2], "length_m": [1000.0, 1000.0, 500.0, 2000.0], "lanes": 1.0,
                "free_flow_speed_mps": [5.0, 10.0, 10.0, 10.0], "capacity_veh_per_s": 0.5,
                "jam_density_veh_per_m": 0.2, "merge_weight": 1.0,
            }
        ),
        trips=pd.DataFrame(
            {"depart_s": [0.0, 5.0, 9.0], "origin_node_id": [0, 1, 0], "dest_node_id": [2, 2, 1]}
        ),
    )  # fmt: skip


def test_a_row_holds_median_least_and_greatest_cpu_time():
    """Runs of 3, 1 and 2 CPU seconds: median 2, least 1, greatest 3; memory is the most of all runs."""
    made = row([replace(_OUTCOME, cpu_s=s, peak_mib=100.0 * s) for s in (3.0, 1.0, 2.0)], demand=1000)
    assert (made["cpu_s"], made["cpu_s_min"], made["cpu_s_max"], made["runs"]) == (2.0, 1.0, 3.0, 3)
    assert made["peak_mib"] == 300.0
    assert (made["routing_s"], made["movement_s"]) == (0.25, 0.75)
    assert made["comparable"]


def test_runs_that_made_different_trips_are_no_repetitions():
    with pytest.raises(ValueError, match=r"\[999, 1000\]"):
        row([_OUTCOME, replace(_OUTCOME, trips_made=999)], demand=1000)


@pytest.mark.parametrize(("made", "fits"), [(990, True), (1010, True), (989, False), (1011, False)])
def test_an_engine_that_makes_one_percent_more_or_fewer_vehicles_is_not_compared(made, fits):
    assert comparable(made, 1000) is fits


def test_ratios_leave_out_who_did_not_run_the_demand():
    """Ours 0.5 s; a peer of 2 s is 4 times as long; one that made 3 % fewer vehicles is shown without a ratio."""
    rows = {
        OURS: row([replace(_OUTCOME, cpu_s=0.5)], 1000),
        "uxsim_1": row([replace(_OUTCOME, cpu_s=2.0)], 1000),
        "uxsim_5": row([replace(_OUTCOME, cpu_s=0.1, trips_made=970)], 1000),
    }
    assert ratios(rows) == {"uxsim_1": 4.0}
    names = [figure["name"] for figure in traffic.case_figures("siouxfalls_dyn", rows)]
    assert "siouxfalls_dyn: UXsim C++ at 5 a platoon: vehicles made against demand (no ratio)" in names
    assert "siouxfalls_dyn: CPU of UXsim C++ at 5 a platoon / ours" not in names
    assert ratios({**rows, OURS: row([replace(_OUTCOME, trips_made=1)], 1000)}) == {}


def test_ratios_are_held_against_their_targets():
    """4 times where 50 are asked: not met; at five no ratio; mean 330 s on both sides: 0 % apart, within 5 %."""
    rows = {OURS: row([replace(_OUTCOME, cpu_s=0.5)], 1000), "uxsim_1": row([replace(_OUTCOME, cpu_s=2.0)], 1000)}
    figures = {figure["name"]: figure for figure in traffic.case_figures("siouxfalls_dyn", rows)}
    ratio = figures["siouxfalls_dyn: CPU of UXsim C++ at 1 a platoon / ours"]
    assert (ratio["value"], ratio["target"], ratio["met"]) == (4.0, 50.0, False)
    apart = [figure for name, figure in figures.items() if name.endswith("apart")]
    assert apart and all(figure["met"] for figure in apart)


def test_each_round_begins_with_another_engine():
    assert [rotated(["a", "b", "c"], turn) for turn in range(4)] == [
        ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"],
    ]  # fmt: skip


def test_unfinished_trips_count_to_the_horizon():
    """Trips of 100 and 200 s and one that is still out after 500 - 100 s: means 150 and 700 / 3 s; platoons of 5."""
    outcome = Outcome.of_trips(
        np.array([0.0, 50.0, 100.0]), np.array([100.0, 250.0, np.nan]), weight=5, horizon_s=500.0, cpu_s=1.0,
        setup_s=0.0, after_s=0.0, compile_s=0.0, peak_mib=1.0, version="",
    )  # fmt: skip
    assert (outcome.trips_made, outcome.trips_done) == (15, 10)
    assert outcome.mean_travel_time_s == 150.0
    assert outcome.mean_over_all_s == pytest.approx(700 / 3)


def test_free_flow_routes_take_the_faster_of_two_links_between_the_same_nodes():
    """0 -> 2 by link 1 (100 s, not its slower twin) and link 2 (50 s) beats 200 s straight; mean 300 / 3."""
    links, start = paths_of_trips(_case())
    assert links.tolist() == [1, 2, 2, 1]
    assert start.tolist() == [0, 2, 3, 4]
    assert free_flow_bound_s(_case()) == pytest.approx(100.0)


def test_a_trip_without_a_way_is_named():
    case = _case()
    trips = pd.DataFrame({"depart_s": [0.0], "origin_node_id": [2], "dest_node_id": [0]})
    with pytest.raises(InputError, match=r"1 pair\(s\) of nodes have no way, such as from c to a"):
        paths_of_trips(DynamicCase(name="", nodes=case.nodes, links=case.links, trips=trips))


def test_platoons_keep_the_number_of_vehicles_and_every_pair_its_share():
    """Pairs of 7, 8 and 9 trips in platoons of 5: running totals 1.4, 3.0, 4.8 round to 1, 3, 5: platoons 1, 2, 2."""
    pairs = np.repeat([0, 1, 2], [7, 8, 9])
    trips = pd.DataFrame({"depart_s": np.arange(24.0), "origin_node_id": pairs, "dest_node_id": pairs + 1})
    made = platoons(trips, 5)
    assert made.groupby("origin_node_id").size().tolist() == [1, 2, 2]
    assert made["depart_s"].is_monotonic_increasing
    assert made["depart_s"].tolist()[0] == 3.0  # the middle one of seven
    assert platoons(trips, 1) is trips


def test_a_missing_peer_is_named_with_the_cure(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"eclipse-sumo, uxsim; install them with  pip install 'zonewise\[bench\]'"):
        traffic.run(["--peers", "siouxfalls_dyn"])


def test_what_is_no_case_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"no traffic case 'berlin'; there are: siouxfalls_dyn, chicago_10th"):
        traffic.run(["berlin"])
    with pytest.raises(InputError, match="--runs takes a whole number"):
        traffic.run(["--runs", "none"])
    assert set(traffic.QUICK) <= set(traffic.CASES)


def test_peers_are_no_benchmark_case_of_their_own():
    assert "peers" not in case_names() and "traffic" in case_names()


def _threads() -> tuple[str | None, int]:
    return os.environ.get("OMP_NUM_THREADS"), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def test_a_run_has_one_core_and_one_thread_and_leaves_ours_alone():
    before = os.environ.get("OMP_NUM_THREADS")
    assert alone(_one_core_and_thread) == ("1", 1)
    assert os.environ.get("OMP_NUM_THREADS") == before


def _one_core_and_thread() -> tuple[str | None, int]:
    return _threads()


def test_the_grid_has_as_many_links_as_asked_and_nobody_turns_round():
    """100 links are 50 two-way streets; a wandering trip's next link begins where the last ends and is not its twin."""
    grid = make_grid(100, seed=3)
    network = grid.network
    assert network.from_node.size == 100
    trips, paths = wandering(grid, 50, 12, over_s=10.0, seed=3)
    steps = paths.links.reshape(50, 12)
    a, b = steps[:, :-1].ravel(), steps[:, 1:].ravel()
    assert (network.to_node[a] == network.from_node[b]).all()
    onward = np.bincount(network.turns.in_link, minlength=100)[a] > 1
    assert (network.from_node[a] != network.to_node[b])[onward].all()
    assert (trips.dest == network.to_node[steps[:, -1]]).all()


def test_trips_to_centres_are_forty_streets_long_on_the_average():
    """Between 20 and 60 streets, evenly: 40 on the average, within 4 standard errors of 12 / sqrt(20,000)."""
    grid = make_grid(100_000, seed=1)
    trips = trips_to_centres(grid, 20_000, n_centres=50, mean_links=40, over_s=100.0, seed=1)
    rows, columns = np.divmod(np.stack([trips.orig, trips.dest]), grid.columns)
    length = np.abs(np.diff(rows, axis=0)) + np.abs(np.diff(columns, axis=0))
    assert length.min() >= 20 and length.max() <= 60
    assert length.mean() == pytest.approx(40.0, abs=0.35)


@pytest.mark.parametrize(
    ("change", "longer_s"),
    [
        (lambda loading: connected(loading, merge_weight=PRIORITY), 0.5),
        (lambda loading: connected(loading, merge_weight=LAST, by_link=True), 0.5),
        (lambda loading: with_entrances(loading, length_m=20.0, veh_per_s=1.0), 0.0),
        (lambda loading: finer(loading, parts=4), 0.0),
    ],
    ids=["connector", "connector a link", "entrance", "finer"],
)
def test_another_rule_changes_nothing_where_nobody_waits(change, longer_s):
    """The triangle's trips take 150, 50 and 100 s alone on the road; a connector is half a second long."""
    case = _case()
    loading = change(plain(network_of(case), trips_of(case), paths_of(case)))
    run = simulate(loading.network, loading.trips, paths=loading.paths)
    wanted = {(0, 2): 150.0, (1, 2): 50.0, (0, 1): 100.0}
    first = loading.street[loading.paths.links[loading.paths.start[:-1] + (longer_s > 0)]]
    start = case.links["from_node_id"].to_numpy()[first]
    for trip, time_s in enumerate(run.travel_time_s):
        assert time_s == pytest.approx(wanted[start[trip], loading.trips.dest[trip]] + longer_s)


def test_uxsim_at_one_a_platoon_makes_the_demand_and_stays_above_free_flow(tmp_path):
    """The triangle's three trips in UXsim: all made, all done, none sooner than its 150, 50 and 100 s."""
    if find_spec("uxsim") is None:
        pytest.skip("uxsim is not installed (extra 'bench')")
    outcome = alone(_uxsim_outcome, _written(_case(), tmp_path))
    assert (outcome.trips_made, outcome.trips_done) == (3, 3)
    assert 100.0 <= outcome.mean_travel_time_s <= 105.0


def _uxsim_outcome(folder: Path) -> Outcome:
    from app.benchmarks.peers import uxsim

    return uxsim.measure(Task(folder=folder, horizon_s=600.0, reroute_every_s=None), platoon=1)


def _written(case: DynamicCase, folder: Path) -> Path:
    case.nodes.assign(node=case.nodes["node_id"]).to_csv(folder / "nodes.csv", index=False)
    case.links.rename(
        columns={
            "link_id": "link", "from_node_id": "from", "to_node_id": "to", "free_flow_speed_mps": "speed_mps",
            "capacity_veh_per_s": "cap_vps", "jam_density_veh_per_m": "jam_vpm", "merge_weight": "merge_priority",
        }
    ).to_csv(folder / "links.csv", index=False)  # fmt: skip
    case.trips.rename(columns={"origin_node_id": "orig", "dest_node_id": "dest"}).to_csv(
        folder / "trips.csv", index=False
    )
    assert len(read_dynamic_case(folder).links) == len(case.links)
    return folder
