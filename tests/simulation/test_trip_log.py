"""A city's entry log on request: it tells of every trip, gives the run's own books, and changes nothing."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.outputs.link_books import link_state
from simulation.traffic.outputs.stays import free_flow_times

KEY = ["link_id", "time", "vehicle_class"]
HALF = {"days": 0.5, "seed": 4, "incidents_per_day": 0.0, "keep_link_state": True, "keep_entry_log": True}


@pytest.fixture(scope="module")
def morning(town):
    """Half a day from midnight, seed 4."""
    return town.run(**HALF)


@pytest.fixture(scope="module")
def noon(town):
    """A morning that ends in the midday traffic, and the two hours after it, resumed."""
    first = town.run(**{**HALF, "days": 8.25 / 24})
    return first, town.run(**{**HALF, "days": 2 / 24}, initial_state=first.final_state)


def books(town, run, begun_s, length_s):
    """`link_state` from the log of a run."""
    arrays = town.link_arrays()
    klass = run.released["vehicle_class"].cat.codes.to_numpy(np.int64)
    start = pd.Timestamp(run.summary["start"]).tz_convert("UTC") - pd.Timedelta(seconds=begun_s)
    return link_state(
        run.entry_log, length_m=arrays.length_m, free_time_s=free_flow_times(arrays), step_s=900.0, start=start,
        start_s=begun_s, end_s=begun_s + length_s, vehicle_class=klass,
    )  # fmt: skip


def assert_same_books(ours, own):
    both = ours.merge(own, on=KEY, how="outer", suffixes=("", "_own")).fillna(dict.fromkeys(ours.columns[3:], 0.0))
    for name in ours.columns[3:]:
        atol = 1e-4 if name in ("vehicle_time_s", "vehicle_distance_m") else 0.0
        np.testing.assert_allclose(both[name], both[f"{name}_own"].fillna(0.0), rtol=0, atol=atol, err_msg=name)


def test_the_log_gives_the_runs_own_link_state(town, morning):
    """Every link, interval and class of half a day: counts exactly, metres and seconds to rounding of a day's clock."""
    assert morning.link_state["queue_veh"].sum() > 0
    assert_same_books(books(town, morning, 0.0, 43_200.0), morning.link_state)


def test_a_resumed_run_knows_who_was_on_the_road(town, noon):
    """Vehicles that the first run left on links are in the second run's log, since their true entry: its books agree
    from the first interval on."""
    first, second = noon
    begun = 8.25 * 3600.0
    assert first.summary["on_road"] > 0
    early = second.entry_log.time_s < begun
    assert early.sum() == first.summary["on_road"]
    assert (second.released["origin_link_id"] == -1).sum() == first.summary["on_road"] + first.summary["waiting"]
    assert_same_books(books(town, second, begun, 7200.0), second.link_state)


def test_every_trip_is_told_of(morning):
    """As many as departed, in order; who arrived in the log arrived in the run; first links are the origins."""
    trips, log = morning.released, morning.entry_log
    assert len(trips) == morning.summary["departed"] and trips["depart_s"].is_monotonic_increasing
    assert list(trips["vehicle_class"].cat.categories) == list(VEHICLE_CLASSES)
    arrivals = log.arrivals(len(trips))
    assert np.isfinite(arrivals).sum() == morning.summary["arrived"]
    paths = log.paths(len(trips))
    begun = np.diff(paths.start) > 0
    first = paths.links[paths.start[:-1][begun]]
    np.testing.assert_array_equal(first, trips["origin_link_id"].to_numpy()[begun])
    done = np.isfinite(arrivals)
    np.testing.assert_array_equal(paths.links[paths.start[1:][done] - 1], trips["dest_link_id"].to_numpy()[done])
    mean = log.travel_times(trips["depart_s"].to_numpy())[done].mean()
    told = morning.trips
    assert mean == pytest.approx((told["mean_time_s"] * told["arrived"]).sum() / told["arrived"].sum())
    EntryLog.from_table(log.to_table(), n_links=80)


def test_logging_changes_nothing_and_is_off_by_default(town, morning):
    """The same run without: the same books, bit for bit, and no log."""
    plain = town.run(**{**HALF, "keep_entry_log": False})
    assert plain.entry_log is None and plain.released is None
    pd.testing.assert_frame_equal(plain.link_state, morning.link_state)
    assert plain.summary == morning.summary
