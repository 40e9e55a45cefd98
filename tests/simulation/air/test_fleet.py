"""The fleet: shares, bans and what is left."""

from dataclasses import replace

import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import FleetError
from simulation.air.fleet import Ban, Fleet, default_fleet


def test_shares_of_every_class_sum_to_one():
    for name in VEHICLE_CLASSES:
        assert sum(e.share for e in default_fleet().entries if e.vehicle_class == name) == pytest.approx(1.0)


def test_a_ban_leaves_the_others_in_proportion():
    """Without diesels up to Euro 5 (11 % of car-km), petrol Euro 6 grows from 0.44 to 0.44 / 0.89."""
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5)])
    share = {(e.fuel, e.euro): e.share for e in clean.entries if e.vehicle_class == "car"}
    assert ("diesel", 5) not in share
    assert share["petrol", 6] == pytest.approx(0.44 / 0.89)


def test_a_ban_for_one_class_leaves_the_rest_as_it_is():
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5, vehicle_classes=("heavy",))])
    cars = [e for e in default_fleet().entries if e.vehicle_class == "car"]
    assert [e for e in clean.entries if e.vehicle_class == "car"] == cars


def test_no_ban_is_the_same_fleet():
    assert default_fleet().without([]) == default_fleet()


def test_a_ban_that_leaves_no_vehicle_says_what_to_do():
    ban = [Ban(fuel=fuel, euro_max=9) for fuel in ("diesel", "electric")]
    with pytest.raises(FleetError, match=r"leave no vehicle of class 'van'.*close the streets"):
        default_fleet().without(ban)


def test_the_table_gives_the_same_fleet_back():
    assert Fleet.from_table(default_fleet().to_table()) == default_fleet()


def test_shares_that_do_not_sum_to_one_are_refused():
    entries = default_fleet().entries
    with pytest.raises(FleetError, match="class 'car'"):
        Fleet((replace(entries[0], share=0.9), *entries[1:]))
