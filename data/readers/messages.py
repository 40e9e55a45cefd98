"""Messages of a broker: JSON readings, one or many in each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from data.errors import InputError
from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults
from data.readers.places_of_sensors import no_places
from data.readers.readings import Readings, kind_of, made
from data.schemas import OBSERVED_QUANTITIES

_MOST_READINGS = 100_000  # in one message


def read_messages(payloads: Sequence[bytes], *, timezone: str) -> tuple[Readings | None, list[tuple[bytes, str]]]:
    """Read JSON messages.

    Parameters
    ----------
    payloads : sequence of bytes
        Each a JSON object, or a list of them: `sensor_id`, `time` (ISO 8601, or seconds or milliseconds since 1970),
        and quantities under our names, a number or null.
    timezone : str
        Of times without an offset.

    Returns
    -------
    readings : Readings or None
        Of all messages that could be read; None where none could.
    faults : list of (bytes, str)
        Messages that could not, and why.
    """
    rows: list[dict[str, Any]] = []
    faults: list[tuple[bytes, str]] = []
    for payload in payloads:
        try:
            rows += _rows(payload, timezone)
        except InputError as error:
            faults.append((payload, str(error)))
    if not rows:
        return None, faults
    table = pd.DataFrame(rows).astype({"sensor_id": "str"})
    held = [q for q in OBSERVED_QUANTITIES if q in table]
    problems = Faults("messages")
    notes: list[str] = []
    # a later message corrects an earlier one
    table = table.drop_duplicates(["sensor_id", "time"], keep="last").reset_index(drop=True)
    places = no_places(sorted(set(table["sensor_id"])), kind_of(held))
    return made(table.astype(dict.fromkeys(held, "float64")), places, problems, notes), faults


def _rows(payload: bytes, timezone: str) -> list[dict[str, Any]]:
    """Rows of one message, each with `time` in UTC."""
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {error}") from error
    items = told if isinstance(told, list) else [told]
    if not items or len(items) > _MOST_READINGS:
        raise InputError(f"{len(items)} readings in a message; allowed are 1 to {_MOST_READINGS}")
    wrong: list[str] = []
    for k, item in enumerate(items):
        if not isinstance(item, dict):
            wrong.append(f"reading {k} is a {type(item).__name__}, not an object")
            continue
        lacking = [name for name in ("sensor_id", "time") if item.get(name) in (None, "")]
        strange = sorted(set(item) - {"sensor_id", "time", *OBSERVED_QUANTITIES})
        held = {q: item[q] for q in OBSERVED_QUANTITIES if q in item}
        if lacking:
            wrong.append(f"reading {k} lacks {', '.join(lacking)}")
        if strange:
            wrong.append(f"reading {k} has unknown {', '.join(map(str, strange[:5]))}")
        if not any(value is not None for value in held.values()):
            wrong.append(f"reading {k} has no quantity; allowed: {', '.join(OBSERVED_QUANTITIES)}")
        bad = [q for q, v in held.items() if v is not None and (isinstance(v, bool) or not isinstance(v, int | float))]
        if bad:
            wrong.append(f"reading {k}: {', '.join(bad)} must be a number or null")
    if wrong:
        raise InputError("; ".join(wrong[:10]))
    faults = Faults("message")
    notes: list[str] = []
    times = to_utc(pd.Series([item["time"] for item in items]), timezone, faults, notes)
    if faults.found:
        raise InputError("; ".join(faults.found))
    return [
        {"sensor_id": str(item["sensor_id"]), "time": at, **{q: item.get(q) for q in OBSERVED_QUANTITIES if q in item}}
        for item, at in zip(items, times)
    ]
