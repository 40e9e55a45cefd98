"""Assignment problems as cities: units, lanes, junctions by capacity, nodes that no route passes, and clear errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.cities import load_city
from data.errors import CityError, FileFormatError
from data.readers.tntp_city import read_tntp_city
from simulation.traffic.junctions import junction_rules

SETTINGS = 'crs = "EPSG:4326"\nlength_unit = "mi"\ntime_unit = "min"\ncapacity_unit = "veh/h"\n'
NODES = "node X Y ;\n1 -87.60 41.90 ;\n2 -87.50 41.90 ;\n3 -87.58 41.90 ;\n4 -87.52 41.90 ;\n5 -87.55 41.95 ;\n"
#: Zones 1 and 2 hang on 3 and 4, which two roads join: straight, and by way of 5.
LINKS = (
    (1, 3, 49_500, 1.0, 0.0), (3, 1, 49_500, 1.0, 0.0), (2, 4, 49_500, 1.0, 0.0), (4, 2, 49_500, 1.0, 0.0),
    (3, 4, 1_800, 2.0, 3.0), (4, 3, 1_800, 2.0, 3.0), (3, 5, 3_600, 3.0, 3.0), (5, 4, 3_600, 0.0, 3.0),
    (4, 5, 900, 3.0, 9.0), (5, 5, 900, 1.0, 1.0),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = "".join(f"{a} {b} {cap} {miles} {minutes} 0.15 4 0 0 1 ;\n" for a, b, cap, miles, minutes in LINKS)
    head = f"<NUMBER OF ZONES> 2\n<NUMBER OF NODES> 5\n<FIRST THRU NODE> 3\n<NUMBER OF LINKS> {len(LINKS)}\n"
    (tmp_path / "Five_net.tntp").write_text(head + "<END OF METADATA>\n" + rows)
    (tmp_path / "Five_node.tntp").write_text(NODES)
    (tmp_path / "city.toml").write_text(SETTINGS)
    return tmp_path


def test_units_become_metres_and_seconds(folder):
    """2 miles in 3 minutes are 3218.7 m at 17.9 m/s; 1,800 veh/h are 0.5 veh/s on one lane, 3,600 two lanes."""
    links = read_tntp_city(folder).links.set_index(["from_node_id", "to_node_id"])
    road = links.loc[(3, 4)]
    assert road["length_m"] == pytest.approx(2 * 1609.344)
    assert road["free_flow_speed_mps"] == pytest.approx(2 * 1609.344 / 180)
    assert (road["capacity_veh_per_s"], road["lanes"]) == (pytest.approx(0.5), 1.0)
    assert links.loc[(3, 5), "lanes"] == 2.0


def test_what_the_file_leaves_out_is_assumed_and_counted(folder):
    """A link without length is as long as the line between its nodes; one without time is driven at 50 km/h."""
    found = read_tntp_city(folder)
    links = found.links.set_index(["from_node_id", "to_node_id"])
    at = found.nodes.set_index("node_id")[["x_m", "y_m"]]
    assert links.loc[(5, 4), "length_m"] == pytest.approx(np.hypot(*(at.loc[5] - at.loc[4])))
    assert links.loc[(1, 3), "free_flow_speed_mps"] == pytest.approx(50 / 3.6)
    assert found.report["changed"]["loops left out"] == 1
    assert found.report["changed"]["capacity_veh_per_s held within 0.01 and 10"] == 4


def test_a_unit_may_be_a_number(folder):
    (folder / "city.toml").write_text(SETTINGS.replace('"mi"', "1000"))
    assert read_tntp_city(folder).links["length_m"].iloc[4] == pytest.approx(2000.0)


def test_no_route_passes_a_zone_and_junctions_let_through_what_links_do(folder):
    """At nodes 3 and 4, where three roads of one rank meet, nobody gives way; at 1 and 2 one can only turn round."""
    city = load_city(folder)
    ends = city.links.set_index("link_id")[["from_node_id", "to_node_id"]]
    at = ends.loc[city.turns["from_link_id"], "to_node_id"].to_numpy()
    back = ends.loc[city.turns["from_link_id"], "from_node_id"].to_numpy()
    into = ends.loc[city.turns["to_link_id"], "to_node_id"].to_numpy()
    assert (into[at <= 2] == back[at <= 2]).all()
    signals = city.links[["link_id"]].head(0).assign(node_id=0)
    flow = np.full(len(city.links), 0.5)
    rules = junction_rules(city.links, city.turns, signals, saturation_veh_per_s=flow)
    assert (rules.report["gives_way"], rules.report["equal_junctions"]) == (0, 0)
    plain = junction_rules(city.links.assign(control=""), city.turns, signals, saturation_veh_per_s=flow)
    assert plain.report["gives_way"] + plain.report["equal_junctions"] > 0
    assert city.given_zones["name"].tolist() == ["1", "2"]
    assert city.timezone == "America/Chicago"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SETTINGS.replace('"mi"', '"league"'), "length_unit is 'league'; allowed are 'mi'"),
        (SETTINGS.replace('"min"', "-3"), "time_unit is -3"),
        (SETTINGS.replace("EPSG:4326", "EPSG:0"), "crs is 'EPSG:0'"),
        (SETTINGS.replace("EPSG:4326", "EPSG:32616"), "as long as the lines between their nodes"),
        (SETTINGS + 'lanes = "two"\n', "['lanes'] are not known"),
        (SETTINGS + "timezone = 3\n", "timezone is 3"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_told(folder, text, found):
    (folder / "city.toml").write_text(text)
    with pytest.raises(CityError, match=found.replace("[", r"\[").replace("]", r"\]")):
        read_tntp_city(folder)


def test_a_time_zone_that_does_not_exist_is_told(folder):
    (folder / "city.toml").write_text(SETTINGS + 'timezone = "Mars/Olympus"\n')
    with pytest.raises(CityError, match="Mars/Olympus"):
        load_city(folder)


def test_it_has_no_street_graph_of_osmnx(folder):
    with pytest.raises(CityError, match="made of tables"):
        load_city(folder).load_graph()


def test_absent_files_are_told_at_once(folder):
    for name in ("Five_node.tntp", "city.toml"):
        (folder / name).unlink()
    with pytest.raises(CityError, match=r"\*_node\.tntp.*city\.toml"):
        load_city(folder)


def test_a_node_without_a_place_is_told(folder):
    (folder / "Five_node.tntp").write_text(NODES.replace("5 -87.55 41.95 ;\n", ""))
    with pytest.raises(FileFormatError, match=r"lacks 1 node.*\[5\]"):
        read_tntp_city(folder)
