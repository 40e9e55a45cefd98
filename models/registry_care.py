"""Care of a registry: old versions pruned, what killed writers left swept, damage found and mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from models import registry_index
from models.errors import ModelFileError, RegistryError, SettingsError
from models.registry_files import CARD, Key, folder

if TYPE_CHECKING:
    from models.registry import Registry


def prune(
    registry: Registry, *, keep: int, zone_id: str | None = None, target: str | None = None, why: str = ""
) -> list[tuple[str, str, str]]:
    """Remove old versions, all but the newest `keep` of each model; returns (zone, target, version) of those gone.

    The version in force (a pinned one is) and the one before it always stay. A model of which it cannot be told what is
    in force is left alone.

    Raises
    ------
    SettingsError
        If `keep` is below 1.
    """
    if keep < 1:
        raise SettingsError(f"keep={keep}; at least 1 version of each model stays")
    gone = []
    with registry.store.lock():
        for key in registry.held.models(zone_id, target):
            try:
                standing = registry.find(key)
            except (RegistryError, ModelFileError):
                continue
            folders = registry.held.folders(key)
            whole = sorted(version for version, names in folders.items() if CARD in names)
            stay = {*whole[-keep:], standing.version, standing.previous}
            old = [version for version in whole if version not in stay]
            if old:
                registry.note({key: ", ".join(old)}, {key: standing}, "prune", {key: why})
            for version in old:
                registry.held.remove(key, version, folders[version])
                gone.append((*key, version))
        registry.store.sweep()
    return gone


def sweep(registry: Registry) -> int:
    """Remove what killed writers left: files set aside, and versions without a card; returns how many went."""
    gone = 0
    with registry.store.lock():
        for key in registry.held.models():
            for version, names in registry.held.folders(key).items():
                if CARD not in names:
                    registry.held.remove(key, version, names)
                    gone += 1
        return gone + registry.store.sweep()


def check(registry: Registry, *, repair: bool = False) -> pd.DataFrame:
    """Read everything, and name what is damaged: zone_id, target, version, fault, cure.

    Parameters
    ----------
    repair : bool
        Take damaged standings from the log, sweep what killed writers left, and make the index anew.
    """
    rows: list[dict[str, Any]] = []
    for key in registry.held.models():
        told = {"zone_id": key[0], "target": key[1]}
        versions = registry.held.versions(key)
        for version in versions:
            try:
                registry.held.whole(key, version)
            except (RegistryError, ModelFileError) as error:
                rows.append({**told, "version": version, "fault": str(error), "cure": "roll back, or train again"})
        try:
            version = registry.find(key).version
            if version not in versions:
                fault = f"version {version} is in force, and is not there; there are {versions or 'none'}"
                rows.append({**told, "version": version, "fault": fault, "cure": "roll back, or train again"})
        except ModelFileError as error:
            rows.append({**told, "version": "", "fault": str(error), "cure": _mended(registry, key, repair)})
        except RegistryError as error:
            if versions:
                rows.append({**told, "version": "", "fault": str(error), "cure": "promote a version"})
    if repair:
        sweep(registry)
        registry.store.delete(registry_index.KEY)
        registry.list()
    return pd.DataFrame(rows, columns=["zone_id", "target", "version", "fault", "cure"])


def _mended(registry: Registry, key: Key, repair: bool) -> str:
    """Take a damaged standing from the log where asked to; says what was, or would have to be, done."""
    if not repair:
        return "'zonewise models check --repair', or promote a version"
    with registry.store.lock():
        standing = registry.from_log(key)
        if standing.version not in registry.held.versions(key):
            return "the log does not tell what was in force; promote a version"
        registry.store.put(f"{folder(key)}/current.json", standing.encode())
    return f"mended from the log: {standing.version} is in force"
