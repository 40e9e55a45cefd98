"""Docstrings of this project as reStructuredText: they write code in single backticks, and formulas indented.

Before napoleon reads a docstring, code gets double backticks, bars and stars of formulas are escaped, and indented
blocks and Markdown tables become literal ones. References to types that are not ours become plain text at once, since
their pages are not at hand and looking for them by part of their name takes most of the time of a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from api_pages import ROOMS
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

_CODE = re.compile(r"(?<![`:\w])`([^`\n]+)`(?![`_])(?=(\w?))")
_LITERAL = re.compile(r"(``.+?``)")
_STAR = re.compile(r"(?<=[(, ])\*(?=\w+[,)\[])")  # of `shape (*lead, P)`
_UNDERLINE = re.compile(r"-{3,}$")
_LISTS = ("-", "*", "..", "1.", " ")
_COLON = "\ue000"  # stands for a colon while napoleon looks for `type: text` in what is told of a constant


def plain(lines: list[str]) -> list[str]:
    """The lines of a docstring, as Sphinx reads them.

    >>> plain(["Where |L| is `nan`, as `Grid`s tell."])
    ['Where \\\\|L\\\\| is ``nan``, as ``Grid``\\\\ s tell.']
    """
    return [line if literal else _escaped(line) for line, literal in _blocks(lines)]


def _blocks(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Lines, and whether each is of a literal block: indented text after a paragraph, or a Markdown table."""
    last, literal, in_sections, blank = "", False, False, True
    for place, line in enumerate(lines):
        in_sections |= place + 1 < len(lines) and bool(_UNDERLINE.match(lines[place + 1]))
        table = line.startswith("|")
        block = line.startswith("    ") and blank and bool(last) and not in_sections and not last.startswith(_LISTS)
        if line.strip() and not table and not line.startswith("    "):
            literal = False
        if (table and not last.startswith("|")) or (block and not literal):
            if not last.endswith("::"):
                yield from (("", False), ("::", False), ("", False))
            literal = block
        elif last.startswith("|") and not table:
            yield "", False
        yield ("    " + line if table else line), table or literal
        blank = not line.strip()
        last = (
            line if table or (line.strip() and not line.startswith(" ")) or (blank and last.startswith("|")) else last
        )
        if blank and last.startswith("|"):
            last = ""


def _escaped(line: str) -> str:
    if line.lstrip().startswith((">>>", "...")):
        return line
    doubled = _CODE.sub(lambda found: f"``{found[1]}``" + ("\\ " if found[2] else ""), line)
    parts = _LITERAL.split(doubled)
    return "".join(p if p.startswith("``") else _STAR.sub(r"\\*", p.replace("|", "\\|")) for p in parts)


def before(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Before napoleon."""
    made = plain(lines)
    lines[:] = [line.replace(":", _COLON) for line in made] if what in ("data", "attribute") else made


def after(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """After napoleon."""
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def drop_foreign(app: Sphinx, document: nodes.document) -> None:
    """References to types that no page tells become their text."""
    ours = tuple(f"{room}." for room in ROOMS)
    for node in list(document.findall(addnodes.pending_xref)):
        if node.get("refdomain") == "py" and not str(node.get("reftarget")).startswith(ours):
            node.replace_self(nodes.inline("", "", *node.children))


def setup(app: Sphinx) -> dict[str, Any]:
    """Work on both sides of napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
    app.connect("doctree-read", drop_foreign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
