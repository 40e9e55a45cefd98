"""What a report carries for the machine: the study's specification and its figures, as JSON with a checksum.

HTML holds it in a block of data that no browser runs, Markdown in a fenced block at its end. It is read as JSON and
checked key by key; nothing of a report is ever executed, and no path in it is opened.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.reports.errors import ReportError

FORMAT = 1
ELEMENT = "zonewise-study"  # id of the block in HTML, and word behind the fence in Markdown
#: A larger file is no report of ours.
MOST_BYTES = 200_000_000
_FENCE = re.compile(rf"^```json {ELEMENT}\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_STRICT = ConfigDict(extra="forbid", frozen=True)


class CitySpec(BaseModel):
    """The city of a study: what it was made from, files by digest, and a digest of what came of it."""

    model_config = _STRICT
    run: str
    label: str
    digest: str
    made_from: dict[str, Any]


class StudySpec(BaseModel):
    """What was run."""

    model_config = _STRICT
    run: str
    scenario: dict[str, Any]
    pairs: int = Field(ge=1, le=1000)
    days: int = Field(ge=1, le=366)
    start: str = Field(min_length=8, max_length=40)
    elasticity: float | None = Field(default=None, ge=-3.0, le=0.0)
    equilibrium: float | None = Field(default=None, gt=0.0, le=0.5)
    until: str | None = None
    seconds: float | None = None
    air: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None


class FigureSpec(BaseModel):
    """One figure of the study, to the last bit."""

    model_config = _STRICT
    quantity: str
    scope: str
    zone_id: str
    unit: str
    base: float
    effect: float


class Specification(BaseModel):
    """All that is needed to run a study again, and to see whether it comes out the same.

    Attributes
    ----------
    format : int
    study : StudySpec
    city : CitySpec
    code : dict of str
        Digests of the code, as `app.code_version.code_version`.
    versions : dict of str
        Of Python and of the packages that move numbers.
    tables : dict of str
        Digest of each table of the study (`table_digest`).
    figures : tuple of FigureSpec
        Effects over the whole run, but for those by zone.
    """

    model_config = _STRICT
    format: int
    study: StudySpec
    city: CitySpec
    code: dict[str, str]
    versions: dict[str, str]
    tables: dict[str, str]
    figures: tuple[FigureSpec, ...]


def table_digest(table: pd.DataFrame) -> str:
    """24 hex digits of a table's content: columns by name, numbers to the last bit, texts as they are."""
    sink = hashlib.sha256()
    for name in sorted(map(str, table.columns)):
        column = table[name]
        sink.update(f"{name}:{len(column)};".encode())
        if pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=float)
            sink.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        else:
            sink.update("\x1f".join("" if pd.isna(one) else str(one) for one in column).encode())
    return sink.hexdigest()[:24]


def figures_of(effects: pd.DataFrame) -> tuple[FigureSpec, ...]:
    """Effects over the whole run, but for those by zone."""
    rows = effects[(effects["hour"] == -1) & (effects["scope"] != "zone")]
    columns = ["quantity", "scope", "zone_id", "unit", "base", "effect"]
    return tuple(FigureSpec(**row) for row in rows[columns].to_dict("records"))


def to_json(spec: Specification) -> str:
    """JSON text, checksum included; what closes a block of HTML or a fence cannot stand in it."""
    value = spec.model_dump(mode="json")
    text = json.dumps({"checksum": _checksum(value), **value}, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("`", "\\u0060")


def read_report(path: str | Path) -> Specification:
    """The specification that a report carries.

    Parameters
    ----------
    path : str or Path
        HTML or Markdown, as `make_report` wrote it.

    Raises
    ------
    ReportError
        If the file cannot be read, is no report, or was changed or cut off; with every fault of its keys.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ReportError(f"{file} is larger than {MOST_BYTES // 1_000_000} MB; that is no report of Zonewise")
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{file} cannot be read as a report: {error}") from error
    blocks = _blocks(text)
    if len(blocks) != 1:
        found = "holds no specification of a study" if not blocks else f"holds {len(blocks)} specifications, not one"
        raise ReportError(
            f"{file} {found}; give a whole HTML or Markdown file that 'zonewise scenario report' wrote (a printed or"
            " copied page has lost it)"
        )
    return from_json(blocks[0], source=str(file))


def from_json(text: str, *, source: str = "report") -> Specification:
    """A specification from its JSON text.

    Raises
    ------
    ReportError
        As `read_report`.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{source}: its specification is damaged ({error}); ask for the file anew") from error
    if not isinstance(value, dict) or "format" not in value:
        raise ReportError(f"{source}: its specification is no mapping with a format; ask for the file anew")
    if value["format"] != FORMAT:
        raise ReportError(
            f"{source}: written in format {value['format']!r}, this version reads {FORMAT}; use the version of Zonewise"
            " that the report names"
        )
    told = value.pop("checksum", None)
    if told != _checksum(value):
        raise ReportError(f"{source}: its specification was changed or cut off (checksum); ask for the file anew")
    try:
        return Specification.model_validate(value)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:20])
        raise ReportError(f"{source}: its specification does not say what a study needs: {faults}") from error


def _checksum(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _blocks(text: str) -> list[str]:
    """Texts of all blocks that say they are a specification."""
    head = text[:1000].lstrip("\ufeff \n\t").lower()
    if head.startswith(("<!doctype html", "<html")):
        finder = _Finder()
        finder.feed(text)
        finder.close()
        return finder.found
    return [str(one) for one in _FENCE.findall(text)]


class _Finder(HTMLParser):
    """Texts of `<script type="application/json" id="zonewise-study">` that are closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "script" and told.get("id") == ELEMENT and told.get("type") == "application/json":
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._text is not None:
            self.found.append("".join(self._text))
            self._text = None


def plain(value: Any) -> Any:
    """A value as JSON can hold it: what is not a number becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
