"""Streets cut at the border become external zones."""

import pandas as pd
import pytest

from data.schemas import GATEWAYS, validate
from data.toy import toy_links, toy_nodes
from simulation.demand.gateways import PEAK_HOUR_SHARE, PEAK_SHARE_OF_CAPACITY, base_class, find_gateways
from simulation.errors import DemandError


def test_the_middle_streets_have_four_gateways():
    """Each 3,000 veh/h wide: 3,000 x 0.32 / 0.086 = 11,163 vehicles a day in, as many out."""
    gateways = validate(find_gateways(toy_nodes(), toy_links()), GATEWAYS)
    assert sorted(gateways["node_id"]) == [2, 10, 14, 22]
    expected = 3000 * PEAK_SHARE_OF_CAPACITY["primary"] / PEAK_HOUR_SHARE
    assert gateways["in_veh_per_day"].tolist() == pytest.approx([expected] * 4)
    assert gateways["daily_veh"].tolist() == pytest.approx([2 * expected] * 4)
    links = toy_links().set_index("link_id")
    assert (links.loc[gateways["in_link_id"], "from_node_id"].to_numpy() == gateways["node_id"]).all()
    assert (links.loc[gateways["out_link_id"], "to_node_id"].to_numpy() == gateways["node_id"]).all()
    assert (links.loc[gateways["in_link_id"], "road_class"] == "primary").all()


def test_a_one_way_street_is_a_gateway_one_way():
    links = toy_links()
    inward = links[links["from_node_id"] != 2].reset_index(drop=True)
    gateways = find_gateways(toy_nodes(), inward.assign(link_id=range(len(inward)))).set_index("node_id")
    assert gateways.loc[2, "in_link_id"] == -1 and gateways.loc[2, "in_veh_per_day"] == 0.0
    assert gateways.loc[2, "out_link_id"] >= 0 and gateways.loc[2, "out_veh_per_day"] > 0.0


@pytest.mark.parametrize("key", ["gateway_id", "node_id"])
def test_counts_replace_the_estimate_where_there_are_any(key):
    plain = find_gateways(toy_nodes(), toy_links())
    counts = pd.DataFrame({key: [plain[key].iloc[1]], "in_veh_per_day": [500.0], "out_veh_per_day": [700.0]})
    gateways = find_gateways(toy_nodes(), toy_links(), counts=counts)
    assert gateways["counted"].tolist() == [False, True, False, False]
    assert gateways.loc[1, ["in_veh_per_day", "out_veh_per_day", "daily_veh"]].tolist() == [500.0, 700.0, 1200.0]
    assert gateways.loc[0].equals(plain.loc[0])


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"node_id": [3], "in_veh_per_day": [1.0], "out_veh_per_day": [1.0]}, r"unknown gateways \[3\]"),
        ({"node_id": [2], "in_veh_per_day": [-1.0], "out_veh_per_day": [1.0]}, "must not be negative"),
        ({"node_id": [2, 2], "in_veh_per_day": [1.0, 2.0], "out_veh_per_day": [1.0, 2.0]}, "more than once"),
        ({"node_id": [2], "in_veh_per_day": [float("nan")], "out_veh_per_day": [1.0]}, "must not be"),
        ({"in_veh_per_day": [1.0], "out_veh_per_day": [1.0]}, "gateway_id or node_id"),
        ({"node_id": [2], "in_veh_per_day": [1.0]}, "out_veh_per_day"),
    ],
)
def test_impossible_counts_are_refused(counts, words):
    with pytest.raises(DemandError, match=words):
        find_gateways(toy_nodes(), toy_links(), counts=pd.DataFrame(counts))


def test_a_city_without_a_border_has_no_gateways():
    gateways = find_gateways(toy_nodes().assign(border=False), toy_links())
    assert gateways.empty and {"in_link_id", "out_link_id", "counted"} <= set(gateways.columns)


def test_a_slip_road_has_the_class_of_its_street():
    assert base_class("primary_link") == "primary" and base_class("primary") == "primary"
