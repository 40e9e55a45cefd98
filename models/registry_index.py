"""The registry's index: what a list tells of every version, so that it need not open a thousand cards.

It is never the truth. A row speaks for a version's card, which does not change once written; rows of versions that are
gone are passed over, missing ones are read from the cards, and a damaged index is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from data.errors import StoreError
from data.store.protocol import SharedStore
from models.errors import ModelFileError, RegistryError

KEY = "index.json"
FORMAT = 2


def row(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the index tells of a card."""
    size = card.get("complexity") or {}
    return {
        "family": str(card["family"]), "train_end": str(card.get("train_end", "")), "bytes": size.get("bytes"),
        "saved": str(card.get("saved", "")),
    }  # fmt: skip


def read(store: SharedStore) -> dict[str, dict[str, Any]]:
    """Rows by `zone/target/version`; none where the index is missing, damaged or of another format."""
    try:
        value = json.loads(store.get(KEY))
        rows = value["rows"] if value["format"] == FORMAT else {}
        return {
            str(key): dict(found) for key, found in rows.items() if {"family", "train_end", "bytes"} <= found.keys()
        }
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def rows(store: SharedStore, wanted: Iterable[str], opened: Any) -> dict[str, dict[str, Any]]:
    """Rows of the wanted versions, from the index or else from `opened(key)`, a card; the index is then renewed.

    A version whose card is damaged has no row. A folder that may not be written to is listed all the same.
    """
    held = read(store)
    found: dict[str, dict[str, Any]] = {}
    for key in wanted:
        if key in held:
            found[key] = held[key]
            continue
        with suppress(RegistryError, ModelFileError):
            found[key] = row(opened(key))
    if any(key not in held for key in found):
        with suppress(StoreError):
            write(store, found)
    return found


def write(store: SharedStore, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep rows."""
    store.put(KEY, json.dumps({"format": FORMAT, "rows": found}, sort_keys=True).encode())
