"""The two workspaces that the app is measured on. One that is there is used again, whichever code made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import click

from app.benchmarks.app.large import make_workspace
from app.code_version import code_version
from app.job_spec import JobSpec, step_specs
from app.pipeline import Job
from data.store.runs import run_id
from data.store.workspace import Workspace, open_workspace

#: What is made, by name: the two cities that the budgets are stated for. Pages show one day: few are lived before it,
#: and in the large city, where 200 zones are trained, only the two cheapest families compete.
CITIES: dict[str, JobSpec] = {
    "helsinki": JobSpec(days=8, test_days=2),
    "large": JobSpec(
        city="synthetic:26000@1", zone_count=200, days=8, test_days=2, families="ridge,macro_ridge"
    ),
}  # fmt: skip
#: What a workspace must have in common with its specification to be shown in its place.
SHOWN = ("city", "zones", "zone_count", "step_s", "start")
#: Steps whose names tell the code that made them.
MADE = ("city", "simulation", "training")


def tell(line: str) -> None:
    """A line of progress, on the error stream: figures alone go to the output."""
    click.echo(line, err=True)


def city_workspace(name: str, *, fresh: bool = False, say: Callable[[str], None] = tell) -> Workspace:
    """The workspace `bench-<name>`, made where it is not there yet.

    Parameters
    ----------
    name : str
        One of `CITIES`.
    fresh : bool
        Make what newer code would make otherwise; runs that this code made stay.
    say : callable
        Takes lines of progress.
    """
    space = open_workspace(f"bench-{name}")
    if not fresh and serves(space, CITIES[name]):
        say(f"{name}: workspace {space.name} is there" + ("" if made_by_this_code(space) else ", made by other code"))
        return space
    job = Job(space, CITIES[name], _teller(name, say))
    if name == "large":
        make_workspace(job)
    else:
        job.run()
    return space


def serves(space: Workspace, spec: JobSpec) -> bool:
    """Whether a workspace has a finished live day of that city, its zones and its steps."""
    told = space.describe()
    live = told.get("runs", {}).get("live")
    if not live or not space.runs.has(live):
        return False
    there, wanted = asdict(JobSpec.known(told.get("job", {}))), asdict(spec)
    return all(there[key] == wanted[key] for key in SHOWN)


def made_by_this_code(space: Workspace) -> bool:
    """Whether the workspace's city, days and models come from the code that measures."""
    told = space.describe()
    ids = step_specs(JobSpec.known(told.get("job", {})), code_version())
    return all(told["runs"].get(step) == run_id(step, spec) for step, spec in ids.items() if step in MADE)


def _teller(name: str, say: Callable[[str], None]) -> Callable[[str, float, float, str], None]:
    """Tells each step of the job when it begins and when it ends, not all that is between."""
    last: list[str] = []

    def told(step: str, done: float, total: float, message: str) -> None:
        if step not in last or done >= total:
            say(f"{name}: {step}: {message}")
        last[:] = [step]

    return told
