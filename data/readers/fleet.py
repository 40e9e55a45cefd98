"""A fleet of one's own: a table of vehicle kinds and their shares, CSV or Parquet.

One row a kind of vehicle, columns as in `data/defaults/fleet.csv`: `vehicle_class` (car, van, heavy, bus), `fuel`,
`euro`, `share` of the class's vehicle-km and `wear_id`; if need be `exhaust_id`, `electricity_id`, `tyre_factor`,
`brake_factor`. Others, such as `source`, are kept. Which vehicles there are, and whether shares sum to one, the fleet
itself checks (`simulation.air.fleet.Fleet.from_table`).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.errors import FileFormatError, InputError
from data.readers.parquet_tables import read_parquet_table
from data.schemas import FLEET, validate

_TEXT = ("vehicle_class", "fuel", "exhaust_id", "wear_id", "electricity_id")


def read_fleet(path: Path | str) -> pd.DataFrame:
    """Read a fleet table.

    Parameters
    ----------
    path : Path or str
        `.csv`, `.csv.gz` or `.parquet`.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.FLEET`; text that is missing is empty.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If the file is damaged or of another format.
    SchemaError
        With every fault: missing columns, unknown classes or fuels, shares outside 0 to 1, values that are no numbers.
    """
    table = _read(Path(path))
    text = {name: table[name].fillna("").astype(str).str.strip() for name in _TEXT if name in table.columns}
    return validate(table.assign(**text), FLEET)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"no file {path}; give a CSV or Parquet table of a fleet")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return read_parquet_table(path)
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:
        raise FileFormatError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    raise FileFormatError(f"{path}: allowed are .csv, .csv.gz and .parquet")
