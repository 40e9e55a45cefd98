"""A version as files that anyone can read: its card, the model as stored, and every number of it as JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from models.registry import Registry
from models.registry_files import encoded, plain


def bundle(registry: Registry, zone_id: str, target: str, version: str | None = None) -> dict[str, bytes]:
    """Files by name.

    Returns
    -------
    dict
        `card.json` and the files as stored (`model.json`, `arrays.npz`, `*.ubj`), with `arrays.json` (every array as
        `dtype`, `shape` and nested lists) and, for each XGBoost file, its JSON beside it.

    Raises
    ------
    RegistryError, ModelFileError
        As in `Registry.load`.
    """
    card = registry.show(zone_id, target, version)
    files = registry.files(zone_id, target, card["version"])
    out = {"card.json": encoded(card), **files}
    for name, value in files.items():
        stem, _, kind = name.rpartition(".")
        if kind == "npz":
            out[f"{stem}.json"] = _arrays(value)
        elif kind == "ubj":
            out[f"{stem}.json"] = _booster(value)
    return out


def _arrays(value: bytes) -> bytes:
    with np.load(io.BytesIO(value), allow_pickle=False) as held:
        arrays: dict[str, Any] = {
            key: {"dtype": str(held[key].dtype), "shape": held[key].shape, "values": plain(held[key])}
            for key in held.files
        }
    return json.dumps(plain(arrays), allow_nan=False).encode()


def _booster(value: bytes) -> bytes:
    from xgboost import Booster

    booster = Booster()
    booster.load_model(bytearray(value))
    return bytes(booster.save_raw("json"))
