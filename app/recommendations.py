"""Recommendations as runs of the store: what was tried, what no other plan beats, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from app.code_version import code_version
from app.pipeline import stored_city
from app.previews import Report, load_preview
from data.errors import RunNotFoundError
from data.store.folder import FolderStore
from data.store.runs import run_id
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from simulation.preview import Preview
    from simulation.search import Found, Question


def make_recommendation(
    workspace: Workspace,
    question: str | Path,
    *,
    simulations: int = 60,
    seeds: int = 5,
    start: str | None = None,
    hours: float | None = None,
    seed: int = 1,
    use_preview: bool = True,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Search, confirm and store; a recommendation that is there already is not made again.

    Parameters
    ----------
    workspace : Workspace
    question : str or Path
        YAML, see `simulation.search.question_from_yaml`.
    simulations : int
        Most plans to simulate.
    seeds : int
        Pairs of runs for each recommended plan.
    start, hours : optional
        Window of every run; default that of the preview, or the usual one.
    seed : int
        Of the search.
    use_preview : bool
        Start from the preview of the workspace's city, where there is one.
    report, cancelled : callable, optional

    Returns
    -------
    tuple of (str, bool)
        Id of the `recommendation` run, and whether it was there already.

    Raises
    ------
    SearchError
        With every fault of the question.
    """
    from simulation.preview import Window
    from simulation.search import question_from_yaml, search
    from simulation.search.objectives import evaluator, foreseer
    from simulation.search.recommend import recommend

    city = stored_city(workspace)
    text = Path(question).read_text(encoding="utf-8")
    asked = question_from_yaml(text, city=city, source=Path(question).name)
    base = workspace.describe()["runs"]["city"]
    run_of_preview, preview = _preview(workspace) if use_preview else (None, None)
    default = preview.window if preview is not None else Window()
    window = Window(start=start or default.start, hours=hours or default.hours)
    common = {
        "code": code_version()["simulation"], "parent": base, "question": text, "start": window.start,
        "hours": window.hours,
    }  # fmt: skip
    spec = {**common, "simulations": simulations, "seeds": seeds, "seed": seed, "preview": run_of_preview}
    run = run_id("recommendation", spec)
    if workspace.runs.has(run):
        return run, True

    def tell(step: str) -> Callable[[int, int, str], None]:
        return lambda done, total, message: report(step, done, total, message) if report is not None else None

    found = search(
        asked, evaluator(city, asked, window=window), simulations=simulations, seed=seed,
        foresee=foreseer(preview, asked) if preview is not None else None,
        store=FolderStore(workspace.root / "searches" / run_id("search", common)), progress=tell("search"),
        cancelled=cancelled,
    )  # fmt: skip
    advice = recommend(
        city, found, window=window, seeds=range(1, seeds + 1), progress=tell("confirm"), cancelled=cancelled
    )
    told = {
        "question": asked.name, "plans": asked.n_plans, "simulated": len(found.plans) - 1,
        "advice": [
            {
                "plan": list(one.plan), "name": one.name, "reason": one.reason, "sure": one.sure,
                "cost": asked.cost(one.plan), "effects": one.effects.to_dict("records"),
                "losers": one.losers.to_dict("records"),
            }
            for one in advice
        ],
    }  # fmt: skip
    parents = (base,) if run_of_preview is None else (base, run_of_preview)
    with workspace.runs.write("recommendation", spec, parents=parents, seed=seed) as writer:
        writer.table("tried", tried_table(asked, found))
        writer.json("recommendation", told)
        writer.bytes("question.yaml", text.encode())
    return run, False


def tried_table(question: Question, found: Found) -> pd.DataFrame:
    """Every simulated plan in its order: a column a candidate and an objective, `pareto`, `name`."""
    levels = {one.name: found.plans[:, k] for k, one in enumerate(question.candidates)}
    values = {f"objective_{name}": found.values[:, k] for k, name in enumerate(question.objectives)}
    names = [question.in_words(tuple(int(v) for v in row)) for row in found.plans]
    return pd.DataFrame({**levels, **values, "pareto": found.pareto, "volume": found.volume, "name": names})


def _preview(workspace: Workspace) -> tuple[str | None, Preview | None]:
    from simulation.preview import PreviewError

    base = workspace.describe().get("runs", {}).get("city")
    found = [one["id"] for one in workspace.runs.list("preview") if base in one.get("parents", ())]
    if not found:
        return None, None
    try:
        return found[-1], load_preview(workspace, found[-1])
    except (PreviewError, RunNotFoundError):
        return None, None
