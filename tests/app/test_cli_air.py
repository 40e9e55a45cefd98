"""Air from the command line: measured weather, background, stations and fleets go in, `zonewise air` comes out."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from app.cli import main
from app.pipeline import stored_city
from data.errors import ZonewiseError
from data.store.workspace import open_workspace
from simulation.air import default_fleet
from simulation.air.background import SPECIES, synthetic_background
from simulation.air.weather import synthetic_weather
from simulation.air_stations import StationLog

JOB = ["--city", "toy", "--days", "8", "--test-days", "2", "--zone-count", "4", "--n-jobs", "1"]
BEGIN = pd.Timestamp("2026-01-26", tz="Europe/Helsinki").tz_convert("UTC")
PM25_TOO_LOW = 4.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weather without cloud and mixing height, background, and a fleet with 60 % battery cars."""
    folder = tmp_path_factory.mktemp("files")
    weather = synthetic_weather(60.17, BEGIN - pd.Timedelta(days=1), 11, 5, longitude=24.94)
    weather.drop(columns=["cloud_share", "mixing_height_m"]).to_csv(folder / "weather.csv", index=False)
    background = synthetic_background(weather, seed=9, latitude=60.17, longitude=24.94)
    background.to_csv(folder / "background.csv", index=False)
    default_fleet().with_electric_share("car", 0.6).to_table().to_csv(folder / "fleet.csv", index=False)
    return folder


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory, files):
    """A home folder where the toy town was simulated with all of them."""
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("home")
    patch.setenv("ZONEWISE_HOME", str(root))
    patch.setenv("ZONEWISE_CACHE", str(root / "cache"))
    patch.delenv("ZONEWISE_WORKSPACE", raising=False)
    main(["simulate", "town", *JOB, "--weather", str(files / "weather.csv"), "--background",
          str(files / "background.csv"), "--fleet", str(files / "fleet.csv")])  # fmt: skip
    yield root
    patch.undo()


@pytest.fixture(scope="module")
def measured(home, files):
    """What stations of the town would measure if the air that blows in held 4 ug/m3 more PM2.5 (and PM10)."""
    space = open_workspace("town")
    city = stored_city(space)
    places = city.sensors[city.sensors["kind"] == "air"].rename(columns={"sensor_id": "station_id"})
    log = StationLog(city, places.reset_index(drop=True))
    times = pd.read_csv(files / "background.csv", parse_dates=["time"])
    times = times.assign(time=times["time"].astype("datetime64[us, UTC]"))
    more = times.assign(pm25=times["pm25"] + PM25_TOO_LOW, pm10=times["pm10"] + PM25_TOO_LOW)
    run = space.describe()["runs"]["simulation"]
    weather = space.runs.read(run, "weather")
    city.run(days=8, seed=1, start=BEGIN, weather=weather, background=more, processes=[log.process])
    path = files / "stations.csv"
    log.table().drop(columns=["o3_ug_per_m3", "nox_ug_per_m3", "no2_ug_per_m3"]).to_csv(path, index=False)
    places[["station_id", "lon", "lat"]].to_csv(files / "places.csv", index=False)
    return path


def said(capsys, *arguments: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    main(list(arguments))
    return capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    """The one line that a refused command prints; its exit status is 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 2
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("zonewise: ") and "Traceback" not in text
    return text


def test_the_run_lives_in_the_measured_weather(files):
    """What was measured stays to the digit; what was not is filled in and named."""
    space = open_workspace("town")
    lived = space.runs.read(space.describe()["runs"]["simulation"], "weather")
    told = pd.read_csv(files / "weather.csv", parse_dates=["time"])
    own = told.assign(time=told["time"].dt.tz_convert("UTC")).set_index("time").loc[lived["time"]]
    np.testing.assert_allclose(lived["wind_speed_mps"], own["wind_speed_mps"])
    assert set(" ".join(lived["filled"]).split()) == {"cloud_share", "mixing_height_m"} and len(lived) == 8 * 24


def test_the_city_keeps_the_fleet_of_the_file():
    """60 % of the cars' vehicle-km are electric."""
    fleet = stored_city(open_workspace("town")).fleet
    assert sum(e.share for e in fleet.of_class("car") if e.fuel == "electric") == pytest.approx(0.6)


def test_air_tells_every_zone_and_the_city(capsys):
    """The city's mean is that of its zones weighted by people; a week gives no verdict on a year."""
    told = json.loads(said(capsys, "air", "town", "--json"))
    zones = pd.DataFrame(told["zones"])
    truth = open_workspace("town").runs.read(told["run"], "zone_truth")
    mean = truth.groupby("zone_id")["no2_ug_per_m3"].mean()
    np.testing.assert_allclose(zones.set_index("zone_id")["no2_mean"], mean, rtol=1e-9)
    city = {row["pollutant"]: row for row in told["city"]}
    assert city["no2"]["mean"] == pytest.approx(np.average(zones["no2_mean"], weights=zones["people"]))
    assert told["days"] == 8 and told["weather"] == "weather.csv" and told["background"] == "background.csv"
    years = [row["verdict"] for row in told["limits"] if row["period"] == "year"]
    assert set(years) == {"open"} and len(told["limits"]) == 16
    assert 40 < told["noise"]["lden_db"] < 75 and 0 <= told["noise"]["share_lden_65"] <= told["noise"]["share_lden_55"]
    assert sum(row["people_now"] for row in told["levels"]) == pytest.approx(zones["people"].sum())


def test_air_prints_tables_with_units_that_a_newcomer_can_read(capsys):
    text = said(capsys, "air", "town")
    for words in ("ug/m3", "Z01", "NO2 max", "EAQI now", "person-hours above", "EU 2030", "WHO 2021", "dB(A)",
                  "a year's limit needs a year of air", "8 days"):  # fmt: skip
        assert words in text
    assert max(map(len, text.splitlines())) <= 140
    assert "nan" not in text and "e+0" not in text
    assert said(capsys, "air", "--workspace", "town") == text == said(capsys, "--workspace", "town", "air")


def test_stations_put_the_background_right_and_none_takes_them_away(capsys, files, measured):
    """4 ug/m3 of PM2.5 that the background lacks are found; without stations the run is the one before."""
    space = open_workspace("town")
    plain = space.describe()["runs"]["simulation"]
    before = {row["pollutant"]: row["mean"] for row in json.loads(said(capsys, "air", "town", "--json"))["city"]}
    said(capsys, "simulate", "town", "--stations", str(measured), "--station-places", str(files / "places.csv"))
    runs = space.describe()["runs"]
    told = space.runs.read_json(runs["calibration"], "calibration")
    assert told["days"] == 8 and len(told["stations"]) >= 2 and not told["stations_outside"]
    changed = space.runs.read(runs["calibration"], "changed").groupby("pollutant")["change_ug_per_m3"].mean()
    assert changed["pm25"] == pytest.approx(PM25_TOO_LOW, rel=0.05) and changed["o3"] == 0.0 == changed["no2"]
    check = space.runs.read(runs["calibration"], "check")
    assert (check["rmse_after"] < check["rmse_before"]).all()
    assert space.runs.manifest(runs["simulation"])["parents"] == [runs["city"], runs["calibration"]]
    after = json.loads(said(capsys, "air", "town", "--json"))
    mean = {row["pollutant"]: row["mean"] for row in after["city"]}
    assert mean["pm25"] - before["pm25"] == pytest.approx(PM25_TOO_LOW, rel=0.06)
    assert mean["no2"] == pytest.approx(before["no2"]) and runs["calibration"] in after["background"]
    said(capsys, "simulate", "town", "--stations", "none")
    again = space.describe()["runs"]
    assert again["simulation"] == plain and "calibration" not in again


def test_a_scenario_is_tried_in_the_measured_air(capsys, tmp_path):
    """It begins on the second day of the weather, and one that the weather does not reach is refused."""
    (tmp_path / "close.yaml").write_text(
        "name: close_middle\nmeasures:\n  - measure: close_street\n    street: Row street 3\n"
        '    start: "06:00"\n    end: "20:00"\n'
    )
    command = ["scenario", "run", str(tmp_path / "close.yaml"), "town", "--seeds", "1", "--n-jobs", "1"]
    told = json.loads(said(capsys, *command, "--json"))
    spec = open_workspace("town").runs.manifest(told["run"])["spec"]
    assert spec["start"] == "2026-01-27" and spec["air"]["weather"].startswith("weather.csv:")
    quantities = {row["quantity"] for row in told["effects"]}
    assert {"no2_exposure", "lden", "people_lden_65"} <= quantities
    text = said(capsys, *command)
    for words in ("NO2 where people live", "Road noise, Lden", "dB(A)", "ug/m3", "pairs of runs: 1"):
        assert words in text
    assert "e+0" not in text
    assert "covers" in refused(capsys, *command, "--start", "2026-05-05")


def test_a_copy_of_a_file_is_the_same_run_and_a_changed_one_is_not(files, tmp_path, home):
    from dataclasses import replace

    from app.pipeline import Job, JobSpec

    shutil.copy(files / "weather.csv", tmp_path / "weather.csv")
    told = open_workspace("town").describe()["job"]
    spec = replace(JobSpec(**told), stations=None, station_places=None)
    ids = Job(open_workspace("town"), spec).run_ids()
    copied = replace(spec, weather=str(tmp_path / "weather.csv"))
    assert Job(open_workspace("town"), copied).run_ids() == ids
    (tmp_path / "weather.csv").write_text((files / "weather.csv").read_text() + "\n")
    other = Job(open_workspace("town"), copied).run_ids()
    assert other["city"] == ids["city"] and other["simulation"] != ids["simulation"]
    unfleeted = Job(open_workspace("town"), replace(spec, fleet=None)).run_ids()
    assert not set(unfleeted.values()) & set(ids.values())


def changed(path, to, **columns):
    """A copy of a table with other columns; None drops one."""
    table = pd.read_csv(path)
    drop = [name for name, value in columns.items() if value is None]
    table = table.assign(**{n: v for n, v in columns.items() if v is not None}).drop(columns=drop)
    table.to_csv(to, index=False)
    return str(to)


def with_hours(path, column, rows, value):
    """That column of a table, with other values in some rows."""
    values = pd.read_csv(path)[column]
    values.iloc[rows] = value
    return values


def test_a_negative_wind_is_refused_or_bridged(capsys, files, tmp_path):
    wind = with_hours(files / "weather.csv", "wind_speed_mps", [30], -2.0)
    path = changed(files / "weather.csv", tmp_path / "w.csv", wind_speed_mps=wind)
    text = refused(capsys, "simulate", "town", "--weather", path)
    assert "wind_speed_mps" in text and "30 (-2.0)" in text and "on_fault" in text
    said(capsys, "simulate", "town", "--weather", path, "--on-fault", "missing")
    runs = open_workspace("town").describe()["runs"]
    lived = open_workspace("town").runs.read(runs["simulation"], "weather")
    assert lived["wind_speed_mps"].min() >= 0
    said(capsys, "simulate", "town", "--weather", str(files / "weather.csv"), "--on-fault", "raise")


def test_a_wind_that_is_missing_for_long_names_the_hours(capsys, files, tmp_path):
    wind = with_hours(files / "weather.csv", "wind_speed_mps", list(range(40, 50)), None)
    path = changed(files / "weather.csv", tmp_path / "w.csv", wind_speed_mps=wind)
    assert "missing for 10 h" in refused(capsys, "simulate", "town", "--weather", path)
    path = changed(files / "weather.csv", tmp_path / "w.csv", wind_speed_mps=None)
    assert "missing column 'wind_speed_mps'" in refused(capsys, "simulate", "town", "--weather", path)


def test_weather_that_does_not_last_says_what_it_covers_and_what_to_do(capsys, files):
    """Eleven days: enough for eight, and for the live day; not for twenty, nor for March."""
    text = refused(capsys, "simulate", "town", "--days", "20")
    assert "covers 2026-01-2" in text and "fewer --days" in text
    text = refused(capsys, "simulate", "town", "--days", "8", "--start", "2026-03-02")
    assert "needs 2026-03-02 00:00 to 2026-03-10 00:00" in text and "--start from 2026-01-2" in text
    assert "live" not in open_workspace("town").describe()["runs"]


def test_a_fleet_that_does_not_sum_to_one_is_refused(capsys, files, tmp_path):
    share = pd.read_csv(files / "fleet.csv")["share"] * 0.5
    path = changed(files / "fleet.csv", tmp_path / "f.csv", share=share)
    text = refused(capsys, "simulate", "town", "--fleet", path)
    assert "sum to 1, not 0.5" in text and "car" in text and "bus" in text


def test_unknown_pollutants_are_refused(capsys, files, tmp_path):
    path = changed(files / "background.csv", tmp_path / "b.csv", o3=None, ozone=50.0)
    assert "no column of ['o3']" in refused(capsys, "simulate", "town", "--background", path)
    (tmp_path / "s.csv").write_text("station_id,time,radon\nZ01-A1,2026-01-26 00:00,3\n")
    assert "no pollutant" in refused(capsys, "simulate", "town", "--stations", str(tmp_path / "s.csv"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--weather", "/no/such.csv"], "no file /no/such.csv"),
        (["--fleet", "/no/such.csv"], "no file /no/such.csv"),
        (["--station-places", "/no/such.csv"], "give the measured air too"),
        (["--timezone", "Mars/City"], "unknown time zone"),
        (["--weather-columns", "wind"], "ours=theirs"),
        (["--on-fault", "smile"], "smile"),
        (["--start", "Monday morning"], "no date"),
    ],
)
def test_bad_options_are_one_clear_line(capsys, options, says):
    assert says in refused(capsys, "simulate", "town", *options)


def test_air_of_a_run_without_air_is_refused(capsys):
    city = open_workspace("town").describe()["runs"]["city"]
    assert "is a city" in refused(capsys, "air", "town", "--run", city)
    assert "no finished run" in refused(capsys, "air", "town", "--run", "x")
    assert "no workspace" in refused(capsys, "air", "nowhere")


def test_a_week_of_calm_is_lived_with_finite_air(files):
    """Wind 0 m/s in every hour: plumes have their floor of wind, and concentrations are high, not infinite."""
    city = stored_city(open_workspace("town"))
    weather = synthetic_weather(60.17, BEGIN, 2, 5, longitude=24.94)
    calm = city.run(days=0.5, seed=1, start=BEGIN, weather=weather.assign(wind_speed_mps=0.0)).zone_truth
    windy = city.run(days=0.5, seed=1, start=BEGIN, weather=weather.assign(wind_speed_mps=6.0)).zone_truth
    for name in SPECIES:
        assert np.isfinite(calm[f"{name}_ug_per_m3"]).all()
    assert calm["nox_ug_per_m3"].mean() > windy["nox_ug_per_m3"].mean()


def test_a_station_on_the_axis_of_a_street_has_finite_air():
    """At the very middle of link 0, where the source lies."""
    import pyproj

    city = stored_city(open_workspace("town"))
    x, y = city.links.geometry.iloc[0].interpolate(0.5, normalized=True).coords[0]
    lon, lat = pyproj.Transformer.from_crs(city.links.crs, "EPSG:4326", always_xy=True).transform(x, y)
    log = StationLog(city, pd.DataFrame({"station_id": ["on the road"], "lon": [lon], "lat": [lat]}))
    city.run(days=0.5, seed=1, start=BEGIN, processes=[log.process])
    table = log.table()
    assert len(table) == 12 and np.isfinite(table["nox_ug_per_m3"]).all() and (table["nox_ug_per_m3"] > 0).all()
    assert table["nox_ug_per_m3"].max() < 5000


def test_a_town_without_traffic_breathes_the_background():
    """No vehicle: nothing is emitted, and NOx is that of the air that blows in."""
    from dataclasses import replace

    city = stored_city(open_workspace("town"))
    empty = replace(city, demand=replace(city.demand, od_veh=0.0 * city.demand.od_veh))
    weather = synthetic_weather(60.17, BEGIN, 2, 5, longitude=24.94)
    steady = weather[["time"]].assign(**dict.fromkeys(SPECIES, 10.0))
    run = empty.run(days=0.5, seed=1, start=BEGIN, weather=weather, background=steady, incidents_per_day=0.0)
    assert run.zone_truth["nox_g"].sum() == 0 and run.summary["departed"] == 0
    np.testing.assert_allclose(run.zone_truth["nox_ug_per_m3"], 10.0, rtol=0.05)


@pytest.mark.parametrize(("column", "value"), [("wind_speed_mps", -1.0), ("wind_speed_mps", np.nan)])
def test_a_script_is_refused_a_wind_that_is_negative_or_missing(column, value):
    """The same fault at the door of a script, before anything is lived."""
    city = stored_city(open_workspace("town"))
    weather = synthetic_weather(60.17, BEGIN, 2, 5, longitude=24.94)
    weather.loc[7, column] = value
    with pytest.raises(ZonewiseError, match="wind_speed_mps"):
        city.run(days=1, seed=1, start=BEGIN, weather=weather)
