"""Room on the disk: a workspace's quota, and what is free, looked at before something large is written."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError, StoreError

#: Bytes that stay free on a disk: less, and notes that mend what a full disk broke cannot be written (assumed).
LEAST_FREE = 20_000_000
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


class QuotaError(StoreError):
    """There is no room for what is to be written."""


def parse_size(text: str | int | float) -> int:
    """Bytes from a size such as `500 MB` or `20GiB`.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> parse_size("1.5 GB"), parse_size("2KiB"), parse_size(10)
    (1500000000, 2048, 10)
    """
    found = _SIZE.fullmatch(str(text))
    if found is None or found[2].upper() not in _UNITS:
        raise InputError(f"size {str(text)!r}; give a number and a unit, such as 500MB or 20GB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def told_size(size: float) -> str:
    """A size for people.

    Examples
    --------
    >>> told_size(1_530_000_000), told_size(999)
    ('1.53 GB', '999 B')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


def used_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; a file that goes meanwhile counts nothing."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return total


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of a folder, or of the nearest one above that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Room:
    """What may be written below a folder.

    Attributes
    ----------
    folder : Path
    quota : int or None
        Bytes that all files below it may take; None for no limit but the disk.
    """

    folder: Path
    quota: int | None = None

    def check(self, more: int = 0) -> None:
        """Refuse to begin where there is no room for `more` bytes.

        Raises
        ------
        QuotaError
            With what is used, what is allowed, and what to do.
        """
        cure = "'zonewise runs prune' shows what can go"
        if free_bytes(self.folder) < LEAST_FREE + more:
            raise QuotaError(
                f"the disk of {self.folder} has {told_size(free_bytes(self.folder))} left, less than"
                f" {told_size(LEAST_FREE + more)}; nothing was written. Free some disk space; {cure}"
            )
        if self.quota is None:
            return
        used = used_bytes(self.folder)
        if used + more >= self.quota:
            raise QuotaError(
                f"{self.folder} holds {told_size(used)} and may hold {told_size(self.quota)}; nothing was written."
                f' {cure}, or raise the quota (ZONEWISE_QUOTA, or "quota" in workspace.json)'
            )
