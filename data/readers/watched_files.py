"""A file that came while a workspace is watched: a long table, or JSON."""

from __future__ import annotations

from pathlib import Path

from data.errors import InputError, SchemaError
from data.readers.long import read_long
from data.readers.messages import read_messages
from data.readers.readings import Readings


def read_watched(path: Path, *, timezone: str) -> Readings:
    """Read a long table (`long.read_long`), or `.json` (an object or a list) or `.jsonl` (one a line) as messages.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        A JSON file with one reading at fault is at fault as a whole.
    """
    name = path.name.lower()
    if not name.endswith((".json", ".jsonl")):
        return read_long(path, timezone=timezone)
    text = path.read_bytes()
    lines = [line for line in text.splitlines() if line.strip()] if name.endswith(".jsonl") else [text]
    readings, faults = read_messages(lines, timezone=timezone)
    if faults:
        raise SchemaError(str(path), [f"line {lines.index(line)}: {why}" for line, why in faults[:10]])
    if readings is None:
        raise InputError(f"{path} holds no reading")
    return readings
