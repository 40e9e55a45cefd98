"""Link books from the entry log: by hand, against a slow twin, and conserved."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import LINK_STATE, validate
from simulation.errors import RunError
from simulation.link_state import SPEED_KNOTS_KMH
from simulation.traffic.entry_log import END
from simulation.traffic.outputs.link_books import link_intervals, link_state

START = pd.Timestamp("2026-01-26", tz="UTC")


def test_one_vehicle_over_an_interval_border_counts_half_of_its_way_in_each(make_log):
    """Link of 100 m from 50 s to 70 s, intervals of 60 s: 50 m and 10 s in each; it enters in the first, leaves in the
    second. Free flow takes 5 s, so it is queued at 60 s."""
    log = make_log((0, 0, 50.0), (0, END, 70.0))
    a, b = link_intervals(log, length_m=np.array([100.0]), free_time_s=np.array([5.0]), step_s=60.0)
    for interval, come, go, queue in ((a, 1, 0, 1), (b, 0, 1, 0)):
        assert interval.vehicle_distance_m[0, 0] == 50.0 and interval.vehicle_time_s[0, 0] == 10.0
        assert (interval.inflow_veh[0, 0], interval.outflow_veh[0, 0], interval.queue_veh[0, 0]) == (come, go, queue)
    # 100 m in 20 s are 18 km/h: x at 15 and 100 - x at 20 km/h take 20 s in all, 0.24 x + 0.18 (100 - x) = 20
    assert b.speed_distance_m[0, 0, [3, 4]] == pytest.approx([100 / 3, 200 / 3])
    assert b.speed_distance_m.sum() == pytest.approx(100.0) and a.speed_distance_m.sum() == 0


def test_the_speed_histogram_keeps_metres_and_seconds(make_log):
    """100 m at each of 400 speeds from 0.5 to 135 km/h: the knots around it hold 100 m, and take 360 / speed s."""
    speed = np.concatenate([np.linspace(0.5, 135.0, 398), [5.0, 27.5]])
    log = make_log(*((k, 0, 0.0) for k in range(400)), *((k, END, 360.0 / speed[k]) for k in np.argsort(-speed)))
    for at, own in enumerate(np.array(speed)):
        one = make_log((0, 0, 0.0), (0, END, 360.0 / own))
        (books,) = link_intervals(one, length_m=np.array([100.0]), free_time_s=np.ones(1), step_s=1e4)
        histogram = books.speed_distance_m[0, 0]
        assert (histogram >= 0).all() and histogram.sum() == pytest.approx(100.0)
        assert (3.6 * histogram / SPEED_KNOTS_KMH).sum() == pytest.approx(360.0 / own), at
        assert np.flatnonzero(histogram > 1e-6).size <= 2
    (books,) = link_intervals(log, length_m=np.array([100.0]), free_time_s=np.ones(1), step_s=1e4)
    assert (3.6 * books.speed_distance_m / SPEED_KNOTS_KMH).sum() == pytest.approx((360.0 / speed).sum())


@pytest.mark.parametrize(("spent_s", "knot"), [(3600.0, 0), (1.0, -1)])
def test_speeds_outside_the_histogram_count_at_its_ends(make_log, spent_s, knot):
    """0.1 km/h at 0.5, and 360 km/h at 135."""
    (books,) = link_intervals(
        make_log((0, 0, 0.0), (0, END, spent_s)), length_m=np.array([100.0]), free_time_s=np.ones(1), step_s=1e4
    )
    assert books.speed_distance_m[0, 0, knot] == pytest.approx(100.0) == books.speed_distance_m.sum()


def test_what_happens_at_the_end_of_an_interval_belongs_to_the_next(make_log):
    """Entry at 60 s and exit at 120 s: all of its 60 s lie in the second interval, its exit in the third."""
    log = make_log((0, 0, 60.0), (0, END, 120.0))
    books = list(link_intervals(log, length_m=np.ones(1), free_time_s=np.ones(1), step_s=60.0))
    assert [b.vehicle_time_s.sum() for b in books] == [0.0, 60.0, 0.0]
    assert [b.inflow_veh.sum() for b in books] == [0, 1, 0] and [b.outflow_veh.sum() for b in books] == [0, 0, 1]
    assert [b.queue_veh.sum() for b in books] == [0, 1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_books_equal_those_of_a_slow_twin(make_random_log, seed):
    """Each stay cut by each interval, in plain loops; classes by trip."""
    log = make_random_log(seed)
    rng = np.random.default_rng(seed + 100)
    klass = rng.integers(0, 4, log.n_trips)
    length, free, step = rng.uniform(20, 200, 7), rng.uniform(2, 40, 7), 37.0
    books = list(link_intervals(log, length_m=length, free_time_s=free, step_s=step, vehicle_class=klass))
    names = ("vehicle_distance_m", "vehicle_time_s", "inflow_veh", "outflow_veh", "queue_veh")
    twin = {name: np.zeros((len(books), 7, 4)) for name in names}
    for row in range(len(log)):
        link, trip, come = log.link[row], log.trip[row], log.time_s[row]
        if link < 0:
            continue
        later = np.flatnonzero(log.trip[row + 1 :] == trip)
        gone = log.time_s[row + 1 + later[0]] if later.size else np.inf
        for k in range(len(books)):
            a, b = k * step, (k + 1) * step
            at = (k, link, klass[trip])
            twin["inflow_veh"][at] += a <= come < b
            twin["outflow_veh"][at] += a <= gone < b
            twin["vehicle_distance_m"][at] += length[link] / 2 * (int(a <= come < b) + int(a <= gone < b))
            twin["vehicle_time_s"][at] += max(min(gone, b) - max(come, a), 0.0)
            twin["queue_veh"][at] += come + free[link] < b <= gone
    for name in names:
        np.testing.assert_allclose(np.stack([getattr(b, name) for b in books]), twin[name], rtol=1e-12, atol=1e-9)


def test_entries_less_exits_are_on_the_link(make_random_log):
    """Conservation on every link at every interval's end, against the log's own stays."""
    log = make_random_log(9)
    books = list(link_intervals(log, length_m=np.ones(7), free_time_s=np.ones(7), step_s=50.0))
    held = np.cumsum([b.inflow_veh.sum(axis=1) - b.outflow_veh.sum(axis=1) for b in books], axis=0)
    exits = np.where(np.isnan(log.exits), np.inf, log.exits)
    for k in range(len(books)):
        at = (k + 1) * 50.0
        on = (log.link >= 0) & (log.time_s < at) & (exits >= at)
        np.testing.assert_array_equal(held[k], np.bincount(log.link[on], minlength=7))


def test_a_part_of_the_run_has_the_books_of_the_whole(make_random_log):
    """Intervals from 100 s to 200 s: as if the run had been booked from the start."""
    log = make_random_log(3)
    links = {"length_m": np.full(7, 80.0), "free_time_s": np.full(7, 8.0), "step_s": 50.0}
    whole = list(link_intervals(log, **links))
    part = list(link_intervals(log, **links, start_s=100.0, end_s=200.0))
    assert [p.start_s for p in part] == [100.0, 150.0]
    for p, w in zip(part, whole[2:]):
        np.testing.assert_array_equal(p.vehicle_time_s, w.vehicle_time_s)
        np.testing.assert_array_equal(p.queue_veh, w.queue_veh)
        np.testing.assert_array_equal(p.speed_distance_m, w.speed_distance_m)


def test_the_table_is_a_link_state(make_random_log):
    """It passes the schema; its totals are the log's: 0.5 length an entry and an exit, exit - entry a traversal."""
    log = make_random_log(4)
    table = link_state(log, length_m=np.full(7, 80.0), free_time_s=np.full(7, 8.0), step_s=900.0, start=START)
    table = validate(table, LINK_STATE)
    assert table["inflow_veh"].sum() == (log.link >= 0).sum()
    left = np.isfinite(log.link_times()).sum()
    assert table["vehicle_distance_m"].sum() == pytest.approx(40.0 * ((log.link >= 0).sum() + left))
    end = START + pd.Timedelta(seconds=900) * (int(log.end_s // 900) + 1)
    still = (log.link >= 0) & np.isnan(log.exits)
    spent = np.nansum(log.link_times()) + ((end - START).total_seconds() - log.time_s[still]).sum()
    assert table["vehicle_time_s"].sum() == pytest.approx(spent)


def test_impossible_books_are_refused(make_random_log):
    """All faults in one text."""
    log = make_random_log(1)
    with pytest.raises(RunError) as error:
        list(link_intervals(log, length_m=np.ones(7), free_time_s=np.ones(6), step_s=0.0, vehicle_class=np.full(3, 9)))
    for words in ("step_s=0", r"(6,)", "names 3 trips", "classes run from 0 to 3"):
        assert words in str(error.value)
    with pytest.raises(RunError, match="links 0 to 1"):
        list(link_intervals(log, length_m=np.ones(2), free_time_s=np.ones(2), step_s=9.0))
