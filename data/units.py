"""Unit conversions, by name, so that no bare 3.6 stands in the code."""

from __future__ import annotations

MPS_PER_KMH = 1.0 / 3.6
KMH_PER_MPS = 3.6
MPS_PER_MPH = 0.44704  # international mile, 1609.344 m
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86_400.0
UG_PER_G = 1e6

#: How a stored column is shown to people: unit text, factor from the stored unit, decimals, plain name.
DISPLAY: dict[str, tuple[str, float, int, str]] = {
    "speed_mps": ("km/h", KMH_PER_MPS, 0, "Speed"),
    "flow_veh_per_h": ("veh/h", 1.0, 0, "Flow"),
    "density_veh_per_km": ("veh/km", 1.0, 1, "Density"),
    "delay_s_per_km": ("s/km", 1.0, 0, "Delay"),
    "travel_time_index": ("", 1.0, 2, "Travel time index"),
    "nox_g": ("g", 1.0, 0, "NOx emitted"),
    "pm25_g": ("g", 1.0, 1, "PM2.5 emitted"),
    "laeq_db": ("dB(A)", 1.0, 1, "Road noise at facades"),
    "pm10_g": ("g", 1.0, 1, "PM10 emitted"),
    "co2_g": ("g", 1.0, 0, "CO2 emitted"),
    "nox_ug_per_m3": ("µg/m³", 1.0, 0, "NOx"),
    "no2_ug_per_m3": ("µg/m³", 1.0, 0, "NO₂"),
    "o3_ug_per_m3": ("µg/m³", 1.0, 0, "O₃"),
    "pm25_ug_per_m3": ("µg/m³", 1.0, 1, "PM2.5"),
    "pm10_ug_per_m3": ("µg/m³", 1.0, 1, "PM10"),
    "pedestrians_per_h": ("people/h", 1.0, 0, "People on foot"),
}
