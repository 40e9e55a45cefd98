"""The GMNS export: read back and compared with the tables; keys hold; units are declared."""

import numpy as np
import pandas as pd
import pytest
import shapely

from data.exports.gmns import export_gmns


@pytest.fixture(scope="module")
def tables(city, parts, tmp_path_factory):
    results = pd.DataFrame({"link_id": [0, 1], "volume_veh": [10.0, 20.0]})
    folder = export_gmns(
        tmp_path_factory.mktemp("gmns") / "out", name="Toy", zones=city.zones, link_results=results, **parts
    )
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def test_units_are_declared(tables, city):
    """Kilometres, metres, km/h, and the coordinate system."""
    (config,) = tables["config"].to_dict("records")
    assert (config["long_length"], config["short_length"], config["speed"]) == ("km", "m", "km/h")
    assert config["crs"] == city.crs and config["dataset_name"] == "Toy" and config["id_type"] == "string"


def test_links_come_back_as_they_were(tables, city):
    """Length, speed, capacity a lane and hour, jam density, names and geometry, converted back to the table's units."""
    link, own = tables["link"], city.links
    assert (link["link_id"] == own["link_id"]).all() and link["directed"].all()
    assert (link["from_node_id"] == own["from_node_id"]).all() and (link["to_node_id"] == own["to_node_id"]).all()
    np.testing.assert_allclose(link["length"] * 1000, own["length_m"])
    np.testing.assert_allclose(link["free_speed"] / 3.6, own["free_flow_speed_mps"])
    np.testing.assert_allclose(link["capacity"] * link["lanes"] / 3600, own["capacity_veh_per_s"])
    np.testing.assert_allclose(link["opt_jam_density_veh_per_km"] / 1000, own["jam_density_veh_per_m"])
    assert (link["name"] == own["name"]).all() and (link["facility_type"] == own["road_class"]).all()
    away = shapely.hausdorff_distance(shapely.from_wkt(link["geometry"].to_numpy(object)), own.geometry.to_numpy())
    assert (away < 0.01).all()


def test_nodes_and_zones_come_back_as_they_were(tables, city):
    """Coordinates, the one signal, polygons."""
    node = tables["node"]
    np.testing.assert_allclose(node[["x_coord", "y_coord"]], city.nodes[["x_m", "y_m"]])
    assert node.loc[node["ctrl_type"] == "signal", "node_id"].tolist() == [12]
    row, col = np.divmod(np.arange(25), 5)  # the middle street is the border: it belongs to the first zone
    assert node["zone_id"].tolist() == np.array([["Z01", "Z02"], ["Z03", "Z04"]])[(row > 2) * 1, (col > 2) * 1].tolist()
    zone = tables["zone"]
    assert zone["zone_id"].tolist() == city.zones["zone_id"].tolist()
    areas = shapely.area(shapely.from_wkt(zone["boundary"].to_numpy(object)))
    assert areas == pytest.approx(city.zones.area.to_numpy())


def test_movements_are_the_allowed_turns(tables, city):
    """Every turn, at the node where its link ends, with its penalty and kind; none else."""
    movement = tables["movement"]
    assert movement["mvmt_id"].is_unique
    pairs = set(zip(movement["ib_link_id"], movement["ob_link_id"]))
    assert pairs == set(zip(city.turns["from_link_id"], city.turns["to_link_id"])) and city.banned not in pairs
    np.testing.assert_array_equal(movement["node_id"], city.links["to_node_id"].to_numpy()[movement["ib_link_id"]])
    np.testing.assert_array_equal(movement["node_id"], city.links["from_node_id"].to_numpy()[movement["ob_link_id"]])
    np.testing.assert_allclose(movement["penalty"], city.turns["penalty_s"])
    left = movement["type"] == "left"
    assert (movement["opt_angle_deg"][left] > 45).all() and set(movement["type"]) <= {"left", "right", "thru", "uturn"}


def test_signal_tables_tell_each_links_green(tables, city):
    """Followed through the keys: movement -> phase -> plan -> coordination give back cycle, begin and length of green.
    Two phases: 10-50 s and 54-86 s of 80 s, with 4 s lost after each."""
    phase = tables["signal_timing_phase"].merge(tables["signal_timing_plan"], on="timing_plan_id")
    phase = phase.merge(tables["signal_coordination"][["timing_plan_id", "offset"]], on="timing_plan_id")
    assert phase["signal_phase_num"].tolist() == [1, 2] and phase["clearance"].tolist() == [4.0, 4.0]
    assert phase["offset"].tolist() == [10.0, 10.0] and phase["controller_id"].tolist() == [12, 12]
    start = 10.0 + np.concatenate([[0.0], np.cumsum(phase["min_green"] + phase["clearance"])[:-1]])
    assert start.tolist() == phase["opt_green_start_s"].tolist() == [10.0, 54.0]
    served = tables["signal_phase_mvmt"].merge(tables["movement"], on="mvmt_id").merge(phase, on="timing_phase_id")
    for plan in city.signals.itertuples():
        rows = served[served["ib_link_id"] == plan.link_id]
        assert len(rows) == (city.turns["from_link_id"] == plan.link_id).sum()
        assert (rows["opt_green_start_s"] == plan.green_start_s).all() and (rows["min_green"] == plan.green_s).all()
        assert (rows["cycle_length"] == plan.cycle_s).all()
    assert set(tables["signal_controller"]["controller_id"]) == {12}


def test_results_are_given_along(tables):
    """As they are, under a name that says it is an addition."""
    assert tables["opt_link_results"]["volume_veh"].tolist() == [10.0, 20.0]


def test_a_city_without_signals_has_no_signal_tables(city, parts, tmp_path):
    """The files of the specification that it has rows for."""
    folder = export_gmns(tmp_path / "out", name="Toy", zones=city.zones, **{**parts, "signals": city.signals.iloc[:0]})
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.csv", "node.csv", "link.csv", "movement.csv", "zone.csv", "export.json"}
