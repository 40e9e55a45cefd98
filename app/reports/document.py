"""What a report is made of: plain text in a few kinds of blocks. Neither HTML nor Markdown: the two forms escape it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a section (level 2) or a part of it (level 3)."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences; a `warning` is set off."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a caption; `numbers` are the columns that are set to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG, whole in itself, with the words for who cannot see it. `svg` is markup that we wrote."""

    caption: str
    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Drawings:
    """Drawings beside each other, under each other where there is no room."""

    caption: str
    parts: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied as it stands."""

    text: str
    language: str = ""


Block = Heading | Paragraph | Bullets | Grid | Drawing | Drawings | Code


@dataclass(frozen=True, slots=True)
class Document:
    """A title, a line below it, and blocks in order."""

    title: str
    lead: str
    blocks: tuple[Block, ...] = field(default=())
