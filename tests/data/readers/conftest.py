"""A small OpenStreetMap file, written by hand: the tests choose its ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

LAT, LON = 60.17, 24.94
DEG_LAT = 1.0 / 111_195.0  # a metre north
DEG_LON = DEG_LAT / 0.4976  # a metre east at 60.17 N (cosine)

WriteOsm = Callable[..., Path]


def _tags(tags: Mapping[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())


@pytest.fixture
def write_osm(tmp_path: Path) -> WriteOsm:
    """Writes `town.osm`: nodes as {id: (east m, north m[, tags])}, ways as [(refs, tags)], numbered from 100 on.

    Relations are [(tags, [(role, type, ref), ...])], numbered from 1000 on.
    """

    def write(
        nodes: Mapping[int, tuple],
        ways: list[tuple[list[int], dict[str, str]]],
        *,
        relations: list[tuple[dict[str, str], list[tuple[str, str, int]]]] | None = None,
        name: str = "town.osm",
    ) -> Path:
        lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<osm version='0.6'>"]
        for number, (east, north, *tags) in sorted(nodes.items()):
            place = f"lat='{LAT + north * DEG_LAT:.7f}' lon='{LON + east * DEG_LON:.7f}'"
            lines.append(f"<node id='{number}' version='1' {place}>{_tags(tags[0] if tags else {})}</node>")
        for number, (refs, tags) in enumerate(ways, start=100):
            refs_text = "".join(f"<nd ref='{ref}'/>" for ref in refs)
            lines.append(f"<way id='{number}' version='1'>{refs_text}{_tags(tags)}</way>")
        for number, (tags, members) in enumerate(relations or [], start=1000):
            text = "".join(f"<member type='{type_}' ref='{ref}' role='{role}'/>" for role, type_, ref in members)
            lines.append(f"<relation id='{number}' version='1'>{text}{_tags(tags)}</relation>")
        path = tmp_path / name
        path.write_text("\n".join([*lines, "</osm>"]), encoding="utf-8")
        return path

    return write
