"""Demand calibrated to link counts: assign, compare, estimate, assign again.

Read `hourly_flows` (what links carry, and by which routes), `route_use` (proportions as a map and its transpose),
`demand.estimation` (one estimate), `demand.count_fit` (GEH and RMSE), then this loop. Each round takes the flows of the
assignment at the present demand as they are and the routes for how they change with it, so that in the end it is the
assigned flows, not those of the routes' proportions, that fit the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simulation.demand.count_fit import fit_quality, geh
from simulation.demand.estimation import common_factor, estimate_od
from simulation.demand.spec import DemandSpec
from simulation.errors import DemandError
from simulation.hourly_flows import HourlyFlows, assigned_flows, simulated_flows, with_demand
from simulation.route_use import RouteUse

if TYPE_CHECKING:
    from simulation.city import City

ASSIGNMENTS = ("dynamic", "static")
#: Error of a prior pair, as a share of it; assumption: what is known of a matrix from a model or an old survey.
PRIOR_CV = 0.3
#: Error of an hourly count and of the assignment that predicts it, beside what varies from day to day; assumption:
#: detectors miss a few percent, and no assignment is exact.
COUNT_CV = 0.05
#: Bounds of a pair's trips as shares of its prior; assumption.
BOUNDS = (0.1, 5.0)
ROUNDS = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibrated:
    """Demand that fits counts, with the report.

    Attributes
    ----------
    demand : DemandSpec
    quality : DataFrame
        `stage` ("prior", "calibrated"), `scope` ("counted", "held_out", each also "..., 300 veh/h and more"), and the
        measures of `fit_quality`. Both stages are assigned anew, with luck that the calibration has not seen.
    links : DataFrame
        One row a count: `link_id`, `hour`, `counted_veh_per_h`, `held_out`, `prior_veh_per_h`,
        `calibrated_veh_per_h`, `prior_geh`, `calibrated_geh`.
    rounds : DataFrame
        `round`, `rmse_veh_per_h` of the counts used at its beginning, `factor` on all demand, `at_bound`, `iterations`.
    """

    demand: DemandSpec
    quality: pd.DataFrame
    links: pd.DataFrame
    rounds: pd.DataFrame


def calibrate_demand(
    city: City,
    counts: pd.DataFrame,
    *,
    assignment: str = "dynamic",
    rounds: int = ROUNDS,
    days: int = 3,
    check_days: int | None = None,
    prior_cv: float = PRIOR_CV,
    count_cv: float = COUNT_CV,
    count_days: float = 1.0,
    bounds: tuple[float, float] = BOUNDS,
    fit_level: bool = False,
    hold_out: float = 0.0,
    seed: int = 1,
    progress: Callable[[int, int, str], Any] | None = None,
) -> Calibrated:
    """Change a city's OD matrix so that the streets carry what was counted.

    Parameters
    ----------
    city : City
        Its demand is the prior: the pairs, when they depart, where they start and end.
    counts : DataFrame
        `link_id`, `hour` (local hour of day, 0 to 23, of a mean weekday), `veh_per_h`; one row a link and hour. A
        column `held_out` (bool), where there is one, names the rows that the calibration must not see.
    assignment : str
        "dynamic" (the living city, `simulated_flows`) or "static" (`assigned_flows`, cheaper, without queues).
    rounds : int
        Assignments and estimates.
    days : int
        Weekdays that are simulated each round; more give smoother flows.
    check_days : int, optional
        Weekdays of the check of the prior and of the result; default `days`.
    prior_cv, count_cv : float
        Errors of a pair of the prior and of a count, as shares. To the variance (count_cv x count)^2 come 1 veh/h
        and what varies from day to day in the simulated days, over `count_days` and over `days`.
    count_days : float
        Days that each count is the mean of.
    bounds : tuple of float
        Smallest and largest trips of a pair as shares of the prior.
    fit_level : bool
        Whether all of the demand is first multiplied by one factor, which is not held against the prior: for a prior
        whose sum is a guess. The bounds then count from the prior with that factor.
    hold_out : float
        Share of the counted links that the calibration does not see, drawn by the seed; they tell how well it does
        where nobody counts. 0 where `counts` names them.
    seed : int
    progress : callable, optional
        Called with (rounds done, rounds in all, message).

    Returns
    -------
    Calibrated

    Raises
    ------
    DemandError
        Naming every fault of the counts and of the options.
    """
    table = checked_counts(counts, len(city.links))
    _check_options(assignment, rounds, days, hold_out, count_days, count_cv)
    tell = progress or (lambda done, total, message: None)
    held = _held_out(table, hold_out, seed)
    if held.all():
        raise DemandError("every count is held out; leave some for the calibration")
    link, hour = table["link_id"].to_numpy(), table["hour"].to_numpy()
    counted = table["veh_per_h"].to_numpy(float)
    used = ~held

    def assign(od_veh: np.ndarray, luck: int, count: int = days) -> HourlyFlows:
        changed = with_demand(city, od_veh)
        if assignment == "static":
            return assigned_flows(changed, np.unique(hour).tolist())
        return simulated_flows(changed, np.unique(hour).tolist(), days=count, seed=luck)

    prior = od = city.demand.od_veh
    factor = 1.0
    rows: list[tuple[int, float, float, int, int]] = []
    for done in range(rounds):
        tell(done, rounds + 1, f"round {done + 1} of {rounds}")
        flows = assign(od, seed + 1 + done)
        now = fit_quality(flows.at(link, hour)[used], counted[used])
        use = RouteUse(city.demand, city.turn_index(), flows.trees, link[used], hour[used])
        response, offset = flows.linear_at(link, hour)
        # what a bottleneck holds back is known no better than the prior
        own = (count_cv * counted) ** 2 + ((1.0 - response) * prior_cv * counted) ** 2
        sd = np.sqrt((flows.variance_at(link, hour, count_days) + 1.0 + own)[used])
        response, offset = response[used], offset[used]
        if fit_level:
            factor = common_factor(response * use.flows(prior), counted[used], sd, offset=offset)
        found = estimate_od(
            prior * factor, counted[used], sd, _times(response, use.flows), _after(response, use.pull),
            offset=offset, prior_cv=prior_cv, bounds=bounds, start_veh=od,
        )  # fmt: skip
        od = found.od_veh if done == 0 else od + (found.od_veh - od) / done  # averaged: dynamic flows carry noise
        rows.append((done + 1, now["rmse_veh_per_h"], factor, found.at_bound, found.iterations))
    tell(rounds, rounds + 1, "checking")
    before, after = (assign(x, seed + 1000, check_days or days).at(link, hour) for x in (prior, od))
    links = table[["link_id", "hour", "veh_per_h"]].rename(columns={"veh_per_h": "counted_veh_per_h"}).assign(
        held_out=held, prior_veh_per_h=before, calibrated_veh_per_h=after, prior_geh=geh(before, counted),
        calibrated_geh=geh(after, counted),
    )  # fmt: skip
    return Calibrated(
        demand=replace(city.demand, od_veh=od), quality=quality_table(links), links=links,
        rounds=pd.DataFrame(rows, columns=["round", "rmse_veh_per_h", "factor", "at_bound", "iterations"]),
    )  # fmt: skip


def _times(response: np.ndarray, flows: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda od_veh: response * flows(od_veh)


def _after(response: np.ndarray, pull: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weight: pull(response * weight)


def quality_table(links: pd.DataFrame, *, at_least_veh_per_h: float = 300.0) -> pd.DataFrame:
    """Measures of fit of `Calibrated.links` by stage and scope, over all counts and over the large ones."""
    rows = []
    large = links["counted_veh_per_h"] >= at_least_veh_per_h
    for stage in ("prior", "calibrated"):
        for scope, mine in (("counted", ~links["held_out"]), ("held_out", links["held_out"])):
            for name, chosen in ((scope, mine), (f"{scope}, {at_least_veh_per_h:g} veh/h and more", mine & large)):
                part = links[chosen]
                quality = fit_quality(part[f"{stage}_veh_per_h"].to_numpy(), part["counted_veh_per_h"].to_numpy())
                rows.append({"stage": stage, "scope": name, **quality})
    return pd.DataFrame(rows)


def checked_counts(counts: pd.DataFrame, n_links: int) -> pd.DataFrame:
    """Counts in order of link and hour: `link_id`, `hour` (int64), `veh_per_h` (float64), `held_out` (bool).

    Raises
    ------
    DemandError
        Naming every fault.
    """
    missing = [name for name in ("link_id", "hour", "veh_per_h") if name not in counts]
    if missing:
        raise DemandError(f"counts lack column(s) {missing}; they need link_id, hour and veh_per_h; found {[*counts]}")
    if counts.empty:
        raise DemandError("counts have no row; one link and hour at least is needed")
    numbers = {name: pd.to_numeric(counts[name], errors="coerce") for name in ("link_id", "hour", "veh_per_h")}
    faults = []
    for name, high in (("link_id", n_links - 1), ("hour", 23), ("veh_per_h", np.inf)):
        value = numbers[name].to_numpy(float)
        bad = ~(np.isfinite(value) & (value >= 0) & (value <= high))
        bad |= (value != np.floor(value)) if name != "veh_per_h" else np.zeros_like(bad)
        if bad.any():
            upto = "a number of at least 0" if name == "veh_per_h" else f"a whole number from 0 to {high:g}"
            shown = counts[name][bad].head(5).tolist()
            faults.append(f"{name} must be {upto}; found {shown} ({bad.sum()} such rows)")
    table = pd.DataFrame(numbers).assign(held_out=counts.get("held_out", False))
    if not pd.api.types.is_bool_dtype(table["held_out"]) or table["held_out"].isna().any():
        faults.append(f"held_out must be true or false; found dtype {table['held_out'].dtype}")
    twice = table.duplicated(["link_id", "hour"])
    if twice.any():
        shown = table.loc[twice, ["link_id", "hour"]].head(5).to_numpy().tolist()
        faults.append(f"{twice.sum()} link(s) and hour(s) come twice, e.g. {shown}; give their mean once")
    if faults:
        raise DemandError("the counts cannot be used: " + "; ".join(faults))
    table = table.astype({"link_id": "int64", "hour": "int64", "veh_per_h": "float64"})
    return table.sort_values(["link_id", "hour"], ignore_index=True)


def _held_out(table: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """Rows of links that are kept from the calibration. bool, shape (m,)."""
    if table["held_out"].any():
        return table["held_out"].to_numpy()
    links = np.unique(table["link_id"].to_numpy())
    count = round(share * links.size)
    chosen = np.random.default_rng([seed, 5]).permutation(links)[:count]
    return np.isin(table["link_id"].to_numpy(), chosen)


def _check_options(assignment: str, rounds: int, days: int, hold_out: float, count_days: float, cv: float) -> None:
    faults = []
    if assignment not in ASSIGNMENTS:
        faults.append(f"assignment={assignment!r}; allowed are {ASSIGNMENTS}")
    if rounds < 1 or days < 1:
        faults.append(f"rounds={rounds} and days={days} must be at least 1")
    if not 0 <= hold_out < 1:
        faults.append(f"hold_out={hold_out!r} must be at least 0 and below 1")
    if not count_days > 0:
        faults.append(f"count_days={count_days!r} must be above 0")
    if not (np.isfinite(cv) and cv >= 0):
        faults.append(f"count_cv={cv!r} must be at least 0")
    if faults:
        raise DemandError("no calibration: " + "; ".join(faults))
