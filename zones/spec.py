"""What may be asked for when a city is cut into zones."""

from __future__ import annotations

from dataclasses import dataclass

from data import plugins
from zones.errors import ZoneError

KINDS = ("hex", "square", "polygons", "administrative", "voronoi", "functional")
#: What each of these kinds is made from, besides the streets.
NEEDS = {
    "polygons": ("polygons", "read them with data.readers.polygons.read_polygons"),
    "administrative": ("polygons", "with a column 'name'; read them with data.readers.polygons.read_polygons"),
    "voronoi": ("sensors", "a GeoDataFrame of points"),
    "functional": ("dynamics", "a table of link dynamics, such as the link_profile of a run"),
}
_COUNTED = ("hex", "square", "functional")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """How to cut: hexagons of Uber's H3 grid, squares, polygons given by the caller (as they are, or one zone a name),
    cells around sensors, or groups of streets with similar traffic.

    `count` is a target. `resolution` (H3, 0 coarse to 15 fine) or `cell_m` (side of a square) fixes the cell instead.
    `compactness` is for functional zones: how compact they must be at least, as a share of hexagons of equal number.
    """

    kind: str = "hex"
    count: int | None = 18
    resolution: int | None = None
    cell_m: float | None = None
    compactness: float = 0.85

    def __post_init__(self) -> None:
        faults = self.faults()
        if faults:
            raise ZoneError("zones cannot be cut: " + "; ".join(faults))

    def faults(self) -> list[str]:
        """What contradicts itself or is out of range."""
        faults = []
        if self.kind not in KINDS:
            more = plugins.names(plugins.PARTITIONS, ours=KINDS)  # those go by another way, see `zones.own`
            faults.append(f"kind={self.kind!r}; allowed: {', '.join((*KINDS, *more))}")
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
        if self.kind in _COUNTED and self.count is None and self.resolution is None and self.cell_m is None:
            faults.append("neither count nor a cell size is given")
        if not 0.0 <= self.compactness <= 1.0:
            faults.append(f"compactness={self.compactness:g}; allowed: 0 (any shape) to 1 (as compact as hexagons)")
        return faults
