"""Queue maps and bottlenecks: counted by hand, and put down to the right capacity."""

from dataclasses import replace

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.entry_log import END
from simulation.traffic.network import no_junctions
from simulation.traffic.outputs.bottlenecks import worst_queues
from simulation.traffic.outputs.queues import gate_waits, link_delays, longest_queue, queue_map


def line(make_log, arrays, path, entries):
    """A log of vehicles that follow each other over links in a row, by the model's rules in a plain loop."""
    n = len(path)
    capacity, jam = arrays.capacity_veh_per_s, arrays.jam_density_veh_per_m
    wave = arrays.length_m * (jam - capacity / arrays.speed_mps) / capacity
    storage = np.ceil(jam * arrays.length_m).astype(int)
    come, gone = [[] for _ in range(n)], [[] for _ in range(n)]
    rows = []
    for trip, at in enumerate(entries):
        time = at
        for k, link in enumerate(path):
            come[k].append(time)
            rows.append((trip, link, time))
            time += arrays.length_m[link] / arrays.speed_mps[link]
            if gone[k]:
                time = max(time, gone[k][-1] + 1 / arrays.discharge_veh_per_s[link])
            cycle = arrays.cycle_s[link]
            if cycle > 0 and (time - arrays.green_start_s[link]) % cycle >= arrays.green_s[link]:
                time += cycle - (time - arrays.green_start_s[link]) % cycle
            if k + 1 < n:
                ahead = path[k + 1]
                if come[k + 1]:
                    time = max(time, come[k + 1][-1] + 1 / capacity[ahead])
                if len(come[k + 1]) >= storage[ahead]:
                    time = max(time, gone[k + 1][-storage[ahead]] + wave[ahead])
            gone[k].append(time)
        rows.append((trip, END, time))
    return make_log(*sorted(rows, key=lambda row: row[2]))


def test_a_map_counts_who_is_there_and_who_waits(make_log):
    """At 12 s: one on link 0 since 0 s (free 10 s: queued), one since 5 s (not yet), one on link 1 since 12 s (enters
    at the instant: not yet there)."""
    log = make_log((0, 0, 0.0), (1, 0, 5.0), (2, 1, 12.0), (0, END, 20.0))
    table = queue_map(log, np.array([0.0, 12.0, 20.0, 21.0]), free_time_s=np.array([10.0, 10.0]))
    assert table.to_numpy().tolist() == [
        [0, 12, 2, 1], [0, 20, 2, 2], [1, 20, 1, 0], [0, 21, 1, 1], [1, 21, 1, 0],
    ]  # fmt: skip
    with pytest.raises(RunError, match="rise"):
        queue_map(log, np.array([1.0, 1.0]), free_time_s=np.ones(2))


def test_delay_is_time_beyond_free_flow(make_log):
    """20 - 10 s, and 25 - 5 - 10 s of one that is still there at 25 s; until 15 s only 5 and 0."""
    log = make_log((0, 0, 0.0), (1, 0, 5.0), (0, END, 20.0), (2, 1, 25.0))
    free = np.array([10.0, 10.0])
    assert link_delays(log, free_time_s=free).tolist() == [20.0, 0.0]
    assert link_delays(log, free_time_s=free, until_s=15.0).tolist() == [5.0, 0.0]


def test_the_longest_queue_begins_when_it_was_last_empty_and_ends_when_it_dissolves():
    """Free flow 10 s. One waits 15-16 s; then three are due at 30, 31, 32 s and leave at 34, 35, 36 s: from 30 s to
    36 s, three at 32 s. The fourth, due at 40 s, drives through."""
    entry = np.array([5.0, 20.0, 21.0, 22.0, 30.0])
    period = longest_queue(entry, np.array([16.0, 34.0, 35.0, 36.0, 40.0]), 10.0)
    assert (period.begin_s, period.peak_s, period.end_s, period.queue_veh, period.arrived_veh) == (30, 32, 36, 3, 3)
    assert longest_queue(entry, entry + 10.0, 10.0) is None
    assert longest_queue(entry, np.full(5, np.inf), 10.0).end_s == np.inf


def test_a_narrow_street_end_is_blamed_for_its_queue_and_for_those_behind(make_log, make_arrays):
    """Links 0, 1, 2 of 100 m and 0.5 veh/s; link 1 discharges 0.2 veh/s and 0.4 veh/s come: its queue fills it and
    spills back onto link 0, whose vehicles wait for a full link. Both are put down to link 1: capacity 720 veh/h,
    demand while its queue grew above that."""
    arrays = make_arrays(3, discharge_veh_per_s=[0.5, 0.2, 0.5])
    log = line(make_log, arrays, [0, 1, 2], 2.5 * np.arange(150))
    table = worst_queues(log, arrays)
    assert table["link_id"].tolist() == [0, 1] or table["link_id"].tolist() == [1, 0]
    table = table.set_index("link_id")
    assert table.loc[1, "binding"] == "discharge" and table.loc[0, "binding"] == "downstream"
    assert (table["root_link_id"] == 1).all() and (table["root_binding"] == "discharge").all()
    assert table["capacity_veh_per_h"].to_numpy() == pytest.approx([720.0, 720.0])
    assert (table["demand_over_capacity"] > 1.0).all() and (table["demand_over_capacity"] <= 2.1).all()
    assert table.loc[1, "queue_veh"] <= 20
    delays = link_delays(log, free_time_s=np.full(3, 10.0))
    assert table.loc[0, "delay_veh_h"] == pytest.approx(delays[0] / 3600)


def test_an_oversaturated_signal_is_blamed_by_its_green(make_log, make_arrays):
    """Green 20 of 60 s at 0.5 veh/s passes 600 veh/h; 0.25 veh/s = 900 veh/h come: 1.5 times what passes."""
    arrays = make_arrays(2, length_m=1000.0, cycle_s=[60.0, 0.0], green_s=[20.0, 0.0])
    log = line(make_log, arrays, [0, 1], 4.0 * np.arange(100))
    (row,) = worst_queues(log, arrays).to_dict("records")
    assert row["link_id"] == 0 and row["binding"] in ("red", "discharge")
    assert row["share_red"] + row["share_discharge"] == pytest.approx(1.0)
    assert row["share_red"] > 0.4 and row["capacity_veh_per_h"] == pytest.approx(600.0)
    assert row["demand_over_capacity"] == pytest.approx(1.5, rel=0.05)


def test_a_merge_is_blamed_on_the_street_after_it(make_log, make_arrays):
    """Links 0 and 1 lead into link 2 in turn, one vehicle in 2 s together though each brings one in 3 s: the capacity
    of link 2, 1,800 veh/h, is exceeded by 2,400 veh/h."""
    arrays = make_arrays(3, length_m=[2000.0, 2000.0, 100.0])
    rows, k = [], 0
    for j in range(90):
        for link in (0, 1):
            come, leave = 3.0 * j, 200.0 + 2.0 * k
            rows += [(k, link, come), (k, 2, leave), (k, END, leave + 10.0)]
            k += 1
    table = worst_queues(make_log(*sorted(rows, key=lambda row: row[2])), arrays)
    assert sorted(table["link_id"]) == [0, 1] and (table["binding"] == "inflow").all()
    assert table["capacity_veh_per_h"].to_numpy() == pytest.approx([1800.0, 1800.0])
    assert table["demand_over_capacity"].to_numpy() == pytest.approx([4 / 3, 4 / 3], rel=0.03)


def test_a_junction_of_limited_capacity_is_blamed(make_log, make_arrays):
    """Links 0 and 1 end at a junction that one vehicle crosses in 4 s, on to links 2 and 3: 900 veh/h, while each link
    brings one in 5 s: 1,440 veh/h."""
    arrays = make_arrays(4, length_m=[2000.0, 2000.0, 100.0, 100.0])
    rules = replace(no_junctions(4), node=np.array([0, 0, -1, -1], np.int32), node_headway_s=np.array([4.0]))
    rows = []
    for k in range(160):
        come, leave = 5.0 * (k // 2), 200.0 + 4.0 * k
        rows += [(k, k % 2, come), (k, 2 + k % 2, leave), (k, END, leave + 10.0)]
    table = worst_queues(make_log(*sorted(rows, key=lambda row: row[2])), replace(arrays, junctions=rules))
    assert sorted(table["link_id"]) == [0, 1]
    assert (table["binding"] == "junction").all() and (table["root_binding"] == "junction").all()
    assert table["capacity_veh_per_h"].to_numpy() == pytest.approx([900.0, 900.0])
    assert table["demand_over_capacity"].to_numpy() == pytest.approx([1.6, 1.6], rel=0.03)


def test_a_stream_that_gives_way_has_the_capacity_of_the_gaps(make_log, make_arrays):
    """Link 0 gives way to link 1, which passes one vehicle in 10 s; critical gap 5 s, 2 s between those who follow:
    0.1 exp(-0.5) / (1 - exp(-0.2)) = 0.3346 veh/s (Harders). Link 0 brings one in 2.5 s, served one in 5 s."""
    arrays = make_arrays(3, length_m=[2000.0, 2000.0, 100.0])
    rules = replace(
        no_junctions(3), yield_start=np.array([0, 1, 1, 1]), yield_to=np.array([1], np.int32),
        critical_gap_s=np.array([5.0, 0.0, 0.0]),
    )  # fmt: skip
    rows = []
    for k in range(100):
        rows += [(k, 0, 2.5 * k), (k, 2, 203.0 + 5.0 * k), (k, END, 213.0 + 5.0 * k)]
    for k in range(70):
        rows += [(100 + k, 1, 10.0 * k), (100 + k, END, 200.0 + 10.0 * k)]
    table = worst_queues(make_log(*sorted(rows, key=lambda row: row[2])), replace(arrays, junctions=rules))
    (row,) = table.to_dict("records")
    assert row["link_id"] == 0 and row["binding"] == row["root_binding"] == "junction"
    assert row["capacity_veh_per_h"] == pytest.approx(3600 * 0.3346, rel=0.03)
    assert row["demand_veh_per_h"] == pytest.approx(1440.0, rel=0.03)


def test_vehicles_that_wait_at_gates_count_as_demand(make_log, make_arrays):
    """Thirty vehicles want to start at once on a link that takes one in 4 s (its discharge): on the link nobody is
    late, for the gate holds them back. With their departures the demand shows: 30 vehicles beyond capacity."""
    arrays = make_arrays(1, discharge_veh_per_s=0.25)
    rows = [(k, 0, 3.0 * k) for k in range(30)] + [(k, END, 10.0 + 4.0 * k) for k in range(30)]
    log = make_log(*sorted(rows, key=lambda row: row[2]))
    (hidden,) = worst_queues(log, arrays).to_dict("records")
    (shown,) = worst_queues(log, arrays, depart_s=np.zeros(30)).to_dict("records")
    assert hidden["demand_over_capacity"] == pytest.approx(4 / 3, rel=0.05)
    assert shown["excess_veh"] == pytest.approx(30.0) and shown["capacity_veh_per_h"] == 900.0
    with pytest.raises(RunError, match="2 trips, the log 30"):
        worst_queues(log, arrays, depart_s=np.zeros(2))


def test_free_flow_has_no_queues(make_log, make_arrays):
    """One vehicle in 4 s on links that pass one in 2 s."""
    arrays = make_arrays(2)
    table = worst_queues(line(make_log, arrays, [0, 1], 4.0 * np.arange(20)), arrays)
    assert table.empty and "demand_over_capacity" in table


def test_waits_at_the_gates_are_told_by_place(make_log):
    """At place 7, waits of 1 and 3 s; at place 9 one that never started, 10 s to the end of the log."""
    log = make_log((0, 0, 1.0), (1, 0, 5.0), (0, END, 12.0))
    table = gate_waits(log, np.array([0.0, 2.0, 2.0]), np.array([7, 7, 9]))
    assert table.to_numpy().tolist() == [[9, 1, 0, 10, 10], [7, 2, 2, 4, 3]]
