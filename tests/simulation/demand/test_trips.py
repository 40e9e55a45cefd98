"""One day of vehicles: keyed luck, so that what two demands share is the same in both."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import VEHICLE_CLASSES
from simulation.demand.trips import sample_day

DAY = 739_000


def sample(demand, *, seed=1, day=DAY, weekend=False, closed=None):
    return sample_day(demand, seed=seed, day=day, weekend=weekend, closed=closed)


def rows(trips):
    """Each trip as one tuple."""
    return set(zip(*(getattr(trips, name).tolist() for name in trips.__slots__)))


def test_departures_are_in_order_and_within_the_day(town):
    trips = sample(town.demand)
    assert (np.diff(trips.depart_s) >= 0).all() and trips.depart_s[0] >= 0 and trips.depart_s[-1] < 86_400
    assert (trips.origin_link != trips.dest_link).all() and ((trips.taste > 0) & (trips.taste < 1)).all()


def test_the_same_seed_and_day_are_the_same_trips_and_others_are_not(town):
    one = sample(town.demand)
    again, seed, day = sample(town.demand), sample(town.demand, seed=2), sample(town.demand, day=DAY + 1)
    assert all(getattr(one, name).tobytes() == getattr(again, name).tobytes() for name in one.__slots__)
    assert len(rows(one) & rows(seed)) == 0 and len(rows(one) & rows(day)) == 0


@given(factor=st.floats(1.0, 1.6), zone=st.integers(0, 7), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_more_demand_holds_all_trips_of_less(town, factor, zone, seed):
    """Common random numbers: every base trip, the same in every respect, and some more."""
    base = town.demand.scaled(0.1)
    more = base.scaled(factor, origin_zones=[base.places[zone]])
    few, many = rows(sample(base, seed=seed)), rows(sample(more, seed=seed))
    assert few <= many
    assert {row[5] // 8 for row in many - few} <= {zone}


def test_numbers_are_those_of_the_demand(town):
    """Poisson of some 5,400 with day factors of mean 1: the mean of 40 days is within 4 %."""
    base = town.demand.scaled(0.1)
    counts = [len(sample(base, day=DAY + k)) for k in range(40)]
    assert np.mean(counts) == pytest.approx(base.od_veh.sum(), rel=0.04)


def test_a_weekend_day_has_four_fifths_of_the_trips(town):
    week = np.mean([len(sample(town.demand.scaled(0.2), day=DAY + k)) for k in range(10)])
    weekend = np.mean([len(sample(town.demand.scaled(0.2), day=DAY + k, weekend=True)) for k in range(10)])
    assert weekend / week == pytest.approx(0.8, abs=0.02)


def test_classes_have_their_shares(town):
    """Of n trips, each share p is met within 4 sqrt(p (1 - p) / n)."""
    trips = sample(town.demand)
    for k, share in enumerate(town.demand.class_share):
        assert (trips.vehicle_class == k).mean() == pytest.approx(
            share, abs=4 * np.sqrt(share * (1 - share) / len(trips))
        )
    assert set(trips.vehicle_class) == set(range(len(VEHICLE_CLASSES)))


def test_departures_follow_the_profile(town):
    """Without the places' own hours: each hour's share p of n trips is met within 4.5 sqrt(p / n)."""
    demand = replace(town.demand, place_hour_sd=0.0)
    days = [sample(demand, day=DAY + k) for k in range(5)]
    depart, pair = np.concatenate([t.depart_s for t in days]), np.concatenate([t.pair for t in days])
    kind = demand.kind.ravel()[pair]
    for k in range(4):
        n = (kind == k).sum()
        found = np.histogram(depart[kind == k], bins=24, range=(0, 86_400))[0] / n
        expected = demand.profiles[0, k].reshape(24, 4).sum(axis=1)
        assert (np.abs(found - expected) < 4.5 * np.sqrt(expected / n)).all()


def test_trips_leave_closed_links_alone(town):
    """A class that may not use a place's links starts and ends on the others; other classes do not change."""
    closed = np.zeros((4, 80), bool)
    shut = town.demand.origins.link[:6]
    closed[2, shut] = True
    base, other = sample(town.demand), sample(town.demand, closed=closed)
    heavy = other.vehicle_class == 2
    gates = set(town.gateways["in_link_id"]) | set(town.gateways["out_link_id"])
    assert not set(other.origin_link[heavy]) & (set(shut) - gates)
    assert not set(other.dest_link[heavy]) & (set(shut) - gates)
    rest = {row for row in rows(base) if row[4] != 2}
    assert rest == {row for row in rows(other) if row[4] != 2}
    assert set(base.origin_link[base.vehicle_class == 2]) & set(shut)


def test_no_demand_is_no_trips(town):
    assert len(sample(town.demand.scaled(0.0))) == 0
