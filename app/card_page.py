"""A model card as a page: one text for the terminal, or Markdown for a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from app.display import DISPLAY
from app.texts import ahead, model_name

_MOST_FEATURES = 8
_PLACES = {"_city": "the whole city (macromodel)", "_mix": "all zones (mix of models)"}


def page(card: Mapping[str, Any], *, markdown: bool = False, standing: str = "") -> str:
    """A card in words.

    Parameters
    ----------
    card : mapping
        As `Registry.show` returns it; sections that older cards lack are left out.
    markdown : bool
        Headings and lists as Markdown; otherwise plain text.
    standing : str
        Whether the version is in force, in words.
    """
    name = DISPLAY.get(str(card["target"]), ("", 1.0, 2, str(card["target"])))[3]
    zone = str(card["zone_id"])
    lines = [_title(f"{name} in {_PLACES.get(zone, f'zone {zone}')}, version {card['version']}", markdown), ""]
    lines.append(_sentence(card, standing))
    for heading, rows in (
        ("What it learned from", _data(card)), ("How well it does, on readings that it had not seen", _errors(card)),
        ("How often its 90 % intervals hold", _coverage(card)),
        ("What it is not fit for", [str(limit) for limit in card.get("limits") or []]),
        ("Why it is in force, or not", _decision(card)), ("What it looks at", _features(card)),
        ("Where it comes from", _lineage(card)), ("Size", _size(card)),
    ):  # fmt: skip
        if rows:
            lines += ["", _heading(heading, markdown), *(f"- {row}" if markdown else f"  {row}" for row in rows)]
    return "\n".join(lines) + "\n"


def _title(text: str, markdown: bool) -> str:
    return f"# {text}" if markdown else f"{text}\n{'=' * len(text)}"


def _heading(text: str, markdown: bool) -> str:
    return f"## {text}\n" if markdown else text


def _sentence(card: Mapping[str, Any], standing: str) -> str:
    family = model_name(str(card["family"]))
    text = f"{family}, stored {_day(card.get('saved'))}."
    reason = str(card.get("reason") or "")
    return " ".join(part for part in (text, standing, reason and f"Chosen because: {reason}.") if part)


def _data(card: Mapping[str, Any]) -> list[str]:
    data = card.get("data") or {}
    if not data:
        return [f"readings up to {_day(card.get('train_end'))}"] if card.get("train_end") else []
    source = f"{data['source']} " if data.get("source") else ""
    rows = [f"{data['readings']:,} {source}readings of {data['days']:.0f} days, {_day(data['begins'])} to"
            f" {_day(data['ends'])}; {100 * data['share_missing']:.1f} % were missing"]  # fmt: skip
    zones = (card.get("task") or {}).get("zones") or []
    return [*rows, f"in {len(zones)} zones"] if len(zones) > 1 else rows


def _errors(card: Mapping[str, Any]) -> list[str]:
    unit, factor, digits, _ = DISPLAY.get(str(card["target"]), ("", 1.0, 2, ""))
    rows = []
    for row in card.get("validation") or []:
        skill = row.get("skill")
        better = (
            "" if skill is None else f", {100 * abs(skill):.0f} % {'less' if skill >= 0 else 'more'} than the usual"
        )
        better += " value does" if better else ""
        rows.append(
            f"{ahead(row['horizon_s']):>7} ahead: errs by {factor * row['mae']:.{digits + 1}f} {unit}{better}"
            f" ({row['n']:,} forecasts, {row['days']} days)"
        )
    return rows


def _coverage(card: Mapping[str, Any]) -> list[str]:
    unit, factor, digits, _ = DISPLAY.get(str(card["target"]), ("", 1.0, 2, ""))
    return [
        f"{ahead(row['horizon_s']):>7} ahead: {100 * row['coverage']:.0f} % of the readings lay inside; mean width"
        f" {factor * row['mean_width']:.{digits + 1}f} {unit}"
        for row in (card.get("intervals") or {}).get("measured", [])
        if row.get("coverage") is not None
    ]


def _decision(card: Mapping[str, Any]) -> list[str]:
    decision = card.get("decision") or {}
    if not decision:
        return []
    return [("Put in force: " if decision.get("promoted") else "Not put in force: ") + str(decision.get("reason", ""))]


def _features(card: Mapping[str, Any]) -> list[str]:
    features = card.get("features") or []
    rows = [str(feature["label"]) for feature in features[:_MOST_FEATURES]]
    return [*rows, f"and {len(features) - len(rows)} more"] if len(features) > len(rows) else rows


def _lineage(card: Mapping[str, Any]) -> list[str]:
    lineage = dict(card.get("lineage") or {})
    words = {
        "parent": "version in force before", "training_run": "training run", "teacher": "learned from the teacher",
        "learned_again_from": "chosen and judged with readings up to", "transferred_from": "transferred from",
    }  # fmt: skip
    rows = [f"{words.get(key, key)}: {value}" for key, value in lineage.items() if value]
    if plugin := card.get("plugin"):
        rows.append(f"family of package {plugin['package']} {plugin['version']} ({plugin['place']})")
    if card.get("seed") is not None:
        rows.append(f"seed {card['seed']}, code {card.get('code_version') or 'unknown'}")
    settings = {k: v for k, v in dict(card.get("settings") or {}).items() if k != "seed"}
    if settings:
        rows.append("settings: " + ", ".join(f"{key} = {value}" for key, value in settings.items()))
    return rows


def _size(card: Mapping[str, Any]) -> list[str]:
    size = card.get("complexity") or {}
    if not size:
        return []
    files = ", ".join(f"{name} {count:,}" for name, count in dict(card.get("file_bytes") or {}).items())
    return [f"{size['bytes']:,.0f} bytes, {size['parameters']:,.0f} learned numbers" + (f" ({files})" if files else "")]


def _day(value: Any) -> str:
    if not value:
        return "an unknown day"
    return f"{pd.Timestamp(str(value)):%d %B %Y}".lstrip("0")
