"""The errors that every room shares: one root, so that a caller can catch all of ours and nothing else."""

from __future__ import annotations

from collections.abc import Sequence


class ZonewiseError(Exception):
    """Root of every error that Zonewise raises on purpose; its text is meant for the person at the keyboard."""


class InputError(ZonewiseError, ValueError):
    """Something given from outside (a file, an option, a form) cannot be used."""


class FileFormatError(InputError):
    """A file is damaged, or is not of the format that its name promises."""


class SchemaError(InputError):
    """A table breaks its schema; `faults` lists every fault that was found, not only the first."""

    def __init__(self, table: str, faults: Sequence[str]) -> None:
        self.table = table
        self.faults = tuple(faults)
        super().__init__(table, self.faults)  # the same arguments make the same error, in another process too

    def __str__(self) -> str:
        return f"table '{self.table}' has {len(self.faults)} fault(s): " + "; ".join(self.faults)


class CityError(InputError):
    """A city cannot be found, read, or made into a network."""


class StoreError(ZonewiseError, RuntimeError):
    """The run store cannot do what was asked (missing run, damaged file, disk full)."""


class ClusterError(ZonewiseError, RuntimeError):
    """A cluster cannot be reached, has other code than this machine, or cannot finish what it was given."""


class RunNotFoundError(StoreError, KeyError):
    """No finished run of that id or kind."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
