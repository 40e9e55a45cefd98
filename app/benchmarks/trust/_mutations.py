"""Seeded damage: to bytes, as disks and people do it, and to JSON values, as a forged request does it."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np

_NUMBERS = (b"nan", b"inf", b"-1", b"0", b"1e308", b"-1e308", b"9" * 23, b"", b"0x1F", b"1,5", b"NULL", b"2026-02-30",
            b"1e5000", b"24:60", b"true", b"*a", b"- ")  # fmt: skip
_SEPARATORS = ((b",", b";"), (b"\n", b"\r"), (b'"', b""), (b":", b""), (b" ", b"\t"), (b"\n", b"\x00"), (b"-", b""))
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
#: What no form sends, and what some do.
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 1e308, float("nan"), float("inf"), 10**30, -(10**18), "", " ", "0", "-1", "1e9",
    "../../etc/passwd", "..\\..\\x", "/etc/passwd", "\x00", "\ud7ff", "ä" * 300, "x" * 20_000,
    "<script>alert(1)</script>", "'; DROP TABLE job; --", "{{7*7}}", "%s%s%n", "${jndi:x}", "Z01", "speed_mps", "demo",
    [], [None], [[]], [1, "a", None], {}, {"a": None}, {"id": "../x"}, [{"measure": "close_street", "links": [10**12]}],
    {"name": "x" * 300, "measures": [{"measure": "nothing"}]}, "data:text/csv;base64,AAAA", "data:,", "?form={", "[1,2",
    "2026-13-40T99:99", "?" + "a=b&" * 300,
)  # fmt: skip


def damaged(raw: bytes, rng: np.random.Generator) -> bytes:
    """Bytes after one to three pieces of damage."""
    for _ in range(int(rng.integers(1, 4))):
        if not raw:
            break
        raw = _once(raw, int(rng.integers(0, 10)), rng)
    return raw


def _once(raw: bytes, kind: int, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(raw)))
    if kind == 0:
        data = bytearray(raw)
        for place in rng.integers(0, len(data), int(rng.integers(1, 8))):
            data[place] ^= 1 << int(rng.integers(0, 8))
        return bytes(data)
    if kind == 1:
        return raw[:at] + rng.bytes(int(rng.integers(1, 40))) + raw[at:]
    if kind == 2:
        return raw[:at]
    if kind == 3:
        return raw[at:]
    if kind in (4, 5, 6):
        found = list(_NUMBER.finditer(raw))
        if not found:
            return raw[::-1]
        match = found[int(rng.integers(0, len(found)))]
        return raw[: match.start()] + _NUMBERS[int(rng.integers(0, len(_NUMBERS)))] + raw[match.end() :]
    if kind == 7:
        lines = raw.split(b"\n")
        a, b = (int(k) for k in rng.integers(0, len(lines), 2))
        lines[a], lines[b] = lines[b], lines[a][: len(lines[a]) // 2]
        return b"\n".join(lines)
    if kind == 8:
        old, new = _SEPARATORS[int(rng.integers(0, len(_SEPARATORS)))]
        return raw.replace(old, new, int(rng.integers(1, 30)))
    return raw[:at] + bytes([int(rng.integers(33, 127))]) * int(rng.integers(100, 20_000)) + raw[at:]


def odd(rng: np.random.Generator) -> Any:
    """A value that nobody expects."""
    return copy.deepcopy(ODD[int(rng.integers(0, len(ODD)))])


def forged(value: Any, rng: np.random.Generator) -> Any:
    """A JSON value with one part of it replaced, taken out or doubled."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, inner in items:
            places.append((part, key))
            walk(inner)

    walk(value)
    if not places or rng.random() < 0.1:
        return odd(rng)
    for _ in range(int(rng.integers(1, 3))):
        holder, key = places[int(rng.integers(0, len(places)))]
        way = rng.random()
        if isinstance(holder, dict) and key in holder and way < 0.2:
            del holder[key]
        elif isinstance(holder, dict) and way < 0.3:
            holder[str(odd(rng))[:50]] = odd(rng)
        elif isinstance(holder, dict) or key < len(holder):
            holder[key] = odd(rng)
    return value
