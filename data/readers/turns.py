"""Which link may follow which, at what angle, and how long the turn takes beside the wait for a green light."""

from __future__ import annotations

from collections.abc import Collection

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.schemas import TURNS, validate

#: Time a turn costs beside signals and queues, s, where traffic drives on the right. Assumed, of the size that route
#: planners use; the order (right below left below U) follows from how many streams each turn must cross.
RIGHT_S, LEFT_S, U_TURN_S = 2.0, 5.0, 15.0
_STRAIGHT_DEG, _U_DEG = 45.0, 165.0
_HEADING_M = 15.0  # a link's heading at its end is taken over this length


def turns_of(
    links: gpd.GeoDataFrame,
    nodes: pd.DataFrame,
    *,
    drives_on_left: bool = False,
    forbidden: Collection[tuple[int, int]] = (),
) -> pd.DataFrame:
    """Every movement from a link to the next.

    A U-turn (back into the opposite direction of the same street) is a movement only where the network needs it: at a
    dead end, for a link that nothing else leads into, and on the border.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `link_id`, `from_node_id`, `to_node_id`, geometry (projected).
    nodes : DataFrame
        Reads `node_id`, `border`.
    drives_on_left : bool
        Swaps the penalties of left and right turns.
    forbidden : collection of (from_link_id, to_link_id)
        Movements that signs forbid. A street that they leave no other way on is left by a U-turn.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.TURNS`: `angle_deg` positive to the left, `penalty_s`; ordered by both links.
    """
    table = pd.DataFrame(links[["link_id", "from_node_id", "to_node_id"]])
    pairs = table.merge(table, left_on="to_node_id", right_on="from_node_id", suffixes=("_in", "_out"))
    pairs = pairs[pairs["link_id_in"] != pairs["link_id_out"]]
    if forbidden:
        told = pd.MultiIndex.from_tuples(sorted(forbidden))
        pairs = pairs[~pd.MultiIndex.from_frame(pairs[["link_id_in", "link_id_out"]]).isin(told)]
    back = pairs["from_node_id_in"] == pairs["to_node_id_out"]
    arrive, leave = _headings(links)
    position = pd.Series(np.arange(len(links)), index=links["link_id"].to_numpy())
    first = position.loc[pairs["link_id_in"]].to_numpy()
    second = position.loc[pairs["link_id_out"]].to_numpy()
    angle = (np.degrees(leave[second] - arrive[first]) + 180.0) % 360.0 - 180.0
    is_u = back.to_numpy() & (np.abs(angle) > _U_DEG)
    other = pd.Series(~is_u)
    onward = other.groupby(pairs["link_id_in"].to_numpy()).transform("any").to_numpy()
    entered = other.groupby(pairs["link_id_out"].to_numpy()).transform("any").to_numpy()
    border = nodes.set_index("node_id")["border"].loc[pairs["to_node_id_in"]].to_numpy()
    left, right = (RIGHT_S, LEFT_S) if drives_on_left else (LEFT_S, RIGHT_S)
    penalty = np.select(
        [is_u | (np.abs(angle) > _U_DEG), angle > _STRAIGHT_DEG, angle < -_STRAIGHT_DEG], [U_TURN_S, left, right], 0.0
    )
    turns = pd.DataFrame(
        {
            "from_link_id": pairs["link_id_in"].to_numpy(), "to_link_id": pairs["link_id_out"].to_numpy(),
            "angle_deg": angle, "penalty_s": penalty,
        }
    )[~is_u | ~onward | ~entered | border]  # fmt: skip
    return validate(turns.sort_values(["from_link_id", "to_link_id"], ignore_index=True), TURNS)


def _headings(links: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Heading, radians from east, of every link at its end and at its start."""
    lines = links.geometry.to_numpy()
    length = shapely.length(lines)
    reach = np.minimum(_HEADING_M, length)
    start, after = shapely.line_interpolate_point(lines, 0.0), shapely.line_interpolate_point(lines, reach)
    before, end = shapely.line_interpolate_point(lines, length - reach), shapely.line_interpolate_point(lines, length)

    def heading(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.arctan2(shapely.get_y(b) - shapely.get_y(a), shapely.get_x(b) - shapely.get_x(a)))

    return heading(before, end), heading(start, after)
