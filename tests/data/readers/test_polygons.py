"""Zone polygons from files, and what is wrong with some of them."""

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely.geometry import Point, Polygon, box

from data.errors import FileFormatError, InputError
from data.readers.polygons import read_polygons

ZONES = gpd.GeoDataFrame(
    {"name": ["West", "East"]}, geometry=[box(24, 60, 24.1, 60.1), box(24.1, 60, 24.2, 60.1)], crs=4326
)


@pytest.mark.parametrize("name", ["zones.geojson", "zones.gpkg"])
def test_polygons_come_back_with_their_names(tmp_path, name):
    ZONES.to_file(tmp_path / name)
    read = read_polygons(tmp_path / name)
    assert read["name"].tolist() == ["West", "East"]
    assert read.crs == ZONES.crs
    assert read.geometry.geom_equals(ZONES.geometry).all()


def test_a_geoparquet_file_is_read_too(tmp_path):
    ZONES.to_parquet(tmp_path / "zones.parquet")
    assert len(read_polygons(tmp_path / "zones.parquet")) == 2


def test_a_layer_is_asked_for_where_there_are_several(tmp_path):
    ZONES.to_file(tmp_path / "zones.gpkg", layer="districts")
    ZONES.head(1).to_file(tmp_path / "zones.gpkg", layer="wards")
    with pytest.raises(InputError, match="districts, wards"):
        read_polygons(tmp_path / "zones.gpkg")
    with pytest.raises(InputError, match="no layer 'blocks'"):
        read_polygons(tmp_path / "zones.gpkg", layer="blocks")
    assert len(read_polygons(tmp_path / "zones.gpkg", layer="wards")) == 1


def test_every_faulty_shape_is_named(tmp_path):
    bow_tie = Polygon([(24, 60), (24.1, 60.1), (24.1, 60), (24, 60.1)])
    path = tmp_path / "bad.geojson"
    gpd.GeoDataFrame(geometry=[bow_tie, Point(24, 60)], crs=4326).to_file(path)
    with pytest.raises(InputError, match=r"2 fault.*shape 0 is invalid.*shape 1 is a Point"):
        read_polygons(path)


def test_a_file_without_a_coordinate_system_is_refused(tmp_path):
    path = tmp_path / "zones.gpkg"
    gpd.GeoDataFrame(geometry=ZONES.geometry.to_numpy()).to_file(path)
    with pytest.raises(InputError, match="no coordinate system"):
        read_polygons(path)


def test_a_file_that_is_no_map_is_reported(tmp_path):
    path = tmp_path / "zones.geojson"
    path.write_text("{ not json")
    with pytest.raises(FileFormatError, match="cannot be read as polygons"):
        read_polygons(path)


def test_a_missing_file_names_the_formats(tmp_path):
    with pytest.raises(InputError, match=r"\.gpkg"):
        read_polygons(tmp_path / "none.gpkg")


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"NAME": ["A", "B"], "district": ["C", "D"]}, ["A", "B"]),
        ({"nr": [1, 2], "district": ["Stein", "Mitterau"]}, ["Stein", "Mitterau"]),
        ({"kind": ["town", "town"], "district": ["Stein", "Mitterau"]}, ["Stein", "Mitterau"]),
    ],
)
def test_a_name_is_the_property_called_so_or_the_only_text_that_differs(tmp_path, columns, names):
    gpd.GeoDataFrame(columns, geometry=ZONES.geometry, crs=4326).to_file(tmp_path / "zones.geojson")
    assert read_polygons(tmp_path / "zones.geojson")["name"].tolist() == names


@pytest.mark.parametrize("columns", [{"nr": [1, 2]}, {"district": ["A", "B"], "mayor": ["C", "D"]}])
def test_without_a_clear_name_there_is_none_and_it_is_told(tmp_path, caplog, columns):
    gpd.GeoDataFrame(columns, geometry=ZONES.geometry, crs=4326).to_file(tmp_path / "zones.geojson")
    assert "name" not in read_polygons(tmp_path / "zones.geojson").columns
    assert "no property 'name'" in caplog.text


def test_people_of_the_polygons_are_kept(tmp_path):
    """A column `population` in any spelling; what is no number of people is told."""
    file = tmp_path / "districts.geojson"
    shapes = [box(0, 0, 1, 1), box(1, 0, 2, 1)]
    table = gpd.GeoDataFrame({"name": ["a", "b"], "Population": [1200, 0]}, geometry=shapes, crs="EPSG:4326")
    table.to_file(file)
    assert read_polygons(file)["population"].tolist() == [1200.0, 0.0]
    table.assign(Population=["1200", "-3"]).to_file(file)
    with pytest.raises(InputError, match=r"no number of people.*-3"):
        read_polygons(file)
