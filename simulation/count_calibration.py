"""Demand calibrated to link counts: assign, compare, estimate, assign again.

Read `hourly_flows` (what links carry, and by which routes), `route_use` (proportions as a map and its transpose),
`demand.count_trust` (how far counts are trusted), `demand.estimation` (one estimate), `demand.count_fit` (GEH and
RMSE), then this loop. Each round takes the flows of the
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
from simulation.demand.count_trust import FOLDS, best_factor, corridors, folds_of
from simulation.demand.estimation import OdEstimate, common_factor, estimate_od
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
#: Share of the counted links that a first calibration leaves out, to see whether it helps where it has not looked.
GUARD_SHARE = 0.25
#: Links that such a check needs at least; assumption.
FEWEST_GUARDS = 3
#: Counts x pairs up to which the proportions are written out (0.4 GB), and counts are weighed by cross-validation.
MATRIX_CELLS = 50_000_000
_ROUNDS = ["round", "stage", "rmse_veh_per_h", "factor", "trust", "at_bound", "iterations"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibrated:
    """Demand that fits counts, with the report.

    Attributes
    ----------
    demand : DemandSpec
        The prior's, bit for bit, where nothing was taken.
    taken : bool
        Whether the calibration helped on counted links that it had not seen, and on all of them in the end.
    verdict : str
        Why, with numbers.
    quality : DataFrame
        `stage` ("prior", "calibrated"), `scope` ("counted", "held_out", each also "..., 300 veh/h and more"), and the
        measures of `fit_quality`. Both stages are assigned anew, with luck that the calibration has not seen.
    links : DataFrame
        One row a count: `link_id`, `hour`, `counted_veh_per_h`, `held_out`, `prior_veh_per_h`,
        `calibrated_veh_per_h`, `prior_geh`, `calibrated_geh`.
    rounds : DataFrame
        `round`, `stage` ("guarded": without the counts that check, then "all"), `rmse_veh_per_h` of the counts used at
        its beginning, `factor` on all demand, `trust` (factor on the errors of counts by `demand.count_trust`; `inf`:
        the prior), `at_bound`, `iterations`.
    """

    demand: DemandSpec
    taken: bool
    verdict: str
    quality: pd.DataFrame
    links: pd.DataFrame
    rounds: pd.DataFrame


def calibrate_demand(
    city: City,
    counts: pd.DataFrame,
    *,
    assignment: str = "dynamic",
    rounds: int = ROUNDS,
    days: int = 10,
    check_days: int | None = None,
    prior_cv: float = PRIOR_CV,
    count_cv: float = COUNT_CV,
    count_days: float = 1.0,
    bounds: tuple[float, float] = BOUNDS,
    fit_level: bool = False,
    hold_out: float = 0.0,
    guard_share: float = GUARD_SHARE,
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
        Assignments and estimates with the counts that check left out; then half as many with all counts.
    days : int
        Weekdays that are simulated each round; with few, the luck of congested days is taken for demand.
    check_days : int, optional
        Weekdays of the check of the prior and of the result; default `days`.
    prior_cv, count_cv : float
        Errors of a pair of the prior and of a count, as shares. To the variance (count_cv x count)^2 come 1 veh/h
        and what varies from day to day in the simulated days, over `count_days` and over `days`; then the factor that
        cross-validation finds (`demand.count_trust`).
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
    guard_share : float
        Share of the counted links that a first calibration leaves out, whole corridors at a time. Where it does not
        help on them it is not taken, and the prior stays; where it does, all counts are used. 0: no such check.
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
    _check_options(assignment, rounds, days, hold_out, guard_share, count_days, count_cv)
    tell = progress or (lambda done, total, message: None)
    held = _held_out(table, hold_out, seed)
    if held.all():
        raise DemandError("every count is held out; leave some for the calibration")
    link, hour = table["link_id"].to_numpy(), table["hour"].to_numpy()
    counted, prior = table["veh_per_h"].to_numpy(float), city.demand.od_veh
    again = (rounds + 1) // 2
    tell(0, rounds + again + 3, "the prior")

    def assign(od_veh: np.ndarray, luck: int, count: int) -> HourlyFlows:
        changed = with_demand(city, od_veh)
        if assignment == "static":
            return assigned_flows(changed, np.unique(hour).tolist())
        return simulated_flows(changed, np.unique(hour).tolist(), days=count, seed=luck)

    first = assign(prior, seed + 1000, check_days or days)
    sd = np.sqrt(first.variance_at(link, hour, count_days) + 1.0 + (count_cv * counted) ** 2)

    def fit(used: np.ndarray, start: np.ndarray, count: int, luck: int, stage: str) -> np.ndarray:
        """Rounds of assignment and estimate with some of the counts."""
        od = start
        for done in range(count):
            flows = assign(od, luck + done, days)
            now = fit_quality(flows.at(link, hour)[used], counted[used])
            found, trust, factor = _estimate(
                city, flows, link[used], hour[used], counted[used], od, prior_cv=prior_cv, count_cv=count_cv,
                count_days=count_days, bounds=bounds, fit_level=fit_level, seed=seed,
            )  # fmt: skip
            od = found.od_veh if done == 0 else od + (found.od_veh - od) / done  # averaged: flows carry noise
            rows.append((len(rows) + 1, stage, now["rmse_veh_per_h"], factor, trust, found.at_bound, found.iterations))
            tell(len(rows), rounds + again + 3, f"{stage}, round {done + 1} of {count}")
        return od

    def misfit(flows: HourlyFlows, rows: np.ndarray) -> float:
        return float(np.mean(np.square((flows.at(link, hour) - counted) / sd)[rows]))

    rows: list[tuple[int, str, float, float, float, int, int]] = []
    guard = np.zeros_like(held)
    if guard_share > 0:
        guard[~held] = _guards(RouteUse(city.demand, city.turn_index(), first.trees, link[~held], hour[~held]), prior,
                               guard_share, seed)  # fmt: skip
    od, last, verdict = prior, first, ""
    if guard.any():
        od = fit(~held & ~guard, prior, rounds, seed + 1, "guarded")
        trial = assign(od, seed + 1000, check_days or days)
        was, became = misfit(first, guard), misfit(trial, guard)
        verdict = (
            f"on {np.unique(link[guard]).size} counted links left out of a first calibration the mean square error,"
            f" in units of a count's variance, went from {was:.3g} to {became:.3g}"
        )
        taken = became < was
        last = trial
    else:
        verdict, taken = "too few counted links to leave some out as a check", True
    if taken:
        od = fit(~held, od, again if guard.any() else rounds, seed + 1 + rounds, "all")
        last = assign(od, seed + 1000, check_days or days)
        taken = misfit(last, ~held) < misfit(first, ~held)
        verdict += "" if taken else "; with all counts the streets fit the counts no better than before"
    if not taken:
        od, last, verdict = prior, first, f"not taken, the prior stays: {verdict}"
    tell(rounds + again + 3, rounds + again + 3, "done")
    before, after = first.at(link, hour), last.at(link, hour)
    links = table[["link_id", "hour", "veh_per_h"]].rename(columns={"veh_per_h": "counted_veh_per_h"}).assign(
        held_out=held, prior_veh_per_h=before, calibrated_veh_per_h=after, prior_geh=geh(before, counted),
        calibrated_geh=geh(after, counted),
    )  # fmt: skip
    return Calibrated(
        demand=replace(city.demand, od_veh=od),
        taken=taken,
        verdict=verdict,
        quality=quality_table(links),
        links=links,
        rounds=pd.DataFrame(rows, columns=_ROUNDS),
    )


def _estimate(
    city: City,
    flows: HourlyFlows,
    link: np.ndarray,
    hour: np.ndarray,
    counted: np.ndarray,
    start: np.ndarray,
    *,
    prior_cv: float,
    count_cv: float,
    count_days: float,
    bounds: tuple[float, float],
    fit_level: bool,
    seed: int,
) -> tuple[OdEstimate, float, float]:
    """One estimate from flows assigned: the matrix, the factor on the errors of counts, the factor on all demand."""
    prior = city.demand.od_veh
    use = RouteUse(city.demand, city.turn_index(), flows.trees, link, hour)
    response, offset = flows.linear_at(link, hour)
    sd = np.sqrt(flows.variance_at(link, hour, count_days) + 1.0 + (count_cv * counted) ** 2)
    trust, factor = 1.0, 1.0
    if counted.size * prior.size > MATRIX_CELLS:
        ahead: Callable[[np.ndarray], np.ndarray] = lambda od: response * use.flows(od)  # noqa: E731
        back: Callable[[np.ndarray], np.ndarray] = lambda weight: use.pull(response * weight)  # noqa: E731
    else:
        matrix = response[:, None] * use.matrix()
        ahead = lambda od: matrix @ od.ravel()  # noqa: E731
        back = lambda weight: (weight @ matrix).reshape(prior.shape)  # noqa: E731
    if fit_level:
        factor = common_factor(ahead(prior), counted, sd, offset=offset)
    if counted.size * prior.size <= MATRIX_CELLS:
        error = prior_cv * factor * prior.ravel()
        fold = folds_of(corridors(matrix, error, link), FOLDS, seed=seed)
        trust, _ = best_factor(matrix, error, counted - ahead(prior * factor) - offset, sd, fold)
    # errors without bound are errors that leave the prior as it is
    found = estimate_od(
        prior * factor, counted, sd * min(trust, 1e6), ahead, back, offset=offset, prior_cv=prior_cv, bounds=bounds,
        start_veh=start,
    )  # fmt: skip
    return found, trust, factor


def _guards(use: RouteUse, prior: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Counts to be left out as a check: about a share of the links, whole corridors at a time. bool, shape (m,).

    None where fewer than `FEWEST_GUARDS` links would be left out or fewer than as many would remain.
    """
    links = np.unique(use.link).size
    none = np.zeros(use.link.size, dtype=bool)
    if min(share, 1 - share) * links < FEWEST_GUARDS:
        return none
    group = corridors(use.matrix(), prior.ravel(), use.link) if use.link.size * prior.size <= MATRIX_CELLS else use.link
    chosen = folds_of(group, max(round(1 / share), 2), seed=seed) == 0
    left = np.unique(use.link[chosen]).size
    return chosen if FEWEST_GUARDS <= left <= links - FEWEST_GUARDS else none


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


def _check_options(
    assignment: str, rounds: int, days: int, hold_out: float, guard_share: float, count_days: float, cv: float
) -> None:
    faults = []
    if assignment not in ASSIGNMENTS:
        faults.append(f"assignment={assignment!r}; allowed are {ASSIGNMENTS}")
    if rounds < 1 or days < 1:
        faults.append(f"rounds={rounds} and days={days} must be at least 1")
    if not 0 <= hold_out < 1:
        faults.append(f"hold_out={hold_out!r} must be at least 0 and below 1")
    if not 0 <= guard_share <= 0.5:
        faults.append(f"guard_share={guard_share!r} must be from 0 (no check) to 0.5")
    if not count_days > 0:
        faults.append(f"count_days={count_days!r} must be above 0")
    if not (np.isfinite(cv) and cv >= 0):
        faults.append(f"count_cv={cv!r} must be at least 0")
    if faults:
        raise DemandError("no calibration: " + "; ".join(faults))
