"""Speed and memory of a simulated city: `zonewise benchmark city [--json] [CITY ...] [DAYS]`.

Without arguments: Helsinki for 7 days, and Krems and Monaco for one where the shared data is found
(`ZONEWISE_SHARED_DATA`, or `shared/data` beside the project). Each city runs in a process of its own, so that its
memory is its own; kernels are compiled before the clock starts.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from app.benchmarks import figure


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case.

    Parameters
    ----------
    arguments : sequence of str
        Cities (names or files), and the number of days as a whole number.
    """
    days = next((int(a) for a in arguments if a.isdigit()), None)
    named = [a for a in arguments if not a.isdigit()]
    cities = [(city, days or 7) for city in named] or _default_cities(days)
    results = {}
    for city, length in cities:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            results[city] = pool.submit(measure, city, length).result()
    figures = [
        figure(f"{Path(city).name.split('.')[0]}: {name}", value, unit, seed=1)
        for city, result in results.items()
        for name, value, unit in (
            ("simulated days per second", result["days"] / result["sim_seconds"], "d/s"),
            ("link traversals per second", result["traversals_per_second"], "1/s"),
            ("peak memory", result["peak_rss_mb"], "MB"),
        )
    ]
    first = next(iter(results.values()))
    return {
        **first,
        "cities": {Path(city).name.split(".")[0]: result for city, result in results.items()},
        "figures": figures,
    }


def _default_cities(days: int | None) -> list[tuple[str, int]]:
    here = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("ZONEWISE_SHARED_DATA", here.parent / "shared" / "data")) / "osm"
    files = [(str(shared / f"{name}.osm.gz"), days or 1) for name in ("krems", "monaco")]
    return [("helsinki", days or 7), *((path, length) for path, length in files if Path(path).is_file())]


def measure(source: str, days: int) -> dict[str, Any]:
    """Read a city, warm the kernels, and run it once, in this process."""
    from app.city_making import city_of
    from data.cities import load_city
    from simulation.city import gateway_share
    from zones import make_zones

    begun = time.perf_counter()
    read = load_city(source)
    read_s = time.perf_counter() - begun
    zones = make_zones(read.links, read.places)
    city = city_of(read, zones)
    city.run(days=1 / 96, seed=1)
    begun = time.perf_counter()
    result = city.run(days=days, seed=1)
    taken = time.perf_counter() - begun
    summary = result.summary
    return {
        "days": days, "trips": summary["departed"], "link_traversals": summary["link_traversals"],
        "sim_seconds": taken, "traversals_per_second": summary["link_traversals"] / taken,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, "links": len(city.links),
        "zones": len(city.zones), "gateways": len(city.gateways), "read_seconds": read_s,
        "forced_moves": summary["forced_moves"],
        "unfinished": summary["on_road"] + summary["waiting"], "conserved": bool(summary["conserved"]),
        "mean_speed_kmh": 3.6 * summary["mean_speed_mps"], "gateway_share_of_vehicle_km": gateway_share(city),
        "incidents": summary["incidents"],
    }  # fmt: skip
