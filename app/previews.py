"""Previews as runs of the store: learned from an ensemble, asked in a tenth of a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.code_version import code_version
from app.pipeline import stored_city
from app.studies import find_scenario
from data.errors import RunNotFoundError
from data.store.folder import FolderStore
from data.store.runs import run_id
from data.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from simulation.preview import Answer, Preview
    from simulation.scenarios.scenario import Scenario

SCENARIOS, SEEDS = 150, 2
#: Seeds, thus days' weather and luck, that an ensemble is drawn from, at least (assumed).
DAYS_OF_LUCK = 8
Report = Callable[[str, float, float, str], Any]


def learn_preview(
    workspace: Workspace,
    *,
    scenarios: int = SCENARIOS,
    seeds: int = SEEDS,
    start: str | None = None,
    hours: float | None = None,
    seed: int = 1,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Simulate an ensemble of scenarios of the workspace's city and learn a preview from it.

    Every finished simulation is kept at once, so that a killed job goes on where it stopped, and a larger ensemble
    begins with the smaller one.

    Parameters
    ----------
    workspace : Workspace
    scenarios : int
        Size of the ensemble; 50 begin to be useful.
    seeds : int
        Pairs of base and scenario for each, drawn from `DAYS_OF_LUCK` days' weather and luck.
    start, hours : optional
        Window of every run; default a Tuesday's morning peak (`simulation.preview.Window`).
    seed : int
        Of the design and the models.
    report : callable, optional
        `report(step, done, total, message)`.
    cancelled : callable, optional

    Returns
    -------
    tuple of (str, bool)
        Id of the `preview` run, and whether it was there already.
    """
    from simulation.preview import Preview, Window, draw, simulate
    from simulation.preview.preview import ensemble_arrays, scenario_forms

    city = stored_city(workspace)
    base = workspace.describe()["runs"]["city"]
    told = {name: value for name, value in (("start", start), ("hours", hours)) if value is not None}
    window = Window(**told)  # type: ignore[arg-type]
    common = {
        "code": code_version()["simulation"], "parent": base, "start": window.start, "hours": window.hours,
        "seed": seed,
    }  # fmt: skip
    spec = {**common, "scenarios": scenarios, "seeds": seeds}
    run = run_id("preview", spec)
    if workspace.runs.has(run):
        return run, True

    def tell(step: str) -> Callable[[int, int, str], None]:
        return lambda done, total, message: report(step, done, total, message) if report is not None else None

    drawn = draw(city, scenarios, window=window, seed=seed)
    kept = FolderStore(workspace.root / "ensembles" / run_id("ensemble", common))
    ensemble = simulate(
        city, drawn, window=window, seeds=range(1, max(DAYS_OF_LUCK, seeds) + 1), pairs=seeds, store=kept,
        progress=tell("ensemble"), cancelled=cancelled,
    )  # fmt: skip
    meta, arrays, blobs = Preview.learn(city, ensemble, seed=seed, progress=tell("preview")).state()
    with workspace.runs.write("preview", spec, parents=(base,), seed=seed) as writer:
        writer.json("preview", meta)
        writer.arrays("preview", arrays)
        writer.json("models", sorted(blobs))
        for name, value in blobs.items():
            writer.bytes(f"models/{name}", value)
        writer.json("scenarios", scenario_forms(ensemble))
        writer.arrays("ensemble", ensemble_arrays(ensemble))
    return run, False


def load_preview(workspace: Workspace, run: str | None = None) -> Preview:
    """The workspace's preview: the newest of its present city, or a certain run.

    Raises
    ------
    RunNotFoundError
        If none was learned for this city.
    PreviewError
        If it was made by another version.
    """
    from simulation.preview import Preview

    base = workspace.describe().get("runs", {}).get("city")
    if run is None:
        found = [one["id"] for one in workspace.runs.list("preview") if base in one.get("parents", ())]
        if not found:
            raise RunNotFoundError(
                f"workspace '{workspace.name}' has no preview of its present city; 'zonewise scenario learn' makes one"
            )
        run = found[-1]
    runs = workspace.runs
    blobs = {name: runs.read_bytes(run, f"models/{name}") for name in runs.read_json(run, "models")}
    return Preview.restore(
        stored_city(workspace), runs.read_json(run, "preview"), runs.read_arrays(run, "preview"), blobs
    )


def ask_preview(workspace: Workspace, what: str | Scenario, *, run: str | None = None) -> tuple[Answer, Scenario]:
    """Ask a workspace's preview about a scenario, a file or the name of a shipped one.

    Raises
    ------
    ScenarioError, InputError, RunNotFoundError, PreviewError
    """
    preview = load_preview(workspace, run)
    scenario = find_scenario(what, preview.city) if isinstance(what, str) else what
    return preview.ask(scenario), scenario


def preview_record(workspace: Workspace, run: str) -> list[dict[str, Any]]:
    """How well each kind of model foresaw the ensemble's own scenarios, out of fold."""
    found: list[dict[str, Any]] = json.loads(json.dumps(workspace.runs.read_json(run, "preview")["record"]))
    return found


def confirmed(preview: Preview, scenario: Scenario, foreseen: pd.DataFrame, *, seeds: int = 3) -> pd.DataFrame:
    """A preview's effects with those of the simulation beside them, as `simulated`: mean over pairs, same window."""
    from simulation.preview import simulate

    ensemble = simulate(preview.city, [scenario], window=preview.window, seeds=range(1, seeds + 1))
    return foreseen.merge(preview.simulated(ensemble), on=["zone_id", "quantity"], how="left")
