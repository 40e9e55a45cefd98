"""Limits that a forecast is held against, with their legal names."""

from __future__ import annotations

from dataclasses import dataclass

from app.texts import t


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of concentration and where it comes from; both are means over a day."""

    value: float  # ug/m3
    name: str
    source: str


#: Daily limits from 1 January 2030, Directive (EU) 2024/2881, Annex I, table 1.
EU_2030 = {
    "no2_ug_per_m3": Limit(value=50.0, name=t("limit.eu"), source=t("limit.eu.source")),
    "pm25_ug_per_m3": Limit(value=25.0, name=t("limit.eu"), source=t("limit.eu.source")),
}
#: 24-hour guideline levels, WHO global air quality guidelines 2021 (ISBN 978-92-4-003422-8).
WHO_2021 = {
    "no2_ug_per_m3": Limit(value=25.0, name=t("limit.who"), source=t("limit.who.source")),
    "pm25_ug_per_m3": Limit(value=15.0, name=t("limit.who"), source=t("limit.who.source")),
}
