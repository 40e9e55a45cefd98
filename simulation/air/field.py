"""Concentrations at a set of receptors: urban background, plumes of the streets around, and the own street canyon.

    C = background(zone boxes) + near field (R-LINE plumes of open and other streets) + canyon (OSPM of the own street)

A canyon's own emission reaches the receptors between its walls through OSPM alone; all others see it leave at the
roofs. NO, NO2 and ozone then react for as long as the air has been under way. The three parts never count a gram
twice: a box holds only what has left the near field (`simulation.air.box`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from data.units import UG_PER_G
from simulation.air.background import SPECIES
from simulation.air.chemistry import (
    REFERENCE_TEMPERATURE_K,
    UG_PER_PPB_NO2,
    UG_PER_PPB_O3,
    photolysis_rate,
    reaction_rate,
)
from simulation.air.chemistry_kernels import react as react_cells
from simulation.air.dispersion.line_sources import LineSources
from simulation.air.dispersion.source_receptor import SourceReceptor
from simulation.air.dispersion.wind_profile import SurfaceLayer
from simulation.air.interpolation import zone_weights
from simulation.air.receptors import FACADE_HEIGHT_M, LEFT
from simulation.air.street.ospm import CALM_MPS, DIRECTIONS, F_ROOF, roof_exchange, traffic_turbulence
from simulation.air.street.ospm_kernels import unit_concentrations
from simulation.link_state import LinkInterval

#: Beyond this distance a plume belongs to the urban background, m: the gradient beside a road has gone by then.
CUTOFF_M = 500.0
#: Exhaust in the open is mixed over 1.7 vehicle heights at once (EPA's advice in the R-LINE guide, cars of 1.5 m).
ROAD_SIGMA_Z_M, ROAD_HEIGHT_M = 1.2, 1.3
#: Emission that leaves a canyon fills its depth: half of its height, sigma_z height / 2.15 (AERMOD User's Guide,
#: volume source beside a building).
_CANYON_SIGMA_PER_HEIGHT = 1.0 / 2.15
#: Way over which exhaust in the open has reacted when it arrives, m, at the speed of its plume, and bounds of that
#: time, s. At the open fronts of a dense centre half of the streets' concentration comes from within 30 m, and the mean
#: age of all of it, by concentration, is what a neutral plume needs for 50 m (12 s / u*; 5 beside the busiest street).
_OPEN_WAY_M, _REACTION_S = 50.0, (5.0, 600.0)
_NOX, _NO2, _O3, _PM25, _PM10 = (SPECIES.index(name) for name in ("nox", "no2", "o3", "pm25", "pm10"))
#: The species that streets emit, in the order of the first columns of an emission array: NOx, NO2, PM2.5, PM10.
_EMITTED = [_NOX, _NO2, _PM25, _PM10]
_IS_GAS = np.isin(np.arange(len(SPECIES)), (_NOX, _NO2, _O3))


@dataclass(frozen=True, slots=True, kw_only=True)
class AirHour:
    """What the weather of one hour means for dispersion and chemistry."""

    wind_dir_deg: float  # where it comes from
    wind_10m_mps: float
    wind_roof_mps: float  # over the roofs, for street canyons
    stability: int  # 0 (A) to 5 (F)
    u_star_mps: float
    radiation_w_per_m2: float
    temperature_k: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetTraffic:
    """Traffic and emission of every link in an interval, as the air needs them."""

    emission: np.ndarray  # (L, 4) g/m/s of NOx, NO2, PM2.5, PM10
    flow_veh_per_h: np.ndarray  # (L, 2) light, heavy
    speed_kmh: np.ndarray  # (L, 2) mean, 0 where nobody drove

    @classmethod
    def of(cls, interval: LinkInterval, grams: np.ndarray, length_m: np.ndarray) -> StreetTraffic:
        """From an interval and what its links emitted, (L, >= 4) g."""
        both, spent = (_light_and_heavy(v) for v in (interval.vehicle_distance_m, interval.vehicle_time_s))
        return cls(
            emission=grams[:, : len(_EMITTED)] / (length_m * interval.step_s)[:, None],
            flow_veh_per_h=np.maximum(both, 0.0) / length_m[:, None] * 3600.0 / interval.step_s,
            speed_kmh=3.6 * np.divide(both, spent, out=np.zeros_like(both), where=spent > 0).clip(0.0, 250.0),
        )


def road_sources(links: gpd.GeoDataFrame, walls: pd.DataFrame | None) -> LineSources:
    """Every street as a line source: at the wheels in the open, out of its roofs where it is a canyon."""
    height, sigma = np.full(len(links), ROAD_HEIGHT_M), np.full(len(links), ROAD_SIGMA_Z_M)
    if walls is not None:
        canyon = walls["canyon"].to_numpy(dtype=bool)
        roof = np.rint(np.nan_to_num(walls["height_m"].to_numpy(dtype=float)))  # few heights share their tables
        height = np.where(canyon, roof / 2.0, height)
        sigma = np.where(canyon, np.maximum(roof * _CANYON_SIGMA_PER_HEIGHT, sigma), sigma)
    return LineSources.from_links(links, height_m=height, sigma_z0_m=sigma)


class Field:
    """The air at R receptors.

    Parameters
    ----------
    receptors : DataFrame
        Columns of `data.schemas.RECEPTORS`.
    sources : LineSources
        From `road_sources`.
    links : DataFrame
    walls : DataFrame or None
    zones : DataFrame
        Reads `zone_id`, `x_m`, `y_m`.
    layers : sequence of SurfaceLayer
        One a stability class, for u* = 1 m/s.
    smooth : bool
        Let the background pass smoothly from zone to zone, for maps; else a receptor breathes its own zone's box.
    """

    def __init__(
        self,
        receptors: pd.DataFrame,
        sources: LineSources,
        links: pd.DataFrame,
        walls: pd.DataFrame | None,
        zones: pd.DataFrame,
        layers: list[SurfaceLayer],
        *,
        smooth: bool = False,
    ) -> None:
        self.receptors = receptors.reset_index(drop=True)
        x, y, z = (self.receptors[name].to_numpy(dtype=float).copy() for name in ("x_m", "y_m", "z_m"))
        own = self.receptors["link_id"].to_numpy(dtype=np.int64)
        self._inside = np.flatnonzero(own >= 0)
        link_street = np.full(len(links), -1, dtype=np.int64)
        street = np.full(len(x), -1, dtype=np.int64)
        if walls is not None:
            canyon = walls["canyon"].to_numpy(dtype=bool)
            link_street = np.where(canyon, walls["street"].to_numpy(dtype=np.int64), -1)
            street[self._inside] = link_street[own[self._inside]]
            z[self._inside] = walls["height_m"].to_numpy(dtype=float)[own[self._inside]]  # others' air comes over roofs
            self._canyons(own, link_street, links["length_m"].to_numpy(dtype=float), walls)
        self.plumes = SourceReceptor(
            sources, len(links), np.column_stack([x, y, z]), layers, cutoff_m=CUTOFF_M,
            source_street=link_street[sources.link], receptor_street=street,
        )  # fmt: skip
        self._way_s = [self.plumes.travel_s(_OPEN_WAY_M, stability=k) for k in range(len(layers))]  # for u* = 1 m/s
        self._background = zone_weights(x, y, zones) if smooth else _own_zone(self.receptors["zone_id"], zones)

    def __len__(self) -> int:
        return len(self.receptors)

    def concentrations(self, hour: AirHour, background: np.ndarray, traffic: StreetTraffic) -> np.ndarray:
        """Means over an interval, ug/m3, shape (R, S) in the order of `SPECIES`; NOx as NO2, gases at 293 K.

        Parameters
        ----------
        hour : AirHour
        background : ndarray, shape (Z, S)
            Of the zone boxes, after reaction, ug/m3; gases at 293 K, as all that is returned.
        traffic : StreetTraffic
        """
        own = self.plumes.apply(
            traffic.emission, wind_dir_deg=hour.wind_dir_deg, stability=hour.stability, u_star_mps=hour.u_star_mps
        )
        way_s = self._way_s[hour.stability] / hour.u_star_mps
        residence = np.full(len(self), min(max(way_s, _REACTION_S[0]), _REACTION_S[1]))
        if self._inside.size:
            own[self._inside] += self._in_canyons(hour, traffic, residence)
        own *= UG_PER_G * to_reference(hour.temperature_k)[_EMITTED]
        air = np.ascontiguousarray((self._background @ background).T)
        air[_EMITTED] += own.T
        react(air, hour, residence)
        return np.ascontiguousarray(air.T)

    def _canyons(self, own: np.ndarray, link_street: np.ndarray, length_m: np.ndarray, walls: pd.DataFrame) -> None:
        """The canyons that hold receptors, which links run through each, and where each receptor stands."""
        named, self._canyon_of = np.unique(own[self._inside], return_inverse=True)
        self._row = np.where(self.receptors["side"].to_numpy()[self._inside] == LEFT, 0, 1)
        self._height_m, self._width_m, axis_deg, self._end_m = (
            walls[name].to_numpy(dtype=float)[named] for name in ("height_m", "width_m", "angle_deg", "end_m")
        )
        self._axis = np.radians(axis_deg)
        self._z = np.full(named.size, FACADE_HEIGHT_M)
        streets = np.unique(link_street[named])
        through = np.flatnonzero(np.isin(link_street, streets))  # all links of these streets, both directions
        row = np.searchsorted(streets, link_street[through])
        share = length_m[through] / walls["street_m"].to_numpy(dtype=float)[through]
        by_street = csr_array((share, (row, through)), shape=(streets.size, link_street.size))
        self._through = by_street[np.searchsorted(streets, link_street[named])]

    def _in_canyons(self, hour: AirHour, traffic: StreetTraffic, residence: np.ndarray) -> np.ndarray:
        """What the own street adds at the receptors in canyons, g/m3; puts their residence times into `residence`."""
        flow, speed = traffic.flow_veh_per_h, traffic.speed_kmh
        street = self._through @ np.concatenate([flow, flow * speed, traffic.emission], axis=1)
        flow = street[:, :2]
        light, heavy = np.divide(street[:, 2:4], flow, out=np.zeros_like(flow), where=flow > 0).T
        stirred = traffic_turbulence(
            self._width_m, light_veh_per_h=flow[:, 0], heavy_veh_per_h=flow[:, 1], light_speed_kmh=light,
            heavy_speed_kmh=heavy,
        )  # fmt: skip
        wind = np.full(stirred.size, F_ROOF * max(hour.wind_roof_mps, CALM_MPS))
        unit = np.empty((3, stirred.size))  # as `street.ospm.ospm`, whose checks are done once, at the making
        unit_concentrations(
            self._height_m, self._width_m, self._axis, self._end_m, wind,
            np.full(stirred.size, np.radians(hour.wind_dir_deg)), stirred, self._z, 1.0, DIRECTIONS, unit,
        )  # fmt: skip
        residence[self._inside] = (self._height_m / roof_exchange(wind, stirred))[self._canyon_of]
        return unit[self._row, self._canyon_of][:, None] * street[self._canyon_of, 4:]


@lru_cache(maxsize=64)
def to_reference(temperature_k: float) -> np.ndarray:
    """Mass in a cubic metre as the law counts it, over mass in a cubic metre of the air outside; shape (S,).

    Limits and reports refer gases to 293 K and 101.3 kPa, and particles to the air as it is (Directive 2008/50/EC,
    annex VI C). Plumes, canyons and boxes dilute into the air as it is: in frost of 263 K, where a cubic metre holds
    more air, the same NO2 counts a tenth less. Pressure is taken as 101.3 kPa.
    """
    factor = np.where(_IS_GAS, temperature_k / REFERENCE_TEMPERATURE_K, 1.0)
    factor.flags.writeable = False  # it is kept for the next who asks
    return factor


def react(air: np.ndarray, hour: AirHour, residence_s: np.ndarray) -> None:
    """Let NO2 and ozone react as in `chemistry.street_no2`, in place.

    Parameters
    ----------
    air : ndarray, shape (S, R)
        ug/m3, order of `SPECIES`, as mixing alone would leave them; contiguous.
    hour : AirHour
    residence_s : ndarray, shape (R,) or (1,)
        s.
    """
    leighton, rate = _rates(hour.radiation_w_per_m2, hour.temperature_k)
    nox, no2, o3 = (air[k][None] for k in (_NOX, _NO2, _O3))
    react_cells(nox, no2, o3, leighton, rate, residence_s[None], UG_PER_PPB_NO2, UG_PER_PPB_O3)


@lru_cache(maxsize=64)
def _rates(radiation_w_per_m2: float, temperature_k: float) -> tuple[np.ndarray, np.ndarray]:
    """Photolysis over reaction rate, ppb, and reaction rate, 1/(ppb s), (1,) each."""
    rate = reaction_rate(np.array([temperature_k]))
    return photolysis_rate(np.array([radiation_w_per_m2])) / rate, rate


def _light_and_heavy(by_class: np.ndarray) -> np.ndarray:
    """(L, 2) cars and vans, lorries and buses."""
    return np.stack([by_class[:, 0] + by_class[:, 1], by_class[:, 2] + by_class[:, 3]], axis=1)


def _own_zone(zone_ids: pd.Series, zones: pd.DataFrame) -> csr_array:
    """(R, Z) one in the receptor's zone."""
    column = pd.Index(zones["zone_id"]).get_indexer(zone_ids)
    return csr_array((np.ones(len(zone_ids)), (np.arange(len(zone_ids)), column)), shape=(len(zone_ids), len(zones)))
