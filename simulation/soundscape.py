"""The noise of a run: levels at the facades of every zone, interval by interval, and Lden day by day.

A day of noise runs from 07:00 to 07:00 local time, so that a night is never cut in two. Of the day that has begun, the
sound energy of its periods is kept and goes into the state: a run that continues another tells the whole of that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from data.schemas import NOISE, empty, validate
from simulation.air.dispersion.line_sources import LineSources
from simulation.air.health.exposure import population
from simulation.errors import RunError
from simulation.link_state import LinkInterval
from simulation.noise.indicators import PERIODS, exposure, from_energy
from simulation.noise.levels import NoiseModel, flow_and_speed

if TYPE_CHECKING:
    from simulation.city import City

#: Height of facade receptors of strategic noise maps, m (Directive 2002/49/EC, annex I).
FACADE_HEIGHT_M = 4.0
_MORNING_H = PERIODS["day"][0]
_STARTS = [start for start, _, _ in PERIODS.values()]


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
        self._start, self._timezone = start, ZoneInfo(city.timezone)
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
        self._energy = np.zeros((len(PERIODS), len(fronts)))  # of the day that has begun, sums of 10^(L/10)
        self._count = np.zeros(len(PERIODS), dtype=np.int64)  # intervals in each period
        self._today = 0  # ordinal of that day's morning
        self._told = True  # whether nothing of it is news: no interval since the beginning or the last restore
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
        wall = datetime.fromtimestamp(self._start.timestamp() + interval.start_s, self._timezone)
        today = (wall.replace(tzinfo=None) - timedelta(hours=_MORNING_H)).toordinal()
        if today != self._today:
            if not self._told:
                self._days.append(self._day())
            self._energy[:], self._count[:], self._today = 0.0, 0, today
        self._told = False
        level = self._model.levels(*flow_and_speed(interval, self._length_m), temperature_c)
        period = max((k for k, start in enumerate(_STARTS) if wall.hour >= start), default=len(_STARTS) - 1)
        self._energy[period] += 10.0 ** (level / 10.0)
        self._count[period] += 1
        total = np.bincount(self._zone, level, len(self._zone_ids))
        return np.divide(total, self._facades, out=np.full(len(total), np.nan), where=self._facades > 0)

    def table(self) -> pd.DataFrame:
        """Noise of each zone by day, columns of `data.schemas.NOISE`; a day that lacks a period has no Lden.

        Every day of which this run heard something, as far as it has come. Where a run was continued, the second
        tells more of the day in which the first ended: of two rows of a day and zone the later one holds.
        """
        days = self._days if self._told else [*self._days, self._day()]
        return pd.concat(days, ignore_index=True) if days else empty(NOISE)

    def state(self) -> dict[str, np.ndarray]:
        """What the day that has begun has sounded like so far."""
        return {"energy": self._energy.copy(), "count": self._count.copy(), "day": np.array([self._today])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from `state()` of a run of the same city.

        Raises
        ------
        RunError
            If the state has another number of facades.
        """
        if np.shape(state["energy"]) != self._energy.shape:
            raise RunError(
                f"the state heard {np.shape(state['energy'])[-1]} facades, this city has {self._energy.shape[1]};"
                " resume with the city that made the state"
            )
        self._energy, self._count = (np.array(state[name]) for name in ("energy", "count"))
        self._today, self._told = int(state["day"][0]), True

    def _day(self) -> pd.DataFrame:
        """Sum up the day that has begun."""
        told = exposure(from_energy(self._energy, self._count), self._people, self._zone, len(self._zone_ids))
        told.insert(0, "date", f"{date.fromordinal(self._today):%Y-%m-%d}")
        told.insert(0, "zone_id", self._zone_ids)
        return validate(told.assign(zone_id=told["zone_id"].astype(str)), NOISE)


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
