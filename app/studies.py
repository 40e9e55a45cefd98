"""Studies as runs of the store: for the command line and for the app's worker alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.code_version import code_version
from app.pipeline import stored_city
from data.errors import InputError
from data.store.runs import run_id
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.scenarios.scenario import Scenario
    from simulation.study import Progress

_HEADLINE = {
    "travel_time_s": "Mean travel time", "delay_hours": "Delay", "speed_kmh": "Mean speed",
    "vehicle_km": "Vehicle-km", "nox_kg": "NOx emitted", "co2_kg": "CO2 emitted", "no2": "NO2, mean",
    "pm25": "PM2.5, mean", "no2_exposure": "NO2 where people live", "lden": "Road noise, Lden",
    "trips_unfinished": "Trips unfinished",
}  # fmt: skip


def find_scenario(what: str, city: City) -> Scenario:
    """A scenario by the path of its YAML file, or by the name of a shipped one, checked against the city.

    Raises
    ------
    InputError
        If there is neither.
    ScenarioError
        With every fault and its line.
    """
    from simulation.scenarios import load_shipped, read_scenario, shipped_names

    if Path(what).is_file():
        return read_scenario(what, city)
    if what in shipped_names():
        return load_shipped(what, city=city)
    raise InputError(f"no file and no shipped scenario '{what}'; shipped are: {', '.join(shipped_names())}")


def make_study(
    workspace: Workspace,
    what: str | Scenario,
    *,
    seeds: int = 5,
    days: int = 1,
    start: str = "2026-01-27",
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Run a study and store it; one that is there already is not repeated.

    Parameters
    ----------
    workspace : Workspace
    what : str or Scenario
        A file, the name of a shipped scenario, or a scenario.
    seeds : int
        Replications, with seeds 1 to this number.
    days, start, n_jobs, progress, cancelled
        As `simulation.study.run_study`.

    Returns
    -------
    tuple of (str, bool)
        Id of the `study` run, and whether it was there already.
    """
    from simulation.scenarios import to_form, to_yaml
    from simulation.study import run_study

    city = stored_city(workspace)
    base = workspace.describe()["runs"]["city"]
    scenario = find_scenario(what, city) if isinstance(what, str) else what
    spec: dict[str, Any] = {
        "code": code_version()["simulation"], "parent": base, "scenario": to_form(scenario), "seeds": seeds,
        "days": days, "start": start,
    }  # fmt: skip
    run = run_id("study", spec)
    if workspace.runs.has(run):
        return run, True
    study = run_study(
        city, scenario, seeds=range(1, seeds + 1), days=days, start=start, n_jobs=n_jobs or 2, progress=progress,
        cancelled=cancelled,
    )  # fmt: skip
    with workspace.runs.write("study", spec, parents=(base,), seed=1) as writer:
        writer.table("effects", study.effects)
        writer.table("link_effects", study.link_effects)
        writer.json(
            "study",
            {
                "scenario": scenario.name, "label": scenario.title, "measures": scenario.in_words(),
                "inside": list(study.inside), "seeds": list(study.seeds),
                "forced_moves": [list(pair) for pair in study.forced_moves],
            },
        )  # fmt: skip
        writer.bytes("scenario.yaml", to_yaml(scenario).encode())
    return run, False


def headline(effects: pd.DataFrame) -> pd.DataFrame:
    """The citywide effects, and those inside and outside the places of the measures, in words."""
    rows = effects[(effects["hour"] == -1) & (effects["scope"] != "zone") & effects["quantity"].isin(_HEADLINE)]
    interval = ["" if pd.isna(low) else f"{low:+.3g} to {high:+.3g}" for low, high in zip(rows["lower"], rows["upper"])]
    return pd.DataFrame(
        {
            "effect of": rows["scenario"],
            "on": rows["quantity"].map(_HEADLINE),
            "where": rows["scope"],
            "today": [f"{value:,.4g}" for value in rows["base"]],
            "change": [f"{value:+.3g}" for value in rows["effect"]],
            "90 % interval": interval,
            "unit": rows["unit"],
        }
    )
