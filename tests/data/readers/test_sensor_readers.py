"""Readers of detectors and stations: small files of each layout, their clocks, units and faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError, SchemaError, ZonewiseError
from data.readers.air_networks import read_eea, read_openaq
from data.readers.long import read_long
from data.readers.measured_units import factor
from data.readers.messages import read_messages
from data.readers.pedestrians import read_auckland
from data.readers.pems import read_pems, read_pems_places
from data.readers.places_of_sensors import checked_places, no_places
from data.readers.scats import read_scats
from data.readers.wide import read_wide

LA = {"quantity": "speed_mps", "unit": "mph", "timezone": "America/Los_Angeles"}


def test_a_mile_an_hour_is_0_44704_m_per_s_and_four_in_15_minutes_are_16_an_hour():
    """1609.344 m / 3600 s; 4 x 3600 / 900."""
    assert factor("speed_mps", "mph", step_s=300) == pytest.approx(0.44704)
    assert factor("flow_veh_per_h", "veh/interval", step_s=900) * 4 == pytest.approx(16.0)
    with pytest.raises(InputError, match=r"unit 'knots'.*allowed: .*mph"):
        factor("speed_mps", "knots", step_s=300)


def test_a_ppb_of_no2_is_1_91_ug_at_20_c_and_1_88_at_25():
    """46.006 g / (0.0820574 x 293.15 L) = 1.9125; at 298.15 K 1.8805."""
    assert factor("no2_ug_per_m3", "ppb", step_s=3600) == pytest.approx(1.9125, abs=1e-3)
    assert factor("no2_ug_per_m3", "ppb", step_s=3600, temperature_c=25.0) == pytest.approx(1.8805, abs=1e-3)


def test_wide_speeds_without_times_count_elapsed_steps(tmp_path):
    """Row 2 of a five-minute table that starts at midnight in Los Angeles (UTC-8) is 08:10 UTC; 60 mph are 26.8224."""
    path = tmp_path / "speeds.csv"
    path.write_text("773869,767541\n60,30\n60,30\n60,30\n")
    read = read_wide(path, **LA, start="2012-03-01", step_s=300)
    assert read.table["time"].max() == pd.Timestamp("2012-03-01 08:10", tz="UTC")
    assert read.table.loc[read.table["sensor_id"] == "773869", "speed_mps"].tolist() == pytest.approx([26.8224] * 3)
    with pytest.raises(InputError, match="no column of times"):
        read_wide(path, **LA)


def test_a_header_of_readings_and_a_wrong_unit_are_named(tmp_path):
    path = tmp_path / "speeds.csv"
    path.write_text("64.375,67.625\n62.6,68.5\n")
    with pytest.raises(SchemaError, match="looks like readings"):
        read_wide(path, **LA, start="2012-03-01", step_s=300)
    path.write_text("a,b\n100,110\n100,110\n")
    with pytest.raises(SchemaError, match="km/h or mph"):
        read_wide(path, **(LA | {"unit": "m/s"}), start="2012-03-01", step_s=300)


def test_columns_that_are_not_read_are_told_and_a_fault_that_no_gap_cures_names_no_gaps(tmp_path):
    """One reading of 100 km/h under a name that is not ours; read as m/s it is absurd."""
    path = tmp_path / "long.csv"
    path.write_text("sensor_id,time,flow_veh_per_h,v_kmh\na,2026-03-02 06:00,60,100\na,2026-03-02 06:15,60,100\n")
    told = " ".join(read_long(path, timezone="UTC").notes)
    assert "v_kmh are not read" in told and "sensor_id are" not in told
    with pytest.raises(SchemaError, match="--units speed_mps=UNIT") as caught:
        read_long(path, timezone="UTC", columns={"speed_mps": "v_kmh"})
    assert "on_fault" not in str(caught.value)


def test_the_hour_that_comes_twice_is_summer_time_first_and_the_skipped_one_is_told(tmp_path):
    """Clocks in Berlin: 02:30 of 26 October 2025 is 00:30 UTC, then 01:30 UTC; 02:30 of 30 March never was."""
    path = tmp_path / "long.csv"
    path.write_text("sensor_id,time,speed_mps\na,2025-10-26 02:30,1\na,2025-10-26 02:30,2\n")
    read = read_long(path, timezone="Europe/Berlin")
    assert read.table["time"].dt.strftime("%H:%M").tolist() == ["00:30", "01:30"]
    assert any("showed twice" in note for note in read.notes)
    path.write_text("sensor_id,time,speed_mps\na,2025-03-30 02:30,1\n")
    with pytest.raises(SchemaError, match=r"never showed.*\+01:00"):
        read_long(path, timezone="Europe/Berlin")
    assert read_long(path, timezone="+01:00").table["time"].iloc[0] == pd.Timestamp("2025-03-30 01:30", tz="UTC")


def scats(volumes: list[list[int]], sites: list[tuple[str, str, int]], dates: list[str]) -> pd.DataFrame:
    """Rows of a VicRoads file."""
    table = pd.DataFrame(sites, columns=["SCATS Number", "Location", "HF VicRoads Internal"])
    table = table.assign(NB_LATITUDE=-37.8, NB_LONGITUDE=145.0, Date=dates)
    return pd.concat([table, pd.DataFrame(volumes, columns=[f"V{k:02d}" for k in range(96)])], axis=1)


def test_scats_volumes_are_four_to_the_hour_and_sites_with_one_number_stay_apart(tmp_path):
    """5 in 15 minutes are 20 veh/h; number 7 stands at two sites; the approach north of a junction drives south."""
    path = tmp_path / "scats.csv"
    table = scats([[5] * 96, [1] * 95 + [-1]], [("0970", "A N of B", 7), ("4000", "C E of D", 7)], ["2006-10-02"] * 2)
    table.to_csv(path, index=False)
    read = read_scats(path)
    assert sorted(read.places["sensor_id"]) == ["0970.7", "4000.7"]
    assert read.table.loc[read.table["sensor_id"] == "0970.7", "flow_veh_per_h"].unique().tolist() == [20.0]
    assert read.table["flow_veh_per_h"].isna().sum() == 1
    assert read.places.set_index("sensor_id")["bearing_deg"].to_dict() == {"0970.7": 180.0, "4000.7": 270.0}


def test_scats_days_of_23_and_25_hours_lose_the_skipped_hour_and_gap_the_second(tmp_path):
    """Melbourne 2006: 29 October skips 02:00-03:00, four slots; 2 April has 100 quarters, and the file 96."""
    path = tmp_path / "scats.csv"
    scats([[5] * 96], [("1", "A N of B", 7)], ["2006-10-29"]).to_csv(path, index=False)
    assert len(read_scats(path).table) == 92
    scats([[5] * 96], [("1", "A N of B", 7)], ["2006-04-02"]).to_csv(path, index=False)
    read = read_scats(path)
    assert len(read.table) == 96
    assert (read.table["time"].diff().dropna() > pd.Timedelta(minutes=15)).sum() == 1


def test_pems_flows_are_twelve_to_the_hour_and_guesses_are_gaps(tmp_path):
    """100 vehicles in 5 minutes are 1200 veh/h; a row observed to 20 % is PeMS' own guess."""
    path = tmp_path / "d07_text_station_5min_2024_01_02.txt"
    path.write_text(
        "01/02/2024 00:00:00,715898,7,5,N,ML,0.43,50,100,100,.05,65.0,10,50,.05,65,1\n"
        "01/02/2024 00:05:00,715898,7,5,N,ML,0.43,50,20,90,.05,65.0,10,50,.05,65,1\n"
    )
    meta = tmp_path / "d07_text_meta.txt"
    meta.write_text("ID\tFwy\tDir\tLatitude\tLongitude\tLanes\tName\n715898\t5\tN\t33.9\t-118.1\t4\tROSECRANS\n")
    read = read_pems(path, places=read_pems_places(meta))
    assert read.table["flow_veh_per_h"].tolist()[0] == 1200.0
    assert read.table["speed_mps"].tolist()[0] == pytest.approx(29.0576)
    assert np.isnan(read.table["flow_veh_per_h"].tolist()[1])
    assert read.table["time"].iloc[0] == pd.Timestamp("2024-01-02 08:00", tz="UTC")
    assert read.places["bearing_deg"].tolist() == [0.0]


def test_openaq_rows_become_columns_in_ug(tmp_path):
    """0.02 ppm of NO2 at 25 C are 20 x 1.8805 ug/m3."""
    path = tmp_path / "openaq.csv"
    path.write_text(
        "location_id,location,parameter,value,unit,datetimeUtc,latitude,longitude\n"
        "7,Here,no2,0.02,ppm,2025-01-01T00:00:00Z,52.5,13.4\n7,Here,pm25,9,µg/m³,2025-01-01T00:00:00Z,52.5,13.4\n"
        "7,Here,bc,9,µg/m³,2025-01-01T00:00:00Z,52.5,13.4\n"
    )
    read = read_openaq(path, timezone="Europe/Berlin", temperature_c=25.0)
    assert read.table["no2_ug_per_m3"].tolist() == pytest.approx([37.61], abs=0.02)
    assert read.table["pm25_ug_per_m3"].tolist() == [9.0]
    assert read.places["lat"].tolist() == [52.5]
    assert any("bc" in note for note in read.notes)


def test_eea_rows_are_utc_plus_one_and_invalid_ones_left_out(tmp_path):
    """01:00 of the EEA's clock is 00:00 UTC; code 8 is NO2; validity -1 must not be used."""
    path = tmp_path / "eea.parquet"
    pd.DataFrame(
        {
            "Samplingpoint": ["DE/SPO.DE_X"] * 3,
            "Pollutant": [8, 8, 8],
            "Start": pd.to_datetime(["2024-06-01 01:00", "2024-06-01 02:00", "2024-06-01 03:00"]),
            "Value": [20.0, -999.0, 21.0],
            "Unit": "ug.m-3",
            "AggType": ["hour", "hour", "day"],
            "Validity": [1, -1, 1],
            "Verification": 1,
        }
    ).to_parquet(path)
    read = read_eea(path)
    assert read.table["time"].tolist() == [pd.Timestamp("2024-06-01 00:00", tz="UTC")]
    assert read.table["no2_ug_per_m3"].tolist() == [20.0]


def test_auckland_hours_are_local_and_columns_are_sensors():
    """06:00 on 2 January in Auckland (UTC+13) is 17:00 UTC of the day before."""
    counts = pd.DataFrame({"date": ["2019-01-02"], "hour": ["6:00-6:59"], "year": [2019], "107 Quay Street": [94.0]})
    places = pd.DataFrame({"Address": ["107 Quay Street"], "Latitude": [-36.8], "Longitude": [174.8]})
    read = read_auckland(counts, places)
    assert read.table["time"].tolist() == [pd.Timestamp("2019-01-01 17:00", tz="UTC")]
    assert read.places["kind"].tolist() == ["foot"]


def test_coordinates_at_null_swapped_outside_and_far_are_told_apart():
    """Five sensors in Beijing, then one each: at 0,0; latitude and longitude swapped; no point on Earth; in Europe."""
    lon = [116.3, 116.4, 116.35, 116.41, 116.38, 0.0, 39.9, 400.0, 13.4]
    lat = [39.9, 39.95, 40.0, 39.98, 39.92, 0.0, 116.4, 39.9, 52.5]
    places = no_places([f"s{k}" for k in range(9)], "loop").assign(lon=lon, lat=lat)
    mended, verdict = checked_places(places)
    assert verdict.tolist() == ["ok"] * 5 + ["null_island", "swapped", "outside", "far"]
    assert mended.loc[6, ["lon", "lat"]].tolist() == [116.4, 39.9]
    assert mended.loc[[5, 7, 8], "lon"].isna().all()


def test_a_message_with_several_faults_names_them_and_spoils_no_other():
    good = b'{"sensor_id": "a", "time": "2025-01-01T00:00:00Z", "speed_mps": 12.5}'
    read, faults = read_messages([good, b'{"sensor_id": "", "speed_mps": "x", "color": 1}', b"\xff"], timezone="UTC")
    assert read is not None
    assert read.table["speed_mps"].tolist() == [12.5]
    assert len(faults) == 2
    assert all(word in faults[0][1] for word in ("lacks sensor_id, time", "color", "must be a number"))


@pytest.mark.parametrize("content", ["", "a,a\n1,2\n", "sensor_id,time\n", "sensor_id,time,speed_mps\na,yesterday,x\n"])
def test_a_file_that_cannot_be_read_says_so_in_our_words(tmp_path, content):
    path = tmp_path / "long.csv"
    path.write_text(content)
    with pytest.raises(ZonewiseError, match=r"long\.csv"):
        read_long(path, timezone="UTC")
