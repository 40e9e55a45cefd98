"""Read zone polygons that a user has drawn: GeoJSON, GeoPackage, and what else pyogrio reads."""

from __future__ import annotations

import logging
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from data.errors import FileFormatError, InputError

logger = logging.getLogger(__name__)
SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".parquet")
#: Column of the people in each polygon, from which homes are counted.
PEOPLE = "population"
#: Properties that name a zone, whatever their case; without any of them, the only text that differs in every shape.
_NAME_KEYS = ("name", "nimi", "label", "title")


def read_polygons(path: Path | str, *, layer: str | None = None) -> gpd.GeoDataFrame:
    """Polygons of a file, with a column `name` where the file names them.

    Parameters
    ----------
    path : Path
        `.geojson`, `.gpkg`, `.shp`, `.fgb` or GeoParquet.
    layer : str, optional
        Layer of a GeoPackage; the only one if not given.

    Returns
    -------
    GeoDataFrame
        `name` (where told) and geometry, in the file's coordinate system, valid polygons only.

    Raises
    ------
    InputError
        If the file is not there, holds several layers and none is named, or shapes that cannot be zones: every fault
        is listed.
    FileFormatError
        If it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give zone polygons as {', '.join(SUFFIXES)}")
    try:
        table = _read(path, layer)
    except InputError:
        raise
    except Exception as error:  # GDAL, Arrow and JSON parsers each raise their own
        raise FileFormatError(
            f"{path} cannot be read as polygons ({type(error).__name__}: {error}); give {', '.join(SUFFIXES)}"
        ) from error
    faults = _faults(table)
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise InputError(f"{path} has {len(faults)} fault(s): {'; '.join(faults[:5])}{more}")
    name = _name_column(table, path)
    kept = gpd.GeoDataFrame(geometry=table.geometry.to_numpy(), crs=table.crs)
    if name is not None:
        kept.insert(0, "name", table[name].astype("str").to_numpy())
    people = next((str(c) for c in table.columns if str(c).casefold() == PEOPLE), None)
    if people is not None:
        kept.insert(len(kept.columns) - 1, PEOPLE, _people(table[people], path))
    return kept


def _people(column: pd.Series, path: Path) -> pd.Series:
    """Numbers of people; `InputError` tells the first values that are none."""
    count = pd.to_numeric(column, errors="coerce").reset_index(drop=True)
    wrong = ~(count >= 0) | (count == float("inf"))
    if wrong.any():
        shown = column.reset_index(drop=True)[wrong].head(5).tolist()
        raise InputError(
            f"{path}: {wrong.sum()} value(s) of {PEOPLE!r} are no number of people, e.g. {shown}; give numbers of at"
            " least 0, or leave the column out"
        )
    return count.astype(float)


def _name_column(table: gpd.GeoDataFrame, path: Path) -> str | None:
    """The column that holds the names; None, and a word in the log, where none does or several could."""
    told = {str(column).casefold(): str(column) for column in reversed(table.columns)}
    usual = next((told[key] for key in _NAME_KEYS if key in told), None)
    if usual is not None:
        return usual
    texts = [str(column) for column in table.columns if column != table.geometry.name and _names(table[column])]
    if len(texts) == 1:
        return texts[0]
    if len(table.columns) > 1:
        why = f"of {', '.join(texts)} none is called so" if texts else "nor a single text that differs in every shape"
        logger.warning(
            "%s: no property 'name', %s: zones get other names; call the property 'name' to keep yours", path.name, why
        )
    return None


def _names(column: pd.Series) -> bool:
    """Whether values are texts, all there, and differ."""
    texts = [value.strip() for value in column if isinstance(value, str)]
    return len(texts) == len(column) and all(texts) and len(set(texts)) == len(texts)


def _read(path: Path, layer: str | None) -> gpd.GeoDataFrame:
    if path.suffix == ".parquet":
        return gpd.read_parquet(path)
    layers = [str(row[0]) for row in pyogrio.list_layers(path)]
    if layer is not None and layer not in layers:
        raise InputError(f"{path} has no layer {layer!r}; it has {', '.join(layers)}")
    if layer is None and len(layers) > 1:
        raise InputError(f"{path} holds {len(layers)} layers ({', '.join(layers)}); name one")
    table = gpd.read_file(path, layer=layer)
    if not isinstance(table, gpd.GeoDataFrame):
        raise InputError(f"{path} holds a table without shapes; give polygons")
    return table


def _faults(table: gpd.GeoDataFrame) -> list[str]:
    faults = []
    if len(table) == 0:
        faults.append("it holds no shape")
    if table.crs is None:
        faults.append(
            "it names no coordinate system (a GeoJSON is in longitude and latitude; a shapefile needs its .prj)"
        )
    for row, shape in enumerate(table.geometry.to_numpy()):
        if shape is None or shape.is_empty:
            faults.append(f"shape {row} is empty")
        elif shape.geom_type not in ("Polygon", "MultiPolygon"):
            faults.append(f"shape {row} is a {shape.geom_type}, not a polygon")
        elif not shape.is_valid:
            faults.append(f"shape {row} is invalid ({shapely.is_valid_reason(shape)}); mend it, e.g. with buffer(0)")
    return faults
