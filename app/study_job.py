"""What a scenario job does: the scenario of the form, checked against the workspace's city, run and stored as a study.

The same call as `zonewise scenario run`, so that the command shown beside the result gives the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

SEEDS = 3
MOST_SEEDS = 50
#: Repetitions at most of a study that stops by the width of an interval, as on the command line.
MOST_UNTIL = 100


def run_job(
    workspace: Workspace,
    params: dict[str, Any],
    report: Callable[..., None],
    cancelled: Callable[[], bool],
    *,
    make: Callable[..., tuple[str, bool]] | None = None,
) -> str:
    """Run a scenario against today and store what changes.

    Parameters
    ----------
    params : dict
        `scenario` (a form, as `simulation.scenarios.from_form` reads it), `seeds` (a number) and, to stop sooner,
        `until` (e.g. `delay_hours=5%`) and `seconds`; `elasticity` of demand and gap of `equilibrium`.
    report : callable
        `report(done, total, message, partial effects or None)`.
    cancelled : callable
        Asked all the time; true stops the run.
    make : callable, optional
        Stand-in for `app.studies.make_study`, for tests.

    Returns
    -------
    str
        Id of the `study` run; one that is there already is not run again.

    Raises
    ------
    ScenarioError
        If the scenario does not fit the city.
    InputError
        If the number of repetitions is out of range.
    """
    from simulation.scenarios import from_form

    if make is None:
        from app.studies import make_study

        make = make_study
    asked = {
        key: params[key] for key in ("until", "seconds", "elasticity", "equilibrium") if params.get(key) is not None
    }
    count, most = int(params.get("seeds", SEEDS)), MOST_UNTIL if "until" in asked else MOST_SEEDS
    if not 1 <= count <= most:
        raise InputError(f"{count} repetitions; allowed: 1 to {most}")
    report(0, count, t("job.reading"))
    scenario = from_form(params["scenario"])

    def progress(done: float, total: float, message: str = "", partial: pd.DataFrame | None = None) -> None:
        rows = None if partial is None else partial[(partial["hour"] == -1) & (partial["scope"] != "zone")]
        report(done, total, message, rows)

    report(0, count, t("job.first"))
    run, _ = make(workspace, scenario, seeds=count, progress=progress, cancelled=cancelled, **asked)
    return run
