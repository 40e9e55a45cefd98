"""How many jobs a workspace takes: at once, open by one user, and open in all. What is above waits, or is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass

from data.errors import InputError


class TooManyJobsError(InputError):
    """A user, or a workspace, has as many open jobs as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of one workspace.

    Attributes
    ----------
    at_once : int
        Workers that run together; more jobs wait in a queue. Of several users' jobs that of the user with the fewest
        running goes first, then the oldest.
    open_by_user, open_in_all : int
        Jobs that wait or run; one more is refused.
    """

    at_once: int = 2
    open_by_user: int = 20
    open_in_all: int = 200

    @classmethod
    def from_environment(cls) -> JobLimits:
        """From `ZONEWISE_JOBS_AT_ONCE`, `ZONEWISE_JOBS_BY_USER` and `ZONEWISE_JOBS_IN_ALL`.

        Raises
        ------
        InputError
            If one is no number above 0.
        """
        usual = cls(at_once=max(2, os.cpu_count() or 1))
        names = {"at_once": "AT_ONCE", "open_by_user": "BY_USER", "open_in_all": "IN_ALL"}
        found, faults = {}, []
        for field, name in names.items():
            text = os.environ.get(f"ZONEWISE_JOBS_{name}", "").strip()
            if text and not (text.isdecimal() and int(text) > 0):
                faults.append(f"ZONEWISE_JOBS_{name}={text!r}")
            found[field] = int(text) if text.isdecimal() and int(text) > 0 else getattr(usual, field)
        if faults:
            raise InputError(f"{', '.join(faults)}: allowed are whole numbers above 0")
        return cls(**found)

    def check(self, by: str, own: int, every: int) -> None:
        """Refuse one more job.

        Raises
        ------
        TooManyJobsError
        """
        if own >= self.open_by_user:
            raise TooManyJobsError(
                f"{by} has {own} jobs waiting or running, as many as one user may have here; wait for one or stop one"
                " ('zonewise jobs list')"
            )
        if every >= self.open_in_all:
            raise TooManyJobsError(
                f"{every} jobs wait or run, as many as this workspace takes; try again later ('zonewise jobs list')"
            )
