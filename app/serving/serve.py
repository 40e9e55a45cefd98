"""Serving the app: gunicorn with several workers where it runs, Werkzeug with threads elsewhere.

Everything is loaded once, before the workers part, so that they share its memory; nothing is read from the workspace
and no thread runs by then. A stop lets running requests finish; jobs are processes of their own and go on.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
from typing import Any

from app.serving import access_log
from app.serving.settings import Settings, check_settings
from data.errors import InputError
from data.store.workspace import Workspace

log = logging.getLogger(__name__)
#: Threads of a worker: requests that wait for a disk or a lock leave the processor to others.
THREADS = 4
#: Time that a request may take before its worker is replaced, and that one may still take after a stop, s.
TIMEOUT_S, GRACE_S = 120, 30
#: Heaps of the C library in a worker. By default each thread has its own, and what one has freed no other one uses:
#: with two, a process that answered 1,500 requests held 143 MB of heap instead of 280, for 120 MB in use (measured).
HEAPS = 2
_M_ARENA_MAX = -8  # of mallopt(3), as in malloc.h of glibc


def serve(workspace: Workspace, *, host: str, port: int, workers: int, settings: Settings | None = None) -> None:
    """Serve a workspace until Ctrl+C or SIGTERM.

    Raises
    ------
    InputError
        If the settings are unsafe or make no sense, or the port is taken.
    """
    settings = settings or Settings()
    check_settings(settings, host)
    _check_free(host, port)
    access_log.set_up(settings.log)
    counts = tempfile.mkdtemp(prefix="zonewise-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts  # before prometheus_client is imported: it asks but once
    master = os.getpid()
    try:
        if _has_gunicorn():
            _serve_workers(workspace, host, port, workers, settings)
        else:
            _serve_threads(workspace, host, port, settings)
    finally:
        if os.getpid() == master:
            shutil.rmtree(counts, ignore_errors=True)


def _has_gunicorn() -> bool:
    if sys.platform == "win32":
        return False
    try:
        import gunicorn.app.base  # noqa: F401
    except ImportError:
        return False
    return True


def _serve_threads(workspace: Workspace, host: str, port: int, settings: Settings) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    from app.server import create_app

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Say nothing: the access log does."""

    log.warning("gunicorn does not run here: one process serves with threads, which does for one person, not for many")
    server = make_server(
        host, port, create_app(workspace, settings=settings).server, threaded=True, request_handler=Quiet
    )
    with server:
        server.serve_forever()


def _serve_workers(workspace: Workspace, host: str, port: int, workers: int, settings: Settings) -> None:
    from gunicorn.app.base import BaseApplication

    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "workers": workers, "threads": THREADS,
        "worker_class": "gthread", "loglevel": "warning", "timeout": TIMEOUT_S, "graceful_timeout": GRACE_S,
        "keepalive": 15, "proc_name": "zonewise", "preload_app": True, "child_exit": _forget,
        "forwarded_allow_ips": ",".join(settings.trust_from), "limit_request_line": 8190, "limit_request_fields": 60,
    }  # fmt: skip

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from app.server import create_app

            _share_heaps()
            server = create_app(workspace, settings=settings).server
            if threading.active_count() > 1:  # a lock that a thread holds would stay locked in every worker
                log.warning("threads run before the workers part: %s", [t.name for t in threading.enumerate()])
            return server

    Server().run()


def _share_heaps() -> None:
    """Let threads share `HEAPS` heaps; other C libraries than glibc do as they do."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, HEAPS)
    except (OSError, AttributeError):
        log.debug("no mallopt here")


def _forget(_: Any, worker: Any) -> None:
    """What a worker that has gone said of the present is forgotten; what it counted stays."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise InputError(
                f"port {port} on {host} is taken ({error.strerror}); choose another with --port"
            ) from error
