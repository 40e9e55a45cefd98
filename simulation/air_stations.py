"""The air at real stations as the model has it, hour by hour: what their measurements are compared with.

A `StationLog` goes into a run as a process and reads the air at the stations' places at the end of every interval,
without the noise and faults of a sensor. It changes nothing in the run.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import simpy

from data.schemas import STATION_AIR, validate
from simulation.air.background import SPECIES
from simulation.air.receptors import stations
from simulation.clock import Phase
from simulation.errors import RunError
from simulation.live import LiveCity

if TYPE_CHECKING:
    from simulation.city import City


class StationLog:
    """Keeps what the air of a run is at some stations.

    Parameters
    ----------
    city : City
    places : DataFrame
        `station_id`, `lon`, `lat` (`data.schemas.AIR_STATIONS`). Stations outside of the city's zones are left out, see
        `outside`: the model knows no street there.

    Raises
    ------
    RunError
        If no station stands in a zone.

    Examples
    --------
    `log = StationLog(city, places); city.run(processes=[log.process]); log.table()`
    """

    def __init__(self, city: City, places: pd.DataFrame) -> None:
        points = gpd.GeoSeries(gpd.points_from_xy(places["lon"], places["lat"]), crs="EPSG:4326").to_crs(city.links.crs)
        shapes = city.zones.geometry
        zone = [next(iter(np.flatnonzero(shapes.contains(point))), -1) for point in points]
        inside = np.array(zone) >= 0
        names = places["station_id"].astype(str)
        self.outside: tuple[str, ...] = tuple(names[~inside])
        if not inside.any():
            raise RunError(
                f"none of the {len(places)} air stations stands within the city's zones: {list(self.outside)[:10]}; are"
                " lon and lat of this city, and not swapped?"
            )
        sensors = pd.DataFrame(
            {
                "sensor_id": names[inside].to_numpy(), "kind": "air",
                "zone_id": city.zones["zone_id"].to_numpy()[np.array(zone)[inside]],
                "lon": places.loc[inside, "lon"].to_numpy(), "lat": places.loc[inside, "lat"].to_numpy(),
            }
        )  # fmt: skip
        self.receptors = stations(sensors, city.links, city.street_walls)
        self._times: list[pd.Timestamp] = []
        self._values: list[np.ndarray] = []

    def process(self, live: LiveCity) -> Generator[simpy.Event, Any, None]:
        """Read the stations at the end of every interval; for `City.run(processes=[...])`."""
        field = live.air.field_of(self.receptors)
        self._times, self._values = [], []
        while True:
            began = live.time()
            yield live.wait(live.step_s, Phase.SENSORS)
            self._times.append(began)
            self._values.append(live.air.now_at(field))

    def table(self) -> pd.DataFrame:
        """Hourly means, columns of `data.schemas.STATION_AIR`, ordered by station and time.

        Raises
        ------
        RunError
            If no run has passed.
        """
        if not self._times:
            raise RunError("the stations have seen no interval yet; give `process` to a run first")
        names = self.receptors["receptor_id"].to_numpy()
        hour = pd.DatetimeIndex(self._times).floor("h")
        values = np.stack(self._values).reshape(-1, len(SPECIES))
        table = pd.DataFrame(values, columns=[f"{name}_ug_per_m3" for name in SPECIES])
        table = table.assign(station_id=np.tile(names, len(hour)), time=np.repeat(hour, len(names)))
        return validate(table.groupby(["station_id", "time"], as_index=False).mean(), STATION_AIR)
