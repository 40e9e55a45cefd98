"""The outlook of a workspace's zones, and its newest readings as a defence lets them pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from data.errors import InputError
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.outlook import Outlook


def workspace_outlook(
    workspace: Workspace, *, zone: str | None = None, target: str | None = None, seed: int = 0
) -> list[Outlook]:
    """What is to be said of zones, a table and sentences by target.

    Parameters
    ----------
    zone : str or None
        One zone, by id or name; None takes all.
    target : str or None
        One quantity; None takes every one that zones have as their task.
    seed : int

    Raises
    ------
    InputError
        If there are no models, or no such zone or target.
    """
    from app.monitoring import alarm_book, watched
    from models.outlook import outlook

    seen = watched(workspace)
    models, panel = seen.serving, seen.panel
    told = workspace.describe()["runs"]
    table = workspace.runs.read(told["city"], "zones")
    names = dict(zip(table["zone_id"].astype(str), table["name"].astype(str)))
    choices = workspace.runs.read(told["training"], "choices")
    tasks = choices[choices["is_task"]]
    wanted = sorted(set(tasks["target"])) if target is None else [target]
    lacking = [name for name in wanted if name not in panel.values]
    if lacking:
        raise InputError(f"no readings of '{lacking[0]}' in the workspace; there are {sorted(panel.values)}")
    ids = None if zone is None else (_zone_id(zone, names),)
    alarms = alarm_book(workspace).table()
    found = []
    for name in wanted:
        mine = tuple(tasks.loc[tasks["target"] == name, "zone_id"]) if ids is None and target is None else ids
        serving = {place: model for (place, of), model in models.items() if of == name}
        if zone is not None and target is None and ids is not None and not _is_task(tasks, ids[0], name):
            continue
        found.append(outlook(panel, name, models=serving, alarms=alarms, zone_ids=mine, names=names, seed=seed))
    return found


def joined(found: list[Outlook]) -> pd.DataFrame:
    """The tables of several targets as one, zones first."""
    table = pd.concat([part.table for part in found], ignore_index=True)
    return table.sort_values(["zone_id", "target"], kind="stable", ignore_index=True)


def _is_task(tasks: pd.DataFrame, zone: str, target: str) -> bool:
    return bool(((tasks["zone_id"] == zone) & (tasks["target"] == target)).any())


def _zone_id(zone: str, names: dict[str, str]) -> str:
    """Id of a zone that was called by id or name."""
    if zone in names:
        return zone
    alike = [key for key, name in names.items() if name.casefold() == zone.casefold()]
    if len(alike) != 1:
        some = ", ".join(f"{key} ({name})" for key, name in list(names.items())[:8])
        raise InputError(f"no zone '{zone}' in the workspace; there are {some}{' ...' if len(names) > 8 else ''}")
    return alike[0]
