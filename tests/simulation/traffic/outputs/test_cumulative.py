"""Cumulative counts: three vehicles by hand, and the kinematic-wave count between the ends of a link."""

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.entry_log import END
from simulation.traffic.outputs.cumulative import cumulative_counts, link_curves


@pytest.fixture
def three(make_log):
    """Entries at 0, 2, 4 s; exits at 10, 14, 18 s."""
    return make_log((0, 0, 0.0), (1, 0, 2.0), (2, 0, 4.0), (0, END, 10.0), (1, END, 14.0), (2, END, 18.0))


def test_queue_and_delay_follow_from_the_two_curves(three):
    """Free flow takes 10 s: virtual arrivals at 10, 12, 14 s, so delays of 0, 2 and 4 s. At 13 s three have entered,
    one has left, one of the two left on the link is past its free-flow time."""
    (curves,) = link_curves(three, [0], n_links=1)
    assert curves.entered(13.0) == 3 and curves.left(13.0) == 1 and curves.on_link(13.0) == 2
    assert curves.queue(13.0, free_time_s=10.0) == 1
    assert curves.delay_s(free_time_s=10.0) == pytest.approx(6.0)
    assert curves.delay_s(free_time_s=10.0, until_s=13.0) == pytest.approx(1.0)  # the second, from 12 to 13 s


def test_the_area_between_the_curves_is_the_delay(make_random_log):
    """The integral of the queue over time, summed exactly over the steps of the curves, equals `delay_s`."""
    log = make_random_log(2)
    for curves in link_curves(log, range(7), n_links=7):
        end, free = log.end_s, 20.0
        corners = np.unique(np.concatenate([[0.0, end], curves.entry_s + free, curves.exit_s]))
        corners = corners[corners <= end]
        middle = (corners[1:] + corners[:-1]) / 2
        # overtaking vehicles may leave before their free-flow time in a random log: compare with the same clipping
        area = (np.diff(corners) * curves.queue(middle, free_time_s=free)).sum()
        assert curves.delay_s(free_time_s=free, until_s=end) == pytest.approx(area)


def test_a_table_counts_links_at_instants(three):
    """An event at the instant itself has not happened yet."""
    table = cumulative_counts(three, [0], np.array([0.0, 2.0, 10.0, 15.0]), free_time_s=np.array([10.0]))
    assert table["entered_veh"].tolist() == [0, 1, 3, 3] and table["left_veh"].tolist() == [0, 0, 0, 2]
    assert table["on_link_veh"].tolist() == [0, 1, 3, 1] and table["queue_veh"].tolist() == [0, 0, 0, 1]


def test_counts_within_a_link_obey_the_lesser_of_both_ends(make_log):
    """40 vehicles enter a 200 m link (10 m/s) at 1 veh/s and none leaves: by 30 s, 25 may have passed 50 m by the
    entries alone, but 150 m x 0.2 veh/m = 30 fit beyond it: 25 passed. By 39 s 30 have, not 34."""
    log = make_log(*[(k, 0, float(k)) for k in range(40)])
    (curves,) = link_curves(log, [0], n_links=1)
    link = {"length_m": 200.0, "speed_mps": 10.0, "wave_mps": 5.0, "jam_density_veh_per_m": 0.2}
    np.testing.assert_array_equal(curves.count_at(50.0, np.array([30.0, 39.0]), **link), [25.0, 30.0])
    assert curves.count_at(0.0, 39.5, **link) == 40.0
    with pytest.raises(RunError, match="0 to 200 m"):
        curves.count_at(201.0, 1.0, **link)


def test_unknown_links_are_refused(three):
    """Link 3 of a network of one."""
    with pytest.raises(RunError, match=r"no links \[3\]"):
        link_curves(three, [0, 3], n_links=1)
