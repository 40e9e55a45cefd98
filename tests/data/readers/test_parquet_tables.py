"""Parquet files whose description of the columns is damaged."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import FileFormatError
from data.readers.detectors import read_detectors
from data.readers.parquet_tables import read_parquet_table
from data.readers.plain_tables import open_plain

TABLE = pd.DataFrame({"sensor_id": ["a", "b"], "hour": [1.0, 2.0]})


@pytest.fixture
def file(tmp_path):
    """Its columns are told without names or types, as after a bit that fell over."""
    table = pa.Table.from_pandas(TABLE)
    told = json.loads(table.schema.metadata[b"pandas"])
    for column in told["columns"]:
        column["nume"] = column.pop("name")
    path = tmp_path / "readings.parquet"
    pq.write_table(table.replace_schema_metadata({b"pandas": json.dumps(told).encode()}), path)
    return path


def test_a_whole_file_comes_back(tmp_path):
    TABLE.to_parquet(tmp_path / "readings.parquet")
    pd.testing.assert_frame_equal(read_parquet_table(tmp_path / "readings.parquet"), TABLE)


@pytest.mark.parametrize(
    "read",
    [read_parquet_table, lambda path: read_detectors(path, timezone="UTC"), lambda path: open_plain(path, "readings")],
)
def test_columns_without_names_are_refused_in_words(file, read):
    with pytest.raises(FileFormatError, match=r"readings\.parquet cannot be read \(KeyError: 'name'\)"):
        read(file)
