"""From traffic to equivalent levels: one road by hand, sums, silence, batches, bad input."""

from types import SimpleNamespace

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from data.toy import toy_links
from simulation.air.dispersion.line_sources import LineSources
from simulation.link_state import N_SPEED_BINS, LinkInterval
from simulation.noise.cnossos import A_WEIGHT_DB, class_categories, line_level, vehicle_level
from simulation.noise.errors import NoiseError
from simulation.noise.levels import BACKGROUND_DB, NoiseModel, flow_and_speed

N_CLASSES = len(VEHICLE_CLASSES)
CAR = VEHICLE_CLASSES.index("car")


def roads(n):
    """n parallel roads of 1 km, 50 m apart."""
    y = 50.0 * np.arange(n)
    return SimpleNamespace(x0_m=np.full(n, -500.0), y0_m=y, x1_m=np.full(n, 500.0), y1_m=y, link=np.arange(n))


def model(n=1, receptors=((0.0, 20.0, 4.0),), **options):
    """Free field without background, unless told."""
    return NoiseModel(roads(n), n, np.array(receptors), **{"background_db": None, **options})


def traffic(n, flow, speed=50.0):
    """The same flow of cars and speed on n roads."""
    flows = np.zeros((n, N_CLASSES))
    flows[:, CAR] = flow
    return flows, np.full((n, N_CLASSES), speed)


def by_hand(town, flow, speed, temperature):
    """Sum over octaves and classes of power and transfer, from the public formulas."""
    energy = 0.0
    for parts, q, v in zip(class_categories().values(), flow, speed):
        for category, share in parts:
            if q > 0:
                level = line_level(vehicle_level(category, v, temperature_c=temperature), q * share, v) + A_WEIGHT_DB
                energy += (10 ** (level / 10) * town.transfer.matrix.toarray()[0]).sum()
    return 10 * np.log10(energy)


@pytest.mark.parametrize(("speed", "temperature"), [(50.0, 20.0), (33.37, 5.0), (88.8, 31.0), (12.0, -10.0)])
def test_one_road_of_mixed_traffic_equals_the_sum_by_hand(speed, temperature):
    """Cars, vans, lorries and buses at their own speeds; the speed table interpolates within 0.002 dB."""
    town = model()
    flow, speeds = np.array([[700.0, 90.0, 40.0, 12.0]]), speed + np.array([[0.0, -2.0, -8.0, -11.9]])
    found = town.levels(flow, speeds, temperature)
    assert found[0] == pytest.approx(by_hand(town, flow[0], speeds[0], temperature), abs=2e-3)


def test_twice_the_traffic_is_three_decibels_more():
    """10 lg 2 = 3.0103 dB without background."""
    town = model()
    once, twice = town.levels(*traffic(1, 400.0)), town.levels(*traffic(1, 800.0))
    assert (twice - once)[0] == pytest.approx(10 * np.log10(2), abs=1e-4)


def test_roads_add_by_energy():
    """Three roads together equal the energy sum of each alone."""
    town = model(3, receptors=((0.0, 20.0, 4.0), (30.0, 70.0, 4.0)))
    flows, speeds = traffic(3, 500.0)
    alone = np.array([town.levels(flows * (np.arange(3) == k)[:, None], speeds) for k in range(3)])
    together = 10 * np.log10((10 ** (alone / 10)).sum(axis=0))
    np.testing.assert_allclose(town.levels(flows, speeds), together, atol=1e-4)


def test_a_street_s_level_is_where_measurements_lie():
    """1,000 cars/h at 50 km/h, 20 m off: 81.45 - 10 lg(2 x 20.4) = 65.3 dB(A) of an endless road; its ends and
    the air take some tenths."""
    assert 64.5 < model().levels(*traffic(1, 1000.0))[0] < 65.3


def test_zero_traffic_leaves_the_background_or_nothing():
    """No vehicles and no speeds: 30 dB(A), or -inf without background."""
    flow, speed = np.zeros((1, N_CLASSES)), np.full((1, N_CLASSES), np.nan)
    assert model(background_db=BACKGROUND_DB).levels(flow, speed)[0] == pytest.approx(BACKGROUND_DB)
    assert np.isneginf(model().levels(flow, speed)[0])


def test_a_batch_of_hours_equals_one_hour_after_the_other():
    """130 hours of random traffic, over the block size: the same levels within float32."""
    rng = np.random.default_rng(4)
    town = model(5, receptors=((0.0, 20.0, 4.0), (100.0, 60.0, 4.0)))
    flow, speed = rng.uniform(0, 900, (130, 5, N_CLASSES)), rng.uniform(5, 140, (130, 5, N_CLASSES))
    warm = rng.uniform(-5, 30, 130)
    many = town.levels(flow, speed, warm)
    single = np.array([town.levels(flow[t], speed[t], warm[t]) for t in range(130)])
    np.testing.assert_allclose(many, single, atol=1e-4)


def test_a_facade_nearer_the_road_is_louder_and_one_behind_houses_quieter():
    """Levels fall with distance; density of buildings only ever lowers them."""
    places = tuple((0.0, -y, 4.0) for y in (10.0, 30.0, 90.0, 270.0))
    free, built = model(1, places), model(1, places, building_density=0.35)
    flows = traffic(1, 600.0)
    assert (np.diff(free.levels(*flows)) < 0).all()
    assert (built.levels(*flows) <= free.levels(*flows) + 1e-6).all()


def test_junctions_raise_a_slow_street():
    """At 30 km/h a car's propulsion outweighs what a gain of 2 on it and 0.62 on rolling changes: louder by 0..3 dB."""
    gain = np.ones((2, 1, N_CLASSES)) * np.array([0.62267, 2.01207])[:, None, None]
    rise = model(junction_gain=gain).levels(*traffic(1, 300.0, 25.0)) - model().levels(*traffic(1, 300.0, 25.0))
    assert 0.0 < rise[0] < 10 * np.log10(2.01207)


def test_flow_and_speed_of_an_interval():
    """Link of 200 m, 900 s: 10 km by cars is 50 vehicles, 200 veh/h; in 1,200 s that is 30 km/h. Nobody: no speed."""
    distance, time = np.zeros((1, N_CLASSES)), np.zeros((1, N_CLASSES))
    distance[0, CAR], time[0, CAR] = 10_000.0, 1_200.0
    interval = LinkInterval(
        start_s=0.0, step_s=900.0, vehicle_distance_m=distance, vehicle_time_s=time, inflow_veh=0 * time,
        outflow_veh=0 * time, queue_veh=0 * time, speed_distance_m=np.zeros((1, N_CLASSES, N_SPEED_BINS)),
    )  # fmt: skip
    flow, speed = flow_and_speed(interval, np.array([200.0]))
    assert flow[0, CAR] == pytest.approx(200.0) and speed[0, CAR] == pytest.approx(30.0)
    assert flow[0].sum() == flow[0, CAR] and np.isnan(np.delete(speed[0], CAR)).all()
    with pytest.raises(NoiseError, match="above 0 m"):
        flow_and_speed(interval, np.array([0.0]))


def test_every_fault_of_traffic_is_named_at_once():
    """A negative flow, a missing speed of moving cars and a missing temperature: three complaints; a fifth class: the
    shape that is wanted."""
    flow, speed = traffic(1, 100.0)
    flow[0, 1], speed[0, CAR] = -1.0, np.nan
    with pytest.raises(NoiseError, match=r"1 flows.*1 speeds.*temperature"):
        model().levels(flow, speed, np.nan)
    with pytest.raises(NoiseError, match="car, van, heavy, bus"):
        model().levels(np.zeros((1, 5)), np.zeros((1, 5)))
    with pytest.raises(NoiseError, match="junction_gain"):
        model(junction_gain=np.zeros((2, 1, N_CLASSES)))


def test_line_sources_of_a_town_s_links_feed_the_model():
    """The toy town with 200 cars/h and direction: 55 to 70 dB(A) at every corner house, 4 m up, 10 m off a crossing."""
    links = toy_links()
    sources = LineSources.from_links(links, height_m=0.5, sigma_z0_m=1.2)
    town = NoiseModel(sources, len(links), np.array([[10.0, 10.0, 4.0], [410.0, 410.0, 4.0]]))
    found = town.levels(*traffic(len(links), 200.0))
    assert ((found > 55) & (found < 70)).all()
