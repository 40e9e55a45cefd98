"""The fleet: shares, tables, bans, electrification, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import FleetError
from simulation.air.fleet import Ban, Fleet, FleetEntry, default_fleet


def shares_of(fleet, vehicle_class):
    return {(e.fuel, e.euro, e.exhaust_id): e.share for e in fleet.of_class(vehicle_class)}


def test_shares_of_every_class_sum_to_one():
    for name in VEHICLE_CLASSES:
        assert sum(e.share for e in default_fleet().entries if e.vehicle_class == name) == pytest.approx(1.0)


def test_the_default_fleet_has_the_fuels_of_the_eu_stock_of_2024():
    """Cars: 38.4 % diesel, 2.3 % battery, the rest petrol; 0.160 + 0.130 + 0.303 = 0.593."""
    cars = default_fleet().of_class("car")
    by_fuel = {fuel: sum(e.share for e in cars if e.fuel == fuel) for fuel in ("petrol", "diesel", "electric")}
    assert by_fuel == pytest.approx({"petrol": 0.593, "diesel": 0.384, "electric": 0.023})
    assert {e.fuel for e in default_fleet().of_class("heavy")} == {"diesel", "electric"}


def test_a_ban_leaves_the_others_in_proportion():
    """Without diesels up to Euro 5 (0.104 + 0.084 of car-km), petrol Euro 6 grows from 0.303 to 0.303 / 0.812."""
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5)])
    share = {(e.fuel, e.euro): e.share for e in clean.of_class("car")}
    assert not {("diesel", 4), ("diesel", 5)} & set(share)
    assert share["petrol", 6] == pytest.approx(0.303 / 0.812)
    assert default_fleet().banned_share([Ban(fuel="diesel", euro_max=5)])["car"] == pytest.approx(0.188)


def test_a_ban_for_one_class_leaves_the_rest_as_it_is():
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5, vehicle_classes=("heavy",))])
    assert clean.of_class("car") == default_fleet().of_class("car")


def test_no_ban_is_the_same_fleet():
    assert default_fleet().without([]) == default_fleet()


def test_a_ban_that_leaves_no_vehicle_says_what_to_do():
    ban = [Ban(fuel=fuel, euro_max=9) for fuel in ("diesel", "electric")]
    with pytest.raises(FleetError, match=r"leave no vehicle of class 'van'.*close the streets"):
        default_fleet().without(ban)


def test_more_battery_cars_leave_the_engines_in_proportion():
    """From 2.3 % to 50 %: every engine keeps 0.5 / 0.977 of its share, other classes all of theirs."""
    base, half = default_fleet(), default_fleet().with_electric_share("car", 0.5)
    before, after = shares_of(base, "car"), shares_of(half, "car")
    assert after["electric", 9, ""] == pytest.approx(0.5)
    for key in set(before) - {("electric", 9, "")}:
        assert after[key] == pytest.approx(before[key] * 0.5 / 0.977)
    assert half.of_class("bus") == base.of_class("bus")


def test_a_class_without_batteries_gets_the_usual_one():
    """Vans without batteries at first: the added one wears as a van with the assumed factors and draws as LCV_BEV."""
    none = default_fleet().with_electric_share("van", 0.0)
    assert not [e for e in none.of_class("van") if e.fuel == "electric"]
    (added,) = [e for e in none.with_electric_share("van", 0.3).of_class("van") if e.fuel == "electric"]
    assert (added.share, added.wear_id, added.battery_id) == (0.3, "LCV", "LCV_BEV")
    assert (added.tyre_factor, added.brake_factor) == (1.15, 0.5)


def test_a_class_can_be_electric_altogether_but_not_come_back():
    """All 100 %: one entry is left; nothing could drive the other 40 % after that."""
    electric = default_fleet().with_electric_share("bus", 1.0)
    assert [e.fuel for e in electric.of_class("bus")] == ["electric"]
    with pytest.raises(FleetError, match=r"'bus' has no engine to drive the other 40%"):
        electric.with_electric_share("bus", 0.6)


def test_an_impossible_electrification_is_refused_with_all_faults():
    with pytest.raises(FleetError, match=r"class 'tram'; allowed.*share of 1.5; allowed: 0 to 1"):
        default_fleet().with_electric_share("tram", 1.5)
    with pytest.raises(FleetError, match="share of nan"):
        default_fleet().with_electric_share("car", np.nan)


def test_the_table_gives_the_same_fleet_back():
    assert Fleet.from_table(default_fleet().to_table()) == default_fleet()


def test_a_short_table_is_filled_up():
    """Only the five columns that must be there, and exhaust; a battery car of a table needs neither factors nor id."""
    table = default_fleet().to_table()[["vehicle_class", "fuel", "euro", "share", "wear_id", "exhaust_id"]]
    fleet = Fleet.from_table(table)
    assert {e.tyre_factor for e in fleet.entries} == {1.0}
    assert {e.battery_id for e in fleet.entries} == {"", "PC_BEV", "LCV_BEV", "BUS_BEV"}


def test_missing_columns_of_a_table_are_named():
    with pytest.raises(FleetError, match=r"lacks column\(s\) \['share', 'wear_id'\]"):
        Fleet.from_table(default_fleet().to_table().drop(columns=["share", "wear_id"]))


def test_values_of_a_table_that_are_no_numbers_are_named():
    table = default_fleet().to_table().astype({"euro": object, "share": object})
    table.loc[1, "euro"], table.loc[2, "share"] = "6d", "many"
    with pytest.raises(FleetError, match=r"2 fault\(s\).*'euro' must hold whole numbers; row 1.*'share'.*row 2"):
        Fleet.from_table(table)


def test_an_empty_table_is_no_fleet():
    with pytest.raises(FleetError, match=r"4 fault\(s\)"):
        Fleet.from_table(default_fleet().to_table().iloc[:0])


@pytest.mark.parametrize("share", [0.9, -0.1, np.nan])
def test_shares_that_do_not_sum_to_one_are_refused(share):
    entries = default_fleet().entries
    with pytest.raises(FleetError, match="class 'car'"):
        Fleet((replace(entries[0], share=share), *entries[1:]))


def test_every_fault_of_a_fleet_is_named_at_once():
    """Shares of two classes, and one entry each with a wrong class, fuel, exhaust, wear, battery and factor."""
    wrong = FleetEntry(
        vehicle_class="tram", fuel="steam", euro=12, share=1.0, wear_id="rails", electricity_id="PC_BEV",
        tyre_factor=-1.0, brake_factor=np.nan,
    )  # fmt: skip
    car = FleetEntry(vehicle_class="car", fuel="diesel", euro=6, share=1.0, exhaust_id="PC_diesel_E9", wear_id="PC")
    bus = FleetEntry(vehicle_class="bus", fuel="electric", euro=9, share=1.0, exhaust_id="BUS_E6", wear_id="LCV")
    with pytest.raises(FleetError) as error:
        Fleet((wrong, car, bus))
    for words in (
        "has 11 fault(s)", "class 'van' are []", "class 'heavy' are []", "vehicle class 'tram'", "fuel 'steam'",
        "Euro standard 12", "wear_id 'rails'", "electricity_id 'PC_BEV'", "tyre_factor -1.0", "brake_factor nan",
        "exhaust_id 'PC_diesel_E9'; allowed: ['BUS_E5'", "an electric vehicle has none",
    ):  # fmt: skip
        assert words in str(error.value)


def test_a_ban_names_what_it_does_not_know():
    with pytest.raises(FleetError, match=r"fuel 'coal'; allowed"):
        Ban(fuel="coal", euro_max=3)
    with pytest.raises(FleetError, match=r"\['tram'\]; allowed"):
        Ban(fuel="diesel", euro_max=3, vehicle_classes=("tram",))


def test_every_row_of_the_default_fleet_tells_its_source():
    from importlib.resources import files

    table = pd.read_csv(files("data").joinpath("defaults/fleet.csv").open(encoding="utf-8"))
    assert table["source"].str.len().min() > 5
