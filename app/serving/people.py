"""Who asks, and what the roles are: a viewer reads, a planner starts work, an admin changes what is in force."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import has_request_context, request

from data.errors import ZonewiseError

VIEWER, PLANNER, ADMIN = "viewer", "planner", "admin"
#: From the least to the most; each may do what those before it may.
ROLES = (VIEWER, PLANNER, ADMIN)
#: Under which the person of a request stands in the WSGI environment.
PERSON = "zonewise.person"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
#: Least role that starts, repeats or stops a job of a kind; a kind that is not here is the admin's.
JOB_ROLES = {"scenario": PLANNER, "preview": PLANNER, "recommend": PLANNER, "monitor": PLANNER}


class ForbiddenError(ZonewiseError, PermissionError):
    """The role of who asks does not allow it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks; without a name where nobody signs in. `leaves`: by a session of ours, which can be ended."""

    name: str
    role: str
    leaves: bool = False

    def may(self, role: str) -> bool:
        """Whether this person's role is at least that one."""
        return ROLES.index(self.role) >= ROLES.index(role)


#: Whoever asks where nobody signs in: the one at the machine.
OWNER = Person("", ADMIN)


def is_name(text: str) -> bool:
    """Whether a text can be the name of somebody who signs in."""
    return _NAME.fullmatch(text) is not None


def current() -> Person:
    """Who asks now; the owner outside of a request, as in a command."""
    if not has_request_context():
        return OWNER
    found = request.environ.get(PERSON, OWNER)
    return found if isinstance(found, Person) else OWNER


def may(role: str) -> bool:
    """Whether who asks now has at least that role."""
    return current().may(role)


def signed(name: str | None) -> str | None:
    """The name that goes into a log: of who has signed in, whatever was typed; else what was typed."""
    return current().name or name


def need_job(kind: str) -> None:
    """Refuse a job that is above the role of who asks.

    Raises
    ------
    ForbiddenError
        With the role that it needs.
    """
    needed = JOB_ROLES.get(kind, ADMIN)
    if not may(needed):
        raise ForbiddenError(f"a job of kind '{kind}' needs the role {needed}; yours is {current().role}")
