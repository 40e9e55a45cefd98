"""Which streets are canyons: where buildings stand on both sides, how far apart, how high, and where the row ends.

Rays are cast to both sides of each street every 10 m; the first building that a ray meets is the wall there. A street
whose walls face each other along half of its length, at least 0.3 times as high as far apart, is a canyon.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.schemas import STREET_WALLS, validate
from simulation.air.errors import AirError
from simulation.air.street.canyon_ends import distance_to_end
from simulation.air.street.carriageways import shared_canyons

#: Between two rays, m, and how far they look, m (assumed: wider streets than 90 m would need walls of 27 m).
SAMPLE_M, REACH_M = 10.0, 45.0
#: Height of a storey, m (assumed; the same that turns mapped heights into `floors`, so that these come back).
STOREY_M = 3.2
#: Floors of a building where none within `TELL_M` tells them (assumed: a closed street front of a European town).
DEFAULT_FLOORS = 3.0
#: How far a building's floors tell of its neighbours', m, and how many neighbours are asked (assumed).
TELL_M, TELLERS = 300.0, 5
#: Below this height over width the flow past one row of houses does not notice the other (Oke 1988,
#: doi:10.1016/0378-7788(88)90026-6: isolated roughness below about 0.3; Lemonsu's street wind takes 1/3).
CANYON_RATIO = 0.3
#: Share of the length on which walls must face each other (assumed).
CANYON_SHARE = 0.5
#: Links between the same nodes are one line if their middles are as near as this, m, and their lengths differ by
#: less than this share (assumed).
SAME_LINE_M, SAME_LENGTH = 15.0, 0.1
#: Roofs without walls, sheds, kiosks; car parks are land.
_NO_WALL = ("minor", "parking")
#: What `source` says.
MEASURED, ASSUMED, LOW, OPEN, BRIDGE, UNMAPPED = (
    "floors mapped", "floors assumed", "walls too low for their distance", "no facing walls", "bridge",
    "no buildings mapped",
)  # fmt: skip


def street_walls(links: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Canyon geometry of every link.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `link_id`, `from_node_id`, `to_node_id`, line geometry (projected, m) and, if there, `bridge`.
    buildings : GeoDataFrame or None
        Reads geometry in the same projection and, where there, `kind` (rows other than `building` are left out),
        `category`, `height_m`, `floors`. None or no rows: all streets are open.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.STREET_WALLS`, in the links' order:

        - `street` (int): both directions share it, and the carriageways of one canyon; `street_m`: its length. What all
          its links emit, g/s, over `street_m` is the street's g/m/s; vehicles times metres over it, its flow.
        - `canyon` (bool); `height_m`, `width_m` between facing walls, `nan` where there are none; `wall_share` of the
          length with walls to both sides; `end_m` from the street's middle to where the canyon ends (half of the length
          of an open street). The same for all links of a street.
        - `angle_deg`: bearing of the street's axis in the sense of the link, clockwise from north, 0 to 360; links of
          one street differ by 180 or not at all. Of a bent street it is the longer arm's.
        - `left_m`, `right_m`: from the link's line to the walls on either side, as seen along the link (`nan` without);
          `left_share`, `right_share`: of the length with a wall within 45 m there.
        - `source`: of a canyon, `floors mapped` or `floors assumed` for at least half of its walls; of an open street
          the reason: `no facing walls`, `walls too low for their distance`, `bridge`, `no buildings mapped`.

    Raises
    ------
    AirError
        With every fault: missing columns, shapes that are no lines or no areas, repeated links, degrees for metres.
    """
    _check(links, buildings)
    shapes = links.geometry.to_numpy()
    line_of, first = _lines(links, shapes)
    lines, walls = shapes[first], _wall_rows(buildings)
    samples = _cross_sections(lines, walls)
    bridge = links["bridge"].to_numpy(dtype=bool)[first] if "bridge" in links.columns else np.zeros(len(first), bool)
    alone = _canyons(samples, len(lines))
    canyon = _is_canyon(alone, bridge)
    street_of, street_m = shared_canyons(samples, lines, alone["axis_rad"].to_numpy(), canyon, bridge)
    start_node, end_node = (links[name].to_numpy()[first] for name in ("from_node_id", "to_node_id"))
    end = distance_to_end(lines, start_node, end_node, canyon, alone["width_m"].to_numpy())
    n = len(street_m)
    table = _canyons(samples.assign(line=street_of[samples["line"]]), n)
    has = np.bincount(street_of, canyon, n) > 0
    bridged = np.bincount(street_of, bridge, n) > 0
    table = table.assign(
        street=np.arange(n), canyon=has, street_m=street_m, source=_source(table, has, bridged, walls is None),
        end_m=pd.Series(end).groupby(street_of).mean().to_numpy(),
    )  # fmt: skip
    street = street_of[line_of]
    result = table.iloc[street].reset_index(drop=True).astype({"source": "str"})
    sides = _sides(samples, table["axis_rad"].to_numpy()[street_of], len(lines)).iloc[line_of].reset_index(drop=True)
    back = _runs_back(shapes, lines[line_of])
    for name in ("m", "share"):
        one, two = sides[f"left_{name}"], sides[f"right_{name}"]
        result[f"left_{name}"], result[f"right_{name}"] = one.where(~back, two), two.where(~back, one)
    against = back != sides["against"].to_numpy()
    result["angle_deg"] = np.degrees(result["axis_rad"]) + np.where(against, 180.0, 0.0)
    return validate(result.assign(link_id=links["link_id"].to_numpy())[list(STREET_WALLS.names)], STREET_WALLS)


def _is_canyon(table: pd.DataFrame, bridge: np.ndarray) -> np.ndarray:
    enough = (table["wall_share"] >= CANYON_SHARE) & (table["height_m"] >= CANYON_RATIO * table["width_m"])
    return enough.to_numpy() & ~bridge


def _source(table: pd.DataFrame, canyon: np.ndarray, bridge: np.ndarray, unmapped: bool) -> np.ndarray:
    if unmapped:
        return np.full(len(table), UNMAPPED, dtype=object)
    facing = (table["wall_share"] >= CANYON_SHARE).to_numpy()
    assumed = (table["assumed"] >= 0.5).to_numpy()
    reason = np.select([bridge, facing], [BRIDGE, LOW], OPEN)
    return np.where(canyon, np.where(assumed, ASSUMED, MEASURED), reason).astype(object)


def _lines(links: gpd.GeoDataFrame, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Line of each link, the same for both directions, numbered by their first links; and the rows of these."""
    start, end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
    low, high = np.minimum(start, end), np.maximum(start, end)
    length = shapely.length(lines)
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    order = np.lexsort((np.arange(len(lines)), length, high, low))
    apart = np.hypot(*np.diff(middle[order], axis=0).T) > SAME_LINE_M
    other = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    other |= np.diff(length[order]) > SAME_LENGTH * length[order][1:]
    group = np.empty(len(lines), dtype=np.int64)
    group[order] = np.append(0, np.cumsum(apart | other)) if len(lines) else 0
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[inverse].astype(np.int64), np.sort(first)


@dataclass(frozen=True, slots=True)
class _Walls:
    """Buildings that make walls."""

    shapes: np.ndarray  # (B,) polygons
    height_m: np.ndarray  # (B,)
    assumed: np.ndarray  # (B,) bool: no floors mapped within reach


def _wall_rows(buildings: gpd.GeoDataFrame | None) -> _Walls | None:
    if buildings is None:
        return None
    rows = np.ones(len(buildings), dtype=bool)
    if "kind" in buildings.columns:
        rows &= (buildings["kind"] == "building").to_numpy()
    if "category" in buildings.columns:
        rows &= ~buildings["category"].isin(_NO_WALL).to_numpy()
    if not rows.any():
        return None
    chosen = buildings[rows]
    shapes = chosen.geometry.to_numpy()
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes = shapes.copy()
        shapes[broken] = shapely.make_valid(shapes[broken])
    height = (
        chosen["floors"].to_numpy(dtype=float) * STOREY_M
        if "floors" in chosen.columns
        else np.full(len(chosen), np.nan)
    )
    if "height_m" in chosen.columns:
        told = chosen["height_m"].to_numpy(dtype=float)
        height = np.where(np.isfinite(told), told, height)
    height = np.where(height > 0.0, height, np.nan)
    return _Walls(shapes, *_filled(height, shapes))


def _filled(height: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights, those untold as the median of the nearest told ones; and which have none near."""
    from scipy.spatial import cKDTree

    told = np.isfinite(height)
    if told.all():
        return height, np.zeros(len(height), dtype=bool)
    guess = np.full((~told).sum(), np.nan)
    if told.any():
        place = shapely.get_coordinates(shapely.centroid(shapes))
        distance, near = cKDTree(place[told]).query(place[~told], k=list(range(1, min(TELLERS, told.sum()) + 1)))
        asked = np.where(distance <= TELL_M, height[told][np.where(np.isfinite(distance), near, 0)], np.nan)
        known = np.isfinite(asked).any(axis=1)
        guess[known] = np.nanmedian(asked[known], axis=1)
    none = ~np.isfinite(guess)
    filled, assumed = height.copy(), np.zeros(len(height), dtype=bool)
    filled[~told] = np.where(none, DEFAULT_FLOORS * STOREY_M, guess)
    assumed[~told] = none
    return filled, assumed


def _cross_sections(lines: np.ndarray, walls: _Walls | None) -> pd.DataFrame:
    """Distance and height of the walls to both sides, every 10 m: line, place, direction, `left_*`, `right_*`."""
    length = shapely.length(lines)
    count = np.maximum(1, np.rint(length / SAMPLE_M)).astype(np.int64)
    line = np.repeat(np.arange(len(lines)), count)
    along = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at = (along + 0.5) / count[line] * length[line]
    shape = lines[line]
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(shape, np.minimum(at + 1.0, length[line])))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(shape, np.maximum(at - 1.0, 0.0)))
    place = shapely.get_coordinates(shapely.line_interpolate_point(shape, at))
    step = ahead - behind
    step /= np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
    n = len(line)
    sides = np.stack([step[:, 1] * -1.0, step[:, 0]], axis=1)  # to the left
    near, building = _first_walls(np.concatenate([place, place]), np.concatenate([sides, -sides]), walls)
    height, assumed = np.full(2 * n, np.nan), np.zeros(2 * n, dtype=bool)
    if walls is not None:
        met = building >= 0
        height[met], assumed[met] = walls.height_m[building[met]], walls.assumed[building[met]]
    under = (near[:n] == 0.0) & (near[n:] == 0.0)  # below a building: an arcade or a tunnel
    near[np.concatenate([under, under])] = np.nan
    return pd.DataFrame(
        {
            "line": line, "x": place[:, 0], "y": place[:, 1], "east": step[:, 0], "north": step[:, 1],
            "left_m": near[:n], "right_m": near[n:], "left_h": height[:n], "right_h": height[n:],
            "assumed": (assumed[:n].astype(float) + assumed[n:]) / 2,
        }
    )  # fmt: skip


def _first_walls(place: np.ndarray, direction: np.ndarray, walls: _Walls | None) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the first building along each ray, `nan` if there is none, and which it is, -1 if none."""
    near, which = np.full(len(place), np.nan), np.full(len(place), -1, dtype=np.int64)
    if walls is None or not len(place):
        return near, which
    rays = shapely.linestrings(np.stack([place, place + REACH_M * direction], axis=1))
    ray, building = shapely.STRtree(walls.shapes).query(rays, predicate="intersects")
    distance = shapely.distance(shapely.points(place[ray]), shapely.intersection(rays[ray], walls.shapes[building]))
    order = np.lexsort((building, distance, ray))
    met, best = np.unique(ray[order], return_index=True)
    near[met], which[met] = distance[order][best], building[order][best]
    return near, which


def _mean(samples: pd.DataFrame, values: np.ndarray, n: int) -> np.ndarray:
    """Mean of values over the cross sections of each of `n` lines."""
    line = samples["line"].to_numpy()
    return np.bincount(line, values, n) / np.bincount(line, minlength=n)


def _canyons(samples: pd.DataFrame, n: int) -> pd.DataFrame:
    """Axis in [0, pi), share of walls, and median width and mean height of the cross sections with two walls."""
    bearing = np.arctan2(samples["east"].to_numpy(), samples["north"].to_numpy())
    axis = 0.5 * np.arctan2(
        _mean(samples, np.sin(2 * bearing), n), _mean(samples, np.cos(2 * bearing), n)
    ) % np.pi  # fmt: skip
    walled = (samples["left_m"].notna() & samples["right_m"].notna()).to_numpy()
    facing = samples[walled]
    groups = facing.assign(
        width_m=facing["left_m"] + facing["right_m"], height_m=(facing["left_h"] + facing["right_h"]) / 2
    ).groupby("line")
    every = pd.RangeIndex(n)
    return pd.DataFrame(
        {
            "axis_rad": np.where(np.pi - axis < 1e-9, 0.0, axis),  # 180 degrees but for rounding
            "wall_share": _mean(samples, walled.astype(float), n),
            "width_m": groups["width_m"].median().reindex(every),
            "height_m": groups["height_m"].mean().reindex(every),
            "assumed": groups["assumed"].mean().reindex(every),
        }
    )  # fmt: skip


def _sides(samples: pd.DataFrame, axis_rad: np.ndarray, n: int) -> pd.DataFrame:
    """Walls on either side of each line as drawn; and whether it runs against its axis."""
    along = samples["east"] * np.sin(axis_rad)[samples["line"]] + samples["north"] * np.cos(axis_rad)[samples["line"]]
    median = samples.groupby("line")[["left_m", "right_m"]].median().reindex(pd.RangeIndex(n))
    return median.assign(
        left_share=_mean(samples, samples["left_m"].notna().to_numpy(dtype=float), n),
        right_share=_mean(samples, samples["right_m"].notna().to_numpy(dtype=float), n),
        against=_mean(samples, along.to_numpy(), n) < 0.0,
    )


def _runs_back(shapes: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Whether each link is drawn the other way round than its line."""
    early = shapely.line_interpolate_point(shapes, 0.25, normalized=True)
    near, far = (shapely.line_interpolate_point(lines, share, normalized=True) for share in (0.25, 0.75))
    return shapely.distance(early, far) < shapely.distance(early, near)


def _check(links: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame | None) -> None:
    """Raise with all that is wrong with the tables."""
    faults = []
    missing = [name for name in ("link_id", "from_node_id", "to_node_id") if name not in links.columns]
    if missing:
        faults.append(f"links lack column(s) {missing}")
    elif links["link_id"].duplicated().any():
        faults.append(f"links repeat link_id {links.loc[links['link_id'].duplicated(), 'link_id'].iloc[0]}")
    tables: list[tuple[str, gpd.GeoDataFrame, tuple[str, ...]]] = [("links", links, ("LineString",))]
    if buildings is not None and len(buildings):
        shown = buildings
        if "kind" in buildings.columns:
            shown = buildings[buildings["kind"] == "building"]
        tables.append(("buildings", shown, ("Polygon", "MultiPolygon")))
    crs = set()
    for name, table, kinds in tables:
        if not isinstance(table, gpd.GeoDataFrame) or table._geometry_column_name not in table.columns:
            faults.append(f"{name} have no geometry; give a GeoDataFrame with a geometry column, in metres")
            continue
        shapes = table.geometry.to_numpy()
        wrong = ~np.isin(table.geometry.geom_type.to_numpy(dtype=object), kinds) | shapely.is_empty(shapes)
        sizes = shapely.length(shapes)
        wrong |= ~(np.isfinite(sizes) & (sizes > 0.0))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            faults.append(
                f"{name} have {int(wrong.sum())} row(s) whose geometry is missing, empty, without length or no"
                f" {' or '.join(kinds)}, first in row {row}: {str(shapes[row])[:60]}"
            )
        if table.crs is not None:
            crs.add(table.crs)
            if table.crs.is_geographic:
                faults.append(f"{name} are in degrees ({table.crs.name}); project them to metres, e.g. by to_crs")
    if len(crs) > 1:
        faults.append(f"links and buildings are in different projections: {sorted(c.name for c in crs)}")
    if faults:
        raise AirError("street walls cannot be found: " + "; ".join(faults))
