"""What zones, districts and the city are foreseen to see, so that it adds up, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app.forecasting import present_forecasts
from data.errors import InputError
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.panel import Panel
    from models.reconciling import Hierarchy, Reconciled
    from models.reconciling.projection import Method

SPEED = "speed_mps"
#: What is reconciled where none is named: what adds up first.
PREFERRED = ("flow_veh_per_h", "pedestrians_per_h", "nox_g", "no2_ug_per_m3", "pm25_ug_per_m3", SPEED)


def present_reconciled(
    workspace: Workspace,
    *,
    run: str | None = None,
    target: str | None = None,
    horizon_s: float,
    districts: Path | None = None,
    weigh_by: str = "area_m2",
) -> pd.DataFrame:
    """Reconciled forecasts of the city, the districts and the zones at one horizon, in the stored units.

    The zones' base forecasts are those of the models in use; models of the city and the districts, and what is known of
    all errors, are learned from the readings up to now (a few seconds).

    Parameters
    ----------
    target : str or None
        None takes what adds up, e.g. flow. Speed goes through distance and time, which do.
    districts : Path or None
        CSV with `zone_id, district`; None groups zones that touch.
    weigh_by : str
        Column of the zones table that concentrations are averaged by: `area_m2`, or e.g. `homes` for people.

    Returns
    -------
    DataFrame
        `level` (city, district, zone), `id`, `name`, `district`, `zones` (how many), `target`, `own` (what the node's
        own model foresees), `q05`, `q50`, `q95` (reconciled); no quantiles but the median for speed.

    Raises
    ------
    InputError
        If there are no forecasts yet, or target, horizon or file cannot be used.
    """
    from app.monitoring import watched_panel

    told = workspace.describe()
    runs = told.get("runs", {})
    if "live" not in runs:
        raise InputError(f"workspace '{workspace.name}' has no forecasts yet; 'zonewise demo' makes them")
    panel = watched_panel(workspace, run or runs["live"])
    panel = panel.until(panel.known_by(pd.Timestamp(told["now"])))
    target = target or next((t for t in PREFERRED if panel.sensed(t)), "")

    def base_of(name: str) -> pd.Series:
        table = present_forecasts(workspace, run=run, target=name, horizon_s=horizon_s)
        return table.set_index("zone_id")["q50"]

    if target != SPEED:
        base = base_of(target)
        hierarchy = _hierarchy(panel, target, list(base.index), districts, weigh_by)
        found = _reconciled(panel, target, hierarchy, horizon_s, base.to_numpy(dtype=float))
        own, values = found.base[0, :, 0], found.quantiles[0, :, 0]
        middle = found.point[0, :, 0]
        low, high = values[:, 0], values[:, -1]
    else:
        hierarchy, own, middle = _speed(panel, base_of, horizon_s, districts, weigh_by)
        low = high = np.full(middle.size, np.nan)
    names = workspace.runs.read(runs["city"], "zones").set_index("zone_id")["name"]
    of = [hierarchy.districts[k] for k in hierarchy.district_of]
    count = [len(of), *(of.count(name) for name in hierarchy.districts), *(1 for _ in of)]
    uppers = hierarchy.uppers
    return pd.DataFrame(
        {
            "level": ["city", *["district"] * (uppers - 1), *["zone"] * len(of)],
            "id": hierarchy.nodes,
            "name": ["", *hierarchy.districts, *(str(names.get(zone, "")) for zone in hierarchy.zone_ids)],
            "district": ["", *hierarchy.districts, *of],
            "zones": count, "target": target, "own": own, "q05": low, "q50": middle, "q95": high,
        }
    )  # fmt: skip


def _reconciled(
    panel: Panel, target: str, hierarchy: Hierarchy, horizon_s: float, base: np.ndarray, method: Method = "mint"
) -> Reconciled:
    from models.reconciling import Reconciler

    step = round(horizon_s / panel.step_s)
    now = panel.origin(len(panel) - 1)
    model = Reconciler.fit(panel, target=target, hierarchy=hierarchy, train_end=now, steps=(step,), method=method)
    return model.forecast(panel, origins=pd.DatetimeIndex([now]), zone_base=base[None, :, None])


def _speed(panel, base_of, horizon_s, districts, weigh_by):  # type: ignore[no-untyped-def]
    """Hierarchy, speeds of the nodes' own models and reconciled ones, by distance and time of all vehicles."""
    from models.reconciling import distance_and_time, speed_of

    if not {SPEED, "flow_veh_per_h"} <= panel.values.keys():
        raise InputError("speed is reconciled through distance and time, which needs speed_mps and flow_veh_per_h")
    flow, speed = base_of("flow_veh_per_h"), base_of(SPEED)
    zones = [zone for zone in speed.index if zone in flow.index and speed[zone] > 0]
    if not zones:
        raise InputError("no zone is forecast for both speed_mps and flow_veh_per_h")
    length = _road_length(panel)
    both = distance_and_time(panel, length)
    hierarchy = _hierarchy(both, "distance_veh_m_per_s", zones, districts, weigh_by)
    distance = flow[zones].to_numpy() / 3600.0 * length[panel.columns(zones)]
    time = distance / speed[zones].to_numpy()
    parts = [  # by variances: what zones' covariances say of one moves it without the other, and their ratio with it
        _reconciled(both, name, hierarchy, horizon_s, base, "wls")
        for name, base in (("distance_veh_m_per_s", distance), ("time_veh", time))
    ]
    own, middle = (speed_of(*(getattr(part, name)[0, :, 0] for part in parts)) for name in ("base", "point"))
    return hierarchy, own, middle


def _road_length(panel: Panel) -> np.ndarray:
    """Road in each zone, m; 1 where the zones table does not tell."""
    table = panel.zones
    if table is None or not {"road_major_m", "road_minor_m"} <= set(table.columns):
        return np.ones(len(panel.zone_ids))
    found = (table["road_major_m"] + table["road_minor_m"]).to_numpy(dtype=float, na_value=0.0)
    return np.where(found > 0, found, 1.0)


def _hierarchy(panel: Panel, target: str, zones: list[str], districts: Path | None, weigh_by: str) -> Hierarchy:
    from models.reconciling import Hierarchy, weights_for

    weight, mean = weights_for(target, panel.zones, zones, by=weigh_by)
    given = None if districts is None else read_districts(districts, zones)
    at = panel.columns(zones)
    return Hierarchy.of(zones, districts=given, touching=panel.neighbours[np.ix_(at, at)], weight=weight, mean=mean)


def read_districts(path: Path, zones: list[str]) -> dict[str, str]:
    """Districts of zones from a CSV with `zone_id, district`; zones that are not forecast are passed over.

    Raises
    ------
    InputError
        If the file or a column is not there, or a zone is named twice.
    """
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise InputError(f"--districts {path} cannot be read: {error}") from error
    if not {"zone_id", "district"} <= set(table.columns):
        raise InputError(f"--districts {path} needs the columns zone_id, district; it has {list(table.columns)}")
    twice = table.loc[table["zone_id"].duplicated(), "zone_id"].tolist()
    if twice:
        raise InputError(f"--districts {path} names zone(s) {twice[:5]} twice")
    return {row.zone_id: row.district for row in table.itertuples() if row.zone_id in set(zones)}
