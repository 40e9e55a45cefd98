"""Air: skill, speed and memory of the dispersion model: `zonewise benchmark air [--json] [PART ...] [HOURS]`.

Parts (all unless named): `idaho` - R-LINE in full and fast form against the reference output and the tracer of the
Idaho Falls line source (skipped where its file is absent); `forms` - fast against full form over random links; `speed`
- a year of 20,000 links x 5,000 receptors on one core, chemistry included; `growth` - cost against links x receptors;
`demo` - the air and the noise of four weeks of the demo city, as they are computed during its run, and the balance of
mass. HOURS shortens the year and the four weeks; figures are then scaled to 8,760 and 672 hours.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from data.errors import InputError

if TYPE_CHECKING:
    from simulation.air.dispersion import LineSources, Pairs, SourceReceptor

Array = np.ndarray

SEED = 1
YEAR_H = 8760
DEMO_H, DEMO_ZONES = 28 * 24, 18
CITY_M = 10_000.0
N_LINKS, N_RECEPTORS = 20_000, 5_000
POLLUTANTS = ("nox", "no2", "pm25", "pm10")
IDAHO_FILE = "idaho_falls_2008_line_source.csv"
#: Emission of the tracer by day, g/s over 54 m, and ug/m3 of SF6 in a ppb, as given with the data.
IDAHO_RATE = {1: 0.05, 2: 0.04, 3: 0.03, 5: 0.03}
IDAHO_LENGTH_M, SF6_UG_PER_PPB = 54.0, 5.34

_log = logging.getLogger(__name__)


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case.

    Parameters
    ----------
    arguments : sequence of str
        Names of parts, and the number of hours of the year to run, as a whole number.
    """
    hours = next((int(a) for a in arguments if a.isdigit()), YEAR_H)
    named = [a for a in arguments if not a.isdigit()]
    unknown = sorted(set(named) - set(PARTS))
    if unknown:
        raise InputError(f"no part {', '.join(unknown)} of the air benchmark; there are: {', '.join(PARTS)}")
    result: dict[str, Any] = {"skipped": {}}
    figures: list[dict[str, Any]] = []
    for name in named or PARTS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            part = pool.submit(PARTS[name], hours).result()
        if "skipped" in part:
            result["skipped"][name] = part["skipped"]
            _log.warning("%s skipped: %s", name, part["skipped"])
        else:
            figures += part.pop("figures")
            result[name] = part
    return result | {"figures": figures}


# --- Idaho Falls -----------------------------------------------------------------------------------------------------


def idaho_file() -> Path:
    """Where the line-source experiment is looked for: `science`, beside the folder of shared data."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("ZONEWISE_SHARED_DATA", beside)).parent / "science" / IDAHO_FILE


def statistics(observed: Array, predicted: Array) -> dict[str, float]:
    """Skill as air-quality modellers tell it (Chang and Hanna 2004, doi:10.1007/s00703-003-0070-7).

    FAC2 (share within a factor of 2), FB = 2 (mean o - mean p) / (mean o + mean p), NMSE = mean (o - p)^2 /
    (mean o mean p), MG = exp mean ln(o / p), R; pairs without an observation are left out.
    """
    there = np.isfinite(observed)
    o, p = observed[there], predicted[there]
    ratio = p / o
    return {
        "n": int(there.sum()), "fac2": float(((ratio >= 0.5) & (ratio <= 2.0)).mean()),
        "fb": float(2.0 * (o.mean() - p.mean()) / (o.mean() + p.mean())),
        "nmse": float(((o - p) ** 2).mean() / (o.mean() * p.mean())), "mg": float(np.exp(-np.log(ratio).mean())),
        "r": float(np.corrcoef(o, p)[0, 1]),
    }  # fmt: skip


def idaho_predictions(periods: pd.DataFrame, solve: Callable[..., Array]) -> Array:
    """Concentration of every row per unit of line emission, s/m2: a line of 1 km at 1 m, receptors at 1.5 m.

    z0 is 0.053 m, the profile scaled to the wind at 3 m, sigma_v from the w* column as it is (also in stable hours).
    """
    from simulation.air.dispersion import Pairs, SurfaceLayer, u_star_from

    result = np.empty(len(periods))
    for _, places in periods.groupby(["test_day", "bag"]).indices.items():
        row = periods.iloc[places[0]]
        u_star, obukhov = row["ustar_m_s"], row["L_MO_m"]
        fitting = float(u_star_from(row["wind_speed_3m_m_s"], 3.0, obukhov_m=obukhov, z0_m=0.053))
        layer = SurfaceLayer(
            u_star_mps=u_star, obukhov_m=obukhov, sigma_v_mps=float(np.hypot(0.6 * row["wstar_m_s"], 1.9 * u_star)),
            z0_m=0.053, wind_factor=fitting / u_star,
        )  # fmt: skip
        pairs = Pairs(
            x0_m=0.0, y0_m=-500.0, x1_m=0.0, y1_m=500.0, receptor_x_m=periods["x_m"].to_numpy()[places],
            receptor_y_m=0.0, receptor_z_m=1.5, height_m=1.0,
        )  # fmt: skip
        result[places] = solve(pairs, layer, wind_dir_deg=row["wind_dir_deg"])
    return result


def idaho(hours: int = YEAR_H) -> dict[str, Any]:
    """Both forms against the 217 values of R-LINE 1.2 and the 212 measurements."""
    from simulation.air.dispersion import fast_line, full_line

    file = idaho_file()
    if not file.is_file():
        return {"skipped": f"no {IDAHO_FILE} in {file.parent}; set ZONEWISE_SHARED_DATA to the folder beside it"}
    periods = pd.read_csv(file)
    reference = periods["RLINE_v1_2_ug_m3_per_g_m_s"].to_numpy()
    observed = periods["obs_SF6_ppb_crosswind_integrated"].to_numpy()
    rate = periods["test_day"].map(IDAHO_RATE).to_numpy() / IDAHO_LENGTH_M / SF6_UG_PER_PPB
    days = periods["test_day"].to_numpy()
    result: dict[str, Any] = {"file": str(file)}
    figures = []
    for name, solve in (("full", full_line), ("fast", fast_line)):
        values = 1e6 * idaho_predictions(periods, solve)
        ratio, skill = values / reference, {"all": statistics(observed, values * rate)}
        skill |= {f"day {day}": statistics(observed[days == day], (values * rate)[days == day]) for day in IDAHO_RATE}
        result[name] = {"ratio_to_reference": _percentiles(ratio), "skill": skill}
        whole = skill["all"]
        farthest = float(np.abs(ratio - 1.0).max())
        figures += [
            figure(f"{name}: farthest from R-LINE 1.2", farthest, "1", target=0.025 if name == "full" else None, n=217),
            figure(f"{name}: FAC2", whole["fac2"], "1", target=0.90, at_most=False, n=whole["n"]),
            figure(f"{name}: FAC2, day 1", skill["day 1"]["fac2"], "1", target=1.0, at_most=False),
            figure(f"{name}: FAC2, day 3", skill["day 3"]["fac2"], "1", target=1.0, at_most=False),
            figure(f"{name}: FB", whole["fb"], "1", target=0.40, n=whole["n"]),
            figure(f"{name}: NMSE", whole["nmse"], "1", target=1.05, n=whole["n"]),
            figure(f"{name}: MG", whole["mg"], "1", n=whole["n"]),
            figure(f"{name}: R", whole["r"], "1", target=0.89, at_most=False, n=whole["n"]),
        ]
    return result | {"figures": figures}


# --- fast against full form ------------------------------------------------------------------------------------------


def random_pairs(n: int, seed: int) -> Pairs:
    """Links (median 80 m) at all angles, their nearest point 10 to 500 m from a receptor at 1.5 m; at most n pairs."""
    from simulation.air.dispersion import Pairs

    rng = np.random.default_rng(seed)
    length, (angle, bearing) = 80.0 * np.exp(0.7 * rng.standard_normal(n)), rng.uniform(0.0, 2.0 * np.pi, (2, n))
    distance, share = np.exp(rng.uniform(np.log(10.0), np.log(500.0), n)), rng.uniform(0.0, 1.0, n)
    unit, middle = (np.stack([np.cos(a), np.sin(a)]) for a in (angle, bearing))
    first = middle * distance - unit * share * length
    nearest = first + unit * np.clip(-(first * unit).sum(axis=0), 0.0, length)
    apart = np.hypot(*nearest)
    kept = (apart >= 10.0) & (apart <= 500.0)
    (x0, y0), (x1, y1) = first[:, kept], (first + unit * length)[:, kept]
    return Pairs(
        x0_m=x0, y0_m=y0, x1_m=x1, y1_m=y1, receptor_x_m=0.0, receptor_y_m=0.0, receptor_z_m=1.5, height_m=1.0,
        sigma_z0_m=1.2,
    )  # fmt: skip


def forms(hours: int = YEAR_H) -> dict[str, Any]:
    """Ratio of the fast to the full form by roughness and stability class, f at r (AERMOD) and at X (R-LINE 1.2)."""
    from simulation.air.boundary_layer import class_layers
    from simulation.air.dispersion import fast_line, full_line

    pairs, table = random_pairs(2000, SEED), {}
    ratios: dict[str, list[Array]] = {"radial": [], "downwind": []}
    for z0 in (0.1, 0.5, 1.0):
        for name, layer in zip("ABCDEF", class_layers(z0), strict=True):
            fast = fast_line(pairs, layer, wind_dir_deg=37.0)
            for meander, gathered in ratios.items():
                full = full_line(pairs, layer, wind_dir_deg=37.0, meander=meander)
                gathered.append(fast / full)
                table[f"{meander}, z0 {z0} m, {name}"] = _percentiles(fast / full) | {"sum": fast.sum() / full.sum()}
    figures = []
    for meander, gathered in ratios.items():
        told = _percentiles(np.concatenate(gathered))
        figures += [
            figure(f"fast / full ({meander}): percentile {at}", told[f"p{at}"], "1", n=len(np.concatenate(gathered)))
            for at in (1, 5, 50, 95, 99)
        ]
        sums = [row["sum"] for key, row in table.items() if key.startswith(meander)]
        figures.append(figure(f"fast / full ({meander}): least sum of a class", min(sums), "1", seed=SEED))
        figures.append(figure(f"fast / full ({meander}): greatest sum", max(sums), "1", seed=SEED))
    return {"ratio": table, "figures": figures}


def _percentiles(values: Array) -> dict[str, float]:
    return {f"p{at}": float(np.percentile(values, at)) for at in (0, 1, 5, 50, 95, 99, 100)}


# --- a year of a city ------------------------------------------------------------------------------------------------


def random_city(n_links: int, n_receptors: int, seed: int) -> tuple[LineSources, Array]:
    """Straight links (median 80 m) and receptors at 1.5 m, uniform on 10 x 10 km."""
    from simulation.air.dispersion import LineSources

    rng = np.random.default_rng(seed)
    length, angle = 80.0 * np.exp(0.7 * rng.standard_normal(n_links)), rng.uniform(0.0, 2.0 * np.pi, n_links)
    half, middle = 0.5 * length * np.stack([np.cos(angle), np.sin(angle)]), rng.uniform(0.0, CITY_M, (2, n_links))
    heights, wakes = np.full(n_links, 1.0), np.full(n_links, 1.2)
    (x0, y0), (x1, y1) = middle - half, middle + half
    sources = LineSources(x0, y0, x1, y1, heights, wakes, np.arange(n_links, dtype=np.int32))
    places = np.column_stack([rng.uniform(0.0, CITY_M, (n_receptors, 2)), np.full(n_receptors, 1.5)])
    return sources, places


def _matrices(n_links: int, n_receptors: int, **options: Any) -> SourceReceptor:
    from simulation.air.boundary_layer import class_layers
    from simulation.air.dispersion import SourceReceptor

    sources, places = random_city(n_links, n_receptors, SEED)
    return SourceReceptor(sources, n_links, places, class_layers(0.5), **options)


def year_of_hours(hours: int, seed: int) -> pd.DataFrame:
    """Hours of weather as a benchmark needs it: every class and direction, u* 0.1 to 0.7 m/s, day and night."""
    rng, hour = np.random.default_rng(seed), np.arange(hours) % 24
    return pd.DataFrame(
        {"wind_dir_deg": rng.uniform(0.0, 360.0, hours), "stability": rng.integers(0, 6, hours),
         "u_star_mps": rng.uniform(0.1, 0.7, hours), "traffic": 0.2 + np.sin(np.pi * hour / 24.0) ** 2,
         "radiation": 700.0 * np.maximum(0.0, np.sin(np.pi * (hour - 6) / 12.0)),
         "temperature_k": 283.0 + 6.0 * np.sin(np.pi * (hour - 8) / 12.0)}
    )  # fmt: skip


def speed(hours: int = YEAR_H) -> dict[str, Any]:
    """Precompute all matrices, then run the hours: four pollutants at once, and NO2 by chemistry."""
    from simulation.air.chemistry import react_in_place

    _matrices(50, 50).prepare()  # compile or load the kernels
    begun = time.process_time()
    matrices = _matrices(N_LINKS, N_RECEPTORS).prepare()
    precompute_s = time.process_time() - begun
    rng, weather = np.random.default_rng(SEED), year_of_hours(hours, SEED)
    usual = rng.lognormal(np.log(5e-5), 1.0, (N_LINKS, 1)) * np.array([1.0, 0.15, 0.06, 0.10])  # g/m/s
    mean, background = np.zeros((N_RECEPTORS, len(POLLUTANTS))), np.array([20.0, 12.0, 8.0, 14.0]) * 1e-6  # g/m3
    begun = time.process_time()
    chemistry_s = 0.0
    for hour in weather.itertuples():
        wind = {"wind_dir_deg": hour.wind_dir_deg, "stability": hour.stability, "u_star_mps": hour.u_star_mps}
        air = matrices.apply(hour.traffic * usual, **wind) + background
        started = time.process_time()
        nox, no2 = np.ascontiguousarray(air[:, 0]), np.ascontiguousarray(air[:, 1])
        sky = {"radiation": hour.radiation, "temperature_k": hour.temperature_k}
        react_in_place(nox, no2, np.full(N_RECEPTORS, 60e-6), **sky, residence_s=100.0, unit="g_per_m3")
        air[:, 1] = no2
        chemistry_s += time.process_time() - started
        mean += air / hours
    run_s = time.process_time() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    year_s = run_s * YEAR_H / hours
    near = {
        name: {
            "share_of_emission_beyond_in_15_min": matrices.beyond(stability=k, u_star_mps=0.3),
            "residence_s": matrices.residence_s(stability=k, u_star_mps=0.3), "depth_m": matrices.depth_m(k),
        }
        for k, name in enumerate("ABCDEF")
    }  # fmt: skip
    lost = discarded()
    n, size = N_LINKS * N_RECEPTORS, matrices.nbytes / 1e6
    figures = [
        figure("precompute, 36 directions x 6 classes", precompute_s, "CPU s", target=300.0, n=n, seed=SEED),
        figure("year of hours, chemistry included", year_s, "CPU s", target=60.0, n=hours, seed=SEED),
        figure("an hour", 1e3 * run_s / hours, "CPU ms", n=hours, seed=SEED),
        figure("chemistry of an hour", 1e3 * chemistry_s / hours, "CPU ms", n=hours, seed=SEED),
        figure("matrices", size, "MB", n=matrices.nnz, seed=SEED),
        figure("peak memory", peak_mb, "MB", target=1500.0, seed=SEED),
        *(figure(f"discarded beyond 500 m, class {name}", share, "1", seed=SEED) for name, share in lost.items()),
        *(figure(f"passes 500 m in 15 min at u* 0.3, class {name}", row["share_of_emission_beyond_in_15_min"], "1")
          for name, row in near.items()),
    ]  # fmt: skip
    means = dict(zip(POLLUTANTS, 1e6 * mean.mean(axis=0), strict=True))
    return {"near_field": near, "discarded": lost, "pairs": matrices.n_pairs, "nnz": matrices.nnz,
            "mean_ug_per_m3": means, "figures": figures}  # fmt: skip


def discarded(n_receptors: int = 100) -> dict[str, float]:
    """Share of the concentration from within 2,000 m that the cut-off of 500 m leaves to the zone boxes, by class.

    Even emission over the whole city, four wind directions, receptors within the middle 6 x 6 km.
    """
    from simulation.air.boundary_layer import class_layers
    from simulation.air.dispersion import SourceReceptor

    sources, places = random_city(N_LINKS, n_receptors, SEED)
    places[:, :2] = 0.2 * CITY_M + 0.6 * places[:, :2]
    even = np.ones((N_LINKS, 1))
    near, far = (
        SourceReceptor(sources, N_LINKS, places, class_layers(0.5), cutoff_m=cut) for cut in (500.0, 2000.0)
    )  # fmt: skip
    return {
        name: float(1.0 - np.divide(*(
            sum(m.apply(even, wind_dir_deg=d, stability=k, u_star_mps=1.0).sum() for d in (0, 90, 180, 270))
            for m in (near, far)
        )))
        for k, name in enumerate("ABCDEF")
    }  # fmt: skip


def growth(hours: int = YEAR_H) -> dict[str, Any]:
    """Cost of one direction's matrix and of an hour against links x receptors, on the same area; best of three."""
    rows = []
    _matrices(50, 50).prepare([3])
    for scale in (4, 2, 1):
        n_links, n_receptors = N_LINKS // scale, N_RECEPTORS // scale
        making, product = [], []
        for _ in range(3):
            begun = time.process_time()
            matrices = _matrices(n_links, n_receptors)
            matrices.apply(np.ones((n_links, 4)), wind_dir_deg=10.0, stability=3, u_star_mps=0.3)
            making.append(time.process_time() - begun)
            begun = time.process_time()
            for _ in range(20):
                matrices.apply(np.ones((n_links, 4)), wind_dir_deg=10.0, stability=3, u_star_mps=0.3)
            product.append((time.process_time() - begun) / 20)
        rows.append({"links": n_links, "receptors": n_receptors, "make_s": min(making), "hour_s": min(product)})
    cells = np.array([row["links"] * row["receptors"] for row in rows], dtype=float)
    figures = [
        figure(f"growth of {told} with links x receptors", exponent(cells, np.array([row[key] for row in rows])), "1",
               target=1.1, n=len(rows), seed=SEED)
        for told, key in (("matrices", "make_s"), ("an hour", "hour_s"))
    ]  # fmt: skip
    return {"sizes": rows, "figures": figures}


def exponent(size: Array, cost: Array) -> float:
    """Power with which a cost grows: the slope of its logarithm over that of the size; 1 is linear."""
    return float(np.polyfit(np.log(size), np.log(cost), 1)[0])


# --- four weeks of the demo city -------------------------------------------------------------------------------------


def demo(hours: int = YEAR_H) -> dict[str, Any]:
    """CPU seconds of air and noise within a run of the demo city, matrices and all, and the balance of mass."""
    from app.city_making import city_of
    from data.cities import load_city
    from simulation.air.background import SPECIES
    from simulation.air.model import AirModel
    from simulation.soundscape import Soundscape
    from zones import make_zones

    hours = min(hours, DEMO_H)
    source = load_city("helsinki")
    zones = make_zones(source.links, source.places, count=DEMO_ZONES)
    city = city_of(source, zones)
    city.run(days=1 / 24, seed=SEED)  # compile or load the kernels
    clocks = {"air": _Clock(AirModel, "step"), "noise": _Clock(Soundscape, "book")}
    begun = time.process_time()
    city.run(days=hours / 24, seed=SEED)
    whole_s = time.process_time() - begun
    for clock in clocks.values():
        clock.stop()
    weeks = DEMO_H / hours
    air = clocks["air"].owners[0]
    books = air.ledger
    balance = {
        name: {"came_in_g": came, "unexplained": part, "emitted_g": given}
        for name, came, part, given in zip(
            SPECIES, (air.mass_at_start + books.emitted + books.blown_in).tolist(), air.imbalance().tolist(),
            books.emitted.tolist(),
        )
    }  # fmt: skip
    plumes = air.field.plumes
    told = {"n": hours, "seed": SEED}
    figures = [
        figure("four weeks of air", weeks * clocks["air"].seconds, "CPU s", target=5.0, **told),
        figure("four weeks of noise", weeks * clocks["noise"].seconds, "CPU s", **told),
        figure("air of the whole run", clocks["air"].seconds / whole_s, "1", **told),
        figure("noise of the whole run", clocks["noise"].seconds / whole_s, "1", **told),
        figure("plume matrices", plumes.nbytes / 1e6, "MB", n=plumes.nnz, seed=SEED),
        figure("mass unexplained", float(np.abs(air.imbalance()).max()), "1", target=1e-6, **told),
    ]
    return {"links": len(city.links), "zones": len(zones), "receptors": len(city.receptors), "balance": balance,
            "figures": figures}  # fmt: skip


class _Clock:
    """Adds up the CPU time of every making and every call of one method of a class, until stopped."""

    def __init__(self, owner: type, method: str) -> None:
        self.owner, self.method, self.seconds = owner, method, 0.0
        self.owners: list[Any] = []
        self._kept = {name: getattr(owner, name) for name in ("__init__", method)}
        for name, call in self._kept.items():
            setattr(owner, name, self._timed(call, made=name == "__init__"))

    def stop(self) -> None:
        """Let the class be as it was."""
        for name, call in self._kept.items():
            setattr(self.owner, name, call)

    def _timed(self, call: Callable[..., Any], *, made: bool) -> Callable[..., Any]:
        def timed(one: Any, *args: Any, **options: Any) -> Any:
            begun = time.process_time()
            result = call(one, *args, **options)
            self.seconds += time.process_time() - begun
            if made:
                self.owners.append(one)
            return result

        return timed


#: Parts by name, in order; each takes the number of hours and gives its results, with its figures.
PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "idaho": idaho, "forms": forms, "speed": speed, "growth": growth, "demo": demo,
}  # fmt: skip
