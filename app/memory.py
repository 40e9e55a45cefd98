"""How much memory a step will take at its peak, what there is, and an end with a cure before the machine swaps.

Each step's peak is a sum of terms in the sizes of its job (links, zones, steps of the grid, targets); the bytes of each
term were measured by `zonewise benchmark trust --only memory` and hold within a quarter at other sizes. Before a step
begins its prediction is held against what is free; while a command runs, no process of it may take more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError, ZonewiseError

Term = tuple[str, Callable[["Size"], float], float]
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_CGROUP = Path("/sys/fs/cgroup")
#: Room for stacks and for what is mapped and never touched, in the limit during a run (assumed), bytes.
_SLACK = 1 << 30


class MemoryLimitError(ZonewiseError, MemoryError):
    """A step would take, or took, more memory than there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a job is; `steps` are intervals of the grid, history and test together."""

    links: int = 0
    zones: int = 0
    steps: int = 0
    targets: int = 4
    readings: int = 0

    def words(self) -> str:
        """Its numbers that count."""
        told = {"links": self.links, "zones": self.zones, "steps": self.steps, "readings": self.readings}
        return ", ".join(f"{value:,} {name}" for name, value in told.items() if value)


_SIMULATION: tuple[Term, ...] = (
    ("what Python and its packages take", lambda s: 1.0, 341e6),
    ("links", lambda s: s.links, 38_300.0),
    ("zones and steps", lambda s: s.zones * s.steps, 10_300.0),
)
#: Terms of each step: name, its size, and bytes a unit (measured).
MODELS: Mapping[str, tuple[Term, ...]] = {
    "city": (
        ("what Python and its packages take", lambda s: 1.0, 327e6),
        ("links", lambda s: s.links, 16_900.0),
    ),
    "simulation": _SIMULATION,
    "study": _SIMULATION,  # each of its simulations is a process
    "observations": (
        ("what Python and its packages take", lambda s: 1.0, 223e6),
        ("readings held at once", lambda s: s.readings, 131.0),
        ("zones and steps", lambda s: s.zones * s.steps, 110.0),
    ),
    "training": (
        ("what Python and its packages take", lambda s: 1.0, 386e6),
        ("zones and steps", lambda s: s.zones * s.steps, 3_880.0),
    ),
    "comparison": (  # which begins with a training
        ("what Python and its packages take", lambda s: 1.0, 387e6),
        ("zones and steps", lambda s: s.zones * s.steps, 3_930.0),
    ),
}  # fmt: skip


def predicted(step: str, size: Size) -> int:
    """Peak memory of a step in one process, bytes."""
    return round(sum(bytes_ * term(size) for _, term, bytes_ in MODELS[step]))


def check(step: str, size: Size, *, processes: int = 1, copies: int = 1, free: int | None = None) -> None:
    """Refuse a step that would not fit.

    Parameters
    ----------
    step : str
        Of `MODELS`.
    size : Size
    processes : int
        Processes that share the work; each takes what Python and its packages take.
    copies : int
        Processes that each do such a step whole, at the same time.
    free : int, optional
        Bytes that may be taken; default `available()`.

    Raises
    ------
    MemoryLimitError
        With what it would take, what there is, and what would help.
    """
    if step not in MODELS:
        return
    free = available() if free is None else free
    needs = copies * predicted(step, size) + (processes - 1) * round(MODELS[step][0][2])
    if needs > free:
        times = "" if copies == 1 else f", {copies} at once,"
        raise MemoryLimitError(
            f"the step '{step}' of {size.words()}{times} would take about {_gib(needs)} of memory, and {_gib(free)} is"
            f" free: {cure(step)}. ZONEWISE_MEMORY=SIZE (e.g. 12G) says that there is more or less"
        )


def cure(step: str) -> str:
    """What makes a step smaller."""
    if step == "city":
        return "take a smaller area"
    if step == "study":
        return "run fewer at once (--n-jobs 1), fewer days, or on a cluster whose workers have more memory (--cluster)"
    if step == "observations":
        return "take the last days alone (--days)"
    less = "take fewer or larger zones (--zone-count) or fewer days (--days)"
    if step == "simulation":
        return f"{less}, or a smaller area"
    return f"{less}, or train on a machine or cluster with more memory (--cluster)"


def available() -> int:
    """Bytes that this process may still take: of the machine, of its control group, or as `ZONEWISE_MEMORY` says.

    Raises
    ------
    InputError
        If `ZONEWISE_MEMORY` is no size.
    """
    told = os.environ.get("ZONEWISE_MEMORY", "")
    if told:
        return size_of(told)
    found = [_meminfo(Path("/proc/meminfo")), _cgroup(_CGROUP)]
    known = [one for one in found if one is not None]
    return min(known) if known else 1 << 62


def size_of(text: str) -> int:
    """Bytes of a size such as `12G`, `800M` or `2.5 GiB`; `InputError` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) <= 0:
        raise InputError(f"ZONEWISE_MEMORY={text!r} is no size; give e.g. 12G or 800M")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _meminfo(path: Path) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024


def _cgroup(root: Path) -> int | None:
    """What is left of a control group's limit (version 2, else 1); what it can give back of files counts as free."""
    for limit, used, stat, name in (
        (root / "memory.max", root / "memory.current", root / "memory.stat", "inactive_file"),
        (
            root / "memory/memory.limit_in_bytes", root / "memory/memory.usage_in_bytes", root / "memory/memory.stat",
            "total_inactive_file",
        ),
    ):  # fmt: skip
        try:
            most = limit.read_text().strip()
            if most == "max" or int(most) >= 1 << 60:
                return None
            back = re.search(rf"^{name} (\d+)", stat.read_text(), re.MULTILINE)
            return max(0, int(most) - int(used.read_text()) + (int(back[1]) if back else 0))
        except (OSError, ValueError):
            continue
    return None


@contextmanager
def bounded(what: str, *, free: int | None = None) -> Iterator[None]:
    """Let this process and those that it starts take no more than is free: it ends with an error, not in the swap.

    The kernel's limit on data (RLIMIT_DATA; Linux) counts what is mapped, so some slack is left.

    Raises
    ------
    MemoryLimitError
        Where the block runs out of memory.
    """
    before = None
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        most = _mapped() + (available() if free is None else free) + (_SLACK if free is None else 0)
        hard = before[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))
    except (ImportError, OSError, ValueError, OverflowError):
        before = None  # no such limit here: the prediction alone guards
    try:
        yield
    except MemoryLimitError:
        raise
    except MemoryError as error:
        raise MemoryLimitError(
            f"{what} ran out of memory and was stopped before the machine swapped; what was finished is kept, and the"
            f" same command goes on after it. {cure(what).capitalize()}"
        ) from error
    finally:
        if before is not None:
            resource.setrlimit(resource.RLIMIT_DATA, before)


def _mapped() -> int:
    """Data of this process that the limit counts already, bytes."""
    try:
        found = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 0 if found is None else int(found[1]) * 1024


def _gib(amount: float) -> str:
    return f"{amount / (1 << 30):,.1f} GiB" if amount >= 1 << 28 else f"{amount / (1 << 20):,.0f} MiB"
