"""When trips start."""

import numpy as np
import pytest

from simulation.demand.departures import BINS, DAY_TYPES, KINDS, occupancy, profile


@pytest.mark.parametrize("day_type", DAY_TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_shares_of_a_day_sum_to_one(kind, day_type):
    share = profile(kind, day_type)
    assert share.shape == (BINS,) and (share > 0).all() and share.sum() == pytest.approx(1.0, abs=1e-12)


def test_the_morning_enters_and_the_evening_leaves():
    """08:00 is quarter hour 32, 16:30 is 66."""
    inward, outward, through = (profile(kind, "weekday") for kind in ("inbound", "outbound", "through"))
    assert inward[32] > through[32] > outward[32] and inward[66] < through[66] < outward[66]


def test_a_weekend_has_no_commuters():
    shares = [profile(kind, "weekend") for kind in KINDS]
    assert all(np.array_equal(share, shares[0]) for share in shares)
    assert not np.allclose(profile("internal", "weekday"), shares[0])


def test_nights_are_quiet():
    assert profile("internal", "weekday")[8:16].sum() < 0.02  # 02:00-04:00


def test_cars_carry_between_one_and_two_persons():
    assert 1.0 < occupancy() < 2.0
