"""Which layers the map of a workspace has, and the ends of their scales.

A simulated city has all of them, on scales that never follow the data. In a measured one only what was measured can be
shown, and its streets and air may be of another size: a scale is then doubled until nine readings in ten lie within it.
"""

from __future__ import annotations

import numpy as np

from app.map_views import LAYERS
from app.queries import Queries

_SHARE = 0.9
_MOST_DOUBLINGS = 5


def is_measured(queries: Queries) -> bool:
    """Whether the workspace holds observations and nothing simulated."""
    return not queries.has_table(queries.info().runs["live"], "zone_truth")


def layers_of(queries: Queries) -> dict[str, tuple[str, float, float]]:
    """Layers of the map: stored column, lowest and highest class bound in shown units."""
    if not is_measured(queries):
        return dict(LAYERS)
    run = queries.info().runs["live"]
    return queries.keep(("layers", run), lambda: _measured(queries, run))


def _measured(queries: Queries, run: str) -> dict[str, tuple[str, float, float]]:
    from data.units import DISPLAY

    held = queries.sql("DESCRIBE SELECT * FROM {t}", t=(run, "zone_state"))["column_name"].tolist()
    found = {}
    for name, (column, low, high) in LAYERS.items():
        if column not in held or name == "delay":
            continue
        value = queries.sql(f"SELECT quantile_cont({column}, ?) AS q FROM {{t}}", _SHARE, t=(run, "zone_state"))["q"][0]
        if value is None or not np.isfinite(value):
            continue
        doublings = np.ceil(np.log2(max(float(value) * DISPLAY[column][1] / high, 1.0)))
        found[name] = (column, low, high * 2.0 ** min(_MOST_DOUBLINGS, float(doublings)))
    return found or {"no2": LAYERS["no2"]}


def first_layer(queries: Queries) -> str:
    """The layer that a page opens with."""
    return next(iter(layers_of(queries)))


def attribution_of(queries: Queries) -> str:
    """Key of the words that say whose map is drawn; nobody's where there are no streets."""
    if queries.links().empty:
        return "attribution.none"
    made = str(queries.workspace.describe().get("city", "")).startswith(("synthetic", "toy"))
    return "attribution.made" if made else "attribution"
