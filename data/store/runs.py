"""Runs: immutable folders of tables, named by the content of what made them.

A run is written aside (`.aside-<id>-...`), its manifest last, then renamed; a reader never meets half a run, and a
kill or a full disk leaves every finished run as it was. Equal specifications give equal ids, so a step that is
already there is not repeated.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import RunNotFoundError, StoreError
from data.schemas import ALL_TABLES, validate

FORMAT_VERSION = 1
_ASIDE = ".aside-"


def run_id(kind: str, spec: Mapping[str, Any]) -> str:
    """Name of the run that this specification makes: its kind and 12 hex digits of its content.

    `spec` is anything that JSON can hold; key order does not matter.
    """
    text = json.dumps({"format": FORMAT_VERSION, "kind": kind, "spec": spec}, sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class RunWriter:
    """What a run is filled through, before it is finished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, int] = {}

    def table(self, name: str, table: pd.DataFrame) -> None:
        """Add a table; one that has a schema is checked against it. Geometry makes it GeoParquet."""
        checked = validate(table, ALL_TABLES[name]) if name in ALL_TABLES else table
        path = self.folder / f"{name}.parquet"
        if isinstance(table, gpd.GeoDataFrame):
            gpd.GeoDataFrame(checked, geometry=table.geometry.name, crs=table.crs).to_parquet(path, index=False)
        else:
            pq.write_table(pa.Table.from_pandas(checked, preserve_index=False), path, compression="zstd")
        self.tables[name] = len(table)

    def arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Add a bundle of arrays as `<name>.npz`."""
        bundle: dict[str, Any] = {key: np.asarray(value) for key, value in arrays.items()}
        np.savez_compressed(self.folder / f"{name}.npz", **bundle)

    def json(self, name: str, value: Any) -> None:
        """Add `<name>.json`."""
        (self.folder / f"{name}.json").write_text(json.dumps(value, indent=1, sort_keys=True, default=str))

    def bytes(self, name: str, value: bytes) -> None:
        """Add a file of any other format; `name` may hold folders."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)


class RunStore:
    """The runs below one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def has(self, run: str) -> bool:
        """Whether that run is finished."""
        return (self.root / run / "manifest.json").is_file()

    @contextmanager
    def write(
        self, kind: str, spec: Mapping[str, Any], *, parents: tuple[str, ...] = (), seed: int | None = None
    ) -> Iterator[RunWriter]:
        """Fill a new run; it appears, whole, when the block ends without an error.

        Raises
        ------
        StoreError
            If the disk is full or the folder cannot be written. Nothing half-written stays behind.
        """
        name = run_id(kind, spec)
        aside = self.root / f"{_ASIDE}{name}-{os.getpid()}-{threading.get_ident()}"
        started = time.time()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            writer = RunWriter(aside)
            yield writer
            manifest = {
                "id": name, "kind": kind, "spec": spec, "seed": seed, "parents": list(parents),
                "format_version": FORMAT_VERSION, "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.time() - started, 3), "tables": writer.tables, "versions": versions(),
            }  # fmt: skip
            self._finish(aside, self.root / name, manifest)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise StoreError(
                f"cannot write run {name} below {self.root}: {error.strerror or error}; finished runs are unharmed."
                f" Free some disk space or check the folder's permissions, then repeat the command"
            ) from error
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise

    def _finish(self, aside: Path, final: Path, manifest: Mapping[str, Any]) -> None:
        """Flush the tables, then write the manifest and flush it, and give the folder its name."""
        for table in sorted(path for path in aside.rglob("*") if path.is_file()):
            with table.open("rb") as file:
                os.fsync(file.fileno())
        path = aside / "manifest.json"
        with path.open("w") as file:
            json.dump(manifest, file, indent=1, sort_keys=True, default=str)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            if self.has(final.name):  # another process finished the same run first: equal by construction
                shutil.rmtree(aside)
                return
            shutil.rmtree(final)
        try:
            aside.rename(final)
        except OSError:
            if not self.has(final.name):
                raise
            shutil.rmtree(aside)  # another process was faster by a moment

    def manifest(self, run: str) -> dict[str, Any]:
        """A run's manifest.

        Raises
        ------
        RunNotFoundError
            If there is no such finished run.
        StoreError
            If its manifest is damaged.
        """
        path = self.root / run / "manifest.json"
        if "/" in run or run.startswith(".") or not path.is_file():
            raise RunNotFoundError(f"no finished run '{run}' below {self.root}; see 'zonewise runs list'")
        try:
            value: dict[str, Any] = json.loads(path.read_text())
            lacking = [name for name in ("id", "kind", "spec", "created") if name not in value]
            if lacking or value["id"] != run:
                raise ValueError(f"lacks {lacking}" if lacking else f"belongs to run '{value['id']}'")
        except (ValueError, TypeError) as error:
            raise StoreError(f"manifest of run '{run}' is damaged ({error}); remove {path.parent}") from error
        return value

    def list(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Manifests of the finished runs, oldest first; damaged ones are passed over."""
        manifests: list[dict[str, Any]] = []
        for path in self.root.glob("*/manifest.json") if self.root.is_dir() else ():
            if path.parent.name.startswith(_ASIDE):
                continue
            try:
                manifests.append(self.manifest(path.parent.name))
            except StoreError:
                continue
        chosen = (m for m in manifests if kind is None or m["kind"] == kind)
        return sorted(chosen, key=lambda m: (m["created"], m["id"]))

    def latest(self, kind: str) -> dict[str, Any]:
        """Manifest of the newest finished run of that kind; `RunNotFoundError` where there is none."""
        found = self.list(kind)
        if not found:
            raise RunNotFoundError(f"no finished run of kind '{kind}' below {self.root}; 'zonewise demo' makes one")
        return found[-1]

    def path(self, run: str, table: str) -> Path:
        """Path of a table's Parquet file, for readers such as DuckDB; `RunNotFoundError` where it is not there."""
        self.manifest(run)
        path = self.root / run / f"{table}.parquet"
        if not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no table '{table}'")
        return path

    def read(self, run: str, table: str, **options: Any) -> pd.DataFrame:
        """A table of a run; with geometry where it was stored with geometry. `options` go to `read_parquet`."""
        path = self.path(run, table)
        try:
            if b"geo" in (pq.read_schema(path).metadata or {}) and "columns" not in options:
                return gpd.read_parquet(path)
            return pd.read_parquet(path, **options)
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise StoreError(f"table '{table}' of run '{run}' is damaged ({error}); remove the run") from error

    def read_arrays(self, run: str, name: str) -> dict[str, np.ndarray]:
        """A bundle of arrays of a run."""
        self.manifest(run)
        path = self.root / run / f"{name}.npz"
        if not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no arrays '{name}'")
        try:
            with np.load(path, allow_pickle=False) as bundle:
                return {key: bundle[key] for key in bundle.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise StoreError(f"arrays '{name}' of run '{run}' are damaged ({error}); remove the run") from error

    def read_json(self, run: str, name: str) -> Any:
        """A JSON value of a run."""
        self.manifest(run)
        path = self.root / run / f"{name}.json"
        if not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no '{name}.json'")
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise StoreError(f"'{name}.json' of run '{run}' is damaged ({error}); remove the run") from error

    def read_bytes(self, run: str, name: str) -> bytes:
        """A file of a run."""
        self.manifest(run)
        path = self.root / run / name
        if not path.resolve().is_relative_to((self.root / run).resolve()) or not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no file '{name}'")
        return path.read_bytes()

    def remove(self, run: str) -> None:
        """Remove a finished run: the manifest first, so that a kill midway leaves no half run that looks whole."""
        self.manifest(run)
        (self.root / run / "manifest.json").unlink()
        shutil.rmtree(self.root / run)

    def sweep(self, *, older_than_s: float = 3600.0) -> int:
        """Remove what killed writers left aside; returns how many folders went."""
        gone = 0
        for path in self.root.glob(f"{_ASIDE}*") if self.root.is_dir() else ():
            if time.time() - path.stat().st_mtime > older_than_s:
                shutil.rmtree(path, ignore_errors=True)
                gone += 1
        return gone


def versions() -> dict[str, str]:
    """Versions of what computed a run: Python, Zonewise and the packages that move numbers."""
    found = {"python": platform.python_version()}
    for package in ("zonewise", "numpy", "pandas", "numba", "osmnx", "simpy", "scikit-learn", "xgboost-cpu", "xgboost"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
