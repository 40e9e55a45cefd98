"""The log of a served app: a line a request, for people or as JSON, and everything else in the same form."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from app.serving.note import Note

log = logging.getLogger("zonewise.access")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; text of users stays text, whatever it holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        asked = getattr(record, "asked", None)
        line |= asked if isinstance(asked, dict) else {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(kind: str) -> None:
    """Send logs to standard error in a form: `json`, `text`, or `off` for no line a request."""
    log.setLevel(logging.WARNING if kind == "off" else logging.INFO)
    if kind != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True


def tell(note: Note) -> None:
    """Write the line of a request that has been answered."""
    if not log.isEnabledFor(logging.INFO):
        return
    asked = {
        "method": note.method, "path": note.path[:500], "route": note.route, "status": note.status,
        "ms": round(1000 * note.seconds, 1), "id": note.id, "user": note.user,
    }  # fmt: skip
    words = "%s %r %d %.1f ms %s %s"
    log.info(
        words, note.method, note.path[:500], note.status, asked["ms"], note.id, note.user or "-", extra={"asked": asked}
    )
