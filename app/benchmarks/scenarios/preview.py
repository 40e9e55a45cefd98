"""Part `preview`: how well micromodels foresee scenarios that they have not seen, how fast, and what they warn of.

- Accuracy: an ensemble of a made-up town of some 500 links in 20 zones, three hours of the morning peak, two runs a
  scenario out of eight days' weather and luck; 30 scenarios of another design seed are held out and simulated on four
  other days. The error of a scenario is the mean over its zones of the absolute difference from the simulated effect
  (the mean of the four days), over that of saying "no change".
- Luck: what the four days differ by bounds what any preview can foresee; told from their spread, and from what two
  halves of them say of each other.
- Time: a made-up town in 200 zones, one question after another, the answers' own clock.
- Scope: scenarios beyond what the ensemble holds, of six kinds, and the held-out ones, which lie within.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.benchmarks import figure
from data.store.protocol import Store

TRAIN, TEST = 300, 30
SEEDS, PAIRS, TEST_SEEDS = range(1, 9), 2, (101, 102, 103, 104)
TOWN, ZONES = "synthetic:500@3", 20
LARGE_TOWN, LARGE_ZONES = "synthetic:2000@7", 200
LARGE_SCENARIOS = 20
OUTSIDE = 60


def made(source: str, count: int) -> Any:
    """A town cut into zones."""
    from app.city_making import city_of
    from data.cities import load_city
    from zones import make_zones

    read = load_city(source)
    return city_of(read, make_zones(read.links, read.places, count=count))


def measure(
    *, seed: int = 1, store: Store | None = None, cancelled: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """Simulate, learn, ask."""
    from simulation.preview import Preview, Window, draw, simulate

    city, window = made(TOWN, ZONES), Window()
    kept = {"window": window, "store": store, "cancelled": cancelled}
    train = simulate(city, draw(city, TRAIN, window=window, seed=seed), seeds=SEEDS, pairs=PAIRS, **kept)
    test = simulate(city, draw(city, TEST, window=window, seed=seed + 98), seeds=TEST_SEEDS, **kept)
    preview = Preview.learn(city, train, seed=seed)
    found = accuracy(preview, test, seed)
    scope = scope_figures(preview, test, seed)
    record = preview.record.assign(ratio=preview.record["error"] / preview.record["no_change_error"])
    return {
        "figures": [*found.pop("figures"), *scope.pop("figures"), *timing(seed)], **found, **scope,
        "out_of_fold": record.round(4).to_dict("records"), "chosen": preview.chosen,
    }  # fmt: skip


def accuracy(preview: Any, test: Any, seed: int) -> dict[str, Any]:
    """Errors on held-out scenarios against saying that nothing changes, and the coverage of the bounds."""
    from simulation.preview import QUANTITIES

    names, zones = list(QUANTITIES), list(test.zone_ids)
    place = {zone: k for k, zone in enumerate(zones)}
    shape = test.effects.shape
    said, low, high = (np.full(shape, np.nan) for _ in range(3))
    for k, scenario in enumerate(test.scenarios):
        table = preview.ask(scenario).effects
        table = table[table["zone_id"] != ""]
        at = k, table["zone_id"].map(place).to_numpy(), table["quantity"].map(names.index).to_numpy()
        said[at], low[at], high[at] = table["effect"], table["lower"], table["upper"]
    true = test.effects
    error, nothing = np.nanmean(np.abs(said - true), axis=1), np.nanmean(np.abs(true), axis=1)  # (K, Q)
    days = test.differences  # (K, P, Z, Q)
    chance = days.std(axis=1, ddof=1) / np.sqrt(days.shape[1])
    luck = np.nanmean(chance, axis=1) * np.sqrt(2.0 / np.pi)  # mean absolute error of the mean of the days
    half = days.shape[1] // 2  # two halves of the days differ by twice what the mean of all is off by
    halves = np.nanmean(np.abs(days[:, :half].mean(axis=1) - days[:, half : 2 * half].mean(axis=1)), axis=1) / 2.0
    covered = (true >= low) & (true <= high)
    ratio = np.median(error, axis=0) / np.median(nothing, axis=0)
    rows = [
        {
            "quantity": name, "model": preview.chosen[name], "error_over_no_change": float(ratio[q]),
            "median_of_ratios": float(np.median(error[:, q] / np.maximum(nothing[:, q], 1e-12))),
            "luck_over_no_change": float(np.median(luck[:, q]) / np.median(nothing[:, q])),
            "halves_over_no_change": float(np.median(halves[:, q]) / np.median(nothing[:, q])),
            "coverage": float(covered[..., q][np.isfinite(true[..., q])].mean()),
        }
        for q, name in enumerate(names)
    ]  # fmt: skip
    n = len(test.scenarios)
    figures = [
        figure(f"{row['quantity']}: median error over that of no change", float(row["error_over_no_change"]), "share",
               target=0.5, n=n, seed=seed)
        for row in rows
    ]  # fmt: skip
    figures.append(
        figure("all quantities: median error over that of no change", float(np.median(ratio)), "share", target=0.5, n=n,
               seed=seed, lower=float(ratio.min()), upper=float(ratio.max()))
    )  # fmt: skip
    floor = np.array([row["halves_over_no_change"] for row in rows], dtype=float)
    figures.append(
        figure("all quantities: what the luck of the test's own days makes of it, from two halves of them",
               float(np.median(floor)), "share", n=n, seed=seed, lower=float(floor.min()), upper=float(floor.max()))
    )  # fmt: skip
    cover = float(covered[np.isfinite(true)].mean())
    figures.append(figure("coverage of the 90 % bounds", cover, "share", n=n, seed=seed))
    return {"figures": figures, "held_out": rows, "kinds": _by_kind(preview, test, seed)}


def _by_kind(preview: Any, test: Any, seed: int) -> list[dict[str, Any]]:
    """The out-of-fold errors of each kind of model, over those of no change: zone-level beside citywide."""
    table = preview.record.assign(ratio=preview.record["error"] / preview.record["no_change_error"])
    wide = table.pivot(index="quantity", columns="kind", values="ratio").round(4)
    rows: list[dict[str, Any]] = wide.reset_index().to_dict("records")
    return rows


def timing(seed: int) -> list[dict[str, Any]]:
    """Seconds of answers in 200 zones; the models' accuracy does not matter here, so a few quarter hours teach them."""
    from simulation.preview import Preview, Window, draw, simulate

    city, window = made(LARGE_TOWN, LARGE_ZONES), Window(start="2026-01-27 07:30", hours=0.25)
    scenarios = draw(city, LARGE_SCENARIOS, window=window, seed=seed)
    preview = Preview.learn(city, simulate(city, scenarios, window=window), seed=seed)
    preview.ask(scenarios[0])
    seconds = [preview.ask(scenario).seconds for scenario in draw(city, TEST, window=window, seed=seed + 98)]
    return [
        figure(f"answer in {len(city.zones)} zones, median", 1000.0 * float(np.median(seconds)), "ms", target=100.0,
               n=len(seconds), seed=seed, lower=1000.0 * min(seconds), upper=1000.0 * max(seconds)),
        figure(f"answer in {len(city.zones)} zones, slowest", 1000.0 * max(seconds), "ms", target=100.0,
               n=len(seconds), seed=seed),
    ]  # fmt: skip


def outside_scenarios(city: Any, window: Any, n: int, seed: int) -> list[tuple[str, Any]]:
    """Scenarios beyond the default design, by kind: strengths, places, numbers, and measures it does not hold."""
    from simulation.preview import Design, draw
    from simulation.scenarios import ActuateSignals, CloseStreet, RetimeSignals, ScaleDemand, Scenario, Selection

    rng = np.random.default_rng([seed, 313])
    zones = [str(zone) for zone in city.zones["zone_id"] if (city.link_zone["zone_id"] == zone).any()]
    strong = {
        "demand up": Design(ranges={"demand": (1.35, 2.0)}, most_measures=1, hours_share=0.0),
        "demand down": Design(ranges={"demand": (0.2, 0.65)}, most_measures=1, hours_share=0.0),
        "toll": Design(ranges={"toll": (6.0, 20.0)}, most_measures=1, hours_share=0.0),
        "speed": Design(ranges={"speed_limit": (5.0, 12.0)}, most_measures=1, hours_share=0.0),
        "lanes": Design(ranges={"lanes": (2.0, 3.0)}, most_measures=1, hours_share=0.0),
    }
    found: list[tuple[str, Any]] = []
    each = n // 10
    for k, (kind, design) in enumerate(strong.items()):
        found += [(kind, one) for one in draw(city, each, window=window, design=design, seed=seed + 50 + k)]
    kinds = {
        "large closure": lambda: (CloseStreet(where=Selection(zones=tuple(rng.choice(zones, 4, replace=False)))),),
        "many measures": lambda: tuple(
            ScaleDemand(factor=float(rng.uniform(0.85, 1.15)), from_zones=(zone,))
            for zone in rng.choice(zones, 6, replace=False)
        ),
        "actuated signals": lambda: (ActuateSignals(where=Selection()),),
        "retimed signals": lambda: (RetimeSignals(where=Selection(), percent_of_peak=float(rng.uniform(60, 140))),),
        "four at once, a zone closed": lambda: (
            *(ScaleDemand(factor=0.82, to_zones=(zone,)) for zone in rng.choice(zones, 3, replace=False)),
            CloseStreet(where=Selection(zones=(str(rng.choice(zones)),))),
        ),
    }
    for kind, make in kinds.items():
        found += [(kind, Scenario(name=f"odd-{kind}-{k}", measures=make())) for k in range(each)]
    return [(kind, one) for kind, one in found if not one.check(city)]


def scope_figures(preview: Any, test: Any, seed: int) -> dict[str, Any]:
    """How many scenarios from outside are warned of, and how many from within."""
    outside = outside_scenarios(preview.city, preview.window, OUTSIDE, seed)
    verdicts = [(kind, preview.ask(one).scope) for kind, one in outside]
    within = [preview.ask(one).scope for one in test.scenarios]
    caught = {
        kind: float(np.mean([not verdict.inside for name, verdict in verdicts if name == kind]))
        for kind in dict(verdicts)
    }
    return {
        "figures": [
            figure("scenarios from outside that are warned of", float(np.mean([not v.inside for _, v in verdicts])),
                   "share", target=0.9, at_most=False, n=len(verdicts), seed=seed),
            figure("scenarios from within that are warned of", float(np.mean([not v.inside for v in within])), "share",
                   n=len(within), seed=seed),
        ],
        "warned_by_kind": caught, "warned_within": [str(v) for v in within if not v.inside],
    }  # fmt: skip
