"""Colours stay apart for eyes that see two kinds of light: seen as Machado, Oliveira & Fernandes (2009) simulate them.

doi:10.1109/TVCG.2009.113, severity 1; differences are Euclidean in CIE L*a*b* (D65), where about 2.3 is just seen.
"""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

import app
from app.components.parts import DIVERGING
from app.figures.style import DARK, LIGHT
from app.pages.map_forecast import BLUES

SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
MAP = (Path(app.__file__).parent / "assets" / "citymap.js").read_text()


def linear(colour: str) -> np.ndarray:
    """Linear light of `#rrggbb`."""
    c = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    x = XYZ @ np.clip(light, 0, 1) / WHITE
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(a: str, b: str, sight: str) -> float:
    return float(np.linalg.norm(lab(SIGHT[sight] @ linear(a)) - lab(SIGHT[sight] @ linear(b))))


def contrast(a: str, b: str) -> float:
    """WCAG 2's contrast."""
    low, high = sorted(float(XYZ[1] @ linear(one)) for one in (a, b))
    return (high + 0.05) / (low + 0.05)


def of_the_map(name: str) -> list[list[str]]:
    """Lists of colours of that name in the map's script: of one for both themes, or of light and dark."""
    found = re.findall(rf"\b{name}(?: =|:) \[([^\]]*)\]", MAP)
    return [re.findall(r"#[0-9a-f]{6}", one) for one in found]


def test_black_and_white_are_a_hundred_apart():
    assert apart("#000000", "#ffffff", "usual") == pytest.approx(100.0, abs=0.01)
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


def test_legends_have_the_colours_of_the_map():
    assert of_the_map("BLUES") == [BLUES]
    styles = (Path(app.__file__).parent / "assets" / "zonewise.css").read_text()
    assert re.findall(r"--free: (#[0-9a-f]{6});", styles) == re.findall(r'free: "(#[0-9a-f]{6})"', MAP)
    told = re.findall(r"--differs-\d: (#[0-9a-f]{6});", styles)
    assert of_the_map("diverging") == [told[:7], told[7:]]
    assert [f"var(--differs-{k})" for k in range(7)] == DIVERGING


@pytest.mark.parametrize("sight", SIGHT)
def test_neighbours_on_a_scale_differ(sight):
    diverging = of_the_map("diverging")
    assert len(diverging) == 2
    for scale in (BLUES, *diverging):
        assert min(apart(a, b, sight) for a, b in pairwise(scale)) > 8.0
    for scale in diverging:
        assert min(apart(a, b, sight) for a in scale[:3] for b in scale[4:]) > 20.0


def test_a_larger_difference_stands_out_more_from_the_map_s_ground():
    grounds = re.findall(r'land: "(#[0-9a-f]{6})"', MAP)
    for ground, scale in zip(grounds, of_the_map("diverging"), strict=True):
        seen = [apart(colour, ground, "usual") for colour in scale]
        assert seen[:4] == sorted(seen[:4], reverse=True) and seen[3:] == sorted(seen[3:])


@pytest.mark.parametrize("sight", SIGHT)
def test_levels_of_congestion_differ_from_each_other_and_from_free_streets(sight):
    free = re.findall(r'free: "(#[0-9a-f]{6})"', MAP)
    assert len(free) == 2
    for theme in free:
        assert min(apart(a, b, sight) for a, b in combinations([theme, *of_the_map("CONGESTION")[0]], 2)) > 15.0


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_of_a_chart_differ_and_stand_out_from_its_ground(look, sight):
    lines = [look.ink, look.micro, look.macro, look.naive, look.limit]
    assert min(apart(a, b, sight) for a, b in combinations(lines, 2)) > 14.0
    assert min(contrast(line, look.surface) for line in lines) >= 3.0
