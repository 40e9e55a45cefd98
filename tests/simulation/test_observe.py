"""Sensors of the toy town: places, noise, faults, the filter, and what zones know from them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import SENSOR_STATE, SENSORS, TARGETS, validate
from simulation.air.receptors import stations
from simulation.errors import RunError
from simulation.observe import FAULTS, SensorNetwork, SensorQuality, SensorSample, place_sensors
from zones.rollup import sensor_rollup

START = pd.Timestamp("2025-03-03", tz="UTC")
SILENT = SensorQuality(outages_per_day=0.0, stuck_per_day=0.0, spikes_per_reading=0.0)


@pytest.fixture(scope="module")
def sensors(toy_air):
    return place_sensors(toy_air.links, toy_air.zones, toy_air.link_zone, seed=1)


@pytest.fixture(scope="module")
def truth(toy_air):
    """Two days of intervals and their air."""
    sensors = place_sensors(toy_air.links, toy_air.zones, toy_air.link_zone, seed=1)
    model = toy_air.model(receptors=stations(sensors, toy_air.links))
    intervals = [toy_air.interval(number) for number in range(192)]
    return [(interval, model.step(interval)) for interval in intervals]


def network(toy_air, sensors, *, start=START, seed=1, **kw):
    receptors = stations(place_sensors(toy_air.links, toy_air.zones, toy_air.link_zone, seed=1), toy_air.links)
    told = {"receptors": receptors, **kw}
    return SensorNetwork(sensors, toy_air.links, toy_air.zones, seed=seed, start=start, step_s=900.0, **told)


def readings(net, truth):
    return [net.sample(interval, air) for interval, air in truth]


def test_every_zone_has_a_sensor_and_two_thirds_have_air(toy_air, sensors):
    table = validate(sensors, SENSORS)
    assert set(table["zone_id"]) == set(toy_air.zones["zone_id"])
    assert (table["kind"] == "air").sum() == 3
    loops = table[table["kind"] == "loop"]
    assert loops["link_id"].is_unique and (loops.groupby("zone_id").size() == 3).all()
    capacity = toy_air.links["capacity_veh_per_s"].to_numpy()
    best = toy_air.link_zone.groupby("zone_id")["link_id"].apply(lambda ids: capacity[ids].max())
    first = loops.drop_duplicates("zone_id").set_index("zone_id")["link_id"]
    np.testing.assert_array_equal(capacity[first], best.loc[first.index])


def test_loops_stand_in_their_zone(toy_air, sensors):
    """Their middle, in degrees, is within half a zone's diagonal of the zone's centre."""
    centre = toy_air.zones.set_index("zone_id").loc[sensors["zone_id"]]
    north = (sensors["lat"].to_numpy() - centre["lat"].to_numpy()) * 111_195.0
    east = (sensors["lon"].to_numpy() - centre["lon"].to_numpy()) * 111_195.0 * np.cos(np.radians(60.17))
    assert (np.hypot(east, north) <= 285.0).all()
    assert np.hypot(east, north).max() > 100.0


def test_a_zone_without_streets_gets_an_air_station(toy_air):
    cut = toy_air.link_zone[toy_air.link_zone["zone_id"] != "Z03"]
    table = place_sensors(toy_air.links, toy_air.zones, cut, seed=1, air_share=0.01)
    assert table.loc[table["zone_id"] == "Z03", "kind"].tolist() == ["air"]


def test_two_runs_joined_report_the_same_bit_for_bit(toy_air, sensors, truth):
    whole = readings(network(toy_air, sensors), truth)
    first = network(toy_air, sensors)
    readings(first, truth[:100])
    second = network(toy_air, sensors, start=START + pd.Timedelta(minutes=15 * 100))
    second.restore(first.state())
    for (interval, air), expected in zip(truth[100:], whole[100:]):
        found = second.sample(replace(interval, start_s=interval.start_s - 90_000.0), air)
        np.testing.assert_array_equal(found.values, expected.values)
        np.testing.assert_array_equal(found.fault, expected.fault)


def test_one_sensor_more_changes_no_other_reading(toy_air, sensors, truth):
    """Readings hang on the sensor's name, not on its place in the table."""
    fewer = sensors.drop(index=[0, 4]).reset_index(drop=True)
    all_of_them, some = readings(network(toy_air, sensors), truth), readings(network(toy_air, fewer), truth)
    rows = [sensors.index[sensors["sensor_id"] == name][0] for name in fewer["sensor_id"]]
    for one, two in zip(all_of_them, some):
        np.testing.assert_array_equal(one.values[rows], two.values)


def test_another_seed_is_other_noise(toy_air, sensors, truth):
    one, two = (readings(network(toy_air, sensors, seed=s), truth[:1])[0] for s in (1, 2))
    assert not np.array_equal(one.values, two.values, equal_nan=True)


def test_two_to_four_per_cent_are_missing(toy_air, sensors, truth):
    """Over 40 sensor networks of other seeds, so that the share is that of the process, not of one draw."""
    lost = [
        np.mean([sample.fault > 0 for sample in readings(network(toy_air, sensors, seed=seed), truth[:96])])
        for seed in range(40)
    ]
    assert 0.02 < np.mean(lost) < 0.04


def test_loops_are_near_the_truth(toy_air, sensors, truth):
    """Without faults: volumes are unbiased within 1 %, speeds within 2 %, over two days of all loops."""
    net = network(toy_air, sensors, quality=SILENT)
    loops = sensors.index[sensors["kind"] == "loop"].to_numpy()
    links = sensors.loc[loops, "link_id"].to_numpy()
    counted = np.array([s.values[loops, 0] for s in readings(net, truth)])
    true = np.array([interval.outflow_veh[links].sum(axis=1) * 4 for interval, _ in truth])
    assert np.nansum(counted) == pytest.approx(true[~np.isnan(counted)].sum(), rel=0.01)
    speed = np.array([s.values[loops, 1] for s in readings(network(toy_air, sensors, quality=SILENT), truth)])
    assert np.nanmean(speed) == pytest.approx(6.25, rel=0.02)
    assert np.nanstd(speed) > 0.02 * 6.25


def test_an_empty_street_has_flow_zero_and_no_speed(toy_air, sensors):
    sample = network(toy_air, sensors, quality=SILENT).sample(toy_air.interval(0, factor=0.0), None)
    loops = (sensors["kind"] == "loop").to_numpy()
    assert (sample.values[loops, 0] == 0).all() and np.isnan(sample.values[loops, 1]).all()
    assert np.isnan(sample.values[~loops]).all()


def test_a_lone_vehicle_at_the_edge_of_an_interval_is_not_read_as_a_racer(toy_air, sensors):
    """One car leaves every link in the first second: 100 m in 1 s by the books, 22.5 km/h by its own mean speed."""
    interval = toy_air.interval(0)
    lone = np.zeros_like(interval.outflow_veh)
    lone[:, 0] = 1.0
    odd = replace(interval, outflow_veh=lone, vehicle_distance_m=lone * 100.0, vehicle_time_s=lone * 1.0)
    loops = (sensors["kind"] == "loop").to_numpy()
    quality = replace(SILENT, speed_noise=0.0, vehicle_speed_noise=0.0)
    sample = network(toy_air, sensors, quality=quality).sample(odd, None)
    np.testing.assert_allclose(sample.values[loops, 1], 6.25, atol=1e-3)


def test_a_stuck_sensor_is_found_after_three_hours_and_not_before(toy_air, sensors):
    """Always stuck: the first reading repeats; the twelfth equal quarter hour is thrown out, the eleventh is not."""
    net = network(toy_air, sensors, quality=replace(SILENT, stuck_per_day=2.0, stuck_hours=1000.0))
    model = toy_air.model()
    found = []
    for number in range(96, 132):
        interval = replace(toy_air.interval(number), start_s=number * 900.0)
        found.append(net.sample(interval, model.step(interval)).fault)
    codes = np.array(found)
    flat = FAULTS.index("flatline")
    caught = (codes == flat).any(axis=0)
    assert caught.sum() > len(sensors) / 2
    assert (codes == flat).argmax(axis=0)[caught].min() >= 11


def test_impossible_values_are_thrown_out_and_marked(toy_air, sensors, truth):
    interval, air = truth[32]
    jammed = replace(interval, outflow_veh=interval.outflow_veh * 1000.0)
    sample = network(toy_air, sensors, quality=SILENT).sample(jammed, air)
    loops = (sensors["kind"] == "loop").to_numpy()
    assert (sample.fault[loops] == FAULTS.index("range")).all()
    assert np.isnan(sample.values[loops]).all()
    assert (sample.fault[~loops] == 0).all()


def test_zone_values_are_those_of_the_sensor_rollup(toy_air, sensors, truth):
    """With every sensor alive, agents and imported sensor tables know the same of a zone."""
    net = network(toy_air, sensors, quality=SILENT)
    samples = readings(net, truth[:4])
    table = sensor_rollup(net.table(samples), sensors, toy_air.links, zone_ids=net.zone_ids).set_index(
        ["time", "zone_id"]
    )
    for number, sample in enumerate(samples):
        now = table.loc[START + pd.Timedelta(minutes=15 * number)].loc[net.zone_ids]
        zone = net.zone_values(sample)
        assert tuple(zone) == TARGETS
        for name in TARGETS:
            np.testing.assert_allclose(zone[name], now[name].to_numpy(dtype=float), rtol=1e-12)


def test_a_silent_loop_is_stood_in_for_by_capacity(toy_air, sensors):
    """Flow in proportion to capacity: the zone's flow stays when the smallest loop falls silent."""
    net = network(toy_air, sensors)
    loops = sensors.index[sensors["kind"] == "loop"].to_numpy()
    capacity = toy_air.links["capacity_veh_per_s"].to_numpy()[sensors.loc[loops, "link_id"]]
    values = np.full((len(sensors), 5), np.nan)
    values[loops, 0], values[loops, 1] = 1000.0 * capacity, 8.0
    fault = np.zeros(len(sensors), dtype=np.int8)
    full = net.zone_values(SensorSample(start_s=0.0, values=values, fault=fault))["flow_veh_per_h"]
    rows = sensors.index[(sensors["zone_id"] == "Z01") & (sensors["kind"] == "loop")]
    smallest = rows[np.argmin(toy_air.links["capacity_veh_per_s"].to_numpy()[sensors.loc[rows, "link_id"]])]
    cut = values.copy()
    cut[smallest] = np.nan
    part = net.zone_values(SensorSample(start_s=0.0, values=cut, fault=fault))["flow_veh_per_h"]
    assert part[0] == pytest.approx(full[0])
    cut[rows] = np.nan
    assert np.isnan(net.zone_values(SensorSample(start_s=0.0, values=cut, fault=fault))["flow_veh_per_h"][0])


def test_the_table_follows_its_schema(toy_air, sensors, truth):
    net = network(toy_air, sensors)
    table = validate(net.table(readings(net, truth)), SENSOR_STATE)
    assert len(table) == 192 * len(sensors)
    assert table.loc[table["fault"] == "outage", "flow_veh_per_h"].isna().all()


def test_a_sensor_in_an_unknown_zone_is_named(toy_air, sensors):
    with pytest.raises(RunError, match="Z01-A1"):
        network(toy_air, sensors.assign(zone_id=sensors["zone_id"].where(sensors["sensor_id"] != "Z01-A1", "Z99")))
