"""Where the registry keeps versions: folders of files, each with a card, written last, that holds their SHA-256."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from data.store.protocol import SharedStore
from models.contract import Forecaster
from models.errors import ModelFileError, RegistryError

Key = tuple[str, str]  # zone and target
CARD = "card.json"
#: Format of a card's sections (see `cards`). One that names no format, or 1, has fewer of them, and is read as it is.
CARD_FORMAT = 2
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_AGAIN = "promote an older version or train again"


def folder(key: Key) -> str:
    """Where a model's versions are; `RegistryError` for names that cannot be those of folders."""
    for part in key:
        if not _NAME.fullmatch(part):
            raise RegistryError(f"{part!r} cannot name a folder; use letters, digits, '_', '-' and '.'")
    return "/".join(key)


class Versions:
    """Versions of models in a store, whichever is in force."""

    def __init__(self, store: SharedStore) -> None:
        self.store = store

    def models(self, zone_id: str | None = None, target: str | None = None) -> list[Key]:
        """All models, or those of a zone and a target, in order."""
        split = (path.split("/") for path in self.store.list())
        found = {(parts[0], parts[1]) for parts in split if len(parts) >= 3}
        return sorted(key for key in found if zone_id in (None, key[0]) and target in (None, key[1]))

    def folders(self, key: Key) -> dict[str, list[str]]:
        """Names of files by version, half versions among them."""
        base = folder(key)
        found: dict[str, list[str]] = {}
        for path in self.store.list(f"{base}/"):
            version, _, name = path.removeprefix(f"{base}/").partition("/")
            if name and version.isdigit():
                found.setdefault(version, []).append(name)
        return found

    def versions(self, key: Key) -> list[str]:
        """Numbers of whole versions, oldest first."""
        return sorted(version for version, names in self.folders(key).items() if CARD in names)

    def next(self, key: Key) -> str:
        """Number of a new version: beyond all there are, half ones among them."""
        return f"{max((int(v) for v in self.folders(key)), default=0) + 1:04d}"

    def card(self, key: Key, version: str) -> dict[str, Any]:
        """Card of a version; `RegistryError` where there is none, `ModelFileError` where it is damaged."""
        path = f"{folder(key)}/{version}/{CARD}"
        try:
            card = json.loads(self.store.get(path)) if version.isdigit() else None
        except KeyError:
            card = None
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path} is damaged ({error}); {_AGAIN}") from error
        else:
            if card is not None:
                return _checked(card, key, version, path)
        raise RegistryError(
            f"zone '{key[0]}' has no version '{version}' of '{key[1]}'; there are {self.versions(key) or 'none'}"
        )

    def files(self, card: Mapping[str, Any]) -> dict[str, bytes]:
        """Files of a card's version; `ModelFileError` where one is missing or is not what the card says."""
        base = f"{folder((card['zone_id'], card['target']))}/{card['version']}"
        files = {}
        for name, digest in card["files"].items():
            try:
                files[name] = self.store.get(f"{base}/{name}")
            except KeyError:
                raise ModelFileError(f"{base}/{name} is missing; {_AGAIN}") from None
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise ModelFileError(f"{base}/{name} is damaged: its SHA-256 is not the card's; {_AGAIN}")
        return files

    def whole(self, key: Key, version: str) -> None:
        """Read a version and throw it away; errors as in `card` and `files`."""
        self.files(self.card(key, version))

    def remove(self, key: Key, version: str, names: list[str]) -> None:
        """Remove a version, its card first: without it there is no version."""
        for name in sorted(names, key=lambda name: name != CARD):
            self.store.delete(f"{folder(key)}/{version}/{name}")


def _checked(card: Any, key: Key, version: str, path: str) -> dict[str, Any]:
    if not isinstance(card, dict) or not {"version", "family", "files"} <= card.keys():
        raise ModelFileError(f"{path} is damaged: version, family or files is missing; {_AGAIN}")
    if isinstance(card.get("format"), int) and card["format"] > CARD_FORMAT:
        raise ModelFileError(
            f"{path} is a card of format {card['format']}, this release reads {CARD_FORMAT}: a newer Zonewise wrote it."
            " Use that release, or promote an older version"
        )
    if not isinstance(card["files"], dict):
        raise ModelFileError(f"{path} is damaged: its files are no mapping; {_AGAIN}")
    told = (card.get("zone_id"), card.get("target"), card["version"])
    if told != (*key, version):
        raise ModelFileError(f"{path} is the card of another model, {told}; {_AGAIN}")
    return card


def card_of(
    key: Key,
    version: str,
    forecaster: Forecaster,
    files: Mapping[str, bytes],
    told: Mapping[str, Any],
    parent: str | None,
) -> bytes:
    """A card: what the caller tells, and what the registry knows itself.

    Parameters
    ----------
    parent : str or None
        Version that was in force when this one was stored.
    """
    size = {"parameters": float(forecaster._n_parameters()), "bytes": float(sum(map(len, files.values())))}
    plugin = forecaster.brought_by()
    brought = {} if plugin is None else {"plugin": plugin.told()}
    lineage = {"teacher": None, "training_run": told.get("training_run"), **dict(told.get("lineage") or {})}
    return encoded(
        {
            **told, **brought, "zone_id": key[0], "target": key[1], "version": version, "family": forecaster.name,
            "train_end": forecaster.train_end, "settings": forecaster.settings(), "complexity": size,
            "saved": datetime.now(UTC).isoformat(timespec="seconds"), "lineage": {**lineage, "parent": parent},
            "files": {name: hashlib.sha256(value).hexdigest() for name, value in files.items()},
            "file_bytes": {name: len(value) for name, value in files.items()},
        }
    )  # fmt: skip


def encoded(value: Any) -> bytes:
    """A value as JSON, readable by people."""
    return json.dumps(plain(value), indent=1, sort_keys=True, allow_nan=False).encode()


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NumPy scalars and arrays as Python's, what is not a number as null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
