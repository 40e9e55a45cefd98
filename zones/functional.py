"""Functional zones: streets with similar traffic, grouped into compact zones of similar size.

In the manner of network partitioning for the macroscopic fundamental diagram: a zone should have a small variance of
density within, and be compact (Ji & Geroliminis 2012, doi:10.1016/j.trb.2012.08.005; Saeedmanesh & Geroliminis 2016,
doi:10.1016/j.trb.2016.05.008); day after day alike (Lopez et al. 2017, doi:10.1038/s41598-017-14237-8). Like the
first, this merges first and adjusts borders then; the means differ:

1. each street has its profile through the day, of speed ratio and of density per lane, in units of the whole network's
   spread, so that squared distances add up to the normalised total variance of Ji & Geroliminis;
2. streets that touch and meet are merged, always the two groups whose union costs least (Ward 1963,
   doi:10.1080/01621459.1963.10500845), down to the number asked for; the cost is the variance within, plus a price for
   spread-out, ragged and unequal groups;
3. streets at borders change sides by simulated annealing (Kirkpatrick et al. 1983, doi:10.1126/science.220.4598.671);
4. groups become polygons over the ground of their streets, their borders straightened between streets.

The price of step 2 is the one that leaves the smallest variance, of those that make zones as compact as asked for,
compared with hexagons of equal number; in a large city the first that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy import sparse

from zones.clustering_kernels import merge, refine
from zones.dynamics import LinkDynamics, daily_profile, factors, filled
from zones.errors import ZoneError
from zones.partition import compactness
from zones.street_cells import StreetCells, group_polygons, street_cells

#: Prices of compactness that are tried, in units of the network's variance (assumed; each twice the one before).
PRICES = tuple(0.1 * 2.0**k for k in range(8))
#: A city of n streets is grouped at more than this many / n prices; a larger one at the first that suffices from a
#: middle price on, so that it is cut in seconds (assumed).
_ENOUGH_STREETS, _FIRST_OF_LARGE = 5000, 2
#: Shares of that price for spread-out places, for ragged borders and for unequal weights (assumed).
_SPREAD, _RAGGED, _UNEQUAL = 0.5, 0.5, 1.5
#: Groups with less street than this share of the mean merge first; moving borders makes none lighter (assumed).
_LIGHTEST = 0.15
#: Sweeps over all streets (at least and at most, within so many visits), and the temperature of the first, in the mean
#: variance of a street (assumed; found to serve on grids of 40 to 10,000 streets).
_SWEEPS, _VISITS, _HEAT = (40, 300), 200_000, 0.8
#: Borders are straightened by cutting corners whose triangle is below the square of this share of a zone's width.
_STRAIGHTEN = 0.25


@dataclass(frozen=True, slots=True)
class Grouping:
    """Streets in groups, as polygons."""

    polygons: np.ndarray  # (K,)
    group: np.ndarray  # (U,) group of each street
    cells: StreetCells
    price: float  # of compactness, that was paid
    compactness: float  # Polsby-Popper, area-weighted
    variance: float  # of the streets' traffic that is left within groups, in variances of the network


def functional_polygons(
    links: gpd.GeoDataFrame,
    dynamics: LinkDynamics,
    area: shapely.Polygon,
    *,
    count: int,
    least_compactness: float,
    seed: int = 0,
) -> Grouping:
    """Cut an area into functional zones.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `from_node_id`, `to_node_id`, `length_m`, `road_class`, geometry (projected); those that zones are made
        of.
    dynamics : LinkDynamics
        Of these links. Where it says nothing, links take after those of their road class that they meet.
    area : Polygon
    count : int
        Zones wanted, reached where there are as many streets.
    least_compactness : float
        See `compactness`; where no price reaches it, the most compact grouping is taken.
    seed : int
        Of the order in which streets change sides.

    Raises
    ------
    ZoneError
        If no street lies in the area, or the dynamics are of other links.
    """
    wrong = {name: grid.shape for name, grid in dynamics.values.items() if grid.shape[1] != len(links)}
    if wrong or not dynamics.values:
        raise ZoneError(f"the dynamics must have a column for each of {len(links)} links; found {wrong or 'nothing'}")
    cells = street_cells(links, area)
    traffic = street_factors(cells, dynamics, links)
    graph = _graph(cells)
    lines = links.geometry.to_numpy()
    found: list[Grouping] = []
    enough = _ENOUGH_STREETS // len(cells.length_m)
    k = 0 if enough else _FIRST_OF_LARGE
    while k < len(PRICES):
        group = _grouped(cells, graph, traffic, min(count, len(cells.length_m)), PRICES[k], seed)
        polygons = straightened(group_polygons(cells, group), area, lines)
        left = _left_within(traffic, cells.length_m, group)
        found.append(Grouping(polygons, group, cells, PRICES[k], compactness(polygons), left))
        if found[-1].compactness >= least_compactness and len(found) > enough:
            break
        # compactness grows with the price, but for small ups and downs: far below the aim, one is passed over
        k += 1 if found[-1].compactness >= 0.97 * least_compactness else 2
    fit = [grouping for grouping in found if grouping.compactness >= least_compactness]
    if not fit:
        return max(found, key=lambda grouping: grouping.compactness)
    return min(fit, key=lambda grouping: grouping.variance)


def _left_within(traffic: np.ndarray, weight: np.ndarray, group: np.ndarray) -> float:
    """Weighted sum of squares of traffic around the groups' means."""
    size = np.bincount(group, weight)
    mean = np.stack([np.bincount(group, weight * column) / size for column in traffic.T], axis=1)
    return float((weight[:, None] * (traffic - mean[group]) ** 2).sum())


def street_factors(cells: StreetCells, dynamics: LinkDynamics, links: pd.DataFrame) -> np.ndarray:
    """Coordinates of streets whose weighted squared distances add up to the normalised variance, shape (U, F).

    Each quantity's variance over links and intervals of the day counts as one; a street is the mean of its links.

    Parameters
    ----------
    cells : StreetCells
    dynamics : LinkDynamics
    links : DataFrame
        `from_node_id`, `to_node_id`, `length_m`, `road_class`.
    """
    length = links["length_m"].to_numpy(dtype=float)
    has = cells.street >= 0
    n = len(cells.length_m)
    member = sparse.csr_array(
        (length[has] / cells.length_m[cells.street[has]], (cells.street[has], np.flatnonzero(has))),
        shape=(n, len(links)),
    )
    columns = []
    for profile in daily_profile(dynamics).values():
        grid = filled(profile, links)
        spread = grid - np.average(grid, axis=1, weights=length)[:, None]
        total = float((spread**2 @ length).sum())
        if total > 0.0:
            columns.append((member @ spread.T) / np.sqrt(total))
    if not columns:  # traffic is the same everywhere: places alone decide
        return np.zeros((n, 1))
    return factors(np.hstack(columns), cells.length_m)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Which streets touch, as the kernels read it."""

    start: np.ndarray  # (U + 1,)
    other: np.ndarray  # (2 E,)
    border_m: np.ndarray  # (2 E,)
    through: np.ndarray  # (2 E,) bool


def _graph(cells: StreetCells) -> _Graph:
    """Streets that touch; they may be grouped if they also meet, or if nothing else connects their parts."""
    n = len(cells.length_m)
    met = sparse.coo_array(
        (np.ones(cells.meets.sum()), (cells.first[cells.meets], cells.second[cells.meets])), shape=(n, n)
    )
    part = sparse.csgraph.connected_components(met, directed=False)[1]
    through = cells.meets | (part[cells.first] != part[cells.second])
    a, b = np.append(cells.first, cells.second), np.append(cells.second, cells.first)
    order = np.lexsort((b, a))
    start = np.searchsorted(a[order], np.arange(n + 1))
    return _Graph(start, b[order], np.tile(cells.border_m, 2)[order], np.tile(through, 2)[order])


def _grouped(cells: StreetCells, graph: _Graph, traffic: np.ndarray, count: int, price: float, seed: int) -> np.ndarray:
    """Group of each street, 0 .. K-1.

    Costs are in units of the network's variance. The ideal of each price's part is 1: places spread like `count` equal
    discs (mean square distance area / 2 pi), borders as long as those of `count` hexagons, all weights equal.
    """
    n, area = len(cells.length_m), cells.area.area
    share = cells.length_m / cells.length_m.sum()
    weight = share * count
    place = np.column_stack([cells.x_m, cells.y_m])
    place = place - share @ place
    of_disc = area / count / (2.0 * np.pi)
    feature = np.ascontiguousarray(
        np.hstack([traffic * np.sqrt(cells.length_m.sum() / count), place * np.sqrt(price * _SPREAD / count / of_disc)])
    )
    border = price * _RAGGED / (np.sqrt(2.0 * np.sqrt(3.0)) * np.sqrt(area * count))
    balance = price * _UNEQUAL / count
    group = merge(
        weight, feature, graph.start, graph.other, graph.border_m, graph.through, border, balance, _LIGHTEST, count
    )
    group = np.unique(group, return_inverse=True)[1].astype(np.int64)
    rng = np.random.default_rng(seed)
    sweeps = int(np.clip(_VISITS // n, *_SWEEPS))
    order = np.array([rng.permutation(n) for _ in range(sweeps)])
    luck = rng.exponential(size=(sweeps, n))
    heat = _HEAT / n * np.maximum(0.0, 1.0 - np.arange(sweeps) / (0.75 * sweeps))
    refine(
        group, weight, feature, graph.start, graph.other, graph.border_m, graph.through, border, balance, _LIGHTEST,
        order, luck, heat,
    )  # fmt: skip
    return group


def straightened(polygons: np.ndarray, area: shapely.Polygon, lines: np.ndarray) -> np.ndarray:
    """Polygons with their common borders simplified alike; the city's outline stays.

    Visvalingam & Whyatt (1993, doi:10.1179/000370493786962263). A polygon that would lose half of its streets keeps its
    borders as they are.

    Parameters
    ----------
    polygons : ndarray of shapely polygons, shape (K,)
        They share their borders' vertices.
    area : Polygon
        Their union.
    lines : ndarray of shapely lines
        Streets.
    """
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    length = shapely.length(lines)
    before = _street_inside(polygons, middle, length)
    tolerance = _STRAIGHTEN * float(np.sqrt(area.area / len(polygons)))
    kept = np.zeros(len(polygons), dtype=bool)
    while not kept.all():
        plain = polygons.copy()
        # borders with those left out are now on the outside, which stays
        plain[~kept] = shapely.coverage_simplify(polygons[~kept], tolerance, simplify_boundary=False)
        lost = _street_inside(plain, middle, length) < 0.5 * before
        if not (lost & ~kept).any():
            return plain
        kept |= lost
    return polygons


def _street_inside(polygons: np.ndarray, middle: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Length of the lines whose middle lies in each polygon."""
    point, polygon = shapely.STRtree(polygons).query(shapely.points(middle), predicate="within")
    return np.bincount(polygon, length[point], minlength=len(polygons))
