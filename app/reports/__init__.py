"""Reports: a study as one file that can be handed out, read without Zonewise, and repeated from that file alone.

Read `document` (what a report is made of), `findings` (what is gathered of a stored study), `writing` (what is told of
it, in which order), `maps` and `charts` (drawings, pure functions of geometry and numbers), `page` and `markdown` (the
two forms), then `specification` (what a report carries for the machine) and `repeating` (running it again).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "Reproduction": "app.reports.repeating",
    "Specification": "app.reports.specification",
    "make_report": "app.reports.making",
    "read_report": "app.reports.specification",
    "reproduce": "app.reports.repeating",
}
__all__ = ["Reproduction", "Specification", "make_report", "read_report", "reproduce"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'app.reports' has no attribute {name!r}")
