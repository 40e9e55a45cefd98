"""TNTP files become tables in the file's own units, or are refused with every faulty line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from data.errors import FileFormatError, InputError
from data.readers.tntp import read_tntp_flows, read_tntp_network, read_tntp_nodes, read_tntp_trips

NETWORK = """<NUMBER OF ZONES> 2\t\t
<NUMBER OF NODES> 3
<FIRST THRU NODE> 3
<NUMBER OF LINKS> 2
<ORIGINAL HEADER>~ Tail Head Capacity (veh/h) Length (miles) ;
<END OF METADATA>

~\tinit_node\tterm_node\tcapacity\tlength\tfree_flow_time\tb\tpower\tspeed\ttoll\tlink_type\t;
\t1\t3\t1800\t0.5\t0.6\t0.15\t4\t50\t25\t1\t;
\t3\t2\t900\t1\t0\t0.15\t4\t0\t0\t3
"""
TRIPS = """<NUMBER OF ZONES> 3
<TOTAL OD FLOW> 12.5
<END OF METADATA>
~ a remark
Origin  2
    1 :     2.5;    3 :    0.0;
Origin 1
    1 :     4.0;    2 :  6.0;
"""


def written(folder: Path, text: str, name: str = "case.tntp") -> Path:
    """Path of a file with this text, compressed where the name ends with .gz."""
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def shared(name: str) -> Path:
    """A file of the shared data, or skip."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", root.parent / "shared" / "data"))
    if not (folder / "tntp" / name).is_file():
        pytest.skip(f"no {name} in the shared data; set ZONEWISE_SHARED_DATA")
    return folder / "tntp" / name


def test_a_network_keeps_the_units_of_its_file(tmp_path):
    """Two links: 1,800 an hour stays 1800, half a mile 0.5; the file's words on units are handed on."""
    network = read_tntp_network(written(tmp_path, NETWORK))
    assert (network.n_zones, network.n_nodes, network.first_thru_node) == (2, 3, 3)
    assert "miles" in network.stated_header
    first = network.links.iloc[0]
    assert (first["from_node"], first["to_node"], first["capacity_native"], first["toll_native"]) == (1, 3, 1800, 25)
    assert network.links["free_flow_time_native"].tolist() == [0.6, 0.0]
    assert network.links["from_node"].dtype == "int64"


def test_trips_are_ordered_and_zeros_left_out(tmp_path):
    """Three pairs above zero, one within a zone; plain and compressed files read alike."""
    table = read_tntp_trips(written(tmp_path, TRIPS))
    rows = list(table.itertuples(index=False, name=None))
    assert rows == [(1, 1, 4.0), (1, 2, 6.0), (2, 1, 2.5)]
    assert read_tntp_trips(written(tmp_path, TRIPS, "case.tntp.gz")).equals(table)


def test_a_sum_that_differs_from_the_stated_total_is_told(tmp_path, caplog):
    """12.5 trips are there; the file that says 20 is read, with a warning."""
    read_tntp_trips(written(tmp_path, TRIPS))
    assert not caplog.records
    read_tntp_trips(written(tmp_path, TRIPS.replace("12.5", "20")))
    assert "says 20" in caplog.text and "12.5" in caplog.text


def test_flows_and_nodes_with_and_without_headings(tmp_path):
    """Headings are words; the first row of numbers is data."""
    flows = read_tntp_flows(written(tmp_path, "From \tTo \tVolume \tCost \n1 \t3 \t7.5 \t0.25 \n"))
    assert list(flows.itertuples(index=False, name=None)) == [(1, 3, 7.5, 0.25)]
    nodes = read_tntp_nodes(written(tmp_path, "1 -96.7 43.6 ;\n2 -96.8 43.5 ;\n"))
    assert nodes["x_native"].tolist() == [-96.7, -96.8]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("\t1\t3\t1800", "\t1\t9\t1800", ["line 9", "term_node is '9'", "from 1 to 3"]),
        ("\t0.6\t", "\t-0.6\t", ["line 9", "free_flow_time is '-0.6'", "from 0"]),
        ("\t0.15\t4\t50", "\tlow\t4\t50", ["line 9", "b is 'low'"]),
        ("\t0\t3\n", "\t0\n", ["line 10", "9 values", "allowed are 10"]),
        ("LINKS> 2", "LINKS> 7", ["says 7", "holds 2"]),
        ("<NUMBER OF NODES> 3\n", "", ["no line <NUMBER OF NODES>"]),
        ("init_node\tterm_node\tcapacity\tlength", "init_node\tterm_node\tlength\tcapacity", ["columns are"]),
        ("<END OF METADATA>", "", ["END OF METADATA"]),
    ],
)
def test_a_faulty_network_names_line_found_and_allowed(tmp_path, old, new, parts):
    assert old in NETWORK
    with pytest.raises(FileFormatError) as error:
        read_tntp_network(written(tmp_path, NETWORK.replace(old, new)))
    for part in parts:
        assert part in str(error.value)


def test_all_faults_of_a_file_are_named_at_once(tmp_path):
    """A zone that is not there, a negative number, and an entry without colon, in one error."""
    text = TRIPS.replace("3 :    0.0", "4 :    1.0").replace("2.5;", "-2.5;").replace("2 :  6.0", "2  6.0")
    with pytest.raises(FileFormatError) as error:
        read_tntp_trips(written(tmp_path, text))
    for part in ("3 fault(s)", "zone is '4'", "trips is '-2.5'", "line 8: '2  6.0'"):
        assert part in str(error.value)


def test_a_pair_or_link_given_twice_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="1 to 2 is given twice"):
        read_tntp_trips(written(tmp_path, TRIPS + "   2 : 1.0;\n"))
    with pytest.raises(FileFormatError, match="given twice"):
        read_tntp_flows(written(tmp_path, "1 3 7.5 0.25\n1 3 7.5 0.25\n"))


def test_trips_before_the_first_origin_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="before the first 'Origin'"):
        read_tntp_trips(written(tmp_path, TRIPS.replace("Origin  2\n", "")))


def test_a_missing_or_damaged_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_tntp_network(tmp_path / "none.tntp")
    (tmp_path / "bad.tntp.gz").write_bytes(b"no gzip at all")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_tntp_trips(tmp_path / "bad.tntp.gz")


def test_the_sums_of_published_flows_are_those_of_the_collection():
    """Sum of flow x cost: 7,480,225 in Sioux Falls; 360,600 trips."""
    flows = read_tntp_flows(shared("SiouxFalls/SiouxFalls_flow.tntp"))
    assert (flows["flow_native"] * flows["cost_native"]).sum() == pytest.approx(7_480_225, abs=1)
    assert read_tntp_trips(shared("SiouxFalls/SiouxFalls_trips.tntp"))["trips_native"].sum() == 360_600


def test_a_large_compressed_trip_table_reads_whole():
    """Chicago Sketch: 1,260,907.44 trips, 123,414 of them within a zone; 387 zones, 2,950 links."""
    trips = read_tntp_trips(shared("Chicago-Sketch/ChicagoSketch_trips.tntp.gz"))
    inside = trips["origin_zone"] == trips["dest_zone"]
    assert trips["trips_native"].sum() == pytest.approx(1_260_907.44, abs=0.01)
    assert trips.loc[inside, "trips_native"].sum() == pytest.approx(123_414, abs=1)
    network = read_tntp_network(shared("Chicago-Sketch/ChicagoSketch_net.tntp"))
    assert len(network.links) == 2950 and network.n_zones == 387
    assert len(read_tntp_nodes(shared("Chicago-Sketch/ChicagoSketch_node.tntp"))) == network.n_nodes
