"""Tables keep their contract, or say everything that is wrong with them at once."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError, SchemaError, ZonewiseError
from data.schemas import (
    ALL_TABLES,
    LINKS,
    NODES,
    TURNS,
    WEATHER,
    ZONE_STATE,
    ZONES,
    Column,
    Table,
    empty,
    validate,
)
from data.toy import toy_links, toy_nodes, toy_turns, toy_zones

TIMES = pd.date_range("2025-03-03", periods=4, freq="15min", tz="UTC").as_unit("us")


def zone_state():
    return pd.DataFrame(
        {"zone_id": ["Z01", "Z01", "Z02", "Z02"], "time": TIMES[[0, 1, 0, 1]], "speed_mps": [8.0, 9.0, np.nan, 7.0]}
    )


def weather():
    zero = dict.fromkeys([c.name for c in WEATHER.columns if c.kind == "float"], 0.0)
    return pd.DataFrame({"time": TIMES, **zero}).assign(mixing_height_m=500.0)


def faults(table, schema):
    with pytest.raises(SchemaError) as error:
        validate(table, schema)
    assert error.value.table == schema.name and str(len(error.value.faults)) in str(error.value)
    return error.value.faults


@pytest.mark.parametrize(
    ("table", "schema"),
    [(toy_nodes, NODES), (toy_links, LINKS), (toy_turns, TURNS), (toy_zones, ZONES), (weather, WEATHER)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_toy_towns_tables_pass(table, schema):
    checked = validate(table(), schema)
    assert list(checked.columns)[: len(schema.names)] == [name for name in schema.names if name in checked]
    assert len(checked) == len(table())


@pytest.mark.parametrize("schema", ALL_TABLES.values(), ids=lambda schema: schema.name)
def test_an_empty_table_passes_its_schema(schema):
    assert len(validate(empty(schema), schema)) == 0


@given(order=st.permutations(list(range(7))), rows=st.permutations(list(range(25))))
@settings(max_examples=30, deadline=None)
def test_columns_in_any_order_pass_and_rows_keep_theirs(order, rows):
    table = toy_nodes().iloc[list(rows), list(order)]
    checked = validate(table, NODES)
    assert tuple(checked.columns) == NODES.names
    assert checked["node_id"].tolist() == list(rows)


def test_validation_changes_nothing_it_was_given():
    table = zone_state().assign(speed_mps=[8, 9, 6, 7])
    before = table.copy()
    checked = validate(table, ZONE_STATE)
    pd.testing.assert_frame_equal(table, before)
    assert checked["speed_mps"].dtype == "float64"


def test_every_fault_is_told_at_once():
    """A missing column, an unknown one, a wrong type, a missing value, a value out of range and a repeated key."""
    table = toy_zones()
    table["zone_id"] = ["Z01", "Z01", "Z03", "Z04"]
    table["homes"] = ["many", "few", "none", "some"]
    table["green_share"] = [0.1, 1.5, 0.2, 0.3]
    table["jobs"] = [1.0, np.nan, 3.0, 4.0]
    closed = Table(name="zones", key=ZONES.key, columns=ZONES.columns)
    told = faults(table.drop(columns="lat").assign(colour="red"), closed)
    assert len(told) == 6
    for word in ("lat", "colour", "homes", "jobs", "green_share", "repeated key"):
        assert sum(word in fault for fault in told) >= 1, word


def test_a_value_out_of_range_is_told_with_its_row_and_bounds():
    (fault,) = faults(zone_state().assign(speed_mps=[8.0, 9.0, -1.0, 7.0]), ZONE_STATE)
    assert "'speed_mps'" in fault and "[0, 70]" in fault and "-1 in row 2" in fault and "m/s" in fault


@given(row=st.integers(0, 24), value=st.sampled_from([np.inf, -np.inf, 181.0, -180.5]))
@settings(max_examples=20, deadline=None)
def test_no_longitude_leaves_the_globe(row, value):
    table = toy_nodes()
    table.loc[row, "lon"] = value
    (fault,) = faults(table, NODES)
    assert "'lon'" in fault and f"row {row}" in fault


@given(first=st.integers(0, 24), second=st.integers(0, 24))
@settings(max_examples=20, deadline=None)
def test_a_key_may_not_repeat(first, second):
    table = toy_nodes()
    table.loc[second, "node_id"] = first
    if first == second:
        assert len(validate(table, NODES)) == 25
    else:
        (fault,) = faults(table, NODES)
        assert "repeated key" in fault and f"'{first}'" in fault


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("speed_mps", ["8", "9", "7", "7"], "must be float"),
        ("speed_mps", [True, False, True, True], "must be float"),
        ("speed_mps", TIMES, "must be float"),
        ("zone_id", [1, 2, 3, 4], "must be str"),
        ("zone_id", ["Z01", 2, "Z03", "Z04"], "must be str"),
        ("time", ["2025-03-03"] * 4, "parse the times"),
        ("time", TIMES.tz_localize(None), "without a time zone"),
        ("zone_id", [None] * 4, "4 missing"),
        ("time", pd.DatetimeIndex([pd.NaT] * 4, tz="UTC"), "4 missing"),
    ],
)
def test_a_column_of_a_wrong_kind_is_refused(column, values, words):
    table = zone_state().assign(**{column: values})
    assert any(column in fault and words in fault for fault in faults(table, ZONE_STATE))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.5, *range(1, 25)], "fractions"),
        ([np.nan, *range(1, 25)], "must be int"),
        (list("abcdefghijklmnopqrstuvwxy"), "must be int"),
    ],
)
def test_ids_are_whole_numbers(values, words):
    assert any("node_id" in fault and words in fault for fault in faults(toy_nodes().assign(node_id=values), NODES))


def test_a_truth_value_is_neither_a_number_nor_text():
    assert any("'signal' must be bool" in fault for fault in faults(toy_nodes().assign(signal=1), NODES))
    assert any("'signal' must be bool" in fault for fault in faults(toy_nodes().assign(signal="yes"), NODES))


def test_a_column_that_may_not_be_missing_is_refused_when_it_is_all_missing():
    (fault,) = faults(toy_nodes().assign(x_m=np.nan), NODES)
    assert "'x_m' has 25 missing value(s), first in row 0" in fault


def test_a_sensorless_column_may_be_all_missing():
    assert validate(zone_state().assign(speed_mps=np.nan), ZONE_STATE)["speed_mps"].isna().all()


def test_a_link_without_a_shape_is_refused():
    links = toy_links()
    links.loc[3, "geometry"] = None
    assert faults(links, LINKS) == ("column 'geometry' has 1 row(s) without a shape, first in row 3",)


def test_two_columns_of_one_name_are_refused():
    table = pd.concat([toy_nodes(), toy_nodes()[["x_m"]]], axis=1)
    (fault,) = faults(table, NODES)
    assert "'x_m'" in fault and "more than once" in fault


def test_times_of_any_zone_become_utc():
    local = zone_state().assign(time=TIMES[[0, 1, 0, 1]].tz_convert("Europe/Helsinki"))
    checked = validate(local, ZONE_STATE)
    assert str(checked["time"].dtype) == "datetime64[us, UTC]"
    assert (checked["time"] == zone_state()["time"]).all()


def test_an_unknown_choice_is_refused_with_those_that_exist():
    table = empty(ALL_TABLES["sensors"])
    table.loc[0] = ["S1", "radar", "Z01", 3, 24.9, 60.2]
    assert any("radar" in f and "loop" in f for f in faults(table.astype({"link_id": "int64"}), ALL_TABLES["sensors"]))


def test_a_schema_error_survives_a_copy():
    """So that it crosses from one process to another as it is."""
    error = SchemaError("nodes", ["one", "two"])
    again = copy.copy(error)
    assert str(again) == str(error) == "table 'nodes' has 2 fault(s): one; two"
    assert again.faults == ("one", "two")
    assert isinstance(error, ZonewiseError) and isinstance(error, InputError) and isinstance(error, ValueError)


def test_a_column_of_an_unknown_kind_cannot_be_declared():
    with pytest.raises(ValueError, match="complex"):
        Column(name="z", kind="complex")
    with pytest.raises(KeyError):
        NODES.column("colour")
