"""Case `app`: the app's budgets in headless Chromium, on Helsinki and on a made city of 26,000 links and 200 zones.

The app runs under its own server with one worker. A workspace that is not there is made first: `bench-helsinki` by the
main job, `bench-large` with made days (see `cities`, `large`); it is kept, so that a second run begins at once.

`--only helsinki`, `large` and `pages` choose parts: each city's map, weights, runs and memory, and what is wrong on any
page of either; all where none is named. `--workspace NAME` measures any other against Helsinki's budgets. A part that
fails leaves a note, and the others go on. Needs Playwright (extra `dev`) and Chromium.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

from app.benchmarks import figure
from app.benchmarks.app.cities import CITIES, city_workspace, made_by_this_code, tell
from app.benchmarks.app.pages import faults
from app.benchmarks.app.serving import served
from app.benchmarks.app.visit import MEMORY, WHOLE_MEMORY, Visitor, browser_faults, visitor
from data.errors import InputError
from data.store.workspace import Workspace, open_workspace

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
    (MEMORY, "MB", 250.0, 400.0),
    ("outside requests", "", 0.0, 0.0),
    ("console errors", "", 0.0, 0.0),
    ("axe-core violations", "", 0.0, 0.0),
)
#: Empty browsers that are measured.
EMPTY = 3
#: Told beside the budgets: a browser takes memory before it has opened any page.
EMPTY_PAGE, SHARE = "{}, empty page", f"{WHOLE_MEMORY}, the app's share"
TOLD = (EMPTY_PAGE.format(MEMORY), WHOLE_MEMORY, EMPTY_PAGE.format(WHOLE_MEMORY), SHARE)
PAGES = "pages"


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module.

    Raises
    ------
    InputError
        Without Playwright or Chromium, for a workspace that is not there, or if no part could be measured.
    """
    wanted = _parser().parse_args(list(arguments))
    named = set(wanted.only) - {PAGES}
    cities = [wanted.workspace] if wanted.workspace else sorted(named or CITIES)
    speed = not wanted.only or bool(named)
    pages = not wanted.only or PAGES in wanted.only
    told: dict[str, Any] = {}
    notes: list[str] = []
    begun = time.monotonic()
    with visitor() as person:
        for name in cities:
            space = open_workspace(wanted.workspace) if wanted.workspace else city_workspace(name, fresh=wanted.fresh)
            told[name] = {
                "n": wanted.rounds, "made by this code": made_by_this_code(space),
                **measure(space, person, rounds=wanted.rounds, speed=speed, pages=pages, notes=notes, name=name),
            }  # fmt: skip
            tell(f"{name}: done after {time.monotonic() - begun:.0f} s")
    figures = [f for name in cities for f in figures_of(name, told[name])]
    if not figures:
        raise InputError("nothing was measured: " + "; ".join(notes))
    return {"figures": figures, "cities": told, "notes": notes, "seconds": round(time.monotonic() - begun, 1)}


def figures_of(name: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the budgets that were measured, and what is told beside them."""
    rows = [
        figure(f"{name}: {what}", found[what], unit, target=large if name == "large" else usual, n=found["n"])
        for what, unit, usual, large in BUDGETS
        if what in found
    ]
    return rows + [
        figure(f"{name}: {what}", found[what], "MB", n=min(found["n"], EMPTY)) for what in TOLD if what in found
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zonewise benchmark app")
    parser.add_argument(
        "--only", nargs="*", choices=[*sorted(CITIES), PAGES], default=[],
        help="cities whose map, weights, runs and memory are measured, and whether pages are walked; all at first",
    )  # fmt: skip
    parser.add_argument("--workspace", help="measure this one instead, against Helsinki's budgets")
    parser.add_argument("--rounds", type=int, default=3, help="visits that a median is taken of")
    parser.add_argument("--fresh", action="store_true", help="make the workspaces that this code would make")
    return parser


def measure(
    space: Workspace, person: Visitor, *, rounds: int, speed: bool, pages: bool, notes: list[str], name: str
) -> dict[str, Any]:
    """Medians over some visits, and what went wrong on any page.

    Parameters
    ----------
    space, person : Workspace, Visitor
    rounds : int
        Visits that count; one before them warms the server.
    speed, pages : bool
        Whether times, weights and memory are taken, and whether every page is walked.
    notes : list of str
        Takes what could not be measured, and why.
    name : str
        What progress is told under.

    Raises
    ------
    InputError
        If the workspace has no finished live day.
    """
    if "live" not in space.describe().get("runs", {}):
        raise InputError(
            f"workspace '{space.name}' has no finished run to show; run 'zonewise demo {space.name}' first"
        )
    found: dict[str, Any] = {}

    def part(what: str, take: Callable[[], dict[str, Any]]) -> None:
        tell(f"{name}: {what}")
        try:
            taken = take()
            found.update(taken)
            for row, unit, *_ in BUDGETS:
                if row in taken:
                    tell(f"{name}:   {row}: {taken[row]:,.2f} {unit}")
        except browser_faults() as error:
            notes.append(f"{name}: {what}: {str(error).splitlines()[0]}")
            tell(f"{name}: {what} failed: {error}")

    with served(space) as address:
        if speed:
            part("visits", lambda: visits(person, address, rounds, name))
            part("empty browsers", lambda: empty(person, rounds, found))
            part("weights", lambda: person.weights(address))
            part("a run", lambda: person.job_visit(address))
        if pages:
            part("pages", lambda: faults(person, address, lambda where: tell(f"{name}: {where}")))
    return found


def visits(person: Visitor, address: str, rounds: int, name: str) -> dict[str, Any]:
    """Medians over visits to the map; the first warms the server, as any planner before would have."""
    taken = []
    for k in range(rounds + 1):
        taken.append(person.map_visit(address))
        tell(f"{name}: visit {k + 1} of {rounds + 1}")
    counted = taken[1:]
    return {"rounds": counted, **{what: _middle([r[what] for r in counted]) for what in counted[0]}}


def empty(person: Visitor, rounds: int, found: dict[str, Any]) -> dict[str, Any]:
    """What a browser takes with nothing open, and what the app's page takes besides."""
    taken = [person.empty_memory() for _ in range(min(rounds, EMPTY))]
    bare = {EMPTY_PAGE.format(what): _middle([r[what] for r in taken]) for what in taken[0]}
    share = {SHARE: found[WHOLE_MEMORY] - bare[EMPTY_PAGE.format(WHOLE_MEMORY)]} if WHOLE_MEMORY in found else {}
    return {**bare, **share}


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
