"""The zone table: the accessible twin of the map. Rows go to the browser as data; `assets/zonetable.js` draws them."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from app.components.city_map import Plain
from app.display import DISPLAY
from app.limits import EU_2030
from app.predictive import chance_words
from app.texts import language, t


class ZoneTable(Plain):
    """A table of zones: `table` as `table_data` makes it, `selected`: the marked zone, `chosen`: the one clicked."""

    _type = "ZoneTable"
    _names: ClassVar[list[str]] = ["table", "selected", "chosen"]


def table_data(rows: pd.DataFrame, target: str, bounds: tuple[float, float]) -> dict[str, Any]:
    """Rows of `zone_views.zone_table` and the words around them, for the browser.

    Parameters
    ----------
    rows : DataFrame
        zone_id, name, now, peak, low, high, at, chance, model; shown units.
    target : str
    bounds : (float, float)
        Ends of the scale of the interval bars.

    Returns
    -------
    dict
        `rows` in the given order (`None` where a value is unknown), `limit` (ug/m3 or None), `low`, `high`, `digits`,
        `language`, `words`.
    """
    limit = EU_2030.get(target)
    digits = DISPLAY[target][2]
    value = f"{limit.value:g}" if limit else ""
    words = {
        "zone": t("table.zone"), "now": t("table.now"),
        "band": t("table.band", low=f"{bounds[0]:g}", high=f"{bounds[1]:g}"),
        "peak": t("table.low" if target == "speed_mps" else "table.peak"), "at": t("table.at"),
        "chance": t("table.chance", limit=value) if limit else "", "model": t("table.model"),
        "caption": t("table.caption" if limit else "table.caption.traffic"), "none": t("legend.none"),
        "range": t("table.range"), "page": t("table.page"), "of": t("table.of"), "before": t("table.before"),
        "after": t("table.after"), "models": {m: t(f"short.{m}") for m in ("micromodel", "macromodel", "mix")},
    }  # fmt: skip
    return {
        "rows": [_row(row) for row in rows.to_dict("records")],
        "limit": limit.value if limit else None,
        "low": bounds[0],
        "high": bounds[1],
        "digits": digits,
        "language": language(),
        "words": words,
    }


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    at = row["at"] if isinstance(row["at"], str) else None
    return {
        "id": str(row["zone_id"]), "name": str(row["name"]), "now": _known(row["now"], 2),
        "peak": _known(row["peak"], 2), "low": _known(row["low"], 2), "high": _known(row["high"], 2),
        "at": at, "chance": _known(row["chance"], 4), "words": chance_words(float(row["chance"])),
        "model": str(row["model"]),
    }  # fmt: skip


def _known(value: float, digits: int) -> float | None:
    return None if value != value else round(float(value), digits)
