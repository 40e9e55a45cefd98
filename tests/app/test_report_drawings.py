"""Maps and charts of a report: pure functions of geometry and numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, Polygon, box

import app
from app.reports.charts import hour_chart
from app.reports.maps import DIVERGING, LEVELS, Frame, limit_of, link_map, shade, streets_of, zone_map
from app.reports.quantities import number, surely, words
from data.toy import toy_links

HOLE = [(140, 40), (160, 40), (160, 60)]
ZONES = gpd.GeoDataFrame(
    {"zone_id": ["A", "B"], "name": ['<script>alert("x")</script>', "B & co"]},
    geometry=[box(0, 0, 100, 100), Polygon([(100, 0), (200, 0), (200, 100), (100, 100)], [HOLE])],
    crs=3067,
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def test_differences_have_the_colours_of_the_app():
    """One scale on screen and on paper: orange is more, grey is none, purple is less."""
    styles = (Path(app.__file__).parent / "assets" / "zonewise.css").read_text()
    assert list(DIVERGING) == re.findall(r"--differs-\d: (#[0-9a-f]{6});", styles)[:7]
    assert shade(1.0, 1.0, DIVERGING, around_zero=True) == "#b35806"
    assert shade(0.0, 1.0, DIVERGING, around_zero=True) == "#d9dde3"
    assert shade(-5.0, 1.0, DIVERGING, around_zero=True) == "#542788"
    assert shade(float("nan"), 1.0, DIVERGING, around_zero=True) == "#ffffff"
    assert [shade(v, 10.0, LEVELS, around_zero=False) for v in (0, 3, 10)] == [LEVELS[0], LEVELS[1], LEVELS[4]]


@pytest.mark.parametrize(("most", "limit"), [(0.03, 0.05), (1.0, 1.0), (1.01, 2.0), (700.0, 1000.0), (0.0, 1.0)])
def test_the_end_of_a_scale_is_round(most, limit):
    """1, 2 or 5 times a power of ten, at least as large as nearly all magnitudes."""
    assert limit_of(np.array([most, -most, np.nan])) == pytest.approx(limit)


def test_a_path_is_in_whole_units_with_north_up():
    """100 m square in a drawing 1,000 wide with 20 of margin: the corner south-west is at the left bottom."""
    frame = Frame.of((0, 0, 100, 100))
    assert frame.height == 1000
    assert frame.path(LineString([(0, 0), (100, 0), (100, 100)])) == "M20 980l960 0l0 -960"
    assert frame.path(LineString([(0, 0), (0.001, 0)])) == ""  # shorter than a unit


def test_a_map_of_zones_is_xml_that_says_each_zone_and_hatches_the_unsure_one():
    """Two zones, one unsure: two titles of zones and one hatched path; markup in a name stays text."""
    text = zone_map(
        ZONES, {"A": 2.0, "B": -0.1}, title="NO2 <b>", unit="µg/m³", limit=2.0, difference=True,
        unsure=frozenset({"B"}), marked=[LineString([(0, 0), (200, 100)])], ident="q",
    )  # fmt: skip
    root = ET.fromstring(text)
    said = [one.text for one in root.iter(f"{SVG}title")]
    assert said == ["NO2 <b>", '<script>alert("x")</script>: +2.00 µg/m³', "B & co: −0.100 µg/m³ (not sure)"]
    fills = [one.get("fill") for one in root.iter(f"{SVG}path")]
    assert fills.count("url(#qh)") == 1 and DIVERGING[0] in fills
    assert {one.get("id") for one in root.iter(f"{SVG}pattern")} == {"qh"}
    assert not list(root.iter(f"{SVG}script")) and "hatched" in text
    holed = [one for one in root.iter(f"{SVG}path") if one.get("d").count("M") == 2 and len(one)]
    assert [one[0].text[:6] for one in holed] == ["B & co"]


def test_both_directions_of_a_street_are_one_line_with_the_sum_of_both():
    """The toy town has 80 links, each street twice: 40 lines, and no vehicle is lost."""
    links = toy_links().assign(before=1.0, after=np.arange(80.0))
    streets = streets_of(links, ("before", "after"))
    assert len(links) == 80 and len(streets) == 40
    assert (streets["before"] == 2.0).all() and streets["after"].sum() == np.arange(80.0).sum()


def test_only_streets_that_change_are_coloured_and_the_largest_comes_last():
    """Of four streets, one loses 100 and one gains 40: two coloured paths, the loss on top."""
    links = gpd.GeoDataFrame(
        {"name": ["a", None, "c", "d"]}, geometry=[LineString([(0, k), (100, k)]) for k in range(0, 40, 10)], crs=3067
    )
    text = link_map(links, np.array([-100.0, 40.0, 1.0, 0.0]), title="t", unit="veh/h", limit=100.0, difference=True)
    said = [one.text for one in ET.fromstring(text).iter(f"{SVG}title")]
    assert said == ["t", "street without a name: +40.0 veh/h", "a: −100 veh/h"]


def test_bars_whose_interval_holds_0_are_hollow():
    """Hour 8 surely more, hour 9 not sure, hour 10 with one pair alone."""
    nan = np.nan
    text = hour_chart(
        np.array([8, 9, 10]), np.array([2.0, 1.0, 1.0]), np.array([1.0, -1.0, nan]), np.array([3.0, 3.0, nan]),
        title="Delay", unit="h",
    )  # fmt: skip
    fills = re.findall(r'<rect [^>]*fill="([^"]+)"', text)
    assert fills == [DIVERGING[1], "none", "none"]
    assert "8 h: +2.00 h, 90 % interval +1.00 to +3.00" in text


def test_figures_are_said_in_words_and_three_digits():
    """No powers of ten, a true minus; what has no way is 'none'."""
    assert [number(v, sign=True) for v in (1234.5, -0.0012345, 0.0)] == ["+1,234", "−0.00123", "0"]
    assert number(float("nan")) == "" and number(float("inf")) == "none"
    assert words("jobs_within_20_min") == "Jobs within 20 minutes by car"
    assert words("no2_hours_above_200") == "People times hours above 200 µg/m³ of NO2"
    assert words("my_own_figure") == "my own figure"
    assert [surely(1, 2), surely(-2, -1), surely(-1, 1), surely(0, 0)] == ["more", "less", "not sure", "no change"]
