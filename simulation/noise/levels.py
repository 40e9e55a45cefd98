"""Equivalent sound levels at receptors from the traffic of every link.

`NoiseModel` computes the transfer once; every interval then costs one sparse product. Levels are those of the incident
sound, as Directive 2002/49/EC asks: what a microphone on a facade would measure is about 3 dB more.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.link_state import LinkInterval
from simulation.noise.cnossos import (
    A_WEIGHT_DB,
    REFERENCE_TEMPERATURE_C,
    SPEED_RANGE_KMH,
    class_categories,
    coefficients,
    line_level,
    rolling_and_propulsion,
)
from simulation.noise.errors import NoiseError
from simulation.noise.levels_kernels import heard, line_power
from simulation.noise.propagation import Segments, transfer

#: Everything else that is heard in a city without traffic, dB(A), added by energy; assumption. It lifts a level of
#: 50 dB(A) by 0.04 dB.
BACKGROUND_DB = 30.0
SPEED_STEP_KMH = 0.25  # of the tables; interpolation errs by less than 0.002 dB
_BLOCK = 64  # intervals at a time, so that their powers stay in the processor's cache


class NoiseModel:
    """Traffic of links to A-weighted equivalent levels at receptors.

    Parameters
    ----------
    sources : Segments
        Straight pieces of the links, e.g. `LineSources`.
    n_links : int
    receptors : ndarray, shape (n_receptors, 3)
        x, y, height above ground, m.
    cutoff_m, building_density, frontage_share, humidity_percent, source_street, receptor_street
        As of `transfer`.
    air_temperature_c : float
        For absorption, one value for all hours; tyres follow the temperature of each hour.
    background_db : float or None
        Added by energy to every level; `None` leaves `-inf` where nobody drives within the cut-off.
    junction_gain : ndarray, shape (2, n_links, n_classes), optional
        From `cnossos.junction_gain`; without it vehicles keep their speed.

    Raises
    ------
    NoiseError
        As of `transfer`, or if `junction_gain` has another shape.
    """

    def __init__(
        self,
        sources: Segments,
        n_links: int,
        receptors: np.ndarray,
        *,
        cutoff_m: float = 500.0,
        building_density: np.ndarray | float = 0.0,
        frontage_share: np.ndarray | float = 0.0,
        air_temperature_c: float = 10.0,
        humidity_percent: float = 70.0,
        source_street: np.ndarray | None = None,
        receptor_street: np.ndarray | None = None,
        background_db: float | None = BACKGROUND_DB,
        junction_gain: np.ndarray | None = None,
    ) -> None:
        self.transfer = transfer(
            sources, n_links, receptors, cutoff_m=cutoff_m, temperature_c=air_temperature_c,
            humidity_percent=humidity_percent, building_density=building_density,
            frontage_share=frontage_share, segment_street=source_street,
            receptor_street=receptor_street,
        )  # fmt: skip
        matrix, octaves = self.transfer.matrix, A_WEIGHT_DB.size
        self.n_links, self.n_receptors = n_links, matrix.shape[0]
        self._pairs = matrix.indptr // octaves, matrix.indices[::octaves] // octaves, matrix.data.reshape(-1, octaves)
        shape = (2, n_links, len(VEHICLE_CLASSES))
        gain = np.ones(shape) if junction_gain is None else np.ascontiguousarray(junction_gain, dtype=float)
        if gain.shape != shape or not (gain > 0).all():
            raise NoiseError(f"junction_gain needs factors above 0 of shape {shape}; found {gain.shape}")
        self._gain = gain
        self._background = 0.0 if background_db is None else 10.0 ** (background_db / 10.0)

    def levels(
        self,
        flow_veh_per_h: np.ndarray,
        speed_kmh: np.ndarray,
        temperature_c: np.ndarray | float = REFERENCE_TEMPERATURE_C,
    ) -> np.ndarray:
        """Equivalent level of one interval or of many.

        Parameters
        ----------
        flow_veh_per_h, speed_kmh : ndarray, shape (n_links, n_classes) or (n_times, n_links, n_classes)
            Classes in the order of `VEHICLE_CLASSES`; mean speed over the link, stops included, held within
            20..130 km/h; may be missing where the flow is 0.
        temperature_c : float or ndarray, shape (n_times,)
            Of the air, deg C.

        Returns
        -------
        ndarray, shape (n_receptors,) or (n_times, n_receptors)
            LAeq of each interval, dB(A), incident sound.

        Raises
        ------
        NoiseError
            If shapes do not fit, a flow is negative or missing, a speed of moving traffic is negative or missing, or a
            temperature is not finite: all faults are named at once.
        """
        flow, speed = np.asarray(flow_veh_per_h, dtype=float), np.asarray(speed_kmh, dtype=float)
        single = flow.ndim == 2
        if single:
            flow, speed = flow[None], speed[None] if speed.ndim == 2 else speed
        warm = np.asarray(temperature_c, dtype=float)
        _check_traffic(flow, speed, warm, (self.n_links, len(VEHICLE_CLASSES)))
        warm = np.broadcast_to(warm, flow.shape[:1])
        factor = 10.0 ** (_slopes() * (REFERENCE_TEMPERATURE_C - warm[:, None]) / 10.0)
        rolling, propulsion = _power_tables()
        energy = np.empty((flow.shape[0], self.n_receptors))
        for first in range(0, flow.shape[0], _BLOCK):
            part = slice(first, first + _BLOCK)
            power = line_power(
                np.ascontiguousarray(flow[part]), np.ascontiguousarray(speed[part]), rolling, propulsion,
                np.ascontiguousarray(factor[part]), self._gain, SPEED_RANGE_KMH[0], SPEED_STEP_KMH,
            )  # fmt: skip
            if single:
                energy[0] = heard(*self._pairs, power.reshape(self.n_links, -1))
            else:
                energy[part] = (self.transfer.matrix @ power).T
        with np.errstate(divide="ignore"):
            level = 10.0 * np.log10(energy + self._background)
        return level[0] if single else level


def flow_and_speed(interval: LinkInterval, length_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow and mean speed of every link and class in one interval.

    Flow is distance travelled over length and time; speed is distance over time spent, so that time in queues counts.

    Parameters
    ----------
    interval : LinkInterval
        Reads `vehicle_distance_m`, `vehicle_time_s`, `step_s`.
    length_m : ndarray, shape (n_links,)

    Returns
    -------
    flow_veh_per_h, speed_kmh : ndarray, shape (n_links, n_classes)
        Speed is missing where nobody drove.

    Raises
    ------
    NoiseError
        If lengths are not one above 0 m a link.
    """
    distance = np.asarray(interval.vehicle_distance_m, dtype=float)
    length = np.asarray(length_m, dtype=float)
    if length.shape != distance.shape[:1] or not (length > 0).all():
        raise NoiseError(f"lengths must be {distance.shape[0]} numbers above 0 m; found shape {length.shape}")
    flow = distance / length[:, None] / (interval.step_s / 3600.0)
    time = np.asarray(interval.vehicle_time_s, dtype=float)
    speed = np.full(distance.shape, np.nan)
    np.divide(distance * 3.6, time, out=speed, where=(time > 0) & (distance > 0))
    return np.where(time > 0, flow, 0.0), speed


@cache
def _slopes() -> np.ndarray:
    """Fall of rolling noise of each class with temperature, dB per deg C."""
    return np.array([coefficients(parts[0][0])["k_db_per_c"].iloc[0] for parts in class_categories().values()])


@cache
def _power_tables() -> tuple[np.ndarray, np.ndarray]:
    """A-weighted power a metre of 1 veh/h of each class by speed, rolling at 20 deg C and propulsion, pW/m."""
    speed = np.arange(SPEED_RANGE_KMH[0], SPEED_RANGE_KMH[1] + SPEED_STEP_KMH / 2, SPEED_STEP_KMH)
    tables = np.zeros((2, len(VEHICLE_CLASSES), speed.size, A_WEIGHT_DB.size))
    for c, parts in enumerate(class_categories().values()):
        for category, share in parts:
            for source, level in enumerate(rolling_and_propulsion(category, speed)):
                tables[source, c] += share * 10.0 ** ((line_level(level, 1.0, speed) + A_WEIGHT_DB) / 10.0)
    return tables[0], tables[1]


def _check_traffic(flow: np.ndarray, speed: np.ndarray, warm: np.ndarray, shape: tuple[int, int]) -> None:
    if flow.ndim != 3 or flow.shape != speed.shape or flow.shape[1:] != shape:
        raise NoiseError(
            f"flow and speed need one shape, (links, classes) = {shape} or (times, *{shape}) with the classes"
            f" {', '.join(VEHICLE_CLASSES)}; found {flow.shape} and {speed.shape}"
        )
    wrong = []
    if not (np.isfinite(flow) & (flow >= 0)).all():
        wrong.append(f"{int((~(np.isfinite(flow) & (flow >= 0))).sum())} flows are negative or missing")
    bad = (flow > 0) & ~(np.isfinite(speed) & (speed >= 0))
    if bad.any():
        wrong.append(f"{int(bad.sum())} speeds of moving traffic are negative or missing")
    if warm.shape not in ((), flow.shape[:1]) or not np.isfinite(warm).all():
        wrong.append(f"temperature must be one finite number or {flow.shape[0]}; found shape {warm.shape}")
    if wrong:
        raise NoiseError(f"no sound levels: {'; '.join(wrong)}")
