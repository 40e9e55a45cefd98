"""Findings: what an examination of a workspace tells, each with where, what is wrong, and the command that cures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from data.errors import ZonewiseError

#: A fault keeps something from working; a warning will, or costs something; a note is for information.
FAULT, WARNING, NOTE = "fault", "warning", "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    level : str
        `fault`, `warning` or `note`.
    where : str
        Path below the workspace, or what else it is about.
    what : str
        What is wrong.
    cure : str
        What a person does about it: a command wherever there is one.
    mend : callable, optional
        Does what is safe, and says what was done; nothing is ever deleted by it.
    done : str
        What was done.
    """

    level: str
    where: str
    what: str
    cure: str
    mend: Callable[[], str] | None = None
    done: str = ""

    def mended(self) -> Finding:
        """This finding after its mending; one that failed says why."""
        if self.mend is None:
            return self
        try:
            return replace(self, done=self.mend(), mend=None)
        except (ZonewiseError, OSError) as error:
            return replace(self, what=f"{self.what}; it could not be mended: {error}", mend=None)

    @property
    def wrong(self) -> bool:
        """Whether something still is wrong."""
        return self.level == FAULT and not self.done

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {"level": self.level, "where": self.where, "what": self.what, "cure": self.cure, "done": self.done}
