"""The noise of a run: levels at the facades of every zone, interval by interval, and Lden day by day.

A day of noise runs from 07:00 to 07:00 local time, so that a night is never cut in two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import NOISE, empty, validate
from simulation.air.dispersion.line_sources import LineSources
from simulation.air.health.exposure import population
from simulation.link_state import LinkInterval
from simulation.noise.indicators import PERIODS, daily_lden, exposure
from simulation.noise.levels import NoiseModel, flow_and_speed

if TYPE_CHECKING:
    from simulation.city import City

#: Height of facade receptors of strategic noise maps, m (Directive 2002/49/EC, annex I).
FACADE_HEIGHT_M = 4.0
_MORNING_H = PERIODS["day"][0]


class Soundscape:
    """What a city sounds like.

    Parameters
    ----------
    city : City
        Facade receptors are those of `city.receptors`.
    start : Timestamp
        When `LinkInterval.start_s` is zero, UTC.
    """

    def __init__(self, city: City, start: pd.Timestamp) -> None:
        self._start, self._timezone = start, city.timezone
        self._length_m = city.links["length_m"].to_numpy(dtype=float)
        fronts = city.receptors[city.receptors["kind"] == "facade"]
        self._zone_ids = list(city.zones["zone_id"])
        self._zone = pd.Index(self._zone_ids).get_indexer(fronts["zone_id"])
        self._facades = np.bincount(self._zone, minlength=len(self._zone_ids))
        self._people = population(city.zones).to_numpy()[self._zone] / self._facades[self._zone]
        walls, canyon_link = city.street_walls, fronts["link_id"].to_numpy()
        street = np.where(walls["canyon"], walls["street"], -1)
        sources = LineSources.from_links(city.links, height_m=0.0, sigma_z0_m=0.0)
        built = city.zones["built_share"].to_numpy(dtype=float) if "built_share" in city.zones.columns else None
        self._model = NoiseModel(
            sources, len(city.links),
            np.column_stack([fronts["x_m"], fronts["y_m"], np.full(len(fronts), FACADE_HEIGHT_M)]),
            building_density=0.0 if built is None else built[self._zone],
            frontage_share=_frontage(city, self._zone_ids)[self._zone],
            source_street=street[sources.link], receptor_street=np.where(canyon_link >= 0, street[canyon_link], -1),
        )  # fmt: skip
        self._levels: list[np.ndarray] = []
        self._times: list[pd.Timestamp] = []
        self._days: list[pd.DataFrame] = []

    def book(self, interval: LinkInterval, temperature_c: float) -> np.ndarray:
        """Levels over an interval that has just ended.

        Parameters
        ----------
        interval : LinkInterval
        temperature_c : float
            Of the air; tyres are quieter when it is warm.

        Returns
        -------
        ndarray, shape (Z,)
            Mean LAeq over the facades of each zone, dB(A); nan in a zone without streets.
        """
        time = self._start + pd.Timedelta(seconds=interval.start_s)
        if self._times and self._day(time) != self._day(self._times[0]):
            self._close()
        level = self._model.levels(*flow_and_speed(interval, self._length_m), temperature_c)
        self._levels.append(level.astype(np.float32))
        self._times.append(time)
        total = np.bincount(self._zone, level, len(self._zone_ids))
        return np.divide(total, self._facades, out=np.full(len(total), np.nan), where=self._facades > 0)

    def table(self) -> pd.DataFrame:
        """Noise of each zone by day, columns of `data.schemas.NOISE`; a day that lacks a period has no Lden."""
        self._close()
        return pd.concat(self._days, ignore_index=True) if self._days else empty(NOISE)

    def _day(self, time: pd.Timestamp) -> pd.Timestamp:
        wall = time.tz_convert(self._timezone).tz_localize(None)
        return (wall - pd.Timedelta(hours=_MORNING_H)).normalize()

    def _close(self) -> None:
        """Sum up the day that has ended."""
        if not self._times:
            return
        indicators = daily_lden(np.stack(self._levels), pd.DatetimeIndex(self._times), self._timezone)
        told = exposure(indicators, self._people, self._zone, len(self._zone_ids))
        told.insert(0, "date", f"{self._day(self._times[0]):%Y-%m-%d}")
        told.insert(0, "zone_id", self._zone_ids)
        self._days.append(validate(told.assign(zone_id=told["zone_id"].astype(str)), NOISE))
        self._levels, self._times = [], []


def _frontage(city: City, zone_ids: list[str]) -> np.ndarray:
    """(Z,) share of the length of each zone's streets that is lined by houses."""
    share = city.street_walls[["left_share", "right_share"]].mean(axis=1).to_numpy()
    inside = city.link_zone
    link = inside["link_id"].to_numpy()
    zone = pd.Index(zone_ids).get_indexer(inside["zone_id"])
    metres = inside["share"].to_numpy() * city.links["length_m"].to_numpy(dtype=float)[link]
    total = np.bincount(zone, metres, len(zone_ids))
    lined = np.bincount(zone, metres * share[link], len(zone_ids))
    return np.divide(lined, total, out=np.zeros(len(zone_ids)), where=total > 0)
