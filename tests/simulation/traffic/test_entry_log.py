"""The entry log: exits, arrivals and paths follow from entries; tables go out and come back; damage is named."""

import itertools

import numpy as np
import pytest

from data.store.runs import RunStore
from simulation.errors import RunError
from simulation.traffic.entry_log import END, LOST, EntryLog

#: Trip 0 drives links 5, 3 and arrives; trip 1 drives 3, 4 and is still there; trip 3 finds no way on; 2 never entered.
ROWS = [(0, 5, 0.0), (1, 3, 2.0), (0, 3, 10.0), (3, 5, 11.0), (1, 4, 14.0), (0, END, 22.5), (3, LOST, 30.0)]


@pytest.fixture
def log():
    trip, link, time = zip(*ROWS)
    return EntryLog(np.array(trip), np.array(link), np.array(time))


def test_a_vehicle_leaves_at_the_instant_of_its_trips_next_row(log):
    """Row 0 ends with row 2 at 10 s, row 2 with row 5 at 22.5 s; trip 1 is on link 4; ends have no exit."""
    np.testing.assert_array_equal(log.exits, [10.0, 14.0, 22.5, 30.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(log.following(), [2, 4, 5, 6, -1, -1, -1])
    np.testing.assert_array_equal(log.link_times(), [10.0, 12.0, 12.5, 19.0, np.nan, np.nan, np.nan])


def test_arrivals_are_those_that_ended_and_were_not_lost(log):
    """Trip 0 arrives at 22.5 s, 22.5 s after it entered and 25 s after it wanted to depart; the others have not."""
    np.testing.assert_array_equal(log.arrivals(), [22.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(log.starts(5), [0.0, 2.0, np.nan, 11.0, np.nan])
    np.testing.assert_array_equal(log.travel_times(), [22.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(log.travel_times(np.array([-2.5, 0.0, 1.0, 2.0]))[0], 25.0)


def test_paths_are_the_links_of_each_trip_in_order(log):
    """5-3, 3-4, none, 5."""
    paths = log.paths()
    assert [paths[k].tolist() for k in range(len(paths))] == [[5, 3], [3, 4], [], [5]]
    rows, start = log.by_trip()
    assert [rows[a:b].tolist() for a, b in itertools.pairwise(start)] == [[0, 2, 5], [1, 4], [], [3, 6]]


def test_a_log_is_kept_with_a_run_and_comes_back(log, tmp_path):
    """The table has three columns; the log read back has the same rows."""
    store = RunStore(tmp_path)
    with store.write("simulation", {"x": 1}) as run:
        run.table("entry_log", log.to_table())
    name = store.list()[0]["id"]
    table = store.read(name, "entry_log")
    assert list(table) == ["trip", "link_id", "time_s"]
    back = EntryLog.from_table(table, n_links=6)
    for column in ("trip", "link", "time_s"):
        np.testing.assert_array_equal(getattr(back, column), getattr(log, column))
        assert getattr(back, column).dtype == getattr(log, column).dtype


def test_a_part_of_a_log_shares_its_memory(log):
    """Rows at 10 <= t < 14."""
    part = log.between(10.0, 14.0)
    assert part.time_s.tolist() == [10.0, 11.0] and np.shares_memory(part.time_s, log.time_s)


def test_an_empty_log_has_no_trips():
    """Nothing went, nothing arrived."""
    none = EntryLog(np.zeros(0), np.zeros(0), np.zeros(0))
    assert none.n_trips == 0 and none.exits.size == 0 and len(none.paths()) == 0 and np.isnan(none.end_s)
    none.check(n_links=0)
    assert np.isnan(none.arrivals(2)).all()


def test_all_damage_is_named_at_once(log):
    """Row 3 goes back in time, row 4 names link 9 of 6, row 6 follows the end of trip 0."""
    table = log.to_table()
    table.loc[3, "time_s"], table.loc[4, "link_id"], table.loc[6, "trip"] = 5.0, 9, 0
    with pytest.raises(RunError) as error:
        EntryLog.from_table(table, n_links=6)
    for words in ("row 3: time_s", "row 4: link_id is outside -2..5", "row 6: a row of a trip that had ended"):
        assert words in str(error.value)


def test_negative_trips_missing_columns_and_gaps_are_refused(log):
    """Each is one clear error."""
    with pytest.raises(RunError, match="row 0: trip is below 0"):
        EntryLog.from_table(log.to_table().assign(trip=-1))
    with pytest.raises(RunError, match=r"\['time_s'\] missing"):
        EntryLog.from_table(log.to_table().drop(columns="time_s"))
    with pytest.raises(RunError, match=r"missing values in \['time_s'\]"):
        EntryLog.from_table(log.to_table().assign(time_s=np.nan))
    with pytest.raises(RunError, match="one length"):
        EntryLog(np.zeros(2), np.zeros(3), np.zeros(2))
    with pytest.raises(RunError, match="the log holds trip 3"):
        log.arrivals(2)
