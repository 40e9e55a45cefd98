"""Scenarios as people write them: YAML files and forms, checked by `entries`, then frozen.

    name: summer_esplanadi
    label: Pohjoisesplanadi without cars in the day
    measures:
      - measure: close_street
        street: Pohjoisesplanadi
        classes: [car, van]
        start: "10:00"
        end: "20:00"

Every fault is reported at once, with its line. An end before the start runs over midnight. `city` may name the city
that the file was written for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from data.plugins import PluginError
from simulation.scenarios.entries import BandEntry, BanEntry
from simulation.scenarios.entry_kinds import entry_class, kinds
from simulation.scenarios.entry_parts import Spot
from simulation.scenarios.errors import Fault, ScenarioError, did_you_mean
from simulation.scenarios.measures import Measure
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.yaml_lines import Document, read_document

if TYPE_CHECKING:
    from simulation.city import City

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TOP_KEYS = ("name", "label", "description", "city", "measures")


def read_scenario(path: str | Path, city: City | None = None) -> Scenario:
    """A scenario from a YAML file.

    Parameters
    ----------
    path : str or Path
    city : City, optional
        With it, names of streets, zones and classes are checked too.

    Raises
    ------
    ScenarioError
        With every fault and its line.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"cannot be read: {error}"], source=str(file)) from error
    return scenario_from_yaml(text, city=city, source=str(file))


def scenario_from_yaml(text: str, *, city: City | None = None, source: str = "") -> Scenario:
    """A scenario from YAML text; as `read_scenario`, whose errors name `source`."""
    document = read_document(text)
    return _build(document, city, source)


def from_form(form: Mapping[str, Any], *, city: City | None = None, source: str = "") -> Scenario:
    """A scenario from plain values (a form, JSON): the same keys and checks as in a file, without lines.

    Raises
    ------
    ScenarioError
        With every fault and the entry it is in, e.g. `measures[0].street`.
    """
    return _build(Document(value=dict(form) if isinstance(form, Mapping) else form), city, source)


class _Faults:
    """Gathers faults, each with its line where the document knows it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.all: list[Fault] = list(document.faults)

    def add(self, path: tuple[str | int, ...], text: str) -> None:
        line = self.document.line(path)
        if any(fault.line == line and "no quotes" in fault.text for fault in self.all if line is not None):
            return  # the time without quotes has said it
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        self.all.append(Fault(text, where=where, line=line))

    def in_order(self) -> list[Fault]:
        """By line."""
        return sorted(self.all, key=lambda fault: fault.line or 0)


def _build(document: Document, city: City | None, source: str) -> Scenario:
    faults = _Faults(document)
    value = document.value
    if not isinstance(value, dict):
        if not document.faults:
            faults.add((), f"a scenario is a mapping with the keys {list(_TOP_KEYS)}; found {_kind(value)}")
        raise ScenarioError(faults.all, source=source)
    for key in value:
        if key not in _TOP_KEYS:
            faults.add((key,), f"unknown key {key!r}; {did_you_mean(str(key), _TOP_KEYS)}")
    texts = {key: _top_text(value, key, faults) for key in ("name", "label", "description", "city")}
    measures = _measures(value.get("measures"), faults)
    if not faults.all and city is not None:
        for number, measure in enumerate(measures):
            for fault in measure.check(city):
                faults.add(("measures", number, *_path(fault.where)), fault.text)
    if faults.all:
        raise ScenarioError(faults.in_order(), source=source)
    return Scenario(measures=tuple(measures), **texts)


def _top_text(value: dict[str, Any], key: str, faults: _Faults) -> str:
    text = value.get(key, "")
    if key == "name":
        if "name" not in value:
            faults.add((), "key 'name' is missing: a short id such as 'summer_esplanadi'")
        elif not isinstance(text, str) or not _NAME.fullmatch(text):
            faults.add(("name",), f"name {text!r}; allowed: up to 64 of a-z, 0-9, _ and -, e.g. 'summer_esplanadi'")
    elif not isinstance(text, str):
        faults.add((key,), f"{key} must be text; found {_kind(text)}")
    return text.strip() if isinstance(text, str) else ""


def _measures(value: Any, faults: _Faults) -> list[Measure]:
    """Frozen measures of the list of entries; an empty or missing list is the city as it is."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        faults.add(
            ("measures",), f"measures must be a list (lines that begin with '- measure: ...'); found {_kind(value)}"
        )
        return []
    measures = []
    for number, item in enumerate(value):
        path: tuple[str | int, ...] = ("measures", number)
        if not isinstance(item, Mapping):
            faults.add(path, f"a measure is a mapping that begins with 'measure: ...'; found {_kind(item)}")
            continue
        kind = item.get("measure")
        try:
            entry = entry_class(kind) if isinstance(kind, str) else None
        except PluginError as error:
            faults.add((*path, "measure"), str(error))
            continue
        if entry is None:
            text = "key 'measure' is missing" if kind is None else f"unknown measure {kind!r}"
            where = path if kind is None else (*path, "measure")
            faults.add(where, f"{text}; {did_you_mean(str(kind or ''), kinds())}")
            continue
        try:
            measures.append(entry.model_validate(dict(item)).to_measure())
        except ValidationError as error:
            for fault in error.errors():
                faults.add((*path, *fault["loc"]), _plain(fault, entry))
        except ScenarioError as error:
            for problem in error.faults:
                faults.add((*path, *_path(problem.where)), problem.text)
    return measures


def _plain(error: Any, entry: type[BaseModel]) -> str:
    """One line for people from one of pydantic's errors."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        owner = _owner(error["loc"][:-1], entry)
        return f"unknown key {key!r}; {did_you_mean(key, owner.model_fields, show=16)}"
    if error["type"] == "missing":
        return f"key {key!r} is missing"
    if error["type"] == "literal_error":
        names = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        return f"unknown value {found!r}; {did_you_mean(str(found), names)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    return f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}; found {found!r}"


def _path(where: str) -> list[str | int]:
    """Keys and numbers of a place in an entry: `any_of[0].street`."""
    words = re.findall(r"[^.\[\]]+", where)
    return [int(word) if word.isdigit() else word for word in words]


def _owner(path: tuple[str | int, ...], entry: type[BaseModel]) -> type[BaseModel]:
    """The model whose key is unknown: of a part of an entry, or of the entry."""
    inside: dict[str, type[BaseModel]] = {
        "ban": BanEntry,
        "bands": BandEntry,
        "any_of": Spot,
        "but_not": Spot,
        "onto": Spot,
    }
    named = [key for key in path if key in inside]
    return inside[str(named[-1])] if named else entry


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"the text {value!r}" if isinstance(value, str) else repr(value)
