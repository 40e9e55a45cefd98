"""The preview: what a scenario would change in every zone, at once, with bounds and a word on whether to trust it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from simulation.city import City
from simulation.preview.ensemble import QUANTITIES, Ensemble
from simulation.preview.errors import PreviewError
from simulation.preview.features import EXTENT, NAMES, OWN, Features
from simulation.preview.intervals import Bounds, learn_bounds
from simulation.preview.redistribution import Redistribution
from simulation.preview.scope import Scope, Verdict, learn_scope
from simulation.preview.surrogates import KINDS, Surrogate, bent, choose, fit
from simulation.preview.window import Window
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import from_form
from simulation.scenarios.writing import to_form

#: The rerouting's feature that speaks of a quantity; NO2 follows NOx by the air, so nothing speaks of it directly.
_SPEAKS = {
    "speed_kmh": "rerouted_speed_kmh", "flow_veh_per_h": "rerouted_vehicle_km", "delay_hours": "rerouted_delay_hours",
    "vehicle_hours": "rerouted_vehicle_hours", "vehicle_km": "rerouted_vehicle_km", "nox_kg": "rerouted_nox_kg",
}  # fmt: skip
_SUMS = ("delay_hours", "vehicle_hours", "vehicle_km", "nox_kg")
LEAST_SCENARIOS = 20
FORMAT = 3
#: Features that lines read bent as well: the rerouting's and what is done to the zone's own streets.
BENT = 8
#: A zone's base counts as at least this share of the median zone's: effects on nearly empty zones are not blown up.
_LEAST_BASE = 0.05


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Answer:
    """A preview's answer.

    Attributes
    ----------
    effects : DataFrame
        `zone_id` ("" for the whole city), `quantity`, `unit`, `base`, `effect`, `lower`, `upper` (90 %).
    scope : Verdict
    seconds : float
        Spent on the answer.
    """

    effects: pd.DataFrame
    scope: Verdict
    seconds: float


class Preview:
    """Micromodels of scenarios, learned from an ensemble. Make one with `Preview.learn`, or `restore` a stored one.

    Attributes
    ----------
    chosen : dict of str to str
        The kind of model (`simulation.preview.surrogates.KINDS`) that serves each quantity.
    record : DataFrame
        `quantity`, `kind`, `error`, `no_change_error`, `chosen`: mean absolute errors over the ensemble's own folds, as
        shares of the base.
    """

    def __init__(
        self,
        city: City,
        *,
        window: Window,
        link_time_s: np.ndarray,
        link_flow: np.ndarray,
        base: np.ndarray,
        models: Mapping[str, Surrogate],
        bounds: Mapping[str, Bounds],
        scope: Scope,
        record: pd.DataFrame,
    ) -> None:
        self.city, self.window, self.base = city, window, base
        self.models, self.bounds, self._scope, self.record = dict(models), dict(bounds), scope, record
        self._link_time_s, self._link_flow = link_time_s, link_flow
        self.quick = Redistribution(city, window, link_time_s, link_flow)
        self.zone_ids = tuple(str(zone) for zone in city.zones["zone_id"])
        self._rows = _Rows(city, base)
        self.features = Features(city, self.quick, self._rows.base_of_zones)
        self._table = self._frame()

    @property
    def chosen(self) -> dict[str, str]:
        """Kind of model by quantity."""
        return {name: model.kind for name, model in self.models.items()}

    @classmethod
    def learn(
        cls,
        city: City,
        ensemble: Ensemble,
        *,
        kinds: Sequence[str] = KINDS,
        seed: int = 1,
        progress: Callable[[int, int, str], Any] | None = None,
    ) -> Preview:
        """Learn from an ensemble of that city.

        Parameters
        ----------
        city : City
        ensemble : Ensemble
        kinds : sequence of str
            Kinds of models that compete for each quantity.
        seed : int
            Of the folds and the boosted trees.
        progress : callable, optional
            `progress(done, total, message)`.

        Raises
        ------
        PreviewError
            If there are too few scenarios, an unknown kind, or the ensemble belongs to other zones.
        """
        faults = []
        if len(ensemble.scenarios) < LEAST_SCENARIOS:
            faults.append(f"{len(ensemble.scenarios)} scenarios; at least {LEAST_SCENARIOS} are needed")
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            faults.append(f"kinds {unknown}; allowed: {list(KINDS)}")
        if tuple(ensemble.zone_ids) != tuple(city.zones["zone_id"]):
            faults.append(f"the ensemble has other zones than {city.label}")
        if faults:
            raise PreviewError("no preview can be learned: " + "; ".join(faults))
        base = np.nan_to_num(ensemble.base.mean(axis=0))
        quick = Redistribution(city, ensemble.window, ensemble.link_time_s, ensemble.link_flow)
        rows = _Rows(city, base)
        features = Features(city, quick, rows.base_of_zones)
        asked = []
        for k, scenario in enumerate(ensemble.scenarios):
            asked.append(features.of(scenario))
            if progress is not None:
                progress(k + 1, len(ensemble.scenarios), "features")
        x = rows.features(np.stack([one.zones for one in asked]))
        extent = np.stack([one.extent for one in asked])
        models: dict[str, Surrogate] = {}
        bounds: dict[str, Bounds] = {}
        record = []
        for q, name in enumerate(QUANTITIES):
            y, weight = rows.outcomes(ensemble, q)
            own = NAMES.index(_SPEAKS[name]) if name in _SPEAKS else -1
            told = {"n_zones": len(ensemble.zone_ids), "own": own, "seed": seed}
            kind, penalty, found, errors = choose(kinds, x, y, weight, **told)
            models[name] = fit(kind, x, y, weight, penalty=penalty, **told)
            bounds[name] = learn_bounds(y - found, found, _activity(x, own), weight > 0)
            zone = weight[:, : len(ensemble.zone_ids)]
            nothing = float((zone * np.abs(y[:, : zone.shape[1]])).sum() / max(zone.sum(), 1e-12))
            record += [(name, kind_, error, nothing, kind_ == kind) for kind_, error in errors.items()]
            if progress is not None:
                progress(q + 1, len(QUANTITIES), f"micromodels of {name}")
        table = pd.DataFrame(record, columns=["quantity", "kind", "error", "no_change_error", "chosen"])
        scope = learn_scope(ensemble.scenarios, extent)
        return cls(
            city, window=ensemble.window, link_time_s=ensemble.link_time_s, link_flow=ensemble.link_flow, base=base,
            models=models, bounds=bounds, scope=scope, record=table,
        )  # fmt: skip

    def ask(self, scenario: Scenario) -> Answer:
        """What a scenario would change.

        Raises
        ------
        ScenarioError
            With every measure that does not fit the city.
        """
        begun = time.perf_counter()
        question = self.features.of(scenario)
        x = self._rows.features(question.zones[None])
        effect, half = [], []
        for q, name in enumerate(QUANTITIES):
            own = NAMES.index(_SPEAKS[name]) if name in _SPEAKS else -1
            found = self.models[name].predict(x)[0]
            wide = self.bounds[name].half(found, _activity(x, own)[0])
            scale = self._rows.scale[:, q]
            effect.append(found * scale)
            half.append(np.zeros(scale.size) if question.nothing else wide * scale)
        middle, wide = np.stack(effect).ravel()[self._kept], np.stack(half).ravel()[self._kept]
        # Nothing falls below zero: neither traffic nor its air.
        least = -self._table["base"].to_numpy(float)
        table = self._table.assign(
            effect=np.maximum(middle, least),
            lower=np.maximum(middle - wide, least),
            upper=np.maximum(middle + wide, least),
        )
        verdict = Verdict(inside=True)
        if not question.nothing:
            verdict = self._scope.judge(scenario, question.extent, question.unread)
        return Answer(effects=table, scope=verdict, seconds=time.perf_counter() - begun)

    def effects(self, scenario: Scenario) -> tuple[pd.DataFrame, Verdict]:
        """Effects (see `Answer.effects`) and whether they may be trusted."""
        answer = self.ask(scenario)
        return answer.effects, answer.scope

    def simulated(self, ensemble: Ensemble, k: int = 0) -> pd.DataFrame:
        """What the simulation found for a scenario of an ensemble: `zone_id`, `quantity`, `simulated`."""
        columns = []
        for q in range(len(QUANTITIES)):
            effect, weight = self._rows.outcomes(ensemble, q)
            columns.append(np.where(weight[k] > 0, effect[k] * self._rows.scale[:, q], np.nan))
        table = self._table[["zone_id", "quantity"]]
        return table.assign(simulated=np.stack(columns).ravel()[self._kept])

    def _frame(self) -> pd.DataFrame:
        rows = [*self.zone_ids, ""]
        table = pd.DataFrame(
            {
                "zone_id": rows * len(QUANTITIES),
                "quantity": np.repeat(np.array(list(QUANTITIES), dtype=object), len(rows)),
                "unit": np.repeat(np.array(list(QUANTITIES.values()), dtype=object), len(rows)),
                "base": self._rows.base.T.ravel(),
            }
        )
        self._kept = np.flatnonzero(np.isfinite(table["base"].to_numpy(float)))
        return table.iloc[self._kept].reset_index(drop=True)

    # --- files ----------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        """JSON values, arrays and files that `restore` needs; no pickle."""
        meta = {
            "format": FORMAT, "zone_ids": list(self.zone_ids), "n_links": len(self.city.links),
            "window": {"start": self.window.start, "hours": self.window.hours}, "features": list(NAMES),
            "extents": list(EXTENT), "quantities": list(QUANTITIES),
            "models": {name: model.kind for name, model in self.models.items()},
            "bounds": {n: {"still": b.still, "moved": b.moved, "factor": b.factor} for n, b in self.bounds.items()},
            "scope": {
                "strengths": {k: {n: list(r) for n, r in v.items()} for k, v in self._scope.strengths.items()},
                "words": {k: {n: list(r) for n, r in v.items()} for k, v in self._scope.words.items()},
                "most_measures": self._scope.most_measures, "timed": list(self._scope.timed),
                "beyond": self._scope.beyond, "apart": self._scope.apart if np.isfinite(self._scope.apart) else None,
            },
            "record": json.loads(self.record.to_json(orient="records", double_precision=15)),
        }  # fmt: skip
        arrays = {
            "link_time_s": self._link_time_s, "link_flow": self._link_flow, "base": self.base,
            "extent": self._scope.extent,
        }  # fmt: skip
        arrays |= {f"coef_{name}": model.coef for name, model in self.models.items()}
        arrays |= {f"spread_{name}": bound.spread for name, bound in self.bounds.items()}
        blobs = {f"{name}.ubj": model.trees for name, model in self.models.items() if model.trees}
        return meta, arrays, blobs

    @classmethod
    def restore(
        cls, city: City, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], blobs: Mapping[str, bytes]
    ) -> Preview:
        """Inverse of `state`.

        Raises
        ------
        PreviewError
            If it was made by another version, or of another city.
        """
        faults = []
        made = (meta.get("format"), meta.get("features"), meta.get("extents"), meta.get("quantities"))
        if made != (FORMAT, list(NAMES), list(EXTENT), list(QUANTITIES)):
            faults.append("it was made by another version of the preview; learn it anew")
        if list(meta.get("zone_ids", [])) != list(city.zones["zone_id"]) or meta.get("n_links") != len(city.links):
            faults.append(f"it belongs to another city than {city.label}, or other zones of it")
        if faults:
            raise PreviewError("the preview cannot be used: " + "; ".join(faults))
        n = len(city.zones)
        told = meta["scope"]
        return cls(
            city, window=Window(**meta["window"]), link_time_s=arrays["link_time_s"],
            link_flow=arrays["link_flow"], base=arrays["base"],
            models={
                name: Surrogate(kind=kind, coef=arrays[f"coef_{name}"], trees=blobs.get(f"{name}.ubj", b""), n_zones=n)
                for name, kind in meta["models"].items()
            },
            bounds={name: Bounds(spread=arrays[f"spread_{name}"], **kept) for name, kept in meta["bounds"].items()},
            scope=Scope(
                strengths={k: {key: (r[0], r[1]) for key, r in v.items()} for k, v in told["strengths"].items()},
                words={k: {key: tuple(r) for key, r in v.items()} for k, v in told["words"].items()},
                most_measures=told["most_measures"], timed=tuple(told["timed"]), extent=arrays["extent"],
                beyond=told["beyond"], apart=np.inf if told["apart"] is None else told["apart"],
            ),
            record=pd.DataFrame(meta["record"]),
        )  # fmt: skip


class _Rows:
    """Rows of the models: the zones, then the city, each over its own base."""

    def __init__(self, city: City, base: np.ndarray) -> None:
        self.area = city.zones["area_m2"].to_numpy(float)
        self.base = np.concatenate([base, self._city(base[None])])
        names = list(QUANTITIES)
        self.base_of_zones = {name: base[:, q] for q, name in enumerate(names)}
        least = _LEAST_BASE * np.median(base, axis=0) + 1e-9
        self.scale = np.maximum(np.nan_to_num(self.base), least)  # (R, Q)
        size = dict(zip(names, self.scale.T))
        unit = np.ones(self.scale.shape[0])
        of = {
            "rerouted_vehicle_km": size["vehicle_km"], "rerouted_vehicle_hours": size["vehicle_hours"],
            "rerouted_delay_hours": size["delay_hours"], "rerouted_nox_kg": size["nox_kg"],
            "rerouted_speed_kmh": size["speed_kmh"], "trip_ends": size["vehicle_km"], "charged_s": 60.0 * unit,
        }  # fmt: skip
        self._over = np.stack([of.get(name.removeprefix("near_").removeprefix("far_"), unit) for name in NAMES], axis=1)
        self._km = self.scale[:-1, names.index("vehicle_km")]
        self._hours = self.scale[:-1, names.index("vehicle_hours")]

    def features(self, zones: np.ndarray) -> np.ndarray:
        """Features over the base, with the city's row, and some of them bent. Shape (K, Z, F) to (K, Z + 1, F + B)."""
        city = np.zeros((len(zones), 1, len(NAMES)))
        weight = self._km / self._km.sum()
        for f, name in enumerate(OWN):
            if name == "rerouted_speed_kmh":
                km = self._km.sum() + zones[:, :, NAMES.index("rerouted_vehicle_km")].sum(axis=1)
                hours = self._hours.sum() + zones[:, :, NAMES.index("rerouted_vehicle_hours")].sum(axis=1)
                city[:, 0, f] = km / np.maximum(hours, 0.02 * self._hours.sum()) - self._km.sum() / self._hours.sum()
            elif name.startswith("rerouted_") or name == "trip_ends":
                city[:, 0, f] = zones[:, :, f].sum(axis=1)
            else:
                city[:, 0, f] = zones[:, :, f] @ weight
        return bent(np.concatenate([zones, city], axis=1) / self._over, BENT)

    def outcomes(self, ensemble: Ensemble, q: int) -> tuple[np.ndarray, np.ndarray]:
        """Effects over the base, and what they weigh: a zone by its base, nothing where it is unknown. (K, R) each."""
        base = np.concatenate([ensemble.base, self._city(ensemble.base)[:, None]], axis=1)[:, :, q]
        k, p = ensemble.values.shape[:2]
        flat = ensemble.values.reshape(k * p, *ensemble.values.shape[2:])
        city = self._city(flat).reshape(k, p, 1, -1)
        values = np.concatenate([ensemble.values, city], axis=2)[..., q]
        effect = (values - base[ensemble.luck]).mean(axis=1) / self.scale[:, q]
        size = self.scale[:, q] / max(float(self.scale[:-1, q].mean()), 1e-12)
        weight = np.where(np.isfinite(effect), size, 0.0)
        return np.where(np.isfinite(effect), effect, 0.0), weight

    def _city(self, values: np.ndarray) -> np.ndarray:
        """The whole city of zones' values, shape (N, Z, Q) to (N, Q); nan for the flow, which no city has."""
        names = list(QUANTITIES)
        out = np.full((len(values), len(names)), np.nan)
        for name in _SUMS:
            out[:, names.index(name)] = np.nan_to_num(values[:, :, names.index(name)]).sum(axis=1)
        hours = out[:, names.index("vehicle_hours")]
        out[:, names.index("speed_kmh")] = out[:, names.index("vehicle_km")] / np.where(hours > 0, hours, np.nan)
        no2 = values[:, :, names.index("no2")]
        known = np.isfinite(no2)
        area = np.where(known, self.area, 0.0)
        out[:, names.index("no2")] = (np.nan_to_num(no2) * area).sum(axis=1) / np.maximum(area.sum(axis=1), 1e-9)
        return out


def _activity(x: np.ndarray, own: int) -> np.ndarray:
    """Size of what the rerouting tells of each row, over the base; of NO2, by what it tells of NOx near by."""
    near = np.abs(x[:, :, NAMES.index("near_rerouted_nox_kg")])
    if own < 0:
        return np.asarray(np.abs(x[:, :, NAMES.index("rerouted_nox_kg")]) + near)
    return np.asarray(np.abs(x[:, :, own]))


def scenario_forms(ensemble: Ensemble) -> list[dict[str, Any]]:
    """The ensemble's scenarios as plain values, for a file."""
    return [to_form(scenario) for scenario in ensemble.scenarios]


def ensemble_arrays(ensemble: Ensemble) -> dict[str, np.ndarray]:
    """The ensemble's numbers, for a file."""
    return {
        "base": ensemble.base, "values": ensemble.values, "link_time_s": ensemble.link_time_s,
        "link_flow": ensemble.link_flow, "seeds": np.array(ensemble.seeds), "luck": ensemble.luck,
    }  # fmt: skip


def ensemble_of(
    city: City, window: Window, forms: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
) -> Ensemble:
    """An ensemble read back from `scenario_forms` and `ensemble_arrays`."""
    return Ensemble(
        zone_ids=tuple(city.zones["zone_id"]), window=window, seeds=tuple(int(s) for s in arrays["seeds"]),
        scenarios=tuple(from_form(dict(form)) for form in forms), base=arrays["base"], values=arrays["values"],
        luck=arrays["luck"], link_time_s=arrays["link_time_s"], link_flow=arrays["link_flow"],
    )  # fmt: skip
