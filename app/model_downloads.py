"""Downloads of a zone's model: its card, a bundle that is read without the project, ONNX, and C for a sensor."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec

from app.model_views import load, standing
from app.queries import Queries
from app.texts import model_name, t
from data.errors import InputError

KINDS = ("card_md", "card_json", "bundle", "onnx", "c")
_PLAIN = (str, int, float)


def offers(queries: Queries, zone: str, target: str) -> dict[str, str]:
    """Why a kind cannot be had, in words, by kind; empty where it can."""
    if standing(queries, zone, target) is None:
        return dict.fromkeys(KINDS, t("models.take.nothing"))
    model = load(queries, zone, target)
    refused = ""
    if model is None:
        refused = t("models.take.damaged")
    elif getattr(model, "family", "") not in _exportable() or getattr(model, "scope", "") != "zone":
        refused = t("models.take.family", family=model_name(getattr(model, "family", "") or model.name))
    missing = "" if find_spec("onnx") else t("models.take.noonnx")
    return dict.fromkeys(KINDS[:3], "") | {"onnx": refused or missing, "c": refused}


def download(queries: Queries, zone: str, target: str, kind: str) -> tuple[str, bytes]:
    """Name and bytes of a file about the version in force.

    Raises
    ------
    InputError
        For a kind that there is not, or that this model cannot be had as; the text says why.
    RegistryError, ModelFileError
        If nothing is in force, or it is damaged.
    """
    from app.card_page import page
    from models.bundle import bundle
    from models.registry import Registry
    from models.registry_files import encoded

    if kind not in KINDS:
        raise InputError(t("models.take.unknown", kind=kind))
    if reason := offers(queries, zone, target)[kind]:
        raise InputError(reason)
    registry = Registry(queries.workspace.models)
    card = registry.show(zone, target)
    stem = f"zonewise_{zone}_{target}_{card['version']}"
    if kind == "card_md":
        return f"{stem}.md", page(card, markdown=True).encode()
    if kind == "card_json":
        return f"{stem}.json", encoded(card)
    if kind == "bundle":
        files = bundle(registry, zone, target, card["version"])
        return f"{stem}.zip", packed({**files, "card.md": page(card, markdown=True).encode()})
    model = registry.load(zone, target, card["version"])
    essentials = {k: v for k, v in card.items() if isinstance(v, _PLAIN) and k not in ("zone_id", "target", "family")}
    if kind == "onnx":
        from models.export.onnx_graph import onnx_bytes

        return f"{stem}.onnx", onnx_bytes(model, zone, card={k: str(v) for k, v in essentials.items()})
    from models.export.c_source import c_files

    told = queries.workspace.describe()
    where = {"timezone": str(told.get("timezone", "UTC")), "country": told.get("country")}
    made = c_files(model, zone, **where, card=essentials)
    return f"{stem}_c.zip", packed({"zw_model.h": made.header.encode(), "zw_model.c": made.source.encode()})


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of files, the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _exportable() -> tuple[str, ...]:
    from models.export.families import EXPORTABLE

    return EXPORTABLE
