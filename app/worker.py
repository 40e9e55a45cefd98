"""The worker process: `python -m app.worker --workspace FOLDER --job ID` runs one job. Imports no Dash."""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pandas as pd

from app.jobs import CANCELLED, DONE, FAILED, Jobs
from data.errors import ZonewiseError
from data.store.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)
#: Modules whose `run_job` does a job of a kind.
RUNS = {
    "scenario": "app.study_job", "preview": "app.preview_job", "recommend": "app.recommend_job",
    "simulate": "app.simulate_job", "import": "app.import_job",
    "create": "app.create_job",
    "monitor": "app.monitor_job", "retrain": "app.retrain_job",
}  # fmt: skip
_LOOK_S, _GRACE_S = 0.25, 1.0  # how often a stop is looked for, and how long a job may take to heed it
Run = Callable[[Workspace, dict[str, Any], Callable[..., None], Callable[[], bool]], str]


def work(workspace: Workspace, job: str, run: Run | None = None) -> str:
    """Run a job to its end; returns the state that it ended in.

    Parameters
    ----------
    run : callable, optional
        `run(workspace, params, report, cancelled) -> run id`; by the job's kind, see `RUNS`, if left out.
    """
    jobs = Jobs(workspace.jobs_path)
    if not jobs.begin(job, os.getpid()):
        found = jobs.read(job)
        return found.state if found else FAILED
    row = jobs.read(job)
    assert row is not None

    def report(done: float, total: float, message: str = "", partial: pd.DataFrame | None = None) -> None:
        rows = None if partial is None else partial.to_dict("records")
        jobs.report(job, float(done), float(total), str(message), rows)

    try:
        if run is None:
            run = import_module(RUNS[row.kind]).run_job
        result = run(workspace, row.params, report, lambda: jobs.cancelled(job))
    except ZonewiseError as error:
        state = CANCELLED if jobs.cancelled(job) else FAILED
        jobs.end(job, state, message=str(error))
        return state
    except Exception as error:  # the last stand: a job must never stay "running", and its cause must be readable
        log.exception("job %s", job)
        jobs.end(job, FAILED, message=f"{type(error).__name__}: {error}")
        return FAILED
    jobs.end(job, DONE, result=result)
    return DONE


def stop_when_asked(jobs: Jobs, job: str, leave: Callable[[int], None] = os._exit) -> None:
    """Look whether somebody stopped the job, and end the process where it does not do so itself within a second.

    Nothing is lost by it: runs and replications are written aside and renamed when they are whole.
    """
    while True:
        time.sleep(_LOOK_S)
        row = jobs.read(job)
        if row is None or not row.open:
            return
        if row.cancel:
            break
    time.sleep(_GRACE_S)
    if jobs.stopped(job):
        leave(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="app.worker", description=__doc__)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--job", required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    space = open_workspace(given.workspace)
    watch = threading.Thread(target=stop_when_asked, args=(Jobs(space.jobs_path), given.job), daemon=True)
    watch.start()
    return 0 if work(space, given.job) == DONE else 1


if __name__ == "__main__":
    raise SystemExit(main())
