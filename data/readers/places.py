"""From tagged areas and points to the `places` table (what a place is used for) and the base map's shapes.

A place is a `building`, a `poi` (something people go to) or a piece of `landuse`. Its `category` is one plain word,
from the tables below; tags that no table names are passed over (points) or count as `other` (buildings: `mixed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.readers.coast import land_and_sea
from data.readers.osm import Feature, OsmExtract

PLACE_COLUMNS = ("kind", "category", "area_m2", "floors", "geometry")
BASEMAP_KINDS = ("land", "water", "park", "building", "rail", "walk")
#: Categories of `landuse` that count as green.
GREEN = ("park", "forest", "grass", "cemetery", "garden")

_BUILDING: dict[str, tuple[str, ...]] = {
    "residential": ("residential", "apartments", "house", "detached", "semidetached_house", "terrace", "dormitory",
                    "bungalow", "block", "farm", "cabin", "houseboat", "villa"),
    "office": ("office", "commercial", "government", "public", "civic", "townhall", "bank"),
    "retail": ("retail", "supermarket", "kiosk", "shop", "mall", "department_store", "restaurant", "pavilion"),
    "industrial": ("industrial", "warehouse", "manufacture", "factory", "hangar", "works"),
    "school": ("school", "university", "college", "kindergarten", "library"),
    "health": ("hospital", "clinic"),
    "hotel": ("hotel", "hostel"),
    "culture": ("church", "cathedral", "chapel", "mosque", "synagogue", "temple", "museum", "theatre", "stadium",
                "castle", "tower", "sports_hall", "grandstand", "monastery"),
    "transport": ("train_station", "transportation", "parking", "garage", "garages", "carport"),
    "minor": ("roof", "shed", "utility", "service", "entrance", "underpass_entrance", "hut", "greenhouse",
              "glasshouse", "ruins", "construction", "ship", "atrium", "bridge", "container", "toilets"),
}  # fmt: skip
_AMENITY: dict[str, tuple[str, ...]] = {
    "food": ("restaurant", "cafe", "bar", "pub", "fast_food", "food_court", "ice_cream", "biergarten", "nightclub"),
    "school": ("school", "university", "college", "kindergarten", "library", "language_school", "music_school"),
    "health": ("hospital", "clinic", "doctors", "dentist", "pharmacy", "veterinary", "social_facility"),
    "culture": ("place_of_worship", "theatre", "cinema", "arts_centre", "museum", "community_centre", "casino",
                "conference_centre", "events_venue", "exhibition_centre"),
    "office": ("bank", "townhall", "courthouse", "police", "post_office", "embassy", "fire_station",
               "public_building", "coworking_space", "studio"),
    "retail": ("marketplace", "fuel", "car_rental", "car_wash", "vending_hall"),
    "parking": ("parking",),
}  # fmt: skip
_TOURISM: dict[str, tuple[str, ...]] = {
    "hotel": ("hotel", "hostel", "guest_house", "apartment", "motel"),
    "culture": ("museum", "gallery", "attraction", "zoo", "theme_park", "aquarium"),
}
_LAND: dict[str, tuple[str, ...]] = {
    "park": ("park", "recreation_ground", "village_green", "pitch", "playground", "golf_course", "nature_reserve",
             "dog_park", "common"),
    "garden": ("garden", "allotments", "orchard", "vineyard", "flowerbed"),
    "forest": ("forest", "wood", "scrub", "heath"),
    "grass": ("grass", "meadow", "grassland", "farmland", "greenfield", "wetland", "fell", "plant_nursery"),
    "cemetery": ("cemetery",),
    "water": ("water", "basin", "reservoir", "bay", "riverbank", "salt_pond"),
    "residential": ("residential",), "retail": ("retail",), "commercial": ("commercial",),
    "industrial": ("industrial", "port", "quarry", "depot"), "railway": ("railway",),
    "school": ("education", "institutional"), "construction": ("construction", "brownfield"),
}  # fmt: skip


def _flat(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {value: category for category, values in table.items() for value in values}


_BUILDING_OF, _AMENITY_OF, _TOURISM_OF, _LAND_OF = map(_flat, (_BUILDING, _AMENITY, _TOURISM, _LAND))


def poi_category(tags: Mapping[str, str]) -> str | None:
    """What people come here for; `None` where nobody does (benches, lamps, vacant shops)."""
    if tags.get("shop", "vacant") not in ("vacant", "no"):
        return "retail"
    found = _AMENITY_OF.get(tags.get("amenity", "")) or _TOURISM_OF.get(tags.get("tourism", ""))
    if found:
        return found
    if "healthcare" in tags:
        return "health"
    if "office" in tags or "craft" in tags:
        return "office"
    if tags.get("leisure") in ("fitness_centre", "sports_centre", "sauna", "swimming_pool", "stadium", "ice_rink"):
        return "culture"
    return None


def building_category(tags: Mapping[str, str]) -> str:
    """Use of a building: its own value, else that of what it is said to hold, else `mixed`."""
    return _BUILDING_OF.get(tags["building"]) or poi_category(tags) or "mixed"


def land_category(tags: Mapping[str, str]) -> str | None:
    """Use or cover of a piece of land."""
    for key in ("leisure", "landuse", "natural", "waterway"):
        found = _LAND_OF.get(tags.get(key, ""))
        if found:
            return found
    return None


def floors_of(tags: Mapping[str, str]) -> float:
    """`building:levels`, or height over 3.2 m (assumed storey height); `nan` where neither is told."""
    for key, storey in (("building:levels", 1.0), ("height", 3.2)):
        text = tags.get(key, "").replace("m", "").strip()
        try:
            floors = float(text) / storey
        except ValueError:
            continue
        if 0.0 < floors <= 170.0:
            return max(1.0, floors)
    return float("nan")


def _is_building(tags: Mapping[str, str]) -> bool:
    return tags.get("building", "no") != "no"


def read_places(extract: OsmExtract, crs: Any) -> gpd.GeoDataFrame:
    """Places of an extract, projected.

    Parameters
    ----------
    extract : OsmExtract
    crs : projected coordinate system, metres

    Returns
    -------
    GeoDataFrame
        `kind` (building, poi, landuse), `category`, `area_m2` (0 for points), `floors` (`nan` where untold), geometry.
        An area that is both a building and a destination (a hotel) appears once, as a building of that category.
    """
    rows: list[tuple[str, str, float, str]] = []
    for area in extract.areas:
        tags = area.tags
        if _is_building(tags):
            rows.append(("building", building_category(tags), floors_of(tags), area.wkt))
        elif (land := land_category(tags)) is not None:
            rows.append(("landuse", land, np.nan, area.wkt))
        elif (poi := poi_category(tags)) is not None:
            rows.append(("poi", poi, np.nan, area.wkt))
    for point in extract.points:
        if (poi := poi_category(point.tags)) is not None:
            rows.append(("poi", poi, np.nan, point.wkt))
    table = pd.DataFrame(rows, columns=["kind", "category", "floors", "wkt"])
    geometry = _shapes(table["wkt"].tolist()).to_crs(crs)
    table = table.assign(area_m2=geometry.area.to_numpy())[["kind", "category", "area_m2", "floors"]]
    return gpd.GeoDataFrame(table.astype({"kind": "str", "category": "str"}), geometry=geometry.array, crs=crs)


def _shapes(texts: Sequence[str]) -> gpd.GeoSeries:
    shapes = shapely.from_wkt(np.asarray(texts, dtype=object)) if len(texts) else np.array([], dtype=object)
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(shapes[broken])
    return gpd.GeoSeries(shapes, crs="EPSG:4326")


def _made_ground(places: gpd.GeoDataFrame, links: gpd.GeoDataFrame) -> shapely.Geometry:
    """Ground under buildings and streets, EPSG:4326: land, even where the extract lacks the coastline around it."""
    built = places[(places["kind"] == "building") & (places["area_m2"] >= 100.0)].geometry.to_numpy()
    streets = links.loc[~links["bridge"].to_numpy(dtype=bool)].geometry.to_numpy()
    solid = shapely.union_all(shapely.buffer([*built, *streets], 60.0, quad_segs=4))
    return gpd.GeoSeries([shapely.simplify(shapely.buffer(solid, -40.0), 2.0)], crs=links.crs).to_crs(4326).iloc[0]


def _drawn(feature: Feature) -> str | None:
    """Base-map kind of a line."""
    tags = feature.tags
    if tags.get("railway") in ("rail", "tram", "light_rail", "subway", "narrow_gauge"):
        return None if tags.get("tunnel") == "yes" else "rail"
    if tags.get("waterway") in ("river", "canal", "stream"):
        return "water"
    return "walk" if "highway" in tags and "railway" not in tags else None


def read_basemap(
    extract: OsmExtract, places: gpd.GeoDataFrame, links: gpd.GeoDataFrame, frame: shapely.Polygon
) -> gpd.GeoDataFrame:
    """Shapes to draw under the data: kind and geometry in EPSG:4326, clipped to `frame` (longitude, latitude).

    The frame is cut to the extract's own box. Shapes are simplified by about half a metre; specks under 20 m2 are left
    out.
    """
    if extract.box is not None and frame.intersection(shapely.box(*extract.box)).area > 0.5 * frame.area:
        frame = frame.intersection(shapely.box(*extract.box))
    lines = [(kind, line.wkt) for line in extract.lines if (kind := _drawn(line)) is not None]
    kinds = [kind for kind, _ in lines]
    shapes = list(_shapes([wkt for _, wkt in lines]))
    land = places[(places["kind"] == "landuse") & (places["area_m2"] >= 20.0)]
    for kind, chosen in (
        ("park", land[land["category"].isin(GREEN)]),
        ("water", land[land["category"] == "water"]),
        ("building", places[(places["kind"] == "building") & (places["area_m2"] >= 20.0)]),
    ):
        shapes.extend(chosen.geometry.simplify(0.5).to_crs(4326))
        kinds.extend([kind] * len(chosen))
    coast = [line.wkt for line in extract.lines if line.tags.get("natural") == "coastline"]
    ground, sea = land_and_sea(list(_shapes(coast)), frame)
    if sea is not None:
        made = _made_ground(places, links).intersection(sea)
        ground, sea = ground.union(made), sea.difference(made)
    shapes.extend([ground] if sea is None else [ground, sea])
    kinds.extend(["land"] if sea is None else ["land", "water"])
    table = gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs="EPSG:4326")
    table = table.set_geometry(shapely.intersection(table.geometry.to_numpy(), frame), crs="EPSG:4326")
    table = table[~table.geometry.is_empty]
    order = table["kind"].map({kind: k for k, kind in enumerate(BASEMAP_KINDS)})
    return table.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
