"""Outputs of a real run: the log's books are the engine's own, and vehicles are conserved everywhere."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from data.toy import toy_links, toy_turns
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.outputs.bottlenecks import worst_queues
from simulation.traffic.outputs.cumulative import cumulative_counts, link_curves
from simulation.traffic.outputs.link_books import link_intervals, link_state
from simulation.traffic.outputs.mfd import zone_diagram
from simulation.traffic.outputs.queues import link_delays, queue_map
from simulation.traffic.outputs.skims import experienced_skim, node_links, shortest_times
from simulation.traffic.outputs.stays import Stays, free_flow_times
from simulation.traffic.outputs.trajectories import sample_trips, trajectories

STEP_S, STEPS = 300.0, 10  # the last trips depart at 2,400 s
PARTS = ("vehicle_distance_m", "vehicle_time_s", "inflow_veh", "outflow_veh", "queue_veh", "speed_distance_m")


class Loaded:
    """The toy town with a signal and more trips than it bears, on fixed paths, with the books read every 300 s."""

    def __init__(self, n_trips=10_000):
        links = toy_links()
        ends = links[links["to_node_id"] == 12]
        plans = pd.DataFrame({
            "link_id": ends["link_id"], "node_id": 12, "cycle_s": 80.0, "green_s": 36.0,
            "green_start_s": np.where(ends["from_node_id"].isin([7, 17]), 0.0, 40.0),
        })  # fmt: skip
        self.network = Network.from_tables(links, turns=toy_turns(), signals=plans)
        rng = np.random.default_rng(11)
        ends = rng.choice(25, (n_trips, 2))
        ends = ends[ends[:, 0] != ends[:, 1]]
        depart = np.sort(rng.uniform(0, 2400, len(ends)))
        self.klass = rng.integers(0, 4, len(ends))
        self.trips = NodeTrips(depart_s=depart, orig=ends[:, 0], dest=ends[:, 1], vehicle_class=self.klass)
        first = simulate(self.network, self.trips, until_s=None, reroute_every_s=300.0, seed=2)
        paths = first.log.paths(len(self.trips))
        self.engine = TrafficEngine(self.network.arrays, 1, books=True, log=True, seed=2)
        none = np.zeros(len(self.trips), np.int64)
        self.engine.release(
            Trips(
                depart_s=depart, origin_link=paths.links[paths.start[:-1]].astype(np.int64), dest_row=none, layer=none,
                vehicle_class=self.klass, paths=paths,
            )
        )  # fmt: skip
        table = np.full((1, 1, len(links)), -1, np.int32)
        self.books, self.counts = [], []
        for k in range(STEPS):
            self.engine.advance((k + 1) * STEP_S, table)
            self.books.append(self.engine.read_interval())
            self.counts.append(self.engine.counts())
        self.log = self.engine.entry_log()
        self.arrays, self.paths = self.network.arrays, paths
        self.physics = {"length_m": self.arrays.length_m, "free_time_s": free_flow_times(self.arrays)}


@pytest.fixture(scope="module")
def run():
    return Loaded()


@pytest.fixture(scope="module")
def calm():
    """Fewer trips: queues, but nobody moved by the gridlock rules, which let a vehicle skip links."""
    return Loaded(5000)


def test_the_town_is_congested_and_the_run_ends_before_all_have_arrived(run):
    """Or the comparison below would prove little: queues at the end of some intervals, vehicles left at the last."""
    assert max(b.queue_veh.sum() for b in run.books) > 500 and run.counts[7].waiting > 100
    assert run.counts[-1].on_road > 0 and run.counts[-1].forced > 0


def test_the_calm_run_has_queues_and_no_forced_move(calm):
    """Or its comparisons below would prove little."""
    assert max(b.queue_veh.sum() for b in calm.books) > 40 and calm.counts[-1].forced == 0


def test_free_flow_times_are_the_engines(run):
    """Bit for bit."""
    np.testing.assert_array_equal(run.physics["free_time_s"], run.engine.free_time_s)


def test_the_books_of_the_log_are_the_engines_own(run):
    """Every link, class and interval: counts exactly, metres exactly, seconds to rounding."""
    books = list(link_intervals(run.log, **run.physics, step_s=STEP_S, end_s=STEPS * STEP_S, vehicle_class=run.klass))
    assert len(books) == len(run.books)
    for ours, own in zip(books, run.books):
        assert (ours.start_s, ours.step_s) == (own.start_s, own.step_s)
        for part in PARTS:
            exact = 0.0 if part not in ("vehicle_time_s", "vehicle_distance_m", "speed_distance_m") else 1e-6
            np.testing.assert_allclose(getattr(ours, part), getattr(own, part), rtol=0, atol=exact, err_msg=part)


def test_vehicles_are_conserved_on_every_link_and_in_all(run):
    """Entries less exits are the vehicles on the link; all that departed have arrived, are on a link or wait."""
    times = (np.arange(STEPS) + 1) * STEP_S
    table = cumulative_counts(run.log, range(80), times, free_time_s=run.physics["free_time_s"])
    on_road = table.groupby("time_s")["on_link_veh"].sum().to_numpy()
    assert on_road.tolist() == [c.on_road for c in run.counts]
    assert ((table["entered_veh"] - table["left_veh"]) == table["on_link_veh"]).all() and (table["left_veh"] >= 0).all()
    entered = np.searchsorted(np.sort(run.log.starts()), times)
    assert entered.tolist() == [c.departed - c.waiting for c in run.counts]
    gone = np.searchsorted(np.sort(run.log.arrivals()), times)
    assert gone.tolist() == [c.arrived for c in run.counts]


def test_queue_maps_are_the_engines_queues(run):
    """At each reading, on every link."""
    table = queue_map(run.log, (np.arange(STEPS) + 1) * STEP_S, free_time_s=run.physics["free_time_s"])
    ours = table.set_index(["time_s", "link_id"])["queue_veh"]
    for k, own in enumerate(run.books):
        at = pd.MultiIndex.from_product([[(k + 1) * STEP_S], range(80)])
        np.testing.assert_array_equal(ours.reindex(at, fill_value=0), own.queue_veh.sum(axis=1))


def test_delays_of_links_and_curves_agree(run):
    """The sum over vehicles is the area between the curves, link by link."""
    free = run.physics["free_time_s"]
    delays = link_delays(run.log, free_time_s=free)
    for curves in link_curves(run.log, range(80), n_links=80):
        area = curves.delay_s(free_time_s=float(free[curves.link_id]), until_s=run.log.end_s)
        assert area == pytest.approx(delays[curves.link_id], abs=1e-6)


def test_paths_of_the_log_are_those_that_were_driven(calm):
    """Of trips that arrived: link for link. Of the others: as far as they came."""
    run = calm
    paths = run.log.paths(len(run.trips))
    for k in range(len(run.trips)):
        np.testing.assert_array_equal(paths[k], run.paths[k][: paths[k].size])
    arrived = np.isfinite(run.log.arrivals(len(run.trips)))
    np.testing.assert_array_equal(np.diff(paths.start)[arrived], np.diff(run.paths.start)[arrived])


def test_a_log_that_was_stored_gives_the_same_books(run, tmp_path):
    """Through a Parquet file, bit for bit."""
    run.log.to_table().to_parquet(tmp_path / "log.parquet")
    back = EntryLog.from_table(pd.read_parquet(tmp_path / "log.parquet"), n_links=80)
    start = pd.Timestamp("2026-01-26", tz="UTC")
    tables = [link_state(log, **run.physics, step_s=STEP_S, start=start) for log in (run.log, back)]
    pd.testing.assert_frame_equal(*tables)


def test_no_experienced_time_beats_the_shortest_way(calm):
    """Node to node at free flow: a lower bound of every trip's time; nan exactly where no trip was made."""
    run = calm
    network, free = run.network, run.physics["free_time_s"]
    nodes = np.arange(25)
    best = shortest_times(free, network.turns, *node_links(nodes, network.from_node, network.to_node))
    times = run.log.travel_times(run.trips.depart_s)
    done = np.isfinite(times)
    assert (times[done] >= best[run.trips.orig, run.trips.dest][done] - 1e-6).all()
    skim = experienced_skim(
        times, run.trips.depart_s, run.trips.orig, run.trips.dest, places=25, edges_s=np.array([0.0, 1200.0, 2400.0])
    )
    assert np.nansum(skim.time_s * skim.trips) == pytest.approx(np.nansum(times))
    assert skim.trips.sum() == done.sum()


def test_trajectories_pass_the_links_of_the_log_without_collision(run):
    """Each traversal begins and ends at the log's instants; nobody drives above free flow or backwards; vehicles that
    follow each other on a link of one lane keep the jam spacing."""
    chosen = sample_trips(len(run.trips), count=200, seed=7)
    table = trajectories(run.log, run.arrays, trips=chosen)
    assert set(table["trip"]) == set(chosen[np.isin(chosen, run.log.trip)])
    visit = (table["distance_m"].eq(0) | table["link_id"].ne(table["link_id"].shift())).cumsum()
    steps = table.groupby(visit)[["time_s", "distance_m"]].diff()
    speed = run.arrays.speed_mps[table["link_id"]]
    inside = steps["time_s"].notna().to_numpy()
    assert (steps["time_s"][inside] >= 0).all() and (steps["distance_m"][inside] >= -1e-9).all()
    assert (steps["distance_m"] <= speed * steps["time_s"] + 1e-3)[inside].all()
    assert (table.groupby("trip")["route_m"].diff().dropna() >= -1e-6).all()
    stays = Stays.of(run.log, n_links=80)
    mine = stays.take(np.flatnonzero(np.isin(stays.trip, chosen)))
    mine = mine.take(np.argsort(mine.trip, kind="stable"))
    ends = table.groupby(visit).agg(first=("time_s", "first"), last=("time_s", "last"), far=("distance_m", "last"))
    np.testing.assert_array_equal(table.groupby(visit)["link_id"].first(), mine.link)
    np.testing.assert_array_equal(ends["first"], mine.entry_s)
    gone = np.isfinite(mine.exit_s)
    np.testing.assert_array_equal(ends["last"][gone], mine.exit_s[gone])
    np.testing.assert_allclose(ends["far"][gone], run.arrays.length_m[mine.link[gone]])


def test_followers_never_overlap(calm):
    """On the link with the most delay among those of one lane: at every instant as far apart as vehicles that fill it
    stand, 200 m / 27. (The gridlock rules move vehicles against the model: hence the calm run.)"""
    run = calm
    delays = link_delays(run.log, free_time_s=run.physics["free_time_s"])
    one_lane = np.flatnonzero(run.arrays.lanes == 1)
    link = int(one_lane[np.argmax(delays[one_lane])])
    stays = Stays.of(run.log, n_links=80)
    here = np.flatnonzero((stays.link == link) & np.isfinite(stays.exit_s))
    table = trajectories(run.log, run.arrays, trips=np.unique(stays.trip[here]))
    table = table[table["link_id"] == link]
    lines = dict(list(table.groupby("trip")))
    spacing, checked = 200.0 / 27, 0
    for a, b in pairwise(here):
        if stays.exit_s[b] <= stays.exit_s[a] or stays.exit_s[a] <= stays.entry_s[b]:
            continue
        at = np.linspace(stays.entry_s[b], stays.exit_s[a], 40)
        ahead, behind = (
            np.interp(at, lines[t]["time_s"], lines[t]["distance_m"]) for t in (stays.trip[a], stays.trip[b])
        )
        assert (ahead - behind >= spacing - 1e-6).all()
        checked += 1
    assert checked > 50


def test_the_worst_queues_have_a_capacity_that_is_exceeded(run):
    """Ten links in order of delay, each with a root; demand above what the binding constraint lets pass."""
    table = worst_queues(run.log, run.arrays)
    delays = link_delays(run.log, free_time_s=run.physics["free_time_s"])
    assert len(table) == 10 and table["delay_veh_h"].is_monotonic_decreasing
    assert table["delay_veh_h"].iloc[0] == pytest.approx(delays.max() / 3600)
    shares = table[[c for c in table if c.startswith("share_")]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (table["demand_over_capacity"] > 1.0).all() and (table["excess_veh"] > 5.0).all()
    assert table["root_binding"].isin(["discharge", "red", "inflow", "junction"]).all()


def test_the_diagram_of_the_town_rises_and_its_production_is_the_distance_driven(run):
    """Sum of production times the interval is every metre that was booked."""
    state = link_state(run.log, **run.physics, step_s=STEP_S, start=pd.Timestamp("2026-01-26", tz="UTC"))
    links = toy_links()[["link_id", "length_m"]]
    member = pd.DataFrame({"link_id": links["link_id"], "zone_id": "A", "share": 1.0})
    points = zone_diagram(state, member, links, step_s=STEP_S, city=False)
    assert points["production_veh_km_per_h"].sum() * STEP_S / 3.6 == pytest.approx(state["vehicle_distance_m"].sum())
    assert (points["speed_mps"].dropna() <= run.arrays.speed_mps.max() + 1e-9).all()
