"""Weights between the centres of zones: they add up, reproduce a plane, and never jump."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.interpolation import zone_weights

SQUARE = [(x, y) for y in (0.0, 400.0, 800.0) for x in (0.0, 400.0, 800.0)]
SCATTER = [tuple(p) for p in np.random.default_rng(3).uniform(0, 900, (40, 2))]
CITIES = {
    "one zone": [(500.0, 300.0)], "two zones": [(0.0, 0.0), (800.0, 600.0)],
    "in a row": [(0.0, 0.0), (800.0, 0.0), (200.0, 0.0)], "three": [(0.0, 0.0), (800.0, 0.0), (0.0, 800.0)],
    "squares": SQUARE, "scattered": SCATTER,
}  # fmt: skip


def zones(centres):
    return pd.DataFrame(centres, columns=["x_m", "y_m"])


@pytest.fixture
def points():
    return np.random.default_rng(1).uniform(-500, 1500, (2, 2000))


@pytest.mark.parametrize("centres", CITIES.values(), ids=CITIES)
def test_weights_add_up_to_one_and_none_is_negative(centres, points):
    weights = zone_weights(*points, zones(centres)).toarray()
    assert weights.shape == (2000, len(centres))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    assert weights.min() >= 0.0


@pytest.mark.parametrize("name", ["three", "squares", "scattered"])
def test_a_plane_is_reproduced_between_the_centres(name, points):
    """20 + 0.01 x - 0.03 y at the centres gives the same at every point within them (convex: random mixtures)."""
    centres = np.array(CITIES[name])
    mixture = np.random.default_rng(2).dirichlet(np.ones(len(centres)), 500)
    x, y = (mixture @ centres).T
    value = zone_weights(x, y, zones(centres)) @ (20.0 + centres @ [0.01, -0.03])
    np.testing.assert_allclose(value, 20.0 + 0.01 * x - 0.03 * y, atol=1e-5)


def test_between_two_centres_the_change_is_even():
    """Centres 1,000 m apart at 10 and 20: 13 at 300 m, also beside the line; 10 and 20 beyond the ends."""
    told = zones([(0.0, 0.0), (1000.0, 0.0)])
    value = zone_weights(np.array([300.0, 300.0, -50.0, 4000.0]), np.array([0.0, 90.0, 5.0, 7.0]), told) @ [10.0, 20.0]
    np.testing.assert_allclose(value, [13.0, 13.0, 10.0, 20.0])


def test_beyond_the_centres_the_nearest_point_of_their_rim_counts():
    """Below the lower edge of the squares at x = 100: a quarter of the way from the first centre to the second."""
    weights = zone_weights(np.array([100.0]), np.array([-300.0]), zones(SQUARE)).toarray()[0]
    np.testing.assert_allclose(weights[:2], [0.75, 0.25], atol=1e-6)


@pytest.mark.parametrize("centres", CITIES.values(), ids=CITIES)
def test_no_jump_anywhere_along_a_walk_through_and_around_the_city(centres):
    """Values of 0 to 10, centres tens of metres apart: in 0.05 m the blend moves by less than 0.1, a jump by 1."""
    along = np.arange(-600.0, 1500.0, 0.05)
    value = np.random.default_rng(4).uniform(0, 10, len(centres))
    for x, y in (
        (along, 0.37 * along + 100.0),
        (along, np.full(along.size, 400.0)),
        (np.full(along.size, 401.0), along),
    ):
        walked = zone_weights(x, y, zones(centres)) @ value
        assert np.abs(np.diff(walked)).max(initial=0.0) < 0.1
    assert zone_weights(np.zeros(0), np.zeros(0), zones(centres)).shape == (0, len(centres))
