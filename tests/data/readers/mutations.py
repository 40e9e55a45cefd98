"""Seeded damage to small files: what disks, editors, networks and people do to them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

#: Numbers that no reader should take at face value, and some that it must.
ODD_NUMBERS = (
    b"nan", b"inf", b"-inf", b"-1", b"0", b"1e308", b"-1e308", b"1e-320", b"99999999999999999999999", b"", b"0x1F",
    b"1,5", b"180.0001", b"-90.5", b"9007199254740993", b"NULL", b"None", b"\xef\xbc\x91", b"2026-02-30", b"1e5000",
    b"00",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_TAG = re.compile(rb"<[^<>]{1,200}>")

Damage = Callable[[bytes, np.random.Generator], bytes]


def _flip(raw: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(raw)
    for place in rng.integers(0, len(data), rng.integers(1, 6)):
        data[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(data)


def _noise(raw: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(raw) + 1))
    return raw[:at] + rng.bytes(int(rng.integers(1, 40))) + raw[at:]


def _truncate(raw: bytes, rng: np.random.Generator) -> bytes:
    return raw[: int(rng.integers(0, len(raw)))]


def _beheaded(raw: bytes, rng: np.random.Generator) -> bytes:
    return raw[int(rng.integers(1, max(2, len(raw) // 3))) :]


def _number(raw: bytes, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(raw))
    if not found:
        return raw
    match = found[int(rng.integers(0, len(found)))]
    return raw[: match.start()] + ODD_NUMBERS[int(rng.integers(0, len(ODD_NUMBERS)))] + raw[match.end() :]


def _all_of_one_number(raw: bytes, rng: np.random.Generator) -> bytes:
    """Ids that belong to several things become one, or none."""
    found = _NUMBER.findall(raw)
    if len(found) < 2:
        return raw
    a, b = (found[int(k)] for k in rng.integers(0, len(found), 2))
    return raw.replace(a, b)


def _line(raw: bytes, rng: np.random.Generator) -> bytes:
    lines = raw.split(b"\n")
    a, b = (int(k) for k in rng.integers(0, len(lines), 2))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        del lines[a]
    elif kind == 1:
        lines.insert(b, lines[a])
    elif kind == 2:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines[a] = lines[a][: len(lines[a]) // 2]
    return b"\n".join(lines)


def _tag(raw: bytes, rng: np.random.Generator) -> bytes:
    """An XML element goes, or comes twice; in a table, a field does."""
    found = list(_TAG.finditer(raw)) or list(re.finditer(rb"[^,\n]*,", raw))
    if not found:
        return raw
    match = found[int(rng.integers(0, len(found)))]
    twice = match[0] * 2 if rng.random() < 0.5 else b""
    return raw[: match.start()] + twice + raw[match.end() :]


def _encoding(raw: bytes, rng: np.random.Generator) -> bytes:
    text = raw.decode("utf-8", "replace")
    kinds = ("utf-16", "utf-32", "latin-1", "cp1252", "utf-8-sig", "utf-16-be")
    return text.encode(kinds[int(rng.integers(0, len(kinds)))], "replace")


def _separators(raw: bytes, rng: np.random.Generator) -> bytes:
    pairs = ((b",", b";"), (b",", b"\t"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b'"', b""), (b"'", b""), (b".", b","),
             (b"-", b"/"), (b"\n", b"\x00\n"), (b":", b""))  # fmt: skip
    old, new = pairs[int(rng.integers(0, len(pairs)))]
    return raw.replace(old, new, int(rng.integers(1, 30)))


def _long(raw: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(raw) + 1))
    return raw[:at] + bytes([int(rng.integers(33, 127))]) * int(rng.integers(100, 20_000)) + raw[at:]


def _nothing(raw: bytes, rng: np.random.Generator) -> bytes:
    return (b"", b"\n", b"\x00" * 50, b" ", raw.split(b"\n")[0])[int(rng.integers(0, 5))]


_DAMAGES: tuple[tuple[Damage, float], ...] = (
    (_flip, 3.0), (_noise, 1.0), (_truncate, 1.5), (_beheaded, 0.7), (_number, 4.0), (_all_of_one_number, 2.0),
    (_line, 3.0), (_tag, 3.0), (_encoding, 0.7), (_separators, 1.5), (_long, 0.5), (_nothing, 0.3),
)  # fmt: skip


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """The file after one to three pieces of damage."""
    weight = np.array([share for _, share in _DAMAGES])
    for k in rng.choice(len(_DAMAGES), size=int(rng.integers(1, 4)), p=weight / weight.sum()):
        raw = _DAMAGES[int(k)][0](raw, rng) if raw else raw
    return raw
