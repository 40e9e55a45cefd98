"""Streets as cells: the ground nearest to each street, which streets touch, and along how much border.

A street is a link and the link back along the same line, if there is one: both lie on the same ground, so that no
polygon can part them. Points are set along every street; the Voronoi cells of its points (Voronoi 1908,
doi:10.1515/crll.1908.134.198) are its ground. Cells are never drawn: the borders between points of different streets
are all that is needed to know which streets touch, and, once streets are grouped, to draw the groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.spatial import Voronoi, cKDTree

from zones.errors import ZoneError

#: Distance between points along a street, m (assumed: below half a city block, so that borders run between streets).
SPACING_M = 30.0
#: More points than this are set farther apart (assumed: what Qhull cuts in less than a second).
MAX_POINTS = 50_000
_SAME_M = 0.01  # points nearer than this are one
_FRAME = 4.0  # the frame that closes the outermost cells stands this many spans of the city away


@dataclass(frozen=True, slots=True)
class StreetCells:
    """The ground of U streets, as P points and R pieces of border between points of different streets."""

    area: shapely.Polygon
    street: np.ndarray  # (L,) street of each link; -1 where none of it lies in the area
    length_m: np.ndarray  # (U,) links of the street, each direction counted
    x_m: np.ndarray  # (U,) middle of the street's points
    y_m: np.ndarray  # (U,)
    points: np.ndarray  # (P, 2)
    street_of: np.ndarray  # (P,) street of each point
    pieces: np.ndarray  # (R, 2, 2) ends of each piece of border, as far as it may leave the area
    sides: np.ndarray  # (R, 2) streets on either side of each piece
    first: np.ndarray  # (E,) pairs of streets that touch, first < second
    second: np.ndarray  # (E,)
    border_m: np.ndarray  # (E,) their common border inside the area
    meets: np.ndarray  # (E,) bool: the two share a node of the network


def street_cells(
    links: gpd.GeoDataFrame, area: shapely.Polygon, *, spacing_m: float = SPACING_M, max_points: int = MAX_POINTS
) -> StreetCells:
    """Cut the area into the ground of each street.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `from_node_id`, `to_node_id`, `length_m`, geometry (projected).
    area : Polygon
        The city, in the links' coordinates.
    spacing_m : float
        Distance between points along a street, m.
    max_points : int
        Points are set farther apart where there would be more.

    Raises
    ------
    ZoneError
        If no street lies in the area.
    """
    street, line = _streets(links)
    spacing = max(spacing_m, float(shapely.length(line).sum()) / max_points)
    points, of = _points(line, spacing)
    shapely.prepare(area)
    inside = shapely.contains_xy(area, points[:, 0], points[:, 1])
    points, of = points[inside], of[inside]
    if len(points) == 0:
        raise ZoneError("no street lies in the city's area, so there are no cells of streets")
    points, of, became = _distinct(points, of, len(line))
    street = became[street]
    kept, of = np.unique(of, return_inverse=True)
    number = np.full(len(line) + 1, -1)
    number[kept] = np.arange(len(kept))
    street = number[street]  # -1, the last entry, stays -1
    pieces, sides = _pieces(points, of)
    first, second, border = _touching(pieces, sides, area)
    has = street >= 0
    count = np.bincount(of)
    ends = _ends(links, street, len(kept))
    meets = (ends[first][:, :, None] == ends[second][:, None, :]).any(axis=(1, 2))
    return StreetCells(
        area=area, street=street, points=points, street_of=of, pieces=pieces, sides=sides, first=first, second=second,
        border_m=border, meets=meets, x_m=np.bincount(of, points[:, 0]) / count,
        y_m=np.bincount(of, points[:, 1]) / count,
        length_m=np.bincount(street[has], links["length_m"].to_numpy()[has], minlength=len(kept)),
    )  # fmt: skip


def _streets(links: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Street of each link, and the line of each street: links between the same nodes through the same middle."""
    lines = links.geometry.to_numpy()
    ends = np.sort(links[["from_node_id", "to_node_id"]].to_numpy(), axis=1)
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    key = np.column_stack([ends, np.round(middle).astype(np.int64)])
    _, first, street = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return street.ravel(), lines[first]


def _ends(links: gpd.GeoDataFrame, street: np.ndarray, n: int) -> np.ndarray:
    """The two nodes of each street; those of its last link where coinciding streets have become one."""
    ends = np.zeros((n, 2), dtype=np.int64)
    has = street >= 0
    ends[street[has]] = links[["from_node_id", "to_node_id"]].to_numpy()[has]
    return ends


def _points(lines: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in the middle of equal parts of each line, about `spacing` long, and the line of each."""
    parts = np.maximum(1, np.round(shapely.length(lines) / spacing)).astype(int)
    of = np.repeat(np.arange(len(lines)), parts)
    place = np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
    share = (place + 0.5) / parts[of]
    return shapely.get_coordinates(shapely.line_interpolate_point(lines[of], share, normalized=True)), of


def _distinct(points: np.ndarray, of: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points without repetition; a street of which none is left becomes the one that it lies upon."""
    _, first, same = np.unique(np.round(points / _SAME_M).astype(np.int64), axis=0, return_index=True,
                               return_inverse=True)  # fmt: skip
    owner = of[first][same.ravel()]
    became = np.full(n, -1)
    became[of[::-1]] = owner[::-1]  # of several, the owner of its first point
    own = np.unique(of[first])
    became[own] = own
    order = np.sort(first)
    return points[order], of[order], became


def _pieces(points: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Borders between the Voronoi cells of points of different streets: ends (R, 2, 2) and streets (R, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2.0, _FRAME * max(float((high - low).max()), 100.0)
    corners = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [0.0, -1.5], [0.0, 1.5]]) * reach
    diagram = Voronoi(np.vstack([points - middle, corners]))
    pair, ends = diagram.ridge_points, np.array(diagram.ridge_vertices)
    kept = (pair < len(points)).all(axis=1) & (ends >= 0).all(axis=1)
    sides = of[pair[kept]]
    differ = sides[:, 0] != sides[:, 1]
    pieces = diagram.vertices[ends[kept][differ]] + middle
    return pieces, sides[differ]


def _touching(
    pieces: np.ndarray, sides: np.ndarray, area: shapely.Polygon
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of streets with a border inside the area, and its length."""
    length = np.hypot(*(pieces[:, 1] - pieces[:, 0]).T)
    ends_in = shapely.contains_xy(area, pieces[:, :, 0], pieces[:, :, 1])
    cut = np.flatnonzero(~ends_in.all(axis=1))
    # a piece with both ends inside may leave and come back at a notch of the outline: its length is overstated then
    length[cut] = shapely.length(shapely.intersection(shapely.linestrings(pieces[cut]), area))
    pair = np.sort(sides, axis=1)
    kept = length > 1e-6
    unique, back = np.unique(pair[kept], axis=0, return_inverse=True)
    return unique[:, 0], unique[:, 1], np.bincount(back.ravel(), length[kept], minlength=len(unique))


def group_polygons(cells: StreetCells, group: np.ndarray) -> np.ndarray:
    """One polygon a group of streets; neighbours share their borders exactly.

    Parameters
    ----------
    cells : StreetCells
    group : ndarray of int, shape (U,)
        Group of each street, 0 .. K-1. A piece of a group that lies apart from its largest one (two streets on
        different levels whose cells cross) is given to the group with which it shares the longest border.

    Returns
    -------
    ndarray of shapely polygons, shape (K,)
        They cover the area without overlap.
    """
    sides = group[cells.sides]
    ends = cells.pieces[sides[:, 0] != sides[:, 1]]
    lines = shapely.linestrings(ends[(ends[:, 0] != ends[:, 1]).any(axis=1)])
    shapely.prepare(cells.area)
    lines = lines[shapely.intersects(cells.area, lines)]
    inside = shapely.contains_properly(cells.area, lines)
    # Voronoi borders meet in the same vertices, bit for bit; only where they cross the outline they must be cut
    outline = shapely.boundary(cells.area)
    cut = shapely.get_parts(shapely.union_all(np.append(lines[~inside], outline)))
    faces = shapely.get_parts(shapely.polygonize(np.append(lines[inside], cut)))
    inner = shapely.point_on_surface(faces)
    wide = shapely.buffer(cells.area, 1e-2)
    shapely.prepare(wide)
    keep = shapely.contains(wide, inner) & (shapely.area(faces) > 1e-3)
    faces, inner = faces[keep], inner[keep]
    nearest = cKDTree(cells.points).query(shapely.get_coordinates(inner))[1]
    return _whole(faces, group[cells.street_of[nearest]], int(group.max()) + 1)


def _whole(faces: np.ndarray, label: np.ndarray, n: int) -> np.ndarray:
    """Union of each label's faces, each in one part; faces of one label never touch each other to begin with."""
    label = label.copy()
    order = np.lexsort((np.arange(len(faces)), shapely.area(faces)))
    largest = np.full(n, -1)
    largest[label[order]] = order  # the largest face of each label is written last
    settled = np.zeros(len(faces), dtype=bool)
    settled[largest[largest >= 0]] = True
    tree = shapely.STRtree(faces)
    astray = [face for face in order if not settled[face]]
    while astray:
        left = []
        for face in astray:
            near = tree.query(faces[face], predicate="intersects")
            near = near[settled[near]]
            shared = shapely.length(shapely.intersection(shapely.boundary(faces[near]), shapely.boundary(faces[face])))
            if len(near) and shared.max() > 1e-6:
                label[face] = np.bincount(label[near], shared).argmax()
                settled[face] = True
            else:
                left.append(face)
        if len(left) == len(astray):
            break  # nothing to join them to
        astray = left
    return np.array([shapely.coverage_union_all(faces[label == k]) for k in range(n)])
