"""Damaged files by the thousand: each is read, or refused with an error of ours, soon, and nothing is half-written.

The damage is seeded, so a file that breaks a reader can be made again from its number.
"""

from __future__ import annotations

import importlib.util
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import osmnx as ox
import pandas as pd
import pytest

from data import cities
from data.errors import ZonewiseError
from data.readers.boundaries import read_boundaries
from data.readers.detector_files import read_detector_files
from data.readers.detectors import read_detectors
from data.readers.fleet import read_fleet
from data.readers.od import read_od
from data.readers.osmnx_graph import read_graphml
from data.readers.polygons import read_polygons
from data.readers.weather import read_weather

_SPEC = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
assert _SPEC is not None and _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
mutated = _MODULE.mutated

BOUND_S = 20  # of one file; far above what any takes, to tell a hang
STREET = {"highway": "residential", "name": "Main street"}


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """An alarm that a hanging reader cannot hold off."""

    def ring(signum: int, frame: object) -> None:
        raise TimeoutError(f"a reader took more than {BOUND_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _survives(read: Callable[[Path], object], raw: bytes, path: Path, count: int, seed: int) -> int:
    """Read `count` damaged copies; how many were refused. Anything but a result or an error of ours is reported."""
    refused, broken = 0, []
    for k in range(count):
        path.write_bytes(mutated(raw, np.random.default_rng([seed, k])))
        signal.setitimer(signal.ITIMER_REAL, BOUND_S)
        try:
            read(path)
        except ZonewiseError as error:
            assert str(error).strip()
            refused += 1
        except Exception as error:
            broken.append(f"damage {k}: {type(error).__name__}: {str(error)[:200]}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert not broken, f"{len(broken)} of {count} broke the reader: " + " | ".join(broken[:12])
    return refused


def _town(write_osm: Callable[..., Path]) -> bytes:
    nodes = {
        1: (-200, 0), 2: (0, 200), 3: (200, 0, {"highway": "give_way"}), 4: (0, -200),
        5: (0, 0, {"highway": "traffic_signals", "traffic_signals:direction": "forward"}),
        6: (100, 0, {"barrier": "bollard"}), 7: (300, 300, {"shop": "bakery"}), 8: (20, 30), 9: (40, 30), 10: (40, 50),
    }  # fmt: skip
    ways = [
        ([1, 5], {**STREET, "lanes": "3", "lanes:forward": "2", "turn:lanes:forward": "left|through"}),
        ([5, 2], {**STREET, "maxspeed": "30 mph", "oneway": "no"}), ([5, 6, 3], {**STREET, "maxspeed": "DE:urban"}),
        ([4, 5], {"highway": "primary", "lanes:psv": "1", "lanes": "4"}), ([1, 2, 3, 4, 1], {"highway": "tertiary"}),
        ([8, 9, 10, 8], {"building": "yes", "building:levels": "4"}),
        ([1, 4, 3, 1], {"boundary": "administrative", "admin_level": "8", "name": "Town"}),
    ]  # fmt: skip
    relations = [
        ({"type": "restriction", "restriction": "no_left_turn"}, [("from", "way", 100), ("via", "node", 5),
                                                                 ("to", "way", 101)]),
        ({"type": "restriction", "restriction": "only_straight_on"}, [("from", "way", 103), ("via", "way", 100),
                                                                     ("to", "way", 104)]),
        ({"type": "multipolygon", "landuse": "forest"}, [("outer", "way", 104)]),
    ]  # fmt: skip
    return write_osm(nodes, ways, relations=relations).read_bytes()


def _whole_reading(path: Path) -> object:
    return cities._read(str(path), path, "Europe/Helsinki", path.parent)


def test_damaged_openstreetmap_files(write_osm, tmp_path):
    """Through the whole reading: parsing, graph, simplification, projection, turns, places, base map."""
    refused = _survives(_whole_reading, _town(write_osm), tmp_path / "fuzz.osm", 400, seed=1)
    assert 40 < refused < 390


def test_damaged_boundaries(write_osm, tmp_path):
    refused = _survives(read_boundaries, _town(write_osm), tmp_path / "fuzz.osm", 300, seed=2)
    assert 30 < refused < 290


def test_damaged_graphml(write_osm, tmp_path):
    town = tmp_path / "town.osm"
    town.write_bytes(_town(write_osm))
    graph = cities._read(str(town), town, "Europe/Helsinki", tmp_path).graph
    graph.graph |= {"created_date": "2026-03-02 08:00:00", "created_with": "OSMnx"}  # the same bytes on every day
    ox.save_graphml(graph, tmp_path / "town.graphml")
    raw = (tmp_path / "town.graphml").read_bytes()
    refused = _survives(_whole_reading, raw, tmp_path / "fuzz.graphml", 120, seed=3)
    assert 20 < refused < 118
    assert _survives(read_graphml, raw, tmp_path / "fuzz.graphml", 80, seed=4) > 10


def _detector_rows() -> bytes:
    times = pd.date_range("2026-03-02", periods=24, freq="15min")
    rows = [f"S{s},{t:%Y-%m-%d %H:%M},{100 + s * k},{10 + 0.1 * k:.1f}" for s in (1, 2) for k, t in enumerate(times)]
    return "\n".join(["sensor_id,time,flow_veh_per_h,speed_mps", *rows, ""]).encode()


def test_damaged_detector_tables(tmp_path):
    def read(path: Path) -> object:
        return read_detectors(path, timezone="Europe/Helsinki")

    refused = _survives(read, _detector_rows(), tmp_path / "fuzz.csv", 450, seed=5)
    assert 50 < refused < 445


def test_damaged_detector_files_of_any_format(tmp_path):
    places = tmp_path / "places.csv"
    places.write_text("sensor_id,lat,lon\nS1,60.17,24.94\nS2,60.18,24.95\n")

    def read(path: Path) -> object:
        return read_detector_files([str(path)], timezone="Europe/Helsinki", places=str(places))

    refused = _survives(read, _detector_rows(), tmp_path / "fuzz.csv", 250, seed=6)
    assert 30 < refused < 250


def test_damaged_weather(tmp_path):
    times = pd.date_range("2026-03-02", periods=48, freq="h")
    rows = [f"{t:%Y-%m-%d %H:%M},{3 + 0.1 * k:.1f},{(10 * k) % 360},{-5 + 0.2 * k:.1f}" for k, t in enumerate(times)]
    raw = "\n".join(["time,wind_speed_mps,wind_dir_deg,temperature_c", *rows, ""]).encode()
    refused = _survives(
        lambda path: read_weather(path, timezone="Europe/Helsinki"), raw, tmp_path / "fuzz.csv", 250, seed=7
    )
    assert 30 < refused < 250


def test_damaged_fleets(tmp_path):
    raw = (
        b"vehicle_class,fuel,euro,share,exhaust_id,wear_id,tyre_factor,brake_factor,electricity_id\n"
        b"car,petrol,6,0.6,PC_petrol_E6,PC,1,1,\ncar,electric,6,0.4,,PC,1.1,0.5,PC\nvan,diesel,6,1,LCV_diesel_E6,LCV,1,1,\n"
        b"heavy,diesel,6,1,HDT_E6,HDT,1,1,\nbus,diesel,6,1,BUS_E6,BUS,1,1,\n"
    )
    refused = _survives(read_fleet, raw, tmp_path / "fuzz.csv", 250, seed=8)
    assert 30 < refused < 250


def test_damaged_od_matrices(tmp_path):
    rows = [f"Z{a},Z{b},{10 * a + b}" for a in range(1, 5) for b in range(1, 5) if a != b]
    raw = "\n".join(["origin_zone_id,dest_zone_id,trips_veh", *rows, ""]).encode()
    refused = _survives(read_od, raw, tmp_path / "fuzz.csv", 150, seed=9)
    assert 10 < refused < 150


def test_damaged_polygons(tmp_path):
    ring = "[[24.9,60.1],[25.0,60.1],[25.0,60.2],[24.9,60.2],[24.9,60.1]]"
    feature = f'{{"type":"Feature","properties":{{"name":"A"}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}'
    raw = f'{{"type":"FeatureCollection","features":[\n{feature},\n{feature}\n]}}\n'.encode()
    refused = _survives(read_polygons, raw, tmp_path / "fuzz.geojson", 250, seed=10)
    assert 30 < refused < 250


@pytest.mark.parametrize("name", ["Four_net.tntp", "Four_node.tntp", "city.toml"])
def test_damaged_assignment_problems(tmp_path, name):
    """A city of two zones and two junctions; one of its three files is damaged."""
    pairs = ((1, 3), (3, 1), (2, 4), (4, 2), (3, 4), (4, 3))
    whole = {
        "Four_net.tntp": "<NUMBER OF ZONES> 2\n<NUMBER OF NODES> 4\n<FIRST THRU NODE> 3\n<NUMBER OF LINKS> 6\n"
        "<END OF METADATA>\n" + "".join(f"{a} {b} 1800 2.0 3.0 0.15 4 0 0 1 ;\n" for a, b in pairs),
        "Four_node.tntp": "node X Y ;\n1 -87.60 41.90 ;\n2 -87.50 41.90 ;\n3 -87.57 41.90 ;\n4 -87.53 41.91 ;\n",
        "city.toml": 'crs = "EPSG:4326"\nlength_unit = "mi"\ntime_unit = "min"\ncapacity_unit = "veh/h"\n',
    }
    for other, text in whole.items():
        (tmp_path / other).write_text(text)
    refused = _survives(
        lambda path: cities.load_city(path.parent, timezone="UTC"), whole[name].encode(), tmp_path / name, 120, seed=12
    )
    assert 20 < refused < 120


def test_a_refused_city_leaves_no_half_written_tables(write_osm, tmp_path):
    """Every entry of the cache is whole: what a reading that failed wrote is gone, and no file is left aside."""
    raw, path, cache = _town(write_osm), tmp_path / "fuzz.osm", tmp_path / "cache"
    kept = 0
    for k in range(40):
        path.write_bytes(mutated(raw, np.random.default_rng([11, k])))
        try:
            cities.load_city(path, cache_dir=cache, timezone="Europe/Helsinki")
            kept += 1
        except ZonewiseError:
            pass
    entries = [entry for entry in cache.iterdir() if entry.is_dir()] if cache.is_dir() else []
    assert 0 < kept < 40
    assert len(entries) <= kept
    names = {frozenset(part.name for part in entry.rglob("*")) for entry in entries}
    assert len(names) == 1
