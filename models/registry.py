"""The registry: every version of every model, by zone and target, and which one is in force.

A version is a folder of files below `<zone>/<target>/<number>/` with a `card.json` that says what it is and carries
the files' SHA-256. `<zone>/<target>/current.json` names the version in force and is written last, so that a reader
never meets half a model. The macromodel lives under the zone `_city`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from data.store.protocol import Store
from models.contract import Forecaster
from models.errors import ModelFileError, RegistryError

CITY = "_city"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class Registry:
    """Models in a `Store`.

    Parameters
    ----------
    store : Store
        Where the bytes are kept, e.g. a workspace's `models`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def save(
        self,
        zone_id: str,
        target: str,
        forecaster: Forecaster,
        card: Mapping[str, Any] | None = None,
        *,
        promote: bool = True,
    ) -> str:
        """Store a new version and, unless told otherwise, put it in force; returns its number, e.g. `0001`.

        Parameters
        ----------
        card : mapping
            Anything worth telling, as JSON values: errors, reasons, the training run's id.
        """
        base = _base(zone_id, target)
        numbers = [int(v) for v in self.versions(zone_id, target)]
        version = f"{max(numbers, default=0) + 1:04d}"
        files = forecaster.save()
        for name, value in files.items():
            self.store.put(f"{base}/{version}/{name}", value)
        head = {
            "zone_id": zone_id, "target": target, "version": version, "family": forecaster.name,
            "train_end": forecaster.train_end, "settings": forecaster.settings(), "complexity": forecaster.complexity(),
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {name: hashlib.sha256(value).hexdigest() for name, value in files.items()},
        }  # fmt: skip
        self.store.put(f"{base}/{version}/card.json", _json({**dict(card or {}), **head}))
        if promote:
            self.promote(zone_id, target, version)
        return version

    def promote(self, zone_id: str, target: str, version: str) -> None:
        """Put a version in force (also an older one: roll back); `RegistryError` where it is not whole."""
        card = self.show(zone_id, target, version)
        previous = None
        with suppress(RegistryError):
            previous = self.current(zone_id, target)
        value = {
            "version": card["version"],
            "previous": previous,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.store.put(f"{_base(zone_id, target)}/current.json", _json(value))

    def current(self, zone_id: str, target: str) -> str:
        """Version in force; `RegistryError` where there is none."""
        key = f"{_base(zone_id, target)}/current.json"
        try:
            data = self.store.get(key)
        except KeyError:
            raise RegistryError(
                f"no model of '{target}' is in force in zone '{zone_id}'; train and save one first"
            ) from None
        try:
            return str(json.loads(data)["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"current.json of zone '{zone_id}', '{target}' is damaged ({error}); promote a version again"
            ) from error

    def versions(self, zone_id: str, target: str) -> list[str]:
        """Numbers of all whole versions, oldest first."""
        base = _base(zone_id, target)
        keys = (key.removeprefix(f"{base}/").split("/") for key in self.store.list(f"{base}/"))
        return sorted(
            {parts[0] for parts in keys if len(parts) == 2 and parts[1] == "card.json" and parts[0].isdigit()}
        )

    def load(self, zone_id: str, target: str, version: str | None = None) -> Forecaster:
        """A model as saved; the one in force where no version is named.

        Raises
        ------
        RegistryError
            If there is no such version.
        ModelFileError
            If a file is missing, or differs from what the card says.
        """
        card = self.show(zone_id, target, version)
        base = f"{_base(zone_id, target)}/{card['version']}"
        files = {}
        for name, digest in card["files"].items():
            try:
                files[name] = self.store.get(f"{base}/{name}")
            except KeyError:
                raise ModelFileError(f"{base}/{name} is missing; promote an older version or train again") from None
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise ModelFileError(
                    f"{base}/{name} is damaged: its SHA-256 is not the card's; promote an older version or train again"
                )
        return Forecaster.load(files)

    def show(self, zone_id: str, target: str, version: str | None = None) -> dict[str, Any]:
        """Card of a version, of the one in force where none is named."""
        version = self.current(zone_id, target) if version is None else version
        key = f"{_base(zone_id, target)}/{version}/card.json"
        try:
            card = json.loads(self.store.get(key))
        except KeyError:
            raise RegistryError(
                f"zone '{zone_id}' has no version '{version}' of '{target}'; there are"
                f" {self.versions(zone_id, target) or 'none'}"
            ) from None
        except ValueError as error:
            raise ModelFileError(f"{key} is damaged ({error}); promote an older version or train again") from error
        if not isinstance(card, dict) or not {"version", "family", "files"} <= card.keys():
            raise ModelFileError(f"{key} is damaged: version, family or files is missing; train again")
        return card

    def list(self) -> pd.DataFrame:
        """All models: zone_id, target, version in force, number of versions, family, train_end, bytes."""
        pairs = sorted({tuple(key.split("/")[:2]) for key in self.store.list() if key.count("/") >= 2})
        rows = []
        for zone_id, target in pairs:
            try:
                card = self.show(zone_id, target)
            except (RegistryError, ModelFileError):
                continue
            rows.append(
                {"zone_id": zone_id, "target": target, "version": card["version"],
                 "versions": len(self.versions(zone_id, target)), "family": card["family"],
                 "train_end": card.get("train_end", ""), "bytes": card.get("complexity", {}).get("bytes", float("nan"))}
            )  # fmt: skip
        columns = ["zone_id", "target", "version", "versions", "family", "train_end", "bytes"]
        return pd.DataFrame(rows, columns=columns)


def _base(zone_id: str, target: str) -> str:
    for part in (zone_id, target):
        if not _NAME.fullmatch(part):
            raise RegistryError(f"{part!r} cannot name a folder; use letters, digits, '_', '-' and '.'")
    return f"{zone_id}/{target}"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, default=str).encode()
