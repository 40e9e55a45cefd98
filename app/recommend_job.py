"""What a recommendation job does: a question made of the measures of a draft, searched, confirmed and stored."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

SIMULATIONS, MOST_SIMULATIONS, SEEDS, MOST_SEEDS = 20, 500, 3, 50


def question_of(
    form: Mapping[str, Any],
    labels: Sequence[str],
    costs: Sequence[float | None],
    *,
    objectives: Sequence[str],
    budget: float | None,
    unit: str = "MEUR",
) -> dict[str, Any]:
    """A question whose candidates are the measures of a draft, as `simulation.search.question_from_yaml` reads it.

    Raises
    ------
    InputError
        If there is nothing to choose from, or no aim.
    """
    measures = list(form["measures"])
    if len(measures) < 2:
        raise InputError(t("recommend.few"))
    if not objectives:
        raise InputError(t("recommend.aims.none"))
    candidates = [
        {"name": f"m{k + 1}", "label": labels[k], "cost": float(costs[k] or 0.0), "measures": [dict(measure)]}
        for k, measure in enumerate(measures)
    ]
    told: dict[str, Any] = {"name": str(form["name"]), "objectives": list(objectives), "candidates": candidates}
    limits: dict[str, Any] = {"unit": unit} | ({} if budget is None else {"cost": float(budget)})
    return {**told, "budget": limits}


def run_job(
    workspace: Workspace,
    params: dict[str, Any],
    report: Callable[..., None],
    cancelled: Callable[[], bool],
    *,
    make: Callable[..., tuple[str, bool]] | None = None,
) -> str:
    """Search, confirm, store.

    Parameters
    ----------
    params : dict
        `question` (see `question_of`), `simulations`, `seeds`.
    make : callable, optional
        Stand-in for `app.recommendations.make_recommendation`, for tests.

    Returns
    -------
    str
        Id of the `recommendation` run.

    Raises
    ------
    InputError
        If a number is out of range.
    SearchError
        With every fault of the question.
    """
    import yaml

    if make is None:
        from app.recommendations import make_recommendation

        make = make_recommendation
    simulations, seeds = int(params.get("simulations", SIMULATIONS)), int(params.get("seeds", SEEDS))
    if not 1 <= simulations <= MOST_SIMULATIONS or not 1 <= seeds <= MOST_SEEDS:
        raise InputError(
            f"{simulations} simulations and {seeds} repetitions; allowed: 1 to {MOST_SIMULATIONS}, 1 to {MOST_SEEDS}"
        )
    whole = simulations + 8 * seeds  # eight plans at most are confirmed
    report(0, whole, t("job.reading"))

    def tell(step: str, done: float, total: float, message: str) -> None:
        share = done / total if total else 0.0
        at = simulations * share if step == "search" else simulations + (whole - simulations) * share
        report(round(at, 2), whole, t(f"recommend.step.{step}"))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "question.yaml"
        path.write_text(yaml.safe_dump(params["question"], sort_keys=False, allow_unicode=True), encoding="utf-8")
        run, _ = make(workspace, path, simulations=simulations, seeds=seeds, report=tell, cancelled=cancelled)
    return run
