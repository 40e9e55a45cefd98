"""Data: the vocabulary that every room shares, and the doors to the world outside.

Vocabulary, for everyone: `errors`, `units`, `schemas` (the tables that cross rooms), `store.protocol` (what may be
asked of a store). Doors, for the edges alone: `readers` (OpenStreetMap and other files), `cities` (a city by name or
path), `store` (workspaces and runs on disk), `settings`. `work` decides where parts of a job run. `toy` is a small
hand-made town for tests and examples.
"""

from data.errors import (
    CityError,
    ClusterError,
    FileFormatError,
    InputError,
    RunNotFoundError,
    SchemaError,
    StoreError,
    ZonewiseError,
)

__all__ = [
    "CityError",
    "ClusterError",
    "FileFormatError",
    "InputError",
    "RunNotFoundError",
    "SchemaError",
    "StoreError",
    "ZonewiseError",
]
