"""Tables as they are: CSV and Parquet with their headers checked, ids as text, numbers as numbers."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.hourly_tables import Faults, named_rows
from data.readers.parquet_tables import read_parquet_table

_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TEXT = (".csv", ".txt", ".tsv")


def open_plain(path: Path | str, what: str, *, text: Iterable[str] = (), separator: str | None = None) -> pd.DataFrame:
    """Read a table with a header.

    Parameters
    ----------
    path : Path or str
        `.csv`, `.txt`, `.tsv`, plain or packed (`.gz`, `.bz2`, `.xz`), or `.parquet`.
    what : str
        What it should hold, for errors.
    text : iterable of str
        Columns that stay text, so that an id `0970` keeps its zero.
    separator : str, optional
        Of a text file; found in its header if not given (comma, semicolon or tab).

    Raises
    ------
    InputError
        If there is no such file, or it holds no row.
    FileFormatError
        If it is damaged, empty, or of another format.
    SchemaError
        If two columns have one name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; give a table of {what}")
    try:
        if path.suffix.lower() == ".parquet":
            table = read_parquet_table(path)
            header = list(map(str, table.columns))
        else:
            header, separator = _header(path, separator)
            keep = {name: "str" for name in text if name in header}
            table = pd.read_csv(path, sep=separator, dtype=keep, low_memory=False, skipinitialspace=True)
    except (OSError, ValueError, EOFError, lzma.LZMAError, csv.Error) as error:
        if isinstance(error, InputError | FileFormatError):
            raise
        raise FileFormatError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    twice = sorted(name for name, n in Counter(name.strip() for name in header if name.strip()).items() if n > 1)
    if twice:
        raise SchemaError(str(path), [f"column(s) {twice[:10]} appear more than once; drop or rename the others"])
    if table.empty:
        raise InputError(f"{path} holds no row of {what}")
    return table.rename(columns=lambda name: str(name).strip())


def _header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """Names in the first line, and what separates them."""
    packed = _OPENERS.get(path.suffix.lower())
    stem = path.with_suffix("") if packed else path
    if stem.suffix.lower() not in _TEXT:
        raise FileFormatError(f"{path}: allowed are {', '.join(_TEXT)} (plain or .gz, .bz2, .xz) and .parquet")
    with packed(path, "rt", newline="") if packed else path.open(newline="") as file:  # type: ignore[operator]
        line = file.readline(1_000_000)
    if "\0" in line:
        raise FileFormatError(f"{path} is no text; is it packed or damaged?")
    separator = separator or max(",;\t", key=line.count)
    names = next(csv.reader([line.lstrip("\ufeff")], delimiter=separator), [])
    if not any(name.strip() for name in names):
        raise FileFormatError(f"{path} has no header; its first line is empty")
    return names, separator


def names_of(values: pd.Series) -> pd.Series:
    """Ids as text: `12.0` that a table made of the number 12 is `12` again."""
    if pd.api.types.is_float_dtype(values) and np.equal(np.mod(values.dropna(), 1), 0).all():
        values = values.astype("Int64")
    return values.astype("str").str.strip()


def find(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The table's column that goes by one of these names, whatever its case."""
    lower = {str(column).strip().lower(): column for column in table.columns}
    return next((lower[name] for name in names if name in lower), None)


def plain_numbers(values: pd.Series, faults: Faults, missing: Sequence[float | str] = ()) -> pd.Series:
    """Numbers of a column; text that is none is a fault, the codes in `missing` are gaps."""
    cast = pd.to_numeric(values, errors="coerce").astype("float64")
    codes = {str(code) for code in missing}
    bad = (cast.isna() & values.notna() & ~values.astype("str").str.strip().isin({*codes, "", "NA", "nan"})).to_numpy()
    if bad.any():
        faults.add(f"column '{values.name}' holds no number in {named_rows(bad, values.to_numpy())}")
    gaps = [float(code) for code in missing if _is_number(code)]
    return cast.mask(cast.isin(gaps) | np.isinf(cast))


def _is_number(code: float | str) -> bool:
    try:
        float(code)
    except ValueError:
        return False
    return True
