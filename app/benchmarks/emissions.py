"""What the speed a curve is given does to emissions: `zonewise benchmark emissions [CITY] [DAYS]`.

A day of the embedded city. Four ways to use the same curves on the same vehicles are told as differences from the
first: each vehicle's own mean speed over each link, from the entry log; the histogram of these at every 5 km/h, as the
air model does; the mean speed of link and interval; and the moving and the queued part of each passage apart
(free-flow speed, then idling), which counts the stops of the curve's driving cycle twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from data.units import KMH_PER_MPS

if TYPE_CHECKING:
    from simulation.air.fleet import Fleet
    from simulation.city import City

#: Ways to use a curve; the first is the reference.
METHODS = ("each vehicle", "speed histogram", "interval mean", "moving and queued")
#: Mean speed of link and interval over free flow: from 0.7 on free, below 0.4 jammed.
CONGESTION = ("free", "slow", "jam")
_LIMITS = (0.7, 0.4)
_STEP_S = 900.0
_IDLE_KMH = 0.1
_SEED = 1


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case.

    Parameters
    ----------
    arguments : sequence of str
        A city (name or file), by default Helsinki, and the number of days as a whole number, by default 1.
    """
    from app.city_making import city_of
    from data.cities import load_city
    from zones import make_zones

    days = next((int(a) for a in arguments if a.isdigit()), 1)
    name = next((a for a in arguments if not a.isdigit()), "helsinki")
    read = load_city(name)
    zones = make_zones(read.links, read.places)
    city = city_of(read, zones)
    table, links = speed_histogram_effect(city, days=days, seed=_SEED)
    told = table[(table["method"] != METHODS[0]) & (table["quantity"].isin(["nox", "pm25", "co2", "electricity_kwh"]))]
    figures = [
        figure(f"{row.method}, {row.congestion}, {row.quantity}: more than each vehicle", row.percent, "%", seed=_SEED)
        for row in told.itertuples()
    ]
    figures += [
        figure(f"speed histogram: error of a link's {row.quantity}, {row.statistic}", row.percent, "%", seed=_SEED)
        for row in links.itertuples()
    ]
    return {"city": city.name, "days": days, "table": table.to_dict("records"), "figures": figures}


def speed_histogram_effect(
    city: City, *, days: float = 1.0, seed: int = _SEED, fleet: Fleet | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Emissions of a run by four ways to use the curves, and the histogram's error of single links.

    Parameters
    ----------
    city : City
    days : float
        Length of the run.
    seed : int
        Of the run.
    fleet : Fleet, optional
        Default the city's.

    Returns
    -------
    table : DataFrame
        `method`, `congestion` (those of `CONGESTION`, and `all`), `quantity`, `amount` (g, MJ or kWh of the vehicles
        that left a link), `percent` over `each vehicle`.
    links : DataFrame
        `quantity`, `statistic`, `percent`: the histogram's absolute error of links over the run, as the mean weighed
        by emission, the median and the 95th percentile.
    """
    from simulation.air.emissions import ENERGY, POLLUTANTS, emission_table, energy_table
    from simulation.link_state import SPEED_KNOTS_KMH
    from simulation.traffic.outputs.stays import Stays

    fleet = fleet or city.fleet
    quantities = (*POLLUTANTS, *ENERGY)

    def amounts(speed_kmh: np.ndarray) -> np.ndarray:  # (C, B, Q) per m
        both = emission_table(fleet, speed_kmh=speed_kmh), energy_table(fleet, speed_kmh=speed_kmh)
        return np.concatenate(both, axis=2)

    grid = np.geomspace(0.01, 150.0, 6000)
    fine, knots = amounts(grid), amounts(SPEED_KNOTS_KMH)
    idle = amounts(np.array([_IDLE_KMH]))[:, 0] * _IDLE_KMH / KMH_PER_MPS  # (C, Q) per s
    result = city.run(days=days, seed=seed, keep_entry_log=True)
    length = city.links["length_m"].to_numpy(dtype=float)
    free = city.links["free_flow_speed_mps"].to_numpy(dtype=float) * KMH_PER_MPS
    assert result.entry_log is not None and result.released is not None
    stays = Stays.of(result.entry_log, n_links=len(length))
    left = np.isfinite(stays.exit_s)
    link = stays.link[left]
    klass = result.released["vehicle_class"].cat.codes.to_numpy()[stays.trip[left]]
    distance, spent = length[link], np.maximum(stays.exit_s[left] - stays.entry_s[left], 1e-3)
    speed = distance / spent * KMH_PER_MPS
    mean = _interval_speed(stays, length)[(stays.exit_s[left] // _STEP_S).astype(np.int64), link]
    near = np.clip(speed, SPEED_KNOTS_KMH[0], SPEED_KNOTS_KMH[-1])
    below = np.minimum(np.searchsorted(SPEED_KNOTS_KMH, near, side="right"), len(SPEED_KNOTS_KMH) - 1) - 1
    low, high = SPEED_KNOTS_KMH[below], SPEED_KNOTS_KMH[below + 1]
    above = (1.0 / low - 1.0 / near) / (1.0 / low - 1.0 / high)
    waited = np.maximum(spent - distance / free[link] * KMH_PER_MPS, 0.0)
    share = mean / free[link]
    state = np.where(share >= _LIMITS[0], 0, np.where(share >= _LIMITS[1], 1, 2))
    rows, errors = [], []
    for number, quantity in enumerate(quantities):
        used = [np.zeros(link.size) for _ in METHODS]
        for c in range(len(fine)):
            of_class = klass == c
            curve, d = fine[c, :, number], distance[of_class]
            used[0][of_class] = d * np.interp(speed[of_class], grid, curve)
            at, up = below[of_class], above[of_class]
            used[1][of_class] = d * ((1.0 - up) * knots[c, at, number] + up * knots[c, at + 1, number])
            used[2][of_class] = d * np.interp(mean[of_class], grid, curve)
            used[3][of_class] = d * np.interp(free[link[of_class]], grid, curve) + waited[of_class] * idle[c, number]
        for congestion, chosen in (*((name, state == k) for k, name in enumerate(CONGESTION)), ("all", state >= 0)):
            reference = used[0][chosen].sum()
            for method, amount in zip(METHODS, used):
                total = float(amount[chosen].sum())
                percent = 100.0 * (total / reference - 1.0) if reference > 0 else float("nan")
                rows.append((method, congestion, quantity, total, percent))
        exact, binned = (np.bincount(link, amount, length.size) for amount in used[:2])
        off = 100.0 * np.abs(binned - exact)
        some = exact > 0
        for statistic, percent in (
            ("mean weighed by emission", off.sum() / exact.sum()),
            ("median", np.median(off[some] / exact[some])),
            ("95th percentile", np.quantile(off[some] / exact[some], 0.95)),
        ):
            errors.append((quantity, statistic, float(percent)))
    return (
        pd.DataFrame(rows, columns=["method", "congestion", "quantity", "amount", "percent"]),
        pd.DataFrame(errors, columns=["quantity", "statistic", "percent"]),
    )


def _interval_speed(stays: Any, length_m: np.ndarray) -> np.ndarray:
    """(I, L) distance over time of everybody in each interval and link, km/h; half of a link counts at either end."""
    last = float(np.max(stays.exit_s[np.isfinite(stays.exit_s)]))
    n, links = int(last // _STEP_S) + 1, length_m.size
    metres, seconds = np.zeros((n, links)), np.zeros((n, links))
    come, gone = stays.entry_s, np.minimum(stays.exit_s, n * _STEP_S)
    for at in (come, gone[np.isfinite(stays.exit_s)]):
        where = stays.link if at is come else stays.link[np.isfinite(stays.exit_s)]
        inside = at >= 0
        np.add.at(metres, ((at[inside] // _STEP_S).astype(np.int64), where[inside]), 0.5 * length_m[where[inside]])
    for k in range(n):
        here = (come < (k + 1) * _STEP_S) & (gone > k * _STEP_S)
        inside_s = np.minimum(gone[here], (k + 1) * _STEP_S) - np.maximum(come[here], k * _STEP_S)
        seconds[k] = np.bincount(stays.link[here], inside_s, links)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seconds > 0, metres / seconds * KMH_PER_MPS, np.nan)
