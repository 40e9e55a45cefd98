"""OD tables from files: long, square, OMX and TNTP give one table; faults are named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import FileFormatError, InputError
from data.readers.od import read_departure_profiles, read_od, read_trips, square_as_long
from data.readers.omx import write_omx

ZONES = ["007", "12", "B"]
TRIPS = np.array([[0.0, 3.5, 1.0], [2.0, 0.0, 0.0], [0.0, 7.0, 4.0]])
LONG = square_as_long(TRIPS, ZONES).sort_values(["origin_zone_id", "dest_zone_id"], ignore_index=True)


def test_long_square_and_omx_files_read_the_same(tmp_path):
    """Five pairs that sum to 17.5, zone names as text with their zeros."""
    LONG.rename(columns={"origin_zone_id": "from", "dest_zone_id": "to", "trips_veh": "trips"}).to_csv(
        tmp_path / "long.csv", index=False
    )
    pd.DataFrame(TRIPS, index=ZONES, columns=ZONES).to_csv(tmp_path / "square.csv")
    pd.testing.assert_frame_equal(read_od(tmp_path / "long.csv"), LONG)
    pd.testing.assert_frame_equal(read_od(tmp_path / "square.csv"), LONG)
    pytest.importorskip("h5py", reason="OMX needs the extra 'od'")
    write_omx(tmp_path / "m.omx", {"TRIPS": TRIPS}, ZONES)
    pd.testing.assert_frame_equal(read_od(tmp_path / "m.omx"), LONG)


@given(st.permutations(range(3)), st.permutations(range(3)), st.permutations(range(5)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_permuted_rows_and_columns_read_the_same(tmp_path, rows, columns, order):
    """Any order of a square's rows and columns, and of a long table's rows."""
    square = pd.DataFrame(TRIPS, index=ZONES, columns=ZONES).iloc[list(rows), list(columns)]
    square.to_csv(tmp_path / "s.csv")
    LONG.iloc[list(order)].to_csv(tmp_path / "l.csv", index=False)
    pd.testing.assert_frame_equal(read_od(tmp_path / "s.csv"), LONG)
    pd.testing.assert_frame_equal(read_od(tmp_path / "l.csv"), LONG)


def test_classes_of_an_omx_file_are_named_or_found(tmp_path):
    """Matrices CAR and heavy are our classes; SOV must be told; one of two unnamed ones must be chosen."""
    pytest.importorskip("h5py", reason="OMX needs the extra 'od'")
    write_omx(tmp_path / "a.omx", {"CAR": TRIPS, "heavy": TRIPS / 10}, ZONES)
    found = read_od(tmp_path / "a.omx").groupby("vehicle_class")["trips_veh"].sum()
    assert found.to_dict() == pytest.approx({"car": 17.5, "heavy": 1.75})
    write_omx(tmp_path / "b.omx", {"SOV": TRIPS, "HOV": TRIPS}, ZONES)
    assert read_od(tmp_path / "b.omx", matrix={"car": "SOV"})["trips_veh"].sum() == 17.5
    with pytest.raises(FileFormatError, match=r"HOV.*SOV.*say which"):
        read_od(tmp_path / "b.omx")
    (tmp_path / "c.omx").write_bytes(b"no matrix at all")
    with pytest.raises(FileFormatError, match="no OMX"):
        read_od(tmp_path / "c.omx")


def test_a_tntp_file_reads_as_text_zones(tmp_path):
    """Zones 1 and 2 with 5 trips from 1 to 2."""
    (tmp_path / "t.tntp").write_text(
        "<NUMBER OF ZONES> 2\n<TOTAL OD FLOW> 5.0\n<END OF METADATA>\nOrigin 1\n  2 : 5.0;\n"
    )
    assert read_od(tmp_path / "t.tntp").to_dict("records") == [
        {"origin_zone_id": "1", "dest_zone_id": "2", "trips_veh": 5.0}
    ]


def test_times_of_day_and_seconds_both_tell_a_departure(tmp_path):
    """07:30 is 27,000 s."""
    (tmp_path / "t.csv").write_text("origin;dest;departure;class\n1;2;07:30;Car\n2;1;3600;bus\n")
    trips = read_trips(tmp_path / "t.csv")
    assert trips["departure_s"].tolist() == [3600.0, 27_000.0]
    assert trips["vehicle_class"].tolist() == ["bus", "car"]


def test_every_fault_of_a_file_is_named(tmp_path):
    """No number of trips in row 0, a negative one in row 1, an impossible time, an unknown class."""
    (tmp_path / "f.csv").write_text("o,d,trips,time,mode\n1,2,many,25:00,car\n2,1,-3,0,tram\n")
    with pytest.raises(FileFormatError, match=r"(?s)2 such rows.*25:00.*tram"):
        read_od(tmp_path / "f.csv")
    (tmp_path / "g.csv").write_text("zone,1,2\n1,0,3\n3,1,0\n")
    with pytest.raises(FileFormatError, match=r"only in rows \['3'\]"):
        read_od(tmp_path / "g.csv")
    with pytest.raises(InputError, match="no file"):
        read_od(tmp_path / "none.csv")


def test_departure_profiles_come_by_hour(tmp_path):
    """Two hours of one kind, in order."""
    (tmp_path / "p.csv").write_text("Hour,Share,kind\n8,2,Inbound\n7,1,Inbound\n")
    assert read_departure_profiles(tmp_path / "p.csv").to_dict("list") == {
        "hour": [7.0, 8.0], "share": [1.0, 2.0], "kind": ["inbound", "inbound"],
    }  # fmt: skip
