"""Sweeps: one scenario with some of its values varied over a grid, each point run against the same base.

    from simulation import sweep

    found = sweep(city, "toll.yaml", {"measures.0.eur": "0:4:0.5", "measures.0.classes": ["car", "van"]}, seeds=5)
    found.table                     # a row a point and quantity, with 90 % intervals

A setting names a value as it stands in the YAML file, by keys and numbers: `measures.0.kmh`. A point is checked as a
file is; all points that are no scenario are told at once, before anything runs.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from simulation.city import City
from simulation.errors import RunError
from simulation.plans import Plans, compare_plans
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import from_form, read_scenario
from simulation.scenarios.writing import to_form

#: Points of a grid at most: a typing error in a step must not ask for a year of runs; an assumption.
MOST_POINTS = 1000
_RANGE = re.compile(r"([^\s,:'\"\[\]]+):([^\s,:'\"\[\]]+):([^\s,:'\"\[\]]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value of a scenario and what it is set to in turn.

    Attributes
    ----------
    path : str
        E.g. `measures.0.percent`.
    values : tuple
        In the order in which they are run.
    """

    path: str
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Setting:
        """From `PATH=FIRST:LAST:STEP` (both ends included), or `PATH=A,B,C` as YAML writes them.

        Raises
        ------
        RunError
            If it is neither.

        Examples
        --------
        >>> Setting.parse("measures.0.percent=-20:0:10").values
        (-20, -10, 0)
        """
        path, sign, values = text.partition("=")
        if not sign or not path.strip() or not values.strip():
            raise RunError(f"--set {text!r}: write PATH=FIRST:LAST:STEP or PATH=A,B,C, e.g. measures.0.percent=-20:0:5")
        return cls(path=path.strip(), values=spread(values.strip()))


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """What a sweep found.

    Attributes
    ----------
    points : DataFrame
        `point` (the name of its scenario) and a column for each setting.
    table : DataFrame
        `points` beside the columns of `data.schemas.EFFECTS`, but `scenario`.
    plans : Plans
        The runs, without the pairs of points.
    """

    points: pd.DataFrame
    table: pd.DataFrame
    plans: Plans


def spread(text: str) -> tuple[Any, ...]:
    """Values of `FIRST:LAST:STEP` or of a list with commas.

    Decimal steps are added as people write them, so that 0.8:1.2:0.1 ends with 1.2.

    Raises
    ------
    RunError
        If a step leads nowhere, or the values are too many or not to be read.
    """
    if (found := _RANGE.fullmatch(text)) is not None:
        try:
            first, last, step = (Decimal(part) for part in found.groups())
        except InvalidOperation as error:
            raise RunError(
                f"{text!r}: FIRST:LAST:STEP are three numbers, e.g. 0.8:1.2:0.1; times stand in quotes"
            ) from error
        if not all(one.is_finite() for one in (first, last, step)) or not step or (last - first) / step < 0:
            raise RunError(f"{text!r}: a step of {step} does not lead from {first} to {last}")
        count = int((last - first) / step) + 1
        if count > MOST_POINTS:
            raise RunError(f"{text!r}: {count:,} values; at most {MOST_POINTS:,}, so take a larger step")
        return tuple(_number(first + k * step) for k in range(count))
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError as error:
        raise RunError(f"{text!r} is no list of values; write A,B,C, texts with commas or colons in quotes") from error
    if not isinstance(values, list) or not values:
        raise RunError(f"{text!r} holds no value")
    return tuple(values)


def grid(form: Mapping[str, Any], settings: Sequence[Setting]) -> list[tuple[tuple[Any, ...], Scenario]]:
    """Every point: its values and its scenario, whose name is that of the form with a number.

    Parameters
    ----------
    form : mapping
        A scenario as plain values, as in its YAML file.
    settings : sequence of Setting
        The last one varies fastest.

    Raises
    ------
    RunError
        Naming every setting that leads nowhere, or every point that is no scenario.
    """
    count = 1
    for one in settings:
        count *= len(one.values)
    faults = [] if settings else ["nothing to vary; give at least one setting, e.g. measures.0.percent=-20:0:5"]
    if count > MOST_POINTS:
        faults.append(f"{count:,} points; at most {MOST_POINTS:,}")
    paths = [one.path for one in settings]
    faults += [f"{path} is set twice" for path in sorted({path for path in paths if paths.count(path) > 1})]
    for one in settings:
        try:
            _put(copy.deepcopy(dict(form)), one.path, None)
        except RunError as error:
            faults.append(str(error))
    if faults:
        raise RunError("this sweep cannot be run: " + "; ".join(faults))
    points, wrong = [], []
    for number, values in enumerate(product(*(one.values for one in settings))):
        own = copy.deepcopy(dict(form))
        for one, value in zip(settings, values):
            _put(own, one.path, value)
        own["name"] = f"{str(form.get('name', 'sweep'))[:59]}-{number:03d}"
        try:
            points.append((values, from_form(own)))
        except ScenarioError as error:
            said = ", ".join(f"{one.path}={value!r}" for one, value in zip(settings, values))
            wrong.append(f"with {said}: {'; '.join(str(fault) for fault in error.faults)}")
    if wrong:
        more = f"; and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise RunError(f"{len(wrong)} of {count} points are no scenarios: " + "; ".join(wrong[:20]) + more)
    return points


def sweep(
    city: City,
    scenario: Scenario | Mapping[str, Any] | str | Path,
    settings: Mapping[str, str | Sequence[Any]] | Sequence[str | Setting],
    *,
    seeds: int | Sequence[int] = 5,
    **options: Any,
) -> Sweep:
    """Run a scenario at every point of a grid, under common random numbers.

    Parameters
    ----------
    city : City
    scenario : Scenario, mapping or path
        A mapping is a form; a text the path of a YAML file or the name of a shipped scenario.
    settings : mapping or sequence
        Values by path, as a list or as text that `spread` reads; or texts `PATH=VALUES`.
    seeds : int or sequence of int
        A number stands for 1 to that number.
    **options
        As `simulation.plans.compare_plans`: `days`, `start`, `weather`, `background`, `store` (a sweep that was killed
        goes on where it stopped), `n_jobs`, `progress`, `cancelled`.

    Raises
    ------
    RunError, ScenarioError
        Before anything runs: what `grid` and `compare_plans` raise.
    """
    chosen = parsed(settings)
    points = grid(form_of(scenario), chosen)
    plans = compare_plans(
        city, [one for _, one in points], seeds=range(1, seeds + 1) if isinstance(seeds, int) else seeds,
        pairwise=False, **options,
    )  # fmt: skip
    table = pd.DataFrame(
        [values for values, _ in points], columns=[one.path for one in chosen], index=[one.name for _, one in points]
    )
    table = table.rename_axis("point").reset_index()
    found = table.merge(plans.effects.rename(columns={"scenario": "point"}), on="point", validate="one_to_many")
    return Sweep(points=table, table=found, plans=plans)


def parsed(settings: Mapping[str, str | Sequence[Any]] | Sequence[str | Setting]) -> list[Setting]:
    """Settings of a mapping or of texts."""
    if isinstance(settings, Mapping):
        return [
            Setting(path=path, values=spread(values) if isinstance(values, str) else tuple(values))
            for path, values in settings.items()
        ]
    return [one if isinstance(one, Setting) else Setting.parse(one) for one in settings]


def form_of(scenario: Scenario | Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """A scenario as plain values, with the keys that its file has.

    Raises
    ------
    ScenarioError
        If the file is no scenario as it stands.
    """
    if isinstance(scenario, Scenario):
        return to_form(scenario)
    if isinstance(scenario, Mapping):
        return copy.deepcopy(dict(scenario))
    path = Path(scenario)
    if not path.is_file():
        from simulation.scenarios import load_shipped

        return to_form(load_shipped(str(scenario)))
    read_scenario(path)  # tells its faults with their lines
    form: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return form


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _put(form: dict[str, Any], path: str, value: Any) -> None:
    """Set a value; every part of the path but the last must be there."""
    *way, last = path.split(".")
    at: Any = form
    for part in way:
        at = _step(at, part, path)
    if isinstance(at, list):
        _step(at, last, path)
        at[int(last)] = value
    elif isinstance(at, dict):
        at[last] = value
    else:
        raise RunError(f"{path}: {last!r} lies in a plain value")


def _step(at: Any, part: str, path: str) -> Any:
    if isinstance(at, list) and part.isdigit() and int(part) < len(at):
        return at[int(part)]
    if isinstance(at, dict) and part in at:
        return at[part]
    has = f"0 to {len(at) - 1}" if isinstance(at, list) else ", ".join(map(str, at)) if isinstance(at, dict) else "none"
    raise RunError(f"{path}: there is no {part!r}; there is {has}")
