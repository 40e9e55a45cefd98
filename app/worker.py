"""The worker process: `python -m app.worker --workspace FOLDER --job ID` runs one job. Imports no Dash."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import pandas as pd

from app.jobs import CANCELLED, DONE, FAILED, Jobs, dispatch
from data.errors import InputError, StoreError, ZonewiseError
from data.store.workspace import Workspace, open_workspace
from data.work import working_at
from data.work.cluster import cluster_at

log = logging.getLogger(__name__)
#: Modules whose `run_job` does a job of a kind.
RUNS = {
    "scenario": "app.study_job", "preview": "app.preview_job", "recommend": "app.recommend_job",
    "simulate": "app.simulate_job", "import": "app.import_job",
    "create": "app.create_job",
    "monitor": "app.monitor_job", "retrain": "app.retrain_job",
}  # fmt: skip
_LOOK_S, _GRACE_S = 0.2, 0.7  # how often a stop is looked for, and how long a job may take to heed it
_BEAT_S = 15.0  # how often a worker says that it lives
#: Added to a worker's niceness: whoever looks at a page goes before a job that runs for minutes.
NICENESS = 10
Run = Callable[[Workspace, dict[str, Any], Callable[..., None], Callable[[], bool]], str]


def work(workspace: Workspace, job: str, run: Run | None = None, *, token: str = "") -> str:
    """Run a job to its end; returns the state that it ended in.

    Parameters
    ----------
    run : callable, optional
        `run(workspace, params, report, cancelled) -> run id`; by the job's kind, see `RUNS`, if left out.
    token : str
        Shown with every word on the job, so that a worker that was believed dead cannot speak for the next one.
    """
    jobs = Jobs(workspace.jobs_path)
    token = token or secrets.token_hex(8)
    if not jobs.begin(job, os.getpid(), token=token):
        found = jobs.read(job)
        return found.state if found else FAILED
    row = jobs.read(job)
    assert row is not None

    def report(done: float, total: float, message: str = "", partial: pd.DataFrame | None = None) -> None:
        rows = None if partial is None else partial.to_dict("records")
        with suppress(StoreError):  # how far it is may go unsaid on a full disk; the work goes on
            jobs.report(job, float(done), float(total), str(message), rows, token=token)

    try:
        if run is None:
            if row.kind not in RUNS:
                raise InputError(f"no jobs of kind {row.kind!r}; there are: {', '.join(RUNS)}")
            run = import_module(RUNS[row.kind]).run_job
        cluster = os.environ.get("ZONEWISE_CLUSTER") or None
        with workspace.at_work(), cluster_at(cluster) as place, working_at(place):
            result = run(workspace, row.params, report, lambda: jobs.cancelled(job))
    except ZonewiseError as error:
        state = CANCELLED if jobs.cancelled(job) else FAILED
        jobs.end(job, state, message=str(error), token=token)
        return state
    except Exception as error:  # the last stand: a job must never stay "running", and its cause must be readable
        log.exception("job %s", job)
        jobs.end(job, FAILED, message=f"{type(error).__name__}: {error}", token=token)
        return FAILED
    jobs.end(job, DONE, result=result, token=token)
    return DONE


def stop_when_asked(jobs: Jobs, job: str, leave: Callable[[int], None] = os._exit, *, token: str = "") -> None:
    """Look whether somebody stopped the job, and end the process where it does not do so itself within a second.

    Says now and then that the process lives, and ends it too where the job was given to another one. Nothing is lost by
    it: runs and replications are written aside and renamed when they are whole.
    """
    said = time.monotonic()
    while True:
        time.sleep(_LOOK_S)
        try:
            row = jobs.read(job)
            if row is None or not row.open:
                return
            if row.cancel:
                break
            if time.monotonic() - said > _BEAT_S:
                said = time.monotonic()
                if not jobs.beat(job, token=token) and row.pid not in (None, os.getpid()):
                    leave(1)
                    return
        except StoreError as error:  # a full disk: the work itself says so, or goes on
            log.warning("%s", error)
            time.sleep(_BEAT_S)
    time.sleep(_GRACE_S)
    if jobs.stopped(job):
        leave(0)


def step_back() -> None:
    """Let the web workers go first, as `nice -n 10` does; the job's own processes inherit it.

    Where the platform has no niceness, `jobs.launch` starts the worker below the usual priority.
    """
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICENESS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="app.worker", description=__doc__)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--job", required=True)
    given = parser.parse_args(arguments)
    step_back()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    space = open_workspace(given.workspace)
    token, own = secrets.token_hex(8), Jobs(space.jobs_path)

    def leave(code: int) -> None:
        with suppress(ZonewiseError, OSError):
            dispatch(space.root)
        os._exit(code)

    watch = threading.Thread(target=stop_when_asked, args=(own, given.job, leave), kwargs={"token": token}, daemon=True)
    watch.start()
    try:
        return 0 if work(space, given.job, token=token) == DONE else 1
    finally:
        with suppress(ZonewiseError, OSError):
            dispatch(space.root)  # the next one that waits


if __name__ == "__main__":
    raise SystemExit(main())
