"""Zone boxes: closed forms, conservation of mass, and air that neither piles up nor thins out."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from simulation.air.box import BoxStep, Ledger, Mixing, box_geometry, exchange
from simulation.air.errors import AirError

CALM = {"sideways": 0.0, "top": 0.0}


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


def geometry_of(rows, columns, side=400.0, height_m=100.0):
    return box_geometry(*grid(rows, columns, side), height_m=height_m)


def advance(geometry, mixing, *, source, ambient, start, step_s, steps, deposition=None):
    deposition = np.zeros(len(ambient)) if deposition is None else deposition
    step = BoxStep(geometry, exchange(geometry, mixing), deposition, step_s)
    ledger, concentration = Ledger.empty(len(ambient)), start
    for _ in range(steps):
        concentration = step.advance(concentration, source, ambient, ledger)
    return concentration, ledger


@pytest.mark.parametrize("direction", np.linspace(0, 2 * np.pi, 7))
def test_as_much_air_enters_every_box_as_leaves_it(direction):
    """For any wind: a city of clean air stays clean, one of even air stays even."""
    geometry = geometry_of(3, 4)
    mixing = Mixing(wind_east=4 * np.cos(direction), wind_north=4 * np.sin(direction), sideways=0.1, top=0.03)
    flows = exchange(geometry, mixing)
    entering = flows.between.sum(axis=1) + flows.inflow
    leaving = flows.between.sum(axis=0) + flows.outflow
    np.testing.assert_allclose(entering, leaving, rtol=1e-12)
    assert (flows.between.toarray() >= 0).all() and (flows.outflow >= 0).all() and (flows.inflow >= 0).all()
    even = np.full((1, 12), 5e-5)
    after, _ = advance(
        geometry, mixing, source=np.zeros((1, 12)), ambient=np.array([5e-5]), start=even, step_s=600.0, steps=5
    )
    np.testing.assert_allclose(after, even, rtol=1e-12)


def test_one_box_reaches_the_steady_state_and_fills_with_its_time_constant():
    """1 ug/m2/s into a box of L = 5 km, H = 500 m, wind 3 m/s.

    C_ss = q L / (u H) = 1 * 5000 / (3 * 500) = 3.3333 ug/m3, tau = L / u = 1666.7 s and
    C(1 h) = C_ss (1 - exp(-3600 / 1666.7)) = 2.94892 ug/m3. A box's length along the wind is area over mean width
    = pi A / P, for a square pi side / 4: side = 4 L / pi.
    """
    geometry = geometry_of(1, 1, side=4 * 5000.0 / np.pi, height_m=500.0)
    case = {"source": np.array([[1e-6 * geometry.area_m2[0]]]), "ambient": np.zeros(1), "start": np.zeros((1, 1))}
    mixing = Mixing(wind_east=3.0, wind_north=0.0, **CALM)
    steady, _ = advance(geometry, mixing, step_s=3600.0, steps=60, **case)
    assert steady[0, 0] == pytest.approx(3.3333e-6, abs=0.00005e-6)
    hour, _ = advance(geometry, mixing, step_s=0.1, steps=36_000, **case)  # the implicit step's own error: 1e-5
    assert hour[0, 0] == pytest.approx(2.94892e-6, rel=1.5e-5)


def test_one_box_fills_as_the_implicit_step_says():
    """After one step of dt the box holds C_ss (dt / tau) / (1 + dt / tau), tau = L / u, C_ss = q L / (u H).

    A = 160,000 m2, P = 1600 m, L = pi A / P = 314.16 m; 1 ug/m2/s gives 314.16 / (3 * 100) = 1.0472 ug/m3.
    """
    geometry = geometry_of(1, 1)
    tau = np.pi * geometry.area_m2[0] / geometry.perimeter_m[0] / 3.0
    after, _ = advance(
        geometry, Mixing(wind_east=3.0, wind_north=0.0, **CALM), source=np.array([[0.16]]), ambient=np.zeros(1),
        start=np.zeros((1, 1)), step_s=60.0, steps=1,
    )  # fmt: skip
    assert after[0, 0] == pytest.approx(1.0471976e-6 * (60 / tau) / (1 + 60 / tau), rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), (16, 16)], ids=["dense", "sparse"])
def test_every_gram_is_accounted_for(shape):
    """Emitted = blown out + deposited + in the air, within 1e-9, with clean air outside; both solvers."""
    rng = np.random.default_rng(2)
    geometry = geometry_of(*shape)
    source = rng.uniform(0, 0.3, (2, geometry.n_zones))
    after, ledger = advance(
        geometry, Mixing(wind_east=1.4, wind_north=-0.7, sideways=0.1, top=0.02), source=source, ambient=np.zeros(2),
        start=np.zeros((2, geometry.n_zones)), step_s=300.0, steps=50, deposition=np.array([0.001, 0.004]),
    )  # fmt: skip
    in_air = (after * geometry.volume_m3).sum(axis=1)
    np.testing.assert_allclose(ledger.emitted, ledger.blown_out + ledger.deposited + in_air, rtol=1e-9)
    assert np.abs(ledger.imbalance(in_air, np.zeros(2))).max() < 1e-9
    assert (after > 0).all() and (ledger.deposited > 0).all()


def test_the_wind_carries_to_the_downwind_neighbour():
    """A source in the middle of a row, wind to the east: the eastern zone gets more than the western one."""
    geometry = geometry_of(1, 3)
    after, _ = advance(
        geometry, Mixing(wind_east=2.0, wind_north=0.0, **CALM), source=np.array([[0.0, 0.1, 0.0]]),
        ambient=np.zeros(1), start=np.zeros((1, 3)), step_s=300.0, steps=20,
    )  # fmt: skip
    assert after[0, 2] > 5 * after[0, 0]
    assert after[0, 1] > after[0, 2]


def test_an_hour_long_step_stays_positive_and_bounded():
    """Implicit: a step far beyond the residence time gives the steady state, not an oscillation."""
    geometry = geometry_of(2, 2)
    source = np.array([[0.1, 0.0, 0.0, 0.0]])
    args = {"source": source, "ambient": np.zeros(1), "start": np.zeros((1, 4))}
    mixing = Mixing(wind_east=5.0, wind_north=2.0, **CALM)
    long, _ = advance(geometry, mixing, step_s=36_000.0, steps=3, **args)
    fine, _ = advance(geometry, mixing, step_s=60.0, steps=600, **args)
    np.testing.assert_allclose(long, fine, rtol=0.02, atol=1e-12)
    assert (long >= 0).all()


def test_a_border_listed_from_both_sides_counts_once():
    zones, adjacency = grid(2, 2)
    once = adjacency[adjacency["zone_id"] < adjacency["neighbour_zone_id"]]
    both, single = (box_geometry(zones, table) for table in (adjacency, once))
    np.testing.assert_array_equal(both.border_m, single.border_m)
    assert both.border_m.sum() == 4 * 400.0


def test_an_unknown_zone_in_the_adjacency_is_named():
    zones, adjacency = grid(1, 2)
    with pytest.raises(AirError, match="Z999"):
        box_geometry(zones, adjacency.assign(neighbour_zone_id="Z999"))


@pytest.mark.parametrize("dense_up_to", [0, 10_000], ids=["sparse", "dense"])
def test_both_solvers_satisfy_the_balance_of_every_box(monkeypatch, dense_up_to):
    """V (c' - c) / dt = sources + inflow + what neighbours send - what leaves - deposits, box by box, at c'."""
    monkeypatch.setattr("simulation.air.box._DENSE_BOXES", dense_up_to)
    rng = np.random.default_rng(6)
    geometry = geometry_of(4, 5)
    flows = exchange(geometry, Mixing(wind_east=-2.0, wind_north=1.3, sideways=0.2, top=0.05))
    deposition, ambient = np.array([0.001, 0.004, 0.001, 0.005]), np.array([1e-5, 6e-5, 0.0, 2e-5])
    before, source = rng.uniform(0, 1e-4, (4, 20)), rng.uniform(0, 0.3, (4, 20))
    after = BoxStep(geometry, flows, deposition, 300.0).advance(before, source, ambient, Ledger.empty(4))
    sent = flows.between.toarray()
    for s in range(4):
        gain = source[s] + ambient[s] * flows.inflow + sent @ after[s]
        loss = (sent.sum(axis=0) + flows.outflow + deposition[s] * geometry.area_m2) * after[s]
        np.testing.assert_allclose(geometry.volume_m3 * (after[s] - before[s]) / 300.0, gain - loss, rtol=1e-8)
