"""Charts of a report as SVG: what a plan changes by hour of day, with intervals. Pure functions."""

from __future__ import annotations

from html import escape

import numpy as np

from app.reports.maps import DIVERGING, INK
from app.reports.quantities import interval, number

WIDTH, HEIGHT, LEFT, TOP = 1000, 360, 130, 20


def hour_chart(
    hours: np.ndarray, effect: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, title: str, unit: str
) -> str:
    """A bar for each hour from 0, up or down, with its interval; bars whose interval holds 0 are hollow.

    Parameters
    ----------
    hours : ndarray of int, shape (n,)
    effect, lower, upper : ndarray, shape (n,)
        In `unit`; bounds may be nan.
    title, unit : str
    """
    seen = np.concatenate([effect, lower[np.isfinite(lower)], upper[np.isfinite(upper)], [0.0]])
    low, high = float(seen.min()), float(seen.max())
    room = (high - low) or 1.0
    wide, tall = (WIDTH - LEFT - 20) / 24, HEIGHT - TOP - 60

    def y(value: float) -> float:
        return TOP + (high - value) / room * tall

    parts = [
        f'<path d="M{LEFT} {y(level):.1f}H{WIDTH - 20}" stroke="#c9ccd1"/>'
        f'<text x="{LEFT - 12}" y="{y(level) + 9:.1f}" text-anchor="end">{number(level, sign=True)}</text>'
        for level in dict.fromkeys((low, 0.0, high))
        if level == 0 or abs(y(level) - y(0.0)) > 30
    ]
    for hour, value, a, b in zip(hours, effect, lower, upper):
        x = LEFT + (int(hour) + 0.2) * wide
        sure = np.isfinite(a) and np.isfinite(b) and (a > 0 or b < 0)
        colour = DIVERGING[1] if value > 0 else DIVERGING[-2]
        top, size = min(y(float(value)), y(0.0)), abs(y(float(value)) - y(0.0))
        said = f"{int(hour)} h: {number(float(value), sign=True)} {unit}, 90 % interval {interval(float(a), float(b))}"
        fill = colour if sure else "none"
        parts.append(
            f'<rect x="{x:.1f}" y="{top:.1f}" width="{0.6 * wide:.1f}" height="{max(size, 0.5):.1f}"'
            f' fill="{fill}" stroke="{colour}" stroke-width="2"><title>{escape(said)}</title></rect>'
        )
        if np.isfinite(a) and np.isfinite(b):
            middle = x + 0.3 * wide
            line = f"M{middle:.1f} {y(float(a)):.1f}V{y(float(b)):.1f}"
            parts.append(f'<path d="{line}" stroke="{INK}" stroke-width="2"/>')
    parts += [
        f'<text x="{LEFT + (hour + 0.5) * wide:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{hour}</text>'
        for hour in range(0, 24, 3)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<g font-size="26" font-family="sans-serif" fill="{INK}">{"".join(parts)}</g></svg>'
    )
