"""What the models in use foresee from a workspace's present instant, as a table."""

from __future__ import annotations

import pandas as pd

from data.errors import InputError, StoreError
from data.schemas import TARGETS
from data.store.workspace import Workspace


def present_forecasts(
    workspace: Workspace,
    *,
    run: str | None = None,
    zone: str | None = None,
    target: str | None = None,
    horizon_s: float,
    adaptive: bool = False,
) -> pd.DataFrame:
    """Quantiles of the model in use at one horizon, in the stored units.

    Parameters
    ----------
    adaptive : bool
        Forecasts that have followed the errors up to now, instead of those that are stored: their bias is taken off,
        and intervals are as wide as errors have lately been.

    Returns
    -------
    DataFrame
        `zone_id, zone, target, model, time` (start of the interval, local), `q05, q50, q95`.

    Raises
    ------
    InputError
        If the workspace has no forecasts yet, or zone, target or horizon is not among them.
    """
    told = workspace.describe()
    runs = told.get("runs", {})
    if "live" not in runs:
        raise InputError(f"workspace '{workspace.name}' has no forecasts yet; 'zonewise demo' makes them")
    live = run or runs["live"]
    choices = workspace.runs.read(runs["training"], "choices")
    if zone is not None:
        choices = _only(choices, "zone_id", zone)
    choices = choices[choices["is_task"]] if target is None else _only(choices, "target", target)
    table = workspace.runs.read(live, "forecasts", filters=[("forecast_origin", "==", pd.Timestamp(told["now"]))])
    at = table[table["horizon_s"] == horizon_s]
    if at.empty:
        raise InputError(f"--horizon {horizon_s:g} s is not forecast; there are {sorted(table['horizon_s'].unique())}")
    keys = ["zone_id", "target", "model", "quantile"]
    wide = at.set_index(keys)["value"].unstack("quantile")  # noqa: PD010
    names = workspace.runs.read(runs["city"], "zones").set_index("zone_id")["name"]
    followed = _Followed(workspace, str(runs["training"]), live, horizon_s) if adaptive else None
    start = pd.Timestamp(told["now"]) + pd.Timedelta(seconds=horizon_s - told["step_s"])
    rows = []
    for choice in choices.itertuples():
        of_zone = wide.loc[(choice.zone_id, choice.target)]
        told_now = followed.quantiles(choice.model_in_use, choice.zone_id, choice.target) if followed else None
        if told_now is not None:
            value = told_now
        elif choice.model_in_use in of_zone.index:
            value = of_zone.loc[choice.model_in_use]
        else:  # a mix of a run that stored its parts alone
            share = float(getattr(choice, "weight_micro", 0.5))
            value = share * of_zone.loc["micromodel"] + (1.0 - share) * of_zone.loc["macromodel"]
        rows.append(
            {
                "zone_id": choice.zone_id, "zone": names[choice.zone_id], "target": choice.target,
                "model": choice.model_in_use, "time": start.tz_convert(told["timezone"]).isoformat(),
                "q05": value[0.05], "q50": value[0.5], "q95": value[0.95],
            }
        )  # fmt: skip
    order = {name: k for k, name in enumerate(TARGETS)}
    return pd.DataFrame(rows).sort_values(
        ["zone_id", "target"], key=lambda c: c.map(order) if c.name == "target" else c, ignore_index=True
    )


class _Followed:
    """Adaptive intervals of stored models, brought up to `now` with the readings of a live run."""

    def __init__(self, workspace: Workspace, training: str, live: str, horizon_s: float) -> None:
        from app.monitoring import watched_panel
        from app.pipeline import LIVE_MODELS
        from app.renewed import serving_models

        self._runs, self._training, self._horizon_s = workspace.runs, training, horizon_s
        self._panel = watched_panel(workspace, live)
        self._now = pd.Timestamp(workspace.describe()["now"])
        self._models = serving_models(workspace, training, LIVE_MODELS)
        self._kept: dict[tuple[str, ...], pd.DataFrame] = {}
        if not (workspace.runs.root / training / "following").is_dir():
            raise InputError(
                f"the models of workspace '{workspace.name}' were stored without adaptive intervals;"
                f" 'zonewise train {workspace.name}' makes them"
            )

    def quantiles(self, name: str, zone: str, target: str) -> pd.Series | None:
        """Value by quantile; None where the model in use keeps none."""
        key = (name, zone, target) if name == "micromodel" else (name, target)
        if key not in self._models:
            return None
        if key not in self._kept:
            table = self._advanced(key)
            if table is None:
                return None
            self._kept[key] = table
        return self._kept[key].loc[zone]

    def _advanced(self, key: tuple[str, ...]) -> pd.DataFrame | None:
        from models.following import Follower

        try:
            follower = Follower.load(self._runs.read_bytes(self._training, f"following/{'/'.join(key)}.npz"))
        except StoreError:
            return None
        model, panel = self._models[key], self._panel
        last = int(panel.known(self._now)[0])
        first = min(max(panel.known_by(pd.Timestamp(model.train_end)) - 1, 0), last)
        fan = follower.advance(model, panel, pd.DatetimeIndex([panel.origin(k) for k in range(first, last + 1)]))[-1]
        step = model.anchors.index(round(self._horizon_s / panel.step_s))
        return pd.DataFrame(fan[:, step], index=list(model.zone_ids), columns=list(follower.live.calibration.quantiles))


def _only(choices: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    found = choices[choices[column] == value]
    if found.empty:
        raise InputError(f"no {column} '{value}' in the workspace; there are {sorted(choices[column].unique())}")
    return found
