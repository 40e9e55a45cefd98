"""What a job of kind `import` does: files that were uploaded become a workspace, then models are trained on them.

The same calls as `zonewise import` and `zonewise compare`. What the readers noticed is kept in the run `city`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.simulate_job import Steps
from data.errors import InputError
from data.store.workspace import Workspace

KINDS = ("detectors", "stations")
#: What the form says of files of detectors, and of stations, in the readers' words.
_TOLD = {
    "detectors": ("quantity", "unit", "start", "every", "timezone"),
    "stations": ("pollutant", "timezone", "on_fault"),
}  # fmt: skip


def run_job(
    workspace: Workspace, params: dict[str, Any], report: Callable[..., None], cancelled: Callable[[], bool]
) -> str:
    """Import, train and compare.

    Parameters
    ----------
    params : dict
        `kind` of `KINDS`; `files` and `places`, names below the workspace's folder `uploads`; `quantity`, `unit`,
        `start`, `every`, `pollutant`, `timezone`, `missing`, `label`, as the readers take them.

    Returns
    -------
    str
        Id of the comparison's run.

    Raises
    ------
    InputError
        If the files cannot be read as told; nothing is stored then.
    """
    from app.importing import ImportOptions, import_readings
    from app.measured import measured_job
    from data.readers.detector_files import read_detector_files
    from data.readers.station_files import read_station_files

    kind = params.get("kind")
    if kind not in KINDS:
        raise InputError(f"kind {kind!r}; allowed: {', '.join(KINDS)}")
    steps = Steps(("city", "simulation", "training", "live", "comparison"), report, cancelled)
    files = [uploaded(workspace, name) for name in params["files"]]
    told = {key: params[key] for key in _TOLD[kind] if params.get(key) not in (None, "")}
    if params.get("places"):
        told["places"] = uploaded(workspace, params["places"])
    missing = tuple(code.strip() for code in str(params.get("missing") or "").split(",") if code.strip())
    order = None
    if kind == "detectors":
        readings, order, zone = read_detector_files(files, missing=missing, **told)
    else:
        readings, zone = read_station_files(files, missing=missing, **told)
    options = ImportOptions(timezone=zone, label=params.get("label") or None)
    source = {"files": list(params["files"])}
    import_readings(workspace, readings, options, order=order, source=source, report=steps)
    return measured_job(workspace, {}, steps).run("comparison")["comparison"]


def uploaded(workspace: Workspace, name: str) -> Path:
    """Path of an uploaded file.

    Raises
    ------
    InputError
        If it is not there, or the name is no plain file name.
    """
    path = workspace.root / "uploads" / name
    if Path(name).name != name or not path.is_file():
        raise InputError(f"no uploaded file {name!r}; upload it again")
    return path
