"""Reading YAML with the line of every value, so that a fault can be shown where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from simulation.scenarios.errors import Fault

Path = tuple[str | int, ...]
_PLAIN_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_DEEPEST, _MOST = 12, 100_000  # levels and values of a file that a person wrote; aliases could make more


@dataclass(slots=True)
class Document:
    """A YAML document: plain Python values, the line of each path (counted from 1), and what was wrong on the way."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """Line of a value or, where it has none, of the entry that should hold it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def read_document(text: str) -> Document:
    """Parse a YAML text.

    Times such as 10:00 must be quoted: YAML 1.1 reads them as numbers in base 60, and only some of them, so every
    one without quotes is a fault. So is a key that is given twice, which YAML would let the later one win.

    Parameters
    ----------
    text : str

    Returns
    -------
    Document
        `faults` is not empty where the text is no YAML; `value` is then None.
    """
    document = Document(value=None)
    try:
        loader = yaml.SafeLoader(text)  # which reads the text, and refuses what cannot be printed
    except yaml.YAMLError as error:
        document.faults.append(Fault(f"not readable as YAML: {error}"))
        return document
    try:
        node = loader.get_single_node()
        document.value = None if node is None else _convert(node, (), loader, document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.faults.append(
            Fault(
                f"not readable as YAML: {error.problem or error.context}", line=None if mark is None else mark.line + 1
            )
        )
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # a date that no calendar has, too
        document.faults.append(Fault(f"not readable as YAML: {error}"))
        document.value = None
    finally:
        loader.dispose()  # type: ignore[no-untyped-call]
    return document


def _convert(node: yaml.Node, path: Path, loader: yaml.SafeLoader, document: Document) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(path, line)
    if len(path) > _DEEPEST or len(document.lines) > _MOST:
        raise yaml.MarkedYAMLError(problem="nested or repeated without end", problem_mark=node.start_mark)
    if isinstance(node, yaml.CollectionNode) and node.tag not in _TAGS:
        document.faults.append(Fault(f"the tag {node.tag} has no meaning here", line=line))
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = str(_convert(key_node, (*path, "\0key"), loader, document))
            document.lines.pop((*path, "\0key"), None)
            key_line = key_node.start_mark.line + 1
            if key in result:
                document.faults.append(Fault(f"key {key!r} is given twice", line=key_line))
            document.lines[(*path, key)] = key_line
            result[key] = _convert(value_node, (*path, key), loader, document)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, (*path, number), loader, document) for number, item in enumerate(node.value)]
    if getattr(node, "style", None) is None and _PLAIN_CLOCK.fullmatch(node.value):
        document.faults.append(
            Fault(
                f'the time {node.value} has no quotes, and YAML may read it as a number; quote it: "{node.value}"',
                line=line,
            )
        )
        return node.value
    return loader.construct_object(node)  # type: ignore[no-untyped-call]
