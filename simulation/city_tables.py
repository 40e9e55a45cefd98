"""A City as tables, arrays and a little JSON, and back: what a run store keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from simulation.air.fleet import Fleet
from simulation.city import City
from simulation.demand.spec import Access, Cells, DemandSpec

TABLES = (
    "nodes", "links", "turns", "signals", "zones", "link_zone", "adjacency", "gateways", "sensors", "street_walls",
    "receptors", "fleet",
)  # fmt: skip
_OWN = TABLES[:-1]  # tables that a City has as they are
_CELLS = ("pair", "vehicle_class", "start_s", "end_s", "veh")
_META = ("name", "label", "timezone", "latitude", "longitude", "crs")


def city_tables(city: City) -> dict[str, pd.DataFrame]:
    """The tables, by name."""
    return {**{name: getattr(city, name) for name in _OWN}, "fleet": city.fleet.to_table()}


def city_arrays(city: City) -> dict[str, np.ndarray]:
    """The demand's arrays, by name."""
    demand = city.demand
    arrays = {"od_veh": demand.od_veh, "profiles": demand.profiles}
    for side in ("origins", "destinations"):
        access: Access = getattr(demand, side)
        arrays |= {f"{side}_{name}": getattr(access, name) for name in ("start", "link", "cumulative")}
    if demand.cells is not None:
        arrays |= {f"cells_{name}": getattr(demand.cells, name) for name in _CELLS}
    return arrays


def city_meta(city: City) -> dict[str, Any]:
    """What is neither table nor array."""
    demand = city.demand
    return {
        **{name: getattr(city, name) for name in _META},
        "demand": {
            "places": list(demand.places), "n_zones": demand.n_zones, "class_share": list(demand.class_share),
            "weekend_factor": demand.weekend_factor, "city_day_sd": demand.city_day_sd,
            "place_day_sd": demand.place_day_sd, "place_hour_sd": demand.place_hour_sd, "exact": demand.exact,
        },
    }  # fmt: skip


def city_from(tables: Mapping[str, pd.DataFrame], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> City:
    """The City that `city_tables`, `city_arrays` and `city_meta` tell of."""
    told = dict(meta["demand"])
    sides: dict[str, Any] = {
        side: Access(**{name: arrays[f"{side}_{name}"] for name in ("start", "link", "cumulative")})
        for side in ("origins", "destinations")
    }
    cells = Cells(**{name: arrays[f"cells_{name}"] for name in _CELLS}) if "cells_pair" in arrays else None
    demand = DemandSpec(
        places=tuple(told.pop("places")), class_share=tuple(told.pop("class_share")), od_veh=arrays["od_veh"],
        profiles=arrays["profiles"], cells=cells, **sides, **told,
    )  # fmt: skip
    held: dict[str, Any] = {name: tables[name] for name in _OWN}
    assert isinstance(held["links"], gpd.GeoDataFrame) and isinstance(held["zones"], gpd.GeoDataFrame)
    return City(**{name: meta[name] for name in _META}, **held, demand=demand, fleet=Fleet.from_table(tables["fleet"]))
