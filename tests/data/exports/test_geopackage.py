"""The GeoPackage export: layers read back and compared with the tables."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from data.errors import InputError
from data.exports.geopackage import FILE, export_geopackage


@pytest.fixture(scope="module")
def path(city, parts, tmp_path_factory):
    results = pd.DataFrame({"link_id": [2, 5], "volume_veh": [10.0, np.nan]})
    hours = pd.DataFrame(
        {"link_id": [2], "hour": [pd.Timestamp("2026-01-26 07:00", tz="UTC")], "flow_veh_per_h": [3.0]}
    )
    chosen = {name: parts[name] for name in ("nodes", "links", "signals", "crs")}
    folder = export_geopackage(
        tmp_path_factory.mktemp("gpkg") / "out", **chosen, zones=city.zones, link_results=results,
        tables={"link_hours": hours},
    )  # fmt: skip
    return folder / FILE


def test_every_layer_is_there(path):
    """Five layers and a table."""
    names = {str(name) for name, _ in pyogrio.list_layers(path)}
    assert names == {"nodes", "links", "zones", "signals", "link_results", "link_hours"}


@pytest.mark.parametrize("name", ["nodes", "links", "zones"])
def test_tables_come_back_as_they_were(path, city, name):
    """Same rows, same columns, same values, same shapes."""
    own, back = getattr(city, name), gpd.read_file(path, layer=name)
    assert list(back.columns) == list(dict.fromkeys([*own.columns, "geometry"])) or set(own.columns) <= set(
        back.columns
    )
    for column in own.columns:
        if column == "geometry":
            assert (back.geometry.to_numpy() == own.geometry.to_numpy()).all()
        elif pd.api.types.is_float_dtype(own[column]):
            np.testing.assert_array_equal(back[column], own[column])
        else:
            assert back[column].tolist() == own[column].tolist()
    assert str(back.crs) == city.crs


def test_signals_stand_at_the_stop_lines(path, city):
    """The point is the end of the link, its node."""
    back = gpd.read_file(path, layer="signals")
    columns = ["link_id", "green_start_s", "green_s"]
    pd.testing.assert_frame_equal(pd.DataFrame(back[columns]), city.signals[columns], check_dtype=False)
    node = city.nodes.set_index("node_id").loc[12]
    assert np.allclose(back.geometry.x, node["x_m"]) and np.allclose(back.geometry.y, node["y_m"])


def test_results_lie_on_their_links(path, city):
    """Two links with results, geometry and names of theirs."""
    back = gpd.read_file(path, layer="link_results")
    assert (
        back["link_id"].tolist() == [2, 5]
        and back["volume_veh"].iloc[0] == 10.0
        and np.isnan(back["volume_veh"].iloc[1])
    )
    assert (back.geometry.to_numpy() == city.links.geometry.iloc[[2, 5]].to_numpy()).all()
    hours = pyogrio.read_dataframe(path, layer="link_hours")
    assert hours["flow_veh_per_h"].tolist() == [3.0]
    assert pd.Timestamp(hours["hour"].iloc[0]).tz_convert("UTC") == pd.Timestamp("2026-01-26 07:00", tz="UTC")


def test_an_earlier_export_is_kept_unless_forced(path, city, parts):
    """Refused, and the file is as it was; then replaced."""
    before = path.read_bytes()
    chosen = {name: parts[name] for name in ("nodes", "links", "signals", "crs")}
    with pytest.raises(InputError, match="--force"):
        export_geopackage(path.parent, **chosen, zones=city.zones)
    assert path.read_bytes() == before
