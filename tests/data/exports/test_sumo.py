"""The SUMO export: read back from the plain files, from netconvert's network, and driven in SUMO itself."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.exports.sumo import export_sumo
from data.exports.sumo_network import lane_connections, lane_count
from data.exports.sumo_signals import phases
from simulation.traffic.network import core_links, turn_index

START = pd.Timestamp("2026-01-26", tz="UTC")


def tool(name):
    """Path of a SUMO program; skips where it is not installed."""
    path = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if path is None:
        pytest.skip(f"no {name}; 'pip install eclipse-sumo' brings it")
    return path


def run(program, *arguments, folder):
    done = subprocess.run([tool(program), *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def trips(city):
    """Three hundred trips in ten minutes between streets that all lead to each other, of every class."""
    rng = np.random.default_rng(4)
    core = core_links(turn_index(city.turns, len(city.links)))
    usable = np.setdiff1d(np.flatnonzero(core), [city.loop])
    ends = rng.choice(usable, (300, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    table = pd.DataFrame({
        "depart_s": np.sort(rng.uniform(0, 600, len(ends))), "origin_link_id": ends[:, 0], "dest_link_id": ends[:, 1],
        "vehicle_class": rng.choice(["car", "van", "heavy", "bus"], len(ends)),
    })  # fmt: skip
    banned = (table["vehicle_class"] == "heavy") & (table[["origin_link_id", "dest_link_id"]] == 30).any(axis=1)
    return table[~banned].reset_index(drop=True)


@pytest.fixture(scope="module")
def folder(parts, trips, tmp_path_factory):
    return export_sumo(tmp_path_factory.mktemp("sumo") / "out", **parts, trips=trips, closed=[(30, 2)])


@pytest.fixture(scope="module")
def net(folder):
    """The network that netconvert makes."""
    run("netconvert", "-c", "city.netccfg", folder=folder)
    return ET.parse(folder / "city.net.xml").getroot()


def read(folder, name):
    return ET.parse(folder / name).getroot()


def test_every_link_is_an_edge_with_its_length_speed_and_lanes(city, folder):
    """Read back: exact; the loop is two edges of half its length; names survive quotes and brackets."""
    edges = {e.get("id"): e for e in read(folder, "city.edg.xml")}
    assert len(edges) == len(city.links) + 1
    for link in city.links.itertuples():
        edge = edges[str(link.link_id)]
        loop = link.link_id == city.loop
        assert float(edge.get("length")) == pytest.approx(link.length_m / (2 if loop else 1), abs=1e-6)
        assert float(edge.get("speed")) == pytest.approx(link.free_flow_speed_mps, abs=1e-6)
        assert int(edge.get("numLanes")) == link.lanes and edge.get("name") == link.name
        assert edge.get("from") == str(link.from_node_id)
        assert edge.get("to") == (f"loop.{city.loop}" if loop else str(link.to_node_id))
    assert edges[f"{city.loop}.2"].get("to") == "12" and edges[str(city.loop)].get("name") == 'Ring "A" & <B>'
    assert edges["30"].get("disallow") == "trailer truck" and edges["4"].get("disallow") is None
    assert edges["0"].get("spreadType") == "center" and edges["5"].get("spreadType") == "right"


def test_junctions_stand_where_the_nodes_are(city, folder):
    """Coordinates to a micrometre; one traffic light."""
    nodes = {n.get("id"): n for n in read(folder, "city.nod.xml").iter("node")}
    for node in city.nodes.itertuples():
        assert float(nodes[str(node.node_id)].get("x")) == pytest.approx(node.x_m, abs=1e-6)
        assert float(nodes[str(node.node_id)].get("y")) == pytest.approx(node.y_m, abs=1e-6)
    assert [n for n, node in nodes.items() if node.get("type") == "traffic_light"] == ["12"]


def movements(rows):
    return {(c.get("from"), c.get("to")) for c in rows if c.get("to")}


def expected(city):
    last = {city.loop: f"{city.loop}.2"}
    pairs = {(last.get(a, str(a)), str(b)) for a, b in zip(city.turns["from_link_id"], city.turns["to_link_id"])}
    return pairs | {(str(city.loop), f"{city.loop}.2")}


def test_the_movements_are_those_of_the_turns_and_no_others(city, folder):
    """The banned left turn is not among them; each lane of a link and each turn has a connection."""
    rows = list(read(folder, "city.con.xml"))
    assert movements(rows) == expected(city)
    assert tuple(map(str, city.banned)) not in movements(rows)
    lanes = {(c.get("from"), c.get("fromLane")) for c in rows}
    for link in city.turns["from_link_id"].unique():
        if link != city.loop:
            assert {(str(link), str(k)) for k in range(int(city.links["lanes"][link]))} <= lanes


def test_netconvert_keeps_streets_movements_and_lights(city, net):
    """In its network: every edge's length, speed and lanes; the movements, nothing more; one light on 12."""
    edges = {e.get("id"): e for e in net.iter("edge") if e.get("function") != "internal"}
    assert len(edges) == len(city.links) + 1
    for link in city.links.itertuples():
        lanes = edges[str(link.link_id)].findall("lane")
        share = 2 if link.link_id == city.loop else 1
        assert len(lanes) == link.lanes
        assert all(float(lane.get("length")) == pytest.approx(link.length_m / share, abs=0.011) for lane in lanes)
        assert all(float(lane.get("speed")) == pytest.approx(link.free_flow_speed_mps, abs=0.011) for lane in lanes)
    inside = {e.get("id") for e in net.iter("edge") if e.get("function") == "internal"}
    rows = [c for c in net.iter("connection") if c.get("from") not in inside]
    assert movements(rows) == expected(city)
    assert {t.get("id") for t in net.iter("tlLogic")} == {"12"}
    (program,) = net.iter("tlLogic")
    assert sum(float(p.get("duration")) for p in program) == 80.0
    (place,) = net.iter("location")
    assert "utm" in place.get("projParameter")


def test_each_link_is_green_in_sumo_when_its_plan_says(city, net):
    """At every second of the cycle: `G` or `g` on all its movements in its green, else not."""
    (program,) = net.iter("tlLogic")
    ends = np.cumsum([float(p.get("duration")) for p in program])
    states = [p.get("state") for p in program]
    plans = city.signals.set_index("link_id")
    wired = [c for c in net.iter("connection") if c.get("tl") == "12"]
    assert {int(c.get("from").split(".")[0]) for c in wired} >= set(plans.index)
    for at in np.arange(0.5, 80.0, 1.0):
        state = states[int(np.searchsorted(ends, at, side="right"))]
        for connection in wired:
            link = int(connection.get("from").split(".")[0])
            shown = state[int(connection.get("linkIndex"))]
            if link == city.loop:
                assert shown == "g"
            else:
                plan = plans.loc[link]
                green = (at - plan["green_start_s"]) % plan["cycle_s"] < plan["green_s"]
                assert (shown in "Gg") == green


def test_sumo_drives_every_trip_to_its_end(folder, net, trips):
    """All vehicles arrive on the edge they were going to; nobody is teleported or refused."""
    done = run("sumo", "-c", "city.sumocfg", "--tripinfo-output", "trips.xml", "--no-step-log", folder=folder)
    told = {t.get("id"): t for t in read(folder, "trips.xml").iter("tripinfo")}
    assert len(told) == len(trips) and "eleport" not in done.stderr and "Error" not in done.stderr
    for k, trip in enumerate(trips.itertuples()):
        assert told[str(k)].get("departLane").rsplit("_", 1)[0] == str(trip.origin_link_id)
        assert told[str(k)].get("arrivalLane").rsplit("_", 1)[0] == str(trip.dest_link_id)
        assert told[str(k)].get("vType") == trip.vehicle_class


def test_a_trip_with_a_path_drives_it(city, parts, tmp_path):
    """A path over the loop and on: SUMO's record of the route names the same edges; the other trip finds its own."""
    into = int(city.turns.loc[city.turns["to_link_id"] == city.loop, "from_link_id"].iloc[0])
    out = int(city.turns.loc[city.turns["from_link_id"] == city.loop, "to_link_id"].iloc[0])
    trips = pd.DataFrame({
        "depart_s": [0.0, 1.0], "origin_link_id": [into, into], "dest_link_id": [out, out],
        "vehicle_class": ["car", "car"],
    })  # fmt: skip
    paths = np.array([into, city.loop, out]), np.array([0, 3, 3])
    folder = export_sumo(tmp_path / "out", **parts, trips=trips, paths=paths)
    run("netconvert", "-c", "city.netccfg", folder=folder)
    run("sumo", "-c", "city.sumocfg", "--vehroute-output", "ways.xml", "--no-step-log", folder=folder)
    ways = {v.get("id"): v.find("route").get("edges").split() for v in read(folder, "ways.xml").iter("vehicle")}
    assert ways["0"] == [str(into), str(city.loop), f"{city.loop}.2", str(out)]
    assert ways["1"][0] == str(into) and ways["1"][-1] == str(out)


def test_left_hand_traffic_is_mirrored(city, parts):
    """Angles to the left come first at the kerb: the lanes of the mirrored turns of right-hand traffic."""
    links, turns = city.links, city.turns
    left = lane_connections(links, turns, drives_on_left=True)
    mirrored = lane_connections(links, turns.assign(angle_deg=-turns["angle_deg"]), drives_on_left=False)

    def rows(c):
        return set(zip(c.from_link, c.to_link, c.from_lane, c.to_lane))

    assert rows(left) == rows(mirrored) != rows(lane_connections(links, turns, drives_on_left=False))


@pytest.mark.parametrize(
    ("own", "turns", "lanes"),
    [
        (1, [(-90, 1), (0, 1), (90, 1)], [[0], [0], [0]]),
        (2, [(-90, 1), (0, 2), (90, 1)], [[0], [0, 1], [1]]),
        (3, [(-90, 1), (0, 1), (90, 1)], [[0], [1], [2]]),
        (3, [(-90, 1), (0, 2)], [[0], [1, 2]]),
        (4, [(0, 2)], [[0, 1, 2, 3]]),
        (2, [(-90, 1), (90, 1)], [[0], [1]]),
    ],
)
def test_lanes_are_shared_out_from_the_kerb(own, turns, lanes):
    """Turns by angle (right is negative) with the lanes of the streets they lead into."""
    n = len(turns)
    lanes_of = [float(own), *(float(room) for _, room in turns)]
    links = pd.DataFrame({"link_id": range(n + 1), "lanes": lanes_of, "length_m": 200.0})
    table = pd.DataFrame({"from_link_id": 0, "to_link_id": range(1, n + 1), "angle_deg": [float(a) for a, _ in turns]})
    made = lane_connections(links, table, drives_on_left=False)
    for k in range(n):
        assert sorted(made.from_lane[made.to_link == k + 1].tolist()) == lanes[k]
    assert (made.to_lane < lane_count(links)[made.to_link]).all()


def test_a_short_street_is_entered_in_all_its_lanes():
    """Two lanes into four: on 60 m one lane each, side by side, and vehicles change lanes there; 16 m are too short,
    so the outer arriving lane leads into the three on its side too."""
    table = pd.DataFrame({"from_link_id": [0], "to_link_id": [1], "angle_deg": [-5.0]})
    pairs = {}
    for length in (60.0, 16.0):
        links = pd.DataFrame({"link_id": [0, 1], "lanes": [2.0, 4.0], "length_m": [200.0, length]})
        made = lane_connections(links, table, drives_on_left=False)
        pairs[length] = sorted(zip(made.from_lane.tolist(), made.to_lane.tolist()))
    assert pairs == {60.0: [(0, 0), (1, 1)], 16.0: [(0, 0), (1, 1), (1, 2), (1, 3)]}


def test_two_streams_never_have_right_of_way_into_one_lane(city):
    """In no phase do two connections with `G` lead into the same lane."""
    made = lane_connections(city.links, city.turns, drives_on_left=False)
    rows = np.flatnonzero(city.links["to_node_id"].to_numpy()[made.from_link] == 12)
    plans = city.signals.set_index("link_id").assign(yellow_s=3.0)
    for _, state in phases(plans, made, rows):
        passing = [row for row, shown in zip(rows, state) if shown == "G"]
        targets = [(made.to_link[row], made.to_lane[row]) for row in passing]
        assert len(targets) == len(set(targets))


def test_yellow_fills_the_time_lost_after_green():
    """Cycle 60 s, green 0-26 s and 30-56 s: 26 s G, 3 s y, 1 s r, and the other way round."""
    links = pd.DataFrame({"link_id": range(4), "lanes": 1.0, "length_m": 200.0})
    table = pd.DataFrame({"from_link_id": [0, 1], "to_link_id": [2, 3], "angle_deg": [0.0, 0.0]})
    made = lane_connections(links, table, drives_on_left=False)
    plans = pd.DataFrame(
        {"cycle_s": 60.0, "green_start_s": [0.0, 30.0], "green_s": 26.0, "yellow_s": 3.0}, index=[0, 1]
    )
    told = phases(plans, made, np.array([0, 1]))
    assert told == [(26.0, "Gr"), (3.0, "yr"), (1.0, "rr"), (26.0, "rG"), (3.0, "ry"), (1.0, "rr")]


def test_flows_are_given_along(parts, tmp_path):
    """Two classes on one link add up: 12 vehicles in, 3,000 m in 300 s are 10 m/s."""
    state = pd.DataFrame({
        "link_id": [5, 5, 6], "time": [START, START, START + pd.Timedelta(seconds=900)],
        "vehicle_class": ["car", "bus", "car"], "vehicle_distance_m": [2000.0, 1000.0, 50.0],
        "vehicle_time_s": [200.0, 100.0, 10.0], "inflow_veh": [8.0, 4.0, 1.0], "outflow_veh": [7.0, 4.0, 0.0],
        "queue_veh": 0.0,
    })  # fmt: skip
    folder = export_sumo(tmp_path / "out", **parts, link_state=state, start=START)
    first, second = read(folder, "city.flows.xml")
    assert (first.get("begin"), first.get("end"), second.get("begin")) == ("0.0", "900.0", "900.0")
    (edge,) = first
    assert (edge.get("id"), edge.get("entered"), edge.get("left")) == ("5", "12", "11")
    assert float(edge.get("speed")) == 10.0 and float(edge.get("sampledSeconds")) == 300.0
    assert not (folder / "city.rou.xml").exists()


def test_all_faults_are_named_at_once(parts, tmp_path):
    """A trip from nowhere, of no class, at a negative time, and paths of another number of trips."""
    trips = pd.DataFrame({
        "depart_s": [-5.0], "origin_link_id": [9999], "dest_link_id": [1], "vehicle_class": ["tank"],
    })  # fmt: skip
    with pytest.raises(InputError) as error:
        export_sumo(tmp_path / "out", **parts, trips=trips, paths=(np.zeros(0), np.zeros(4)))
    trips = pd.DataFrame({
        "depart_s": [1.0], "origin_link_id": [3], "dest_link_id": [1], "vehicle_class": ["heavy"],
    })  # fmt: skip
    with pytest.raises(InputError, match=r"1 trip.s. that start or end on a link closed to their class, first trip 0"):
        export_sumo(tmp_path / "out", **parts, trips=trips, closed=[(3, 2)])
    for words in ("origin_link_id outside", "-5 s", "['tank']", "paths of 3 trips, 1 trips given"):
        assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_signals_of_two_cycles_at_a_junction_are_refused(city, parts, tmp_path):
    """SUMO has one cycle a junction: node 12 is named."""
    signals = city.signals.copy()
    signals.loc[0, "cycle_s"] = 60.0
    with pytest.raises(InputError, match=r"first \[12\]"):
        export_sumo(tmp_path / "out", **{**parts, "signals": signals})
