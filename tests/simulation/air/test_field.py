"""The air at receptors, part by part: one open road, one canyon, both directions of a street, and no jumps."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString

from simulation.air.background import SPECIES
from simulation.air.boundary_layer import class_layers
from simulation.air.chemistry import UG_PER_PPB_NO2, UG_PER_PPB_O3, street_no2
from simulation.air.dispersion import Pairs, fast_line
from simulation.air.field import (
    ROAD_HEIGHT_M,
    ROAD_SIGMA_Z_M,
    AirHour,
    Field,
    StreetTraffic,
    road_sources,
    to_reference,
)
from simulation.air.street.ospm import ospm
from simulation.link_state import N_CLASSES, N_SPEED_BINS, LinkInterval

NOX, NO2, O3, PM25, PM10 = range(len(SPECIES))
LAYERS = class_layers(0.5)
BACKGROUND = np.array([[12.0, 9.0, 60.0, 6.0, 10.0], [20.0, 14.0, 50.0, 8.0, 13.0]])
ZONES = pd.DataFrame({"zone_id": ["Z1", "Z2"], "x_m": [0.0, 5000.0], "y_m": [0.0, 0.0]})
HOUR = AirHour(
    wind_dir_deg=270.0, wind_10m_mps=4.0, wind_roof_mps=5.0, stability=3, u_star_mps=0.4, radiation_w_per_m2=200.0,
    temperature_k=283.15,
)  # fmt: skip
EMISSION = np.array([4e-4, 8e-5, 1e-5, 2e-5])  # g/m/s of NOx, NO2, PM2.5, PM10
H, W = 20.0, 18.0


def roads(*lines):
    table = gpd.GeoDataFrame({"link_id": range(len(lines))}, geometry=[LineString(line) for line in lines])
    return table.assign(length_m=table.geometry.length)


def walls(links, canyon, street, street_m):
    """All of one height and width; bearing of each link."""
    step = np.array([np.subtract(line.coords[-1], line.coords[0]) for line in links.geometry])
    return pd.DataFrame(
        {
            "link_id": links["link_id"], "street": street, "street_m": street_m, "canyon": canyon,
            "height_m": np.where(canyon, H, np.nan), "width_m": np.where(canyon, W, np.nan),
            "angle_deg": np.degrees(np.arctan2(step[:, 0], step[:, 1])) % 360.0, "end_m": 80.0,
        }
    )  # fmt: skip


def receptors(*rows):
    """Each row: x, y, z, link, side; in Z1."""
    table = pd.DataFrame(rows, columns=["x_m", "y_m", "z_m", "link_id", "side"])
    names = [f"P{k}" for k in range(len(table))]
    return table.assign(receptor_id=names, kind="facade", zone_id="Z1")


def field(links, places, table=None, **kw):
    return Field(places, road_sources(links, table), links, table, ZONES, LAYERS, **kw)


def traffic(n, emission=EMISSION, light=900.0, heavy=60.0):
    one = np.ones((n, 1))
    return StreetTraffic(
        emission=one * emission, flow_veh_per_h=one * [light, heavy], speed_kmh=one * [35.0, 28.0]
    )  # fmt: skip


def plume(line, place, *, height_m=ROAD_HEIGHT_M, sigma_z0_m=ROAD_SIGMA_Z_M, hour=HOUR):
    """R-LINE of one straight line at one point, s/m2 at the hour's u*."""
    (x0, y0), (x1, y1) = line
    pair = Pairs(
        x0_m=x0, y0_m=y0, x1_m=x1, y1_m=y1, receptor_x_m=place[0], receptor_y_m=place[1], receptor_z_m=place[2],
        height_m=height_m, sigma_z0_m=sigma_z0_m,
    )  # fmt: skip
    return float(fast_line(pair, LAYERS[hour.stability], wind_dir_deg=hour.wind_dir_deg).ravel()[0]) / hour.u_star_mps


ROAD = [(0.0, -100.0), (0.0, 100.0)]


@pytest.mark.parametrize("place", [(15.0, 0.0, 2.0), (-15.0, 20.0, 2.0), (120.0, -60.0, 3.0)])
def test_beside_one_open_road_the_air_is_background_and_rline(place):
    """PM is not rescaled; NOx counts at 293.15 K: 283.15 / 293.15 of its mass in the air as it is. No other part."""
    links = roads(ROAD)
    found = field(links, receptors((*place, -1, 0))).concentrations(HOUR, BACKGROUND, traffic(1))[0]
    unit = plume(ROAD, place) * 1e6
    assert unit * EMISSION[3] > 0.05  # ug/m3: the road is felt
    assert found[PM25] == pytest.approx(6.0 + unit * 1e-5, rel=1e-3)
    assert found[PM10] == pytest.approx(10.0 + unit * 2e-5, rel=1e-3)
    assert found[NOX] == pytest.approx(12.0 + unit * 4e-4 * 283.15 / 293.15, rel=1e-3)
    assert found[NO2] + found[O3] * UG_PER_PPB_NO2 / UG_PER_PPB_O3 == pytest.approx(
        9.0 + unit * 8e-5 * 283.15 / 293.15 + 60.0 * UG_PER_PPB_NO2 / UG_PER_PPB_O3, rel=1e-3
    )


def test_beyond_the_cutoff_there_is_the_background_alone():
    """600 m downwind; NO2 and ozone of the background react on."""
    found = field(roads(ROAD), receptors((600.0, 0.0, 2.0, -1, 0))).concentrations(HOUR, BACKGROUND, traffic(1))[0]
    np.testing.assert_array_equal(found[[NOX, PM25, PM10]], BACKGROUND[0, [NOX, PM25, PM10]])


@pytest.mark.parametrize("wind_dir_deg", [270.0, 90.0, 0.0, 235.0])
def test_in_one_canyon_the_air_is_background_and_ospm_of_the_right_side(wind_dir_deg):
    """A street to the north; west is left of it. Its own plume over the roofs does not count a second time."""
    links = roads(ROAD)
    table = walls(links, [True], [0], [200.0])
    hour = replace(HOUR, wind_dir_deg=wind_dir_deg)
    places = receptors((-9.0, 0.0, 2.0, 0, 1), (9.0, 0.0, 2.0, 0, -1))
    found = field(links, places, table).concentrations(hour, BACKGROUND, traffic(1))
    unit = ospm(
        height_m=H, width_m=W, angle_deg=0.0, end_m=80.0, wind_roof_mps=5.0, wind_dir_deg=wind_dir_deg,
        light_veh_per_h=900.0, heavy_veh_per_h=60.0, light_speed_kmh=35.0, heavy_speed_kmh=28.0,
    )  # fmt: skip
    left, right = float(unit.left), float(unit.right)
    np.testing.assert_allclose(found[:, PM10], 10.0 + 20.0 * np.array([left, right]), rtol=1e-12)
    np.testing.assert_allclose(found[:, NOX], 12.0 + 400.0 * np.array([left, right]) * 283.15 / 293.15, rtol=1e-12)
    if wind_dir_deg == 270.0:
        assert left > 1.5 * right  # the wall upwind is in the lee
    if wind_dir_deg == 90.0:
        assert right > 1.5 * left


def test_the_second_of_two_opposite_links_has_its_left_on_the_other_side():
    """A link to the south: its left is east. With west wind the lee is west, on its right."""
    links = roads(ROAD[::-1])
    places = receptors((-9.0, 0.0, 2.0, 0, -1), (9.0, 0.0, 2.0, 0, 1))
    found = field(links, places, walls(links, [True], [0], [200.0])).concentrations(HOUR, BACKGROUND, traffic(1))
    ahead = roads(ROAD)
    same = receptors((-9.0, 0.0, 2.0, 0, 1), (9.0, 0.0, 2.0, 0, -1))
    other = field(ahead, same, walls(ahead, [True], [0], [200.0])).concentrations(HOUR, BACKGROUND, traffic(1))
    np.testing.assert_allclose(found, other, rtol=1e-12)


def test_both_directions_of_a_street_emit_into_one_canyon():
    """Two links of half the traffic and emission give the same as one with all of it. A third link, of another
    street, adds nothing to OSPM.
    """
    one, two = roads(ROAD), roads(ROAD, ROAD[::-1])
    place = receptors((-9.0, 0.0, 2.0, 0, 1))
    whole = field(one, place, walls(one, [True], [0], [200.0])).concentrations(HOUR, BACKGROUND, traffic(1))
    halves = field(two, place, walls(two, [True, True], [0, 0], [200.0, 200.0])).concentrations(
        HOUR, BACKGROUND, traffic(2, EMISSION / 2, 450.0, 30.0)
    )
    np.testing.assert_allclose(halves, whole, rtol=1e-12)
    three = roads(ROAD, ROAD[::-1], [(3000.0, 0.0), (3000.0, 200.0)])
    far = field(three, place, walls(three, [True] * 3, [0, 0, 1], [200.0] * 3)).concentrations(
        HOUR, BACKGROUND, traffic(3, EMISSION / 2, 450.0, 30.0)
    )
    np.testing.assert_allclose(far, whole, rtol=1e-12)


def test_links_in_a_row_that_make_one_canyon_emit_over_all_of_it():
    """Links of 100 m in a row, together one canyon of 200 m: 1 and 3 times the emission make 2 times, per metre."""
    links = roads([(0.0, -100.0), (0.0, 0.0)], [(0.0, 0.0), (0.0, 100.0)])
    place = receptors((-9.0, -50.0, 2.0, 0, 1))
    given = traffic(2)
    given = replace(given, emission=given.emission * [[1.0], [3.0]])
    found = field(links, place, walls(links, [True] * 2, [0, 0], [200.0] * 2)).concentrations(HOUR, BACKGROUND, given)
    one = roads(ROAD)
    whole = field(one, place, walls(one, [True], [0], [200.0])).concentrations(
        HOUR, BACKGROUND, traffic(1, 2.0 * EMISSION)
    )
    np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_a_canyon_gets_the_air_of_other_streets_over_its_roofs():
    """An open road 60 m upwind adds its plume at roof height, 20 m, not at the receptor's 2 m."""
    links = roads(ROAD, [(-60.0, -100.0), (-60.0, 100.0)])
    places = receptors((9.0, 0.0, 2.0, 0, -1))
    table = walls(links, [True, False], [0, 1], [200.0, 200.0])
    here = field(links, places, table).concentrations(HOUR, BACKGROUND, traffic(2))
    quiet = traffic(2)
    quiet.emission[1] = 0.0
    alone = field(links, places, table).concentrations(HOUR, BACKGROUND, quiet)
    unit = plume([(-60.0, -100.0), (-60.0, 100.0)], (9.0, 0.0, H)) * 1e6
    assert here[0, PM10] - alone[0, PM10] == pytest.approx(unit * 2e-5, rel=2e-3)
    assert unit < 0.8 * plume([(-60.0, -100.0), (-60.0, 100.0)], (9.0, 0.0, 2.0)) * 1e6


def test_from_outside_a_canyon_s_exhaust_comes_out_at_half_its_height():
    """100 m downwind of a canyon of 20 m: a source 10 m high with a spread of 20 / 2.15 m."""
    links = roads(ROAD)
    found = field(links, receptors((100.0, 0.0, 2.0, -1, 0)), walls(links, [True], [0], [200.0])).concentrations(
        HOUR, BACKGROUND, traffic(1)
    )[0]
    unit = plume(ROAD, (100.0, 0.0, 2.0), height_m=10.0, sigma_z0_m=20.0 / 2.15) * 1e6
    assert found[PM10] == pytest.approx(10.0 + unit * 2e-5, rel=1e-3)
    assert unit * EMISSION[3] > 0.05


def test_no2_and_ozone_are_those_of_the_street_balance():
    """In the canyon for H / s_wt, in the open for the time that a plume takes to 50 m: as `street_no2` by itself."""
    links = roads(ROAD, [(400.0, -100.0), (400.0, 100.0)])
    places = receptors((-9.0, 0.0, 2.0, 0, 1), (415.0, 0.0, 2.0, -1, 0))
    model = field(links, places, walls(links, [True, False], [0, 1], [200.0, 200.0]))
    found = model.concentrations(HOUR, BACKGROUND, traffic(2))
    unit = ospm(
        height_m=H, width_m=W, angle_deg=0.0, end_m=80.0, wind_roof_mps=5.0, wind_dir_deg=270.0,
        light_veh_per_h=900.0, heavy_veh_per_h=60.0, light_speed_kmh=35.0, heavy_speed_kmh=28.0,
    )  # fmt: skip
    for row, stay in ((0, float(unit.residence_s)), (1, model.plumes.travel_s(50.0, stability=3) / 0.4)):
        nox = found[row, NOX]
        mixed = 9.0 + (nox - 12.0) * 0.2  # a fifth of what the streets emit is NO2
        no2, o3 = street_no2(
            nox / UG_PER_PPB_NO2, mixed / UG_PER_PPB_NO2, 60.0 / UG_PER_PPB_O3, radiation=200.0, temperature_k=283.15,
            residence_s=stay,
        )  # fmt: skip
        np.testing.assert_allclose(found[row, [NO2, O3]], [no2 * UG_PER_PPB_NO2, o3 * UG_PER_PPB_O3], rtol=1e-9)
    assert 20.0 < float(unit.residence_s) < 90.0


def test_plumes_move_evenly_as_the_wind_turns():
    """All around in half degrees, at an open front and at both of a canyon: no step moves PM10 by more than a tenth of
    its whole range, and 360 degrees are 0.
    """
    links = roads(ROAD, [(-60.0, -100.0), (-60.0, 100.0)])
    places = receptors((-9.0, 0.0, 2.0, 0, 1), (9.0, 0.0, 2.0, 0, -1), (-45.0, 0.0, 2.0, -1, 0))
    model = field(links, places, walls(links, [True, False], [0, 1], [200.0, 200.0]))
    angles = np.arange(0.0, 360.5, 0.5)
    around = np.stack(
        [model.concentrations(replace(HOUR, wind_dir_deg=a), BACKGROUND, traffic(2))[:, PM10] for a in angles]
    )
    assert (np.abs(np.diff(around, axis=0)).max(axis=0) < 0.1 * np.ptp(around, axis=0)).all()
    np.testing.assert_allclose(around[-1], around[0], rtol=1e-9)


def test_a_receptor_breathes_its_own_zone_unless_the_field_is_smooth():
    """Half way between two zones' centres: the first zone's background, or the mean of both."""
    links = roads([(0.0, 3000.0), (0.0, 3010.0)])
    place = receptors((2500.0, 0.0, 2.0, -1, 0))
    own, smooth = (
        field(links, place, smooth=blend).concentrations(HOUR, BACKGROUND, traffic(1))[0] for blend in (False, True)
    )
    assert own[PM10] == 10.0
    assert smooth[PM10] == pytest.approx(11.5)


@pytest.mark.parametrize("stability", range(6))
@pytest.mark.parametrize("u_star_mps", [0.02, 0.3, 1.5])
def test_calm_and_storm_in_every_class_give_finite_air(stability, u_star_mps):
    """Also without any traffic in the canyon, where nothing but the wind stirs."""
    links = roads(ROAD, [(-60.0, -100.0), (-60.0, 100.0)])
    places = receptors((-9.0, 0.0, 2.0, 0, 1), (-45.0, 0.0, 2.0, -1, 0))
    model = field(links, places, walls(links, [True, False], [0, 1], [200.0, 200.0]))
    hour = replace(HOUR, stability=stability, u_star_mps=u_star_mps, wind_roof_mps=5.0 * u_star_mps)
    for given in (traffic(2), traffic(2, light=0.0, heavy=0.0), traffic(2, 0.0 * EMISSION, 0.0, 0.0)):
        air = model.concentrations(hour, BACKGROUND, given)
        assert np.isfinite(air).all() and (air >= 0).all()
        assert (air[:, NO2] <= air[:, NOX] * (1 + 1e-12)).all()


def test_traffic_of_a_link_by_hand():
    """A link of 200 m, 15 minutes: 20 cars and vans and 2 lorries drive all of it, in 40 and 60 s each.

    Flow 22 x 4 an hour: 80 light, 8 heavy; speeds 18 and 12 km/h; 9 g of NOx are 9 / (200 x 900) g/m/s.
    """
    metres = np.array([[3000.0, 1000.0, 400.0, 0.0]])
    interval = LinkInterval(
        start_s=0.0, step_s=900.0, vehicle_distance_m=metres, vehicle_time_s=np.array([[600.0, 200.0, 120.0, 0.0]]),
        inflow_veh=0.0 * metres, outflow_veh=0.0 * metres, queue_veh=0.0 * metres,
        speed_distance_m=np.zeros((1, N_CLASSES, N_SPEED_BINS)),
    )  # fmt: skip
    told = StreetTraffic.of(interval, np.array([[9.0, 1.8, 0.3, 0.6, 500.0]]), np.array([200.0]))
    np.testing.assert_allclose(told.flow_veh_per_h, [[80.0, 8.0]])
    np.testing.assert_allclose(told.speed_kmh, [[18.0, 12.0]])
    np.testing.assert_allclose(told.emission, np.array([[9.0, 1.8, 0.3, 0.6]]) / 180_000.0)
    assert to_reference(293.15).tolist() == [1.0] * 5
