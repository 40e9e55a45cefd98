"""A fleet table from a file: what is read, and what is refused."""

from importlib.resources import as_file, files

import pandas as pd
import pytest

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.fleet import read_fleet
from simulation.air.errors import FleetError
from simulation.air.fleet import Fleet, default_fleet


@pytest.fixture
def table():
    return pd.read_csv(files("data").joinpath("defaults/fleet.csv").open(encoding="utf-8"))


def test_the_shipped_table_is_the_default_fleet():
    """Read through the door, it gives the fleet that a city has without one; sources are kept."""
    with as_file(files("data").joinpath("defaults/fleet.csv")) as path:
        read = read_fleet(path)
    assert Fleet.from_table(read) == default_fleet()
    assert "source" in read.columns


@pytest.mark.parametrize("name", ["fleet.csv", "fleet.csv.gz", "fleet.parquet"])
def test_every_format_gives_the_same_fleet(table, tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    assert Fleet.from_table(read_fleet(path)) == default_fleet()


def test_every_fault_of_a_table_is_named_at_once(table, tmp_path):
    """A class, a fuel, a share and a number."""
    table = table.astype({"share": object, "euro": object}).drop(columns="wear_id")
    for row, (name, value) in enumerate((("vehicle_class", "tram"), ("fuel", "coal"), ("share", 2), ("euro", 6.5))):
        table.loc[row, name] = value
    table.to_csv(tmp_path / "fleet.csv", index=False)
    with pytest.raises(SchemaError) as error:
        read_fleet(tmp_path / "fleet.csv")
    for words in ("missing column(s) ['wear_id']", "'tram'", "'coal'", "column 'share'", "column 'euro'"):
        assert words in str(error.value)


def test_shares_that_do_not_sum_to_one_are_the_fleets_matter(table, tmp_path):
    table.drop(index=0).to_csv(tmp_path / "fleet.csv", index=False)
    with pytest.raises(FleetError, match=r"class 'car'.*not 0\.84"):
        Fleet.from_table(read_fleet(tmp_path / "fleet.csv"))


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_fleet(tmp_path / "none.csv")
    for name, content in (("fleet.txt", b"a"), ("fleet.parquet", b"PAR1 damaged")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=name):
            read_fleet(tmp_path / name)
