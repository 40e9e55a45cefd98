"""Exports from a workspace: one front door, three formats, numbers that are those of the live day."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from app.cli import main
from app.exporting import day_trips, export_workspace, link_hours, link_results
from data.cities import load_city
from data.errors import InputError, RunNotFoundError
from data.store.workspace import Workspace
from simulation.city import make_city
from simulation.city_tables import city_arrays, city_meta, city_tables
from zones import adjacency, link_zone, make_zones


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A workspace whose city has lived one day, stored as the job stores it; and the day's result."""
    source = load_city("toy")
    zones = make_zones(source.links, source.places, kind="square", count=4)
    city = make_city(
        name=source.name, label=source.label, timezone=source.timezone, latitude=source.latitude,
        longitude=source.longitude, crs=str(source.crs), nodes=source.nodes, links=source.links, turns=source.turns,
        zones=zones, link_zone=link_zone(source.links, zones), adjacency=adjacency(zones),
    )  # fmt: skip
    result = city.run(days=1, seed=5, incidents_per_day=0.0, keep_link_state=True)
    space = Workspace(tmp_path_factory.mktemp("work") / "town")
    with space.runs.write("city", {"toy": 1}) as run:
        for name, table in city_tables(city).items():
            run.table(name, table)
        run.arrays("demand", city_arrays(city))
        run.json("city", city_meta(city))
    with space.runs.write("live", {"toy": 1}) as run:
        run.table("link_state", result.link_state)
        run.json("summary", result.summary)
    space.update(city="toy", runs={m["kind"]: m["id"] for m in space.runs.list()})
    return space, city, result


def test_the_day_trips_are_those_that_the_run_released(lived):
    """As many as departed, and the first links' entries are theirs: vehicles that start somewhere enter there."""
    space, city, result = lived
    start, trips = day_trips(space, space.describe()["runs"]["live"], city)
    assert len(trips) == result.summary["departed"]
    assert start == pd.Timestamp(result.summary["start"]).tz_convert("UTC")
    assert trips["depart_s"].is_monotonic_increasing and trips["depart_s"].between(0, 86_400).all()
    entries = result.link_state.groupby("link_id")["inflow_veh"].sum()
    starts = trips["origin_link_id"].value_counts()
    assert (starts <= entries.reindex(starts.index)).all()


def test_sumo_gets_streets_trips_and_flows(lived, tmp_path, capsys):
    """By the command line: every trip of the day, and edge data that add up to the day's entries."""
    space, city, result = lived
    main(["export", "--workspace", str(space.root), "--format", "sumo", "--to", str(tmp_path / "out"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["trips"] == result.summary["departed"] and told["links"] == len(city.links)
    trips = [e for e in ET.parse(tmp_path / "out" / "city.rou.xml").getroot() if e.tag == "trip"]
    assert len(trips) == told["trips"]
    flows = ET.parse(tmp_path / "out" / "city.flows.xml").getroot()
    entered = sum(int(edge.get("entered")) for edge in flows.iter("edge"))
    assert entered == result.link_state["inflow_veh"].sum()
    assert set(told["files"]) >= {"city.nod.xml", "city.edg.xml", "city.con.xml", "city.tll.xml", "city.netccfg"}


def test_a_stored_log_gives_sumo_the_ways_that_were_driven(lived, tmp_path):
    """Two hours from eight in the morning, resumed and kept with their log: each trip that arrived has its way, from
    its first link to its last; those on the road at eight start where they were, at once."""
    space, city, _ = lived
    told = {"seed": 5, "incidents_per_day": 0.0, "keep_link_state": True}
    night = city.run(days=8 / 24, **told)
    run = city.run(days=2 / 24, initial_state=night.final_state, keep_entry_log=True, **told)
    with space.runs.write("simulation", {"logged": 1}) as writer:
        for name in ("link_state", "counts", "released"):
            writer.table(name, getattr(run, name))
        writer.table("entry_log", run.entry_log.to_table())
        writer.json("summary", run.summary)
    name = next(m["id"] for m in space.runs.list("simulation"))
    export_workspace(space, "sumo", tmp_path / "out", run=name)
    root = ET.parse(tmp_path / "out" / "city.rou.xml").getroot()
    assert [e.get("id") for e in root if e.tag != "vType"] == [str(k) for k in range(len(run.released))]
    ways = {int(e.get("id")): [int(a) for a in e[0].get("edges").split()] for e in root if e.tag == "vehicle"}
    arrived = np.flatnonzero(np.isfinite(run.entry_log.arrivals(len(run.released))))
    assert sorted(ways) == arrived.tolist()
    paths = run.entry_log.paths(len(run.released))
    assert all(ways[k] == paths[k].tolist() for k in arrived)
    depart = np.array([float(e.get("depart")) for e in root if e.tag != "vType"])
    assert (np.diff(depart) >= 0).all() and (depart == 0).sum() >= night.summary["on_road"] > 0
    assert depart.max() < 7200.0


def test_results_of_a_link_are_its_day(lived):
    """Volume, distance and speed of every link against sums of its own rows; hours add up to the day."""
    _, city, result = lived
    table = link_results(result.link_state, city.links).set_index("link_id")
    hours = link_hours(result.link_state)
    assert len(table) == len(city.links)
    for link, rows in result.link_state.groupby("link_id"):
        d, t = rows["vehicle_distance_m"].sum(), rows["vehicle_time_s"].sum()
        assert table.loc[link, "volume_veh"] == rows["inflow_veh"].sum()
        assert table.loc[link, "vehicle_km"] == pytest.approx(d / 1000)
        assert table.loc[link, "speed_kmh"] == pytest.approx(d / t * 3.6)
        assert hours.loc[hours["link_id"] == link, "flow_veh_per_h"].sum() == rows["inflow_veh"].sum()
    assert (table["delay_veh_h"] >= 0).all() and table["delay_veh_h"].sum() > 0


def test_gmns_and_geopackage_carry_the_days_results(lived, tmp_path):
    """The same numbers in both."""
    space, city, result = lived
    want = link_results(result.link_state, city.links)
    export_workspace(space, "gmns", tmp_path / "gmns")
    csv = pd.read_csv(tmp_path / "gmns" / "opt_link_results.csv")
    np.testing.assert_allclose(csv["volume_veh"], want["volume_veh"])
    assert len(pd.read_csv(tmp_path / "gmns" / "link.csv")) == len(city.links)
    export_workspace(space, "gpkg", tmp_path / "gpkg")
    layer = gpd.read_file(tmp_path / "gpkg" / "city.gpkg", layer="link_results")
    np.testing.assert_allclose(layer["delay_veh_h"], want["delay_veh_h"])
    hours = pyogrio.read_dataframe(tmp_path / "gpkg" / "city.gpkg", layer="link_hours")
    assert hours["flow_veh_per_h"].sum() == result.link_state["inflow_veh"].sum()


def test_a_workspace_without_a_live_day_gives_its_city(lived, tmp_path):
    """Streets and signals, no trips, no flows."""
    space = lived[0]
    other = Workspace(tmp_path / "other")
    (other.root / "runs").mkdir(parents=True)
    name = space.describe()["runs"]["city"]
    (other.root / "runs" / name).symlink_to(space.runs.root / name)
    other.update(runs={"city": name, "live": "live-000000000000"})
    told = export_workspace(other, "sumo", tmp_path / "out")
    assert told["run"] is None and told["trips"] == 0 and "city.rou.xml" not in told["files"]
    with pytest.raises(RunNotFoundError):
        export_workspace(other, "sumo", tmp_path / "out2", run="live-000000000000")


def test_trips_where_their_class_may_not_drive_are_left_out_and_counted(lived, tmp_path):
    """Link 0 closed to all classes after the demand was made: its place uses other links, or the trip is left out."""
    space, city, _ = lived
    trips = day_trips(space, space.describe()["runs"]["live"], city)[1]
    link = int(trips["origin_link_id"].iloc[0])
    shut = replace(city, closed=frozenset((link, klass) for klass in range(4)))
    after = day_trips(space, space.describe()["runs"]["live"], shut)[1]
    assert (trips["origin_link_id"] == link).any() and not (after["origin_link_id"] == link).all()
    assert abs(len(after) - len(trips)) < 0.02 * len(trips)


def test_bad_requests_are_one_clear_line(lived, tmp_path, capsys):
    """Exit status 2: an unknown format, a folder with foreign files, a workspace that is not there."""
    space = lived[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("x")
    for arguments, says in (
        (["export", str(space.root), "--format", "vissim", "--to", "x"], "vissim"),
        (["export", str(space.root), "--format", "sumo"], "--to"),
        (["export", str(space.root), "--format", "gmns", "--to", str(tmp_path / "mine"), "--force"], "no export"),
        (["export", str(tmp_path / "none"), "--format", "gmns", "--to", "x"], "no workspace"),
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        text = capsys.readouterr().err.strip()
        assert end.value.code == 2 and says in text and "\n" not in text
    with pytest.raises(InputError, match="sumo, gmns, gpkg"):
        export_workspace(space, "vissim", tmp_path / "out")
