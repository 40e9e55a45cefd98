"""What can be wrong with a report."""

from __future__ import annotations

from data.errors import InputError


class ReportError(InputError):
    """A file is no report of Zonewise, was changed or cut off, or cannot be repeated here."""
