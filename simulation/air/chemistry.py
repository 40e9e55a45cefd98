"""NO, NO2 and ozone in a street: the closed form of the OSPM street model, with the time that air stays in the street.

Traffic emits mostly NO; ozone from above the roofs turns it into NO2 as fast as mixing brings it, and sunlight turns
some of it back. With first-order mixing over a residence time the balance is one quadratic equation.
"""

from __future__ import annotations

import numpy as np

#: ug/m3 in one ppb at 20 deg C and 1 atm (NOx is counted as NO2).
UG_PER_PPB_NO2 = 1.91
UG_PER_PPB_O3 = 2.00


def street_no2(
    nox_ppb: np.ndarray,
    no2_ppb: np.ndarray,
    o3_ppb: np.ndarray,
    *,
    radiation: float | np.ndarray,
    temperature_k: float | np.ndarray,
    residence_s: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """NO2 and ozone after reaction; their sum is kept.

    Parameters
    ----------
    nox_ppb : ndarray
        NO + NO2 in the street, ppb.
    no2_ppb, o3_ppb : ndarray
        NO2 (inflow and tailpipe) and ozone (inflow) as mixing alone would leave them, ppb.
    radiation : float or ndarray
        Global radiation, W/m2.
    temperature_k : float or ndarray
        K.
    residence_s : float or ndarray
        Time that air stays in the street, s, above 0.

    Returns
    -------
    no2, o3 : ndarray
        ppb.

    References
    ----------
    Berkowicz et al. (1997), Modelling traffic pollution in streets, NERI (OSPM); rates as in GitHub `metno/NORTRIP`
    @a6225be `OSPM/ospm_nortrip_fortran.f90`.
    """
    light = np.asarray(radiation, dtype=float)
    bright = light > 1.0
    photolysis = np.where(bright, 0.8e-3 * np.exp(-10.0 / np.where(bright, light, 1.0)) + 7.4e-6 * light, 0.0)  # 1/s
    rate = 5.38e-2 * np.exp(-1430.0 / np.asarray(temperature_k, dtype=float))  # 1/(ppb s)
    leighton = photolysis / rate
    mixing = 1.0 / (rate * np.asarray(residence_s, dtype=float))
    oxidant = no2_ppb + o3_ppb
    total = nox_ppb + leighton + mixing + oxidant
    root = np.sqrt(np.maximum(total**2 - 4.0 * (nox_ppb * oxidant + no2_ppb * mixing), 0.0))
    # The smaller root, written without the difference of two near numbers.
    no2 = 2.0 * (nox_ppb * oxidant + no2_ppb * mixing) / (total + root)
    return no2, oxidant - no2
