"""Volume over capacity that an expected flow asks of junctions, by hand."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import SIGNALS, empty
from simulation.traffic.engine import CALM_S
from simulation.traffic.expected_load import expected_load
from simulation.traffic.junctions import CRITICAL_S, FOLLOW_UP_S
from simulation.traffic.network import link_arrays, turn_index


def load_of(road_class, flow_veh_per_h, moves):
    """Volume over capacity of links 0 (from the west) and 1 (from the south) to links 2 (east) and 3 (north)."""
    links = pd.DataFrame({
        "link_id": range(4), "from_node_id": [1, 2, 0, 0], "to_node_id": [0, 0, 3, 4], "length_m": 1000.0, "lanes": 1.0,
        "free_flow_speed_mps": 20.0, "capacity_veh_per_s": 0.4, "jam_density_veh_per_m": 0.15,
        "road_class": road_class, "name": "",
    })  # fmt: skip
    angle = {(0, 2): 0.0, (0, 3): 90.0, (1, 2): -90.0, (1, 3): 0.0}
    turns = pd.DataFrame({"from_link_id": [a for a, _ in moves], "to_link_id": [b for _, b in moves],
                          "angle_deg": [angle[m] for m in moves], "penalty_s": 0.0})  # fmt: skip
    arrays = link_arrays(links, empty(SIGNALS), turns=turns)
    return expected_load(np.array(flow_veh_per_h) / 3600.0, arrays, turn_index(turns, 4))


def test_who_gives_way_has_the_capacity_of_gaps():
    """Straight across 600 veh/h: t_c 6.5 s, t_f 4.0 s; q = 1/6 veh/s, q exp(-q t_c) / (1 - exp(-q t_f)) = 419 veh/h.
    200 veh/h ask for 0.477 of it. The main road discharges 0.6 veh/s and has 0.278."""
    load = load_of(["primary", "residential"] * 2, [600, 200, 600, 200], [(0, 2), (1, 3)])
    q, gap, follow = 600 / 3600, CRITICAL_S[1], FOLLOW_UP_S[1]
    capacity = q * np.exp(-q * gap) / (1 - np.exp(-q * follow))
    assert load[1] == pytest.approx(200 / 3600 / capacity) and 3600 * capacity == pytest.approx(418, abs=1)
    assert load[0] == pytest.approx(600 / 3600 / 0.6)


def test_a_turn_that_gives_way_to_nobody_does_not_wait():
    """From the main road's own point of view nothing changes however busy the side street is."""
    load = load_of(["primary", "residential"] * 2, [600, 5000, 600, 5000], [(0, 2), (1, 3)])
    assert load[0] == pytest.approx(600 / 3600 / 0.6)


def test_drivers_do_not_wait_for_ever():
    """Past 6,000 veh/h Harders leaves 0.3 veh/h; drivers take any gap after 2 x 60 s: 3600 / (120 + 4.0) veh/h."""
    load = load_of(["primary", "residential"] * 2, [6000, 20, 6000, 20], [(0, 2), (1, 3)])
    assert load[1] == pytest.approx(20 / 3600 * (2 * CALM_S + FOLLOW_UP_S[1]))


def test_equal_streets_share_the_load_of_their_junction():
    """One lane an approach, 1,500 veh/h in all: 900 + 300 veh/h load it with 0.8, whichever street one is on."""
    load = load_of("secondary", [900, 300, 900, 300], [(0, 2), (1, 3)])
    assert load[:2] == pytest.approx([0.8, 0.8])
