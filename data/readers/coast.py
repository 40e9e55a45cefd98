"""Land and sea from coastlines: OpenStreetMap draws the sea's edge only, with land on its left."""

from __future__ import annotations

import numpy as np
import shapely

_STEP = 1e-7  # degrees, about a centimetre: how far beside the coast one looks


def land_and_sea(
    coast: list[shapely.LineString], frame: shapely.Polygon
) -> tuple[shapely.Geometry, shapely.Geometry | None]:
    """Land and sea inside a frame.

    Parameters
    ----------
    coast : list of LineString
        Pieces of coastline as drawn, land on the left, longitude and latitude.
    frame : Polygon
        What is to be divided.

    Returns
    -------
    land, sea : geometry
        `sea` is None where no coastline crosses the frame. A coastline that ends inside the frame, because the extract
        does, is led on straight to the frame's nearest edge.
    """
    inside = [line for line in coast if line.intersects(frame)]
    if not inside:
        return frame, None
    merged = shapely.get_parts(shapely.line_merge(shapely.union_all(inside), directed=True))
    lines = [_led_to_edge(line, frame) for line in merged]
    edges = shapely.union_all([*lines, frame.boundary])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    votes = np.zeros(len(faces))  # metres (in degrees) of coast with the face on its left, less those on its right
    tree = shapely.STRtree(faces)
    for line in lines:
        ends = np.asarray(line.coords)
        start, along = ends[:-1], np.diff(ends, axis=0)
        length = np.hypot(*along.T)
        start, along, length = start[length > 0], along[length > 0], length[length > 0]
        left = np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None] * _STEP
        for side, sign in ((left, 1.0), (-left, -1.0)):
            point, face = tree.query(shapely.points(start + along / 2.0 + side), predicate="within")
            np.add.at(votes, face, sign * length[point])
    land = shapely.union_all(shapely.intersection(faces[votes >= 0.0], frame))
    sea = shapely.union_all(shapely.intersection(faces[votes < 0.0], frame))
    return (frame, None) if sea.is_empty or land.is_empty else (land, sea)


def _led_to_edge(line: shapely.LineString, frame: shapely.Polygon) -> shapely.LineString:
    if line.is_closed:
        return line
    coords = [tuple(point) for point in line.coords]
    for end, place in ((0, 0), (-1, len(coords))):
        point = shapely.Point(coords[end])
        if frame.contains(point):
            edge = frame.boundary.interpolate(frame.boundary.project(point))
            outward = (edge.x + (edge.x - point.x) * 1e-6, edge.y + (edge.y - point.y) * 1e-6)
            coords.insert(place if end == 0 else len(coords), outward)
    return shapely.LineString(coords)
