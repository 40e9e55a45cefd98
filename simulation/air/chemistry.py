"""NO, NO2 and ozone: how much of the traffic's NO has become NO2 when people breathe it.

Traffic emits mostly NO; ozone from above the roofs turns it into NO2 as fast as mixing brings it, and sunlight turns
some of it back. Three closed forms: `street_no2` for air that stays a while and is then renewed (OSPM; the one the
model uses), `photostationary_no2` for air that has had all the time it needs, `finite_time_no2` for a parcel after a
given time. Each is one quadratic equation, written without a difference of near numbers and without a division that
can be by zero. The sum NO2 + O3 (the oxidant) and NOx are kept by all three.

Concentrations are mixing ratios (ppb) or mass per volume of air at 20 deg C and 1 atm, the reference of EU law.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulation.air.chemistry_kernels import react
from simulation.air.errors import AirError

#: ug/m3 in one ppb at 20 deg C and 1 atm (NOx is counted as NO2), rounded as air-quality reports print them; the gas
#: law gives `ug_per_ppb`: 1.912, 1.247, 1.996.
UG_PER_PPB_NO2 = 1.91
UG_PER_PPB_NO = 1.25
UG_PER_PPB_O3 = 2.00
MOLAR_MASS_G = {"no2": 46.0, "nox": 46.0, "no": 30.0, "o3": 48.0}  # g/mol; NOx counts as NO2
REFERENCE_TEMPERATURE_K = 293.15  # Directive 2008/50/EC Annex VI, (EU) 2024/2881 Annex VI: gases at 293 K, 101.3 kPa
_GAS_CONSTANT, _ATMOSPHERE_PA, _AVOGADRO = 8.314462618, 101_325.0, 6.022e23
_UG_PER_M3_TO_PER_CM3 = _AVOGADRO / 1e12

#: Units that the arrays of `react_in_place` may have: how many make one ppb of NO2 and of ozone.
_UNITS = {
    "ppb": (1.0, 1.0),
    "ug_per_m3": (UG_PER_PPB_NO2, UG_PER_PPB_O3),
    "g_per_m3": (UG_PER_PPB_NO2 * 1e-6, UG_PER_PPB_O3 * 1e-6),
}
Values = float | np.ndarray


def ug_per_ppb(species: str, *, temperature_k: float = REFERENCE_TEMPERATURE_K) -> float:
    """Mass concentration of one ppb by the ideal gas law at 1 atm, ug/m3.

    Parameters
    ----------
    species : {"no2", "nox", "no", "o3"}
        NOx counts as NO2.
    temperature_k : float
        K; 293.15 is the reference of EU law, 298.15 that of the US EPA.

    Raises
    ------
    AirError
        If the species is not one of these.
    """
    if species not in MOLAR_MASS_G:
        raise AirError(f"no molar mass of {species!r}; allowed: {sorted(MOLAR_MASS_G)}")
    return 1e-3 * MOLAR_MASS_G[species] * _ATMOSPHERE_PA / (_GAS_CONSTANT * temperature_k)


def photolysis_rate(radiation: Values) -> np.ndarray:
    """Rate at which sunlight splits NO2, 1/s: `0.8e-3 exp(-10 / Q) + 7.4e-6 Q`, zero up to 1 W/m2.

    Parameters
    ----------
    radiation : float or ndarray
        Global radiation Q, W/m2; below zero counts as dark.

    References
    ----------
    OSPM as in GitHub `metno/NORTRIP` @a6225be, `OSPM/ospm_nortrip_fortran.f90`.
    """
    light = np.asarray(radiation, dtype=float)
    bright = light > 1.0
    safe = np.where(bright, light, 1.0)
    rate = np.where(bright, 0.8e-3 * np.exp(-10.0 / safe) + 7.4e-6 * light, 0.0)
    return np.where(np.isnan(light), np.nan, rate)


def reaction_rate(temperature_k: Values) -> np.ndarray:
    """Rate of NO + O3 -> NO2, 1/(ppb s): `5.38e-2 exp(-1430 / T)` (source as `photolysis_rate`)."""
    return 5.38e-2 * np.exp(-1430.0 / np.asarray(temperature_k, dtype=float))


def street_no2(
    nox_ppb: np.ndarray,
    no2_ppb: np.ndarray,
    o3_ppb: np.ndarray,
    *,
    radiation: Values,
    temperature_k: Values,
    residence_s: Values,
) -> tuple[np.ndarray, np.ndarray]:
    """NO2 and ozone after reaction, in air that is renewed after a residence time; their sum is kept.

    Parameters
    ----------
    nox_ppb : ndarray
        NO + NO2 in the street, ppb, not negative. Where it is below `no2_ppb`, there is no NO.
    no2_ppb, o3_ppb : ndarray
        Not negative: NO2 (inflow and tailpipe) and ozone (inflow) as mixing alone would leave them, ppb.
    radiation : float or ndarray
        Global radiation, W/m2.
    temperature_k : float or ndarray
        K.
    residence_s : float or ndarray
        Time that air stays in the street, s: 0 leaves NO2 as it was, `inf` gives the photostationary state.

    Returns
    -------
    no2, o3 : ndarray
        ppb, neither below zero; NaN where an input is.

    Notes
    -----
    Production, photolysis and renewal in balance: `k NO O3 = J NO2 + (NO2 - NO2_mixed) / tau`, with
    `R = J / k` and `D = 1 / (k tau)`. The equation is multiplied by `k tau / (1 + k tau)`, so that neither limit of
    tau divides by zero; its discriminant, `(NO - O3)^2 + (R + D)^2 + 2 R (NOx + NO2 + O3) + 2 D (NO + O3)` in mixed
    quantities, is a sum of squares and products that are never negative.

    References
    ----------
    Berkowicz et al. (1997), Modelling traffic pollution in streets, NERI (OSPM); rates as in GitHub `metno/NORTRIP`
    @a6225be `OSPM/ospm_nortrip_fortran.f90`.
    """
    rate = reaction_rate(temperature_k)
    light = photolysis_rate(radiation) / rate
    exchange = rate * np.asarray(residence_s, dtype=float)
    v = 1.0 / (1.0 + exchange)
    w = np.where(exchange < 1.0, np.where(np.isfinite(exchange), exchange, 0.0) * v, 1.0 - v)
    nox_ppb = np.maximum(nox_ppb, no2_ppb)
    nitric, oxidant = nox_ppb - no2_ppb, no2_ppb + o3_ppb
    sink, middle = w * light + v, w * (nitric - o3_ppb)
    root = np.sqrt(middle**2 + sink**2 + 2.0 * w * (w * light * (nox_ppb + oxidant) + v * (nitric + o3_ppb)))
    no2 = _ratio(2.0 * (w * nox_ppb * oxidant + v * no2_ppb), w * (nox_ppb + oxidant) + sink + root)
    first = middle + sink
    left = _ratio(2.0 * (w * light * oxidant + v * o3_ppb), np.where(first > 0.0, first + root, 1.0))
    spare = _ratio(root - first, 2.0 * w)  # only used where mixing is slow and ozone plentiful
    return no2, np.where(first > 0.0, left, spare)


def react_in_place(
    nox: np.ndarray,
    no2: np.ndarray,
    o3: np.ndarray,
    *,
    radiation: Values,
    temperature_k: Values,
    residence_s: Values,
    unit: Literal["ppb", "ug_per_m3", "g_per_m3"] = "ug_per_m3",
) -> None:
    """Let NO2 and ozone of many places react as in `street_no2`, overwriting both arrays.

    Parameters
    ----------
    nox, no2, o3 : ndarray, shape (H, R) or (R,)
        float32 or float64, C-contiguous, one dtype; H hours (or intervals), R receptors. `nox` is read only.
    radiation, temperature_k : float or ndarray, shape (H,)
        W/m2; K.
    residence_s : float or ndarray
        Broadcasts against (H, R): a number, (R,) by receptor, (H, 1) by hour or (H, R).
    unit : {"ppb", "ug_per_m3", "g_per_m3"}
        Of all three arrays; mass concentrations at 20 deg C (`UG_PER_PPB_NO2`, `UG_PER_PPB_O3`), NOx as NO2.

    Raises
    ------
    AirError
        With every fault: shapes, dtypes, unit, a negative residence time.
    """
    faults = _faults(nox, no2, o3, unit)
    hours, places = (1, nox.shape[0]) if nox.ndim == 1 else (nox.shape[0], nox.shape[-1])
    by_hour = []
    for name, values in (("radiation", radiation), ("temperature_k", temperature_k)):
        values = np.asarray(values, dtype=float)
        if values.ndim > 1 or values.size not in (1, hours):
            faults.append(f"{name} has shape {values.shape}; it needs one value or one an hour, ({hours},)")
        else:
            by_hour.append(np.broadcast_to(values.ravel(), hours))
    stay = np.atleast_2d(np.asarray(residence_s, dtype=float))
    if stay.ndim > 2 or stay.shape[0] not in (1, hours) or stay.shape[1] not in (1, places):
        faults.append(f"residence_s has shape {stay.shape}, which does not broadcast to ({hours}, {places})")
    if (stay < 0.0).any():
        faults.append(f"residence_s holds {int((stay < 0).sum())} negative value(s), lowest {np.nanmin(stay):g} s")
    if faults:
        raise AirError("chemistry cannot start: " + "; ".join(faults))
    rate = reaction_rate(by_hour[1])
    shape = (hours, places)
    per_no2, per_o3 = _UNITS[unit]
    react(
        nox.reshape(shape),
        no2.reshape(shape),
        o3.reshape(shape),
        photolysis_rate(by_hour[0]) / rate,
        rate,
        np.ascontiguousarray(stay),
        per_no2,
        per_o3,
    )


def photostationary_no2(
    nox_ug_per_m3: Values, no2_ug_per_m3: Values, o3_ug_per_m3: Values, *, photolysis_per_s: Values,
    temperature_k: Values = 298.15,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """NO2, NO and ozone once NO + O3 -> NO2 and photolysis are in balance.

    Parameters
    ----------
    nox_ug_per_m3, no2_ug_per_m3, o3_ug_per_m3 : float or ndarray
        Before reaction, ug/m3; NOx as NO2 and at least NO2 (what is missing counts as no NO).
    photolysis_per_s : float or ndarray
        J, 1/s (`photolysis_rate`); 0 is night.
    temperature_k : float or ndarray
        K.

    Returns
    -------
    no2, no, o3 : ndarray
        ug/m3. `J NO2 = k1 NO O3` in number densities, with `k1 = 1.4e-12 exp(-1310 / T)` cm3/s.

    References
    ----------
    Denby et al. (2020), uEMEP v5, doi:10.5194/gmd-13-6303-2020, as in GitHub `metno/uEMEP` @b9628e8
    (`uEMEP_photostationary_NO2`).
    """
    parcel = _Parcel(nox_ug_per_m3, no2_ug_per_m3, o3_ug_per_m3, photolysis_per_s, temperature_k)
    return parcel.masses(parcel.steady)


def finite_time_no2(
    nox_ug_per_m3: Values, no2_ug_per_m3: Values, o3_ug_per_m3: Values, *, photolysis_per_s: Values, time_s: Values,
    temperature_k: Values = 298.15,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """NO2, NO and ozone of a closed parcel after a given time.

    With y the NO2, y1 < y2 the roots of the balance and S = y2 - y1, `dy/dt = k1 (y - y1) (y - y2)` gives
    `y = y1 + (y0 - y1) e / (1 + (y1 - y0) g)`, e = exp(-S k1 t), g = (1 - e) / S, or k1 t where S vanishes.

    Parameters
    ----------
    nox_ug_per_m3, no2_ug_per_m3, o3_ug_per_m3, photolysis_per_s, temperature_k
        As for `photostationary_no2`.
    time_s : float or ndarray
        Since the parcel was as given, s; `inf` gives the photostationary state.

    Returns
    -------
    no2, no, o3 : ndarray
        ug/m3.

    Raises
    ------
    AirError
        If a time is negative.

    References
    ----------
    As for `photostationary_no2`.
    """
    time = np.asarray(time_s, dtype=float)
    if (time < 0.0).any():
        raise AirError(f"time_s holds {int((time < 0).sum())} negative value(s), lowest {np.nanmin(time):g} s")
    parcel = _Parcel(nox_ug_per_m3, no2_ug_per_m3, o3_ug_per_m3, photolysis_per_s, temperature_k)
    passed = np.minimum(parcel.rate * time, 1e100)  # cm3; a bound keeps 0 * inf away
    gap = parcel.gap
    grown = np.where(gap > 0.0, _ratio(-np.expm1(-gap * passed), gap), passed)
    off = parcel.no2 - parcel.steady
    return parcel.masses(parcel.steady + off * np.exp(-gap * passed) / (1.0 - off * grown))


class _Parcel:
    """A parcel in molecules per cm3: what it holds, its steady state and the gap between the roots."""

    def __init__(self, nox: Values, no2: Values, o3: Values, photolysis: Values, temperature_k: Values) -> None:
        n, y, z = (
            np.asarray(values, dtype=float) / MOLAR_MASS_G[name] * _UG_PER_M3_TO_PER_CM3
            for name, values in (("nox", nox), ("no2", no2), ("o3", o3))
        )
        self.nox, self.no2 = np.maximum(n, y), y
        self.oxidant = y + z
        self.rate = 1.4e-12 * np.exp(-1310.0 / np.asarray(temperature_k, dtype=float))  # cm3/s
        light = np.asarray(photolysis, dtype=float) / self.rate
        both = self.nox + self.oxidant
        self.gap = np.sqrt((self.nox - self.oxidant) ** 2 + light**2 + 2.0 * light * both)
        self.steady = _ratio(2.0 * self.nox * self.oxidant, both + light + self.gap)

    def masses(self, no2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """NO2, NO and O3 in ug/m3 where `no2` molecules per cm3 are NO2."""
        nitric, ozone = np.maximum(self.nox - no2, 0.0), np.maximum(self.oxidant - no2, 0.0)
        no2_mass, no_mass, o3_mass = (
            count * MOLAR_MASS_G[name] / _UG_PER_M3_TO_PER_CM3
            for name, count in (("no2", no2), ("no", nitric), ("o3", ozone))
        )
        return no2_mass, no_mass, o3_mass


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient, 0 where nothing is divided by nothing."""
    below = np.asarray(below, dtype=float)
    return np.asarray(above) / np.where(below == 0.0, 1.0, below)


def _faults(nox: np.ndarray, no2: np.ndarray, o3: np.ndarray, unit: str) -> list[str]:
    arrays = {"nox": nox, "no2": no2, "o3": o3}
    faults = []
    if unit not in _UNITS:
        faults.append(f"unit {unit!r}; allowed: {sorted(_UNITS)}")
    if len({array.shape for array in arrays.values()}) > 1 or nox.ndim not in (1, 2):
        shapes = {name: array.shape for name, array in arrays.items()}
        faults.append(f"arrays have shapes {shapes}; all must be (hours, receptors) or (receptors,)")
    if len({array.dtype for array in arrays.values()}) > 1 or nox.dtype not in (np.float32, np.float64):
        dtypes = {name: str(array.dtype) for name, array in arrays.items()}
        faults.append(f"arrays have dtypes {dtypes}; all must be float32 or all float64")
    faults += [
        f"{name} is not C-contiguous; copy it first (numpy.ascontiguousarray)"
        for name, array in arrays.items()
        if not array.flags.c_contiguous
    ]
    return faults
