"""The app in a process of its own, on a free port of this machine, for as long as a block lasts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import InputError
from data.store.workspace import Workspace

_PATIENCE_S = 60.0


@contextmanager
def served(space: Workspace, *, workers: int = 1) -> Iterator[str]:
    """Address of the workspace's app, as `zonewise app` serves it; faults as `started`."""
    with started(space, workers=workers) as (address, _):
        yield address


@contextmanager
def started(space: Workspace, *, workers: int = 1) -> Iterator[tuple[str, int]]:
    """Address of the workspace's app, and the process that holds its workers.

    Raises
    ------
    InputError
        If it does not answer within a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "app", "app", str(space.root), "--port", str(port), "--workers", str(workers),
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[3], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise InputError(f"the app ended with code {process.returncode} before it answered at {address}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise InputError(f"the app at {address} did not answer within {_PATIENCE_S:g} s")
