"""The tables that cross rooms: their columns, dtypes, units, ranges and keys, and the one check that they all pass.

A schema is a `Table` of `Column`s. `validate` returns a new table with the schema's columns first and in order,
each of the schema's dtype, or raises one `SchemaError` that names every fault. Columns that a schema does not
name are an error unless the schema is `open`. Times are stored in UTC; a row's `time` is the **start** of its
interval, so its value is known at `time + step`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely

from data.errors import SchemaError

TIME_DTYPE = "datetime64[us, UTC]"
_KINDS = ("int", "float", "str", "bool", "time", "geometry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its kind, unit and closed range; `nullable` allows missing, `optional` allows absence."""

    name: str
    kind: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    nullable: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind={self.kind!r} of column {self.name!r}; allowed: {_KINDS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's contract: its name, the columns that identify a row, and its columns."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    open: bool = False  # further columns are kept, after the named ones

    def column(self, name: str) -> Column:
        """Column of that name; `KeyError` where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


VEHICLE_CLASSES: tuple[str, ...] = ("car", "van", "heavy", "bus")

#: What a zone can report or be forecast for, in the order in which screens list them.
ZONE_QUANTITIES: tuple[str, ...] = (
    "speed_mps", "flow_veh_per_h", "density_veh_per_km", "delay_s_per_km", "travel_time_index",
    "nox_g", "nox_ug_per_m3", "no2_ug_per_m3", "o3_ug_per_m3", "pm25_ug_per_m3", "pm10_ug_per_m3", "co2_g",
    "laeq_db", "pedestrians_per_h",
)  # fmt: skip
TRAFFIC_TARGETS: tuple[str, ...] = ("speed_mps", "flow_veh_per_h")
AIR_TARGETS: tuple[str, ...] = ("no2_ug_per_m3", "pm25_ug_per_m3")
TARGETS: tuple[str, ...] = TRAFFIC_TARGETS + AIR_TARGETS

_QUANTITY_UNIT = {
    "speed_mps": ("m/s", 70.0), "flow_veh_per_h": ("veh/h", 1e5), "density_veh_per_km": ("veh/km", 5e4),
    "delay_s_per_km": ("s/km", 1e5), "travel_time_index": ("1", 1e4), "nox_g": ("g", 1e9),
    "nox_ug_per_m3": ("ug/m3", 5e4), "no2_ug_per_m3": ("ug/m3", 1e4), "o3_ug_per_m3": ("ug/m3", 1e4),
    "pm25_ug_per_m3": ("ug/m3", 1e4), "pm10_ug_per_m3": ("ug/m3", 1e4), "co2_g": ("g", 1e12), "pm25_g": ("g", 1e9),
    "pm10_g": ("g", 1e9), "laeq_db": ("dB(A)", 140.0), "pedestrians_per_h": ("1/h", 1e5),
}  # fmt: skip


def _quantity(name: str) -> Column:
    unit, high = _QUANTITY_UNIT[name]
    return Column(name=name, kind="float", unit=unit, low=0.0, high=high, nullable=True, optional=True)


def _f(name: str, unit: str = "", low: float | None = None, high: float | None = None, **kw: Any) -> Column:
    return Column(name=name, kind="float", unit=unit, low=low, high=high, **kw)


def _i(name: str, low: float | None = None, **kw: Any) -> Column:
    return Column(name=name, kind="int", low=low, **kw)


def _s(name: str, choices: tuple[str, ...] = (), **kw: Any) -> Column:
    return Column(name=name, kind="str", choices=choices, **kw)


def _t(name: str) -> Column:
    return Column(name=name, kind="time")


NODES = Table(
    name="nodes", key=("node_id",), open=True,
    columns=(
        _i("node_id", 0), _f("x_m", "m"), _f("y_m", "m"), _f("lon", "deg", -180, 180), _f("lat", "deg", -90, 90),
        Column(name="signal", kind="bool"), Column(name="border", kind="bool"),
    ),
)  # fmt: skip
LINKS = Table(
    name="links", key=("link_id",), open=True,
    columns=(
        _i("link_id", 0), _i("from_node_id", 0), _i("to_node_id", 0), _f("length_m", "m", 0.1, 2e5),
        _f("lanes", "1", 1, 12), _f("free_flow_speed_mps", "m/s", 0.5, 70), _f("capacity_veh_per_s", "veh/s", 1e-3, 10),
        _f("jam_density_veh_per_m", "veh/m", 1e-3, 5), _s("road_class"), _s("name", nullable=True),
        Column(name="geometry", kind="geometry", optional=True),
        # at its end: what its drivers see ("capacity": the junction lets through what its links do), and the directions
        # of its lanes from the left, as in OSM's turn:lanes
        _s("control", ("", "priority", "give_way", "stop", "all_way_stop", "mini_roundabout", "capacity"),
           optional=True),
        Column(name="roundabout", kind="bool", optional=True), _s("turn_lanes", optional=True),
    ),
)  # fmt: skip
TURNS = Table(
    name="turns", key=("from_link_id", "to_link_id"), open=True,
    columns=(_i("from_link_id", 0), _i("to_link_id", 0), _f("angle_deg", "deg", -180, 180), _f("penalty_s", "s", 0)),
)  # fmt: skip
SIGNALS = Table(
    name="signals", key=("link_id",), open=True,
    columns=(_i("link_id", 0), _i("node_id", 0), _f("cycle_s", "s", 1, 600), _f("green_start_s", "s", 0, 600),
             _f("green_s", "s", 1, 600)),
)  # fmt: skip
ZONES = Table(
    name="zones", key=("zone_id",), open=True,
    columns=(
        _s("zone_id"), _s("name"), _f("area_m2", "m2", 1), _f("x_m", "m"), _f("y_m", "m"), _f("lon", "deg", -180, 180),
        _f("lat", "deg", -90, 90), _f("homes", "1", 0), _f("jobs", "1", 0), _f("shops", "1", 0),
        _f("built_share", "1", 0, 1, optional=True), _f("green_share", "1", 0, 1), _f("road_major_m", "m", 0),
        _f("road_minor_m", "m", 0),
        Column(name="geometry", kind="geometry", optional=True),
    ),
)  # fmt: skip
LINK_ZONE = Table(
    name="link_zone", key=("link_id", "zone_id"), columns=(_i("link_id", 0), _s("zone_id"), _f("share", "1", 0, 1))
)
ADJACENCY = Table(
    name="adjacency", key=("zone_id", "neighbour_zone_id"),
    columns=(_s("zone_id"), _s("neighbour_zone_id"), _f("border_m", "m", 0), _f("distance_m", "m", 0),
             _f("weight", "1", 0, optional=True)),  # how much the neighbour says, where it was given
)  # fmt: skip
GATEWAYS = Table(
    name="gateways", key=("gateway_id",), open=True,
    columns=(_s("gateway_id"), _s("name", nullable=True), _i("node_id", 0), _s("road_class"),
             _f("capacity_veh_per_s", "veh/s", 0), _f("daily_veh", "veh/d", 0)),
)  # fmt: skip
SENSORS = Table(
    name="sensors", key=("sensor_id",), open=True,
    columns=(
        _s("sensor_id"), _s("kind", ("loop", "air", "foot")), _s("zone_id"), _i("link_id", -1),
        _f("lon", "deg", -180, 180), _f("lat", "deg", -90, 90),
    ),
)  # fmt: skip
#: What stands on either side of a street; left and right as seen along `angle_deg`, the bearing of its axis. All links
#: of a street share `street` and its walls.
STREET_WALLS = Table(
    name="street_walls", key=("link_id",), open=True,
    columns=(
        _i("link_id", 0), _i("street", 0), Column(name="canyon", kind="bool"),
        *(_f(name, "m", 0, 1000, nullable=True) for name in ("height_m", "width_m", "left_m", "right_m")),
        _f("angle_deg", "deg", 0, 360), _f("end_m", "m", 0, 2e5), _f("street_m", "m", 0, 1e7),
        _f("left_share", "1", 0, 1), _f("right_share", "1", 0, 1), _f("wall_share", "1", 0, 1), _s("source"),
    ),
)  # fmt: skip
#: Points at which the air is computed. `link_id` is the canyon that a point stands in, -1 in the open; `side` is 1 left
#: of its axis, -1 right.
RECEPTORS = Table(
    name="receptors", key=("receptor_id",), open=True,
    columns=(
        _s("receptor_id"), _s("kind", ("facade", "station", "centre", "cell")), _s("zone_id"), _f("x_m", "m"),
        _f("y_m", "m"), _f("z_m", "m", 0, 1000), _i("link_id", -1), _i("side", -1),
    ),
)  # fmt: skip
#: Road noise at the facades of each zone, a row a day from 07:00 to 07:00 local time; `date` is the morning's. Levels
#: are means over people, shares of people.
NOISE = Table(
    name="noise", key=("zone_id", "date"), open=True,
    columns=(
        _s("zone_id"), _s("date"), _f("people", "1", 0), _f("lden_db", "dB(A)", 0, 140, nullable=True),
        _f("lnight_db", "dB(A)", 0, 140, nullable=True), _f("share_lden_55", "1", 0, 1, nullable=True),
        _f("share_lden_65", "1", 0, 1, nullable=True), _f("share_lnight_50", "1", 0, 1, nullable=True),
    ),
)  # fmt: skip
#: Maps of the air: mean concentrations at the centre of each raster cell, 2 m above ground; `canyon` where the centre
#: stands between the walls of one. `cell_m` is the side of the square cells, x and y are the city's coordinates.
CONCENTRATION = Table(
    name="concentration", key=("time", "x_m", "y_m"),
    columns=(
        _t("time"), _s("zone_id"), _f("x_m", "m"), _f("y_m", "m"), _f("cell_m", "m", 1),
        Column(name="canyon", kind="bool"),
        *(_f(f"{name}_ug_per_m3", "ug/m3", 0, 5e4) for name in ("nox", "no2", "o3", "pm25", "pm10")),
    ),
)  # fmt: skip
OD = Table(
    name="od", key=("origin_zone_id", "dest_zone_id", "departure_s", "vehicle_class"),
    columns=(_s("origin_zone_id"), _s("dest_zone_id"), _f("departure_s", "s", 0), _s("vehicle_class", VEHICLE_CLASSES),
             _f("trips_veh", "veh", 0)),
)  # fmt: skip
LINK_STATE = Table(
    name="link_state", key=("link_id", "time", "vehicle_class"),
    columns=(
        _i("link_id", 0), _t("time"), _s("vehicle_class", VEHICLE_CLASSES), _f("vehicle_distance_m", "m", 0),
        _f("vehicle_time_s", "s", -1e-6), _f("inflow_veh", "veh", 0), _f("outflow_veh", "veh", 0),
        _f("queue_veh", "veh", 0),
    ),
)  # fmt: skip
ZONE_STATE = Table(
    name="zone_state",
    key=("zone_id", "time"),
    columns=(_s("zone_id"), _t("time"), *(_quantity(name) for name in ZONE_QUANTITIES)),
)
ZONE_TRUTH = Table(
    name="zone_truth", key=("zone_id", "time"),
    columns=(
        _s("zone_id"), _t("time"), *(_quantity(name) for name in (*ZONE_QUANTITIES, "pm25_g", "pm10_g")),
        _f("vehicle_distance_m", "m", 0, optional=True), _f("vehicle_time_s", "s", -1e-6, optional=True),
    ),
)  # fmt: skip
SENSOR_STATE = Table(
    name="sensor_state", key=("sensor_id", "time"),
    columns=(
        _s("sensor_id"), _t("time"), _quantity("flow_veh_per_h"), _quantity("speed_mps"), _quantity("no2_ug_per_m3"),
        _quantity("o3_ug_per_m3"), _quantity("pm25_ug_per_m3"),
        Column(name="fault", kind="str", nullable=True, optional=True),
    ),
)  # fmt: skip
#: What real sensors reported, as they reported it: also values that no one believes, so that a later rule can judge
#: them anew. `fault` is what the source itself said; a gap is null or has no row.
OBSERVED_QUANTITIES: dict[str, str] = {
    "speed_mps": "m/s", "flow_veh_per_h": "veh/h", "occupancy_share": "1", "pedestrians_per_h": "1/h",
    **{f"{name}_ug_per_m3": "ug/m3" for name in ("nox", "no2", "o3", "pm25", "pm10", "so2", "co")},
}  # fmt: skip
OBSERVATIONS = Table(
    name="observations", key=("sensor_id", "time"),
    columns=(
        _s("sensor_id"), _t("time"),
        *(_f(name, unit, nullable=True, optional=True) for name, unit in OBSERVED_QUANTITIES.items()),
        Column(name="fault", kind="str", nullable=True, optional=True),
    ),
)  # fmt: skip
#: Where real sensors stand; `bearing_deg` is the direction of the traffic that they count, clockwise from north. An
#: unknown place is null.
SENSOR_PLACES = Table(
    name="sensor_places", key=("sensor_id",), open=True,
    columns=(
        _s("sensor_id"), _s("kind", ("loop", "air", "foot")), _s("name"), _f("lon", "deg", nullable=True),
        _f("lat", "deg", nullable=True), _f("bearing_deg", "deg", 0, 360, nullable=True, optional=True),
        _f("lanes", "1", 1, 20, nullable=True, optional=True), _s("road_class", nullable=True, optional=True),
    ),
)  # fmt: skip
WEATHER = Table(
    name="weather", key=("time",), open=True,
    columns=(
        _t("time"), _f("wind_speed_mps", "m/s", 0, 100), _f("wind_dir_deg", "deg", 0, 360),
        _f("temperature_c", "C", -90, 60), _f("radiation_w_per_m2", "W/m2", 0, 1500), _f("cloud_share", "1", 0, 1),
        _f("mixing_height_m", "m", 10, 6000), _f("precipitation_mm_per_h", "mm/h", 0, 300),
    ),
)  # fmt: skip
#: What a weather station measured: gaps are null, and columns that it does not measure are absent.
MEASURED_WEATHER = Table(
    name="measured_weather", key=("time",), open=True,
    columns=(
        _t("time"),
        _f("wind_speed_mps", "m/s", 0, 100, nullable=True),
        *(replace(column, nullable=True, optional=True) for column in WEATHER.columns[2:]),
        _f("dew_point_c", "C", -100, 50, nullable=True, optional=True),
        _f("pressure_hpa", "hPa", 400, 1100, nullable=True, optional=True),
    ),
)  # fmt: skip
AIR_STATIONS = Table(
    name="air_stations", key=("station_id",), open=True,
    columns=(_s("station_id"), _f("lon", "deg", -180, 180), _f("lat", "deg", -90, 90)),
)  # fmt: skip
#: Pollutants that air stations report, with the largest hourly mean that is believed, ug/m3 (assumed; NOx as NO2).
STATION_POLLUTANTS: dict[str, float] = {
    "nox": 5e3, "no2": 2e3, "o3": 1.5e3, "pm25": 2e3, "pm10": 1e4, "so2": 5e3, "co": 1e5,
}  # fmt: skip
#: Hourly means of air stations, measured or modelled; a gap is null.
STATION_AIR = Table(
    name="station_air", key=("station_id", "time"),
    columns=(
        _s("station_id"), _t("time"),
        *(_f(f"{name}_ug_per_m3", "ug/m3", 0, high, nullable=True, optional=True)
          for name, high in STATION_POLLUTANTS.items()),
    ),
)  # fmt: skip
FLEET = Table(
    name="fleet", key=(), open=True,
    columns=(
        _s("vehicle_class", VEHICLE_CLASSES), _s("fuel", ("petrol", "diesel", "electric")), _i("euro", 0),
        _f("share", "1", 0, 1), _s("wear_id"), _s("exhaust_id", optional=True), _s("electricity_id", optional=True),
        _f("tyre_factor", "1", 0, optional=True), _f("brake_factor", "1", 0, optional=True),
    ),
)  # fmt: skip
MODELS_IN_USE = ("micromodel", "macromodel", "mix")
ASSIGNMENT = Table(
    name="assignment", key=("zone_id",), open=True,
    columns=(
        _s("zone_id"), _s("target"), _s("family"), _s("settings"), _s("model_in_use", MODELS_IN_USE), _s("reason"),
        Column(name="by_hand", kind="bool"),
    ),
)  # fmt: skip
#: Like `assignment`, for every target that is sensed in a zone: the task's row and the supporting ones.
CHOICES = Table(
    name="choices", key=("zone_id", "target"), open=True,
    columns=(
        _s("zone_id"), _s("target"), _s("family"), _s("settings"), _s("model_in_use", MODELS_IN_USE), _s("reason"),
        Column(name="by_hand", kind="bool"), Column(name="is_task", kind="bool"),
    ),
)  # fmt: skip
FORECASTS = Table(
    name="forecasts", key=("model", "zone_id", "target", "forecast_origin", "horizon_s", "quantile"),
    columns=(
        _s("model"), _s("zone_id"), _s("target"), _t("forecast_origin"), _f("horizon_s", "s", 0),
        _f("quantile", "1", 0, 1), _f("value", "as target", nullable=True),
    ),
)  # fmt: skip
SCORES = Table(
    name="scores", key=("model", "zone_id", "target", "horizon_s", "metric", "period", "seed"),
    columns=(
        _s("model"), _s("zone_id"), _s("target"), _f("horizon_s", "s", 0), _s("metric"), _s("period"), _i("seed"),
        _f("value", nullable=True), _f("lower", nullable=True), _f("upper", nullable=True), _i("n", 0),
    ),
)  # fmt: skip
EFFECTS = Table(
    name="effects", key=("scenario", "quantity", "scope", "zone_id", "hour"),
    columns=(
        _s("scenario"), _s("quantity"),
        _s("scope", ("city", "zone", "inside", "outside", "class", "group", "line")),  # the last three by name
        _s("zone_id"),
        _i("hour", -1),
        _f("base"), _f("scenario_value"), _f("effect"), _f("lower", nullable=True), _f("upper", nullable=True),
        _s("unit"), _i("n", 1),
    ),
)  # fmt: skip

ALL_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        NODES, LINKS, TURNS, SIGNALS, ZONES, LINK_ZONE, ADJACENCY, GATEWAYS, SENSORS, STREET_WALLS, RECEPTORS,
        NOISE, CONCENTRATION, OD, LINK_STATE, ZONE_STATE, ZONE_TRUTH, SENSOR_STATE, WEATHER, MEASURED_WEATHER,
        AIR_STATIONS, STATION_AIR, OBSERVATIONS, ASSIGNMENT, CHOICES, FORECASTS, SCORES, EFFECTS,
    )
}  # fmt: skip


def validate(table: pd.DataFrame, schema: Table) -> pd.DataFrame:
    """Check a table against its schema and return it with the schema's columns first, in its dtypes.

    Parameters
    ----------
    table : DataFrame
        Anything that claims to follow `schema`; it is not changed.
    schema : Table
        The contract.

    Returns
    -------
    DataFrame
        Same rows, in the same order.

    Raises
    ------
    SchemaError
        With every fault: missing and unknown columns, wrong types, missing values, values out of range, repeated keys.
        Columns of the same name are told first, alone.
    """
    faults: list[str] = []
    known = set(schema.names)
    twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    if twice:
        raise SchemaError(schema.name, [f"column(s) {twice} appear more than once; rename or drop the others"])
    missing = [c.name for c in schema.columns if not c.optional and c.name not in table.columns]
    if missing:
        faults.append(f"missing column(s) {missing}; found {list(map(str, table.columns))}")
    unknown = [str(name) for name in table.columns if name not in known]
    if unknown and not schema.open:
        faults.append(f"unknown column(s) {unknown}; allowed: {list(schema.names)}")
    present = [c for c in schema.columns if c.name in table.columns]
    checked = {c.name: _checked(table[c.name], c, faults) for c in present}
    keys = {name: values for name in schema.key if (values := checked.get(name)) is not None}
    if len(keys) == len(schema.key):
        repeated = pd.DataFrame(keys).duplicated()
        if repeated.any():
            first = int(np.flatnonzero(repeated.to_numpy())[0])
            row = {name: str(values.iloc[first]) for name, values in keys.items()}
            faults.append(f"{int(repeated.sum())} repeated key(s) {list(keys)}, first in row {first}: {row}")
    if faults:
        raise SchemaError(schema.name, faults)
    rest = [name for name in table.columns if name not in known] if schema.open else []
    return table.assign(**checked)[[*(c.name for c in present), *rest]]


def _checked(values: pd.Series, column: Column, faults: list[str]) -> pd.Series | None:
    """Cast one column and add what is wrong with it to `faults`; None where it cannot be cast."""
    if column.kind == "geometry":
        shapeless = ~shapely.is_geometry(values.to_numpy(dtype=object))
        if shapeless.any():
            row = int(np.flatnonzero(shapeless)[0])
            faults.append(
                f"column '{column.name}' has {int(shapeless.sum())} row(s) without a shape, first in row {row}"
            )
        return values
    try:
        cast = _cast(values, column)
    except (ValueError, TypeError, OverflowError) as error:
        faults.append(f"column '{column.name}' must be {column.kind} ({column.unit or 'no unit'}): {error}")
        return None
    empty = cast.isna()
    if empty.any() and not column.nullable:
        faults.append(
            f"column '{column.name}' has {int(empty.sum())} missing value(s), first in row"
            f" {int(np.flatnonzero(empty.to_numpy())[0])}; none are allowed"
        )
    if column.kind in ("int", "float"):
        _check_range(cast, column, faults)
    if column.choices:
        wrong = cast[~empty & ~cast.isin(column.choices)]
        if len(wrong):
            faults.append(f"column '{column.name}' holds {sorted(set(wrong))[:3]}; allowed: {list(column.choices)}")
    return cast


def _check_range(cast: pd.Series, column: Column, faults: list[str]) -> None:
    numbers = cast.to_numpy(dtype=float, na_value=np.nan)
    bad = np.isinf(numbers)
    if column.low is not None:
        bad |= numbers < column.low
    if column.high is not None:
        bad |= numbers > column.high
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        low = "-inf" if column.low is None else f"{column.low:g}"
        high = "inf" if column.high is None else f"{column.high:g}"
        faults.append(
            f"column '{column.name}' has {int(bad.sum())} value(s) outside [{low}, {high}] {column.unit},"
            f" first {numbers[row]:g} in row {row}"
        )


def _cast(values: pd.Series, column: Column) -> pd.Series:
    if column.kind in ("int", "float") and not _holds_numbers(values):
        raise ValueError(f"found dtype {values.dtype}; turn the values into numbers first")
    if column.kind == "float":
        return values.astype("float64") if values.dtype != np.float32 else values
    if column.kind == "int":
        if pd.api.types.is_float_dtype(values) and not np.equal(np.mod(values.dropna(), 1), 0).all():
            raise ValueError("fractions found")
        return values.astype("int64")
    if column.kind == "bool":
        if not pd.api.types.is_bool_dtype(values):
            raise ValueError(f"found dtype {values.dtype}")
        return values.astype(bool)
    if column.kind == "time":
        return _utc(values)
    if isinstance(values.dtype, pd.CategoricalDtype) and column.name in ("vehicle_class", "model", "target", "zone_id"):
        return values
    if pd.api.types.infer_dtype(values, skipna=True) not in ("string", "empty"):
        raise ValueError(f"found dtype {values.dtype}; turn the values into text first")
    return values.astype("str")


def _holds_numbers(values: pd.Series) -> bool:
    """Whether a column holds numbers, and neither truth values, nor times, nor digits as text."""
    if values.dtype == object:
        return pd.api.types.infer_dtype(values, skipna=True) in ("integer", "floating", "mixed-integer-float", "empty")
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _utc(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(values):
        raise ValueError(f"found dtype {values.dtype}; parse the times and give them a time zone")
    if getattr(values.dt, "tz", None) is None:
        raise ValueError("times without a time zone; localise them to the city's zone and convert to UTC")
    return values.dt.tz_convert("UTC").dt.as_unit("us")


def empty(schema: Table, *, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """An empty table that passes `validate`."""
    dtypes = {"int": "int64", "float": "float64", "str": "str", "bool": "bool", "time": TIME_DTYPE}
    names = set(columns) if columns is not None else {c.name for c in schema.columns if not c.optional}
    return pd.DataFrame(
        {c.name: pd.Series(dtype=dtypes.get(c.kind, "object")) for c in schema.columns if c.name in names}
    )
