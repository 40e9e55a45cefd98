"""Demand of the toy town: totals, places, factors, and errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import OD, VEHICLE_CLASSES
from simulation.demand.generation import internal_share, trip_ends
from simulation.demand.spec import CLASS_SHARE
from simulation.errors import DemandError


def test_places_are_zones_then_gateways(town):
    demand = town.demand
    assert demand.places == (*town.zones["zone_id"], *town.gateways["gateway_id"])
    assert demand.n_zones == 4 and demand.od_veh.shape == (8, 8)
    assert (demand.kind[:4, :4] == 3).all() and (demand.kind[4:, 4:] == 2).all()
    assert (demand.kind[4:, :4] == 0).all() and (demand.kind[:4, 4:] == 1).all()


def test_gateways_carry_what_they_were_estimated_to_or_all_the_same_share(town):
    """A guessed demand may be scaled down as a whole; then every gateway has the same share of its estimate."""
    inward = town.demand.od_veh[4:].sum(axis=1) / town.gateways["in_veh_per_day"]
    outward = town.demand.od_veh[:, 4:].sum(axis=0) / town.gateways["out_veh_per_day"]
    assert inward.to_numpy() == pytest.approx(inward.iloc[0], rel=1e-6) and 0 < inward.iloc[0] <= 1 + 1e-9
    assert outward.to_numpy() == pytest.approx(inward.iloc[0], rel=1e-6)
    assert (np.diag(town.demand.od_veh)[4:] == 0).all()


def test_counts_at_a_gateway_are_the_trips_of_the_day(maker):
    """Counts small enough for the streets: they are met exactly."""
    counts = pd.DataFrame({"node_id": [2, 10, 14, 22], "in_veh_per_day": [900.0, 400.0, 300.0, 200.0],
                           "out_veh_per_day": [200.0, 300.0, 400.0, 900.0]})  # fmt: skip
    city = maker(gateway_counts=counts)
    gates = city.gateways.set_index("node_id")
    at = {node: city.demand.places.index(gates.loc[node, "gateway_id"]) for node in counts["node_id"]}
    for node, inward, outward in counts.itertuples(index=False):
        assert city.demand.od_veh[at[node]].sum() == pytest.approx(inward, rel=1e-6)
        assert city.demand.od_veh[:, at[node]].sum() == pytest.approx(outward, rel=1e-6)


def test_scaling_multiplies_the_chosen_pairs_alone(town):
    demand = town.demand
    zone, other = demand.places[0], demand.places[3]
    changed = demand.scaled(0.5, origin_zones=[zone], dest_zones=[other])
    expected = demand.od_veh.copy()
    expected[0, 3] *= 0.5
    assert np.array_equal(changed.od_veh, expected)
    assert np.array_equal(demand.scaled(2.0).od_veh, 2.0 * demand.od_veh)
    assert np.array_equal(demand.scaled(1.0, origin_zones=[zone]).od_veh, demand.od_veh)


@pytest.mark.parametrize("factor", [-0.1, np.nan, np.inf])
def test_impossible_factors_are_refused(town, factor):
    with pytest.raises(DemandError, match="at least 0"):
        town.demand.scaled(factor)


def test_unknown_zones_are_told_with_those_that_exist(town):
    with pytest.raises(DemandError, match=r"unknown places \['Z99'\]; there are \['Z01'"):
        town.demand.scaled(0.5, origin_zones=["Z99"])
    with pytest.raises(DemandError, match="unknown places"):
        town.demand.scaled(0.5, dest_zones=["Z01", "nowhere"])


def test_impossible_demand_is_refused(town):
    demand = town.demand
    for wrong in (-demand.od_veh, demand.od_veh[:3], np.full_like(demand.od_veh, np.nan)):
        with pytest.raises(DemandError, match="od_veh must be finite"):
            replace(demand, od_veh=wrong)
    with pytest.raises(DemandError, match="sum to 1"):
        replace(demand, class_share=(0.5, 0.2, 0.1, 0.1))


def test_the_exported_table_holds_every_trip_of_a_weekday(town):
    table = town.demand.table()
    assert set(OD.names) == set(table.columns) and not table.duplicated(list(OD.key)).any()
    assert table["trips_veh"].sum() == pytest.approx(town.demand.od_veh.sum())
    by_class = table.groupby("vehicle_class")["trips_veh"].sum() / table["trips_veh"].sum()
    assert by_class[list(VEHICLE_CLASSES)].tolist() == pytest.approx(CLASS_SHARE)


def test_starts_hold_every_trip_on_the_links_of_its_place(town):
    starts = town.demand.starts(len(town.links))
    assert starts.shape == (town.demand.dest_link.size, 80)
    assert starts.sum() == pytest.approx(town.demand.od_veh.sum())


def test_every_places_links_have_weights_that_end_at_one(town):
    for access in (town.demand.origins, town.demand.destinations):
        last = access.start[1:] - 1
        assert access.cumulative[last] == pytest.approx(1.0) and (np.diff(access.start) > 0).all()


def test_trip_ends_follow_homes_jobs_shops_and_streets():
    """100 homes, 50 jobs, 2 shops and 1,000 m: 100 + 30 + 16 + 50 = 196."""
    zones = pd.DataFrame(
        {"homes": [100.0], "jobs": [50.0], "shops": [2.0], "road_major_m": [400.0], "road_minor_m": [600.0]}
    )
    assert trip_ends(zones).tolist() == [196.0]


def test_larger_cities_keep_more_of_their_trips():
    """1.6 km2: R = 714 m, x = 0.238, 1 - 1.238 exp(-0.238) = 2.4 %."""
    assert internal_share(1.6e6) == pytest.approx(0.0242, abs=5e-4)
    assert 0 < internal_share(1e5) < internal_share(1e7) < internal_share(1e9) <= 1
