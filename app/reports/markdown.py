"""A report as Markdown: the same text and tables; drawings stand as data at the end, so that one file holds all."""

from __future__ import annotations

import re
from base64 import b64encode

from app.reports.document import Block, Bullets, Code, Document, Drawing, Drawings, Grid, Heading, Paragraph
from app.reports.specification import ELEMENT

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~>$])")
_LEADING = re.compile(r"^(\d+(?=[.)])|[-+=#])")


def to_markdown(document: Document, specification: str = "") -> str:
    """The text.

    Parameters
    ----------
    document : Document
    specification : str
        JSON from `specification.to_json`, which holds no backquote; none where the report is not of a study.
    """
    images: list[str] = []
    blocks = "\n\n".join(_block(block, images) for block in document.blocks)
    data = "\n".join(images)
    text = f"# {_plain(document.title)}\n\n{_plain(document.lead)}\n\n{blocks}\n"
    if not specification:
        return f"{text}\n{data}\n" if data else text
    return (
        f"{text}\n## For the machine\n\n"
        "The study's specification, for `zonewise scenario reproduce`, and the drawings:\n\n"
        f"```json {ELEMENT}\n{specification}\n```\n\n{data}\n"
    )


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands; markup of HTML becomes entities."""
    return _LEADING.sub(_guarded, _cell(text))


def _cell(text: str) -> str:
    """The same in a cell of a table, where no line begins."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;"))


def _guarded(found: re.Match[str]) -> str:
    """What would begin a list, a heading or a rule, as a mere sign."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _block(block: Block, images: list[str]) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_plain(block.text)}"
    if isinstance(block, Paragraph):
        return f"> **Note.** {_plain(block.text)}" if block.warning else _plain(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_plain(item)}" for item in block.items)
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Drawing):
        return _image(block, images)
    if isinstance(block, Drawings):
        return "\n\n".join([*(_image(part, images) for part in block.parts), f"*{_plain(block.caption)}*"])
    assert isinstance(block, Code)
    longest = max((len(run) for run in re.findall(r"`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"


def _image(drawing: Drawing, images: list[str]) -> str:
    name = f"drawing-{len(images) + 1}"
    images.append(f"[{name}]: data:image/svg+xml;base64,{b64encode(drawing.svg.encode()).decode()}")
    return f"![{_plain(drawing.alt)}][{name}]\n\n*{_plain(drawing.caption)}*"


def _grid(grid: Grid) -> str:
    rules = " | ".join("---:" if k in grid.numbers else "---" for k in range(len(grid.columns)))
    rows = [" | ".join(_cell(cell) or " " for cell in row) for row in (grid.columns, *grid.rows)]
    lines = [f"| {rows[0]} |", f"| {rules} |", *(f"| {row} |" for row in rows[1:])]
    return f"**{_plain(grid.caption)}**\n\n" + "\n".join(lines)
