"""mlforecast and statsforecast in our job; both come with the extra `bench`.

mlforecast takes covariates as known at the time forecast for, so that neighbours' last readings cannot enter its direct
models without a look ahead: it has the own series, its calendar and place, and `boosted` has the neighbours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks.models.inputs import Inputs, bridge
from app.benchmarks.models.split import BenchmarkPanel

Array = np.ndarray

#: Days of history that a statistical model is fitted and run on (assumed; a few seasons are enough for its states).
HISTORY_DAYS = 28
#: Runs of a statistical model in a part, zones times origins; origins are thinned to reach it.
MOST_RUNS = 1500
#: The same, and zones, where a day has more than 24 steps: MSTL takes a quarter of a second a run there (assumed: zones
#: left out are alike).
MOST_LONG_RUNS, MOST_LONG_ZONES = 150, 15


@dataclass(frozen=True, eq=False)
class MLForecastInputs(Inputs):
    """Features as mlforecast makes them: lags, rolling means and deviations, date parts, static columns."""

    @cached_property
    def common(self) -> Array:
        """Shape (T, Z, F): the row of position t holds what mlforecast knows when it forecasts from t on."""
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import ExpandingMean, RollingMean, RollingStd

        panel = self.bench.panel
        day, hour = panel.steps_per_day, max(1, 3600 // panel.step_s)
        zone = panel.timezone
        # a row more, so that the last origin has features
        filled = np.vstack([bridge(self.own, len(self.own)), np.zeros((1, len(panel.zone_ids)))])
        filled = np.where(np.isfinite(filled), filled, 0.0)
        t = len(filled)
        stamps = panel.times[0].tz_localize(None) + pd.to_timedelta(np.arange(t) * panel.step_s, unit="s")

        def local(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
            return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone)

        def time_of_day(times: pd.DatetimeIndex) -> Array:
            at = local(times)
            return (at.hour + at.minute / 60.0).to_numpy()

        def weekday(times: pd.DatetimeIndex) -> Array:
            return local(times).dayofweek.to_numpy()

        def day_of_year(times: pd.DatetimeIndex) -> Array:
            return local(times).dayofyear.to_numpy()

        table = pd.DataFrame(
            {
                "unique_id": np.repeat(np.arange(len(panel.zone_ids)), t), "ds": np.tile(stamps, len(panel.zone_ids)),
                "y": filled.T.ravel(), "mean": np.repeat(self.mean, t), "scale": np.repeat(self.scale, t),
            }
        )  # fmt: skip
        lags = sorted({*range(1, 13), *(day - step + 1 for step in self.bench.steps if step <= day), day,
                       *(7 * day - step + 1 for step in self.bench.steps if step <= 7 * day)})  # fmt: skip
        if self.bench.test_from < 8 * day:
            lags = [lag for lag in lags if lag <= 2 * day]
        dates: list[Callable[..., Any]] = [time_of_day, weekday]
        maker = MLForecast(
            models={}, freq=pd.tseries.frequencies.to_offset(pd.Timedelta(seconds=panel.step_s)), lags=lags,
            lag_transforms={
                1: [RollingMean(3 * hour), RollingMean(day), RollingStd(day), RollingStd(3 * hour), ExpandingMean()],
                day: [RollingMean(hour, min_samples=1)],
            },
            date_features=[*dates, day_of_year] if t > 400 * day else dates,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = pd.DataFrame(maker.preprocess(table, static_features=["mean", "scale"], dropna=False))
        names = [name for name in made.columns if name not in ("unique_id", "ds", "y")]
        grid = made[names].to_numpy(dtype=np.float32).reshape(len(panel.zone_ids), t, len(names))
        return np.ascontiguousarray(grid.swapaxes(0, 1)[1:])

    def rows(self, known: Array, step: int) -> Array:
        """Shape (n, Z, F)."""
        return self.common[known]


def statistical(bench: BenchmarkPanel) -> dict[str, tuple[Array, float]]:
    """Forecasts of statsforecast's models, fitted on the end of the training part and carried on without a refit.

    Returns
    -------
    dict of str to (ndarray, float)
        Shape (n, Z, S), `nan` at origins and zones that were left out, and CPU seconds.

    Notes
    -----
    A season beyond 24 steps is taken out by MSTL alone; ETS and theta models then see none. Gaps are bridged by the
    last reading. At most `MOST_RUNS` runs a part: every k-th origin, k prime to the steps of a day; of seasons beyond
    24 steps `MOST_LONG_RUNS`, of `MOST_LONG_ZONES` zones, evenly picked.
    AutoETS starts from the seasonal states it was fitted with, so that its history must begin at the same time of day
    at every origin: it always begins where the fit did. The others find their season anew in the last weeks.
    """
    import time

    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta

    panel = bench.panel
    day = panel.steps_per_day
    season = day if day <= 24 else 1
    models = {
        # its information criterion tends to drop the season of a wandering series, at a great cost six hours ahead
        "AutoETS": AutoETS(season_length=season, model="ZZA" if season > 1 else "ZZN", alias="m"),
        "DynamicOptimizedTheta": DynamicOptimizedTheta(season_length=season, alias="m"),
        "MSTL": MSTL(season_length=[day], trend_forecaster=AutoETS(model="ZZN"), alias="m"),
    }
    horizon = max(bench.steps)
    most_zones, runs = (len(bench.zone_ids), MOST_RUNS) if day <= 24 else (MOST_LONG_ZONES, MOST_LONG_RUNS)
    some = np.unique(np.linspace(0, len(bench.zone_ids) - 1, most_zones).astype(np.int64))
    every, cut = _origins(bench, horizon, max(1, MOST_RUNS // runs) * len(some))
    start = max(0, cut[0] + 1 - HISTORY_DAYS * day)
    stop = cut[-1] + 1 + horizon
    values = panel.values[bench.target][:, some]
    filled = bridge(values[start:stop], stop)
    filled = np.where(np.isfinite(filled), filled, np.nanmean(values[: bench.test_from], axis=0))
    t, zones = filled.shape
    table = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(zones), t), "ds": np.tile(np.arange(t), zones), "y": filled.T.ravel()}
    )
    found = {}
    place = np.searchsorted(bench.origins, cut)
    for name, model in models.items():
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = StatsForecast(models=[model], freq=1, n_jobs=1).cross_validation(
                df=table, h=horizon, step_size=every, n_windows=len(cut), refit=False,
                input_size=None if name == "AutoETS" else HISTORY_DAYS * day,
            )  # fmt: skip
        step = (told["ds"] - told["cutoff"]).to_numpy()
        keep = np.isin(step, bench.steps)
        at = np.searchsorted(cut, told["cutoff"].to_numpy()[keep] + start)
        out = np.full((len(bench.origins), len(bench.zone_ids), len(bench.steps)), np.nan)
        spot = np.searchsorted(bench.steps, step[keep])
        out[place[at], some[told["unique_id"].to_numpy()[keep]], spot] = told["m"].to_numpy()[keep]
        found[name] = (out, time.process_time() - began)
    return found


def _origins(bench: BenchmarkPanel, horizon: int, zones: int) -> tuple[int, Array]:
    """Every k-th origin whose whole horizon is inside the part, and k."""
    from app.benchmarks.models.inputs import thinned

    whole = bench.origins[bench.origins + horizon < len(bench.panel)]
    kept = thinned(whole, zones, bench.panel.steps_per_day, most_rows=MOST_RUNS)
    return int(kept[1] - kept[0]) if len(kept) > 1 else 1, kept
