"""Shapes out of SpatiaLite tables without the SpatiaLite library: its BLOB format is WKB with another frame.

A BLOB is 0x00, a byte order mark, the SRID, four doubles of the bounding box, 0x7C, a geometry and 0xFE; inside
collections each part begins with 0x69 where WKB has a byte order mark (gaia-gis.it, "BLOB-Geometry").
"""

from __future__ import annotations

import struct

import shapely
from shapely.geometry.base import BaseGeometry

from data.errors import FileFormatError

_HEAD = 39  # bytes before the geometry's class
_START, _MBR_END, _ENTITY, _END = 0x00, 0x7C, 0x69, 0xFE
_PARTS = {4: 1, 5: 2, 6: 3}  # multi-class -> class of its parts


def shape_of_blob(blob: bytes) -> tuple[BaseGeometry, int]:
    """Shape of a BLOB in two dimensions, and its SRID.

    Raises
    ------
    FileFormatError
        If the bytes are no SpatiaLite geometry, or one with heights, measures or compressed points.
    """
    if not isinstance(blob, bytes) or len(blob) < _HEAD + 5:
        raise FileFormatError("a SpatiaLite geometry has at least 44 bytes; the database is damaged")
    if blob[0] != _START or blob[1] not in (0, 1) or blob[_HEAD - 1] != _MBR_END or blob[-1] != _END:
        raise FileFormatError("the bytes are no SpatiaLite geometry; the database is damaged or of another kind")
    order = "<" if blob[1] == 1 else ">"
    (srid,) = struct.unpack_from(f"{order}i", blob, 2)
    body = bytearray(bytes([blob[1]]) + blob[_HEAD:-1])
    try:
        (kind,) = struct.unpack_from(f"{order}I", body, 1)
        if kind in _PARTS:
            _mark_parts(body, order, _PARTS[kind])
        return shapely.from_wkb(bytes(body)), int(srid)
    except (struct.error, IndexError, shapely.errors.GEOSException) as error:
        raise FileFormatError(f"a SpatiaLite geometry cannot be read ({error}); the database is damaged") from error


def _mark_parts(body: bytearray, order: str, part: int) -> None:
    """Put WKB's byte order mark where SpatiaLite has its own mark, at the start of each part."""
    (count,) = struct.unpack_from(f"{order}I", body, 5)
    at = 9
    for _ in range(min(count, len(body))):
        if body[at] != _ENTITY:
            raise struct.error("a part does not begin with 0x69")
        body[at] = body[0]
        at += 5
        if part == 1:
            at += 16
            continue
        rings = 1
        if part == 3:
            (rings,) = struct.unpack_from(f"{order}I", body, at)
            at += 4
        for _ in range(min(rings, len(body))):
            (points,) = struct.unpack_from(f"{order}I", body, at)
            at += 4 + 16 * points
