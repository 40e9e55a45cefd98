"""What a preview job does: simulates an ensemble of scenarios and learns the workspace's instant preview from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

SCENARIOS, LEAST, MOST = 150, 20, 1000
_SIMULATING = 0.95  # share of the work that the ensemble is (assumed)


def run_job(
    workspace: Workspace,
    params: dict[str, Any],
    report: Callable[..., None],
    cancelled: Callable[[], bool],
    *,
    learn: Callable[..., tuple[str, bool]] | None = None,
) -> str:
    """Learn a preview.

    Parameters
    ----------
    params : dict
        `scenarios` (a number).
    learn : callable, optional
        Stand-in for `app.previews.learn_preview`, for tests.

    Returns
    -------
    str
        Id of the `preview` run.

    Raises
    ------
    InputError
        If the number of scenarios is out of range.
    """
    if learn is None:
        from app.previews import learn_preview

        learn = learn_preview
    count = int(params.get("scenarios", SCENARIOS))
    if not LEAST <= count <= MOST:
        raise InputError(f"{count} scenarios; allowed: {LEAST} to {MOST}")
    report(0, count, t("job.reading"))

    def tell(step: str, done: float, total: float, message: str) -> None:
        share = done / total if total else 0.0
        whole = _SIMULATING * share if step == "ensemble" else _SIMULATING + (1 - _SIMULATING) * share
        report(round(whole * count, 2), count, t(f"preview.step.{step}"))

    run, _ = learn(workspace, scenarios=count, report=tell, cancelled=cancelled)
    return run
