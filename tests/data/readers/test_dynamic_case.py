"""Neutral cases of dynamic traffic."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.dynamic_case import read_dynamic_case

_SHARED = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")) / "dynamic"


def _write(folder: Path, **changes: pd.DataFrame) -> Path:
    """Two links in a row, three trips; `changes` replace whole files."""
    files = {
        "nodes": pd.DataFrame({"node": ["a", "b", "c"], "x": [0.0, 1.0, 2.0], "y": [0.0, 0.0, 0.0]}),
        "links": pd.DataFrame(
            {
                "link": ["ab", "bc"], "from": ["a", "b"], "to": ["b", "c"], "length_m": [1000.0, 500.0],
                "speed_mps": [20.0, 10.0], "lanes": [1, 2], "cap_vps": [0.8, 1.2], "jam_vpm": [0.2, 0.4],
                "merge_priority": [1.0, 3.0],
            }
        ),
        "trips": pd.DataFrame({"depart_s": [5.0, 0.0, 5.0], "orig": ["b", "a", "a"], "dest": ["c", "c", "b"]}),
    } | changes  # fmt: skip
    for name, table in files.items():
        table.to_csv(folder / f"{name}.csv{'.gz' if name == 'trips' else ''}", index=False)
    return folder


def _links(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "link": ["ab", "bc"], "from": ["a", "b"], "to": ["b", "c"], "length_m": [1000.0, 500.0],
            "speed_mps": [20.0, 10.0], "lanes": [1, 2], "cap_vps": [0.8, 1.2], "jam_vpm": [0.2, 0.4],
            "merge_priority": [1.0, 3.0],
        }
        | columns
    )  # fmt: skip


def test_names_become_numbers_and_trips_come_in_order_of_departure(tmp_path):
    """Nodes a, b, c are 0, 1, 2; the trip of second 0 comes first, the two of second 5 keep the order of the file."""
    case = read_dynamic_case(_write(tmp_path))
    assert case.links[["from_node_id", "to_node_id"]].to_numpy().tolist() == [[0, 1], [1, 2]]
    assert case.links["merge_weight"].tolist() == [1.0, 3.0]
    assert case.trips.to_numpy().tolist() == [[0.0, 0, 2], [5.0, 1, 2], [5.0, 0, 1]]
    assert case.nodes["name"].tolist() == ["a", "b", "c"]


def test_names_that_look_like_numbers_stay_names(tmp_path):
    """Node '07' is not node 7."""
    nodes = pd.DataFrame({"node": ["07", "7", "c"], "x": [0.0, 1.0, 2.0], "y": 0.0})
    trips = pd.DataFrame({"depart_s": [0.0], "orig": ["07"], "dest": ["7"]})
    links = _links(**{"from": ["07", "7"], "to": ["7", "c"]})
    case = read_dynamic_case(_write(tmp_path, nodes=nodes, links=links, trips=trips))
    assert case.trips[["origin_node_id", "dest_node_id"]].to_numpy().tolist() == [[0, 1]]


def test_one_error_names_every_fault(tmp_path):
    """Eight faults in two files: each is named with its column and first row of the file (the header is row 1)."""
    links = _links(
        to=["b", "z"], length_m=[0.0, 500.0], speed_mps=[20.0, 300.0], lanes=[0, 2], cap_vps=["fast", 1.2],
        jam_vpm=[-0.1, 0.4], link=["ab", "ab"],
    )  # fmt: skip
    trips = pd.DataFrame({"depart_s": [-1.0, 3.0], "orig": ["a", "b"], "dest": ["c", "b"]})
    with pytest.raises(SchemaError) as error:
        read_dynamic_case(_write(tmp_path, links=links, trips=trips))
    text = str(error.value)
    for piece in (
        "links: 1 name(s) more than once", "column 'to' names 1 unknown node(s), such as ['z']",
        "'length_m' must be above 0 m", "'speed_mps' must be above 0 and at most 70 m/s; 1 row(s) are not, first row 3",
        "'lanes' must be at least 1", "'cap_vps' must be above 0 veh/s; 1 row(s) are not, first row 2 of the file with"
        " 'fast'", "'jam_vpm' must be above 0", "'depart_s' must be at least 0 s",
        "trips: 1 row(s) end where they begin, first row 3",
    ):  # fmt: skip
        assert piece in text, piece
    assert len(error.value.faults) == 9


def test_a_capacity_per_hour_is_found_out(tmp_path):
    """1,800 veh/h at 20 m/s would need 90 veh/m; the jam density is 0.2."""
    with pytest.raises(SchemaError, match="was a capacity given per hour"):
        read_dynamic_case(_write(tmp_path, links=_links(cap_vps=[1800.0, 1.2])))


def test_missing_columns_of_all_files_are_named_together(tmp_path):
    with pytest.raises(SchemaError) as error:
        read_dynamic_case(
            _write(tmp_path, links=_links().drop(columns=["lanes", "to"]), trips=pd.DataFrame({"depart_s": [1.0]}))
        )
    assert [fault.split(";")[0] for fault in error.value.faults] == [
        "links lacks column(s) ['to', 'lanes']", "trips lacks column(s) ['orig', 'dest']",
    ]  # fmt: skip


def test_a_missing_file_is_named(tmp_path):
    (_write(tmp_path) / "trips.csv.gz").unlink()
    with pytest.raises(InputError, match=r"lacks trips\.csv or trips\.csv\.gz"):
        read_dynamic_case(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        read_dynamic_case(tmp_path / "nothing")


def test_a_damaged_file_is_named(tmp_path):
    (_write(tmp_path) / "trips.csv.gz").write_bytes(b"\x1f\x8bnot gzip at all")
    with pytest.raises(FileFormatError, match=r"trips\.csv\.gz is no readable CSV table"):
        read_dynamic_case(tmp_path)


@pytest.mark.parametrize(
    ("name", "links", "trips"),
    [("siouxfalls_dyn", 76, 37_064), ("chicago_10th", 2_176, 107_533), ("chicago_dyn", 2_176, 1_075_329)],
)
def test_the_shared_cases_are_read_whole(name, links, trips):
    """Numbers of links and vehicles as published with the cases; the backward wave is 5 m/s on every link."""
    if not (_SHARED / name).is_dir():
        pytest.skip(f"no case at {_SHARED / name}; set ZONEWISE_SHARED_DATA to the folder of shared data")
    case = read_dynamic_case(_SHARED / name)
    assert (len(case.links), len(case.trips)) == (links, trips)
    table = case.links
    capacity, speed = table["capacity_veh_per_s"], table["free_flow_speed_mps"]
    wave = capacity / (table["jam_density_veh_per_m"] - capacity / speed)
    assert wave.to_numpy() == pytest.approx(5.0)
