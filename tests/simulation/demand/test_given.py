"""Demand from tables: totals kept in whole vehicles, rows in any order, every fault named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import VEHICLE_CLASSES
from simulation.demand.given import demand_from_od, place_of_nodes, profile_array, trips_as_od
from simulation.demand.spec import Access, DemandSpec, default_profiles
from simulation.demand.trips import sample_day
from simulation.errors import DemandError


def small():
    """Two zones of two links each and a gateway with one link in and one out."""
    access = [
        Access(start=np.array([0, 2, 4, 5]), link=np.array(links), cumulative=np.array([0.5, 1.0, 0.5, 1.0, 1.0]))
        for links in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 5])
    ]
    return DemandSpec(
        places=("Z01", "Z02", "G01"), n_zones=2, od_veh=np.ones((3, 3)), origins=access[0], destinations=access[1]
    )


pairs = st.sampled_from([("Z01", "Z02"), ("Z02", "Z01"), ("Z01", "Z01"), ("G01", "Z01"), ("Z02", "G01")])
rows = st.lists(
    st.tuples(
        pairs, st.floats(0.01, 60.0), st.sampled_from([0.0, 7200.0, 27_000.0]), st.sampled_from(VEHICLE_CLASSES)
    ),
    min_size=1, max_size=12,
)  # fmt: skip


def table(rows):
    return pd.DataFrame(
        [(o, d, veh, when, klass) for (o, d), veh, when, klass in rows],
        columns=["origin_zone_id", "dest_zone_id", "trips_veh", "departure_s", "vehicle_class"],
    )


@given(rows, st.integers(0, 1000), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_day_holds_the_tables_sum_in_whole_vehicles(rows, seed, timed, classed):
    """Each day and pair: the sum of the table, rounded; the whole to the nearest integer, none lost on its own link."""
    od = table(rows).drop(columns=[n for n, keep in (("departure_s", timed), ("vehicle_class", classed)) if not keep])
    spec = demand_from_od(small(), od)
    assert spec.od_veh.sum() == pytest.approx(od["trips_veh"].sum(), rel=1e-12)
    trips = sample_day(spec, seed=seed, day=739_000, weekend=False)
    assert abs(len(trips) - od["trips_veh"].sum()) <= 0.5 + 1e-6
    by_pair = np.bincount(trips.pair, minlength=9)
    n_cells = 1 if not (timed or classed) else 400
    assert (np.abs(by_pair - spec.od_veh.ravel()) < (4 if n_cells == 1 else n_cells)).all()
    assert (by_pair[spec.od_veh.ravel() == 0] == 0).all()
    assert (trips.origin_link != trips.dest_link).all()


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_rows_in_another_order_make_the_same_demand(rows, random):
    """Rows and columns shuffled: the same cells and the same trips but for rounding of sums."""
    od = table(rows)
    order, names = list(range(len(od))), list(od.columns)
    random.shuffle(order)
    random.shuffle(names)
    a, b = demand_from_od(small(), od), demand_from_od(small(), od.iloc[order][names])
    assert a.od_veh == pytest.approx(b.od_veh, rel=1e-12)
    assert a.cells is not None and b.cells is not None
    assert np.array_equal(a.cells.pair, b.cells.pair) and np.array_equal(a.cells.start_s, b.cells.start_s)
    assert a.cells.veh == pytest.approx(b.cells.veh, rel=1e-12)


def test_trips_depart_in_the_span_and_class_that_were_given():
    """30 vans from 07:30 to 08:00 and 10 cars from 08:00: the spans follow from the half hour between them."""
    od = pd.DataFrame(
        {
            "origin_zone_id": ["Z01", "Z01"], "dest_zone_id": ["Z02", "G01"], "trips_veh": [30.0, 10.0],
            "departure_s": [27_000.0, 28_800.0], "vehicle_class": ["van", "car"],
        }
    )  # fmt: skip
    spec = demand_from_od(small(), od)
    trips = sample_day(spec, seed=1, day=1, weekend=False)
    vans, cars = (trips.vehicle_class == VEHICLE_CLASSES.index(k) for k in ("van", "car"))
    assert (vans.sum(), cars.sum()) == (30, 10)
    assert ((trips.depart_s[vans] >= 27_000) & (trips.depart_s[vans] < 28_800)).all()
    assert ((trips.depart_s[cars] >= 28_800) & (trips.depart_s[cars] < 30_600)).all()
    assert spec.hour_share(7)[0, 1] == 1.0 and spec.hour_share(8)[0, 2] == 1.0


def test_a_list_of_trips_departs_when_it_says():
    """Three trips at their seconds, in their classes."""
    trips = pd.DataFrame(
        {"origin_node_id": [7, 7, 9], "dest_node_id": [9, 9, 7], "departure_s": [10.5, 3600.0, 80_000.0]}
    )
    od = trips_as_od(trips.assign(vehicle_class=["car", "bus", "heavy"]))
    spec = demand_from_od(small(), od, names={"7": "Z01", "9": "G01"}, span_s=0.0)
    day = sample_day(spec, seed=4, day=2, weekend=False)
    assert day.depart_s == pytest.approx([10.5, 3600.0, 80_000.0])
    assert [VEHICLE_CLASSES[k] for k in day.vehicle_class] == ["car", "bus", "heavy"]
    assert day.pair.tolist() == [2, 2, 6]


def test_twice_the_demand_of_a_given_table_is_twice_the_vehicles():
    """`scaled` keeps times and classes: 40 trips become 80, all from 07:00 on."""
    od = pd.DataFrame(
        {"origin_zone_id": ["Z01"], "dest_zone_id": ["Z02"], "trips_veh": [40.0], "departure_s": [25_200.0]}
    )
    day = sample_day(demand_from_od(small(), od).scaled(2.0), seed=1, day=1, weekend=False)
    assert len(day) == 80 and (day.depart_s >= 25_200).all()


def test_profiles_shape_a_day_without_departures():
    """All share in hour 5: every trip departs from 05:00 to 06:00; other kinds keep theirs."""
    od = pd.DataFrame({"origin_zone_id": ["Z01"], "dest_zone_id": ["Z02"], "trips_veh": [50.0]})
    profiles = pd.DataFrame({"hour": [5, 6], "share": [2.0, 0.0], "kind": "internal"})
    spec = demand_from_od(small(), od, profiles=profiles)
    trips = sample_day(spec, seed=1, day=1, weekend=False)
    assert len(trips) == 50 and ((trips.depart_s >= 18_000) & (trips.depart_s < 21_600)).all()
    assert np.array_equal(profile_array(profiles, default_profiles())[0, 0], default_profiles()[0, 0])


def test_every_fault_of_an_od_table_is_named_at_once():
    """An unknown place at either end, a negative number, a departure after midnight, an unknown class."""
    od = pd.DataFrame(
        {
            "origin_zone_id": ["Mars", "Z01"], "dest_zone_id": ["Z02", "Venus"], "trips_veh": [1.0, -1.0],
            "departure_s": [90_000.0, 0.0], "vehicle_class": ["tram", "car"],
        }
    )  # fmt: skip
    with pytest.raises(DemandError, match=r"(?s)Mars.*Venus.*trips_veh.*departure_s.*tram"):
        demand_from_od(small(), od)
    with pytest.raises(DemandError, match="trips_veh"):
        demand_from_od(small(), od.drop(columns="trips_veh"))


def test_nodes_belong_to_the_zone_of_their_streets_and_gates_to_their_gateway():
    """Node 1 has 300 m in A and 100 m in B: A. Node 3 is a gateway."""
    links = pd.DataFrame({"link_id": [0, 1], "from_node_id": [1, 1], "to_node_id": [2, 3], "length_m": [300.0, 100.0]})
    link_zone = pd.DataFrame({"link_id": [0, 1], "zone_id": ["A", "B"], "share": [1.0, 1.0]})
    gateways = pd.DataFrame({"node_id": [3], "gateway_id": ["G01"]})
    assert place_of_nodes(pd.DataFrame({"node_id": [1, 2, 3]}), links, link_zone, gateways) == {
        "1": "A", "2": "A", "3": "G01",
    }  # fmt: skip
