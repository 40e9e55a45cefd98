"""Time zones by place."""

from __future__ import annotations

import pytest

from data.errors import CityError
from data.timezones import checked_timezone, drives_on_left, timezone_at


@pytest.mark.parametrize(
    ("lat", "lon", "name"),
    [
        (60.17, 24.94, "Europe/Helsinki"), (43.737, 7.422, "Europe/Monaco"), (48.41, 15.61, "Europe/Vienna"),
        (42.53, 1.58, "Europe/Andorra"), (-33.87, 151.21, "Australia/Sydney"), (40.0, -30.0, "Etc/GMT+2"),
    ],
)  # fmt: skip
def test_a_place_knows_its_time_zone(lat, lon, name):
    assert timezone_at(lat, lon) == name


@pytest.mark.parametrize(("lat", "lon"), [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0)])
def test_a_point_off_the_earth_is_refused(lat, lon):
    with pytest.raises(CityError, match="no point on Earth"):
        timezone_at(lat, lon)


def test_names_are_checked():
    assert checked_timezone("UTC") == "UTC"
    for name in ("Europe/Atlantis", "", "../etc/passwd"):
        with pytest.raises(CityError, match="unknown time zone"):
            checked_timezone(name)


def test_the_side_of_the_road_follows_the_country():
    assert drives_on_left("Europe/London")
    assert drives_on_left("Australia/Sydney")
    assert not drives_on_left("Europe/Helsinki")
