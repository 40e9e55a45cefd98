"""The raster as the browser gets it: the stored values, hour by hour, at the right place, and nothing after now."""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from app import air_views


@pytest.fixture
def told(queries):
    return json.loads(air_views.air_json(queries))


def grid(told, layer):
    """(hours, rows, columns) values; nan outside."""
    data = np.frombuffer(base64.b64decode(told["layers"][layer]["bytes"]), dtype=np.uint8)
    values = data.reshape(len(told["periods"]), told["rows"], told["columns"]).astype(float)
    return np.where(values == 255, np.nan, values * told["layers"][layer]["unit"])


def test_hours_end_by_now_and_say_when_they_were(told):
    """It is 14:30: fourteen full hours, of four steps each."""
    assert [p["step"] for p in told["periods"]] == list(range(0, 56, 4)) and told["steps"] == 4
    assert told["periods"][-1]["words"] == "13:00–14:00"


@pytest.mark.parametrize(("layer", "column"), [("no2", "no2_ug_per_m3"), ("pm25", "pm25_ug_per_m3")])
def test_every_cell_holds_its_value_to_half_a_byte(told, queries, layer, column):
    """800 m of zones by cells of 20 m: 40 by 40, row 0 in the north."""
    values, unit = grid(told, layer), told["layers"][layer]["unit"]
    assert values.shape[1:] == (40, 40)
    table = queries.workspace.runs.read(queries.info().runs["live"], "concentration")
    hour = (table["time"] - queries.info().day[0]) // pd.Timedelta(hours=1)
    table = table[hour < 14].assign(hour=hour)
    row, at = ((800 - table["y_m"]) // 20).astype(int), (table["x_m"] // 20).astype(int)
    assert np.abs(values[table["hour"], row, at] - table[column]).max() <= unit / 2 + 1e-6
    assert unit <= np.ceil(table[column].max() / 2.54) / 100 + 1e-9


def test_the_corners_are_those_of_the_zones(told, queries):
    west, south, east, north = queries.zones().to_crs(4326).total_bounds
    nw, ne, sw = told["corners"]
    np.testing.assert_allclose([nw[0], nw[1]], [west, north], atol=2e-5)
    np.testing.assert_allclose([ne[0], sw[1]], [east, south], atol=2e-5)


def test_the_page_fetches_it_by_the_day_and_none_other(queries):
    from app.api import day_key
    from app.server import create_app

    client = create_app(queries.workspace).server.test_client()
    answer = client.get(f"/api/{day_key(queries)}/air.json")
    assert answer.status_code == 200 and answer.json["columns"] == 40 and answer.headers["ETag"]
    assert client.get("/api/other/air.json").status_code == 404
