"""Concentration maps: where the cells lie, what they hold, and that a run with one is the same run."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from data.schemas import CONCENTRATION, validate
from simulation.air.background import SPECIES
from simulation.air.concentration import ConcentrationMap, Raster, cells
from simulation.air.errors import AirError
from simulation.air.receptors import FACADE_HEIGHT_M

COLUMNS = [f"{name}_ug_per_m3" for name in SPECIES]
EVENING = {"seed": 1, "incidents_per_day": 0.0, "start": "2025-09-02 07:00"}


def drawn(toy_air, numbers, raster, *, factor=1.0, **kw):
    """Map of some quarter hours of the toy town, and the model that made it."""
    model = toy_air.model(**kw)
    told = ConcentrationMap(raster, model, timezone="Europe/Helsinki", step_s=900.0)
    for number in numbers:
        model.step(toy_air.interval(number, factor=factor))
        told.book(number * 900.0)
    return told, model


def test_cells_lie_in_zones_on_whole_multiples_and_cover_their_area(toy_air):
    """Four squares of 400 m, borders on the grid: cells of 50 m leave nothing out and nothing over, 16 to a hectare."""
    table, side = cells(toy_air.zones, toy_air.links, cell_m=50.0)
    assert side == 50.0
    np.testing.assert_allclose(table[["x_m", "y_m"]] % 50.0, 25.0)
    area = toy_air.zones.geometry.area.to_numpy()
    np.testing.assert_array_equal(table["zone_id"].value_counts()[toy_air.zones["zone_id"]], area / 2500.0)
    home = toy_air.zones.set_index("zone_id").geometry[table["zone_id"]].to_numpy()
    assert shapely.intersects(home, shapely.points(table["x_m"], table["y_m"])).all()


def test_outside_the_zones_there_are_no_cells(toy_air):
    """A ring: the bounding box is a square, the hole and the corners stay empty."""
    ring = shapely.Point(1000.0, 1000.0).buffer(300.0).difference(shapely.Point(1000.0, 1000.0).buffer(150.0))
    zones = gpd.GeoDataFrame({"zone_id": ["Z01"]}, geometry=[ring], crs=toy_air.links.crs)
    table, _ = cells(zones, toy_air.links, cell_m=10.0)
    distance = np.hypot(table["x_m"] - 1000.0, table["y_m"] - 1000.0)
    assert distance.between(149.0, 301.0).all()
    assert len(table) * 100.0 == pytest.approx(ring.area, rel=0.01)


def test_cells_grow_until_they_are_few_enough(toy_air):
    """0.64 km2 by at most 100 cells: at least 80 m a side, which is a multiple of 5 m; 75 m would be 113 cells."""
    table, side = cells(toy_air.zones, toy_air.links, cell_m=25.0, max_cells=100)
    assert side == 80.0 and len(table) <= 100


def test_a_cell_between_walls_belongs_to_the_canyon(toy_air):
    """Walls 10 m on either side of every street; the toy town's streets run along multiples of 200 m.

    Cells of 20 m have their centres 10 m beside the axes: within the tolerance of 2 m.
    """
    walls = toy_air.walls(height_m=18.0, width_m=20.0)
    table, _ = cells(toy_air.zones, toy_air.links, walls, cell_m=20.0)
    ways = shapely.union_all(toy_air.links.geometry.to_numpy())
    near = shapely.distance(ways, shapely.points(table["x_m"], table["y_m"])) <= 12.0
    np.testing.assert_array_equal(table["link_id"] >= 0, near)
    assert near.any() and not near.all()


@pytest.mark.parametrize("walled", [False, True])
def test_a_cell_is_a_receptor_at_the_same_place(toy_air, walled):
    """To the rounding of float32, in the open and between walls, for all species."""
    kw = {"walls": toy_air.walls(height_m=18.0, width_m=20.0)} if walled else {}
    told, model = drawn(toy_air, [32], Raster(cell_m=20.0, every_s=900.0), **kw)
    table = told.table()
    some = table.sample(40, random_state=1).index
    place = cells(toy_air.zones, toy_air.links, kw.get("walls"), cell_m=20.0)[0].loc[some]
    assert walled == (place["link_id"] >= 0).any()
    same = model.now_at(model.field_of(place.assign(kind="facade", z_m=FACADE_HEIGHT_M), smooth=True))
    np.testing.assert_allclose(table.loc[some, COLUMNS], same, rtol=1e-6)


def test_the_mean_over_the_town_converges_with_finer_cells(toy_air):
    """Against 5 m: each halving of the side brings the mean of NOx nearer, within 2 % at 10 m."""
    mean = {
        side: drawn(toy_air, [32], Raster(cell_m=side, every_s=900.0))[0].table()["nox_ug_per_m3"].mean()
        for side in (40.0, 20.0, 10.0, 5.0)
    }
    off = [abs(mean[side] / mean[5.0] - 1) for side in (40.0, 20.0, 10.0)]
    assert off[2] < 0.02 and off[2] < off[0]


def test_without_traffic_every_cell_holds_the_background(toy_air):
    """NOx and PM10 of the boxes, which are those of the air that blows in but for deposition (a few per cent)."""
    told, model = drawn(toy_air, range(4), Raster(cell_m=50.0), factor=0.0)
    inflow = model._ambient(model._hour(0.0)) * 1e6
    table = told.table()
    np.testing.assert_allclose(table["nox_ug_per_m3"], inflow[0], rtol=0.05)
    np.testing.assert_allclose(table["pm10_ug_per_m3"], inflow[4], rtol=0.05)


def test_the_map_is_the_mean_of_its_intervals_and_keeps_whole_hours_alone(toy_air):
    """Quarters 30 to 41 are 7:30 to 10:30: hours 8 and 9 are whole. NOx of the hour is the mean of its quarters."""
    hours = drawn(toy_air, range(30, 42), Raster(cell_m=100.0))[0].table()
    quarters = drawn(toy_air, range(30, 42), Raster(cell_m=100.0, every_s=900.0))[0].table()
    start = pd.Timestamp("2025-03-03", tz="UTC")
    assert list(hours["time"].unique()) == [start + pd.Timedelta(hours=h) for h in (8, 9)]
    assert quarters["time"].nunique() == 12
    of_hour = quarters.assign(time=quarters["time"].dt.floor("h")).groupby(["time", "y_m", "x_m"])[COLUMNS].mean()
    eight = of_hour.loc[start + pd.Timedelta(hours=8)]
    np.testing.assert_allclose(hours.iloc[: len(eight)][COLUMNS], eight, rtol=1e-5)


def test_hours_are_the_citys_own(toy_air):
    """10 and 11 in Helsinki are 8 and 9 UTC in winter."""
    table = drawn(toy_air, range(28, 44), Raster(cell_m=100.0, hours=(10, 11)))[0].table()
    assert list(pd.DatetimeIndex(table["time"].unique()).hour) == [8, 9]


def test_matrices_that_are_forgotten_are_made_again_alike(toy_air, monkeypatch):
    """Memory is bounded by making them anew; the numbers do not change."""
    whole = drawn(toy_air, range(24), Raster(cell_m=50.0))[0]
    monkeypatch.setattr("simulation.air.concentration._MATRIX_BYTES", 0)
    frugal = drawn(toy_air, range(24), Raster(cell_m=50.0))[0]
    assert frugal._field.plumes.nnz < whole._field.plumes.nnz
    pd.testing.assert_frame_equal(frugal.table(), whole.table())


def test_a_run_keeps_its_map_and_is_otherwise_the_same_run(town):
    """Two hours of the toy town, hourly: two maps; the sensors and the state at the end do not notice."""
    mapped = town.run(days=2 / 24, raster=Raster(cell_m=50.0), **EVENING)
    plain = town.run(days=2 / 24, **EVENING)
    table = validate(mapped.concentration, CONCENTRATION)
    assert table["time"].nunique() == 2 and len(table) == 2 * mapped.summary["raster_cells"]
    assert mapped.summary["raster_cell_m"] == 50.0 and table["no2_ug_per_m3"].dtype == np.float32
    assert len(plain.concentration) == 0
    assert mapped.sensor_state.equals(plain.sensor_state)
    assert all(a.tobytes() == mapped.final_state[name].tobytes() for name, a in plain.final_state.items())


def test_a_run_cut_at_the_hour_keeps_the_rows_of_its_own_part(town):
    """Bit for bit; cut at half past, the hour that neither half covers is in neither."""
    raster = Raster(cell_m=100.0)
    whole = town.run(days=2 / 24, raster=raster, **EVENING).concentration
    for minutes, kept in ((60, [0, 1]), (30, [1])):
        first = town.run(days=minutes / 1440, raster=raster, **EVENING)
        rest = {k: v for k, v in EVENING.items() if k != "start"}
        second = town.run(days=(120 - minutes) / 1440, raster=raster, initial_state=first.final_state, **rest)
        both = pd.concat([first.concentration, second.concentration], ignore_index=True)
        times = whole["time"].unique()[kept]
        pd.testing.assert_frame_equal(
            both.astype({"zone_id": str}),
            whole[whole["time"].isin(times)].reset_index(drop=True).astype({"zone_id": str}),
        )


def test_impossible_maps_are_refused_with_all_faults(toy_air):
    with pytest.raises(AirError, match=r"cell_m=0.*every_s=7000.*hours \[24\].*max_cells=0"):
        Raster(cell_m=0, every_s=7000, hours=(8, 24), max_cells=0)
    with pytest.raises(AirError, match="no multiple"):
        ConcentrationMap(Raster(every_s=600), toy_air.model(), timezone="UTC", step_s=900.0)
    with pytest.raises(AirError, match="smaller cells"):
        cells(toy_air.zones, toy_air.links, cell_m=5000.0)
