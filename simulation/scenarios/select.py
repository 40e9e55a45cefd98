"""Which links a measure is about: by id, OSM way, street name, zone, road class, direction, or drawn on the map.

Within one key the choices add up, between keys they narrow: two streets and one zone are the parts of both streets
that lie in the zone. `any_of` joins selections, `but_not` takes one out. A selection is words; `resolve` turns it into
links of a city, or says what it does not know.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from simulation.scenarios.errors import Fault, ScenarioError, did_you_mean

if TYPE_CHECKING:
    from simulation.city import City

#: A link belongs to a drawn line if at least half of it runs within this distance, m: about a street's width.
LINE_REACH_M = 20.0
#: A link belongs to a zone, or to a drawn area, if at least this share of its length lies inside.
INSIDE_SHARE = 0.5

#: OSM highway classes for cars; a city may have others of its own.
ROAD_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street", "service",
)  # fmt: skip

#: A link runs along a drawn line if their directions differ by no more than this, deg, either way round (assumed).
LINE_ANGLE_DEG = 30.0
#: A link runs towards a direction if it differs by no more than this, deg: half of a quarter turn.
DIRECTION_DEG = 45.0
COMPASS = {
    "north": 0.0, "north-east": 45.0, "east": 90.0, "south-east": 135.0, "south": 180.0, "south-west": 225.0,
    "west": 270.0, "north-west": 315.0,
}  # fmt: skip
#: Letters that are no letter with an accent.
_PLAIN_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})
_SEVERAL_NAMES = re.compile(r"\s*;\s*|\s+/\s+")
ALONG = "along"

Point = tuple[float, float]  # longitude, latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Words for links; empty keys do not narrow. All empty: every link of the city."""

    links: tuple[int, ...] = ()
    ways: tuple[int, ...] = ()  # OSM way ids
    street: tuple[str, ...] = ()  # names; case and accents do not matter
    zones: tuple[str, ...] = ()  # ids or names
    road_class: tuple[str, ...] = ()
    area: tuple[Point, ...] = ()  # corners of a polygon
    line: tuple[Point, ...] = ()  # links along it or, if there are none, across it
    direction: str = ""  # a point of the compass, degrees clockwise from north, or "along" the line as it was drawn
    any_of: tuple[Selection, ...] = ()
    but_not: Selection | None = None

    def __post_init__(self) -> None:
        if self.direction and self.direction != ALONG and bearing_of(self.direction) is None:
            allowed = [*COMPASS, "degrees", ALONG]
            raise ScenarioError([Fault(f"direction {self.direction!r}; allowed: {allowed}", where="direction")])
        if self.direction == ALONG and not self.line:
            raise ScenarioError([Fault("direction 'along' needs a line", where="direction")])

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows."""
        return not any(getattr(self, field.name) for field in fields(self))

    def in_words(self) -> str:
        """Short text for lists: `Pohjoisesplanadi`, `residential streets in Z03`, `3 links`."""
        parts: list[str] = []
        if self.street:
            parts.append(", ".join(self.street))
        if self.road_class:
            parts.append(", ".join(self.road_class) + " streets")
        if self.links:
            parts.append(_count(len(self.links), "link"))
        if self.ways:
            parts.append(_count(len(self.ways), "OSM way"))
        if self.line:
            parts.append("along a drawn line")
        if self.area:
            parts.append("in a drawn area")
        if self.any_of:
            parts.append(" or ".join(one.in_words() for one in self.any_of))
        if self.zones:
            parts.append("in " + ", ".join(self.zones))
        if self.direction:
            parts.append("in its direction" if self.direction == ALONG else f"towards {self.direction}")
        if self.but_not is not None:
            parts.append(("" if parts else "the whole city ") + f"but not {self.but_not.in_words()}")
        return " ".join(parts) or "the whole city"


def resolve(selection: Selection, city: City) -> np.ndarray:
    """Links of the city that a selection means.

    Parameters
    ----------
    selection : Selection
    city : City
        Reads `links`, `link_zone`, `zones` and, for drawn shapes, `nodes`.

    Returns
    -------
    ndarray of int64, shape (n,)
        Link ids, ascending; at least one.

    Raises
    ------
    ScenarioError
        With every name that the city does not have and the closest that it has, or if nothing is left.
    """
    chosen, faults = _chosen(selection, city)
    if faults:
        raise ScenarioError(faults)
    if not chosen.any():
        raise ScenarioError([f"no link of {city.label} is {selection.in_words()}; the keys narrow each other"])
    return np.flatnonzero(chosen).astype(np.int64)


def _chosen(selection: Selection, city: City) -> tuple[np.ndarray, list[Fault]]:
    """Links of a selection, bool, shape (L,), and what is wrong with its words."""
    faults: list[Fault] = []
    chosen = np.ones(len(city.links), dtype=bool)
    for key, find in _FINDERS.items():
        wanted = getattr(selection, key)
        if wanted:
            found, wrong = find(wanted, city)
            faults += [Fault(text, where=key) for text in wrong]
            chosen &= found
    if selection.any_of:
        found = np.zeros(len(city.links), dtype=bool)
        for number, one in enumerate(selection.any_of):
            mask, wrong_there = _chosen(one, city)
            faults += [replace(fault, where=f"any_of[{number}].{fault.where}") for fault in wrong_there]
            found |= mask
        chosen &= found
    if selection.but_not is not None:
        mask, wrong_there = _chosen(selection.but_not, city)
        faults += [replace(fault, where=f"but_not.{fault.where}") for fault in wrong_there]
        chosen &= ~mask
    if selection.direction and not faults:
        chosen &= _towards(selection, city)
    return chosen, faults


def zone_ids_of(names: Iterable[str], zones: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Zone ids of ids or names, and what to say about those that are neither."""
    by_name: dict[str, list[str]] = {}
    for zone_id, name in zip(zones["zone_id"].astype(str), zones["name"].astype(str)):
        by_name.setdefault(_folded(zone_id), []).append(zone_id)
        by_name.setdefault(_folded(name), []).append(zone_id)
    found: list[str] = []
    wrong: list[str] = []
    for name in names:
        match = by_name.get(_folded(name))
        if match:
            found += match[:1]
        else:
            known = [*zones["zone_id"].astype(str), *zones["name"].astype(str)]
            wrong.append(f"unknown zone {name!r}; {did_you_mean(name, known)}")
    return list(dict.fromkeys(found)), wrong


Found = tuple[np.ndarray, list[str]]  # (L,) bool, faults


def _by_link(wanted: Sequence[int], city: City) -> Found:
    n = len(city.links)
    wrong = [f"unknown link {link}; ids run from 0 to {n - 1}" for link in wanted if not 0 <= link < n]
    return np.isin(np.arange(n), list(wanted)), wrong


def _by_way(wanted: Sequence[int], city: City) -> Found:
    n = len(city.links)
    if "osmid" not in city.links.columns:
        return np.zeros(n, dtype=bool), ["the streets of this city carry no OSM way ids; choose by street or link"]
    lists = city.links["osmid"].astype(str).str.split(";")
    owner = np.repeat(np.arange(n), lists.str.len())
    way = pd.to_numeric(pd.Series([w for ways in lists for w in ways]), errors="coerce").to_numpy()
    wrong = [f"OSM way {w} is not among the streets of {city.label}" for w in wanted if not (way == w).any()]
    found = np.zeros(n, dtype=bool)
    found[owner[np.isin(way, list(wanted))]] = True
    return found, wrong


def _by_street(wanted: Sequence[str], city: City) -> Found:
    """A street of two names ("A;B", "A / B") answers to each and to both."""
    names = city.links["name"].fillna("").astype(str)
    code, known = pd.factorize(names)
    folded = [{_folded(part) for part in (name, *_SEVERAL_NAMES.split(name))} for name in known]
    asked = {_folded(name) for name in wanted}
    there: set[str] = set().union(*folded)
    wrong = [
        f"unknown street {name!r}; {did_you_mean(name, _parts(known), folded=_folded)}"
        for name in wanted
        if _folded(name) not in there
    ]
    return np.array([bool(asked & parts) for parts in folded], dtype=bool)[code], wrong


def _parts(names: Iterable[str]) -> list[str]:
    """Names, and the parts of those that are several."""
    return sorted({part for name in names for part in (name, *_SEVERAL_NAMES.split(name)) if part})


def _by_zone(wanted: Sequence[str], city: City) -> Found:
    ids, wrong = zone_ids_of(wanted, city.zones)
    inside = city.link_zone[city.link_zone["zone_id"].astype(str).isin(ids)]
    share = np.bincount(inside["link_id"], inside["share"], minlength=len(city.links))
    return share >= INSIDE_SHARE - 1e-9, wrong


def _by_class(wanted: Sequence[str], city: City) -> Found:
    """A class includes its ramps: `primary` is `primary_link` too. A class that the city lacks is no fault."""
    classes = city.links["road_class"].astype(str)
    plain = classes.str.removesuffix("_link")
    known = list(dict.fromkeys([*ROAD_CLASSES, *classes]))
    wrong = [f"unknown road class {name!r}; {did_you_mean(name, known)}" for name in wanted if name not in known]
    return (classes.isin(list(wanted)) | plain.isin(list(wanted))).to_numpy(), wrong


def _by_area(corners: Sequence[Point], city: City) -> Found:
    polygon = shapely.make_valid(shapely.Polygon(local_points(corners, city)))
    shapes = city.links.geometry.to_numpy()
    inside = shapely.length(shapely.intersection(shapes, polygon)) >= INSIDE_SHARE * shapely.length(shapes)
    return inside, [] if inside.any() else ["the drawn area holds no street of the city"]


def _by_line(points: Sequence[Point], city: City) -> Found:
    line = shapely.LineString(local_points(points, city))
    shapes = city.links.geometry.to_numpy()
    reach = line.buffer(LINE_REACH_M)
    along = shapely.intersects(shapes, reach)
    at = np.flatnonzero(along)
    near = shapely.length(shapely.intersection(shapes[at], reach))
    away = np.abs((bearings(shapes[at]) - _bearing_beside(shapes[at], line) + 90.0) % 180.0 - 90.0)
    along[at] = (near >= INSIDE_SHARE * shapely.length(shapes[at])) & (away <= LINE_ANGLE_DEG)
    found = along if along.any() else shapely.intersects(shapes, line)
    return found, [] if found.any() else ["the drawn line meets no street of the city"]


_FINDERS: dict[str, Callable[[Any, City], Found]] = {
    "links": _by_link,
    "ways": _by_way,
    "street": _by_street,
    "zones": _by_zone,
    "road_class": _by_class,
    "area": _by_area,
    "line": _by_line,
}


def local_points(points: Sequence[Point], city: City) -> np.ndarray:
    """Metres in the city's own frame of points in degrees: a quadratic fitted to its nodes, exact to centimetres."""
    nodes = city.nodes
    lon, lat = nodes["lon"].to_numpy(dtype=float), nodes["lat"].to_numpy(dtype=float)
    centre, scale = np.array([lon.mean(), lat.mean()]), max(float(np.ptp(lon)), float(np.ptp(lat)), 1e-6)

    def terms(where: np.ndarray) -> np.ndarray:
        east, north = ((where - centre) / scale).T
        columns = [np.ones(len(east)), east, north, east * north, east**2, north**2]
        return np.stack(columns[: 6 if len(lon) >= 12 else 3], axis=1)

    metres = nodes[["x_m", "y_m"]].to_numpy(dtype=float)
    fitted, *_ = np.linalg.lstsq(terms(np.stack([lon, lat], axis=1)), metres, rcond=None)
    return np.asarray(terms(np.asarray(points, dtype=float)) @ fitted)


def bearing_of(direction: str) -> float | None:
    """Degrees clockwise from north of a point of the compass or a number; None if it is neither."""
    word = direction.strip().casefold().replace(" ", "-")
    if word in COMPASS:
        return COMPASS[word]
    short = {"".join(part[0] for part in name.split("-")): angle for name, angle in COMPASS.items()}
    if word in short:
        return short[word]
    try:
        number = float(word)
    except ValueError:
        return None
    return number % 360.0 if np.isfinite(number) else None


def bearings(shapes: np.ndarray) -> np.ndarray:
    """Direction from the first to the last point of lines, degrees clockwise from north. Shape (n,)."""
    start, end = shapely.get_point(shapes, 0), shapely.get_point(shapes, -1)
    east, north = shapely.get_x(end) - shapely.get_x(start), shapely.get_y(end) - shapely.get_y(start)
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


def angle_between(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Difference of two bearings, 0 to 180 deg."""
    return np.asarray(np.abs((one - other + 180.0) % 360.0 - 180.0))


def _bearing_beside(shapes: np.ndarray, line: shapely.LineString) -> np.ndarray:
    """Bearing of a drawn line where the middle of each link lies beside it."""
    middle = shapely.line_interpolate_point(shapes, 0.5, normalized=True)
    at = shapely.line_locate_point(line, middle)
    before = shapely.line_interpolate_point(line, np.maximum(at - 1.0, 0.0))
    after = shapely.line_interpolate_point(line, np.minimum(at + 1.0, line.length))
    east, north = shapely.get_x(after) - shapely.get_x(before), shapely.get_y(after) - shapely.get_y(before)
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


def _towards(selection: Selection, city: City) -> np.ndarray:
    """Links that run in the direction of a selection, bool, shape (L,)."""
    shapes = city.links.geometry.to_numpy()
    if selection.direction == ALONG:
        line = shapely.LineString(local_points(selection.line, city))
        return np.asarray(angle_between(bearings(shapes), _bearing_beside(shapes, line)) < 90.0)
    wanted = bearing_of(selection.direction)
    assert wanted is not None  # checked when it was made
    return np.asarray(angle_between(bearings(shapes), wanted) <= DIRECTION_DEG)


@lru_cache(maxsize=65_536)
def _folded(name: str) -> str:
    """Lower case without accents, so that `Saastopankinranta` finds `Säästöpankinranta`."""
    decomposed = unicodedata.normalize("NFKD", " ".join(name.casefold().split()).translate(_PLAIN_LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
