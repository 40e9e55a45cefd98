"""Charts are pure functions of view tables."""

import pandas as pd
import pytest

from app import zone_views
from app.figures.drivers import drivers, largest
from app.figures.dumbbell import dumbbell
from app.figures.fan import fan
from app.figures.horizon import horizon
from app.figures.style import DARK, LIGHT, blank
from app.limits import EU_2030


def test_the_title_of_one_axis_is_not_the_other_axis_s():
    """Unchecked figures keep the very dictionaries they are given: the axes must not share one."""
    chart = blank("light", height=200)
    chart.update_yaxes(title_text="µg/m³")
    assert chart.layout.yaxis.title.text == "µg/m³"
    assert chart.layout.xaxis.title.text is None


def test_small_contributions_are_put_together_and_the_sum_stays():
    rows = pd.DataFrame(
        {
            "feature": ["usual", *(f"f{k}" for k in range(14))],
            "label": ["Usual", *(f"F {k}" for k in range(14))],
            "contribution": [20.0, *[(-1.0) ** k * (14 - k) for k in range(14)]],
        }
    )
    short = largest(rows, kept=5)
    assert len(short) == 7
    assert short["feature"].iloc[0] == "usual"
    assert short["contribution"].sum() == pytest.approx(rows["contribution"].sum())
    chart = drivers(rows, unit="µg/m³", digits=1, theme="light")
    bars = chart.data[0]
    assert bars.x[-1] == pytest.approx(rows["contribution"].sum())
    assert bars.base[0] == bars.base[-1] == 0.0
    assert [b + x for b, x in zip(bars.base[:-2], bars.x[:-2], strict=True)] == pytest.approx(bars.base[1:-1])
    assert bars.base[-2] + bars.x[-2] == pytest.approx(bars.x[-1])


def test_long_names_of_bars_take_several_lines_and_numbers_have_room_beside_the_longest():
    """Without the room, and with a layer of its own, the numbers right of the longest bars were cut off."""
    name = "NO₂ of neighbour 2, 15 min before the last reading"
    rows = pd.DataFrame({"feature": ["usual", "f"], "label": ["Usual", name], "contribution": [20.0, 1.0]})
    chart = drivers(rows, unit="µg/m³", digits=1, theme="light")
    assert chart.data[0].y[1] == name
    assert chart.layout.yaxis.ticktext[1] == "NO₂ of neighbour 2, 15 min<br>before the last reading"
    assert chart.layout.margin.r >= 40
    assert chart.data[0].zorder is None and chart.data[0].cliponaxis is False


def test_the_fan_has_bands_a_limit_with_its_name_and_the_colours_of_its_theme(queries):
    rows = zone_views.fan(queries, "Z01", "no2_ug_per_m3")
    charts = {
        theme: fan(
            rows, now_step=58, unit="µg/m³", model="micromodel", limit=EU_2030["no2_ug_per_m3"], step=70, theme=theme
        )
        for theme in ("light", "dark")
    }
    assert any("EU 2030 daily limit 50" in (a.text or "") for a in charts["light"].layout.annotations)
    lines = {trace.name: trace.line.color for trace in charts["dark"].data if trace.name}
    assert lines["Observed"] == DARK.ink != LIGHT.ink
    band = next(trace for trace in charts["light"].data if trace.fill == "tonexty")
    assert len(band.x) == 96 - 58


def test_a_tie_is_hollow_in_the_dumbbell():
    rows = pd.DataFrame(
        {"label": ["A", "B"], "micro_mae": [1.0, 2.0], "macro_mae": [1.5, 2.0], "verdict": ["micromodel", "tie"]}
    )
    micro = dumbbell(rows, unit="km/h", ahead="1 h", theme="light").data[-1]
    assert list(micro.marker.color) == [LIGHT.surface, LIGHT.micro]


def test_the_naive_line_is_always_in_the_chart_of_horizons():
    rows = pd.DataFrame(
        {
            "model": ["micromodel", "micromodel", "seasonal_naive", "seasonal_naive"], "horizon_s": [900.0, 3600.0] * 2,
            "value": [1.0, 2.0, 3.0, 3.0], "lower": [0.9, 1.8, 2.8, 2.8], "upper": [1.1, 2.2, 3.2, 3.2],
        }
    )  # fmt: skip
    chart = horizon(rows, unit="km/h", theme=None)
    assert [trace.name for trace in chart.data] == ["Micromodel", "Same time last week"]
    assert list(chart.data[0].error_y.array) == pytest.approx([0.1, 0.2])
