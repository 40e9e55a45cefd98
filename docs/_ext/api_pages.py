"""A page of reference for every package, made from its docstrings before the site is read.

The pages are written to `reference/api/` (git-ignored): an index, and one a package with its paragraph, its public
names, and every module that it holds. Screens, words and benchmarks of the app are told elsewhere and left out, as
are kernels and the inner modules of screens.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

ROOMS = ("data", "zones", "models", "simulation", "app")
#: Packages of the app that are no interface: commands are in the CLI reference, benchmarks have a page of their own.
LEFT_OUT = ("app.benchmarks", "app.commands", "app.components", "app.figures", "app.pages", "app.words", "app.__main__")
#: Modules that other modules of their package call, and nobody else.
_INNER = ("kernels", "_views", "_job", "_page", "_parts", "_actions")


def packages() -> list[str]:
    """Dotted names of the packages that have a page, rooms in order, parents before children."""
    return [name for room in ROOMS for name in [room, *_inside(room, packages_alone=True)]]


def modules(package: str) -> list[str]:
    """Dotted names of the modules directly in a package."""
    return [name for name in _inside(package, packages_alone=False) if name.rsplit(".", 1)[0] == package]


def _inside(package: str, *, packages_alone: bool) -> list[str]:
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, prefix=f"{package}.")
    names = [info.name for info in found if info.ispkg == packages_alone]
    return sorted(n for n in names if not n.endswith(_INNER) and not _left_out(n))


def _left_out(name: str) -> bool:
    return any(name == out or name.startswith(f"{out}.") for out in LEFT_OUT)


def page(package: str) -> str:
    """The page of a package, reStructuredText."""
    module = importlib.import_module(package)
    lines = [package, "=" * len(package), "", f".. automodule:: {package}", "   :no-members:", ""]
    names = [name for name in getattr(module, "__all__", ()) if not name.startswith("_")]
    if names:
        lines += ["Public names", "------------", ""]
        lines += [f"* {_link(module, name)}" for name in sorted(names, key=str.lower)] + [""]
    for name in modules(package):
        lines += [name, "-" * len(name), "", f".. automodule:: {name}", "   :members:", ""]
    return "\n".join(lines)


def _link(package: ModuleType, name: str) -> str:
    """A link to where a public name is told."""
    value = getattr(package, name)
    home = getattr(value, "__module__", None)
    if home is None or not str(home).startswith(ROOMS):
        return f"``{package.__name__}.{name}``"
    return f":py:obj:`{package.__name__}.{name} <{home}.{getattr(value, '__qualname__', name)}>`"


def write(folder: Path) -> None:
    """Write all pages, those that changed only, and take away those of packages that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{name}.rst": page(name) for name in packages()}
    tree = "\n".join(f"   {name}" for name in packages())
    pages["index.rst"] = (
        "Python reference\n================\n\n"
        "Written from the docstrings. Each page opens with what to read first.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{tree}\n"
    )
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for files."""
    app.connect("builder-inited", lambda running: write(Path(running.srcdir) / "reference" / "api"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
