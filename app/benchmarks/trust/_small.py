"""Small workspaces to kill, damage and question: a made town of a few streets, and made detectors."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.store.workspace import Workspace

#: Of the town's job: two kinds of model, so that training takes seconds.
TOWN = ("--city", "toy", "--days", "8", "--test-days", "2", "--zone-count", "3", "--families", "ridge,macro_ridge",
        "--n-jobs", "1")  # fmt: skip
SCENARIO = """\
name: close_middle
measures:
  - measure: close_street
    street: Row street 3
    start: "06:00"
    end: "20:00"
"""
DETECTORS = 6


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed meanwhile, nor by processes that are forked."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def command(arguments: Sequence[str]) -> int:
    """A command as on the command line, in this process; returns its exit status."""
    from app.cli import main

    try:
        with quiet():
            main(list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
    return 0


def readings(days: int, seed: int, *, first: int = 0) -> pd.DataFrame:
    """Flows of a few detectors with a daily wave, hourly, local time of Berlin; from day `first` on."""
    times = pd.date_range("2025-03-03", periods=24 * (first + days), freq="1h", tz="Europe/Berlin")
    rng = np.random.default_rng(seed)
    wave = 500 + 400 * np.sin(2 * np.pi * (times.hour.to_numpy() - 6) / 24)
    parts = [
        pd.DataFrame({
            "sensor_id": f"d{k}", "time": times,
            "flow_veh_per_h": (wave * (1 + k / 10) + rng.normal(0, 20, times.size)).round(1),
        }).iloc[24 * first :]
        for k in range(DETECTORS)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def places() -> pd.DataFrame:
    """Where they stand."""
    return pd.DataFrame(
        {"id": [f"d{k}" for k in range(DETECTORS)], "lon": 13.3 + 0.02 * np.arange(DETECTORS), "lat": 52.5}
    )


def import_command(folder: Path, workspace: Workspace, days: int, seed: int, *, first: int = 0) -> list[str]:
    """Write the files of an import to a folder, and say the command that reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    table, stands = folder / f"readings-{first}.csv", folder / "places.csv"
    if not table.is_file():
        readings(days, seed, first=first).to_csv(table, index=False)
        places().to_csv(stands, index=False)
    return [
        "import", "detectors", str(table), "--places", str(stands), "--workspace", str(workspace.root), "--timezone",
        "Europe/Berlin", "--zones", "clusters", "--zone-count", "3", "--families", "ridge,macro_ridge", "--json",
    ]  # fmt: skip


def csv_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV."""
    sink = io.StringIO()
    table.to_csv(sink, index=False)
    return sink.getvalue().encode()
