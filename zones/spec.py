"""What may be asked for when a city is cut into zones."""

from __future__ import annotations

from dataclasses import dataclass

from zones.errors import ZoneError

KINDS = ("hex", "square", "polygons")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """How to cut: hexagons of Uber's H3 grid, squares, or polygons given by the caller.

    `count` is a target. `resolution` (H3, 0 coarse to 15 fine) or `cell_m` (side of a square) fixes the cell instead.
    """

    kind: str = "hex"
    count: int | None = 18
    resolution: int | None = None
    cell_m: float | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.kind not in KINDS:
            faults.append(f"kind={self.kind!r}; allowed: {', '.join(KINDS)}")
        if self.count is not None and not 1 <= self.count <= 5000:
            faults.append(f"count={self.count}; allowed: 1 to 5000")
        if self.resolution is not None and not 0 <= self.resolution <= 15:
            faults.append(f"resolution={self.resolution}; H3 has 0 (coarse) to 15 (fine); central Helsinki suits 9")
        if self.resolution is not None and self.kind != "hex":
            faults.append(f"resolution is for hexagons, not for kind={self.kind!r}; give cell_m for squares")
        if self.cell_m is not None and not 20.0 <= self.cell_m <= 50_000.0:
            faults.append(f"cell_m={self.cell_m:g} m; allowed: 20 to 50000 m")
        if self.cell_m is not None and self.kind != "square":
            faults.append(f"cell_m is for squares, not for kind={self.kind!r}; give resolution for hexagons")
        if self.count is None and self.kind != "polygons" and self.resolution is None and self.cell_m is None:
            faults.append("neither count nor a cell size is given")
        if faults:
            raise ZoneError("zones cannot be cut: " + "; ".join(faults))
