"""The zone table in pages: each zone stands on one of them, and the first to be shown holds the marked zone."""

from __future__ import annotations

import json

import pandas as pd
from plotly.utils import PlotlyJSONEncoder

from app.components.zone_table import PAGE_ROWS, zone_table

COUNT = 2 * PAGE_ROWS + 7


def _rows(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "zone_id": [f"Z{k:03d}" for k in range(count)], "name": "Street", "now": 10.0, "peak": 20.0, "low": 15.0,
            "high": 25.0, "at": "08:00", "chance": 0.2, "chance_at": "08:00", "model": "micromodel",
        }
    )  # fmt: skip


def _zones(page: int | None, selected: str | None = None) -> list[str]:
    shown = zone_table(_rows(COUNT), "no2_ug_per_m3", selected, (0.0, 60.0), page)
    text = json.dumps(json.loads(PlotlyJSONEncoder().encode(shown)))
    return [f"Z{k:03d}" for k in range(COUNT) if f'"zone": "Z{k:03d}"' in text]


def test_every_zone_stands_on_exactly_one_page():
    pages = [_zones(k) for k in (1, 2, 3)]
    assert [len(page) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 7]
    assert [zone for page in pages for zone in page] == [f"Z{k:03d}" for k in range(COUNT)]


def test_the_first_page_shown_holds_the_marked_zone():
    assert f"Z{PAGE_ROWS:03d}" in _zones(None, f"Z{PAGE_ROWS:03d}")
    assert "Z000" in _zones(None, "nowhere")


def test_a_page_beyond_the_last_is_the_last():
    assert _zones(9) == _zones(3)
