"""Rain, events, departure profiles and people by district: what a job's demand is told besides its matrix."""

from __future__ import annotations

import shutil
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from app.city_making import PEOPLE_PER_HOME, city_of
from app.day_demand import day_processes, read_events
from app.job_spec import JobSpec, step_specs
from app.job_spec import source as source_of
from data.cities import load_city
from data.errors import FileFormatError, InputError
from zones import make_zones

HEAD = "place,vehicles,date,begin,end\n"


@pytest.fixture(scope="module")
def source():
    return load_city("toy")


@pytest.fixture(scope="module")
def zones(source):
    return make_zones(source.links, source.places, kind="square", count=4)


@pytest.fixture(scope="module")
def city(source, zones):
    return city_of(source, zones)


def test_events_are_read_in_order(tmp_path):
    """18:30 is 66,600 s; the end of the day may be written as 24:00; spans that are left out are the usual ones."""
    file = tmp_path / "events.csv"
    file.write_text(
        "Place,vehicles,date,begin,end,arrive_over_s\nZ01,400,2026-01-31,18:30,24:00,\nG02,50,2026-02-01,09:00,10:00:30,600\n"
    )
    first, second = read_events(file)
    assert (first.place, first.vehicles, first.date, first.begin_s, first.end_s) == (
        "Z01",
        400,
        "2026-01-31",
        66_600,
        86_400,
    )
    assert first.arrive_over_s == 5400.0
    assert (second.end_s, second.arrive_over_s) == (36_030, 600)


def test_all_faults_of_events_are_told_at_once(tmp_path):
    file = tmp_path / "events.csv"
    file.write_text(
        HEAD + "Z01,many,2026-01-31,18:30,22:00\nZ01,4,2026-01-31,25:00,26:00\nZ01,4,2026-01-31,12:00,11:00\n"
    )
    with pytest.raises(FileFormatError, match=r"(?s)row 1: .*many.*row 2: '25:00' is no time.*row 3: .*begin <= end"):
        read_events(file)
    file.write_text("where,when\nZ01,noon\n")
    with pytest.raises(FileFormatError, match=r"no column 'place'.*no column 'end'"):
        read_events(file)


def test_an_event_at_an_unknown_place_is_told_before_the_run(tmp_path, city):
    file = tmp_path / "events.csv"
    file.write_text(HEAD + "Stadium,400,2026-01-31,18:30,22:00\n")
    with pytest.raises(InputError, match=r"no place \['Stadium'\].*Z01"):
        day_processes(JobSpec(city="toy", events=str(file)), city)


def test_an_event_brings_its_vehicles_and_takes_them_away(tmp_path, city):
    """400 vehicles to the first zone between 11:00 and 12:30 and from it after 14:00; the same luck otherwise.

    What the place has usually is multiplied, and so the day's own level counts here, too: 30 % off are allowed.
    """
    place = city.zones["zone_id"].iloc[0]
    file = tmp_path / "events.csv"
    file.write_text(HEAD + f"{place},400,2026-01-26,12:30,14:00\n")
    spec = JobSpec(city="toy", events=str(file))
    runs = [
        city.run(days=1, seed=1, start="2026-01-26", incidents_per_day=0.0, processes=processes)
        for processes in ((), day_processes(spec, city))
    ]
    more = runs[1].summary["departed"] - runs[0].summary["departed"]
    assert 560 <= more <= 1040
    assert day_processes(JobSpec(city="toy"), city) == ()


def test_rain_and_events_make_another_simulation_of_the_same_city(tmp_path):
    """Nothing asked for leaves the specification as it was."""
    code = {"city": "c", "simulation": "s", "models": "m"}
    plain, wet = (step_specs(JobSpec(city="toy", rain_factor=f), code) for f in (1.0, 0.9))
    assert plain["city"] == wet["city"] and plain["simulation"] != wet["simulation"]
    assert "rain_factor" not in plain["simulation"]
    with pytest.raises(InputError, match=r"rain_factor=-1"):
        JobSpec(rain_factor=-1)


def test_trips_depart_when_the_file_says(tmp_path, source, zones):
    """All of a weekday's trips between 6 and 7 h; weekends keep their own."""
    file = tmp_path / "profiles.csv"
    file.write_text("hour,share,day_type\n" + "".join(f"{h},{int(h == 6)},weekday\n" for h in range(24)))
    given = city_of(source, zones, profiles=str(file)).demand
    shares = given.profiles[0].reshape(-1, 24, 4).sum(axis=2)
    assert np.allclose(shares[:, 6], 1.0) and np.allclose(shares.sum(axis=1), 1.0)
    assert np.array_equal(given.profiles[1], city_of(source, zones).demand.profiles[1])


def test_people_by_district_make_the_homes(source, zones):
    """One district over the whole town with 2,200 people: 1,000 homes, by ground."""
    whole = gpd.GeoDataFrame(
        {"name": ["all"], "population": [1000 * PEOPLE_PER_HOME]},
        geometry=[shapely.box(*zones.total_bounds)],
        crs=zones.crs,
    )
    homes = city_of(replace(source, given_zones=whole), zones).zones["homes"]
    assert homes.sum() == pytest.approx(1000)
    assert np.allclose(homes / homes.sum(), zones.area / zones.area.sum(), rtol=1e-6)


def test_a_folder_counts_by_what_it_holds(tmp_path):
    """A changed unit is another city; the same files elsewhere are the same, as is a folder that is none."""
    folder = tmp_path / "five"
    folder.mkdir()
    for name, text in (("a_net.tntp", "net"), ("a_node.tntp", "node"), ("city.toml", 'length_unit = "mi"')):
        (folder / name).write_text(text)
    first = source_of(str(folder))
    assert first.startswith("five:")
    shutil.copytree(folder, tmp_path / "elsewhere" / "five")
    assert source_of(str(tmp_path / "elsewhere" / "five")) == first
    (folder / "city.toml").write_text('length_unit = "km"')
    assert source_of(str(folder)) != first
    assert source_of(str(tmp_path)) == str(tmp_path)
