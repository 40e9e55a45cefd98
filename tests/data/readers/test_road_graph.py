"""From ways to links: lengths, directions, joined stretches, signals, the border, and what is left out."""

from __future__ import annotations

import networkx as nx
import osmnx as ox
import pytest

from data.errors import CityError
from data.readers import road_graph
from data.readers.osm import read_osm

STREET = {"highway": "residential", "name": "Main street"}


def _network(path):
    extract = read_osm(path)
    raw, cut = road_graph.raw_graph(extract)
    graph = road_graph.simplify(raw)
    road_graph.mark_border(graph, cut, extract.box)
    dropped, report = road_graph.Dropped(), {}
    graph = ox.project_graph(road_graph.strongest(graph, dropped))
    nodes, links = road_graph.tables(graph, report)
    return nodes, links, dropped.as_dict(), report


def _ring():
    """A square of 200 m and its two diagonals, two-way: four crossings, twelve links."""
    nodes = {1: (0, 0), 2: (200, 0), 3: (200, 200), 4: (0, 200)}
    pairs = [(1, 2), (2, 3), (3, 4), (4, 1), (1, 3), (2, 4)]
    return nodes, [(list(pair), STREET) for pair in pairs]


def test_a_link_runs_from_crossing_to_crossing_with_its_bends(write_osm):
    """100 m east, then 50 m north, as one link of 150 m in each direction."""
    nodes = {1: (0, 0), 2: (100, 0), 3: (100, 50)}
    _, links, _, _ = _network(write_osm(nodes, [([1, 2, 3], STREET)]))
    assert len(links) == 2
    assert links["length_m"].to_numpy() == pytest.approx([150.0, 150.0], rel=5e-3)
    assert links.geometry.length.to_numpy() == pytest.approx(links["length_m"].to_numpy(), rel=5e-4)
    assert [len(line.coords) for line in links.geometry] == [3, 3]


def test_geometry_starts_at_the_from_node_and_ends_at_the_to_node(write_osm):
    nodes, links, _, _ = _network(write_osm(*_ring()))
    x, y = nodes["x_m"].to_numpy(), nodes["y_m"].to_numpy()
    for row in links.itertuples():
        assert row.geometry.coords[0] == pytest.approx((x[row.from_node_id], y[row.from_node_id]))
        assert row.geometry.coords[-1] == pytest.approx((x[row.to_node_id], y[row.to_node_id]))


def test_speed_of_a_joined_link_is_length_over_time_and_lanes_those_of_most_of_it(write_osm):
    """40 m at 22.5 m/s (81 km/h), 300 m at 12.5 m/s (0.9 x 50 km/h): 340 / (1.78 + 24) = 13.19 m/s; 1 lane.

    40 m are too short to be a link of their own.
    """
    fast = {"highway": "primary", "oneway": "yes", "maxspeed": "81", "lanes": "3"}
    slow = {"highway": "primary", "oneway": "yes", "maxspeed": "50", "lanes": "1"}
    back = {"highway": "primary", "oneway": "yes"}
    nodes = {1: (0, 0), 2: (40, 0), 3: (340, 0), 4: (200, 100), 5: (-50, 0), 6: (450, 0)}
    ways = [([1, 2], fast), ([2, 3], slow), ([3, 4, 1], back), ([5, 1], STREET), ([3, 6], STREET)]
    _, links, _, _ = _network(write_osm(nodes, ways))
    link = links[(links["length_m"] > 330) & (links["length_m"] < 350)].iloc[0]
    assert link["free_flow_speed_mps"] == pytest.approx(340 / (40 / 22.5 + 300 / 12.5), rel=2e-3)
    assert link["lanes"] == 1.0
    assert link["capacity_veh_per_s"] == pytest.approx(1500 / 3600)
    assert link["jam_density_veh_per_m"] == pytest.approx(0.1333)


def test_a_signal_shortly_before_the_end_governs_the_end_in_its_direction_alone(write_osm):
    """The signal stands 15 m before node 3 and faces traffic along the way; 185 m from the other end."""
    nodes, ways = _ring()
    facing = {"highway": "traffic_signals", "traffic_signals:direction": "forward"}
    nodes[9] = (200, 185, facing)
    ways[1] = ([2, 9, 3], STREET)
    node_table, links, _, _ = _network(write_osm(nodes, ways))
    ends = links.loc[links["signal_end"], ["from_node_id", "to_node_id"]].to_numpy().tolist()
    number = {osmid: k for k, osmid in enumerate(node_table["osmid"])}
    assert ends == [[number[2], number[3]]]
    assert node_table.loc[node_table["signal"], "osmid"].tolist() == [3]


def test_a_signal_in_the_middle_of_a_block_governs_no_crossing(write_osm):
    nodes, ways = _ring()
    nodes[9] = (200, 100, {"highway": "traffic_signals"})
    ways[1] = ([2, 9, 3], STREET)
    node_table, links, _, _ = _network(write_osm(nodes, ways))
    assert not links["signal_end"].any()
    assert not node_table["signal"].any()


def test_where_a_way_goes_on_to_a_node_outside_the_file_the_border_is(write_osm):
    nodes, ways = _ring()
    nodes[5] = (100, 100)
    ways += [([2, 777], STREET), ([5, 888], STREET)]  # 777 and 888 are not in the file; 5 is reached by nothing else
    table, _, _, _ = _network(write_osm(nodes, ways))
    assert table.loc[table["border"], "osmid"].tolist() == [2]


def test_one_way_streets_that_lead_in_or_out_at_the_border_stay(write_osm):
    """In at 11, out at 12; without the world outside neither would be strongly connected."""
    nodes, ways = _ring()
    nodes |= {11: (-300, 0), 12: (500, 200)}
    oneway = {"highway": "primary", "oneway": "yes"}
    ways += [([777, 11, 1], oneway), ([3, 12, 888], oneway)]
    table, links, dropped, _ = _network(write_osm(nodes, ways))
    flags = table.set_index("osmid")[["border", "enters", "leaves"]]
    assert flags.loc[11].tolist() == [True, True, False]
    assert flags.loc[12].tolist() == [True, False, True]
    assert sum(entry["links"] for entry in dropped.values()) == 0
    assert len(links) == 14


def test_what_cannot_be_reached_or_left_is_dropped_and_counted(write_osm):
    """A one-way stub deep inside, and an island."""
    nodes, ways = _ring()
    nodes = {k: (4 * x, 4 * y) for k, (x, y) in nodes.items()}
    nodes |= {5: (400, 300), 21: (300, 500), 22: (340, 500), 23: (320, 530)}
    ways += [([3, 5], STREET | {"oneway": "yes"}), ([21, 22, 23, 21], STREET), ([21, 23], STREET)]
    table, _, dropped, _ = _network(write_osm(nodes, ways))
    assert not {5, 21, 22, 23} & set(table["osmid"])
    assert dropped["one-way without return"]["links"] == 1
    assert dropped["cut off from the core"]["nodes"] >= 2
    assert dropped["one-way without return"]["metres"] == pytest.approx(640.3, rel=5e-3)


def test_the_network_without_its_gateways_is_strongly_connected(write_osm):
    table, links, _, _ = _network(write_osm(*_ring()))
    graph = nx.DiGraph(list(zip(links["from_node_id"], links["to_node_id"])))
    assert nx.is_strongly_connected(graph)
    assert len(graph) == len(table)


def test_a_dead_end_at_the_edge_is_border_and_one_inside_is_not(write_osm):
    nodes, ways = _ring()
    nodes = {k: (4 * x, 4 * y) for k, (x, y) in nodes.items()}
    nodes |= {5: (800, 400), 6: (600, 500), 7: (950, 800)}
    ways += [([2, 5, 6], STREET), ([3, 7], STREET)]
    table, _, _, _ = _network(write_osm(nodes, ways))
    assert table.loc[table["border"], "osmid"].tolist() == [7]


def test_a_dead_end_of_a_main_road_is_border_wherever_it_lies(write_osm):
    nodes, ways = _ring()
    nodes = {k: (4 * x, 4 * y) for k, (x, y) in nodes.items()} | {6: (500, 300)}
    table, _, _, _ = _network(write_osm(nodes, [*ways, ([2, 6], {"highway": "primary"})]))
    assert table.loc[table["border"], "osmid"].tolist() == [6]


def test_a_lone_ring_is_no_city(write_osm):
    path = write_osm({1: (0, 0), 2: (100, 0), 3: (50, 80)}, [([1, 2, 3, 1], STREET)])
    with pytest.raises(CityError, match="closed rings"):
        _network(path)


def test_roads_of_which_the_file_holds_no_two_nodes_are_no_city(write_osm):
    with pytest.raises(CityError, match="two nodes inside"):
        _network(write_osm({1: (0, 0)}, [([1, 777], STREET)]))


def test_two_nodes_on_one_spot_make_a_short_link_with_a_sound_speed(write_osm):
    """A node that repeats is passed over; two nodes on one spot are a centimetre, and a link at least 0.1 m."""
    _, links, _, report = _network(write_osm({1: (0, 0), 2: (0, 0)}, [([1, 1, 2], STREET)]))
    assert links["length_m"].tolist() == [0.1, 0.1]
    assert links["free_flow_speed_mps"].to_numpy() == pytest.approx(40 / 3.6)
    assert report["links_under_5_m"] == 2


def test_capacity_yields_where_a_crawling_street_could_not_carry_it(write_osm):
    """0.9 x 5 km/h = 1.25 m/s and 0.1333 veh/m carry at most 0.0833 veh/s without a wave faster than the traffic."""
    nodes, ways = _ring()
    ways[0] = ([1, 2], STREET | {"maxspeed": "5"})
    _, links, _, report = _network(write_osm(nodes, ways))
    assert report["capacity_lowered_links"] == 2
    assert links["capacity_veh_per_s"].min() == pytest.approx(0.5 * 0.1333 * 1.25)


# --- who goes first -------------------------------------------------------------------------------------------------


def _controls(write_osm, nodes, ways):
    """Control by (from, to) in OpenStreetMap's ids, where there is one."""
    node_table, links, _, report = _network(write_osm(nodes, ways))
    osmid = node_table["osmid"].to_numpy()
    ends = zip(osmid[links["from_node_id"]], osmid[links["to_node_id"]])
    return {tuple(map(int, end)): control for end, control in zip(ends, links["control"]) if control}, report, links


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "stop", "direction": "forward"}, {(2, 3): "stop"}),
        ({"highway": "give_way", "direction": "backward"}, {}),  # faces 2, from which it is 185 m away
        ({"highway": "give_way"}, {(2, 3): "give_way"}),  # nearest to 3
        ({"highway": "give_way", "direction": "NE"}, {(2, 3): "give_way"}),
    ],
)
def test_a_sign_governs_the_end_that_it_faces_or_else_the_nearest(write_osm, tags, expected):
    """15 m before node 3, 185 m from node 2."""
    nodes, ways = _ring()
    nodes[9] = (200, 185, tags)
    ways[1] = ([2, 9, 3], STREET)
    assert _controls(write_osm, nodes, ways)[0] == expected


def test_a_sign_far_from_any_junction_governs_none(write_osm):
    """80 m before node 3."""
    nodes, ways = _ring()
    nodes[9] = (200, 120, {"highway": "stop"})
    ways[1] = ([2, 9, 3], STREET)
    assert _controls(write_osm, nodes, ways)[0] == {}


def test_a_stop_on_the_crossing_itself_holds_for_minor_streets_or_for_all_where_they_are_alike(write_osm):
    nodes, ways = _ring()
    nodes[1] = (0, 0, {"highway": "stop"})
    every = {(2, 1): "all_way_stop", (3, 1): "all_way_stop", (4, 1): "all_way_stop"}
    assert _controls(write_osm, nodes, ways)[0] == every
    ways[0] = ([1, 2], {"highway": "primary"})
    assert _controls(write_osm, nodes, ways)[0] == {(3, 1): "stop", (4, 1): "stop"}
    nodes[1] = (0, 0, {"highway": "stop", "stop": "all"})
    assert _controls(write_osm, nodes, ways)[0] == every


def test_a_give_way_sign_on_a_crossing_of_like_streets_tells_nothing_and_is_reported(write_osm):
    nodes, ways = _ring()
    nodes[1] = (0, 0, {"highway": "give_way"})
    controls, report, _ = _controls(write_osm, nodes, ways)
    assert controls == {} and report["unclear_signs"] == 3


def test_roundabouts_priority_roads_and_lanes_to_turn_from_are_kept(write_osm):
    """Three arms at a ring of 30 m; one arm's lanes are tagged, one arm is a priority road."""
    ring = {"highway": "residential", "junction": "roundabout"}
    nodes = {1: (0, 0), 2: (30, 0), 3: (15, 26), 4: (-100, 0), 5: (130, 0), 6: (15, 126)}
    left = STREET | {"lanes": "3", "lanes:forward": "2", "turn:lanes:forward": "left|through;right"}
    ways = [([1, 2, 3, 1], ring), ([4, 1], left), ([5, 2], STREET | {"priority_road": "designated"}), ([6, 3], STREET)]
    controls, report, links = _controls(write_osm, nodes, ways)
    assert links["roundabout"].sum() == 3 and (links.loc[links["roundabout"], "length_m"] < 35).all()
    assert links.loc[links["turn_lanes"] != "", "turn_lanes"].tolist() == ["left|through;right"]
    assert controls == {(5, 2): "priority", (2, 5): "priority"}
    assert report["controls"] == {"priority": 2}


def test_lanes_that_cannot_be_read_are_reported_and_left_out(write_osm):
    nodes, ways = _ring()
    ways[0] = ([1, 2], STREET | {"turn:lanes:forward": "left|wherever", "turn:lanes:backward": "none|none"})
    _, links, _, report = _network(write_osm(nodes, ways))
    assert report["unread_turn_lanes"] == 1 and (links["turn_lanes"] == "").all()
