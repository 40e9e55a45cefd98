"""A run that outlives its page: a second tab sees and stops it, a reload finds it, a dead worker is told."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from app.jobs import FAILED, Jobs

pytestmark = pytest.mark.browser


@pytest.fixture
def running(visit: Callable[..., Any], workspace: Any) -> Any:
    """Starts a long run from the page and waits until its worker has begun; returns the page and the job's id."""
    started = []

    def run(percent: int) -> tuple[Any, str]:
        measures = [{"measure": "demand", "percent": percent}]
        form = json.dumps({"name": f"trips{percent}", "label": "Trips", "measures": measures})
        page = visit(f"/scenarios?form={form}")
        page.wait_for_selector(".measure-demand")
        page.wait_for_load_state("networkidle")
        page.fill("#scenario-seeds", "40")
        page.keyboard.press("Tab")
        page.wait_for_selector("#scenario-export:has-text('--seeds 40')")
        page.click("#scenario-run")
        page.wait_for_selector("#scenario-progress:has-text('Simulating')", timeout=40_000)
        page.wait_for_function("location.search.includes('job=')")
        job = page.evaluate("new URL(location.href).searchParams.get('job')")
        started.append(job)
        return page, job

    yield run
    for job in started:
        Jobs(workspace.jobs_path).cancel(job)


def test_a_second_tab_sees_the_run_and_stops_it_for_both(visit, running):
    first, job = running(11)
    assert "form=" not in first.url
    second = visit(f"/scenarios?job={job}")
    second.wait_for_selector("#scenario-progress .progress")
    second.wait_for_selector(".measure-demand:has-text('+11 %')")
    second.click("#scenario-stop:not([disabled])")
    for page in (second, first):
        page.wait_for_selector("#scenario-progress:has-text('Stopped')", timeout=40_000)
        page.wait_for_selector("#scenario-run:not([disabled])")


def test_a_reload_in_mid_run_finds_it_again_and_a_dead_worker_is_told(visit, running, workspace):
    page, job = running(12)
    visit(page.url[page.url.index("/scenarios") :], page=page)
    page.wait_for_selector("#scenario-progress .progress")
    row = Jobs(workspace.jobs_path).read(job)
    assert row.open and row.pid
    os.kill(row.pid, signal.SIGKILL)
    page.wait_for_selector("#scenario-progress:has-text('worker process ended')")
    assert Jobs(workspace.jobs_path).read(job).state == FAILED
    page.click("#scenario-progress button:has-text('Run it again')")
    page.wait_for_function("job => new URL(location.href).searchParams.get('job') !== job", arg=job)
    page.wait_for_selector("#scenario-progress .progress", timeout=40_000)
    page.click("#scenario-stop:not([disabled])")
    page.wait_for_selector("#scenario-progress:has-text('Stopped')", timeout=40_000)
