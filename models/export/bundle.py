"""Bundle: a zone's micromodel with all that it needs to forecast far from any workspace, and the memory it reads.

A bundle is a few files: `bundle.json` (what it is, and the SHA-256 of the others), the model as the registry stores it
(JSON and npz), and `model.onnx` where that is wanted. Memory is a ring of the last eight days, whatever comes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.errors import ModelFileError, SettingsError
from models.export.onnx_graph import OnnxMicromodel, onnx_bytes
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.panel import Panel

FORMAT = 1
KEPT_DAYS = 8.0  # a week, a day's slack for a clock change
Heard = Literal["taken", "repeated", "corrected", "late", "early", "unknown", "off_grid", "impossible"]
#: What may be heard of each interval: 0 to this, in the unit of the quantity (assumed: beyond all that is measured).
MOST = 1e7
EARLY_S = 30.0  # by which a sender's clock may be fast (assumed)
_WIND = {"wind_east": "wind_dir_deg", "wind_north": "wind_dir_deg"}


def bundle_files(
    model: LearnedForecaster,
    zone_id: str | None = None,
    *,
    timezone: str,
    country: str | None = None,
    phase_s: int = 0,
    onnx: bool = False,
    card: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """A zone's micromodel as files by name.

    Parameters
    ----------
    model : LearnedForecaster
        Of scope "zone".
    zone_id : str or None
        None where it serves one zone.
    timezone, country, phase_s
        As in `c_source.c_files`.
    onnx : bool
        Forecast with the ONNX graph instead of the model itself.
    card : mapping or None
        Told in `bundle.json`.

    Raises
    ------
    SettingsError
        For a model that is not a zone's own: distil it first.
    """
    if not isinstance(model, LearnedForecaster) or model.scope != "zone":
        raise SettingsError(f"{model.name!r} is not one zone's own model; teach it to one first (models.distillation)")
    if zone_id is None and len(model.zone_ids) != 1:
        raise SettingsError(f"{model!r} serves {len(model.zone_ids)} zones; name the one to export")
    one = model if zone_id is None else model.one(zone_id)
    f = one.featuriser
    assert f is not None
    files = {f"model/{name}": data for name, data in one.save().items()}
    if onnx:
        files["model.onnx"] = onnx_bytes(one)
    weather = [name for name in f.weather if name not in _WIND] + [_WIND[n] for n in f.weather if n in _WIND]
    if any(name in _WIND for name in f.weather):
        weather.append("wind_speed_mps")
    head = {
        "format": FORMAT, "kind": "zonewise edge bundle", "zone_id": one.zone_ids[0], "target": one.target,
        "family": one.family, "step_s": one.step_s, "timezone": timezone, "country": country, "phase_s": phase_s,
        "steps": one.anchors, "quantiles": QUANTILES, "zones": f.needed, "others": f.others,
        "weather": sorted(set(weather)), "train_end": one.train_end, "engine": "onnx" if onnx else "model",
        "card": dict(card or {}),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }  # fmt: skip
    return {**files, "bundle.json": json.dumps(head, indent=1, sort_keys=True, default=str).encode()}


class EdgeMicromodel:
    """A bundle that hears readings and forecasts; holds the same memory after a year as after a week.

    Parameters
    ----------
    files : mapping of str to bytes
        As `bundle_files` made them.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged or of another format.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.head = _checked(files)
        head = self.head
        stored = {name.removeprefix("model/"): data for name, data in files.items() if name.startswith("model/")}
        model = Forecaster.load(stored)
        assert isinstance(model, LearnedForecaster)
        self.model = model
        self.onnx = OnnxMicromodel(files["model.onnx"]) if head["engine"] == "onnx" else None
        self.zone_id, self.target, self.step_s = head["zone_id"], head["target"], int(head["step_s"])
        self.zones: tuple[str, ...] = tuple(head["zones"])
        self.quantities = (self.target, *head["others"])
        self.weather: tuple[str, ...] = tuple(head["weather"])
        self.kept = int(KEPT_DAYS * 86_400 / self.step_s)
        self.newest: int | None = None  # number of the newest interval
        shape = (self.kept, len(self.zones))
        self._values = {name: np.full(shape, np.nan) for name in self.quantities}
        self._weather = {name: np.full(self.kept, np.nan) for name in self.weather}

    def hear(
        self, zone_id: str | None, quantity: str, time_s: float, value: float | None, *, now_s: float | None = None
    ) -> Heard:
        """Take a reading.

        Parameters
        ----------
        zone_id : str or None
            None for the weather.
        quantity : str
            The target, another quantity of the same zone, or a weather column.
        time_s : float
            Start of its interval, s since 1970, UTC.
        value : float or None
            None where it is known that there was none.
        now_s : float or None
            Present instant: a reading of an interval that has not ended yet is `early`. None trusts the sender.

        Returns
        -------
        str
            `taken`; `repeated` (the same again), `corrected` (another value for a known interval: the later one
            counts); `late` (older than all that is kept); `early`; `unknown` (no such zone or quantity); `off_grid`;
            `impossible` (not a finite number, or out of any range).
        """
        column = self._column(zone_id, quantity)
        if column is None:
            return "unknown"
        if value is not None and not (np.isfinite(value) and abs(value) <= MOST):
            return "impossible"
        place, off = divmod(time_s - self.head["phase_s"], self.step_s)
        if off:
            return "off_grid"
        n = int(place)
        if now_s is not None and time_s + self.step_s > now_s + EARLY_S:
            return "early"
        if self.newest is not None and n <= self.newest - self.kept:
            return "late"
        self._open(n)
        slot = n % self.kept
        before = float(column[slot])
        told = np.nan if value is None else float(value)
        if not np.isnan(before) and (np.isnan(told) or before == told):
            return "repeated"
        column[slot] = told
        return "taken" if np.isnan(before) else "corrected"

    def _column(self, zone_id: str | None, quantity: str) -> np.ndarray | None:
        if zone_id is None:
            return self._weather.get(quantity)
        if zone_id not in self.zones or (quantity != self.target and zone_id != self.zone_id):
            return None
        grid = self._values.get(quantity)
        return None if grid is None else grid[:, self.zones.index(zone_id)]

    def _open(self, n: int) -> None:
        """Make interval `n` the newest if it is; what lies between is unknown."""
        if self.newest is None or n > self.newest:
            first = n - self.kept + 1 if self.newest is None else max(self.newest + 1, n - self.kept + 1)
            slots = np.arange(first, n + 1) % self.kept
            for grid in (*self._values.values(), *self._weather.values()):
                grid[slots] = np.nan
            self.newest = n

    def panel(self) -> Panel:
        """What is remembered, as forecasters read it.

        Raises
        ------
        SettingsError
            If nothing has been heard yet.
        """
        if self.newest is None:
            raise SettingsError(f"{self.zone_id} has heard nothing yet; send readings first")
        every = np.arange(self.newest - self.kept + 1, self.newest + 1)
        start = int(every[0]) * self.step_s + int(self.head["phase_s"])
        times = pd.date_range(
            pd.Timestamp(start, unit="s", tz="UTC"), periods=self.kept, freq=pd.Timedelta(seconds=self.step_s)
        ).as_unit("us")
        slots = every % self.kept
        return Panel(
            times=times, zone_ids=self.zones, values={name: grid[slots] for name, grid in self._values.items()},
            timezone=self.head["timezone"], step_s=self.step_s, country=self.head["country"],
            weather={name: column[slots] for name, column in self._weather.items()},
        )  # fmt: skip

    def forecast(self) -> dict[str, Any]:
        """Quantiles from the newest interval heard of, as JSON values.

        Returns
        -------
        dict
            `zone_id`, `target`, `origin` (UTC), `horizons_s`, `quantiles`, `values` (a list of quantiles for each
            horizon, in the target's unit) and `heard`: the share of the zone's own readings of the last day that came.
        """
        panel = self.panel()
        last = len(panel) - 1
        if self.onnx is None:
            values = self.model.forecast(panel, origins=pd.DatetimeIndex([panel.origin(last)]))[0, 0]
        else:
            values = self.onnx.forecast(self.model, panel, np.array([last]))[0]
        own = panel.values[self.target][-panel.steps_per_day :, self.zones.index(self.zone_id)]
        return {
            "zone_id": self.zone_id, "target": self.target, "origin": panel.origin(last).isoformat(),
            "horizons_s": [int(step) * self.step_s for step in self.model.anchors], "quantiles": list(QUANTILES),
            "values": [[float(f"{v:.7g}") for v in row] for row in values],
            "heard": round(float(np.isfinite(own).mean()), 4), "engine": self.head["engine"],
        }  # fmt: skip

    def memory(self) -> bytes:
        """What is remembered, as an npz file; see `remember`."""
        arrays: dict[str, Any] = {f"v_{k}": self._values[name] for k, name in enumerate(self.quantities)}
        arrays.update({f"w_{k}": self._weather[name] for k, name in enumerate(self.weather)})
        out = io.BytesIO()
        np.savez_compressed(out, newest=-1 if self.newest is None else self.newest, **arrays)
        return out.getvalue()

    def remember(self, data: bytes) -> None:
        """Inverse of `memory`, for the same bundle.

        Raises
        ------
        ModelFileError
            If it is damaged, or of another bundle.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as found:
                values = {name: found[f"v_{k}"] for k, name in enumerate(self.quantities)}
                weather = {name: found[f"w_{k}"] for k, name in enumerate(self.weather)}
                newest = int(found["newest"])
        except Exception as error:
            raise ModelFileError(f"the memory file is damaged or of another bundle ({error}); remove it") from error
        if any(a.shape != (self.kept, len(self.zones)) for a in values.values()):
            raise ModelFileError("the memory file is of another bundle; remove it")
        self._values, self._weather, self.newest = values, weather, None if newest < 0 else newest


def _checked(files: Mapping[str, bytes]) -> dict[str, Any]:
    """`bundle.json`; `ModelFileError` naming every file that is missing or damaged."""
    try:
        head: dict[str, Any] = json.loads(files["bundle.json"])
        kind, version = head["kind"], head["format"]
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"bundle.json is missing or damaged ({error}); export the micromodel again") from error
    if kind != "zonewise edge bundle" or version != FORMAT:
        raise ModelFileError(f"bundle.json is a {kind!r} of format {version}; this release reads format {FORMAT}")
    wrong = [
        name for name, digest in head["sha256"].items()
        if name not in files or hashlib.sha256(files[name]).hexdigest() != digest
    ]  # fmt: skip
    if wrong:
        raise ModelFileError(f"{', '.join(wrong)} of the bundle are missing or damaged; export the micromodel again")
    return head
