"""Parquet files of others: read as they are, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.errors import FileFormatError

#: What pandas and Arrow raise over a damaged file; its description of the columns is read without checks.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError)


def read_parquet_table(path: Path) -> pd.DataFrame:
    """The table of a Parquet file.

    Raises
    ------
    FileFormatError
        If it is damaged, or no Parquet file.
    """
    try:
        return pd.read_parquet(path)
    except _DAMAGE as error:
        told = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise FileFormatError(f"{path} cannot be read ({told}); write the file again") from error
