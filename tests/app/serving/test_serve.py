"""The app under gunicorn: two workers that count together, a stop that lets a request finish, jobs that outlive it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import app as app_package
from app import ids
from app.jobs import DONE, QUEUED, RUNNING, Jobs
from app.processes import Mark
from app.worker import NICENESS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")


def wait(done, most_s: float = 90.0) -> None:
    """Until something is so."""
    end = time.monotonic() + most_s
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def answers(address: str) -> bool:
    """Whether somebody serves there."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def running(space) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`zonewise app` in a process of its own, with JSON logs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "app", str(space.root), "--port", str(port), "--log", "json"]
    process = subprocess.Popen(
        command, cwd=Path(app_package.__file__).parents[1], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None
            time.sleep(0.2)
    yield address, process
    if process.poll() is None:
        process.kill()
    process.wait()


def test_workers_count_together_and_a_stop_lets_a_request_finish(running):
    """Twenty requests to two workers are twenty in the figures of either, none lost and none twice."""
    address, process = running
    for _ in range(20):
        urllib.request.urlopen(f"{address}/readyz", timeout=20).close()
    line = 'zonewise_http_requests_total{method="GET",route="/readyz",status="200"} '

    def counted() -> float:
        text = urllib.request.urlopen(f"{address}/metrics", timeout=20).read().decode()
        return float(text.split(line)[1].split("\n")[0]) if line in text else 0.0

    # a worker counts once its answer is sent: whoever asks the other one at once may be a count too early
    wait(lambda: counted() >= 20.0, most_s=20.0)
    assert counted() == 20.0
    got: list[int] = []

    def ask() -> None:
        got.append(len(urllib.request.urlopen(f"{address}/_dash-layout", timeout=20).read()))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    asking.join()
    _, told = process.communicate(timeout=40)
    assert process.returncode == 0
    assert got and got[0] > 100
    lines = [line for line in told.decode().splitlines() if '"route": "/readyz"' in line]
    assert len(lines) == 20


def test_a_job_outlives_a_stop_of_the_server_and_works_at_a_lower_priority(running, space, opened):
    """Pressed over HTTP, so that a web worker starts it; the master is stopped while it runs."""
    address, process = running
    draft = {"name": "x", "label": "x", "measures": [{"measure": "close_street", "links": [3]}]}
    name = f"{ids.SCENARIO_RUN}.n_clicks > {ids.SCENARIO_JOB}"
    body = opened.body(name, [f"{ids.SCENARIO_RUN}.n_clicks"], scenario__run=1, scenario__draft=draft,
                       scenario__seeds=2, scenario__until="never")  # fmt: skip
    asked = urllib.request.Request(
        f"{address}/_dash-update-component", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Origin": address},
    )  # fmt: skip
    with urllib.request.urlopen(asked, timeout=30) as answer:
        job = json.load(answer)["response"][ids.SCENARIO_JOB]["data"]
    table = Jobs(space.jobs_path)
    wait(lambda: table.read(job).state != QUEUED)
    row = table.read(job)
    assert row.state == RUNNING, row.message
    assert os.getpriority(os.PRIO_PROCESS, row.pid) == min(19, os.getpriority(os.PRIO_PROCESS, process.pid) + NICENESS)
    os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=40)  # not its output: the worker holds the other end
    assert process.returncode == 0
    assert Mark.of(row.pid).alive(None)
    wait(lambda: not table.read(job).open)
    ended = table.read(job)
    assert (ended.pid, ended.attempts) == (row.pid, 1)
    assert ended.state == DONE, ended.message


def test_without_gunicorn_one_process_serves_with_threads_and_says_so(space):
    """As on a machine where it cannot be imported. A shell in the background hands on that Ctrl-C is to be ignored."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "sys.modules['gunicorn'] = None; from app.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "app", str(space.root), "--port", str(port)]
    root = Path(app_package.__file__).parents[1]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/healthz"))
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20)
        assert page.status == 200 and b"_dash-renderer" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert b"gunicorn does not run here" in told and b"Traceback" not in told
