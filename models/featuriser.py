"""Features: what a model may look at when it forecasts, all of it known at the forecast origin.

Readings enter as *deviations from the usual* (see `profile`), divided by their series' scale: the zone's own last
readings and means, those of its neighbours (see `neighbourhood`) and of its other targets, the same time yesterday and
last week, and the weather up to the origin. What a calendar says about the moment forecast for is known in advance
and may be used, the usual value at that moment with it. A gap is bridged for up to three hours by the last reading;
beyond that a deviation counts as 0, "as usual".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models import feature_kernels as kernels
from models.neighbourhood import Neighbourhood, reading_for
from models.panel import Panel, target_kind
from models.profile import Profile
from models.rows import Layout, Rows
from models.scale import to_scale

# All assumed, as what reaches far enough on grids from five minutes to an hour.
LAG_HOURS = 1.0  # own lags without a gap reach so far, within the two bounds below
MIN_LAGS, MAX_LAGS = 6, 12
MEAN_HOURS = (1, 3, 6, 24, 168)
N_SIDE_LAGS = 3  # lags of each neighbour, of the neighbours' mean and of the second hop's
OTHER_HOURS = 3
BRIDGE_HOURS = 3
SPIKE = 10.0  # standard deviations beyond which a reading is taken for a fault, as an input (assumed)
HEARD_SHARE = 0.1  # of the training part that a neighbour must have reported in to be read
WEATHER_FOR = {
    "air": ("wind_speed_mps", "wind_east", "wind_north", "mixing_height_m", "temperature_c", "radiation_w_per_m2",
            "precipitation_mm_per_h", "pressure_hpa", "dew_point_c"),
    "traffic": ("precipitation_mm_per_h", "temperature_c"),
    "other": ("precipitation_mm_per_h", "temperature_c", "wind_speed_mps"),
}  # fmt: skip
_TREND = ("wind_speed_mps", "mixing_height_m", "pressure_hpa", "dew_point_c", "temperature_c")
_NOW = ("sin1", "cos1", "sin2", "cos2", "weekend")  # clock at the origin, for models of all horizons at once
_YEAR = ("year_sin", "year_cos")  # time of the year at the origin, for who is told of it
YEAR_DAYS = 365.2425  # of the Gregorian calendar
REFERENCES = ("usual", "level", "season")
_CLOCK = ("sin1", "cos1", "sin2", "cos2", "sin3", "cos3")
AHEAD_NAMES = (
    "ahead_day", "ahead_day_mean", "ahead_week", "ahead_usual", "ahead_change", *(f"ahead_{name}" for name in _CLOCK),
    "ahead_weekend", "own_x_sin", "own_x_cos", "own_x_weekend",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Featuriser:
    """Fitted feature maker for some zones and one target.

    Attributes
    ----------
    target : str
    zone_ids : tuple of str
        Zones forecast for.
    needed : tuple of str
        They and the neighbours whose readings are read; `profile` holds one series for each.
    around : Neighbourhood
        Neighbours as places in `needed`.
    others : tuple of str, other_profiles : tuple of Profile
        Further targets of the same zones.
    weather : tuple of str, weather_mean, weather_scale : ndarray
    step_s : int
    linked, led : bool
        Whether there are features of the neighbours' means, and of single neighbours: one layout for all zones.
    reference : {"usual", "level", "season"}
        What deviations are from: the usual day, or the mean level of all times. After a few days of history the usual
        day holds those days' accidents, and a model may do better to be told of it as one feature among others. With
        "season" it is the mean level too, and the time of the year is a feature.
    """

    target: str
    zone_ids: tuple[str, ...]
    needed: tuple[str, ...]
    profile: Profile
    around: Neighbourhood
    others: tuple[str, ...]
    other_profiles: tuple[Profile, ...]
    weather: tuple[str, ...]
    weather_mean: np.ndarray
    weather_scale: np.ndarray
    step_s: int
    linked: bool
    led: bool
    reference: str = "usual"

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        neighbours: bool = True,
        reference: str = "usual",
    ) -> tuple[Featuriser, tuple[np.ndarray, ...]]:
        """Learn profiles, scales and neighbourhoods from the whole of `panel` (cut it first with `until`).

        Returns
        -------
        Featuriser
        tuple of ndarray, shape (T, zones)
            Usual values without the day itself (see `Profile.with_history`): of `needed`, then of each of `others`.
        """
        focus = panel.columns(zone_ids)
        weights = panel.neighbours if neighbours else np.zeros_like(panel.neighbours)
        heard = np.isfinite(panel.values[target]).mean(axis=0) > HEARD_SHARE if neighbours else np.zeros(len(weights))
        heard = heard.astype(bool)
        every = reading_for(weights, focus, heard)
        readings = to_scale(target, panel.values[target][:, every])
        profile, usual = Profile.with_history(readings, panel.calendar)
        deviation = np.full((len(panel), len(heard)), np.nan, dtype=np.float32)
        deviation[:, every] = (readings - usual) / profile.scale
        per_hour = max(1, 3600 // panel.step_s)
        around = Neighbourhood.of(weights, focus, deviation, lead=max(1, per_hour // 2), heard=heard)
        needed = around.read(focus)
        where = np.searchsorted(every, needed)
        names = tuple(
            n for n in WEATHER_FOR[target_kind(target)] if _weather(panel.weather, n, slice(None)) is not None
        )
        mean, scale = _moments(panel, names)
        others = tuple(
            name for name, other in panel.values.items() if name != target and np.isfinite(other[:, focus]).mean() > 0.1
        )
        beside = [Profile.with_history(to_scale(name, panel.values[name][:, focus]), panel.calendar) for name in others]
        featuriser = cls(
            target=target,
            zone_ids=tuple(zone_ids),
            needed=tuple(panel.zone_ids[k] for k in needed),
            profile=profile.pick(where),
            around=around.onto(needed, len(panel.zone_ids)),
            others=others,
            other_profiles=tuple(part for part, _ in beside),
            weather=names,
            weather_mean=mean,
            weather_scale=scale,
            step_s=panel.step_s,
            linked=bool((around.hop1 >= 0).any()),
            led=bool((around.single >= 0).any()),
            reference=reference,
        )
        return featuriser, (usual[:, where], *(history for _, history in beside))

    def pick(self, places: np.ndarray) -> Featuriser:
        """What serves some of the zones: they and the neighbours that they read."""
        around = self.around.pick(places)
        needed = around.read(np.asarray(places))
        return replace(
            self,
            zone_ids=tuple(self.zone_ids[k] for k in places),
            needed=tuple(self.needed[k] for k in needed),
            profile=self.profile.pick(needed),
            around=around.onto(needed, len(self.needed)),
            other_profiles=tuple(profile.pick(places) for profile in self.other_profiles),
        )

    @cached_property
    def n_lags(self) -> int:
        """Own lags without a gap."""
        return int(np.clip(round(LAG_HOURS * 3600 / self.step_s), MIN_LAGS, MAX_LAGS))

    def layout(self, steps: Sequence[int]) -> Layout:
        """Names of the features for horizons in steps."""
        return Layout(self._common_names, AHEAD_NAMES, tuple(int(s) for s in steps))

    @property
    def flat(self) -> bool:
        """Whether deviations are from the mean level of all times."""
        return self.reference != "usual"

    @property
    def _told(self) -> tuple[str, ...]:
        """What is told of the moment of the last reading."""
        return (*_NOW, *_YEAR) if self.reference == "season" else _NOW

    @cached_property
    def _common_names(self) -> tuple[str, ...]:
        names = [f"own_lag_{lag}" for lag in range(self.n_lags)] + [f"own_mean_{hours}h" for hours in MEAN_HOURS]
        names += ["own_gap_1h", "own_usual", *(f"now_{name}" for name in self._told)]
        if self.linked:
            names += [f"neighbours_lag_{lag}" for lag in range(N_SIDE_LAGS)] + ["neighbours_mean_1h"]
            names += [f"hop2_lag_{lag}" for lag in range(N_SIDE_LAGS)]
        if self.led:
            count = self.around.single.shape[1]
            names += [f"near{k + 1}_lag_{lag}" for k in range(count) for lag in range(N_SIDE_LAGS)]
        names += [f"{name}_{what}" for name in self.others for what in ("lag_0", "lag_1", f"mean_{OTHER_HOURS}h")]
        names += [f"weather_{name}" for name in self.weather]
        names += [f"weather_{name}_change_3h" for name in self.weather if name in _TREND]
        return tuple(names)

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
        places = np.arange(len(self.zone_ids)) if places is None else np.asarray(places)
        layout = self.layout(steps)
        per_hour, day = max(1, 3600 // self.step_s), panel.steps_per_day
        n, zones = known.size, places.size
        stop = int(known.max()) + 1
        lo = max(0, int(known.min()) + 1 - 7 * day - 3)
        short = slice(max(0, int(known.min()) - (BRIDGE_HOURS + 1) * per_hour - 2 * self.n_lags), stop)
        common = np.zeros((n, zones, len(layout.common)), dtype=np.float32)
        ahead = np.empty((n, zones, len(layout.steps), len(AHEAD_NAMES)), dtype=np.float32)
        own = self.deviation(panel, slice(lo, stop), places, history)
        rel, near = (known - lo).astype(np.int64), (known - short.start).astype(np.int64)
        total, count = kernels.totals(own)
        cols = np.arange(zones)
        reach = BRIDGE_HOURS * per_hour
        lags, side_lags = np.arange(self.n_lags), np.arange(N_SIDE_LAGS)
        bridged, _ = kernels.bridge(own[short.start - lo :], reach)
        kernels.put_lags(common, 0, bridged, near, lags, cols)
        at = self.n_lags
        widths = np.array([max(1, hours * per_hour) for hours in MEAN_HOURS])
        kernels.put_means(common, at, total, count, rel, widths, cols)
        at += widths.size
        kernels.put_gap(common, at, count, rel, per_hour, cols)
        common[:, :, at + 1] = self._usual(panel, known, places, history)
        self._put_clock(panel, known, common[:, :, at + 2 : at + 2 + len(self._told)])
        at += 2 + len(self._told)
        if self.linked or self.led:
            at = self._beside(panel, short, near, places, history, common, at, reach, per_hour, side_lags)
        for k, (name, profile) in enumerate(zip(self.others, self.other_profiles)):
            if name in panel.values:
                columns = panel.columns([self.zone_ids[p] for p in places])
                beside = profile.pick(places)
                past = None if history is None else history[k + 1][short][:, places]
                dev = self._less_usual(panel, name, short, columns, beside, past)
                kernels.put_lags(common, at, kernels.bridge(dev, reach)[0], near, side_lags[:2], cols)
                width = np.array([max(1, OTHER_HOURS * per_hour)])
                sums, counts = kernels.totals(dev)
                kernels.put_means(common, at + 2, sums, counts, near, width, cols)
            at += 3
        if self.weather:
            common[:, :, at:] = self._weather_rows(panel, short, near, per_hour)[:, None]
        usual = self._usual(panel, known[:, None] + np.asarray(steps), places, history)
        self._fill_ahead(panel, own, total, count, known, lo, np.asarray(steps), common, usual, ahead)
        return Rows(common, ahead, layout)

    def deviation(
        self, panel: Panel, window: slice, places: np.ndarray, history: tuple[np.ndarray, ...] | None = None
    ) -> np.ndarray:
        """Deviations from the usual of some needed zones, in their scale, shape (t, k)."""
        columns = panel.columns([self.needed[k] for k in places])
        past = None if history is None else history[0][window][:, places]
        return self._less_usual(panel, self.target, window, columns, self.profile.pick(places), past)

    def _less_usual(
        self, panel: Panel, name: str, window: slice, columns: np.ndarray, part: Profile, past: np.ndarray | None
    ) -> np.ndarray:
        """Readings of a target less what they are compared with, in the series' scale, spikes held: shape (t, k).

        `past` holds usual values (t, k) that each day would have had without itself, where rows are learned from.
        """
        if self.flat:
            usual = part.level
        else:
            usual = part.usual(panel.calendar, window) if past is None else past
        found = (to_scale(name, panel.values[name][window, columns]) - usual) / part.scale
        return np.clip(found, -SPIKE, SPIKE)

    @property
    def base(self) -> Profile:
        """What deviations of the zones forecast for are from, with the usual day's spread."""
        own = self.profile.pick(np.arange(len(self.zone_ids)))
        return replace(own, mean=levelled(own.mean)) if self.flat else own

    def _usual(
        self, panel: Panel, at: np.ndarray, places: np.ndarray, history: tuple[np.ndarray, ...] | None
    ) -> np.ndarray:
        """Usual values at positions of any shape, then k zones, in the zones' scale around their mean level.

        A row to learn from takes the usual value that its day would have had without itself, as its outcome does.
        """
        part = self.profile.pick(places)
        usual = part.usual(panel.calendar, at)
        if history is not None:
            inside = at < len(history[0])
            usual = np.where(inside[..., None], history[0][:, places][np.where(inside, at, 0)], usual)
        return np.asarray((usual - part.level) / part.scale)

    def _put_clock(self, panel: Panel, known: np.ndarray, out: np.ndarray) -> None:
        """Clock, and time of the year where it is told, of the last known interval, the same for all zones."""
        calendar = panel.calendar
        angle = 2 * np.pi * calendar.step_of_day[known] / calendar.steps_per_day
        for k in range(2):
            out[:, :, 2 * k] = np.sin((k + 1) * angle)[:, None]
            out[:, :, 2 * k + 1] = np.cos((k + 1) * angle)[:, None]
        out[:, :, 4] = (calendar.day_type[known] > 0)[:, None]
        if self.reference == "season":
            year = 2 * np.pi * calendar.day[known] / YEAR_DAYS
            out[:, :, 5], out[:, :, 6] = np.sin(year)[:, None], np.cos(year)[:, None]

    def _beside(self, panel, window, rel, places, history, common, at, reach, per_hour, lags):  # type: ignore[no-untyped-def]
        """Neighbours: their weighted mean, the second hop's, then single ones; returns the next free column."""
        every = places.size == len(self.zone_ids) and bool((places == self._every).all())
        part, used, single, hop1, hop2 = self._members if every else self._moved(places)
        bridged, heard = kernels.bridge(self.deviation(panel, window, used, history), reach)
        if self.linked:
            kernels.put_neighbours(common, at, bridged, heard, rel, lags, hop1, part.weight1)
            at += lags.size
            hour = np.arange(per_hour)
            held = np.zeros((rel.size, places.size, per_hour), dtype=np.float32)
            kernels.put_neighbours(held, 0, bridged, heard, rel, hour, hop1, part.weight1)
            common[:, :, at] = held.mean(axis=2)
            kernels.put_neighbours(common, at + 1, bridged, heard, rel, lags, hop2, part.weight2)
            at += 1 + lags.size
        if self.led:
            kernels.put_single(common, at, bridged, rel, lags, single)
            at += lags.size * single.shape[1]
        return at

    @cached_property
    def _every(self) -> np.ndarray:
        return np.arange(len(self.zone_ids))

    @cached_property
    def _members(self) -> tuple[Neighbourhood, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self._moved(self._every)

    def _moved(self, places: np.ndarray) -> tuple[Neighbourhood, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Neighbourhood of some zones, the needed series that it reads, and its members as places among them."""
        part = self.around.pick(places)
        used = np.unique(np.concatenate([part.single.ravel(), part.hop1.ravel(), part.hop2.ravel()]))
        used = used[used >= 0]
        if used.size == 0:
            used = places[:1]
        move = np.full(len(self.needed) + 1, -1, dtype=np.int64)
        move[used] = np.arange(used.size)
        return part, used, move[part.single], move[part.hop1], move[part.hop2]

    def _weather_rows(self, panel: Panel, window: slice, rel: np.ndarray, per_hour: int) -> np.ndarray:
        """Weather at the origin and its change over three hours, shape (n, k); the mean where it is missing."""
        columns = []
        for k, name in enumerate(self.weather):
            found = _weather(panel.weather, name, window)
            column = np.full(window.stop - window.start, np.nan) if found is None else found
            columns.append((column - self.weather_mean[k]) / self.weather_scale[k])
        bridged, _ = kernels.bridge(np.column_stack(columns), BRIDGE_HOURS * per_hour)
        now, before = bridged[rel], bridged[np.maximum(rel - 3 * per_hour, 0)]
        trend = [k for k, name in enumerate(self.weather) if name in _TREND]
        return np.concatenate([now, (now - before)[:, trend]], axis=1)

    def _fill_ahead(self, panel, own, total, count, known, lo, steps, common, usual, out):  # type: ignore[no-untyped-def]
        """Features of the interval forecast for, written to `out` (n, Z, S, F2)."""
        calendar = panel.calendar
        aim = known[:, None] + steps[None, :]
        day = calendar.day_before[aim]
        day = np.where(day > known[:, None], calendar.day_before[np.clip(day, 0, None)], day)
        week = calendar.week_before[aim]
        rel = (known - lo).astype(np.int64)
        clock = np.empty((*aim.shape, 7), dtype=np.float32)
        clock[..., :6] = calendar.waves[calendar.step_of_day[aim]]
        clock[..., 6] = calendar.day_type[aim] > 0
        now, own_usual = common[:, :, 0], common[:, :, self.n_lags + len(MEAN_HOURS) + 1]
        kernels.put_ahead(out, own, total, count, rel, day - lo, week - lo, now, own_usual, usual, clock)

    def state(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """What to store: JSON values and arrays."""
        meta: dict[str, object] = {
            "target": self.target, "zone_ids": self.zone_ids, "needed": self.needed, "others": self.others,
            "weather": self.weather, "step_s": self.step_s, "linked": self.linked, "led": self.led,
            "reference": self.reference,
        }  # fmt: skip
        arrays = {**self.profile.state("profile_"), **self.around.state("around_")}
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
            around=Neighbourhood.restore(arrays, "around_"),
            others=tuple(meta["others"]),
            other_profiles=tuple(Profile.restore(arrays, f"other{k}_") for k in range(len(meta["others"]))),
            weather=tuple(meta["weather"]),
            weather_mean=arrays["weather_mean"],
            weather_scale=arrays["weather_scale"],
            step_s=int(meta["step_s"]),
            linked=bool(meta["linked"]),
            led=bool(meta["led"]),
            reference=str(meta["reference"]),
        )


def levelled(mean: np.ndarray) -> np.ndarray:
    """A profile's mean (C, 3, S) with each series' level at all times."""
    return np.broadcast_to(mean.mean(axis=(1, 2), keepdims=True), mean.shape).copy()


def _moments(panel: Panel, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of weather columns over what is known."""
    if not names:
        return np.zeros(0), np.zeros(0)
    columns = np.column_stack([np.asarray(_weather(panel.weather, name, slice(None))) for name in names])
    known = np.isfinite(columns)
    heard = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, columns, 0).sum(axis=0) / heard
    scale = np.sqrt((np.where(known, columns - mean, 0) ** 2).sum(axis=0) / heard)
    return mean, np.maximum(scale, 1e-9)


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
