"""Tables to arrays: what is refused, what is rounded, who gives way."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import SIGNALS, empty
from data.toy import toy_links, toy_nodes, toy_turns
from simulation.errors import NetworkError
from simulation.traffic.network import (
    MIN_FREE_TIME_S,
    SATURATION_FLOW_PER_LANE,
    WAVE_SPEED_MPS,
    core_links,
    link_arrays,
    make_links,
    turn_index,
)
from simulation.traffic.signals import fixed_plans


@pytest.mark.parametrize(
    "column", ["length_m", "lanes", "free_flow_speed_mps", "capacity_veh_per_s", "jam_density_veh_per_m"]
)
@pytest.mark.parametrize("value", [0.0, -3.0, np.nan, np.inf])
def test_a_street_that_no_vehicle_could_use_is_refused(column, value):
    links = toy_links()
    links.loc[7, column] = value
    with pytest.raises(NetworkError, match=f"{column} must be above 0; link 7"):
        link_arrays(links, empty(SIGNALS))


def test_all_faults_of_the_links_are_told():
    links = toy_links().assign(length_m=0.0, lanes=-1.0).iloc[::-1]
    with pytest.raises(NetworkError) as error:
        link_arrays(links, empty(SIGNALS))
    assert all(word in str(error.value) for word in ("link_id", "length_m", "lanes", "80 such links"))


def test_a_signal_on_no_link_is_refused():
    plans = fixed_plans(toy_nodes(), toy_links()).assign(link_id=[1, 2, 3, 80])
    with pytest.raises(NetworkError, match=r"outside 0..79: \[80\]"):
        link_arrays(toy_links(), plans)


def test_a_link_holds_what_fits_at_jam_density_and_at_least_one():
    """0.1333 veh/m over 200 m is 26.66 vehicles, so 27; over 3 m it is one."""
    links = toy_links()
    links.loc[0, "length_m"] = 3.0
    made = make_links(link_arrays(links, empty(SIGNALS)))
    minor = links.index[(links["road_class"] == "residential") & (links.index > 0)]
    assert (made["storage"][minor] == 27).all() and made["storage"][0] == 1
    assert made["free_time"][0] == max(MIN_FREE_TIME_S, 3.0 / (30 / 3.6))


def test_the_backward_wave_has_its_speed():
    made = make_links(link_arrays(toy_links(), empty(SIGNALS)))
    assert made["length"] / made["wave_time"] == pytest.approx(WAVE_SPEED_MPS, rel=1e-9)


def test_side_streets_give_way_and_main_streets_do_not():
    """A side street passes on 600 veh/h where it meets the wide one; the wide one is not held up."""
    links = toy_links()
    made = link_arrays(links, empty(SIGNALS))
    major = (links["road_class"] == "primary").to_numpy()
    middle_ends = links["to_node_id"].isin([2, 7, 17, 22, 10, 11, 13, 14]).to_numpy()
    assert np.allclose(made.discharge_veh_per_s[~major & middle_ends], 600 / 3600)
    inner = links["to_node_id"].isin([7, 17, 11, 13]).to_numpy()
    assert (made.discharge_veh_per_s[major & inner] == made.capacity_veh_per_s[major & inner]).all()
    assert (made.discharge_veh_per_s <= made.capacity_veh_per_s).all()


def test_a_signal_discharges_at_saturation_flow_or_what_the_street_carries():
    """Two lanes of 0.5 veh/s are 1 veh/s; the street carries 5 x 0.2666 x 13.89 / 18.89 = 0.980 veh/s at 50 km/h."""
    plans = fixed_plans(toy_nodes(), toy_links())
    at = plans["link_id"].to_numpy()
    made = link_arrays(toy_links(), plans)
    assert made.discharge_veh_per_s[at] == pytest.approx(0.980, abs=5e-4)
    assert (made.cycle_s > 0).sum() == len(plans) == 4
    wide = link_arrays(toy_links().assign(jam_density_veh_per_m=0.5), plans)
    assert wide.discharge_veh_per_s[at] == pytest.approx(2 * SATURATION_FLOW_PER_LANE)


def test_turns_are_grouped_by_the_link_they_lead_into():
    turns = toy_turns().sample(frac=1.0, random_state=1)
    index = turn_index(turns, 80)
    for link in range(80):
        before = index.in_link[index.in_start[link] : index.in_start[link + 1]]
        assert sorted(before) == sorted(turns.loc[turns["to_link_id"] == link, "from_link_id"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"to_link_id": 80}, "outside 0..79"),
        ({"penalty_s": -1.0}, "penalties"),
        ({"penalty_s": np.nan}, "penalties"),
    ],
)
def test_impossible_turns_are_refused(change, words):
    with pytest.raises(NetworkError, match=words):
        turn_index(toy_turns().assign(**change), 80)


def test_the_core_leaves_out_what_one_cannot_come_back_from():
    """0 -> 1 -> 2 -> 1: link 0 cannot be reached again."""
    turns = pd.DataFrame({"from_link_id": [0, 1, 2], "to_link_id": [1, 2, 1], "angle_deg": 0.0, "penalty_s": 0.0})
    assert core_links(turn_index(turns, 3)).tolist() == [False, True, True]
    assert core_links(turn_index(toy_turns(), 80)).all()
