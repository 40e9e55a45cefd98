"""When a measure holds: hours of the day by the clock on the city's walls, on some weekdays, between two dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import pandas as pd

from data.units import SECONDS_PER_DAY
from simulation.scenarios.errors import ScenarioError, did_you_mean

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Words for several weekdays.
GROUPS = {"weekdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:], "daily": WEEKDAYS}
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?")


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start_s` to `end_s`, seconds since local midnight, every day or on some days.

    An end before the start runs over midnight: 22:00 to 06:00 holds at 23:00 and at 05:59, and belongs to the day on
    which it begins. The start belongs to the hours, the end does not. An end at midnight is 86,400.

    Attributes
    ----------
    start_s, end_s : float
    days : tuple of str
        Weekdays (`WEEKDAYS`) in order; empty: all.
    first, last : str
        Dates such as "2026-06-01", both included; empty: without limit.
    """

    start_s: float
    end_s: float
    days: tuple[str, ...] = ()
    first: str = ""
    last: str = ""

    def __post_init__(self) -> None:
        faults = []
        if not (0 <= self.start_s < SECONDS_PER_DAY and 0 < self.end_s <= SECONDS_PER_DAY):
            found = f"hours from {self.start_s:g} s to {self.end_s:g} s"
            faults.append(f"{found}; the start must lie in [0, 86400), the end in (0, 86400]")
        if self.start_s == self.end_s:
            faults.append(f"start and end are both {clock(self.start_s)}; leave both out for the whole day")
        faults += [
            f"unknown weekday {day!r}; {did_you_mean(day, WEEKDAYS)}" for day in self.days if day not in WEEKDAYS
        ]
        wrong = [text for text in (self.first, self.last) if text and not _is_date(text)]
        faults += [f'{text!r} is not a date; write "YYYY-MM-DD", e.g. "2026-06-01"' for text in wrong]
        if not wrong and self.first and self.last and self.first > self.last:
            faults.append(f"the first day {self.first} is after the last, {self.last}")
        if faults:
            raise ScenarioError(faults)

    @property
    def on_some_days(self) -> bool:
        """Whether they do not hold every day."""
        return bool(self.days or self.first or self.last)

    def hold_at(self, local_s: float) -> bool:
        """Whether they hold at a time of day, seconds since local midnight, if they hold that day at all."""
        if self.start_s < self.end_s:
            return self.start_s <= local_s < self.end_s
        return local_s >= self.start_s or local_s < self.end_s

    def hold_on(self, day: date) -> bool:
        """Whether they begin on a day."""
        text = day.isoformat()
        if self.days and WEEKDAYS[day.weekday()] not in self.days:
            return False
        return (not self.first or text >= self.first) and (not self.last or text <= self.last)

    def hold(self, moment: pd.Timestamp) -> bool:
        """Whether they hold at a moment of the city's clock."""
        local_s = moment.hour * 3600.0 + moment.minute * 60.0 + moment.second + round(moment.microsecond / 1e6, 3)
        if not self.hold_at(local_s % SECONDS_PER_DAY):
            return False
        began_yesterday = self.start_s >= self.end_s and local_s < self.end_s
        day = moment.date()
        return self.hold_on(date.fromordinal(day.toordinal() - 1) if began_yesterday else day)

    def __str__(self) -> str:
        text = f"{clock(self.start_s)}-{clock(self.end_s)}"
        text += f", {days_in_words(self.days)}" if self.days else ""
        if self.first and self.first == self.last:
            return f"{text}, on {self.first}"
        text += f", from {self.first}" if self.first else ""
        return text + (f" to {self.last}" if self.last and self.first else f", until {self.last}" if self.last else "")


def weekdays_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """Weekdays of words such as `mon`, `Monday`, `weekdays` or `weekend`, in the order of the week; all seven: none.

    Raises
    ------
    ScenarioError
        Naming every word that is none.
    """
    found: set[str] = set()
    wrong = []
    for word in words:
        plain = word.strip().casefold()
        if plain in GROUPS:
            found.update(GROUPS[plain])
        elif plain[:3] in WEEKDAYS and (len(plain) == 3 or plain.endswith("day")):
            found.add(plain[:3])
        else:
            wrong.append(f"unknown weekday {word!r}; {did_you_mean(word, [*WEEKDAYS, *GROUPS], show=10)}")
    if wrong:
        raise ScenarioError(wrong)
    return () if len(found) == len(WEEKDAYS) else tuple(day for day in WEEKDAYS if day in found)


def days_in_words(days: tuple[str, ...]) -> str:
    """`weekdays`, `weekend`, `Mon, Wed`."""
    for name, group in GROUPS.items():
        if days == group:
            return name
    return ", ".join(day.capitalize() for day in days)


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


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
