"""The triangle: hand values, and what must hold of every triangle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.errors import NetworkError
from simulation.traffic.fundamental import FundamentalDiagram

USUAL = {"free_flow_speed": 10.0, "capacity": 0.5, "jam_density": 0.2}
densities = st.floats(0.0, 0.3)


def test_queue_tail_moves_at_the_wave_speed():
    """0.8 veh/s over (0.20 - 0.04) veh/m: the tail climbs 5 m/s."""
    lane = FundamentalDiagram(free_flow_speed=20.0, capacity=0.8, jam_density=0.2)
    assert lane.critical_density == pytest.approx(0.04)
    assert lane.wave_speed == pytest.approx(5.0)


def test_flow_rises_to_capacity_and_falls_to_nothing():
    """10 m/s x 0.02 veh/m = 0.2 veh/s; half way from 0.05 to 0.2 veh/m half of 0.5 veh/s is left."""
    lane = FundamentalDiagram(**USUAL)
    assert lane.flow(0.02) == pytest.approx(0.2)
    assert lane.flow(0.05) == pytest.approx(0.5)
    assert lane.flow(0.125) == pytest.approx(0.25)
    assert lane.flow(0.2) == pytest.approx(0.0, abs=1e-12)
    assert lane.flow(0.3) == 0.0 and lane.flow(-0.1) == 0.0


@given(a=densities, b=densities)
def test_flow_never_exceeds_capacity_and_is_concave(a, b):
    lane = FundamentalDiagram(**USUAL)
    assert 0.0 <= lane.flow(a) <= 0.5 + 1e-12
    if max(a, b) <= 0.2:
        assert lane.flow((a + b) / 2) >= (lane.flow(a) + lane.flow(b)) / 2 - 1e-12


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_nothing_may_be_zero_or_less(name, value):
    with pytest.raises(NetworkError, match=name):
        FundamentalDiagram(**{**USUAL, name: value})


def test_a_capacity_per_hour_is_recognised():
    """1,800 veh/h taken for veh/s needs 180 veh/m at 10 m/s: more than any jam."""
    with pytest.raises(NetworkError, match="per hour"):
        FundamentalDiagram(free_flow_speed=10.0, capacity=1800.0, jam_density=0.2)
