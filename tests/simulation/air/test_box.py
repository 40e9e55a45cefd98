"""Zone boxes: closed forms, conservation of mass, and air that neither piles up nor thins out."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from simulation.air.box import BoxStep, Ledger, Mixing, box_geometry, exchange
from simulation.air.errors import AirError

CALM = {"street_wind_share": 0.25, "sideways": 0.0, "roof": 0.05, "top": 0.0}


def grid(rows, columns, side=400.0):
    """Square zones and their adjacency."""
    ids = {(r, c): f"Z{r * columns + c + 1:03d}" for r in range(rows) for c in range(columns)}
    zones = gpd.GeoDataFrame(
        {
            "zone_id": list(ids.values()),
            "area_m2": side**2,
            "x_m": [(c + 0.5) * side for r, c in ids],
            "y_m": [(r + 0.5) * side for r, c in ids],
        },
        geometry=[box(c * side, r * side, (c + 1) * side, (r + 1) * side) for r, c in ids],
    )
    pairs = [(a, b) for a in ids for b in ids if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
    adjacency = pd.DataFrame(
        {"zone_id": [ids[a] for a, _ in pairs], "neighbour_zone_id": [ids[b] for _, b in pairs], "border_m": side}
    )
    return zones, adjacency


def geometry_of(rows, columns, street_share=0.3, side=400.0):
    zones, adjacency = grid(rows, columns, side)
    shares = np.broadcast_to(street_share, len(zones))
    return box_geometry(zones, adjacency, side**2 * shares)


def advance(geometry, mixing, *, source, ambient, start, step_s, steps, deposition=None):
    deposition = np.zeros(len(ambient)) if deposition is None else deposition
    step = BoxStep(geometry, exchange(geometry, mixing), deposition, step_s)
    ledger, concentration = Ledger.empty(len(ambient)), start
    for _ in range(steps):
        concentration = step.advance(concentration, source, ambient, ledger)
    return concentration, ledger


@pytest.mark.parametrize("direction", np.linspace(0, 2 * np.pi, 7))
def test_as_much_air_enters_every_box_as_leaves_it(direction):
    """For any wind and unequal streets: a city of clean air stays clean, one of even air stays even."""
    rng = np.random.default_rng(1)
    geometry = geometry_of(3, 4, rng.uniform(0.1, 0.5, 12))
    flows = exchange(geometry, Mixing(wind_east=4 * np.cos(direction), wind_north=4 * np.sin(direction), **CALM))
    entering = flows.between.sum(axis=1) + flows.inflow
    leaving = flows.between.sum(axis=0) + flows.outflow
    np.testing.assert_allclose(entering, leaving, rtol=1e-12)
    assert (flows.between >= 0).all() and (flows.outflow >= 0).all() and (flows.inflow >= 0).all()
    even = np.full((1, 24), 5e-5)
    after, _ = advance(
        geometry, Mixing(wind_east=3.0, wind_north=1.0, **CALM), source=np.zeros((1, 24)), ambient=np.array([5e-5]),
        start=even, step_s=600.0, steps=5,
    )  # fmt: skip
    np.testing.assert_allclose(after, even, rtol=1e-12)


def test_one_box_reaches_the_closed_form():
    """q L / (u H) with L = A / W, W = perimeter / pi: a source over the roofs, 3 m/s, no exchange with the street.

    A = 160,000 m2, P = 1600 m, W = 509.3 m, L = 314.16 m, H = 100 m: 1 ug/m2/s gives 314.16 / 300 = 1.0472 ug/m3.
    """
    geometry = geometry_of(1, 1)
    mixing = Mixing(wind_east=3.0, wind_north=0.0, street_wind_share=0.0, sideways=0.0, roof=0.0, top=0.0)
    source = np.array([[0.0, 1e-6 * geometry.area_m2[0]]])
    after, _ = advance(
        geometry, mixing, source=source, ambient=np.zeros(1), start=np.zeros((1, 2)), step_s=300.0, steps=400
    )
    assert after[0, 1] == pytest.approx(1.0472e-6, rel=1e-4)


def test_one_box_fills_as_the_implicit_step_says():
    """After one step of dt the box holds C_ss (dt / tau) / (1 + dt / tau), tau = L / u."""
    geometry = geometry_of(1, 1)
    mixing = Mixing(wind_east=3.0, wind_north=0.0, street_wind_share=0.0, sideways=0.0, roof=0.0, top=0.0)
    source = np.array([[0.0, 0.16]])
    tau = np.pi * geometry.area_m2[0] / geometry.perimeter_m[0] / 3.0
    after, _ = advance(
        geometry, mixing, source=source, ambient=np.zeros(1), start=np.zeros((1, 2)), step_s=60.0, steps=1
    )
    assert after[0, 1] == pytest.approx(1.0471976e-6 * (60 / tau) / (1 + 60 / tau), rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), (12, 12)], ids=["dense", "sparse"])
def test_every_gram_is_accounted_for(shape):
    """Emitted = blown out + deposited + in the air, within 1e-9, with clean air outside; both solvers."""
    rng = np.random.default_rng(2)
    geometry = geometry_of(*shape, rng.uniform(0.1, 0.6, shape[0] * shape[1]))
    boxes = 2 * geometry.n_zones
    source = np.zeros((2, boxes))
    source[:, : geometry.n_zones] = rng.uniform(0, 0.3, (2, geometry.n_zones))
    mixing = Mixing(wind_east=1.4, wind_north=-0.7, street_wind_share=0.25, sideways=0.1, roof=0.08, top=0.02)
    after, ledger = advance(
        geometry, mixing, source=source, ambient=np.zeros(2), start=np.zeros((2, boxes)), step_s=300.0, steps=50,
        deposition=np.array([0.001, 0.004]),
    )  # fmt: skip
    in_air = (after * geometry.volume_m3).sum(axis=1)
    np.testing.assert_allclose(ledger.emitted, ledger.blown_out + ledger.deposited + in_air, rtol=1e-9)
    assert np.abs(ledger.imbalance(in_air, np.zeros(2))).max() < 1e-9
    assert (after > 0).all() and (ledger.deposited > 0).all()


def test_the_wind_carries_to_the_downwind_neighbour():
    """A source in the middle of a row, wind to the east: the eastern zone gets more than the western one."""
    geometry = geometry_of(1, 3)
    source = np.zeros((1, 6))
    source[0, 1] = 0.1
    after, _ = advance(
        geometry, Mixing(wind_east=2.0, wind_north=0.0, **CALM), source=source, ambient=np.zeros(1),
        start=np.zeros((1, 6)), step_s=300.0, steps=20,
    )  # fmt: skip
    assert after[0, 2] > 5 * after[0, 0]
    assert after[0, 1] > after[0, 2]


def test_an_hour_long_step_stays_positive_and_bounded():
    """Implicit: a step far beyond the residence time gives the steady state, not an oscillation."""
    geometry = geometry_of(2, 2)
    source = np.zeros((1, 8))
    source[0, 0] = 0.1
    args = {"source": source, "ambient": np.zeros(1), "start": np.zeros((1, 8))}
    mixing = Mixing(wind_east=5.0, wind_north=2.0, **CALM)
    long, _ = advance(geometry, mixing, step_s=36_000.0, steps=3, **args)
    fine, _ = advance(geometry, mixing, step_s=60.0, steps=600, **args)
    np.testing.assert_allclose(long, fine, rtol=0.02, atol=1e-12)
    assert (long >= 0).all()


def test_a_border_listed_from_both_sides_counts_once():
    zones, adjacency = grid(2, 2)
    once = adjacency[adjacency["zone_id"] < adjacency["neighbour_zone_id"]]
    both, single = (box_geometry(zones, table, np.full(4, 4e4)) for table in (adjacency, once))
    np.testing.assert_array_equal(both.border_m, single.border_m)
    assert both.border_m.sum() == 4 * 400.0


def test_an_unknown_zone_in_the_adjacency_is_named():
    zones, adjacency = grid(1, 2)
    with pytest.raises(AirError, match="Z999"):
        box_geometry(zones, adjacency.assign(neighbour_zone_id="Z999"), np.full(2, 4e4))
