"""SpatiaLite's BLOBs: what WKB says in another frame, and what damaged ones say."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, box

from data.errors import FileFormatError
from data.readers.spatialite import shape_of_blob

HOLED = box(0, 0, 9, 9).difference(box(3, 3, 5, 5))
SHAPES = [
    Point(1.5, -2.0), LineString([(0, 0), (3, 4), (5, 5)]), HOLED, MultiPolygon([HOLED, box(20, 20, 30, 31)]),
    MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3), (4, 5)]]), MultiPoint([(0, 0), (7, 8)]),
]  # fmt: skip


def _blob(shape, order="<", srid=4326):
    """SpatiaLite's frame around WKB, whose parts' byte order marks become 0x69."""
    raw = bytearray(shapely.to_wkb(shape, byte_order=1 if order == "<" else 0))
    if hasattr(shape, "geoms"):
        at = 9
        for part in shape.geoms:
            raw[at] = 0x69
            at += len(shapely.to_wkb(part, byte_order=1))
    head = b"\x00" + (b"\x01" if order == "<" else b"\x00") + struct.pack(f"{order}i", srid)
    return head + struct.pack(f"{order}4d", *shape.bounds) + b"\x7c" + bytes(raw[1:]) + b"\xfe"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.geom_type)
def test_a_shape_comes_back_as_it_was_written(shape, order):
    found, srid = shape_of_blob(_blob(shape, order))
    assert found.equals_exact(shape, 0.0)
    assert srid == 4326


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.geom_type)
def test_damaged_bytes_are_told_or_make_a_shape(shape):
    """Each byte in turn is flipped, and the blob cut at each place: never anything but a shape or our error."""
    whole = _blob(shape)
    cuts = [whole[:k] for k in range(0, len(whole), 7)]
    flips = [whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :] for k in range(len(whole))]
    told = 0
    for blob in [*cuts, *flips]:
        try:
            shape_of_blob(blob)
        except FileFormatError:
            told += 1
    assert told > len(cuts)


def test_random_bytes_are_no_shape():
    with pytest.raises(FileFormatError, match="no SpatiaLite geometry"):
        shape_of_blob(np.random.default_rng(1).bytes(200))
