"""Trajectories: stops at the places that jam spacing allows, at the instants that the backward wave allows."""

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.entry_log import END
from simulation.traffic.outputs.trajectories import sample_trips, trajectories


def corners(table, trip):
    rows = table[table["trip"] == trip]
    return list(zip(rows["time_s"].round(6), rows["distance_m"].round(6)))


def test_a_free_vehicle_is_one_straight_line_a_link(make_log, make_arrays):
    """100 m at 10 m/s twice: corners at 0, 10 and 20 s, 200 m in all."""
    log = make_log((0, 0, 0.0), (0, 1, 10.0), (0, END, 20.0))
    table = trajectories(log, make_arrays(2), trips=np.array([0]))
    assert table[["link_id", "time_s", "distance_m", "route_m"]].to_numpy().tolist() == [
        [0, 0, 0, 0], [0, 10, 100, 100], [1, 10, 0, 100], [1, 20, 100, 200],
    ]  # fmt: skip


def test_vehicles_before_a_red_light_stop_a_spacing_apart_and_move_up_with_the_wave(make_log, make_arrays):
    """Spacing 5 m, wave 10/3 m/s: 1.5 s a vehicle. The first waits at 100 m from 10 s to 60 s. The second, 4 s behind,
    reaches 95 m at 13.5 s, moves on at 61.5 s and leaves at 62 s. The third reaches 90 m at 17 s, moves on at
    60 + 2 x 1.5 = 63 s, is at 95 m at 63.5 s = 62 + 1.5 s, and leaves at 64 s without another stop."""
    entries = [(0, 0, 0.0), (1, 0, 4.0), (2, 0, 8.0)]
    log = make_log(*entries, (0, END, 60.0), (1, END, 62.0), (2, END, 64.0))
    table = trajectories(log, make_arrays(1), trips=np.array([0, 1, 2]))
    assert corners(table, 0) == [(0, 0), (10, 100), (60, 100)]
    assert corners(table, 1) == [(4, 0), (13.5, 95), (61.5, 95), (62, 100)]
    assert corners(table, 2) == [(8, 0), (17, 90), (63, 90), (64, 100)]


def test_a_vehicle_still_there_is_followed_to_the_end_of_the_log(make_log, make_arrays):
    """The log ends at 12 s: the first stands at the stop line, the second, 4 s behind, has come 80 m."""
    log = make_log((0, 0, 0.0), (1, 0, 4.0), (2, 0, 12.0))
    table = trajectories(log, make_arrays(1), trips=np.array([0, 1, 2]))
    assert corners(table, 0) == [(0, 0), (10, 100), (12, 100)]
    assert corners(table, 1) == [(4, 0), (12, 80)]
    assert corners(table, 2) == [(12, 0)]


def test_no_vehicle_drives_through_the_one_ahead(make_log, make_arrays):
    """Sixty vehicles at random from a FIFO link that discharges one in 4 s: at every instant 5 m or more apart while
    both are on it, never above 10 m/s, and each traversal begins at 0 m and ends at 100 m."""
    rng = np.random.default_rng(1)
    entry, leave = [], []
    for _ in range(60):
        room = leave[-20] + 30.0 if len(leave) >= 20 else 0.0  # 20 vehicles fit; 100 m / (10/3 m/s) = 30 s
        entry.append(max((entry[-1] if entry else 0.0) + 2.0 + rng.exponential(1.0), room))
        leave.append(max(entry[-1] + 10.0, leave[-1] + 4.0 if leave else 0.0))
    rows = [(k, 0, t) for k, t in enumerate(entry)] + [(k, END, t) for k, t in enumerate(leave)]
    log = make_log(*sorted(rows, key=lambda row: row[2]))
    table = trajectories(log, make_arrays(1), trips=np.arange(60))
    # the queue fills the link: 20 vehicles of 4 s each, less the 30 s that the wave takes back over it
    assert (np.asarray(leave) - entry).max() == pytest.approx(50.0)
    lines = {k: rows.sort_values("time_s") for k, rows in table.groupby("trip")}
    for rows in lines.values():
        assert rows["distance_m"].iloc[0] == 0 and rows["distance_m"].iloc[-1] == pytest.approx(100.0)
        step = rows[["time_s", "distance_m"]].diff().iloc[1:]
        assert (step["time_s"] >= 0).all() and (step["distance_m"] >= -1e-9).all()
        assert (step["distance_m"] <= 10.0 * step["time_s"] + 1e-6).all()
    for k in range(1, 60):
        at = np.linspace(entry[k], leave[k - 1], 50) if leave[k - 1] > entry[k] else np.zeros(0)
        ahead, behind = (np.interp(at, lines[j]["time_s"], lines[j]["distance_m"]) for j in (k - 1, k))
        assert (ahead - behind >= 5.0 - 1e-6).all()


def test_a_sample_is_seeded_and_grows(make_log, make_arrays):
    """The same seed gives the same trips; more trips hold the fewer; another seed gives others."""
    few, many = sample_trips(1000, count=20, seed=5), sample_trips(1000, count=50, seed=5)
    assert few.size == 20 and np.isin(few, many).all() and not np.array_equal(few, sample_trips(1000, count=20, seed=6))
    assert sample_trips(3, count=10, seed=1).tolist() == [0, 1, 2] and sample_trips(0, count=1, seed=1).size == 0
    with pytest.raises(RunError, match="0 or more"):
        sample_trips(3, count=-1, seed=1)
    with pytest.raises(RunError, match="trips 0 to 0"):
        trajectories(make_log((0, 0, 0.0)), make_arrays(1), trips=np.array([4]))
