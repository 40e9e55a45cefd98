"""Maps of a report: zones and streets as SVG, drawn from geometry and numbers alone. Pure functions, no file, no font.

Colours are told apart with any colour vision: differences run from orange to purple through grey, levels from light
yellow to dark blue (ColorBrewer's PuOr and YlGnBu). What is not sure is hatched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from app.reports.quantities import number

#: As the app's `DIVERGING`: orange is more, purple is less (turned round where more is better).
DIVERGING = ("#b35806", "#e08214", "#fdb863", "#d9dde3", "#b2abd2", "#8073ac", "#542788")
LEVELS = ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")
LINES = ("#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84")  # of the same family, for thin lines on white
GROUND, INK, MARK = "#c9ccd1", "#24292f", "#000000"
WIDTH, LEGEND = 1000, 110  # of the drawing's own units


@dataclass(frozen=True, slots=True)
class Frame:
    """From coordinates to whole units of a drawing that is 1,000 wide."""

    left: float
    top: float
    scale: float
    height: int

    @classmethod
    def of(cls, bounds: Sequence[float]) -> Frame:
        """Of (min x, min y, max x, max y); shapes of extreme proportions keep a drawing of 0.3 to 2 times its width."""
        left, bottom, right, top = map(float, bounds)
        wide, high = max(right - left, 1e-9), max(top - bottom, 1e-9)
        scale = min((WIDTH - 40) / wide, (2 * WIDTH - 40) / high)
        return cls(
            left=(left + right) / 2 - WIDTH / scale / 2, top=top + 20 / scale, scale=scale,
            height=max(int(0.3 * WIDTH), round(high * scale) + 40),
        )  # fmt: skip

    def path(self, geometry: BaseGeometry) -> str:
        """The `d` of a path in whole units; points that fall on the one before are left out."""
        return "".join(self._ring(part) for part in _rings(geometry))

    def _ring(self, ring: BaseGeometry) -> str:
        xy = shapely.get_coordinates(ring)
        points = np.rint((xy - [self.left, self.top]) * [self.scale, -self.scale]).astype(int)
        keep = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        points = points[keep]
        if len(points) == 1:
            return ""
        steps = np.diff(points, axis=0)
        first = f"M{points[0, 0]} {points[0, 1]}"
        return first + "".join(f"l{dx} {dy}" for dx, dy in steps) + ("z" if ring.geom_type == "LinearRing" else "")


def limit_of(values: np.ndarray) -> float:
    """A round bound that nearly all magnitudes lie within: 1, 2 or 5 times a power of ten; 1 where all are 0."""
    size = np.abs(values[np.isfinite(values)])
    most = float(np.quantile(size, 0.98)) if size.size else 0.0
    if most <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(most))
    return float(next(f * power for f in (1, 2, 5, 10) if f * power >= most * (1 - 1e-12)))


def shade(value: float, limit: float, colours: Sequence[str], *, around_zero: bool) -> str:
    """Colour of a value; ends of the scale take what lies beyond. Grey where it is not known.

    Examples
    --------
    >>> shade(0.0, 1.0, DIVERGING, around_zero=True), shade(9.0, 1.0, DIVERGING, around_zero=True)
    ('#d9dde3', '#b35806')
    """
    if not np.isfinite(value):
        return "#ffffff"
    share = (1.0 - value / limit) / 2 if around_zero else value / limit
    return colours[int(np.clip(np.floor(share * len(colours)), 0, len(colours) - 1))]


def zone_map(
    zones: gpd.GeoDataFrame,
    values: Mapping[str, float],
    *,
    title: str,
    unit: str,
    limit: float,
    difference: bool,
    streets: gpd.GeoSeries | None = None,
    unsure: frozenset[str] = frozenset(),
    marked: Sequence[BaseGeometry] = (),
    least: float = 0.0,
    ident: str = "z",
) -> str:
    """Zones by colour, over them the streets in thin lines and the places of the plan in black.

    Parameters
    ----------
    zones : GeoDataFrame
        `zone_id`, `name`; any metric CRS.
    values : mapping of float
        By zone.
    title, unit : str
        For the legend and for who hears the map.
    limit : float
        End of the scale: from `least` or, for a difference, on both sides of 0.
    difference : bool
    streets : GeoSeries, optional
        In the CRS of the zones.
    unsure : frozenset of str
        Zones whose interval holds 0; hatched.
    marked : sequence of geometries
        Links of the plan.
    least : float
        Begin of the scale of a level.
    ident : str
        Begins the ids in the drawing; another one for each drawing of a page.
    """
    frame = Frame.of(zones.total_bounds)
    colours = DIVERGING if difference else LEVELS
    parts, hatch = [], []
    for zone, name, geometry in zip(zones["zone_id"], zones["name"], zones.geometry):
        value = float(values.get(str(zone), np.nan))
        colour = shade(value - (0.0 if difference else least), limit - (0.0 if difference else least), colours,
                       around_zero=difference)  # fmt: skip
        said = number(value, sign=difference) or "not known"
        path = frame.path(geometry)
        note = " (not sure)" if str(zone) in unsure and difference else ""
        parts.append(f'<path d="{path}" fill="{colour}"><title>{escape(f"{name}: {said} {unit}{note}")}</title></path>')
        if note:
            hatch.append(path)
    body = f'<g stroke="#fff" stroke-width="3" fill-rule="evenodd">{"".join(parts)}</g>'
    if hatch:
        body += (
            f'<pattern id="{ident}h" width="14" height="14" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate(45)"><path d="M0 0v14" stroke="{INK}" stroke-width="2.5"'
            f' stroke-opacity=".45"/></pattern><path d="{"".join(hatch)}" fill="url(#{ident}h)"/>'
        )
    if streets is not None and len(streets):
        body += _lines(frame, streets, GROUND if difference else "#8a9099", 1.2)
    body += _marks(frame, marked)
    return _drawing(frame, body, _legend(frame.height, colours, least, limit, unit, difference, bool(hatch)), title)


def link_map(
    links: gpd.GeoDataFrame,
    values: np.ndarray,
    *,
    title: str,
    unit: str,
    limit: float,
    difference: bool,
    marked: Sequence[BaseGeometry] = (),
) -> str:
    """Streets by colour, those with the most last and widest; what is near 0 stays thin and grey.

    Parameters
    ----------
    links : GeoDataFrame
        `name` and geometry in a metric CRS, one row a street (`streets_of`).
    values : ndarray, shape (n,)
    title, unit, limit, difference, marked
        As in `zone_map`.
    """
    frame = Frame.of(links.total_bounds)
    colours = DIVERGING if difference else LINES
    size = np.abs(np.nan_to_num(values))
    shown = size > limit / (12 if difference else 50)
    body = _lines(frame, links.geometry[~shown], GROUND, 1.5)
    order = np.flatnonzero(shown)[np.argsort(size[shown], kind="stable")]
    names, shapes = links["name"].to_numpy(), links.geometry.to_numpy()
    drawn = []
    for k in order:
        width = 3.0 + 6.0 * min(1.0, size[k] / limit)
        colour = shade(float(values[k]), limit, colours, around_zero=difference)
        called = str(names[k]) if isinstance(names[k], str) and names[k] else "street without a name"
        drawn.append(
            f'<path d="{frame.path(shapes[k])}" stroke="{colour}" stroke-width="{width:.1f}">'
            f"<title>{escape(f'{called}: {number(float(values[k]), sign=difference)} {unit}')}</title></path>"
        )
    body += f'<g fill="none" stroke-linecap="round">{"".join(drawn)}</g>' + _marks(frame, marked, "5 15")
    return _drawing(frame, body, _legend(frame.height, colours, 0.0, limit, unit, difference, False), title)


def streets_of(links: gpd.GeoDataFrame, columns: Sequence[str]) -> gpd.GeoDataFrame:
    """Both directions of a street as one line, whose columns add up.

    Directions belong together where they join the same points and their middles lie within a metre.

    Parameters
    ----------
    links : GeoDataFrame
        `from_node_id`, `to_node_id`, `name`, the columns, and geometry in a metric CRS.
    columns : sequence of str
        Numbers to add.
    """
    middle = shapely.get_coordinates(shapely.line_interpolate_point(links.geometry.to_numpy(), 0.5, normalized=True))
    ends = np.sort(links[["from_node_id", "to_node_id"]].to_numpy(), axis=1)
    key = [f"{a}/{b}/{x:.0f}/{y:.0f}" for (a, b), (x, y) in zip(ends, np.rint(middle))]
    rows = links.assign(_street=key)
    first = rows.drop_duplicates("_street").set_index("_street")
    sums = rows.groupby("_street", sort=False)[list(columns)].sum()
    return gpd.GeoDataFrame(
        first[["name"]].join(sums).reset_index(drop=True), geometry=first.geometry.to_numpy(), crs=links.crs
    )


def _rings(geometry: BaseGeometry) -> list[BaseGeometry]:
    parts = getattr(geometry, "geoms", [geometry])
    return [
        ring
        for part in parts
        for ring in ((part.exterior, *part.interiors) if part.geom_type == "Polygon" else (part,))
        if ring.geom_type in ("LineString", "LinearRing")
    ]


def _lines(frame: Frame, lines: gpd.GeoSeries, colour: str, width: float) -> str:
    path = "".join(frame.path(line) for line in lines)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>' if path else ""


def _marks(frame: Frame, marked: Sequence[BaseGeometry], dashes: str = "9 7") -> str:
    path = "".join(frame.path(one) for one in marked)
    return (
        f'<path d="{path}" fill="none" stroke="{MARK}" stroke-width="4" stroke-dasharray="{dashes}"/>' if path else ""
    )


def _legend(
    top: int, colours: Sequence[str], least: float, limit: float, unit: str, difference: bool, hatched: bool
) -> str:
    """The scale below the map; the purple end of a difference stands on the left, where less is."""
    shown = tuple(reversed(colours)) if difference else tuple(colours)
    wide = 600 / len(shown)
    boxes = "".join(
        f'<rect x="{20 + k * wide:.1f}" y="{top + 12}" width="{wide:.1f}" height="26" fill="{colour}"/>'
        for k, colour in enumerate(shown)
    )
    ends = (number(-limit, sign=True), number(limit, sign=True)) if difference else (number(least), number(limit))
    text = (
        f'<text x="20" y="{top + 72}">{ends[0]}</text><text x="620" y="{top + 72}" text-anchor="end">{ends[1]}</text>'
    )
    text += f'<text x="640" y="{top + 36}">{escape(unit)}</text>'
    if difference:
        text += f'<text x="320" y="{top + 72}" text-anchor="middle">0</text>'
    if hatched:
        text += f'<text x="640" y="{top + 72}">hatched: not sure</text>'
    return f'<g font-size="30" font-family="sans-serif" fill="{INK}">{boxes}{text}</g>'


def _drawing(frame: Frame, body: str, legend: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {frame.height + LEGEND}" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>{body}{legend}</svg>'
    )
