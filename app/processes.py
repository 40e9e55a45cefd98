"""Which process holds a job, told so that neither a reused number nor a restart of the machine is mistaken for it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

#: A process of another machine or container is believed dead when it has not been heard for so long.
SILENT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A process, anywhere and at any time.

    Attributes
    ----------
    pid : int
        Its number, of its own machine or container.
    begun : str
        When it began, in the system's ticks since its start; empty where the system does not tell.
    boot : str
        The system's id since its start; empty where it does not tell.
    place : str
        Machine and container: numbers mean nothing elsewhere.
    """

    pid: int
    begun: str = ""
    boot: str = ""
    place: str = ""

    @classmethod
    def of(cls, pid: int) -> Mark:
        """A process of this machine."""
        return cls(pid=pid, begun=_begun(pid), boot=boot(), place=place())

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Mark | None:
        """Inverse of `text`; None for what is none."""
        try:
            told = json.loads(text)
            return cls(**{**told, "pid": int(told["pid"])})
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def restarted(self) -> bool:
        """Whether its machine has started anew since."""
        return bool(self.boot and boot() and self.boot != boot() and self.place == place())

    def alive(self, silent_s: float | None) -> bool:
        """Whether it still runs.

        Parameters
        ----------
        silent_s : float or None
            Seconds since it was last heard: what counts for a process of another machine; None where never.
        """
        if self.place and self.place != place():
            return silent_s is not None and abs(silent_s) < SILENT_S
        if self.restarted or not running(self.pid):
            return False
        now = _begun(self.pid)
        return not (self.begun and now and now != self.begun)


def running(pid: int) -> bool:
    """Whether a process of that number runs here; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    fields = _stat(pid)
    return not fields or fields[0] != "Z"


@cache
def boot() -> str:
    """Id of the system since its start."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def place() -> str:
    """This machine and, in a container, this one of its spaces of process numbers."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{socket.gethostname()} {space}".strip()


def _begun(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _stat(pid: int) -> list[str]:
    """Fields of a process after its name: state first, start time twentieth."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
