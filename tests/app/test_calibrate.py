"""`zonewise calibrate` and `--demand`, on the toy town."""

import json

import pandas as pd
import pytest

from app import cli
from app.demand_door import od_table
from app.pipeline import Job, JobSpec, stored_city
from data.store.workspace import open_workspace
from simulation.hourly_flows import assigned_flows


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    space = open_workspace("town")
    Job(space, JobSpec(city="toy", zone_count=4)).run("city")
    return space


def test_a_calibrated_demand_is_kept_and_the_next_city_has_it(space, tmp_path, capsys):
    """Counts of 1.5 times the demand's static flows: the sum rises to about that, and the city made anew has it."""
    city = stored_city(space)
    flow = 1.5 * assigned_flows(city, [8]).flow_veh_per_h[0]
    pd.DataFrame({"link_id": range(len(flow)), "hour": 8, "veh_per_h": flow}).to_csv(tmp_path / "c.csv", index=False)
    cli.main(["calibrate", "town", "--counts", str(tmp_path / "c.csv"), "--assignment", "static", "--json"])
    told = json.loads(capsys.readouterr().out)
    rmse = {(row["stage"], row["scope"]): row["rmse_veh_per_h"] for row in told["quality"]}
    assert rmse["calibrated", "held_out"] < 0.5 * rmse["prior", "held_out"]
    od = pd.read_csv(space.root / "demand.csv")
    assert od["trips_veh"].sum() == pytest.approx(1.5 * city.demand.od_veh.sum(), rel=0.05)
    spec = JobSpec.known(space.describe()["job"])
    assert spec.demand == str(space.root.resolve() / "demand.csv")
    Job(space, spec).run("city")
    again = stored_city(space)
    assert again.demand.od_veh.sum() == pytest.approx(od["trips_veh"].sum(), rel=1e-9)
    assert again.demand.place_day_sd == city.demand.place_day_sd


def test_counts_that_do_not_fit_change_nothing(space, tmp_path, capsys):
    """An unknown link: status 2, one line that says so, no file and the same job."""
    (tmp_path / "c.csv").write_text("link_id,hour,veh_per_h\n100000,8,5\n")
    before = space.describe()
    with pytest.raises(SystemExit) as stopped:
        cli.main(["calibrate", "town", "--counts", str(tmp_path / "c.csv")])
    assert stopped.value.code == 2 and "unknown link_id" in capsys.readouterr().err
    assert space.describe() == before and not (space.root / "demand.csv").exists()


def test_the_demand_of_a_city_survives_its_own_table(space):
    """Written as a table and given again: the same matrix."""
    from simulation.demand.given import demand_from_od

    demand = stored_city(space).demand
    given = demand_from_od(demand, od_table(demand))
    assert given.od_veh == pytest.approx(demand.od_veh, rel=1e-12)


def test_imported_trips_are_the_demand_of_the_next_city(space, tmp_path, capsys):
    """Half of every pair as a long table: half of the trips; an unknown place is refused and changes nothing."""
    half = od_table(stored_city(space).demand).assign(trips_veh=lambda t: t["trips_veh"] / 2)
    half.to_csv(tmp_path / "od.csv", index=False)
    cli.main(["import", "od", str(tmp_path / "od.csv"), "--workspace", "town", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["trips_veh_per_weekday"] == pytest.approx(half["trips_veh"].sum(), abs=0.1)
    Job(space, JobSpec.known(space.describe()["job"])).run("city")
    assert stored_city(space).demand.od_veh.sum() == pytest.approx(half["trips_veh"].sum(), rel=1e-6)
    before = space.describe()
    half.assign(dest_zone_id="nowhere").to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["import", "od", str(tmp_path / "wrong.csv"), "--workspace", "town"])
    assert stopped.value.code == 2 and "nowhere" in capsys.readouterr().err
    assert space.describe() == before


def test_speeds_calibrate_too_and_tell_the_factors(space, tmp_path, capsys):
    """Every street at 10 km/h at 08:00: the report names each part of the demand with a factor above 0."""
    links = range(len(stored_city(space).links))
    pd.DataFrame({"link_id": links, "hour": 8, "speed_kmh": 10.0}).to_csv(tmp_path / "s.csv", index=False)
    args = ["--speeds", str(tmp_path / "s.csv"), "--rounds", "1", "--days", "1", "--json"]
    cli.main(["calibrate", "town", *args])
    told = json.loads(capsys.readouterr().out)
    assert {row["kind"] for row in told["factors"]} >= {"inbound", "outbound", "through"}
    assert all(row["factor"] > 0 for row in told["factors"])
    assert told["taken"] == (space.root / "demand.csv").exists()
    assert set(space.runs.read(told["run"], "measured_links")["link_id"]) == set(links)


def test_nothing_to_calibrate_to_is_refused(space, capsys):
    """Neither counts nor speeds: status 2 and what to give."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["calibrate", "town"])
    assert stopped.value.code == 2 and "--speeds" in capsys.readouterr().err
