"""The air of a city, interval by interval: traffic in, concentrations at every receptor and of every zone out.

`AirModel.step` takes grams from the speed histogram, lets the plumes of that hour's wind carry them to the receptors
(`simulation.air.field`), and hands what leaves the near field to the boxes of the urban background. Its state is a
handful of arrays, so that a run can be cut anywhere and continued bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from data.units import UG_PER_G
from simulation.air.background import SPECIES, synthetic_background
from simulation.air.boundary_layer import boundary_layer
from simulation.air.box import BoxGeometry, BoxStep, Ledger, Mixing, box_geometry, exchange
from simulation.air.emissions import POLLUTANTS, emission_table, link_emissions
from simulation.air.errors import AirError, WeatherError
from simulation.air.far_field import FarField
from simulation.air.field import CUTOFF_M, AirHour, Field, StreetTraffic, react, road_sources, to_reference
from simulation.air.fleet import Fleet
from simulation.air.receptors import facades
from simulation.link_state import LinkInterval

_SUBSTEP_S = 300.0
#: Dry deposition of NOx, NO2, ozone, PM2.5 and PM10, m/s: working values of common order, small beside the wind.
DEPOSITION_MPS = np.array([0.001, 0.001, 0.004, 0.001, 0.005])
#: Roughness length where plumes are followed, m: the open parts of a city, of low density (0.3 to 0.8 m, Grimmond & Oke
#: 1999, doi:10.1175/1520-0450(1999)038<1262:APOUAD>2.0.CO;2). Canyons have OSPM instead.
OPEN_Z0_M = 0.5
#: Height of the wind that OSPM reads, m: a mast above the roofs of a European city centre.
_ROOF_M = 30.0
#: Share of the crosswind turbulence that exchanges air through the boxes' borders: a tenth, assumed.
_SIDEWAYS_SHARE = 0.1
#: Bounds of the time for which air reacts on its way over the city, s.
_CITY_REACTION_S = (60.0, 3600.0)
_EMITTED = [SPECIES.index(name) for name in POLLUTANTS[:4]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneAir:
    """Air over one interval: grams that Z zones emitted, and mean concentrations, ug/m3 (NOx as NO2, gases at 293 K).

    Of a zone: the mean at its facades. `receptors` has a row for each of the model's receptors, `SPECIES` in columns.
    """

    start_s: float
    step_s: float
    nox_g: np.ndarray
    no2_g: np.ndarray
    pm25_g: np.ndarray
    pm10_g: np.ndarray
    co2_g: np.ndarray
    nox_ug_per_m3: np.ndarray
    no2_ug_per_m3: np.ndarray
    o3_ug_per_m3: np.ndarray
    pm25_ug_per_m3: np.ndarray
    pm10_ug_per_m3: np.ndarray
    receptors: np.ndarray  # (R, S)


class AirModel:
    """Emission, dispersion and chemistry for every zone.

    Parameters
    ----------
    zones, adjacency, link_zone : DataFrame
        Columns of the schemas of those names.
    links : GeoDataFrame
        With shapes.
    fleet : Fleet
        What drives where no other fleet is set.
    weather : DataFrame
        Hourly, columns of `data.schemas.WEATHER`; an hour's row holds until the next.
    seed : int
        Of the regional background.
    start : Timestamp
        When `LinkInterval.start_s` is zero, UTC.
    latitude : float
        Degrees.
    background : DataFrame, optional
        Hourly `time` and `SPECIES`, ug/m3 (gases at 293 K), of the air that flows in; synthetic if left out.
    walls : DataFrame, optional
        Columns of `data.schemas.STREET_WALLS`; without them every street is open.
    receptors : DataFrame, optional
        Columns of `data.schemas.RECEPTORS`; facades of every zone if left out.

    Raises
    ------
    WeatherError
        If weather or background is not hourly and gapless.
    AirError
        If a table does not fit the others.
    """

    def __init__(
        self,
        zones: pd.DataFrame,
        adjacency: pd.DataFrame,
        link_zone: pd.DataFrame,
        links: gpd.GeoDataFrame,
        *,
        fleet: Fleet,
        weather: pd.DataFrame,
        seed: int,
        start: pd.Timestamp,
        latitude: float,
        background: pd.DataFrame | None = None,
        walls: pd.DataFrame | None = None,
        receptors: pd.DataFrame | None = None,
    ) -> None:
        self.zone_ids = list(zones["zone_id"])
        self.zones, self.links, self.walls = zones, links, walls
        self._length_m = links["length_m"].to_numpy(dtype=float)
        self.geometry: BoxGeometry = box_geometry(zones, adjacency)
        self._city_m = float(np.sqrt(self.geometry.area_m2.sum()))
        self.far_field = FarField(links, link_zone, zones, reach_m=CUTOFF_M)
        self.start = pd.Timestamp(start)
        self._start_s = self.start.timestamp()
        self._first_hour = _hourly(weather, "weather")
        longitude = float(zones["lon"].mean())
        self._layer = boundary_layer(weather, latitude=latitude, longitude=longitude, z0_m=OPEN_Z0_M)
        self._roof_wind = self._layer.wind_roof_mps(_ROOF_M)
        self._box_wind = self._layer.wind_layer_mps(self.geometry.height_m)
        if background is None:
            background = synthetic_background(weather, seed=seed, latitude=latitude, longitude=longitude)
        self._first_background = _hourly(background, "background")
        lacking = [name for name in SPECIES if name not in background.columns]
        if lacking:
            raise AirError(
                f"the background table lacks column(s) {lacking}; it needs 'time' and {list(SPECIES)}, ug/m3"
            )
        self._background = background[list(SPECIES)].to_numpy(dtype=float)
        if not np.isfinite(self._background).all() or (self._background < 0).any():
            raise AirError("the background table holds missing or negative concentrations; fill or drop those hours")
        self._group = np.zeros(len(links), dtype=np.int64)
        self._fleets: list[Fleet] = [fleet]
        self._tables = [emission_table(fleet)]
        self._prepared: tuple[tuple[int, float], BoxStep] | None = None
        self._sources = road_sources(links, walls)
        self._layers = list(self._layer.layers)
        if receptors is None:
            receptors = facades(links, self.zone_ids, link_zone, walls)
        self.field = self.field_of(receptors)
        front = np.flatnonzero((receptors["kind"] == "facade").to_numpy())
        zone = pd.Index(self.zone_ids).get_indexer(receptors["zone_id"].to_numpy()[front])
        facades_in = np.bincount(zone, minlength=len(self.zone_ids))
        self._with_street = facades_in > 0
        shape = (len(self.zone_ids), len(receptors))
        self._facade_mean = csr_array((1.0 / facades_in[zone], (zone, front)), shape=shape)
        self.ledger = Ledger.empty(len(SPECIES))
        ambient = self._ambient(self._hour(0.0))
        self.concentration = np.repeat(ambient[:, None], self.geometry.n_zones, axis=1)  # (S, Z) g/m3
        self.mass_at_start = self.mass_in_air()

    def field_of(self, receptors: pd.DataFrame, *, smooth: bool = False) -> Field:
        """The field of any receptors (`data.schemas.RECEPTORS`) in this city's air."""
        return Field(receptors, self._sources, self.links, self.walls, self.zones, self._layers, smooth=smooth)

    def set_link_fleet(self, link_ids: np.ndarray | list[int], fleet: Fleet | None) -> None:
        """Let another fleet drive on some links, or the city's again (`None`)."""
        chosen = np.asarray(link_ids, dtype=np.int64)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self._group)):
            raise AirError(f"link ids run from 0 to {len(self._group) - 1}; found {chosen.min()} to {chosen.max()}")
        fleet = self._fleets[0] if fleet is None else fleet
        if fleet not in self._fleets:
            self._fleets.append(fleet)
            self._tables.append(emission_table(fleet))
        self._group[chosen] = self._fleets.index(fleet)

    def link_fleet(self, link_id: int) -> Fleet:
        """The fleet that drives on a link now."""
        return self._fleets[self._group[link_id]]

    def mass_in_air(self) -> np.ndarray:
        """g of each of `SPECIES` in all boxes."""
        return (self.concentration * self.geometry.volume_m3).sum(axis=1)

    def imbalance(self) -> np.ndarray:
        """Share of each of `SPECIES` that the books cannot explain, of all that came in; zero but for rounding."""
        return self.ledger.imbalance(self.mass_in_air(), self.mass_at_start)

    def link_grams(self, interval: LinkInterval) -> np.ndarray:
        """Grams that each link emits, (L, P) in the order of `emissions.POLLUTANTS`."""
        return link_emissions(interval, self._tables, self._group)

    def step(self, interval: LinkInterval) -> ZoneAir:
        """Advance by one interval.

        Parameters
        ----------
        interval : LinkInterval

        Returns
        -------
        ZoneAir
            Means over the interval.

        Raises
        ------
        WeatherError
            If the weather does not cover the interval's start.
        """
        grams = self.link_grams(interval)
        hour = self.hour(interval.start_s)
        background = self._advance_boxes(grams, interval, hour)
        traffic = StreetTraffic.of(interval, grams, self._length_m)
        at = self.field.concentrations(hour, background, traffic)
        zone = self._zone_means(at, background)
        emitted = self.far_field.at_home @ grams
        self._last = (hour, background, traffic)
        return ZoneAir(
            start_s=interval.start_s,
            step_s=interval.step_s,
            **{f"{name}_g": emitted[:, column] for column, name in enumerate(POLLUTANTS)},
            **{f"{name}_ug_per_m3": zone[:, column] for column, name in enumerate(SPECIES)},
            receptors=at,
        )

    def now_at(self, field: Field) -> np.ndarray:
        """Concentrations of the last interval at other receptors, (R, S) ug/m3.

        Raises
        ------
        AirError
            Before the first step.
        """
        if not hasattr(self, "_last"):
            raise AirError("no interval has passed yet; let the model step first")
        return field.concentrations(*self._last)

    def hour(self, start_s: float) -> AirHour:
        """The weather at an instant of the run, as dispersion reads it."""
        layer, row = self._layer, self._weather_row(self._hour(start_s))
        return AirHour(
            wind_dir_deg=float(layer.wind_dir_deg[row]), wind_10m_mps=float(layer.wind_10m_mps[row]),
            wind_roof_mps=float(self._roof_wind[row]), stability=int(layer.stability[row]),
            u_star_mps=float(layer.u_star_mps[row]), radiation_w_per_m2=float(layer.radiation_w_per_m2[row]),
            temperature_k=float(layer.temperature_k[row]),
        )  # fmt: skip

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next step depends on, as arrays; link fleets are the caller's to set again."""
        ledger = {f"ledger_{name}": getattr(self.ledger, name).copy() for name in Ledger.__slots__}
        return {
            "concentration_g_per_m3": self.concentration.copy(),
            "mass_at_start_g": self.mass_at_start.copy(),
            **ledger,
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from `state()` of a model of the same zones.

        Raises
        ------
        AirError
            If the state belongs to another number of zones.
        """
        found, expected = np.shape(state["concentration_g_per_m3"]), self.concentration.shape
        if found != expected:
            raise AirError(f"this air state has shape {found}, the city needs {expected}; it is of another city")
        self.concentration = np.array(state["concentration_g_per_m3"], dtype=float)
        self.mass_at_start = np.array(state["mass_at_start_g"], dtype=float)
        self.ledger = Ledger(**{name: np.array(state[f"ledger_{name}"], dtype=float) for name in Ledger.__slots__})

    def _advance_boxes(self, grams: np.ndarray, interval: LinkInterval, hour: AirHour) -> np.ndarray:
        """The urban background over an interval, (Z, S) ug/m3 after reaction."""
        joins, lost = self.far_field.arrivals(grams[:, : len(_EMITTED)], hour.wind_dir_deg)
        source = np.zeros((len(SPECIES), self.geometry.n_zones))
        source[_EMITTED] = joins.T / interval.step_s
        self.ledger.emitted[_EMITTED] += lost
        self.ledger.blown_out[_EMITTED] += lost
        n_sub = max(1, int(np.ceil(interval.step_s / _SUBSTEP_S)))
        number = self._hour(interval.start_s)
        mover, ambient = self._mover(number, interval.step_s / n_sub), self._ambient(number)
        mean = np.zeros_like(source)
        for _ in range(n_sub):
            self.concentration = mover.advance(self.concentration, source, ambient, self.ledger)
            mean += self.concentration
        air = np.ascontiguousarray(mean * (UG_PER_G / n_sub * to_reference(hour.temperature_k))[:, None])
        way = self._city_m / max(hour.wind_roof_mps, 0.1)
        react(air, hour, np.array([min(max(way, _CITY_REACTION_S[0]), _CITY_REACTION_S[1])]))
        return air.T

    def _zone_means(self, at: np.ndarray, background: np.ndarray) -> np.ndarray:
        """(Z, S) means over facades; of a zone without a street, its background."""
        return np.where(self._with_street[:, None], self._facade_mean @ at, background)

    def _hour(self, start_s: float) -> int:
        """Hours since 1970 of an instant of the run."""
        return int((self._start_s + start_s) // 3600)

    def _weather_row(self, hour: int) -> int:
        return _row(hour, self._first_hour, len(self._layer.stability), "weather")

    def _ambient(self, hour: int) -> np.ndarray:
        """What flows in, g in a cubic metre of the air as it is, (S,)."""
        row = _row(hour, self._first_background, len(self._background), "background")
        temperature_k = float(self._layer.temperature_k[self._weather_row(hour)])
        return self._background[row] / (UG_PER_G * to_reference(temperature_k))

    def _mover(self, number: int, step_s: float) -> BoxStep:
        """The prepared step of an hour."""
        if self._prepared is None or self._prepared[0] != (number, step_s):
            layer, row = self._layer, self._weather_row(number)
            mixing = hour_mixing(
                wind_mps=float(self._box_wind[row]),
                wind_dir_deg=float(layer.wind_dir_deg[row]),
                u_star_mps=float(layer.u_star_mps[row]),
                w_star_mps=float(layer.w_star_mps[row]),
                sigma_v_mps=float(layer.sigma_v_mps[row]),
                mixing_height_m=float(layer.mixing_height_m[row]),
                height_m=self.geometry.height_m,
            )
            flows = exchange(self.geometry, mixing)
            self._prepared = ((number, step_s), BoxStep(self.geometry, flows, DEPOSITION_MPS, step_s))
        return self._prepared[1]


def hour_mixing(
    *,
    wind_mps: float,
    wind_dir_deg: float,
    u_star_mps: float,
    w_star_mps: float,
    sigma_v_mps: float,
    mixing_height_m: float,
    height_m: float,
) -> Mixing:
    """Exchange of the boxes with each other and with the sky in one hour.

    Vertical turbulence at height H is `1.3 u* (1 - 0.8 H / z_i)` with the convective part
    `sqrt(0.4) w* 2.1 (H / z_i)^(1/3) (1 - 0.8 H / z_i)` in root sum of squares (SIRANE/MUNICH, Soulhac et al. 2011,
    doi:10.1016/j.atmosenv.2011.07.008); air passes a level at `sigma_w / (sqrt(2) pi)`. Where the mixing height is
    below the boxes' top nothing passes.
    """
    relative = min(height_m / mixing_height_m, 1.0)
    fade = 1.0 - 0.8 * relative
    sigma_w = np.hypot(1.3 * u_star_mps * fade, np.sqrt(0.4) * w_star_mps * 2.1 * relative ** (1.0 / 3.0) * fade)
    direction = np.radians(wind_dir_deg)
    return Mixing(
        wind_east=-wind_mps * float(np.sin(direction)),
        wind_north=-wind_mps * float(np.cos(direction)),
        sideways=_SIDEWAYS_SHARE * sigma_v_mps,
        top=float(sigma_w) / (np.sqrt(2.0) * np.pi) * (1.0 - relative),
    )


def _row(hour: int, first: int, length: int, what: str) -> int:
    if not 0 <= hour - first < length:
        begin, moment = (pd.Timestamp(h * 3600, unit="s", tz="UTC") for h in (first, hour))
        raise WeatherError(f"the {what} covers {length} hours from {begin}; {moment} is outside")
    return hour - first


def _hourly(table: pd.DataFrame, what: str) -> int:
    """Hours since 1970 of the first row, once the table is seen to be hourly and gapless."""
    seconds = table["time"].dt.tz_convert("UTC").dt.as_unit("s").astype("int64").to_numpy()
    if len(seconds) == 0 or seconds[0] % 3600 or (np.diff(seconds) != 3600).any():
        raise WeatherError(f"the {what} table must hold one row an hour, on the hour, without gaps")
    return int(seconds[0] // 3600)
