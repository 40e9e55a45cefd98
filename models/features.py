"""Features: what a model may look at when it forecasts, all of it known at the forecast origin.

Readings enter as *deviations from the usual* (see `profile`), divided by their series' scale: the zone's own last
readings and means, those of its neighbours and of its other targets, the same time yesterday and last week, and the
weather up to the origin. What a calendar says about the moment forecast for is known in advance and may be used.
A gap is bridged for up to three hours by the last reading; beyond that a deviation counts as 0, "as usual".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.panel import Panel, target_kind
from models.profile import Profile
from models.scale import to_scale

OWN_LAGS = (0, 1, 2, 3, 5, 7)  # steps
MEAN_HOURS = (1, 3, 24, 168)
MOOD = (0, len(OWN_LAGS) + MEAN_HOURS.index(24))  # places in `Rows.common`: last reading, mean of the last day
N_NEAR = 4  # neighbours that enter one by one; the others enter by their mean
BRIDGE_HOURS = 3
WEATHER_FOR = {
    "air": ("wind_speed_mps", "wind_east", "wind_north", "mixing_height_m", "temperature_c", "radiation_w_per_m2",
            "precipitation_mm_per_h", "pressure_hpa", "dew_point_c"),
    "traffic": ("precipitation_mm_per_h", "temperature_c"),
    "other": ("precipitation_mm_per_h", "temperature_c", "wind_speed_mps"),
}  # fmt: skip
_TREND = ("wind_speed_mps", "mixing_height_m", "pressure_hpa", "dew_point_c")
AHEAD_NAMES = (
    "ahead_day", "ahead_day_mean", "ahead_week", "ahead_sin1", "ahead_cos1", "ahead_sin2", "ahead_cos2",
    "ahead_weekend", "own_x_sin", "own_x_cos", "own_x_weekend",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Rows:
    """Features of n forecast origins, Z zones and S horizons.

    Attributes
    ----------
    common : ndarray, shape (n, Z, F1)
        The same for every horizon.
    ahead : ndarray, shape (n, Z, S, F2)
        About the interval forecast for.
    own : ndarray, shape (n, Z)
        Present deviation of the zone, bridged; the first of `common`.
    """

    common: np.ndarray
    ahead: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """Present deviation of each zone, in its scale."""
        return self.common[:, :, 0]

    @property
    def mood(self) -> np.ndarray:
        """What may last: the present deviation and the mean of the last day's, shape (n, Z, 2)."""
        return self.common[:, :, MOOD]

    def at(self, horizon: int) -> np.ndarray:
        """All features for one horizon, shape (n * Z, F1 + F2)."""
        n, zones, width = self.common.shape
        ahead = self.ahead[:, :, horizon]
        return np.concatenate([self.common, ahead], axis=2).reshape(n * zones, width + ahead.shape[2])

    def pairs(self, horizon: np.ndarray) -> np.ndarray:
        """All features where each (origin, zone) has its own few horizons: shape (n, Z, k, F1 + F2) for (n, Z, k)."""
        n, zones, _ = self.common.shape
        picked = np.take_along_axis(self.ahead, horizon[..., None], axis=2)
        common = np.broadcast_to(self.common[:, :, None], (n, zones, horizon.shape[2], self.common.shape[2]))
        return np.concatenate([common, picked], axis=3)


@dataclass(frozen=True, eq=False)
class Featuriser:
    """Fitted feature maker for a few zones and one target.

    Attributes
    ----------
    target : str
    zone_ids : tuple of str
        Zones forecast for.
    needed : tuple of str
        They and the neighbours whose readings are read; `profile` holds one series for each.
    weights : ndarray, shape (zones, needed)
        Neighbour weights, each row summing to 1 (or 0).
    near : ndarray of int, shape (zones, k)
        Places in `needed` of the nearest neighbours; -1 where there are fewer.
    others : tuple of str, other_profiles : tuple of Profile
        Further targets of the same zones.
    weather : tuple of str, weather_mean, weather_scale : ndarray
    step_s : int
    """

    target: str
    zone_ids: tuple[str, ...]
    needed: tuple[str, ...]
    profile: Profile
    weights: np.ndarray
    near: np.ndarray
    others: tuple[str, ...]
    other_profiles: tuple[Profile, ...]
    weather: tuple[str, ...]
    weather_mean: np.ndarray
    weather_scale: np.ndarray
    step_s: int

    @classmethod
    def fit(
        cls, panel: Panel, *, target: str, zone_ids: Sequence[str], neighbours: bool = True
    ) -> tuple[Featuriser, tuple[np.ndarray, ...]]:
        """Learn profiles, scales and neighbourhoods from the whole of `panel` (cut it first with `until`).

        Returns
        -------
        Featuriser
        tuple of ndarray, shape (T, zones)
            Usual values without the day itself (see `Profile.with_history`): of `needed`, then of each of `others`.
        """
        focus = panel.columns(zone_ids)
        heard = np.isfinite(panel.values[target]).mean(axis=0) > 0.1
        weights = panel.neighbours[focus] * heard if neighbours else np.zeros((len(focus), len(panel.zone_ids)))
        keep = np.unique(np.concatenate([focus, np.flatnonzero(weights.any(axis=0))]))
        others_first = np.concatenate([focus, np.setdiff1d(keep, focus)]).astype(np.int64)
        weights = weights[:, others_first]
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        order = np.argsort(-weights, axis=1, kind="stable")[:, :N_NEAR]
        near = np.where(np.take_along_axis(weights, order, axis=1) > 0, order, -1)
        others = tuple(
            name for name, grid in panel.values.items() if name != target and np.isfinite(grid[:, focus]).mean() > 0.1
        )
        names = tuple(
            n for n in WEATHER_FOR[target_kind(target)] if _weather(panel.weather, n, slice(None)) is not None
        )
        if names:
            columns = np.column_stack([np.asarray(_weather(panel.weather, name, slice(None))) for name in names])
            known = np.isfinite(columns)
            heard_w = np.maximum(known.sum(axis=0), 1)
            mean = np.where(known, columns, 0).sum(axis=0) / heard_w
            scale = np.sqrt((np.where(known, columns - mean, 0) ** 2).sum(axis=0) / heard_w)
        else:
            mean = scale = np.zeros(0)
        profile, usual = Profile.with_history(to_scale(target, panel.values[target][:, others_first]), panel.calendar)
        beside = [Profile.with_history(to_scale(name, panel.values[name][:, focus]), panel.calendar) for name in others]
        featuriser = cls(
            target=target,
            zone_ids=tuple(zone_ids),
            needed=tuple(panel.zone_ids[k] for k in others_first),
            profile=profile,
            weights=weights,
            near=near,
            others=others,
            other_profiles=tuple(part for part, _ in beside),
            weather=names,
            weather_mean=mean,
            weather_scale=np.maximum(scale, 1e-9),
            step_s=panel.step_s,
        )
        return featuriser, (usual, *(history for _, history in beside))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, those of `Rows.common` first."""
        names = [f"own_lag_{lag}" for lag in OWN_LAGS] + [f"own_mean_{hours}h" for hours in MEAN_HOURS]
        names += ["own_change_1h", "own_gap_1h"]
        names += [f"neighbours_lag_{lag}" for lag in (0, 1, 2)] + ["neighbours_mean_1h"]
        names += [f"near{k + 1}_lag_{lag}" for k in range(self.near.shape[1]) for lag in (0, 1)]
        names += [f"{name}_{what}" for name in self.others for what in ("lag_0", "mean_1h")]
        names += [f"weather_{name}" for name in self.weather]
        names += [f"weather_{name}_change_3h" for name in self.weather if name in _TREND]
        return (*names, *AHEAD_NAMES)

    def rows(
        self,
        panel: Panel,
        known: np.ndarray,
        steps: Sequence[int],
        places: np.ndarray | None = None,
        history: tuple[np.ndarray, ...] | None = None,
    ) -> Rows:
        """Features of forecasts made when `known` was the last known position.

        Parameters
        ----------
        panel : Panel
            Read only at positions up to `known`.
        known : ndarray of int, shape (n,)
        steps : sequence of int, length S
            Horizons in steps, at most a day.
        places : ndarray of int or None
            Places in `zone_ids` of the zones wanted; None takes all.
        history : tuple of ndarray or None
            Usual values without the day itself, from `fit`: for the rows that a model learns from.
        """
        places = np.arange(len(self.zone_ids)) if places is None else places
        per_hour = max(1, 3600 // self.step_s)
        day = panel.steps_per_day
        lo = max(0, int(known.min()) - 7 * day - per_hour - 8)
        window = slice(lo, max(lo + 1, int(known.max()) + 1))
        own = _Series.of(self.deviation(panel, window, places, history), per_hour)
        rel = known - lo
        common = [own.lag(rel, lag) for lag in OWN_LAGS]
        common += [own.mean(rel, max(1, hours * 3600 // self.step_s)) for hours in MEAN_HOURS]
        common += [common[0] - own.lag(rel, per_hour), own.gap(rel, per_hour)]
        short = slice(max(0, int(known.min()) - 6 * per_hour - 4), window.stop)
        common += self._around(panel, short, known - short.start, places, per_hour, history)
        for k, (name, profile) in enumerate(zip(self.others, self.other_profiles)):
            columns = panel.columns([self.zone_ids[k] for k in places])
            part = profile.pick(places)
            grid = to_scale(name, panel.values[name][short][:, columns]) if name in panel.values else np.nan
            usual = part.usual(panel.calendar, short) if history is None else history[k + 1][short][:, places]
            series = _Series.of((grid - usual) / part.scale, per_hour)
            common += [series.lag(known - short.start, 0), series.mean(known - short.start, per_hour)]
        stacked = np.stack(common, axis=2)
        if self.weather:
            wind = self._weather_rows(panel, short, known - short.start, per_hour)
            stacked = np.concatenate([stacked, np.broadcast_to(wind[:, None], (*stacked.shape[:2], wind.shape[1]))], 2)
        return Rows(common=stacked, ahead=self._ahead(panel, own, known, lo, np.asarray(steps), common[0]))

    def deviation(
        self, panel: Panel, window: slice, places: np.ndarray, history: tuple[np.ndarray, ...] | None = None
    ) -> np.ndarray:
        """Deviations from the usual of some needed zones, in their scale, shape (t, k)."""
        columns = panel.columns([self.needed[k] for k in places])
        part = self.profile.pick(places)
        usual = part.usual(panel.calendar, window) if history is None else history[0][window][:, places]
        return (to_scale(self.target, panel.values[self.target][window][:, columns]) - usual) / part.scale

    def _around(
        self,
        panel: Panel,
        window: slice,
        rel: np.ndarray,
        places: np.ndarray,
        per_hour: int,
        history: tuple[np.ndarray, ...] | None,
    ) -> list[np.ndarray]:
        """Neighbours: their weighted mean (four features), then the nearest ones (two each); 0 where there are none."""
        everyone = _Series.of(self.deviation(panel, window, np.arange(len(self.needed)), history), per_hour)
        weights = self.weights[places].T
        heard = everyone.bridged_known @ weights
        mean = np.divide(everyone.bridged @ weights, heard, out=np.zeros_like(heard), where=heard > 1e-9)
        mean[heard <= 1e-9] = np.nan
        around = _Series.of(mean, per_hour)
        found = [around.lag(rel, lag) for lag in (0, 1, 2)] + [around.mean(rel, per_hour)]
        for column in self.near[places].T:
            for lag in (0, 1):
                found.append(np.where(column >= 0, everyone.lag(rel, lag)[:, column], 0.0))
        return found

    def _weather_rows(self, panel: Panel, window: slice, rel: np.ndarray, per_hour: int) -> np.ndarray:
        """Weather at the origin and its change over three hours, shape (n, k); the mean where it is missing."""
        columns = []
        for k, name in enumerate(self.weather):
            found = _weather(panel.weather, name, window)
            length = window.stop - window.start
            column = np.full(length, np.nan) if found is None else found
            columns.append((column - self.weather_mean[k]) / self.weather_scale[k])
        series = _Series.of(np.column_stack(columns), per_hour)
        now, before = series.lag(rel, 0), series.lag(rel, 3 * per_hour)
        trend = [k for k, name in enumerate(self.weather) if name in _TREND]
        return np.concatenate([now, (now - before)[:, trend]], axis=1)

    def _ahead(
        self, panel: Panel, own: _Series, known: np.ndarray, lo: int, steps: np.ndarray, now: np.ndarray
    ) -> np.ndarray:
        """Features of the interval forecast for, shape (n, Z, S, F2)."""
        calendar = panel.calendar
        aim = known[:, None] + steps[None, :]
        day = calendar.day_before[aim]
        day = np.where(day > known[:, None], calendar.day_before[np.clip(day, 0, None)], day)
        week = calendar.week_before[aim]
        angle = 2 * np.pi * calendar.step_of_day[aim] / calendar.steps_per_day
        weekend = (calendar.day_type[aim] > 0).astype(float)
        clock = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle), weekend], axis=2)
        n, zones = now.shape
        out = np.empty((n, zones, steps.size, len(AHEAD_NAMES)))
        out[..., 0] = own.at(day - lo).transpose(0, 2, 1)
        out[..., 1] = own.mean_between(day - lo - 2, np.minimum(day + 2, known[:, None]) - lo).transpose(0, 2, 1)
        out[..., 2] = own.at(week - lo).transpose(0, 2, 1)
        out[..., 3:8] = clock[:, None]
        out[..., 8] = now[:, :, None] * clock[:, None, :, 0]
        out[..., 9] = now[:, :, None] * clock[:, None, :, 1]
        out[..., 10] = now[:, :, None] * weekend[:, None]
        return out

    def state(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """What to store: JSON values and arrays."""
        meta: dict[str, object] = {
            "target": self.target, "zone_ids": self.zone_ids, "needed": self.needed, "others": self.others,
            "weather": self.weather, "step_s": self.step_s,
        }  # fmt: skip
        arrays = {**self.profile.state("profile_"), "weights": self.weights, "near": self.near}
        arrays |= {"weather_mean": self.weather_mean, "weather_scale": self.weather_scale}
        for k, profile in enumerate(self.other_profiles):
            arrays |= profile.state(f"other{k}_")
        return meta, arrays

    @classmethod
    def restore(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Featuriser:
        """Inverse of `state`."""
        return cls(
            target=meta["target"],
            zone_ids=tuple(meta["zone_ids"]),
            needed=tuple(meta["needed"]),
            profile=Profile.restore(arrays, "profile_"),
            weights=arrays["weights"],
            near=arrays["near"],
            others=tuple(meta["others"]),
            other_profiles=tuple(Profile.restore(arrays, f"other{k}_") for k in range(len(meta["others"]))),
            weather=tuple(meta["weather"]),
            weather_mean=arrays["weather_mean"],
            weather_scale=arrays["weather_scale"],
            step_s=int(meta["step_s"]),
        )


@dataclass(frozen=True, eq=False)
class _Series:
    """Deviations, shape (t, C), ready to be looked up: bridged over short gaps, and summed for moving means."""

    bridged: np.ndarray
    bridged_known: np.ndarray
    plain: np.ndarray
    total: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, deviation: np.ndarray, per_hour: int) -> _Series:
        known = np.isfinite(deviation)
        plain = np.where(known, deviation, 0.0)
        row = np.arange(deviation.shape[0])[:, None]
        last = np.maximum.accumulate(np.where(known, row, -1), axis=0)
        near = (last >= 0) & (row - last <= BRIDGE_HOURS * per_hour)
        bridged = np.where(near, np.take_along_axis(plain, np.maximum(last, 0), axis=0), 0.0)
        zero = np.zeros((1, deviation.shape[1]))
        total = np.concatenate([zero, np.cumsum(plain, axis=0)])
        count = np.concatenate([zero, np.cumsum(known, axis=0)])
        return cls(bridged, near.astype(float), plain, total, count)

    def lag(self, rel: np.ndarray, lag: int) -> np.ndarray:
        """Bridged deviations `lag` steps before, shape (n, C); 0 before the series began."""
        place = rel - lag
        return np.where((place >= 0)[:, None], self.bridged[np.maximum(place, 0)], 0.0)

    def at(self, place: np.ndarray) -> np.ndarray:
        """Deviations at places of any shape (then C), 0 where unknown."""
        return np.where((place >= 0)[..., None], self.plain[np.maximum(place, 0)], 0.0)

    def mean(self, rel: np.ndarray, width: int) -> np.ndarray:
        """Mean of the known deviations among the last `width`, shape (n, C); 0 where none is known."""
        return self.mean_between(rel - width + 1, rel)

    def mean_between(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Mean of the known deviations from `first` to `last`, both counted; 0 where none is known."""
        a, b = np.maximum(first, 0), np.maximum(last + 1, 0)
        a = np.minimum(a, b)
        heard = self.count[b] - self.count[a]
        return np.divide(self.total[b] - self.total[a], heard, out=np.zeros_like(heard), where=heard > 0)

    def gap(self, rel: np.ndarray, width: int) -> np.ndarray:
        """Share of the last `width` readings that are missing, shape (n, C)."""
        b = np.maximum(rel + 1, 0)
        return 1.0 - (self.count[b] - self.count[np.maximum(b - width, 0)]) / width


def _weather(weather: dict[str, np.ndarray], name: str, window: slice) -> np.ndarray | None:
    """A weather column, or the wind's part towards east or north; None where it cannot be had."""
    if name in ("wind_east", "wind_north"):
        if not {"wind_speed_mps", "wind_dir_deg"} <= weather.keys():
            return None
        angle = np.radians(weather["wind_dir_deg"][window])
        part = np.sin(angle) if name == "wind_east" else np.cos(angle)
        return -weather["wind_speed_mps"][window] * part
    if name not in weather:
        return None
    column = weather[name][window]
    if name in ("wind_speed_mps", "mixing_height_m", "precipitation_mm_per_h"):
        return np.log1p(np.maximum(column, 0.0))
    return column
