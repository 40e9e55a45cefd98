"""Runs: immutable folders of tables, named by the content of what made them.

A run is written aside (`.aside-<id>-...`), its manifest last, then renamed; a reader never meets half a run, and a
kill or a full disk leaves every finished run as it was. Equal specifications give equal ids, so a step that is
already there is not repeated. The manifest holds the SHA-256 of every file, so that damage is found (`check`).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import BufferedReader
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data import plugins
from data.errors import RunNotFoundError, StoreError
from data.schemas import ALL_TABLES, validate
from data.store.folder import flush_folder, write_atomic
from data.store.formats import MANIFEST, NewerFormatError, check_format
from data.store.locks import LOCK, held, locked
from data.store.room import Room

FORMAT_VERSION = MANIFEST
_ID_FORMAT = 1  # part of every id: another one would make every run of a workspace another run
_ASIDE = ".aside-"
_MANIFEST = "manifest.json"
_LONGEST = 250  # bytes of a run's name: file systems take 255
_CURE = "'zonewise doctor --repair' moves it aside, then repeat the command that made it"
#: What reading a damaged table, or a damaged bundle of arrays, can end in.
_TABLE_FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, EOFError, pa.ArrowException)
_ARRAY_FAULTS = (
    OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, NotImplementedError, SyntaxError, MemoryError,
    OverflowError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def run_id(kind: str, spec: Mapping[str, Any]) -> str:
    """Name of the run that this specification makes: its kind and 12 hex digits of its content.

    `spec` is anything that JSON can hold; key order does not matter.
    """
    text = json.dumps({"format": _ID_FORMAT, "kind": kind, "spec": spec}, sort_keys=True, default=str)
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
    """The runs below one folder.

    Parameters
    ----------
    root : Path or str
    room : Room, optional
        Looked at before a run is written.
    """

    def __init__(self, root: Path | str, *, room: Room | None = None) -> None:
        self.root = Path(root)
        self.room = room

    def has(self, run: str) -> bool:
        """Whether that run is finished."""
        plain = bool(run) and not run.startswith(".") and not any(char in run for char in "/\\\0")
        plain = plain and len(run.encode(errors="replace")) <= _LONGEST
        return plain and (self.root / run / "manifest.json").is_file()

    @contextmanager
    def write(
        self, kind: str, spec: Mapping[str, Any], *, parents: tuple[str, ...] = (), seed: int | None = None
    ) -> Iterator[RunWriter]:
        """Fill a new run; it appears, whole, when the block ends without an error.

        Raises
        ------
        StoreError
            If the disk is full or the folder cannot be written. Nothing half-written stays behind.
        QuotaError
            If there is no room; nothing was begun.
        """
        name = run_id(kind, spec)
        aside = self.root / f"{_ASIDE}{name}-{os.getpid()}-{secrets.token_hex(4)}"
        started = time.monotonic()
        if self.room is not None:
            self.room.check()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            aside.mkdir()
            with locked(aside / LOCK):  # tells a sweep that somebody is at work
                writer = RunWriter(aside)
                yield writer
                (aside / LOCK).unlink()
                manifest = {
                    "id": name, "kind": kind, "spec": spec, "seed": seed, "parents": list(parents),
                    "format_version": FORMAT_VERSION, "created": self._now(parents),
                    "seconds": round(time.monotonic() - started, 3), "tables": writer.tables, "versions": versions(),
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
        files = {}
        for path in sorted(path for path in aside.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                files[path.relative_to(aside).as_posix()] = _told(file)
        with (aside / _MANIFEST).open("w") as file:
            json.dump({**manifest, "files": files}, file, indent=1, sort_keys=True, default=str)
            file.flush()
            os.fsync(file.fileno())
        for folder in (*(path for path in aside.rglob("*") if path.is_dir()), aside):
            flush_folder(folder)
        if final.exists():
            if self._readable(final.name):  # another process finished the same run first: equal by construction
                shutil.rmtree(aside)
                return
            shutil.rmtree(final)
        try:
            aside.rename(final)
        except OSError:
            if not self.has(final.name):
                raise
            shutil.rmtree(aside)  # another process was faster by a moment
        flush_folder(self.root)

    def _now(self, parents: tuple[str, ...]) -> str:
        """The present instant, UTC, but never before a parent's: a clock that was set back does not turn them round."""
        times = [datetime.now(UTC).isoformat(timespec="seconds")]
        for parent in parents:
            try:
                times.append(str(self.manifest(parent)["created"]))
            except StoreError:
                continue
        return max(times)

    def _readable(self, run: str) -> bool:
        """Whether a run is there with a manifest that can be read; one of a newer release counts as such."""
        try:
            self.manifest(run)
        except NewerFormatError:
            return True
        except StoreError:
            return False
        return True

    def manifest(self, run: str) -> dict[str, Any]:
        """A run's manifest.

        Raises
        ------
        RunNotFoundError
            If there is no such finished run.
        StoreError
            If its manifest is damaged or cannot be read.
        NewerFormatError
            If a newer release wrote it.
        """
        path = self.root / run / _MANIFEST
        if not self.has(run):
            raise RunNotFoundError(f"no finished run '{run[:80]}' below {self.root}; see 'zonewise runs list'")
        try:
            value: dict[str, Any] = json.loads(path.read_text())
            lacking = [name for name in ("id", "kind", "spec", "created") if name not in value]
            if lacking or value["id"] != run:
                raise ValueError(f"lacks {lacking}" if lacking else f"belongs to run '{value['id']}'")
            if not isinstance(value.get("tables", {}), dict) or not isinstance(value["kind"], str):
                raise TypeError("its tables or its kind are of another shape")
        except (ValueError, TypeError, OSError, RecursionError) as error:
            raise StoreError(f"manifest of run '{run}' is damaged ({error}); {_CURE}") from error
        check_format(value.get("format_version"), FORMAT_VERSION, f"run '{run}'")
        return value

    def check(self, run: str) -> list[str]:
        """What is wrong with a run's files, in words; nothing where all are as its manifest says.

        Files of a run of format 1 have no digests: they are there or not, and its tables can be opened or not.
        """
        manifest = self.manifest(run)
        folder = self.root / run
        faults: list[str] = []
        for name, told in manifest.get("files", {}).items():
            try:
                with (folder / name).open("rb") as file:
                    found = _told(file)
            except OSError as error:
                faults.append(f"{name}: {error.strerror or error}")
            else:
                if found != told:
                    faults.append(f"{name}: {found['bytes']} bytes that are not those that were written")
        for name in manifest.get("tables", {}):
            if f"{name}.parquet" in manifest.get("files", {}):
                continue
            try:
                pq.read_schema(folder / f"{name}.parquet")
            except _TABLE_FAULTS as error:
                faults.append(f"{name}.parquet: {error}")
        return faults

    def migrate(self, run: str) -> bool:
        """Give a run of an older format what its manifest lacks; False where there is nothing to do.

        Raises
        ------
        StoreError
            If the run is damaged: it stays as it is.
        """
        manifest = self.manifest(run)
        if check_format(manifest.get("format_version"), FORMAT_VERSION, f"run '{run}'") >= FORMAT_VERSION:
            return False
        if faults := self.check(run):
            raise StoreError(f"run '{run}' is damaged ({'; '.join(faults[:3])}); {_CURE}")
        folder, files = self.root / run, {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST):
            with path.open("rb") as file:
                files[path.relative_to(folder).as_posix()] = _told(file)
        value = {**manifest, "format_version": FORMAT_VERSION, "files": files}
        write_atomic(folder / _MANIFEST, json.dumps(value, indent=1, sort_keys=True, default=str).encode())
        return True

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
        except _TABLE_FAULTS as error:
            raise StoreError(f"table '{table}' of run '{run}' is damaged ({error}); {_CURE}") from error

    def read_arrays(self, run: str, name: str) -> dict[str, np.ndarray]:
        """A bundle of arrays of a run."""
        self.manifest(run)
        path = self.root / run / f"{name}.npz"
        if not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no arrays '{name}'")
        try:
            with np.load(path, allow_pickle=False) as bundle:
                return {key: bundle[key] for key in bundle.files}
        except _ARRAY_FAULTS as error:
            raise StoreError(f"arrays '{name}' of run '{run}' are damaged ({error}); {_CURE}") from error

    def read_json(self, run: str, name: str) -> Any:
        """A JSON value of a run."""
        self.manifest(run)
        path = self.root / run / f"{name}.json"
        if not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no '{name}.json'")
        try:
            return json.loads(path.read_text())
        except (ValueError, OSError, RecursionError) as error:
            raise StoreError(f"'{name}.json' of run '{run}' is damaged ({error}); {_CURE}") from error

    def read_bytes(self, run: str, name: str) -> bytes:
        """A file of a run."""
        self.manifest(run)
        path = self.root / run / name
        if not path.resolve().is_relative_to((self.root / run).resolve()) or not path.is_file():
            raise RunNotFoundError(f"run '{run}' has no file '{name}'")
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError(f"'{name}' of run '{run}' cannot be read ({error}); {_CURE}") from error

    def remove(self, run: str) -> None:
        """Remove a finished run: the manifest first, so that a kill midway leaves no half run that looks whole."""
        self.manifest(run)
        try:
            (self.root / run / _MANIFEST).unlink()
            shutil.rmtree(self.root / run)
        except FileNotFoundError:
            pass  # somebody else removes it too
        except OSError as error:
            raise StoreError(f"cannot remove run {run}: {error.strerror or error}; check the permissions") from error

    def leftovers(self, *, older_than_s: float = 3600.0) -> Sequence[Path]:
        """Folders that killed writers left aside; one whose writer lives is none, however old it is.

        A folder from the future counts too: a clock that was set back must not keep it for ever.
        """
        found = []
        for path in sorted(self.root.glob(f"{_ASIDE}*")) if self.root.is_dir() else ():
            try:
                age = abs(time.time() - path.stat().st_mtime)
            except FileNotFoundError:
                continue
            if age > older_than_s and not held(path / LOCK):
                found.append(path)
        return found

    def sweep(self, *, older_than_s: float = 3600.0) -> int:
        """Remove what killed writers left aside; returns how many folders went."""
        found = self.leftovers(older_than_s=older_than_s)
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
        return len(found)


def _told(file: BufferedReader) -> dict[str, Any]:
    """Size and SHA-256 of an open file."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": os.fstat(file.fileno()).st_size, "sha256": digest}


def versions() -> dict[str, str]:
    """Versions of what computed a run: Python, Zonewise, packages that move numbers, and plug-ins that were used."""
    found = {"python": platform.python_version()}
    moving = ("numpy", "pandas", "numba", "osmnx", "simpy", "scikit-learn", "xgboost-cpu", "xgboost")
    for package in ("zonewise", *moving):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | plugins.used()
