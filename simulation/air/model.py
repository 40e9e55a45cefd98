"""The air of a city, interval by interval: traffic in, concentrations of every zone out.

`AirModel.step` takes grams from the speed histogram, puts them into the street boxes, lets the wind of that hour mix
and carry them, and lets NO, NO2 and ozone react where people breathe. Its state is a handful of arrays, so that a run
can be cut anywhere and continued bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from data.units import UG_PER_G
from simulation.air.background import SPECIES, synthetic_background
from simulation.air.box import BoxGeometry, BoxStep, Ledger, Mixing, box_geometry, exchange
from simulation.air.chemistry import UG_PER_PPB_NO2, UG_PER_PPB_O3, street_no2
from simulation.air.emissions import POLLUTANTS, emission_table, link_emissions
from simulation.air.errors import AirError, WeatherError
from simulation.air.fleet import Fleet
from simulation.air.weather import friction_velocity
from simulation.link_state import LinkInterval

_SUBSTEP_S = 300.0
#: Dry deposition of NOx, NO2, ozone and PM2.5, m/s: working values of common order, small beside the wind.
DEPOSITION_MPS = np.array([0.001, 0.001, 0.004, 0.001])
#: Ground between the fronts that belongs to one direction besides its lanes: kerb, parking, pavement, m. Assumed.
_ROADSIDE_M, _LANE_M = 4.5, 3.5
#: Wind at street level over wind above the roofs: OSPM's profile ln(2/0.6) / ln(20/0.6) with 0.82 for the roof and
#: 0.9 for wind that blows across.
_STREET_WIND_SHARE = 0.25
#: Floor of vertical turbulence in a street, m/s: the vehicles' own (OSPM gives 0.2 at 1000 veh/h, half of it kept).
_TRAFFIC_TURBULENCE_MPS = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneAir:
    """Air of Z zones over one interval: what was emitted, g, and the mean concentration at street level, ug/m3."""

    start_s: float
    step_s: float
    nox_g: np.ndarray
    no2_g: np.ndarray
    pm25_g: np.ndarray
    co2_g: np.ndarray
    nox_ug_per_m3: np.ndarray  # as NO2
    no2_ug_per_m3: np.ndarray
    o3_ug_per_m3: np.ndarray
    pm25_ug_per_m3: np.ndarray


class AirModel:
    """Emission, mixing and chemistry for every zone.

    Parameters
    ----------
    zones, adjacency, link_zone, links : DataFrame
        Columns of the schemas of those names.
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
        Hourly `time`, `nox`, `no2`, `o3`, `pm25`, ug/m3, of the air that flows in; synthetic if left out.

    Raises
    ------
    WeatherError
        If weather or background is not hourly and gapless.
    """

    def __init__(
        self,
        zones: pd.DataFrame,
        adjacency: pd.DataFrame,
        link_zone: pd.DataFrame,
        links: pd.DataFrame,
        *,
        fleet: Fleet,
        weather: pd.DataFrame,
        seed: int,
        start: pd.Timestamp,
        latitude: float,
        background: pd.DataFrame | None = None,
    ) -> None:
        self.zone_ids = list(zones["zone_id"])
        self._share = _zone_matrix(link_zone, self.zone_ids, len(links))
        width = links["lanes"].to_numpy(dtype=float) * _LANE_M + _ROADSIDE_M
        self.geometry: BoxGeometry = box_geometry(
            zones, adjacency, self._share @ (links["length_m"].to_numpy(dtype=float) * width)
        )
        self.start = pd.Timestamp(start)
        self._first_hour = _hourly(weather, "weather")
        names = ("wind_speed_mps", "wind_dir_deg", "temperature_c", "radiation_w_per_m2", "cloud_share")
        self._weather = weather[[*names, "mixing_height_m"]].to_numpy(dtype=float)
        if background is None:
            longitude = float(zones["lon"].mean())
            background = synthetic_background(weather, seed=seed, latitude=latitude, longitude=longitude)
        self._first_background = _hourly(background, "background")
        self._background = background[list(SPECIES)].to_numpy(dtype=float) / UG_PER_G
        self._group = np.zeros(len(links), dtype=np.int64)
        self._fleets: list[Fleet] = [fleet]
        self._tables = [emission_table(fleet)]
        self._prepared: tuple[tuple[int, float], BoxStep, float] | None = None
        self.ledger = Ledger.empty(len(SPECIES))
        ambient = self._ambient(self._hour(0.0))
        self.concentration = np.repeat(ambient[:, None], 2 * self.geometry.n_zones, axis=1)  # (S, 2 Z) g/m3
        self.mass_at_start = self.mass_in_air()

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
        emitted = self._share @ self.link_grams(interval)  # (Z, P)
        hour = self._hour(interval.start_s)
        n_sub = max(1, int(np.ceil(interval.step_s / _SUBSTEP_S)))
        mover, roof = self._mover(hour, interval.step_s / n_sub)
        z = self.geometry.n_zones
        source = np.zeros((len(SPECIES), 2 * z))
        source[0, :z], source[1, :z], source[3, :z] = emitted[:, :3].T / interval.step_s
        ambient = self._ambient(hour)
        mean = np.zeros((len(SPECIES), z))
        for _ in range(n_sub):
            self.concentration = mover.advance(self.concentration, source, ambient, self.ledger)
            mean += self.concentration[:, :z]
        nox, no2, o3, pm25 = mean / n_sub * UG_PER_G
        no2, o3 = self._react(nox, no2, o3, hour, roof)
        return ZoneAir(
            start_s=interval.start_s,
            step_s=interval.step_s,
            nox_g=emitted[:, 0],
            no2_g=emitted[:, 1],
            pm25_g=emitted[:, 2],
            co2_g=emitted[:, POLLUTANTS.index("co2")],
            nox_ug_per_m3=nox,
            no2_ug_per_m3=no2,
            o3_ug_per_m3=o3,
            pm25_ug_per_m3=pm25,
        )

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

    def _hour(self, start_s: float) -> int:
        """Hours since 1970 of an instant of the run."""
        return int((self.start.timestamp() + start_s) // 3600)

    def _row(self, hour: int, first: int, table: np.ndarray, what: str) -> np.ndarray:
        if not 0 <= hour - first < len(table):
            begin, moment = (pd.Timestamp(h * 3600, unit="s", tz="UTC") for h in (first, hour))
            raise WeatherError(f"the {what} covers {len(table)} hours from {begin}; {moment} is outside")
        return table[hour - first]

    def _ambient(self, hour: int) -> np.ndarray:
        return self._row(hour, self._first_background, self._background, "background")

    def _mover(self, hour: int, step_s: float) -> tuple[BoxStep, float]:
        """The prepared step of an hour, and the exchange velocity through the roofs."""
        if self._prepared is None or self._prepared[0] != (hour, step_s):
            speed, direction, _, radiation, cloud, depth = self._row(hour, self._first_hour, self._weather, "weather")
            mixing = hour_mixing(speed, direction, radiation, cloud, depth, self.geometry)
            flows = exchange(self.geometry, mixing)
            self._prepared = ((hour, step_s), BoxStep(self.geometry, flows, DEPOSITION_MPS, step_s), mixing.roof)
        return self._prepared[1], self._prepared[2]

    def _react(
        self, nox: np.ndarray, no2: np.ndarray, o3: np.ndarray, hour: int, roof: float
    ) -> tuple[np.ndarray, np.ndarray]:
        row = self._row(hour, self._first_hour, self._weather, "weather")
        residence = float(np.clip(self.geometry.street_height_m / roof, 20.0, 600.0))
        no2_ppb, o3_ppb = street_no2(
            nox / UG_PER_PPB_NO2,
            no2 / UG_PER_PPB_NO2,
            o3 / UG_PER_PPB_O3,
            radiation=row[3],
            temperature_k=row[2] + 273.15,
            residence_s=residence,
        )
        return no2_ppb * UG_PER_PPB_NO2, o3_ppb * UG_PER_PPB_O3


def hour_mixing(
    wind_speed_mps: float,
    wind_dir_deg: float,
    radiation_w_per_m2: float,
    cloud_share: float,
    mixing_height_m: float,
    geometry: BoxGeometry,
) -> Mixing:
    """Exchange velocities of one hour's weather.

    Vertical turbulence at roof height is `1.3 u* (1 - 0.8 H / z_i)` with the convective part
    `sqrt(0.4) w* 2.1 (H / z_i)^(1/3) (1 - 0.8 H / z_i)` in root sum of squares (SIRANE/MUNICH, Soulhac et al. 2011,
    doi:10.1016/j.atmosenv.2011.07.008); air passes the roofs at `sigma_w / (sqrt(2) pi)`. In a clear night with weak
    wind u* falls to 60 % (assumed; a city never gets as stable as the land around). Through the top of the upper
    layer air passes at the same share of sigma_w, the less the nearer the mixing height is.
    """
    stable = radiation_w_per_m2 <= 1.0 and cloud_share < 0.5 and wind_speed_mps < 4.0
    u_star = float(friction_velocity(np.asarray(wind_speed_mps))) * (0.6 if stable else 1.0)
    relative = geometry.street_height_m / mixing_height_m
    heat_flux = 0.3 * max(radiation_w_per_m2 - 30.0, 0.0) / (1.2 * 1005.0)  # K m/s
    w_star = (9.81 / 288.0 * heat_flux * mixing_height_m) ** (1.0 / 3.0)
    fade = 1.0 - 0.8 * relative
    sigma_w = float(np.hypot(1.3 * u_star * fade, np.sqrt(0.4) * w_star * 2.1 * relative ** (1.0 / 3.0) * fade))
    layer_top = geometry.street_height_m + geometry.upper_height_m
    direction = np.radians(wind_dir_deg)
    return Mixing(
        wind_east=-wind_speed_mps * float(np.sin(direction)),
        wind_north=-wind_speed_mps * float(np.cos(direction)),
        street_wind_share=_STREET_WIND_SHARE,
        sideways=0.1 * float(np.hypot(1.9 * u_star, 0.6 * w_star)),  # a tenth of sigma_v
        roof=roof_velocity(float(np.hypot(sigma_w, _TRAFFIC_TURBULENCE_MPS))),
        top=roof_velocity(sigma_w) * max(0.0, 1.0 - layer_top / mixing_height_m),
    )


def roof_velocity(sigma_w: float) -> float:
    """Mean velocity of exchange through an interface with vertical turbulence `sigma_w`, m/s (Soulhac et al. 2011)."""
    return sigma_w / (np.sqrt(2.0) * np.pi)


def _zone_matrix(link_zone: pd.DataFrame, zone_ids: list[str], n_links: int) -> csr_array:
    """(Z, L) shares of links in zones."""
    row = pd.Index(zone_ids).get_indexer(link_zone["zone_id"])
    if (row < 0).any():
        wrong = sorted(set(link_zone["zone_id"][row < 0]))
        raise AirError(f"link_zone names zone(s) {wrong[:5]} that the zones table does not hold")
    column = link_zone["link_id"].to_numpy()
    return csr_array((link_zone["share"].to_numpy(dtype=float), (row, column)), shape=(len(zone_ids), n_links))


def _hourly(table: pd.DataFrame, what: str) -> int:
    """Hours since 1970 of the first row, once the table is seen to be hourly and gapless."""
    seconds = table["time"].dt.tz_convert("UTC").dt.as_unit("s").astype("int64").to_numpy()
    if len(seconds) == 0 or seconds[0] % 3600 or (np.diff(seconds) != 3600).any():
        raise WeatherError(f"the {what} table must hold one row an hour, on the hour, without gaps")
    return int(seconds[0] // 3600)
