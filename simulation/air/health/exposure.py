"""Exposure: the air where people live, weighted by how many live there.

Concentrations outdoors at the home stand for what people breathe, as is usual in city assessments; where they spend
their day, and indoor air, are not looked at. Population is a zone's `population` where the table has it, else its
homes times `PERSONS_PER_HOME`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from simulation.air.errors import AirError
from simulation.air.health.series import zone_grid

#: Persons in a private household, mean of the EU in 2021 (Eurostat `lfst_hhantych`: 2.2). That every home is one
#: household is assumed; empty and second homes are not known here.
PERSONS_PER_HOME = 2.2


def population(zones: pd.DataFrame, *, persons_per_home: float = PERSONS_PER_HOME) -> pd.Series:
    """People of each zone.

    Parameters
    ----------
    zones : DataFrame
        Reads `zone_id` and `population`, if it is there, or `homes`. Where a zone's `population` is missing, its
        homes are used.
    persons_per_home : float
        Above 0.

    Returns
    -------
    Series
        Persons, by `zone_id` (as text), in the zones' order.

    Raises
    ------
    AirError
        With every fault: no column to take people from, negative, infinite or missing numbers, repeated zones.
    """
    faults = []
    if "zone_id" not in zones.columns or not {"population", "homes"} & set(zones.columns):
        raise AirError(
            f"population needs the columns 'zone_id' and 'population' or 'homes'; found {list(map(str, zones.columns))}"
        )
    if not persons_per_home > 0:
        faults.append(f"persons_per_home={persons_per_home:g} must be above 0")
    people = np.full(len(zones), np.nan)
    if "homes" in zones.columns:
        people = zones["homes"].to_numpy(dtype=float, na_value=np.nan) * (
            persons_per_home if persons_per_home > 0 else 1.0
        )
    if "population" in zones.columns:
        given = zones["population"].to_numpy(dtype=float, na_value=np.nan)
        people = np.where(np.isnan(given), people, given)
    names = zones["zone_id"].astype(str)
    for what, bad in (
        ("no number of people", np.isnan(people)),
        ("a negative or infinite number of people", (people < 0) | np.isinf(people)),
        ("more than one row", names.duplicated().to_numpy()),
    ):
        if bad.any():
            faults.append(f"{int(bad.sum())} zone(s) with {what}: {list(names[bad])[:5]}")
    if faults:
        raise AirError("population cannot be told: " + "; ".join(faults))
    return pd.Series(people, index=pd.Index(names, name="zone_id"), name="population")


def population_weighted_mean(concentration: np.ndarray, people: np.ndarray, *, min_covered: float = 0.5) -> np.ndarray:
    """`sum(P C) / sum(P)` over places.

    Parameters
    ----------
    concentration : ndarray, shape (..., R)
        Any unit; NaN where missing.
    people : ndarray, shape (R,)
        Persons.
    min_covered : float
        Share of the people whose place must have a value; below it the mean is NaN. People without a value are left
        out of both sums.

    Returns
    -------
    ndarray, shape (...)
        NaN where nobody lives.

    Raises
    ------
    AirError
        If shapes do not fit, or people are negative or missing.
    """
    values, people = _checked(concentration, people)
    known = ~np.isnan(values)
    covered = known @ people
    total = np.where(known, values, 0.0) @ people
    enough = (covered > 0) & (covered >= min_covered * people.sum())
    return np.where(enough, total / np.where(covered > 0, covered, 1.0), np.nan)


def person_hours_above(
    concentration: np.ndarray, people: np.ndarray, threshold: float | np.ndarray, *, step_s: float
) -> np.ndarray:
    """Person-hours during which a place's concentration lies above a threshold, by place; their sum is the city's.

    Parameters
    ----------
    concentration : ndarray, shape (T, R)
        Means over intervals; a missing one counts as not above.
    people : ndarray, shape (R,)
        Persons.
    threshold : float or ndarray
        Same unit; a number or one a place.
    step_s : float
        Length of an interval, s.

    Returns
    -------
    ndarray, shape (R,)
        Persons times hours.

    Raises
    ------
    AirError
        As `population_weighted_mean`; also if the step is not above 0.
    """
    values, people = _checked(concentration, people)
    if values.ndim != 2 or not step_s > 0:
        raise AirError(f"person-hours need (times, places) and a step above 0 s; found {values.shape}, {step_s:g} s")
    with np.errstate(invalid="ignore"):
        return np.count_nonzero(values > threshold, axis=0) * (step_s / 3600.0) * people


def share_of_people_above(concentration: np.ndarray, people: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Share of the people (of those whose place has a value) who live above each threshold.

    Parameters
    ----------
    concentration : ndarray, shape (R,)
        One value a place, e.g. the mean of a period; NaN where missing.
    people : ndarray, shape (R,)
        Persons.
    thresholds : sequence of float, length K
        Same unit; "above" is strict.

    Returns
    -------
    ndarray, shape (K,)
        0 to 1; NaN where nobody has a value.

    Raises
    ------
    AirError
        As `population_weighted_mean`.
    """
    values, people = _checked(concentration, people)
    if values.ndim != 1:
        raise AirError(f"one value a place is needed; found shape {values.shape}")
    known = ~np.isnan(values)
    total = people[known].sum()
    above = np.array([people[known & (values > threshold)].sum() for threshold in thresholds])
    return above / total if total > 0 else np.full(len(above), np.nan)


def exposure_distribution(concentration: np.ndarray, people: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Concentration that a given share of the people does not exceed.

    Parameters
    ----------
    concentration : ndarray, shape (R,)
        One value a place; NaN places are left out.
    people : ndarray, shape (R,)
        Persons.
    quantiles : sequence of float
        Shares of the people, 0 to 1.

    Returns
    -------
    ndarray
        Of the quantiles' length: the lowest value at or below which that share lives; NaN where nobody has a value.

    Raises
    ------
    AirError
        As `population_weighted_mean`; also if a quantile lies outside 0 to 1.
    """
    values, people = _checked(concentration, people)
    wanted = np.asarray(quantiles, dtype=float)
    if values.ndim != 1 or not ((wanted >= 0) & (wanted <= 1)).all():
        raise AirError(f"needed one value a place and quantiles from 0 to 1; found {values.shape}, {wanted.tolist()}")
    here = ~np.isnan(values) & (people > 0)
    if not here.any():
        return np.full(len(wanted), np.nan)
    order = np.argsort(values[here], kind="stable")
    share = np.cumsum(people[here][order])
    place = np.searchsorted(share / share[-1], wanted - 1e-12, side="left")
    return values[here][order][np.minimum(place, len(order) - 1)]


def exposure_change(
    base: pd.DataFrame, scenario: pd.DataFrame, zones: pd.DataFrame, *, column: str, threshold: float,
    persons_per_home: float = PERSONS_PER_HOME,
) -> pd.DataFrame:  # fmt: skip
    """What a scenario changes for people: scenario minus base, by zone and for the city.

    Parameters
    ----------
    base, scenario : DataFrame
        Long tables of two runs with `zone_id`, `time` and `column`, over the same times and step.
    zones : DataFrame
        As for `population`.
    column : str
        E.g. `"no2_ug_per_m3"`.
    threshold : float
        Of the person-hours, in the column's unit.
    persons_per_home : float
        As for `population`.

    Returns
    -------
    DataFrame
        A row a zone, and one of scope "city" with `zone_id` "": `scope`, `zone_id`, `population`, then `base_mean`,
        `scenario_mean`, `mean_change` (population-weighted in the city's row) and `base_person_hours`,
        `scenario_person_hours`, `person_hours_change`. Only times that both runs have at a zone are compared.

    Raises
    ------
    AirError
        As `zone_grid` and `population`; also if the two runs have different times or steps, or a zone of the tables
        is not among `zones`.
    """
    people = population(zones, persons_per_home=persons_per_home)
    grids = [zone_grid(table, [column], places=list(people.index), others="raise") for table in (base, scenario)]
    first, second = (grid.values[column] for grid in grids)
    if first.shape != second.shape or grids[0].start_s != grids[1].start_s or grids[0].step_s != grids[1].step_s:
        described = [f"{len(g.values[column])} steps of {g.step_s} s from {_at(g.start_s)}" for g in grids]
        raise AirError(f"the runs do not cover the same times: base {described[0]}; scenario {described[1]}")
    both = ~(np.isnan(first) | np.isnan(second))
    weights, step_s = people.to_numpy(), grids[0].step_s
    count = both.sum(axis=0)
    result: dict[str, np.ndarray] = {}
    for name, values in (("base", first), ("scenario", second)):
        shared = np.where(both, values, np.nan)
        mean = np.where(count > 0, np.where(both, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        hours = person_hours_above(shared, weights, threshold, step_s=step_s)
        result[f"{name}_mean"] = np.append(mean, population_weighted_mean(mean, weights))
        result[f"{name}_person_hours"] = np.append(hours, hours.sum())
    return pd.DataFrame(
        {
            "scope": ["zone"] * len(people) + ["city"],
            "zone_id": [*people.index, ""],
            "population": np.append(weights, weights.sum()),
            "base_mean": result["base_mean"],
            "scenario_mean": result["scenario_mean"],
            "mean_change": result["scenario_mean"] - result["base_mean"],
            "base_person_hours": result["base_person_hours"],
            "scenario_person_hours": result["scenario_person_hours"],
            "person_hours_change": result["scenario_person_hours"] - result["base_person_hours"],
        }
    )


def _at(seconds: int) -> pd.Timestamp:
    return pd.Timestamp(seconds, unit="s", tz="UTC")


def _checked(concentration: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, people = np.asarray(concentration, dtype=float), np.asarray(people, dtype=float)
    if people.ndim != 1 or values.ndim < 1 or values.shape[-1] != len(people):
        raise AirError(f"concentrations of shape {values.shape} do not fit people of shape {people.shape}")
    if not (np.isfinite(people) & (people >= 0)).all():
        raise AirError("people must be finite numbers from 0; found negative, infinite or missing ones")
    return values, people
