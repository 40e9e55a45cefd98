"""Open Matrix files (OMX): HDF5 with square matrices under `data` and lists of zones under `lookup`.

Format: https://github.com/osPlanning/omx/wiki/Specification. Read with h5py, as the format's own package has not been
released since 2019 and needs PyTables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError
from data.schemas import VEHICLE_CLASSES


def read_omx(path: Path | str, *, matrix: str | Mapping[str, str] | None = None) -> pd.DataFrame:
    """Matrices of a file as a long table.

    Parameters
    ----------
    path : Path or str
    matrix : str or mapping, optional
        Name of a matrix, or vehicle class to name. Default the only matrix, or all those named as vehicle classes.

    Returns
    -------
    DataFrame
        `origin_zone_id`, `dest_zone_id` (text: entries of the file's only lookup, else 1..n), `trips_veh` (above 0),
        and `vehicle_class` where classes were asked for or found.

    Raises
    ------
    InputError
        If there is no such file, or the package h5py is missing.
    FileFormatError
        Naming every fault.
    """
    h5py = _h5py()
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; give an OMX file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FileFormatError(f"{path} is no OMX (HDF5) file: {error}") from error
    with file:
        if "data" not in file or not len(file["data"]):
            raise FileFormatError(f"{path} holds no matrix: an OMX file keeps its matrices under 'data'")
        names = sorted(file["data"])
        wanted = _wanted(path, names, matrix)
        faults: list[str] = []
        zones = _zones(file, faults)
        tables = []
        for klass, name in wanted:
            values = _values(file["data"][name], name, zones, faults)
            if not faults:
                o, d = np.nonzero(values)
                label = np.array(zones if zones is not None else [str(k + 1) for k in range(len(values))], dtype=object)
                table = pd.DataFrame(
                    {"origin_zone_id": label[o], "dest_zone_id": label[d], "trips_veh": values[o, d]}
                ).astype({"origin_zone_id": "str", "dest_zone_id": "str"})
                tables.append(table if klass is None else table.assign(vehicle_class=klass))
    if faults:
        raise FileFormatError(f"{path} has {len(faults)} fault(s): " + "; ".join(faults))
    return pd.concat(tables, ignore_index=True)


def write_omx(path: Path | str, matrices: Mapping[str, np.ndarray], zones: list[str]) -> None:
    """Write matrices of one shape (n, n) with a lookup `zone_id` of n texts (for other tools that read OMX)."""
    h5py = _h5py()
    with h5py.File(path, "w") as file:
        file.attrs["OMX_VERSION"] = np.bytes_("0.2")
        file.attrs["SHAPE"] = np.array([len(zones)] * 2, dtype=np.int32)
        data, lookup = file.create_group("data"), file.create_group("lookup")
        for name, values in matrices.items():
            data.create_dataset(name, data=np.asarray(values, float), compression="gzip", chunks=True)
        lookup.create_dataset("zone_id", data=np.array([zone.encode() for zone in zones]))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError("OMX files need the package h5py; install it: pip install 'zonewise[od]'") from error
    return h5py


def _wanted(path: Path, names: list[str], matrix: str | Mapping[str, str] | None) -> list[tuple[str | None, str]]:
    if isinstance(matrix, str):
        asked: list[tuple[str | None, str]] = [(None, matrix)]
    elif matrix is not None:
        asked = list(matrix.items())
    elif len(names) == 1:
        asked = [(None, names[0])]
    else:
        asked = [(klass, name) for klass in VEHICLE_CLASSES for name in names if name.lower() == klass]
    strange = [klass for klass, _ in asked if klass is not None and klass not in VEHICLE_CLASSES]
    lacking = [name for _, name in asked if name not in names]
    if strange or lacking or not asked:
        raise FileFormatError(
            f"{path} holds matrices {names}; "
            + (f"no {lacking}; " if lacking else "")
            + (f"unknown classes {strange}, allowed are {VEHICLE_CLASSES}; " if strange else "")
            + "say which to read, e.g. matrix='TRIPS' or {'car': 'SOV', 'heavy': 'HGV'}"
        )
    return asked


def _zones(file: Any, faults: list[str]) -> list[str] | None:
    """Names of the zones, if the file has a lookup; None where it has none."""
    if "lookup" not in file or not len(file["lookup"]):
        return None
    name = sorted(file["lookup"])[0]
    if len(file["lookup"]) > 1:
        better = [other for other in sorted(file["lookup"]) if "zone" in other.lower()]
        if len(better) != 1:
            faults.append(f"it has lookups {sorted(file['lookup'])}; keep the one that names the zones")
            return None
        name = better[0]
    raw = file["lookup"][name][:]
    zones = [v.decode("utf-8", "replace").strip() if isinstance(v, bytes) else str(v).strip() for v in raw.tolist()]
    zones = [zone.removesuffix(".0") for zone in zones]
    if len(set(zones)) != len(zones):
        faults.append(f"lookup '{name}' names some zones more than once")
    return zones


def _values(dataset: Any, name: str, zones: list[str] | None, faults: list[str]) -> np.ndarray:
    shape = tuple(dataset.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        faults.append(f"matrix '{name}' has shape {shape}; allowed is square")
        return np.zeros((0, 0))
    if zones is not None and len(zones) != shape[0]:
        faults.append(f"matrix '{name}' has {shape[0]} rows, the lookup {len(zones)} zones")
    values = np.asarray(dataset[:], dtype=float)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        faults.append(f"matrix '{name}' must hold numbers of at least 0; {int(bad.sum())} are not")
    return values
