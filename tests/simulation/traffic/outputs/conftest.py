"""Entry logs that can be checked by hand, and random ones for slow twins."""

import numpy as np
import pytest

from simulation.traffic.entry_log import END, EntryLog
from simulation.traffic.network import LinkArrays


def arrays_of(n, **fields):
    """Links of 100 m, 10 m/s, 0.5 veh/s and 0.2 veh/m (w = 10/3 m/s: 30 s back over 100 m, 20 vehicles) unless told."""
    usual = {
        "length_m": 100.0, "lanes": 1.0, "speed_mps": 10.0, "capacity_veh_per_s": 0.5, "jam_density_veh_per_m": 0.2,
        "cycle_s": 0.0, "green_start_s": 0.0, "green_s": 0.0,
    }  # fmt: skip
    values = {name: np.broadcast_to(np.asarray(fields.get(name, v), float), n).copy() for name, v in usual.items()}
    out = np.asarray(fields.get("discharge_veh_per_s", values["capacity_veh_per_s"]), float)
    return LinkArrays(**values, discharge_veh_per_s=np.broadcast_to(out, n).copy())


def log_of(*rows):
    """A log from (trip, link, time) rows."""
    trip, link, time = zip(*rows) if rows else ((), (), ())
    return EntryLog(np.array(trip, np.int32), np.array(link, np.int32), np.array(time, float))


def random_log(seed, *, trips=60, n_links=7, horizon_s=400.0):
    """Trips on random walks with random times; some end, some are still there."""
    rng = np.random.default_rng(seed)
    rows = []
    for trip in range(trips):
        steps = int(rng.integers(1, 9))
        times = rng.uniform(0, horizon_s) + np.cumsum(rng.exponential(25.0, steps + 1))
        rows += [(trip, int(link), float(at)) for link, at in zip(rng.integers(0, n_links, steps), times)]
        if rng.random() < 0.6:
            rows.append((trip, END, float(times[-1])))
    rows = sorted(rows, key=lambda row: row[2])
    return log_of(*rows)


@pytest.fixture(scope="session")
def make_arrays():
    return arrays_of


@pytest.fixture(scope="session")
def make_log():
    return log_of


@pytest.fixture(scope="session")
def make_random_log():
    return random_log
