"""Answers kept: what a callback of charts gave stays for the next who asks for the same, until something changes.

Only callbacks whose answer follows from what they are given and from what is stored: the runs, the models in force and
what the monitor knows. Many planners look at the same zones; a chart takes a tenth of a second to make.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from app import ids
from app.addresses import href
from app.keeping import Shelf
from app.texts import language
from data.store.workspace import Workspace

#: Of the table of roles; none of these looks at jobs, clocks, files of one's own or who asks.
LASTING = frozenset(
    {
        f"{ids.MAP}.selectedZone > {ids.MAP_PANEL_HEAD}",
        f"{ids.MAP_LAYER}.value > {ids.MAP_TABLE}",
        f"{ids.MAP_LAYER}.value > {ids.MAP_LEGEND}",
        f"{ids.COMPARE_TARGET}.value > {ids.COMPARE_KPI}",
        f"{ids.MODELS_TARGET}.value > {ids.MODELS_TABLE}",
        f"{ids.MODELS_TARGET}.value > {ids.MODELS_DETAIL}",
    }
)
MOST_BYTES = 32_000_000  # of a worker, for all workspaces that it serves
_SHELF = Shelf(MOST_BYTES)
_NUMBERS = count()
_WATCHED = ("models/log.jsonl", "models", "alarms", "alarms/entries")


class Answers:
    """Answers of one workspace in one worker, the least used forgotten first.

    Parameters
    ----------
    space : Workspace
    shelf : Shelf, optional
        Where they are kept; default one that all workspaces of the process share.
    """

    def __init__(self, space: Workspace, shelf: Shelf | None = None) -> None:
        self.space, self.shelf = space, _SHELF if shelf is None else shelf
        self._owner = next(_NUMBERS)
        weakref.finalize(self, self.shelf.forget, self._owner).atexit = False

    def key(self, body: Mapping[str, Any]) -> bytes:
        """Name of the answer to a call, as things stand now; in the language of who asks."""
        given = [[one.get("value") if isinstance(one, dict) else one for one in body.get(kind) or []]
                 for kind in ("inputs", "state")]  # fmt: skip
        where = [language(), href("")]
        text = json.dumps([stamp_of(self.space), where, body["output"], body.get("outputs"), given])
        return hashlib.sha256(text.encode()).digest()

    def find(self, key: bytes) -> bytes | None:
        """The kept answer; None where there is none."""
        found = self.shelf.find(self._owner, key)
        return None if found is None else bytes(found[0])

    def keep(self, key: bytes, answer: bytes) -> None:
        """Keep an answer, unless it alone takes more than an eighth of the room."""
        if len(answer) <= self.shelf.most // 8:
            self.shelf.put(self._owner, key, answer, len(answer))


def stamp_of(space: Workspace) -> list[int]:
    """Changes with runs in force, models, and what the monitor knows."""
    told = list(space.stamp())
    for name in _WATCHED:
        told += _stat(space.root / name)
    return told


def _stat(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return [0, 0]
    return [found.st_mtime_ns, found.st_size]
