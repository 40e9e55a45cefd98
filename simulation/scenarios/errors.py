"""What can be wrong with a scenario: every fault at once, each with its line where it came from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from simulation.errors import SimulationError


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what is wrong, which entry it is in (e.g. `measures[1].street`), and its line, if from a file."""

    text: str
    where: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line is not None else self.where
        return f"{place}: {self.text}" if place else self.text


class ScenarioError(SimulationError, ValueError):
    """A scenario that cannot be understood or does not fit the city; `faults` lists all of them."""

    def __init__(self, faults: Sequence[Fault | str], *, source: str = "") -> None:
        self.faults: tuple[Fault, ...] = tuple(f if isinstance(f, Fault) else Fault(f) for f in faults)
        self.source = source
        head = f"{source}: " if source else ""
        if len(self.faults) == 1:
            text = f"{head}{self.faults[0]}"
        else:
            text = f"{head}{len(self.faults)} faults:\n" + "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(text)


def did_you_mean(word: str, known: Iterable[str], *, show: int = 8, folded: Callable[[str], str] = str.casefold) -> str:
    """The tail of a message about an unknown word: the closest known one, or some of those that exist.

    `folded` makes words alike that shall count as one.
    """
    names = [str(name) for name in known]
    plain = {folded(name): name for name in names}
    asked = folded(word)
    close = get_close_matches(asked, list(plain), n=3, cutoff=0.6)
    close += [name for name in plain if len(asked) >= 4 and asked in name and name not in close][: 3 - len(close)]
    if close:
        return "did you mean " + " or ".join(repr(plain[name]) for name in close) + "?"
    if not names:
        return "there are none"
    listed = ", ".join(names[:show])
    return f"allowed: {listed}" + (f" and {len(names) - show} more" if len(names) > show else "")
