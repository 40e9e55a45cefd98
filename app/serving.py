"""Serving the app: gunicorn with a few workers where it runs, Werkzeug elsewhere."""

from __future__ import annotations

import socket
import sys
from typing import Any

from data.errors import InputError
from data.store.workspace import Workspace


def serve(workspace: Workspace, *, host: str, port: int, workers: int) -> None:
    """Serve a workspace until Ctrl+C.

    Raises
    ------
    InputError
        If the port is taken.
    """
    _check_free(host, port)
    from app.server import create_app

    if sys.platform == "win32":
        from werkzeug.serving import run_simple

        run_simple(host, port, create_app(workspace).server, threaded=True)
        return
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in {
                "bind": f"{host}:{port}", "workers": workers, "threads": 4, "worker_class": "gthread",
                "loglevel": "warning", "timeout": 120, "graceful_timeout": 5, "proc_name": "zonewise",
            }.items():  # fmt: skip
                self.cfg.set(name, value)

        def load(self) -> Any:
            return create_app(workspace).server

    Server().run()


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"port {port} on {host} is taken ({error.strerror}); choose another with --port"
            ) from error
