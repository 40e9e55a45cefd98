"""Standing: which version of one model is in force, what was before it, and whether it is pinned.

Everything that may change about a zone's model is in this one small file, so that a change is one atomic write. Each
change has a number; the log is written before the standing, and an entry whose number the standing never reached was
never carried out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MOST_HISTORY = 50  # versions that can be rolled back through
ACTIONS = ("promote", "rollback", "pin", "unpin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in force.

    Attributes
    ----------
    version : str
        In force, e.g. `0003`; empty before the first promotion.
    history : tuple of str
        Versions in force before, oldest first: a roll back takes the last one.
    change : int
        Number of the change that led here, 1 the first.
    since : str
        When `version` went into force, ISO 8601, UTC.
    by, why : str
        Who put it into force, and the reason.
    pin : mapping or None
        `by`, `why`, `since` where a person holds the version; automatic promotion then leaves it.
    """

    version: str = ""
    history: tuple[str, ...] = ()
    change: int = 0
    since: str = ""
    by: str = ""
    why: str = ""
    pin: Mapping[str, str] | None = None

    @property
    def previous(self) -> str | None:
        """Version that a roll back puts in force."""
        return self.history[-1] if self.history else None

    def promoted(self, version: str, *, when: str, by: str, why: str) -> Standing:
        """A version put in force; the one before joins the history."""
        before = (*self.history, self.version)[-MOST_HISTORY:] if self.version else self.history
        return replace(
            self, version=version, history=before, change=self.change + 1, since=when, by=by, why=why
        )  # fmt: skip

    def rolled_back(self, version: str, *, when: str, by: str, why: str) -> Standing:
        """A version of the history put in force again; it and what came after it leave the history."""
        at = len(self.history) - 1 - self.history[::-1].index(version)
        return replace(
            self, version=version, history=self.history[:at], change=self.change + 1, since=when, by=by, why=why
        )

    def pinned(self, *, when: str, by: str, why: str) -> Standing:
        """The version in force held by a person."""
        return replace(self, change=self.change + 1, pin={"by": by, "why": why, "since": when})

    def unpinned(self) -> Standing:
        """Open to automatic promotion again."""
        return replace(self, change=self.change + 1, pin=None)

    def encode(self) -> bytes:
        """As JSON."""
        value = {
            "version": self.version, "previous": self.previous, "since": self.since, "by": self.by, "why": self.why,
            "pin": None if self.pin is None else dict(self.pin), "history": self.history, "change": self.change,
        }  # fmt: skip
        return json.dumps(value).encode()

    @classmethod
    def decode(cls, data: bytes) -> Standing:
        """From JSON; `ValueError`, `KeyError` or `TypeError` where it is damaged."""
        value = json.loads(data)
        if not isinstance(value["version"], str) or not value["version"].isdigit():
            raise ValueError(f"version is {value['version']!r}, not a number such as '0001'")
        before = value.get("history", [value["previous"]] if value.get("previous") else [])
        pin = value.get("pin")
        return cls(
            version=value["version"], history=tuple(str(v) for v in before), change=int(value.get("change", 0)),
            since=str(value.get("since", "")), by=str(value.get("by", "")), why=str(value.get("why", "")),
            pin=None if pin is None else {key: str(pin.get(key, "")) for key in ("by", "why", "since")},
        )  # fmt: skip

    @classmethod
    def replayed(cls, entries: Iterable[Mapping[str, Any]]) -> Standing:
        """Where the entries of a log lead, oldest first: what a damaged standing was."""
        now = cls()
        for entry in entries:
            told = {"when": str(entry["when"]), "by": str(entry["by"]), "why": str(entry["why"])}
            if entry["action"] == "promote":
                now = now.promoted(str(entry["version"]), **told)
            elif entry["action"] == "rollback" and entry["version"] in now.history:
                now = now.rolled_back(str(entry["version"]), **told)
            elif entry["action"] == "pin":
                now = now.pinned(**told)
            elif entry["action"] == "unpin":
                now = now.unpinned()
            now = replace(now, change=int(entry["change"]))
        return now
