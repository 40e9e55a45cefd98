"""Export as a GeoPackage (OGC 12-128r19): one file, `city.gpkg`, with layers that any GIS opens.

Layers: `nodes` (points), `links` and `zones` as the city has them, `signals` (a point at the stop line of each link
with a plan), `link_results` (links with what was driven on them) and any table without geometry under its own name.
Columns keep their names, which carry their units.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.exports.folder import new_folder

FILE = "city.gpkg"


def export_geopackage(
    folder: Path | str,
    *,
    nodes: pd.DataFrame,
    links: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    signals: pd.DataFrame,
    crs: str,
    link_results: pd.DataFrame | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    force: bool = False,
) -> Path:
    """Write a city as a GeoPackage.

    Parameters
    ----------
    folder : path
        Appears whole; see `data.exports.folder.new_folder`.
    nodes, links, zones, signals : DataFrame
        As in `data.schemas`; geometry in `crs`.
    crs : str
        Coordinate system of all layers.
    link_results : DataFrame, optional
        Results by `link_id`, one row a link; links without a row are left out of the layer.
    tables : mapping of DataFrame, optional
        Further tables, without geometry.
    force : bool
        Replace an earlier export.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError, StoreError
        If the folder holds something, or cannot be written.
    """
    points = gpd.GeoDataFrame(nodes.copy(), geometry=gpd.points_from_xy(nodes["x_m"], nodes["y_m"]), crs=crs)
    layers: dict[str, pd.DataFrame] = {"nodes": points, "links": links.set_crs(crs, allow_override=True)}
    if len(zones):
        layers["zones"] = zones.set_crs(crs, allow_override=True)
    if len(signals):
        layers["signals"] = _stop_lines(links, signals, crs)
    if link_results is not None:
        shapes = links[["link_id", "name", "road_class", "geometry"]]
        joined = shapes.merge(link_results, on="link_id", how="inner")
        layers["link_results"] = gpd.GeoDataFrame(joined, geometry="geometry", crs=crs)
    layers |= dict(tables or {})
    with new_folder(folder, kind="gpkg", force=force) as aside:
        for name, layer in layers.items():
            _write(aside / FILE, name, layer)
    return Path(folder)


def _stop_lines(links: gpd.GeoDataFrame, signals: pd.DataFrame, crs: str) -> gpd.GeoDataFrame:
    """A point at the end of each link that has a plan."""
    lines = links.set_index("link_id").geometry.loc[signals["link_id"]].to_numpy()
    return gpd.GeoDataFrame(signals.reset_index(drop=True), geometry=shapely.get_point(lines, -1), crs=crs)


def _write(path: Path, name: str, layer: pd.DataFrame) -> None:
    """Add a layer; what a GeoPackage has no type for becomes text."""
    plain = layer.copy()
    for column in plain.columns:
        values = plain[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            plain[column] = values.astype("str")
        elif values.dtype == object and column != "geometry":
            plain[column] = [None if v is None or v is np.nan else str(v) for v in values]
    if isinstance(plain, gpd.GeoDataFrame):
        plain.to_file(path, layer=name, driver="GPKG", engine="pyogrio")
        return
    import pyogrio

    pyogrio.write_dataframe(plain, path, layer=name, driver="GPKG")
