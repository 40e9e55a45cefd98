"""The registry's log: who changed what, when and why, one JSON object a line, oldest first.

An entry is written before its change. One that was never carried out (its writer died in between) has the number that
the next change of the same model takes, or one beyond the standing's; readers pass over both. A line cut short by a
kill is passed over too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from data.store.protocol import SharedStore

KEY = "log.jsonl"
COLUMNS = ("when", "zone_id", "target", "action", "version", "was", "by", "why")


def now() -> str:
    """The present instant, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def entry(
    key: tuple[str, str],
    action: str,
    *,
    version: str,
    was: str | None,
    by: str,
    why: str,
    change: int | None,
    when: str,
) -> dict[str, Any]:
    """One line: `change` is its number for that model, None for a note that changes nothing in force."""
    return {
        "when": when, "zone_id": key[0], "target": key[1], "action": action, "version": version, "was": was, "by": by,
        "why": why, "change": change,
    }  # fmt: skip


def write(store: SharedStore, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add entries in one piece; the break before them ends a line that a kill cut short."""
    lines = [json.dumps(dict(e), sort_keys=True) for e in entries]
    if lines:
        store.append(KEY, ("\n" + "\n".join(lines) + "\n").encode())


def read(store: SharedStore, reached: Callable[[tuple[str, str]], int] | None = None) -> list[dict[str, Any]]:
    """Entries that count, oldest first.

    Parameters
    ----------
    reached : callable or None
        Number of the last change of a model by (zone, target); entries beyond it are left out. None keeps them.
    """
    try:
        text = store.get(KEY).decode(errors="replace")
    except KeyError:
        return []
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    known: dict[tuple[str, str], int] = {}
    for place, line in enumerate(text.splitlines()):
        found = _parsed(line)
        if found is None:
            continue
        key = (found["zone_id"], found["target"])
        if found["change"] is None:
            kept[key, "note", place] = found
            continue
        if reached is not None:
            if key not in known:
                known[key] = reached(key)
            if found["change"] > known[key]:
                continue
        kept.pop((key, found["change"]), None)  # the later one of a number was carried out
        kept[key, found["change"]] = found
    return list(kept.values())


def _parsed(line: str) -> dict[str, Any] | None:
    """An entry, or None for what is not one."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and {*COLUMNS, "change"} <= found.keys()
    if not whole or not (found["change"] is None or isinstance(found["change"], int)):
        return None
    return dict(found)
