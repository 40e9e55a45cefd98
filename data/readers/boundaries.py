"""Administrative and place boundaries out of an OpenStreetMap file, as polygons for zones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import shapely

from data.errors import CityError, FileFormatError, InputError
from data.readers.osm import SUFFIXES

KINDS = ("administrative", "postal_code", "census", "statistical", "place")
#: Areas tagged as a place that are parts of a town or whole settlements, not islands or squares.
PLACES = (
    "borough", "suburb", "quarter", "neighbourhood", "city_block", "city", "town", "village", "hamlet", "municipality",
    "district",
)  # fmt: skip


def read_boundaries(path: Path | str, *, admin_level: int | None = None, kind: str | None = None) -> gpd.GeoDataFrame:
    """Boundaries that a file holds whole.

    Relations whose ways the extract cuts make no polygon and are left out: a small extract often holds none.

    Parameters
    ----------
    path : Path
        `.osm`, `.osm.gz`, `.osm.bz2` or `.osm.pbf`.
    admin_level : int, optional
        Only administrative boundaries of this level; 8 is a municipality and 9 or 10 a part of it in most of Europe
        (OpenStreetMap wiki, page on `boundary=administrative`).
    kind : str, optional
        Only boundaries of this kind, one of `KINDS`.

    Returns
    -------
    GeoDataFrame
        `name`, `kind`, `admin_level` (Int64, missing where untold), `osmid`, geometry (EPSG:4326, valid); ordered by
        kind, level, name and id. Empty where the file holds none.

    Raises
    ------
    CityError
        If there is no such file.
    FileFormatError
        If it is damaged or of another format than its name says.
    InputError
        If `kind` is unknown.
    """
    path = Path(path)
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind={kind!r} of boundaries is unknown; allowed: {', '.join(KINDS)}")
    if not path.is_file():
        raise CityError(f"there is no file {path}; give the path of an OpenStreetMap extract ({', '.join(SUFFIXES)})")
    try:
        rows = list(_rows(path))
    except (RuntimeError, OSError, ValueError, MemoryError, osmium.InvalidLocationError) as error:
        raise FileFormatError(
            f"{path} cannot be read as OpenStreetMap data ({error}); it is damaged, truncated or not what its name"
            f" says. Download it again; readable are {', '.join(SUFFIXES)}"
        ) from error
    shapes = np.asarray(shapely.from_wkt([row.pop("wkt") for row in rows]), dtype=object)
    shapes = shapely.make_valid(shapes) if len(rows) else shapes
    table = pd.DataFrame(rows, columns=["name", "kind", "admin_level", "osmid"]).astype(
        {"name": "str", "kind": "str", "admin_level": "Int64", "osmid": "int64"}
    )
    found = gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326")
    found = found[shapely.area(found.geometry.to_numpy()) > 0.0]
    if admin_level is not None:
        found = found[(found["admin_level"] == admin_level).fillna(False) & (found["kind"] == "administrative")]
    if kind is not None:
        found = found[found["kind"] == kind]
    return found.sort_values(["kind", "admin_level", "name", "osmid"], ignore_index=True)


def _rows(path: Path) -> Any:
    keep = osmium.filter.KeyFilter("boundary", "place")
    factory = osmium.geom.WKTFactory()
    objects: Any = osmium.FileProcessor(str(path)).with_areas(keep).with_filter(keep)
    for area in objects:
        if not area.is_area():
            continue
        tags = area.tags
        kind = tags.get("boundary")
        if kind not in KINDS:
            kind = "place" if tags.get("place") in PLACES else None
        if kind is None:
            continue
        try:
            text = factory.create_multipolygon(area)
        except RuntimeError:  # rings that do not close within the extract
            continue
        level = tags.get("admin_level", "")
        yield {
            "name": tags.get("name") or tags.get("postal_code") or f"{kind} {area.orig_id()}", "kind": kind,
            "admin_level": int(level) if level.isascii() and level.isdigit() and len(level) < 4 else pd.NA,
            "osmid": int(area.orig_id()), "wkt": text,
        }  # fmt: skip
