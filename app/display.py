"""How a stored column is shown to people, in the language that is spoken: as `data.units.DISPLAY`, translated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.texts import t
from data.units import DISPLAY as STORED

_UNITS = {"veh/h": "unit.vehicles", "people/h": "unit.people.hour"}


class _Shown(Mapping[str, tuple[str, float, int, str]]):
    """Column to unit, factor from the stored unit, decimals and name."""

    def __getitem__(self, column: str) -> tuple[str, float, int, str]:
        unit, factor, digits, _ = STORED[column]
        return (t(_UNITS[unit]) if unit in _UNITS else unit), factor, digits, t(f"display.{column}")

    def __iter__(self) -> Iterator[str]:
        return iter(STORED)

    def __len__(self) -> int:
        return len(STORED)


DISPLAY: Mapping[str, tuple[str, float, int, str]] = _Shown()
