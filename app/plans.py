"""Comparisons of plans and sweeps as runs of the store, for the command line and scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.code_version import code_version
from app.pipeline import stored_city
from app.studies import find_scenario, replications, study_air
from data.errors import InputError
from data.store.runs import run_id
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from simulation.plans import Progress


def make_comparison(
    workspace: Workspace,
    what: Sequence[str],
    *,
    seeds: int = 5,
    days: int = 1,
    start: str | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Run several scenarios against the same today, and each against each other; one that is there is not repeated.

    Parameters
    ----------
    workspace : Workspace
    what : sequence of str
        Files or names of shipped scenarios, at least two.
    seeds, days, start, n_jobs, progress, cancelled
        As `app.studies.make_study`. Finished runs are kept: a comparison that was killed goes on where it stopped.

    Returns
    -------
    tuple of (str, bool)
        Id of the `plans` run (tables `effects` and `differences`), and whether it was there already.

    Raises
    ------
    InputError, ScenarioError, RunError
    """
    from simulation.plans import compare_plans
    from simulation.scenarios import to_form

    if len(what) < 2:
        raise InputError("give two scenarios or more to compare; one alone: 'zonewise scenario run'")
    city = stored_city(workspace)
    scenarios = [find_scenario(one, city) for one in what]
    base = workspace.describe()["runs"]["city"]
    start, air, of_air = study_air(workspace, city, start, days)
    spec: dict[str, Any] = {
        **of_air, "code": code_version()["simulation"], "parent": base, "scenarios": [to_form(s) for s in scenarios],
        "seeds": seeds, "days": days, "start": start,
    }  # fmt: skip
    run = run_id("plans", spec)
    if workspace.runs.has(run):
        return run, True
    found = compare_plans(
        city, scenarios, seeds=range(1, seeds + 1), days=days, start=start, n_jobs=n_jobs or 2, progress=progress,
        cancelled=cancelled, store=replications(workspace), **air,
    )  # fmt: skip
    with workspace.runs.write("plans", spec, parents=(base,), seed=1) as writer:
        writer.table("effects", found.effects)
        writer.table("differences", found.differences)
        writer.json(
            "plans",
            {
                "names": [one.name for one in scenarios], "titles": [one.title for one in scenarios],
                "seeds": list(found.seeds), "inside": list(found.inside),
                "forced_moves": {name: list(moves) for name, moves in found.forced_moves.items()},
            },
        )  # fmt: skip
    return run, False


def make_sweep(
    workspace: Workspace,
    what: str,
    settings: Sequence[str],
    *,
    seeds: int = 5,
    days: int = 1,
    start: str | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Run a scenario at every point of a grid; a sweep that is there is not repeated.

    Parameters
    ----------
    workspace : Workspace
    what : str
        A file or the name of a shipped scenario.
    settings : sequence of str
        `PATH=FIRST:LAST:STEP` or `PATH=A,B,C`, see `simulation.sweeps`.
    seeds, days, start, n_jobs, progress, cancelled
        As `make_comparison`.

    Returns
    -------
    tuple of (str, bool)
        Id of the `sweep` run (tables `points` and `effects`, whose `scenario` is the point), and whether it was there
        already.

    Raises
    ------
    InputError, ScenarioError, RunError
        Before anything runs.
    """
    from simulation.scenarios import shipped_names
    from simulation.sweeps import form_of, grid, parsed, sweep

    if not Path(what).is_file() and what not in shipped_names():
        find_scenario(what, stored_city(workspace))  # says what there is
    form, chosen = form_of(what), parsed(settings)
    grid(form, chosen)
    city = stored_city(workspace)
    base = workspace.describe()["runs"]["city"]
    start, air, of_air = study_air(workspace, city, start, days)
    spec: dict[str, Any] = {
        **of_air, "code": code_version()["simulation"], "parent": base, "scenario": form,
        "settings": {one.path: list(one.values) for one in chosen}, "seeds": seeds, "days": days, "start": start,
    }  # fmt: skip
    run = run_id("sweep", spec)
    if workspace.runs.has(run):
        return run, True
    found = sweep(
        city, form, chosen, seeds=seeds, days=days, start=start, n_jobs=n_jobs or 2, progress=progress,
        cancelled=cancelled, store=replications(workspace), **air,
    )  # fmt: skip
    with workspace.runs.write("sweep", spec, parents=(base,), seed=1) as writer:
        writer.table("points", _storable(found.points))
        writer.table("effects", found.plans.effects)
        writer.json("sweep", {"settings": [one.path for one in chosen], "seeds": list(found.plans.seeds)})
    return run, False


def sweep_table(workspace: Workspace, run: str) -> pd.DataFrame:
    """Effects of a sweep beside the values of each point, as a CSV file holds them."""
    points, effects = workspace.runs.read(run, "points"), workspace.runs.read(run, "effects")
    return points.merge(effects.rename(columns={"scenario": "point"}), on="point", validate="one_to_many")


def _storable(points: pd.DataFrame) -> pd.DataFrame:
    """Values that are lists or mixed as JSON text; numbers stay numbers."""
    plain = points.copy()
    for name in plain.columns[1:]:
        if plain[name].dtype == object:
            plain[name] = [one if isinstance(one, str) else json.dumps(one) for one in plain[name]]
    return plain
