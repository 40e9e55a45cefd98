"""Figures for print, as the notebooks draw them with Matplotlib: one style, one set of colours, maps of zones.

Colours are those of Okabe & Ito (2008, jfly.uni-koeln.de/color), which colour-blind readers tell apart; maps of a
quantity use cividis (Nunez et al. 2018, doi:10.1371/journal.pone.0199239), changes an orange-purple scale. Matplotlib
comes with the extra `notebooks`; nothing else of the app needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000", "#7F7F7F",
)  # fmt: skip
UNKNOWN = mpl.colors.to_rgba("#d9d9d9")  # of what has no value
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
#: Width of a figure over one and over two columns of a page, inches.
ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2
_STYLE: MappingProxyType[str, Any] = MappingProxyType(
    {
        "figure.dpi": 110, "savefig.dpi": 300, "figure.constrained_layout.use": True, "font.size": 8.5,
        "axes.titlesize": 9, "axes.labelsize": 8.5, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": "#e3e3e3", "grid.linewidth": 0.6, "axes.axisbelow": True,
        "legend.frameon": False, "legend.fontsize": 8, "lines.linewidth": 1.3, "lines.markersize": 3.5,
        "xtick.labelsize": 8, "ytick.labelsize": 8, "axes.titlelocation": "left", "image.cmap": "cividis",
    }
)  # fmt: skip


def paper_style() -> None:
    """Draw everything from now on as for print."""
    style: dict[Any, Any] = {**_STYLE, "axes.prop_cycle": cycler(color=CYCLE)}
    mpl.rcParams.update(style)


def letters(axes: Iterable[Axes]) -> None:
    """Number the parts of a figure: a, b, c before their titles."""
    for letter, axis in zip("abcdefghijkl", axes):
        axis.set_title(f"$\\bf{{{letter}}}$  {axis.get_title(loc='left')}", loc="left")


def day_axis(axis: Axes, *, every_h: int = 6) -> None:
    """Hours of a day from 0 to 24 below an axis that counts hours."""
    axis.set_xlim(0, 24)
    axis.set_xticks(range(0, 25, every_h), [f"{hour}:00" for hour in range(0, 25, every_h)])
    axis.set_xlabel("local time")


def hour_of(times: pd.Series | pd.DatetimeIndex, timezone: str) -> np.ndarray:
    """Local hour of the day of instants in UTC, with its fraction."""
    local = pd.DatetimeIndex(times).tz_convert(timezone)
    return np.asarray(local.hour + local.minute / 60.0)


def zone_map(
    axis: Axes,
    zones: gpd.GeoDataFrame,
    values: pd.Series | Sequence[float] | None = None,
    *,
    label: str = "",
    change: bool = False,
    limits: tuple[float, float] | None = None,
    names: bool = True,
    bar: bool = True,
) -> Any:
    """Zones filled by a value, with a colour bar, a scale of distance and their ids.

    Parameters
    ----------
    axis : Axes
    zones : GeoDataFrame
        Projected, m; `zone_id`.
    values : Series by zone_id, or sequence in the order of the zones, optional
        Without, outlines alone; zones without a value are grey.
    label : str
        Of the colour bar, with its unit.
    change : bool
        Whether values are changes: two colours that meet at 0.
    limits : tuple of float, optional
        Ends of the scale; those of the values without.
    names : bool
        Whether ids are written into zones.
    bar : bool
        Whether there is a colour bar.

    Returns
    -------
    ScalarMappable or None
        For a colour bar that several maps share.
    """
    fill = None
    if values is None:
        zones.plot(ax=axis, facecolor="#f4f4f4", edgecolor="#555555", linewidth=0.7)
    else:
        if isinstance(values, pd.Series):
            values = values.reindex(zones["zone_id"].astype(str)).to_numpy(float)
        numbers = np.asarray(values, dtype=float)
        low, high = _ends(numbers, limits, change)
        fill = plt.cm.ScalarMappable(mpl.colors.Normalize(low, high), "PuOr_r" if change else "cividis")
        colours = [fill.to_rgba(value) if np.isfinite(value) else UNKNOWN for value in numbers]
        zones.plot(ax=axis, color=colours, edgecolor="white", linewidth=0.7)
        if bar:
            axis.figure.colorbar(fill, ax=axis, label=label, shrink=0.75, pad=0.02)
        for shape, name, value in zip(zones.geometry, zones["zone_id"], numbers):
            if names:
                dark = np.isfinite(value) and sum(fill.to_rgba(value)[:3]) < 1.5
                _name(axis, shape, name, "white" if dark else "black")
    if values is None and names:
        for shape, name in zip(zones.geometry, zones["zone_id"]):
            _name(axis, shape, name, "black")
    scale_bar(axis, zones.total_bounds)
    return fill


def street_map(
    axis: Axes, links: gpd.GeoDataFrame, values: np.ndarray, *, label: str, width: np.ndarray | float = 1.2,
    limits: tuple[float, float] | None = None, change: bool = False, cmap: str = "cividis_r",
) -> Any:  # fmt: skip
    """Streets coloured by a value, (n_links,); those without one are thin and grey."""
    numbers = np.asarray(values, dtype=float)
    known = np.isfinite(numbers)
    low, high = _ends(numbers, limits, change)
    lines = [np.asarray(shape.coords) for shape in links.geometry]
    axis.add_collection(LineCollection(lines, colors="#cfcfcf", linewidths=0.5))
    order = np.flatnonzero(known)[np.argsort(np.abs(numbers[known]), kind="stable")]  # the largest on top
    wide = np.broadcast_to(np.asarray(width, dtype=float), numbers.shape)[order]
    found = LineCollection([lines[k] for k in order], cmap="PuOr_r" if change else cmap, linewidths=wide)
    found.set_array(numbers[order])
    found.set_clim(low, high)
    axis.add_collection(found)
    axis.autoscale_view()
    axis.figure.colorbar(found, ax=axis, label=label, shrink=0.75, pad=0.02)
    scale_bar(axis, links.total_bounds)
    return found


def scale_bar(axis: Axes, bounds: Sequence[float]) -> None:
    """A plain map: no axes, equal scales, and a bar of a round distance below."""
    west, south, east, _ = (float(edge) for edge in bounds)
    length = float(10 ** np.floor(np.log10((east - west) / 2)))
    length *= next(k for k in (5, 2, 1) if k * length <= (east - west) / 2)
    below = south - 0.04 * (east - west)
    axis.plot([west, west + length], [below, below], color="black", linewidth=1.5, solid_capstyle="butt")
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axis.annotate(text, (west + length, below), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axis.set_aspect("equal")
    axis.set_axis_off()


def _ends(numbers: np.ndarray, limits: tuple[float, float] | None, change: bool) -> tuple[float, float]:
    """Ends of a scale of colours; those of changes lie as far from 0."""
    known = numbers[np.isfinite(numbers)]
    low, high = limits or ((float(known.min()), float(known.max())) if known.size else (0.0, 1.0))
    if not change:
        return low, high
    far = max(abs(low), abs(high), 1e-12)
    return -far, far


def _name(axis: Axes, shape: Any, name: str, colour: str) -> None:
    point = shape.representative_point()
    axis.annotate(str(name), (point.x, point.y), ha="center", va="center", fontsize=6.5, color=colour)
