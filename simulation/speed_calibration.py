"""Demand calibrated to measured speeds, and to counts where there are some: how much of it drives, part by part.

A speed says little of a single pair of places and much of how full the streets are. So whole parts of the matrix
(inbound, outbound, through and internal trips, by district) get one factor each, found by Gauss-Newton steps on the
living city itself, with derivatives by differences: simulation-based calibration as in Antoniou, Ben-Akiva and
Koutsopoulos (2007, doi:10.1109/TITS.2007.908569). The runs that are compared share their luck, so that a difference
is the demand's and not chance (Glasserman and Yao 1992, doi:10.1287/mnsc.38.6.884).

Below capacity speeds hardly depend on demand: then the derivatives are near 0, and factors stay at 1 with the wide
standard deviations that they are told with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.cluster.vq import kmeans2

from simulation.count_calibration import GUARD_SHARE, checked_counts
from simulation.demand.departures import KINDS
from simulation.demand.spec import DemandSpec
from simulation.errors import DemandError
from simulation.hourly_flows import with_demand
from simulation.hourly_speeds import HourlyTraffic, simulated_traffic

if TYPE_CHECKING:
    from simulation.city import City

#: Error of the log of a part's factor before anything is measured; assumption: a level known to about a third.
LEVEL_SD = 0.3
#: Errors of an hourly mean speed and of a count, with the model's own, as shares; assumption.
SPEED_CV, COUNT_CV = 0.1, 0.05
#: From so many standard deviations on an error counts by its size and no longer by its square (Huber 1964,
#: doi:10.1214/aoms/1177703732), so that one street in a jam does not speak for all; assumption.
FAR_SD = 2.0
#: Change of a part by which derivatives are taken: small against `LEVEL_SD`, large against single vehicles; assumption.
STEP = 0.1
#: Largest change of a log factor in one round, and bounds of factors in all; assumption.
LARGEST_STEP, BOUNDS = 0.3, (0.2, 5.0)
DISTRICTS, ROUNDS, DAYS = 3, 3, 3
#: Fewest links that check a calibration, and a part of fewer trips than this share of all goes with the others.
FEWEST_GUARDS, LEAST_PART = 3, 0.01


@dataclass(frozen=True, eq=False, kw_only=True)
class SpeedCalibrated:
    """Demand that fits speeds, with the report.

    Attributes
    ----------
    demand : DemandSpec
        The prior's, bit for bit, where nothing was taken.
    taken : bool
        Whether speeds came nearer on links left out, and on all in the end, with luck that was not seen before.
    verdict : str
        Why, with numbers.
    factors : DataFrame
        `kind`, `district` ("" where a kind is whole), `trips_veh` (a weekday, of the prior), `factor`, `log_sd`
        (standard deviation of its log, given what was measured; `LEVEL_SD` where it told nothing).
    links : DataFrame
        One row a speed: `link_id`, `hour`, `measured_mps`, `held_out`, `prior_mps`, `calibrated_mps` (nan where nobody
        drove).
    quality : DataFrame
        `stage` ("prior", "calibrated"), `scope` ("used", "held_out"), `n`, `rmse_mps`, `bias_mps`.
    rounds : DataFrame
        `round`, `stage`, `misfit` (mean Huber loss, in units of the errors' variances) at its beginning, `share` of
        the step that was taken.
    """

    demand: DemandSpec
    taken: bool
    verdict: str
    factors: pd.DataFrame
    links: pd.DataFrame
    quality: pd.DataFrame
    rounds: pd.DataFrame


def calibrate_to_speeds(
    city: City,
    speeds: pd.DataFrame,
    counts: pd.DataFrame | None = None,
    *,
    districts: int = DISTRICTS,
    rounds: int = ROUNDS,
    days: int = DAYS,
    level_sd: float = LEVEL_SD,
    speed_cv: float = SPEED_CV,
    hold_out: float = 0.0,
    guard_share: float = GUARD_SHARE,
    seed: int = 1,
    progress: Callable[[int, int, str], Any] | None = None,
) -> SpeedCalibrated:
    """Change how many trips each part of a city's demand has so that its streets are as slow as measured.

    Parameters
    ----------
    city : City
        Its demand is the prior.
    speeds : DataFrame
        `link_id`, `hour` (local, 0 to 23, of a mean weekday), `speed_mps` (space mean), above 0; once a link and hour.
    counts : DataFrame, optional
        `link_id`, `hour`, `veh_per_h`, as `calibrate_demand` takes them; fitted together with the speeds.
    districts : int
        Into how many the zones are grouped, by where they are.
    rounds, days : int
        Gauss-Newton steps, and weekdays simulated for each.
    level_sd, speed_cv : float
        Errors of a part's log factor and of a speed (as a share), above 0.
    hold_out, guard_share : float
        Shares of the measured links: that the calibration never sees, and that a first calibration leaves out to see
        whether it helps on them.
    seed : int
    progress : callable, optional
        Called with (steps done, steps in all, message).

    Raises
    ------
    DemandError
        Naming every fault of the tables and options.
    """
    table = checked_speeds(speeds, len(city.links))
    counted = checked_counts(counts, len(city.links)) if counts is not None else None
    _check_options(districts, rounds, days, level_sd, speed_cv, hold_out, guard_share)
    part, names = parts_of(city, districts)
    hours = sorted({*table["hour"], *(() if counted is None else counted["hour"])})
    held, guard = _left_out(table["link_id"].to_numpy(), hold_out, guard_share, seed)
    tell = progress or (lambda done, total, message: None)
    size = (rounds + (rounds + 1) // 2) * (len(names) + 1) + 3
    done = 0

    def traffic(theta: np.ndarray, luck: int) -> HourlyTraffic:
        nonlocal done
        done = min(done + 1, size)
        tell(done, size, f"run {done}")
        return simulated_traffic(with_demand(city, factored(city, part, theta)), hours, days=days, seed=luck)

    def fit(used: np.ndarray, theta: np.ndarray, count: int, luck: int, stage: str) -> tuple[np.ndarray, np.ndarray]:
        covariance = np.eye(len(names)) * level_sd**2
        for k in range(count):
            now = traffic(theta, luck + k)
            gap, sd = _gaps(now, table[used], counted, speed_cv)
            slope = np.zeros((gap.size, len(names)))
            for j in range(len(names)):
                moved = theta.copy()
                moved[j] += np.log1p(STEP)
                there, _ = _gaps(traffic(moved, luck + k), table[used], counted, speed_cv)
                slope[:, j] = np.nan_to_num((there - gap) / np.log1p(STEP)) / sd
            r = np.nan_to_num(gap / sd)
            weight = FAR_SD / np.maximum(np.abs(r), FAR_SD)
            covariance = np.asarray(np.linalg.inv((slope.T * weight) @ slope + np.eye(len(names)) / level_sd**2))
            step = np.clip(-covariance @ (slope.T @ (weight * r) + theta / level_sd**2), -LARGEST_STEP, LARGEST_STEP)
            was, share = _misfit(gap, sd), 0.0
            best = was + float(theta @ theta) / level_sd**2 / gap.size
            for tried in (1.0, 0.5, 0.25):
                aim = np.clip(theta + tried * step, *np.log(BOUNDS))
                new, _ = _gaps(traffic(aim, luck + k), table[used], counted, speed_cv)
                if _misfit(new, sd) + float(aim @ aim) / level_sd**2 / gap.size < best:
                    theta, share = aim, tried
                    break
            rows.append((len(rows) + 1, stage, was, share))
        return theta, covariance

    rows: list[tuple[int, str, float, float]] = []
    still, unseen = np.zeros(len(names)), seed + 1000
    first = traffic(still, unseen)
    found: list[tuple[np.ndarray, np.ndarray, HourlyTraffic]] = []
    verdict, taken = "too few links to leave some out as a check", True
    if guard.any():
        theta, covariance = fit(~held & ~guard, still, rounds, seed + 1, "guarded")
        found.append((theta, covariance, traffic(theta, unseen)))
        was, became = (_of(t, table[guard], speed_cv) for t in (first, found[0][2]))
        taken = became < was
        verdict = (
            f"on {table.loc[guard, 'link_id'].nunique()} links left out of a first calibration the error of log pace"
            f" (mean Huber loss in units of its variance) went from {was:.3g} to {became:.3g}"
        )
    if taken:
        start, count = (found[0][0], (rounds + 1) // 2) if found else (still, rounds)
        theta, covariance = fit(~held, start, count, seed + 1 + rounds, "all")
        found.append((theta, covariance, traffic(theta, unseen)))
        theta, covariance, last = min(found, key=lambda one: _of(one[2], table[~held], speed_cv))
        taken = _of(last, table[~held], speed_cv) < _of(first, table[~held], speed_cv)
        verdict += "" if taken else "; with all speeds the streets fit no better than before"
    if not taken:
        theta, covariance, last = still, np.eye(len(names)) * level_sd**2, first
        verdict = f"not taken, the prior stays: {verdict}"
    tell(size, size, "done")
    links = _links(table, held, first, last)
    trips = np.bincount(part.ravel(), weights=city.demand.od_veh.ravel(), minlength=len(names))
    factors = pd.DataFrame(names, columns=["kind", "district"]).assign(
        trips_veh=trips, factor=np.exp(theta), log_sd=np.sqrt(np.diag(covariance))
    )
    demand = replace(city.demand, od_veh=factored(city, part, theta)) if taken else city.demand
    return SpeedCalibrated(
        demand=demand, taken=taken, verdict=verdict, factors=factors, links=links, quality=_quality(links),
        rounds=pd.DataFrame(rows, columns=["round", "stage", "misfit", "share"]),
    )  # fmt: skip


def parts_of(city: City, districts: int = DISTRICTS) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Part of each pair of places, and what the parts are.

    Trips belong to the district of their zone (of the origin, where both ends are zones); through trips are one part,
    and so is a kind with few trips.

    Returns
    -------
    part : ndarray of int64, shape (P, P)
    names : list of (kind, district)
        District "D1", "D2", ..., or "" where a kind is whole.
    """
    demand = city.demand
    district = _districts(city, districts)
    zone = np.full(len(demand.places), -1, dtype=np.int64)
    zone[: demand.n_zones] = district
    where = np.where(zone[:, None] >= 0, zone[:, None], zone[None, :])
    part = np.zeros(demand.kind.shape, dtype=np.int64)
    names: list[tuple[str, str]] = []
    total = demand.od_veh.sum()
    for k, kind in enumerate(KINDS):
        mine = demand.kind == k
        groups = [mine & (where == d) for d in range(int(district.max()) + 1)]
        if kind == "through" or min(float(demand.od_veh[g].sum()) for g in groups) < LEAST_PART * total:
            if demand.od_veh[mine].sum() > 0 or not names:
                part[mine] = len(names)
                names.append((kind, ""))
            continue
        for d, group in enumerate(groups):
            part[group] = len(names)
            names.append((kind, f"D{d + 1}"))
    return part, names


def factored(city: City, part: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The city's matrix, vehicles a weekday, with the factors `exp(theta)` on its parts. Shape (P, P)."""
    return np.asarray(city.demand.od_veh * np.exp(theta)[part])


def checked_speeds(speeds: pd.DataFrame, n_links: int) -> pd.DataFrame:
    """Speeds in order of link and hour: `link_id`, `hour` (int64), `speed_mps` (float64).

    Raises
    ------
    DemandError
        Naming every fault.
    """
    if "speed_mps" not in speeds:
        raise DemandError(f"speeds lack the column 'speed_mps'; they need link_id, hour, speed_mps; found {[*speeds]}")
    if not (pd.to_numeric(speeds["speed_mps"], errors="coerce") > 0).all():
        raise DemandError("every speed_mps must be a number above 0; leave out hours in which nothing was measured")
    names = {"speed_mps": "veh_per_h"}  # the same checks of links, hours and numbers
    table = checked_counts(speeds[["link_id", "hour", "speed_mps"]].rename(columns=names), n_links)
    return table.rename(columns={"veh_per_h": "speed_mps"}).drop(columns="held_out")


def _districts(city: City, count: int) -> np.ndarray:
    """District of each zone, by k-means of their middles; numbered in the order of zones. int64, shape (Z,)."""
    place = city.zones[["x_m", "y_m"]].to_numpy(float)
    _, label = kmeans2(place, min(count, len(place)), minit="++", rng=np.random.default_rng(0))
    _, first = np.unique(label, return_index=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[np.unique(label, return_inverse=True)[1]], dtype=np.int64)


def _gaps(
    now: HourlyTraffic, table: pd.DataFrame, counted: pd.DataFrame | None, speed_cv: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logs of modelled over measured paces, then modelled less measured flows (veh/h), and their standard deviations.

    nan where nobody drove. The log of a pace keeps a street in a jam from outweighing all others.
    """
    link, hour = table["link_id"].to_numpy(), table["hour"].to_numpy()
    days, pace = now.inflow_veh.shape[0], now.pace_s_per_m(link, hour)
    gap = np.log(pace * table["speed_mps"].to_numpy())
    sd = np.sqrt(speed_cv**2 + now.pace_variance(link, hour) / np.square(np.nan_to_num(pace, nan=1.0)) / days)
    if counted is None:
        return gap, sd
    flow = counted["veh_per_h"].to_numpy()
    model = now.flow_veh_per_h(counted["link_id"].to_numpy(), counted["hour"].to_numpy())
    chance = np.sqrt((COUNT_CV * flow) ** 2 + np.maximum(flow, 1.0) * (1.0 + 1.0 / days))
    return np.concatenate([gap, model - flow]), np.concatenate([sd, chance])


def _misfit(gap: np.ndarray, sd: np.ndarray) -> float:
    """Mean of Huber's function of gaps in units of their errors, twice (so a square where it is small)."""
    told = np.isfinite(gap)
    far = np.abs(gap[told] / sd[told])
    each = np.where(far <= FAR_SD, far**2, FAR_SD * (2.0 * far - FAR_SD))
    return float(each.mean()) if told.any() else float("inf")


def _of(now: HourlyTraffic, table: pd.DataFrame, speed_cv: float) -> float:
    """Misfit of speeds alone, with the same errors whatever the demand."""
    gap, _ = _gaps(now, table, None, speed_cv)
    return _misfit(gap, np.full(gap.shape, speed_cv))


def _left_out(link: np.ndarray, hold_out: float, guard_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of links never seen, and of those that check a first calibration. bool, shape (m,) each."""
    links = np.random.default_rng([seed, 5]).permutation(np.unique(link))
    unseen = round(hold_out * links.size)
    guards = round(guard_share * (links.size - unseen))
    if guards < FEWEST_GUARDS or links.size - unseen - guards < FEWEST_GUARDS:
        guards = 0
    return np.isin(link, links[:unseen]), np.isin(link, links[unseen : unseen + guards])


def _links(table: pd.DataFrame, held: np.ndarray, first: HourlyTraffic, last: HourlyTraffic) -> pd.DataFrame:
    link, hour = table["link_id"].to_numpy(), table["hour"].to_numpy()
    return table.rename(columns={"speed_mps": "measured_mps"}).assign(
        held_out=held,
        prior_mps=1.0 / first.pace_s_per_m(link, hour),
        calibrated_mps=1.0 / last.pace_s_per_m(link, hour),
    )


def _quality(links: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for stage in ("prior", "calibrated"):
        for scope, mine in (("used", ~links["held_out"]), ("held_out", links["held_out"])):
            off = (links[f"{stage}_mps"] - links["measured_mps"])[mine].dropna()
            rmse = float(np.sqrt(np.mean(off**2))) if len(off) else float("nan")
            rows.append(
                {"stage": stage, "scope": scope, "n": len(off), "rmse_mps": rmse, "bias_mps": float(off.mean())}
            )
    return pd.DataFrame(rows)


def _check_options(
    districts: int, rounds: int, days: int, level_sd: float, speed_cv: float, hold_out: float, guard_share: float
) -> None:
    faults = [f"{name}={value} must be at least 1" for name, value in
              (("districts", districts), ("rounds", rounds), ("days", days)) if value < 1]  # fmt: skip
    faults += [
        f"{name}={value!r} must be above 0"
        for name, value in (("level_sd", level_sd), ("speed_cv", speed_cv))
        if not (np.isfinite(value) and value > 0)
    ]
    if not 0 <= hold_out < 1:
        faults.append(f"hold_out={hold_out!r} must be at least 0 and below 1")
    if not 0 <= guard_share <= 0.5:
        faults.append(f"guard_share={guard_share!r} must be from 0 (no check) to 0.5")
    if faults:
        raise DemandError("no calibration to speeds: " + "; ".join(faults))
