"""What a job of kind `simulate` does: the main job of a city, for a workspace that was started in the app.

The same steps as `zonewise demo`, so that either goes on with what the other has begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.job_spec import JobSpec
from app.pipeline import Job
from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

#: Share of the whole that each step takes, roughly (assumed, for the bar alone).
WEIGHT = {
    "kernels": 1.0, "city": 1.0, "calibration": 4.0, "simulation": 10.0, "training": 8.0, "comparison": 2.0,
    "live": 2.0,
}  # fmt: skip


class Stopped(InputError):
    """Somebody stopped the job."""


def run_job(
    workspace: Workspace, params: dict[str, Any], report: Callable[..., None], cancelled: Callable[[], bool]
) -> str:
    """Simulate, train, compare and live a day, as `params` says (those of `JobSpec` that a form offers).

    Returns
    -------
    str
        Id of the live day's run.

    Raises
    ------
    InputError
        If a parameter is out of range, or the job was stopped.
    """
    spec = JobSpec.known(params)
    steps = Steps(("kernels", *spec.steps), report, cancelled)
    return Job(workspace, spec, steps).run()["live"]


class Steps:
    """Progress of several steps as one, in the form that a job table keeps."""

    def __init__(self, steps: tuple[str, ...], report: Callable[..., None], cancelled: Callable[[], bool]) -> None:
        self.steps, self.report, self.cancelled = steps, report, cancelled
        self.total = sum(WEIGHT[step] for step in steps)

    def __call__(self, step: str, done: float, total: float, message: str) -> None:
        """Tell how far a step is; stop where somebody asked for it."""
        if self.cancelled():
            raise Stopped(t("job.stopped"))
        before = sum(WEIGHT[s] for s in self.steps[: self.steps.index(step)])
        share = done / total if total else 0.0
        self.report(before + WEIGHT[step] * min(share, 1.0), self.total, f"{t(f'step.{step}')}: {message}")
