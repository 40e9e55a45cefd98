"""Case `app`: the map's budgets in headless Chromium, on Helsinki and on a made city of 26,000 links and 200 zones.

The app runs under its own server with one worker. A workspace that is not there is made first: `bench-helsinki` by the
main job, `bench-large` with made days (see `large`). `--only helsinki` measures one; `--workspace NAME` measures any
other against Helsinki's budgets. Needs Playwright (extra `dev`) and Chromium.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from app.benchmarks import figure
from app.benchmarks.app.large import make_workspace
from app.benchmarks.app.pages import faults
from app.benchmarks.app.serving import served
from app.benchmarks.app.visit import Visitor, visitor
from app.job_spec import JobSpec
from app.pipeline import Job
from data.errors import InputError
from data.store.workspace import Workspace, open_workspace

#: What is made, by name: the two cities that the budgets are stated for.
CITIES: dict[str, JobSpec] = {
    "helsinki": JobSpec(),
    "large": JobSpec(city="synthetic:26000@1", zone_count=200, days=8, test_days=2),
}
#: Most that each may be: (name, unit, Helsinki, large). Sizes in KB of 1,000 bytes, gzip.
BUDGETS = (
    ("first drawn map, whole page", "ms", 1500.0, 2000.0),
    ("slider step to pixels", "ms", 45.0, 80.0),
    ("main thread a step", "ms", 15.0, 35.0),
    ("requests a step", "", 0.0, 0.0),
    ("zone click to chart", "ms", 200.0, 250.0),
    ("whole-day data, gzip", "KB", 120.0, 1400.0),
    ("script, style, font without Plotly, gzip", "KB", 850.0, 850.0),
    ("first progress of a run", "s", 1.5, 1.5),
    ("cancel takes effect", "s", 2.0, 2.0),
    ("browser memory", "MB", 250.0, 400.0),
    ("outside requests", "", 0.0, 0.0),
    ("console errors", "", 0.0, 0.0),
    ("axe-core violations", "", 0.0, 0.0),
)


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module.

    Raises
    ------
    InputError
        Without Playwright or Chromium, or for a workspace that is not there.
    """
    parser = argparse.ArgumentParser(prog="zonewise benchmark app")
    parser.add_argument(
        "--only", nargs="*", choices=sorted(CITIES), default=[], help="cities; both where none is named"
    )
    parser.add_argument("--workspace", help="measure this one instead, against Helsinki's budgets")
    parser.add_argument("--rounds", type=int, default=5, help="visits that a median is taken of")
    wanted = parser.parse_args(list(arguments))
    names = [wanted.workspace] if wanted.workspace else wanted.only or list(CITIES)
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    with visitor() as person:
        for name in names:
            space = open_workspace(wanted.workspace) if wanted.workspace else made(name)
            found = measure(space, person, rounds=wanted.rounds)
            told[name] = found
            for what, unit, usual, large in BUDGETS:
                figures.append(
                    figure(
                        f"{name}: {what}", found[what], unit, target=large if name == "large" else usual, n=found["n"]
                    )
                )
    return {"figures": figures, "cities": told}


def made(name: str) -> Workspace:
    """The workspace of a city, made where it is not there yet."""
    space = open_workspace(f"bench-{name}")
    if name == "large":
        make_workspace(space, CITIES[name])
    else:
        Job(space, CITIES[name]).run()
    return space


def measure(space: Workspace, person: Visitor, *, rounds: int) -> dict[str, Any]:
    """Medians over some visits, and what went wrong on any page.

    Raises
    ------
    InputError
        If the workspace has no finished live day.
    """
    if "live" not in space.describe().get("runs", {}):
        raise InputError(
            f"workspace '{space.name}' has no finished run to show; run 'zonewise demo {space.name}' first"
        )
    with served(space) as address:
        found: dict[str, Any] = {"n": rounds, "rounds": []}
        for _ in range(rounds + 1):
            found["rounds"].append(person.map_visit(address))
        found["rounds"] = found["rounds"][1:]  # the first one warms the server, as any planner before would have
        for what in found["rounds"][0]:
            values = sorted(r[what] for r in found["rounds"])
            found[what] = values[len(values) // 2]
        found |= person.weights(address)
        found |= person.job_visit(address)
        found |= faults(person, address)
    return found
