"""Limits that a forecast is held against, with their legal names."""

from __future__ import annotations

from dataclasses import dataclass

from app.texts import t


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of concentration and where it comes from; both are means over a day."""

    value: float  # ug/m3
    key: str  # of its words

    @property
    def name(self) -> str:
        """As the law calls it."""
        return t(self.key)

    @property
    def source(self) -> str:
        """Where it stands."""
        return t(f"{self.key}.source")


#: Daily limits from 1 January 2030, Directive (EU) 2024/2881, Annex I, table 1.
EU_2030 = {
    "no2_ug_per_m3": Limit(value=50.0, key="limit.eu"),
    "pm25_ug_per_m3": Limit(value=25.0, key="limit.eu"),
}
#: 24-hour guideline levels, WHO global air quality guidelines 2021 (ISBN 978-92-4-003422-8).
WHO_2021 = {
    "no2_ug_per_m3": Limit(value=25.0, key="limit.who"),
    "pm25_ug_per_m3": Limit(value=15.0, key="limit.who"),
}
