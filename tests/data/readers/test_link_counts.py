"""Counts on links: by id or place, averaged over weekdays, faults named."""

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from data.errors import FileFormatError
from data.readers.link_counts import read_link_counts, read_link_speeds

#: Two directions of a street that runs 200 m to the east, in UTM zone 33 (15 E is at x = 500,000 m).
LINKS = gpd.GeoDataFrame(
    {"link_id": [0, 1]},
    geometry=[
        shapely.LineString([(500_000, 5_300_000), (500_200, 5_300_000)]),
        shapely.LineString([(500_200, 5_300_000), (500_000, 5_300_000)]),
    ],
    crs="EPSG:32633",
)


def written(tmp_path, text):
    (tmp_path / "c.csv").write_text(text)
    return tmp_path / "c.csv"


def test_weekdays_of_an_hour_are_averaged_and_weekends_left_out(tmp_path):
    """Monday 100 and Tuesday 200 make 150 of 2 days; Saturday the 31st counts for nothing."""
    text = "time,link_id,veh_per_h\n2026-01-26 08:00,1,100\n2026-01-27 08:15,1,200\n2026-01-31 08:00,1,9999\n"
    found = read_link_counts(written(tmp_path, text), LINKS)
    assert found.to_dict("records") == [{"link_id": 1, "hour": 8, "veh_per_h": 150.0, "days": 2}]


def test_a_place_and_a_bearing_name_the_direction(tmp_path):
    """At the middle of the street: 90 degrees is link 0, 270 link 1, whatever the order of columns."""
    lon, lat = gpd.GeoSeries([shapely.Point(500_100, 5_300_004)], crs=LINKS.crs).to_crs(4326).get_coordinates().iloc[0]
    text = f"veh_per_h,bearing,lat,lon,hour\n5,270,{lat},{lon},7\n6,90,{lat},{lon},7\n"
    found = read_link_counts(written(tmp_path, text), LINKS)
    assert found[["link_id", "veh_per_h"]].to_numpy().tolist() == [[0, 6.0], [1, 5.0]]


def test_a_counter_that_no_street_passes_is_named(tmp_path):
    """15.5 E is 37 km away."""
    with pytest.raises(FileFormatError, match=r"1 row\(s\) lie on no link"):
        read_link_counts(written(tmp_path, "lon,lat,bearing,hour,veh_per_h\n15.5,47.85,90,7,5\n"), LINKS)


def test_every_fault_is_named(tmp_path):
    """A negative count, an unknown link, hour 24."""
    text = "link_id,hour,veh_per_h\n7,24,-1\n"
    with pytest.raises(FileFormatError, match=r"(?s)veh_per_h.*hour.*unknown link_id"):
        read_link_counts(written(tmp_path, text), LINKS)
    with pytest.raises(FileFormatError, match=r"(?s)link_id.*hour.*veh_per_h"):
        read_link_counts(written(tmp_path, "a,b\n1,2\n"), LINKS)


def test_permuted_rows_read_the_same(tmp_path):
    """Two rows in either order."""
    one = read_link_counts(written(tmp_path, "link_id,hour,veh_per_h\n0,7,5\n1,8,6\n"), LINKS)
    two = read_link_counts(written(tmp_path, "link_id,hour,veh_per_h\n1,8,6\n0,7,5\n"), LINKS)
    pd.testing.assert_frame_equal(one, two)


def test_speeds_of_an_hour_are_averaged_by_the_time_they_take(tmp_path):
    """36 and 72 km/h are 10 and 20 m/s: 1 km takes 100 and 50 s, so 2 km in 150 s are 13.33 m/s; a 0 is no speed."""
    text = "time,link_id,speed_kmh\n2026-01-26 08:00,1,36\n2026-01-27 08:15,1,72\n2026-01-28 08:15,1,0\n"
    found = read_link_speeds(written(tmp_path, text), LINKS)
    assert found[["link_id", "hour", "days"]].to_numpy().tolist() == [[1, 8, 2]]
    assert found["speed_mps"].iloc[0] == pytest.approx(2000 / 150)


def test_a_speed_in_two_units_is_refused(tmp_path):
    """Kilometres and miles an hour beside each other: which is meant?"""
    with pytest.raises(FileFormatError, match="say the same"):
        read_link_speeds(written(tmp_path, "link_id,hour,speed_kmh,speed_mph\n1,8,50,31\n"), LINKS)
