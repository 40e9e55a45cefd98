"""Mounts: every workspace of the home folder below `/w/<name>/`, each an app of its own, made when first asked for.

A name from an address is held against the folders that are there before anything is opened.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask

from app.addresses import MOUNT, address_of
from data.store.workspace import Workspace, workspaces

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: Apps kept at once; beyond it, the one not asked for longest is dropped and made again when needed.
MOST_APPS = 8


class Mounts:
    """A WSGI application before another.

    Parameters
    ----------
    root : callable
        What answers all other addresses.
    folder : Path
        That holds the workspaces.
    make : callable
        `make(workspace, prefix)` gives the Flask server of a workspace's app.
    """

    def __init__(self, root: Wsgi, folder: Path, make: Callable[[Workspace, str], Flask]) -> None:
        self.root, self.folder, self.make = root, folder, make
        self._apps: OrderedDict[str, Flask] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith(MOUNT):
            return self.root(environ, start)
        name, slash, rest = path.removeprefix(MOUNT).partition("/")
        space = next((space for space in workspaces(self.folder) if space.name == name), None)
        if space is None:
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"There is no workspace of that name. All of them: /start\n"]
        if not slash:
            start("308 Permanent Redirect", [("Location", address_of(name))])
            return [b""]
        script = str(environ.get("SCRIPT_NAME", "")) + MOUNT + name
        return self._app(space)({**environ, "SCRIPT_NAME": script, "PATH_INFO": "/" + rest}, start)

    def _app(self, space: Workspace) -> Flask:
        with self._lock:
            if space.name not in self._apps:
                self._apps[space.name] = self.make(space, address_of(space.name))
                while len(self._apps) > MOST_APPS:
                    self._apps.popitem(last=False)
            self._apps.move_to_end(space.name)
            return self._apps[space.name]
