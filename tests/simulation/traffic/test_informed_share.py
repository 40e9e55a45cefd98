"""Informed drivers choose again on their way; the others keep the path that was best when they set out."""

import numpy as np
import pytest

from simulation.errors import RunError
from simulation.traffic.dynamic_equilibrium import driven_paths
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.network import LinkArrays

#: 0: a long way to the fork; 1 (10 s, but 0.1 veh/s at its end) or 2 (30 s) to the end, 3.
ENDS = [(0, 1), (1, 2), (1, 2), (2, 3)]


def fork():
    full = lambda *values: np.array(values, dtype=float)  # noqa: E731
    zero = np.zeros(4)
    arrays = LinkArrays(
        length_m=full(1500, 100, 300, 10), lanes=full(1, 1, 1, 1), speed_mps=full(10, 10, 10, 10),
        capacity_veh_per_s=full(5, 5, 5, 5), discharge_veh_per_s=full(5, 0.1, 5, 5),
        jam_density_veh_per_m=full(9, 9, 9, 9), cycle_s=zero, green_start_s=zero, green_s=zero,
    )  # fmt: skip
    return Network.from_arrays(arrays, np.array([a for a, _ in ENDS]), np.array([b for _, b in ENDS]))


def drivers():
    """80 trips that set out on the long way, and 80 that fill link 1 before those reach the fork."""
    depart = np.repeat(np.arange(80.0), 2)
    return NodeTrips(depart_s=depart, orig=np.tile([0, 1], 80), dest=np.full(160, 3))


def long_ways(**options):
    trips = drivers()
    run = simulate(fork(), trips, reroute_every_s=100.0, **options)
    paths = driven_paths(run.log, len(trips))
    return np.array([paths[k][1] for k in range(0, 160, 2)])


def test_informed_drivers_leave_the_way_that_has_filled_and_the_others_do_not():
    """All set out by link 1 (10 s); at 100 s it is known to take more than 30 s, and the fork is reached at 150 s."""
    assert (long_ways(informed_share=1.0) == 2).all()
    assert (long_ways(informed_share=0.0) == 1).all()


def test_the_share_is_kept_and_the_same_drivers_are_informed_at_a_higher_share():
    """80 drivers at 0.5: 40 with a standard deviation of 4.5."""
    half, most = long_ways(informed_share=0.5) == 2, long_ways(informed_share=0.8) == 2
    assert 24 <= half.sum() <= 56 and half.sum() < most.sum() and not (half & ~most).any()


def test_where_nothing_is_renewed_information_makes_no_difference():
    trips = drivers()
    one, other = (simulate(fork(), trips, reroute_every_s=None, informed_share=share) for share in (0.0, 1.0))
    assert np.array_equal(one.arrival_s, other.arrival_s)


def test_a_share_beyond_all_is_refused():
    with pytest.raises(RunError, match=r"informed_share=1.5 must be between 0 and 1"):
        simulate(fork(), drivers(), informed_share=1.5)
