"""Hours of the day in which a measure holds, by the clock on the city's walls."""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.units import SECONDS_PER_DAY
from simulation.scenarios.errors import ScenarioError

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?")


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start_s` to `end_s`, seconds since local midnight, every day.

    An end before the start runs over midnight: 22:00 to 06:00 holds at 23:00 and at 05:59. The start belongs to the
    hours, the end does not. An end at midnight is 86,400.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.start_s < SECONDS_PER_DAY and 0 < self.end_s <= SECONDS_PER_DAY):
            found = f"hours from {self.start_s:g} s to {self.end_s:g} s"
            raise ScenarioError([f"{found}; the start must lie in [0, 86400), the end in (0, 86400]"])
        if self.start_s == self.end_s:
            raise ScenarioError([f"start and end are both {clock(self.start_s)}; leave both out for the whole day"])

    def hold_at(self, local_s: float) -> bool:
        """Whether they hold at a time of day, seconds since local midnight."""
        if self.start_s < self.end_s:
            return self.start_s <= local_s < self.end_s
        return local_s >= self.start_s or local_s < self.end_s

    def __str__(self) -> str:
        return f"{clock(self.start_s)}-{clock(self.end_s)}"


def clock(local_s: float) -> str:
    """`"07:30"` from seconds since midnight; seconds are shown where there are any."""
    minutes, second = divmod(round(local_s), 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{second:02d}" if second else text


def seconds_of(text: str) -> float:
    """Seconds since midnight of `"07:30"`, `"7:30"`, `"07:30:15"` or `"24:00"`.

    Raises
    ------
    ValueError
        If the text is no time of day.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is not a time of day; write "HH:MM", e.g. "07:30"')
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    total = hour * 3600 + minute * 60 + second
    if total > SECONDS_PER_DAY:
        raise ValueError(f'{text!r} is later than "24:00"')
    return float(total)
