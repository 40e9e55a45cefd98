"""People shared among zones by common ground."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from data.errors import InputError
from data.population import shared_population

ZONES = gpd.GeoDataFrame(geometry=[box(0, 0, 10, 10), box(10, 0, 20, 10)], crs="EPSG:32632")


def test_people_follow_the_ground():
    """One district lies half in each zone, one in the second zone alone: 50 and 50 + 30."""
    districts = gpd.GeoDataFrame(
        {"population": [100.0, 30.0]}, geometry=[box(5, 0, 15, 10), box(16, 1, 18, 3)], crs=ZONES.crs
    )
    assert shared_population(districts, ZONES) == pytest.approx([50.0, 80.0])


def test_ground_outside_all_zones_counts_for_those_that_the_district_touches():
    """Three quarters of the district lie beyond the second zone: all 40 people count there; nobody is lost."""
    districts = gpd.GeoDataFrame({"population": [40.0, 7.0]}, geometry=[box(15, 0, 35, 10), box(90, 0, 99, 9)],
                                 crs=ZONES.crs)  # fmt: skip
    assert shared_population(districts, ZONES) == pytest.approx([0.0, 40.0])


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_what_is_no_count_is_refused(bad):
    districts = gpd.GeoDataFrame({"population": [1.0, bad]}, geometry=list(ZONES.geometry), crs=ZONES.crs)
    with pytest.raises(InputError, match="row 1"):
        shared_population(districts, ZONES)
    with pytest.raises(InputError, match="people"):
        shared_population(districts, ZONES, column="people")
