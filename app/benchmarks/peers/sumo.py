"""SUMO's mesoscopic model: fixed routes at free flow, all four headway factors 1, no teleports."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree.ElementTree import iterparse

import numpy as np

from app.benchmarks.peers.free_flow import free_flow_paths
from app.benchmarks.peers.process import max_rss_mib
from app.benchmarks.peers.task import Outcome, Task
from data.errors import InputError
from data.readers.dynamic_case import DynamicCase

#: Net headways of free and jammed segments, as factors of the vehicle's reaction time (SUMO: 1.13, 1.13, 1.73, 1.4).
HEADWAYS = ("--meso-tauff", "--meso-taufj", "--meso-taujf", "--meso-taujj")
_OPTIONS = (
    "--mesosim", *(text for name in HEADWAYS for text in (name, "1")), "--time-to-teleport", "-1", "--no-step-log",
    "--no-warnings", "--route-steps", "0", "--threads", "1",
)  # fmt: skip
#: Distance over which the nodes are spread, m; lengths of links are given, so only the drawing depends on it.
_SPREAD_M = 100_000.0


def measure(task: Task) -> Outcome:
    """Run a task by SUMO's own programs; time and memory are those of the child process.

    Reading the input is no simulation: a run that ends at once is timed too and taken off. Travel times come from a
    further run, since writing them takes longer than the simulation itself.
    """
    begun = time.process_time()
    case = task.read()
    with TemporaryDirectory() as folder:
        net, routes, trips = (Path(folder) / name for name in ("net.xml", "routes.xml", "trips.xml"))
        write_network(case, net)
        write_routes(case, routes)
        written = time.process_time() - begun
        call = [str(program("sumo")), "-n", str(net), "-r", str(routes), *_OPTIONS, "--end"]
        nothing_s, _ = _run([*call, "0"])
        cpu_s, peak = _run([*call, f"{task.horizon_s:g}"])
        after_s, _ = _run(
            [*call, f"{task.horizon_s:g}", "--tripinfo-output", str(trips), "--tripinfo-output.write-unfinished"]
        )
        arrival = _arrivals(trips, len(case.trips))
    return Outcome.of_trips(
        case.trips["depart_s"].to_numpy(), arrival, weight=1, horizon_s=task.horizon_s,
        cpu_s=max(cpu_s - nothing_s, 0.0), setup_s=written + nothing_s, after_s=after_s - cpu_s, compile_s=0.0,
        peak_mib=peak, version=version("eclipse-sumo"),
    )  # fmt: skip


def program(name: str) -> Path:
    """Path of one of SUMO's programs as the package `eclipse-sumo` installs them."""
    found = find_spec("sumo")
    for folder in found.submodule_search_locations or () if found else ():
        path = Path(folder) / "bin" / (name + (".exe" if os.name == "nt" else ""))
        if path.is_file():
            return path
    raise InputError(f"SUMO's program '{name}' is not installed; pip install 'zonewise[bench]'")


def write_network(case: DynamicCase, path: Path) -> None:
    """Write the case as plain XML and let `netconvert` make a network of it: links only, every movement but U-turns."""
    nodes, edges = path.with_name("plain.nod.xml"), path.with_name("plain.edg.xml")
    place = case.nodes[["x", "y"]].to_numpy()
    place = (place - place.min(axis=0)) / max(np.ptp(place, axis=0).max(), 1e-9) * _SPREAD_M
    lines = (f'<node id="{k}" x="{x:.1f}" y="{y:.1f}"/>' for k, (x, y) in enumerate(place))
    nodes.write_text("<nodes>\n" + "\n".join(lines) + "\n</nodes>\n")
    lines = (
        f'<edge id="{link.link_id}" from="{link.from_node_id}" to="{link.to_node_id}" length="{link.length_m!r}"'
        f' speed="{link.free_flow_speed_mps!r}" numLanes="{int(link.lanes)}" priority="{int(link.merge_weight)}"/>'
        for link in case.links.itertuples()
    )
    edges.write_text("<edges>\n" + "\n".join(lines) + "\n</edges>\n")
    _run([
        str(program("netconvert")), "-n", str(nodes), "-e", str(edges), "-o", str(path), "--no-internal-links", "true",
        "--no-turnarounds", "true", "--offset.disable-normalization", "true", "--no-warnings",
    ])  # fmt: skip


def write_routes(case: DynamicCase, path: Path) -> None:
    """Write every trip with its shortest path at free flow; a vehicle takes 1 / jam density of a lane."""
    links, start, pair = free_flow_paths(case)
    space = float((case.links["lanes"] / case.links["jam_density_veh_per_m"]).median())
    depart = case.trips["depart_s"].to_numpy()
    with path.open("w") as file:
        file.write(
            f'<routes>\n<vType id="car" length="{0.5 * space!r}" minGap="{0.5 * space!r}" tau="1" speedFactor="1"'
            ' speedDev="0" sigma="0"/>\n'
        )
        for p, (a, b) in enumerate(pairwise(start)):
            file.write(f'<route id="{p}" edges="{" ".join(map(str, links[a:b]))}"/>\n')
        file.writelines(
            f'<vehicle id="{k}" type="car" route="{p}" depart="{t:g}"/>\n'
            for k, (p, t) in enumerate(zip(pair, depart, strict=True))
        )
        file.write("</routes>\n")


def _run(command: Sequence[str]) -> tuple[float, float]:
    """CPU seconds and peak memory (MiB) of a program."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"{Path(command[0]).name} ended with code {process.returncode}: {said.strip()[-500:]}")
    return usage.ru_utime + usage.ru_stime, max_rss_mib(usage)


def _arrivals(path: Path, n_trips: int) -> np.ndarray:
    """Arrival of each trip, s; nan where it did not arrive or was not even let in."""
    arrival = np.full(n_trips, np.nan)
    for _, element in iterparse(path):
        if element.tag == "tripinfo":
            at = float(element.get("arrival", "-1"))
            if at >= 0:
                arrival[int(element.get("id", "-1"))] = at
        element.clear()
    return arrival
