"""The doctor: everything in a workspace looked at, in order, and what is safe mended where asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.care import room_checks as rooms
from app.care.findings import Finding
from app.care.run_checks import check_runs
from data.store.workspace import Workspace


def examine(
    workspace: Workspace, *, repair: bool = False, migrate: bool = False, thorough: bool = True
) -> list[Finding]:
    """Look at all of a workspace.

    Parameters
    ----------
    workspace : Workspace
    repair : bool
        Mend what can be mended without losing anything: damaged things are moved to `quarantine/`, the description
        before a damaged one is taken, standings of models are taken from their log. Nothing is deleted.
    migrate : bool
        Bring older formats to the present one.
    thorough : bool
        Read every table too, not only its digest.

    Returns
    -------
    list of Finding
        In the order of the checks; empty where all is well.
    """
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: rooms.check_disk(workspace),
        lambda: rooms.check_description(workspace),
        lambda: check_runs(workspace, thorough=thorough, migrate=migrate),
        lambda: rooms.check_references(workspace),  # after damaged runs were put aside
        lambda: rooms.check_observations(workspace),
        lambda: rooms.check_models(workspace, repair=repair),
        lambda: rooms.check_alarms(workspace),
        lambda: rooms.check_jobs(workspace),
        lambda: rooms.check_leftovers(workspace),
    ]
    found: list[Finding] = []
    for check in checks:
        for one in list(check()):
            mends = repair or (migrate and "--migrate" in one.cure)
            found.append(one.mended() if mends else one)
    return found
