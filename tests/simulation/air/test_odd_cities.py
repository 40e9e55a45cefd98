"""Cities that a planner may bring: one zone, a zone without streets, links of a metre, the other hemisphere."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from simulation.air import synthetic_weather
from simulation.air.model import AirModel
from simulation.air.street.walls import street_walls


def healthy(air):
    """Finite, not negative, NO2 within NOx and PM2.5 within PM10, and no more than 2 mg/m3 of anything."""
    nox, no2, _, pm25, pm10 = air.receptors.T
    assert np.isfinite(air.receptors).all() and (air.receptors >= 0).all() and (air.receptors < 2000).all()
    assert (no2 <= nox * (1 + 1e-9)).all() and (pm25 <= pm10 * (1 + 1e-9)).all()
    for name in ("nox", "no2", "o3", "pm25", "pm10"):
        assert np.isfinite(getattr(air, f"{name}_ug_per_m3")).all()


def one_zone(toy_air):
    """The toy town as a single zone."""
    shape = toy_air.zones.geometry.union_all()
    zones = gpd.GeoDataFrame(
        toy_air.zones.iloc[:1].assign(area_m2=shape.area, x_m=shape.centroid.x, y_m=shape.centroid.y, geometry=[shape]),
        crs=toy_air.zones.crs,
    )
    return {
        "zones": zones, "adjacency": toy_air.adjacency.iloc[:0], "link_zone": toy_air.link_zone.assign(zone_id="Z01")
    }  # fmt: skip


def model_of(toy_air, **changes):
    from simulation.air import default_fleet

    told = {
        "zones": toy_air.zones, "adjacency": toy_air.adjacency, "link_zone": toy_air.link_zone, "links": toy_air.links,
        "fleet": default_fleet(), "weather": toy_air.weather, "seed": 7, "start": toy_air.weather["time"].iloc[0],
        "latitude": 60.17,
    }  # fmt: skip
    told.update(changes)
    tables = [told.pop(name) for name in ("zones", "adjacency", "link_zone", "links")]
    return AirModel(*tables, **told)


def test_a_city_of_one_zone(toy_air):
    model = model_of(toy_air, **one_zone(toy_air))
    for number in range(24):
        air = model.step(toy_air.interval(number))
        healthy(air)
    assert air.nox_g.shape == (1,) and np.abs(model.imbalance()).max() < 1e-9
    smooth = model.field_of(model.field.receptors, smooth=True)
    np.testing.assert_allclose(model.now_at(smooth), air.receptors)


def test_a_zone_without_streets_breathes_its_background(toy_air):
    """Z04's links belong to Z03: Z04 has no facade, and its air is that of its box."""
    home = toy_air.link_zone.assign(zone_id=toy_air.link_zone["zone_id"].replace("Z04", "Z03"))
    model = model_of(toy_air, link_zone=home)
    for number in range(30, 36):
        air = model.step(toy_air.interval(number))
        healthy(air)
    assert air.nox_g[3] == 0.0
    np.testing.assert_allclose(air.pm10_ug_per_m3[3], model._last[1][3, 4])
    assert air.pm10_ug_per_m3[3] < air.pm10_ug_per_m3[:3].min()


@pytest.mark.parametrize("start", ["2025-01-13", "2025-07-14"])
@pytest.mark.parametrize("latitude", [-37.8, 0.0, 69.6])
def test_winter_and_summer_north_and_south(toy_air, latitude, start):
    begin = pd.Timestamp(start, tz="UTC")
    weather = synthetic_weather(latitude, begin, 2, 7, longitude=24.94)
    model = model_of(toy_air, weather=weather, start=begin, latitude=latitude)
    for number in range(96):
        healthy(model.step(toy_air.interval(number)))
    assert np.abs(model.imbalance()).max() < 1e-9


@pytest.mark.parametrize("wind_mps", [0.0, 0.3, 25.0])
def test_wind_from_everywhere_calm_and_storm(toy_air, wind_mps):
    """Each direction for an hour, with walls and without, and the books stay closed."""
    for walls in (None, toy_air.walls(height_m=18.0, width_m=18.0)):
        turning = toy_air.weather.assign(
            wind_dir_deg=np.arange(len(toy_air.weather)) * 17.0 % 360.0, wind_speed_mps=wind_mps
        )
        model = model_of(toy_air, weather=turning, walls=walls)
        for number in range(96):
            healthy(model.step(toy_air.interval(number)))
        assert np.abs(model.imbalance()).max() < 1e-9


def test_links_of_a_metre_and_no_buildings(toy_air):
    """The first ten streets shrink to 1 m; the same vehicles pass them, so the grams of a link fall with its length."""
    from shapely.geometry import LineString

    links = toy_air.links.copy()
    lines = list(links.geometry)
    for k in range(10):
        begin, end = np.array(lines[k].coords[0]), np.array(lines[k].coords[-1])
        lines[k] = LineString([begin, begin + (end - begin) / np.hypot(*(end - begin))])
    links = links.set_geometry(lines, crs=links.crs)
    links["length_m"] = links.geometry.length
    walls = street_walls(links, None)
    assert not walls["canyon"].any()
    model = model_of(toy_air, links=links, walls=walls)
    for number in range(30, 36):
        interval = toy_air.interval(number)
        for array in (interval.vehicle_distance_m, interval.vehicle_time_s, interval.speed_distance_m):
            array[:10] /= 200.0
        healthy(model.step(interval))
    assert np.abs(model.imbalance()).max() < 1e-9
