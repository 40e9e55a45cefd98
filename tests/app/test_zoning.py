"""The zones of a job, of every kind."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from app.commands.options import ZONE_KINDS
from app.job_spec import JobSpec, step_specs
from app.pipeline import Job
from app.zoning import DYNAMICS_DAYS, zones_of_job
from data.cities import load_city
from data.errors import InputError
from data.store.workspace import Workspace
from zones.spec import KINDS

CODE = {"city": "a", "simulation": "b", "models": "c"}


@pytest.fixture(scope="module")
def toy():
    return load_city("toy")


def test_the_command_line_offers_every_kind_of_zone():
    assert ZONE_KINDS == KINDS


def test_functional_zones_come_from_the_first_days_of_the_job_s_city(toy):
    zones, dynamics = zones_of_job(JobSpec(city="toy", zones="functional", zone_count=4), toy)
    again, _ = zones_of_job(JobSpec(city="toy", zones="functional", zone_count=4), toy)
    assert len(zones) == 4
    assert len(dynamics) == len(toy.links) * 96  # a Monday and a Tuesday: one kind of day
    assert DYNAMICS_DAYS == 2
    pd.testing.assert_frame_equal(pd.DataFrame(zones), pd.DataFrame(again), check_exact=True)


def test_a_job_keeps_the_traffic_that_its_functional_zones_were_cut_from(tmp_path):
    job = Job(Workspace(tmp_path), JobSpec(city="toy", zones="functional", zone_count=3))
    run = job.run("city")["city"]
    assert len(job.workspace.runs.read(run, "zones")) == 3
    assert {"speed_ratio", "flow_veh_per_h"} <= set(job.workspace.runs.read(run, "dynamics").columns)


def test_another_seed_is_another_city_only_where_zones_follow_traffic():
    for kind, differ in (("functional", True), ("hex", False)):
        one, two = (step_specs(JobSpec(zones=kind, seed=seed), CODE)["city"] for seed in (1, 2))
        assert (one != two) is differ


def test_zones_around_sensors_read_places_and_leave_out_impossible_ones(toy, tmp_path, caplog):
    path = tmp_path / "loops.csv"
    path.write_text("sensor_id,lat,lon\na,60.172,24.943\nb,60.175,24.951\nc,0,0\n")
    zones, _ = zones_of_job(JobSpec(city="toy", zones="voronoi", sensors=str(path)), toy)
    assert sorted(zones["sensor_ids"]) == ["a", "b"]
    assert "c (null_island)" in caplog.text


def test_administrative_units_come_from_a_file(toy, tmp_path):
    west, south, east, north = toy.links.to_crs(4326).total_bounds
    middle = (west + east) / 2
    shapes = [shapely.box(west - 1, south - 1, middle, north + 1), shapely.box(middle, south - 1, east + 1, north + 1)]
    path = tmp_path / "units.gpkg"
    gpd.GeoDataFrame({"name": ["West Ward", "East Ward"]}, geometry=shapes, crs=4326).to_file(path)
    zones, _ = zones_of_job(JobSpec(city="toy", zones="administrative", polygons=str(path)), toy)
    assert set(zones["name"]) == {"West Ward", "East Ward"}


def test_a_kind_without_its_file_is_refused_with_the_cure(toy):
    with pytest.raises(InputError, match="--sensors FILE"):
        zones_of_job(JobSpec(city="toy", zones="voronoi"), toy)
    with pytest.raises(InputError, match="--polygons FILE"):
        zones_of_job(JobSpec(city="toy", zones="administrative"), toy)
