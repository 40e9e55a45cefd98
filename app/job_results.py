"""What a job's runs hold besides tables of one step: live models, what watches them, a simulated run's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.monitoring import Monitor
    from models.panel import Panel
    from models.training import Training


def live_models(training: Training) -> dict[tuple[str, ...], Any]:
    """Models that go live, by the folder that they are stored in."""
    own: dict[tuple[str, ...], Any] = {
        ("micromodel", zone, target): model
        for (zone, target), model in (training.micromodels | training.newcomers).items()
    }
    city: dict[tuple[str, ...], Any] = {("macromodel", target): model for target, model in training.macromodels.items()}
    mixes: dict[tuple[str, ...], Any] = {("mix", target): model for target, model in training.mixes.items()}
    naive: dict[tuple[str, ...], Any] = {
        ("seasonal_naive", target): model
        for (family, target), model in training.baselines.items()
        if family == "seasonal_naive"
    }
    return {**own, **city, **mixes, **naive}


def candidate_errors(training: Training, panel: Panel) -> pd.DataFrame:
    """Out-of-fold errors of all that competed, by zone and horizon, as a table `scores`."""
    from models.choosing import validation_scores

    every = ((name, model) for (name, _), model in training.candidates.items())
    return validation_scores(every, panel.step_s, training.seed)


def store_watch(run: Any, training: Training, panel: Panel) -> None:
    """What monitors hold errors against, and where adaptive intervals stand: from models that had not seen the test."""
    from models.errors import ShortHistoryError
    from models.monitoring import references
    from models.serving import followers_of

    try:
        found = references(training.micromodels, panel)
    except ShortHistoryError:
        found = {}  # too short a history: nothing can be called unusual yet
    run.json("watch", {target: zones for target, (zones, _) in found.items()})
    for target, (_, reference) in found.items():
        run.arrays(f"watch_{target}", reference.arrays())
    for path, follower in followers_of(training, panel).items():
        run.bytes(f"following/{'/'.join(path)}.npz", follower.save())


def store_result(run: Any, result: Any) -> None:
    """The tables that every simulated run has."""
    for name in (
        "zone_state", "zone_truth", "sensor_state", "receptor_means", "weather", "noise", "counts", "incidents",
        "agents", "trips",
    ):  # fmt: skip
        run.table(name, getattr(result, name))
    if result.alarms is not None:
        run.table("alarms", result.alarms)
    run.json("summary", result.summary)
    run.arrays("final_state", result.final_state)


def stored_monitors(workspace: Workspace, training: str) -> dict[tuple[str, str], Monitor]:
    """A fresh monitor for every micromodel of a training run that has a reference."""
    from models.monitoring import Reference, monitors

    runs = workspace.runs
    if not (runs.root / training / "watch.json").is_file():
        return {}
    zones = runs.read_json(training, "watch")
    return monitors(
        {t: (tuple(z), Reference.restore(dict(runs.read_arrays(training, f"watch_{t}")))) for t, z in zones.items()}
    )
