"""A seeded synthetic city for the models' tests: zones with a daily and weekly rhythm, moods, incidents and gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.panel import Panel

START = pd.Timestamp("2025-03-03", tz="UTC")  # a Monday


def tables(
    *, zones: int = 6, days: int = 21, step_s: int = 900, seed: int = 0, gaps: float = 0.02, air_share: float = 0.67
) -> dict[str, pd.DataFrame]:
    """`zone_state`, `zones`, `adjacency` and `weather` of a made-up city.

    Traffic follows two peaks on weekdays and one on free days, an AR(1) mood that neighbours share, and incidents that
    halve the speed for an hour; NO2 follows traffic over wind; PM2.5 drifts for days. Air is sensed in `air_share` of
    the zones; readings are missing at random and in runs.
    """
    rng = np.random.default_rng(seed)
    n = days * 86_400 // step_s
    times = pd.date_range(START, periods=n, freq=pd.Timedelta(seconds=step_s)).as_unit("us")
    hour = ((times.hour + times.minute / 60).to_numpy() + 2) % 24
    free = times.tz_convert("Europe/Helsinki").dayofweek.to_numpy() >= 5
    bump = lambda at, width: np.exp(-0.5 * ((hour - at) / width) ** 2)  # noqa: E731
    rhythm = np.where(free, 0.1 + 0.6 * bump(14, 3.5), 0.08 + 0.9 * bump(8, 1.2) + bump(16.7, 1.8) + 0.4 * bump(12, 3))
    rho = 0.97 ** (step_s / 900)
    shared, own = _ar(rng, n, 1, rho), _ar(rng, n, zones, rho)
    mood = 0.12 * (0.6 * shared + 0.8 * own)
    size = rng.uniform(300, 1200, zones)
    demand = rhythm[:, None] * (1 + mood)
    flow = size * demand + rng.normal(0, 0.04, (n, zones)) * size * np.sqrt(demand + 0.02)
    free_speed = rng.uniform(8, 14, zones)
    speed = free_speed * (1 - 0.35 * np.clip(demand, 0, 1.5) ** 2 / 1.2)
    for _ in range(days * zones // 6):
        a, z = rng.integers(0, n), rng.integers(0, zones)
        speed[a : a + max(1, 3600 // step_s), z] *= 0.5
    speed = speed + rng.normal(0, 0.35, (n, zones))
    wind = np.exp(1.1 + 0.5 * _ar(rng, n, 1, 0.99 ** (step_s / 900)))[:, 0]
    pm = np.exp(2.1 + 0.5 * _ar(rng, n, 1, 0.995 ** (step_s / 900)) + 0.1 * _ar(rng, n, zones, 0.97))
    no2 = 8 + 45 * (demand * size / 700) / (0.8 + wind[:, None]) * np.exp(0.15 * own) + rng.normal(0, 1.2, (n, zones))
    grids = {
        "speed_mps": np.clip(speed, 0.5, None), "flow_veh_per_h": np.clip(flow, 0, None),
        "no2_ug_per_m3": np.clip(no2, 0, None), "pm25_ug_per_m3": np.clip(pm, 0, None),
    }  # fmt: skip
    for k, grid in enumerate(grids.values()):
        grid[rng.random(grid.shape) < gaps] = np.nan
        for z in range(zones):
            if gaps and rng.random() < 0.5:
                a = rng.integers(0, n)
                grid[a : a + 5 * 3600 // step_s, z] = np.nan
        if k >= 2:
            grid[:, round(air_share * zones) :] = np.nan
    ids = [f"Z{z + 1:02d}" for z in range(zones)]
    state = pd.DataFrame({"zone_id": np.repeat(ids, n), "time": np.tile(times, zones)})
    state = state.assign(**{name: grid.T.ravel() for name, grid in grids.items()})
    angle = 2 * np.pi * np.arange(zones) / zones
    where = pd.DataFrame(
        {
            "zone_id": ids, "name": [f"Zone {z + 1}" for z in range(zones)], "area_m2": 2e5,
            "x_m": 800 * np.cos(angle), "y_m": 800 * np.sin(angle), "lon": 24.9 + 0.01 * np.cos(angle),
            "lat": 60.17 + 0.01 * np.sin(angle), "homes": rng.uniform(100, 2000, zones),
            "jobs": rng.uniform(100, 3000, zones), "shops": rng.uniform(0, 50, zones),
            "green_share": rng.uniform(0, 0.4, zones), "road_major_m": size * 2, "road_minor_m": 3000.0,
        }
    )  # fmt: skip
    ring = [(a, (a + d) % zones) for a in range(zones) for d in (-1, 1) if zones > 1]
    adjacency = pd.DataFrame(
        {"zone_id": [ids[a] for a, _ in ring], "neighbour_zone_id": [ids[b] for _, b in ring],
         "border_m": 300.0, "distance_m": 500.0}
    ).drop_duplicates(["zone_id", "neighbour_zone_id"])  # fmt: skip
    hours = times[:: max(1, 3600 // step_s)]
    weather = pd.DataFrame(
        {
            "time": hours, "wind_speed_mps": wind[:: max(1, 3600 // step_s)],
            "wind_dir_deg": rng.uniform(0, 360, len(hours)), "temperature_c": rng.normal(3, 4, len(hours)),
            "radiation_w_per_m2": 0.0, "cloud_share": 0.5, "mixing_height_m": 600.0, "precipitation_mm_per_h": 0.0,
        }
    )  # fmt: skip
    return {"zone_state": state, "zones": where, "adjacency": adjacency, "weather": weather}


def panel(**options: object) -> Panel:
    """The same city as a panel."""
    found = tables(**options)  # type: ignore[arg-type]
    return Panel.from_table(**found, timezone="Europe/Helsinki", country="FI")  # type: ignore[arg-type]


def _ar(rng: np.random.Generator, n: int, columns: int, rho: float) -> np.ndarray:
    """AR(1) series of unit variance, shape (n, columns)."""
    from scipy.signal import lfilter

    shocks = rng.normal(0, np.sqrt(1 - rho**2), (n, columns))
    shocks[0] /= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], shocks, axis=0)
