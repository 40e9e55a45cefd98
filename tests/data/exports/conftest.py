"""The toy town as an export meets it: with a ban, a one-way street, a link that ends where it begins, and signals."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString

from data.cities import toy_city
from data.toy import toy_zones


@dataclass
class Town:
    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    turns: pd.DataFrame
    signals: pd.DataFrame
    zones: gpd.GeoDataFrame
    crs: str
    loop: int
    banned: tuple[int, int]


def make():
    source = toy_city()
    nodes, links, turns = source.nodes, source.links, source.turns
    # no left turn from link 20 where there is one
    left = turns[turns["angle_deg"] > 45]
    banned = tuple(int(v) for v in left.iloc[0][["from_link_id", "to_link_id"]])
    turns = turns.drop(index=left.index[0])
    # the opposite of the first link is no street any more: it is one-way
    back = links[(links["from_node_id"] == links["to_node_id"][0]) & (links["to_node_id"] == links["from_node_id"][0])]
    gone = int(back["link_id"].iloc[0])
    keep = links["link_id"] != gone
    number = pd.Series(np.cumsum(keep) - 1, index=links["link_id"])
    turns = turns[(turns["from_link_id"] != gone) & (turns["to_link_id"] != gone)]
    turns = turns.assign(from_link_id=number.loc[turns["from_link_id"]].to_numpy(),
                         to_link_id=number.loc[turns["to_link_id"]].to_numpy())  # fmt: skip
    links = links[keep].reset_index(drop=True)
    links["link_id"] = np.arange(len(links))
    banned = tuple(int(number[v]) for v in banned)
    # a crescent that begins and ends at node 12, 400 m long
    x, y = nodes.set_index("node_id").loc[12, ["x_m", "y_m"]]
    ring = LineString([(x, y), (x + 100, y + 40), (x + 140, y + 100), (x + 40, y + 100), (x, y)])
    loop = len(links)
    row = links.iloc[[0]].assign(link_id=loop, from_node_id=12, to_node_id=12, length_m=400.0, name='Ring "A" & <B>')
    links = gpd.GeoDataFrame(
        pd.concat([links, row.set_geometry([ring], crs=links.crs)], ignore_index=True), crs=links.crs
    )
    into = links.index[links["to_node_id"] == 12][:2].tolist()
    out = links.index[links["from_node_id"] == 12][:2].tolist()
    more = pd.DataFrame(
        [(into[0], loop, 30.0, 0.0), (loop, out[0], -60.0, 0.0), (loop, out[1], 60.0, 0.0)], columns=turns.columns
    )
    turns = pd.concat([turns, more], ignore_index=True)
    turns = turns.sort_values(["from_link_id", "to_link_id"], ignore_index=True)
    ends = links[(links["to_node_id"] == 12) & (links["from_node_id"] != 12)]
    north = ends["from_node_id"].isin([7, 17])
    signals = pd.DataFrame(
        {
            "link_id": ends["link_id"], "node_id": 12, "cycle_s": 80.0,
            "green_start_s": np.where(north, 10.0, 54.0), "green_s": np.where(north, 40.0, 32.0),
        }
    ).reset_index(drop=True)  # fmt: skip
    corner = nodes.loc[0, ["x_m", "y_m"]].to_numpy(float)
    zones = toy_zones().set_crs(source.crs, allow_override=True)
    zones = zones.set_geometry(shapely.transform(zones.geometry.to_numpy(), lambda at: at + corner), crs=source.crs)
    return Town(nodes, links, turns, signals, zones, str(source.crs), loop, banned)


@pytest.fixture(scope="session")
def city():
    return make()


@pytest.fixture(scope="session")
def parts(city):
    """What the network's writers take."""
    return {name: getattr(city, name) for name in ("nodes", "links", "turns", "signals", "crs")}
