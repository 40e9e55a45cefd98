"""Cutting the area that the streets cover into cells that share their borders exactly.

Cells come from a grid or from the caller. Their edges and the area's outline are cut at every crossing and walked
into faces (`shapely.polygonize`), so that two neighbours always have the very same vertices along their common border.
Faces without streets, and slivers, join the neighbour with which they share the longest border.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import geopandas as gpd
import h3
import numpy as np
import pyproj
import shapely

from zones.errors import ZoneError
from zones.membership import overlay

#: The city's area reaches this far beyond its streets, and gaps up to twice `_GAP_M` between streets are part of it, m.
_REACH_M, _GAP_M = 50.0, 150.0
#: Sensors this near to each other stand at one place, m (assumed: the two sides of a post).
SAME_PLACE_M = 1.0
#: A cell with less street than this joins a neighbour, m.
MIN_STREET_M = 100.0
#: As does a cell of which less than this share lies in the city.
MIN_CELL_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cells:
    """Pieces of the city: polygons without overlap, and the number of the grid cell that each was cut from."""

    polygons: np.ndarray  # (n,) shapely polygons
    cell: np.ndarray  # (n,) int
    full_area_m2: np.ndarray  # (n,) area of that whole cell


def city_area(links: gpd.GeoDataFrame) -> shapely.Polygon:
    """The area that the streets cover: everything near a street, gaps between streets filled.

    Parameters
    ----------
    links : GeoDataFrame
        Projected geometry, metres.

    Raises
    ------
    ZoneError
        If there is no link, or the geometry is not projected.
    """
    if len(links) == 0:
        raise ZoneError("there are no links, so there is no city to cut into zones")
    if links.crs is None or not links.crs.is_projected:
        raise ZoneError(f"links must be in a projected coordinate system (metres); found {links.crs}")
    lines = np.unique(shapely.to_wkb(shapely.normalize(links.geometry.to_numpy())))  # both directions of a street once
    wide = shapely.union_all(shapely.buffer(shapely.from_wkb(lines), _REACH_M + _GAP_M, quad_segs=4))
    area = shapely.buffer(wide, -_GAP_M, quad_segs=4)
    parts = shapely.get_parts(area)
    largest = parts[np.argmax(shapely.area(parts))]
    return shapely.simplify(shapely.Polygon(shapely.get_exterior_ring(largest)), 5.0)


def hexagons(area: shapely.Polygon, crs: pyproj.CRS, resolution: int) -> Cells:
    """Cells of the H3 grid (Brodsky 2018, h3geo.org) that the area touches.

    Corners are H3's own vertices, the same for each of the three cells around them.
    """
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    wide = shapely.simplify(shapely.buffer(area, 20.0), 10.0)
    lon, lat = to_degrees.transform(*shapely.get_coordinates(shapely.get_exterior_ring(wide)).T)
    frame = h3.LatLngPoly(list(zip(lat, lon)))
    cells = sorted(h3.h3shape_to_cells_experimental(frame, resolution, contain="overlap"))
    if not cells:
        raise ZoneError(f"no H3 cell of resolution {resolution} touches the city; give a resolution from 5 to 12")
    polygons = []
    for cell in cells:
        corners = np.array([h3.vertex_to_latlng(vertex) for vertex in h3.cell_to_vertexes(cell)])
        polygons.append(shapely.Polygon(np.column_stack(to_metres.transform(corners[:, 1], corners[:, 0]))))
    return _cut(np.array(polygons), area)


def nearest_resolution(area: shapely.Polygon, crs: pyproj.CRS, count: int) -> int:
    """H3 resolution whose cells are nearest to `area / count`, on a logarithmic scale."""
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(area.centroid.x, area.centroid.y)
    size = [h3.cell_area(h3.latlng_to_cell(lat, lon, r), unit="m^2") for r in range(16)]
    return int(np.argmin(np.abs(np.log(np.array(size) * count / area.area))))


def squares(area: shapely.Polygon, cell_m: float) -> Cells:
    """Square cells of side `cell_m`, aligned with the coordinate system's axes and centred on the area."""
    west, south, east, north = area.bounds
    n_x, n_y = (max(1, int(np.ceil(span / cell_m - 1e-9))) for span in (east - west, north - south))
    if n_x * n_y > 200_000:
        raise ZoneError(f"cell_m={cell_m:g} m makes {n_x * n_y} cells; give a larger side")
    x = (west + east) / 2.0 + (np.arange(n_x + 1) - n_x / 2.0) * cell_m
    y = (south + north) / 2.0 + (np.arange(n_y + 1) - n_y / 2.0) * cell_m
    left, low = (grid.ravel() for grid in np.meshgrid(np.arange(n_x), np.arange(n_y)))
    return _cut(shapely.box(x[left], y[low], x[left + 1], y[low + 1]), area)


def from_polygons(area: shapely.Polygon, polygons: gpd.GeoDataFrame) -> Cells:
    """Cells from given polygons, clipped to the area; where two overlap, the first in the table has the ground.

    Raises
    ------
    ZoneError
        If the table has no coordinate system, an invalid or empty shape, something else than polygons, or nothing
        inside the city.
    """
    if polygons.crs is None:
        raise ZoneError(
            "the zone polygons have no coordinate system; set it, e.g. EPSG:4326 for longitude and latitude"
        )
    shapes = polygons.geometry.to_numpy()
    faults = []
    for row, shape in enumerate(shapes):
        if shape is None or shape.is_empty:
            faults.append(f"row {row} is empty")
        elif shape.geom_type not in ("Polygon", "MultiPolygon"):
            faults.append(f"row {row} is a {shape.geom_type}, not a polygon")
        elif not shape.is_valid:
            faults.append(f"row {row} is invalid: {shapely.is_valid_reason(shape)}")
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise ZoneError(f"the zone polygons have {len(faults)} fault(s): {'; '.join(faults[:5])}{more}; mend them")
    inside = shapely.intersects(shapes, area)
    if not inside.any():
        here, city = [tuple(round(float(v), 1) for v in b) for b in (polygons.total_bounds, area.bounds)]
        raise ZoneError(
            f"none of the {len(shapes)} zone polygons lies in the city: they span {here}, the city {city} (west, south,"
            " east, north, in the city's coordinates); is the file's coordinate system right?"
        )
    return _cut(shapes, area)


def around_points(area: shapely.Polygon, points: np.ndarray) -> tuple[Cells, np.ndarray]:
    """Voronoi cells of points: each place belongs to the nearest (Voronoi 1908, doi:10.1515/crll.1908.134.198).

    Parameters
    ----------
    area : Polygon
    points : ndarray, shape (n, 2)
        Coordinates, m; also of points outside the area.

    Returns
    -------
    cells : Cells
        Clipped to the area; `cell` counts places.
    place : ndarray of int, shape (n,)
        Place of each point: points within `SAME_PLACE_M` of each other on a grid are at one place.

    Raises
    ------
    ZoneError
        If there is no point, or one without coordinates.
    """
    lost = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(points) == 0 or lost.size:
        what = (
            "there are no sensors" if len(points) == 0 else f"sensors in rows {lost[:5].tolist()} have no coordinates"
        )
        raise ZoneError(f"{what}; zones around sensors need places")
    _, first, place = np.unique(
        np.round(points / SAME_PLACE_M).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    if len(first) == 1:
        return _cut(np.array([shapely.buffer(area, 1.0)]), area), place.ravel()
    spots = shapely.multipoints(points[first])
    cells = shapely.voronoi_polygons(spots, extend_to=shapely.buffer(area, 10.0), ordered=True)
    return _cut(shapely.get_parts(cells), area), place.ravel()


def _cut(cells: np.ndarray, area: shapely.Polygon) -> Cells:
    """Cut cells and area into faces, and name for each face inside the area the first cell that holds it."""
    outlines = shapely.boundary(np.append(cells[shapely.intersects(cells, area)], area))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.union_all(outlines))))
    faces = faces[shapely.area(faces) > 1e-3]  # m2; below is rounding
    inner = shapely.point_on_surface(faces)
    shapely.prepare(area)
    inside = shapely.contains(area, inner)
    faces, inner = faces[inside], inner[inside]
    face, cell = shapely.STRtree(cells).query(inner, predicate="intersects")
    order = np.lexsort((cell, face))
    face, first = np.unique(face[order], return_index=True)
    cell = cell[order][first]
    return Cells(faces[face], cell, shapely.area(cells)[cell])


def joined(
    cells: Cells, links: gpd.GeoDataFrame, *, count: int | None, keep_cells: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Join faces to zones: faces of one cell first, then those with too little street, then the smallest.

    Parameters
    ----------
    cells : Cells
    links : GeoDataFrame
        Projected geometry.
    count : int or None
        Join the zones with the least street until this many are left; `None` leaves them.
    keep_cells : bool
        Zones are the given cells as they are: whole even in several parts, none joined to another; those without any
        street are left out.

    Returns
    -------
    polygons : ndarray of shapely polygons, shape (n_zones,)
    cell : ndarray of int, shape (n_zones,)
        Grid cell of each zone's first face.

    Raises
    ------
    ZoneError
        If no cell holds a street.
    """
    street = np.zeros(len(cells.polygons))
    _, pieces, length = overlay(links.geometry.to_numpy(), cells.polygons)
    np.add.at(street, pieces, length)
    if not street.any():
        raise ZoneError("no zone holds a street of the city; give polygons that cover its streets")
    if keep_cells:
        label = cells.cell.copy()
        alive = [c for c in np.unique(label) if street[label == c].sum() > 0.0]
        return np.array([_union(cells.polygons[label == c]) for c in alive]), np.array(alive)
    regions = _Regions(cells, street)
    regions.join_cells(cells.cell)
    regions.join_small()
    if count is not None:
        regions.join_down_to(count)
    labels = regions.labels()
    kept = np.unique(labels)
    return np.array([_union(cells.polygons[labels == k]) for k in kept]), cells.cell[kept]


def _union(parts: np.ndarray) -> shapely.Geometry:
    return shapely.coverage_union_all(parts) if len(parts) > 1 else parts[0]


def borders(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of polygons (first < second) that share a border, and its length in metres."""
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    first, second = first[first < second], second[first < second]
    outline = shapely.boundary(polygons)
    length = shapely.length(shapely.intersection(outline[first], outline[second]))
    touching = length > 1e-6
    order = np.lexsort((second[touching], first[touching]))
    return first[touching][order], second[touching][order], length[touching][order]


def compactness(polygons: np.ndarray) -> float:
    """Mean of 4 pi area / perimeter^2, weighted by area: 1 for discs, 0.907 for regular hexagons, 0 for threads.

    Polsby & Popper (1991, Yale Law & Policy Review 9, 301-353).
    """
    area = shapely.area(polygons)
    return float((area * 4.0 * np.pi * area / shapely.length(polygons) ** 2).sum() / area.sum())


class _Regions:
    """Faces that are joined step by step; the lowest face number names a region."""

    def __init__(self, cells: Cells, street: np.ndarray) -> None:
        self._into = np.arange(len(street))  # the region that a face, or a region that is gone, has joined
        self._street = street.astype(float)
        self._area = shapely.area(cells.polygons)
        self._full = cells.full_area_m2.astype(float)
        self._border: list[dict[int, float]] = [{} for _ in street]
        for a, b, length in zip(*borders(cells.polygons)):
            self._border[a][int(b)] = self._border[b][int(a)] = float(length)

    def labels(self) -> np.ndarray:
        """Region of each face."""
        return np.array([self._root(face) for face in range(len(self._into))])

    def _root(self, face: int) -> int:
        while self._into[face] != face:
            face = int(self._into[face])
        return face

    def _alive(self) -> list[int]:
        return np.flatnonzero(self._into == np.arange(len(self._into))).tolist()

    def _join(self, a: int, b: int) -> int:
        keep, gone = min(a, b), max(a, b)
        self._into[gone] = keep
        self._street[keep] += self._street[gone]
        self._area[keep] += self._area[gone]
        self._full[keep] = max(self._full[keep], self._full[gone])
        for other, length in self._border[gone].items():
            del self._border[other][gone]
            if other != keep:
                self._border[keep][other] = self._border[keep].get(other, 0.0) + length
                self._border[other][keep] = self._border[keep][other]
        self._border[gone] = {}
        return keep

    def join_cells(self, cell: np.ndarray) -> None:
        """Join touching faces of the same cell."""
        for face in range(len(cell)):
            same = [other for other in self._border[face] if cell[other] == cell[face] and other > face]
            while same:
                self._join(face, same[0])
                same = [other for other in self._border[face] if cell[other] == cell[face] and other > face]

    def _is_small(self, region: int) -> bool:
        little = self._area[region] < MIN_CELL_SHARE * self._full[region]
        return bool(little or self._street[region] < MIN_STREET_M)

    def join_small(self) -> None:
        """Join what has too little street or too little of its cell, the smallest first, along its longest border."""
        queue = [(self._area[k], k) for k in self._alive() if self._is_small(k)]
        heapq.heapify(queue)
        while queue:
            area, region = heapq.heappop(queue)
            around = self._border[region]
            if self._into[region] != region or area != self._area[region] or not around:
                continue  # joined or grown since it was put there, or alone
            keep = self._join(region, max(around, key=lambda k: (around[k], -k)))
            if self._is_small(keep):
                heapq.heappush(queue, (self._area[keep], keep))

    def join_down_to(self, count: int) -> None:
        """Join the region with the least street to the smaller of its close neighbours, until `count` are left."""
        alive = self._alive()
        left, queue = len(alive), [(self._street[k], k) for k in alive]
        heapq.heapify(queue)
        while left > count and queue:
            street, region = heapq.heappop(queue)
            around = self._border[region]
            if self._into[region] != region or street != self._street[region] or not around:
                continue
            close = [k for k in around if around[k] >= 0.5 * max(around.values())]
            keep = self._join(region, min(close, key=lambda k: (self._street[k], k)))
            heapq.heappush(queue, (self._street[keep], keep))
            left -= 1
