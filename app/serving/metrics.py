"""Figures for Prometheus: requests and their times over all workers, jobs, the age of readings, models.

Workers count in files of a folder that they share (`PROMETHEUS_MULTIPROC_DIR`, set before they start); whichever is
asked adds them up.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pandas as pd
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric

from app.serving.note import Note
from data.errors import ZonewiseError
from data.store.workspace import Workspace

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
KIND = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meter:
    """Counts requests and tells how the workspace stands."""

    def __init__(self, space: Workspace) -> None:
        self.space = space
        self._own = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("zonewise_http_requests", "Requests by route template.", labels, registry=self._own)
        self._seconds = Histogram(
            "zonewise_http_request_seconds", "Time to answer, s.", ("route",), buckets=_SECONDS, registry=self._own
        )

    def count(self, note: Note) -> None:
        """Count a request that has been answered."""
        method = note.method if note.method in _METHODS else "other"
        self._requests.labels(method, note.route, str(note.status)).inc()
        self._seconds.labels(note.route).observe(note.seconds)

    def exposition(self) -> bytes:
        """All figures as Prometheus reads them."""
        registry = self._own
        if os.environ.get(FOLDER):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        standing = CollectorRegistry()
        standing.register(_Standing(self.space))  # type: ignore[arg-type]
        return generate_latest(registry) + generate_latest(standing)


class _Standing:
    """What is read from the workspace at the moment of asking."""

    def __init__(self, space: Workspace) -> None:
        self.space = space

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("zonewise_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for kind, state, count in job_counts(self.space):
            jobs.add_metric([kind, state], count)
        yield jobs
        age = newest_reading_age_s(self.space)
        if age is not None:
            yield GaugeMetricFamily("zonewise_newest_reading_age_seconds", "Age of the newest reading, s.", value=age)
        models = GaugeMetricFamily("zonewise_models", "Models in force.", value=model_count(self.space))
        yield models


def job_counts(space: Workspace) -> list[tuple[str, str, int]]:
    """Jobs by kind and state; none where there is no table."""
    if not space.jobs_path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{space.jobs_path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as base:
            return [
                (str(kind), str(state), int(count))
                for kind, state, count in base.execute("SELECT kind, state, count(*) FROM job GROUP BY kind, state")
            ]
    except sqlite3.Error:
        return []


def newest_reading_age_s(space: Workspace, now: float | None = None) -> float | None:
    """Seconds since the moment up to which the workspace has readings; None where it has none."""
    try:
        said = space.describe().get("now")
        at = pd.Timestamp(said) if said else None
    except (ZonewiseError, ValueError, TypeError):
        return None
    if at is None:
        return None
    at = at.tz_localize("UTC") if at.tzinfo is None else at
    return (time.time() if now is None else now) - at.timestamp()


def model_count(space: Workspace) -> int:
    """Models in force, by the training run's choices; 0 before training."""
    try:
        run = dict(space.describe().get("runs") or {}).get("training")
        return int(space.runs.manifest(str(run))["tables"].get("choices", 0)) if run else 0
    except (ZonewiseError, KeyError, TypeError, ValueError):
        return 0
