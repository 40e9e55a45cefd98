"""Units that sensors report in, as factors to the stored ones."""

from __future__ import annotations

import re

from data.errors import InputError
from data.units import MPS_PER_KMH, MPS_PER_MPH, SECONDS_PER_HOUR

#: Gas constant, J/(mol K) (CODATA 2018), and one atmosphere, Pa.
_R, _ATM_PA, _ZERO_C_K = 8.314462618, 101_325.0, 273.15
#: Grams of a mole (IUPAC 2021 standard atomic weights); nitrogen oxides are counted as NO2.
MOLAR_MASS_G = {"no2": 46.006, "nox": 46.006, "no": 30.006, "o3": 47.998, "so2": 64.066, "co": 28.010}
#: Temperature to which the EU's directives refer gases, C (2008/50/EC, annex VI C); the WHO and the US use 25.
EU_TEMPERATURE_C = 20.0
SPEEDS = {"m/s": 1.0, "mps": 1.0, "km/h": MPS_PER_KMH, "kmh": MPS_PER_KMH, "kph": MPS_PER_KMH, "mph": MPS_PER_MPH}
FLOWS = ("veh/h", "veh/interval", "veh/step", "1/h", "1/interval")


def factor(quantity: str, unit: str, *, step_s: float, temperature_c: float = EU_TEMPERATURE_C) -> float:
    """What a reading in `unit` is multiplied by to be the stored quantity.

    Parameters
    ----------
    quantity : str
        Name of an observed column.
    unit : str
        For speeds m/s, km/h or mph; for counts veh/h or veh/interval; for air ug/m3, mg/m3, and for gases ppb, ppm.
    step_s : float
        Length of an interval, s.
    temperature_c : float
        Of the air in which ppb and ppm are counted, at one atmosphere, by the ideal gas law.

    Raises
    ------
    InputError
        If the quantity has no such unit.
    """
    plain = re.sub(r"[\s^()]", "", unit.strip().lower()).replace("µ", "u").replace("μ", "u").replace("ug.m-3", "ug/m3")
    plain = plain.replace("ug/m³", "ug/m3").replace("mg/m³", "mg/m3").replace("mg.m-3", "mg/m3")
    if quantity == "speed_mps":
        table = SPEEDS
    elif quantity in ("flow_veh_per_h", "pedestrians_per_h"):
        per_step = SECONDS_PER_HOUR / step_s
        table = dict.fromkeys(("veh/h", "1/h", "vph", "people/h"), 1.0)
        table |= dict.fromkeys(("veh/interval", "veh/step", "1/interval", "veh", "count"), per_step)
        minutes = re.fullmatch(r"(?:veh|1)/(\d+)min", plain)
        if minutes:
            table[plain] = 60.0 / max(1, int(minutes[1]))
    elif quantity == "occupancy_share":
        table = {"1": 1.0, "share": 1.0, "%": 0.01, "percent": 0.01}
    else:
        table = {"ug/m3": 1.0, "mg/m3": 1000.0}
        gas = quantity.removesuffix("_ug_per_m3")
        if gas in MOLAR_MASS_G:
            if not -60.0 <= temperature_c <= 60.0:
                raise InputError(f"temperature_c={temperature_c:g}: allowed are -60 to 60 C")
            litres = _R * (_ZERO_C_K + temperature_c) / _ATM_PA * 1000.0
            ppb = MOLAR_MASS_G[gas] / litres
            table |= {"ppb": ppb, "ppm": 1000.0 * ppb}
    if plain not in table:
        raise InputError(f"unit {unit!r} of '{quantity}' is unknown; allowed: {', '.join(table)}")
    return float(table[plain])
