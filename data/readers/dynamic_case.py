"""Neutral cases of dynamic traffic: a folder with `nodes.csv`, `links.csv` and `trips.csv.gz` that any engine can run.

Links of the folder are directed and carry the triangular fundamental diagram over all their lanes; a trip is one whole
vehicle with a departure time and two nodes. Names of nodes and links may be anything; the tables returned here number
them from 0 in the order of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError, SchemaError

#: Columns of each file that must be there; further ones are ignored.
_COLUMNS = {
    "nodes": ("node", "x", "y"),
    "links": ("link", "from", "to", "length_m", "speed_mps", "lanes", "cap_vps", "jam_vpm", "merge_priority"),
    "trips": ("depart_s", "orig", "dest"),
}
_NAMES = ("node", "link", "from", "to", "orig", "dest")
#: Highest plausible speed, m/s (252 km/h): beyond it a speed was given in another unit.
MAX_SPEED_MPS = 70.0
_SHOWN = 3  # examples of a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicCase:
    """A network and its trips.

    Attributes
    ----------
    name : str
    nodes : DataFrame
        `node_id` (0..), `name`, `x`, `y` (in the unit of the file).
    links : DataFrame
        `link_id` (0..), `name`, `from_node_id`, `to_node_id`, `length_m`, `lanes`, `free_flow_speed_mps`,
        `capacity_veh_per_s` and `jam_density_veh_per_m` (over all lanes), `merge_weight` (dimensionless: shares of a
        saturated merge).
    trips : DataFrame
        `depart_s` (s, ascending), `origin_node_id`, `dest_node_id`: one row a vehicle.
    """

    name: str
    nodes: pd.DataFrame
    links: pd.DataFrame
    trips: pd.DataFrame


def read_dynamic_case(folder: Path | str) -> DynamicCase:
    """Read the case of a folder.

    Parameters
    ----------
    folder : Path or str
        Holds `nodes.csv`, `links.csv` and `trips.csv`, each plain or with `.gz`. Columns: nodes `node`, `x`, `y`;
        links `link`, `from`, `to`, `length_m`, `speed_mps`, `lanes`, `cap_vps` (veh/s), `jam_vpm` (veh/m over all
        lanes), `merge_priority`; trips `depart_s`, `orig`, `dest`.

    Returns
    -------
    DynamicCase

    Raises
    ------
    InputError
        If the folder or some of its files are not there.
    FileFormatError
        If a file is no CSV table.
    SchemaError
        With every fault of all three files: missing columns, repeated names, unknown nodes, values that are missing or
        outside of what is possible, trips that end where they begin.
    """
    folder = Path(folder)
    tables = {name: _table(path) for name, path in _files(folder).items()}
    faults = [
        f"{name} lacks column(s) {missing}; it has {list(map(str, table.columns))}"
        for name, table in tables.items()
        if (missing := [column for column in _COLUMNS[name] if column not in table.columns])
    ]
    if faults:
        raise SchemaError(f"dynamic case {folder}", faults)
    nodes, links, trips = tables["nodes"], tables["links"], tables["trips"]
    faults = [*_repeated(nodes, "nodes", "node"), *_repeated(links, "links", "link")]
    known = pd.Index(nodes["node"].drop_duplicates())
    at = {
        (name, column): _positions(tables[name], name, column, known, faults)
        for name, column in (("links", "from"), ("links", "to"), ("trips", "orig"), ("trips", "dest"))
    }
    numbers = _numbers(links, trips, nodes, faults)
    for name, (a, b) in {"links": ("from", "to"), "trips": ("orig", "dest")}.items():
        loops = np.flatnonzero((at[name, a] == at[name, b]) & (at[name, a] >= 0))
        if loops.size:
            faults.append(f"{name}: {loops.size} row(s) end where they begin, first row {loops[0] + 2} of the file")
    if not len(trips) or not len(links):
        faults.append(f"{len(links)} links and {len(trips)} trips; at least one of each is needed")
    if faults:
        raise SchemaError(f"dynamic case {folder}", faults)
    return _case(folder.name, nodes, links, at, numbers)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; give a folder with nodes.csv, links.csv and trips.csv.gz")
    found = {
        name: next((path for end in (".csv", ".csv.gz") if (path := folder / (name + end)).is_file()), None)
        for name in _COLUMNS
    }
    missing = [name for name, path in found.items() if path is None]
    if missing:
        wanted = ", ".join(f"{name}.csv or {name}.csv.gz" for name in missing)
        raise InputError(f"the dynamic case {folder} lacks {wanted}")
    return {name: path for name, path in found.items() if path is not None}


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, EOFError, OSError) as error:
        raise FileFormatError(f"{path} is no readable CSV table: {error}") from error


def _repeated(table: pd.DataFrame, name: str, column: str) -> list[str]:
    twice = table[column][table[column].duplicated()].unique()
    return [f"{name}: {twice.size} name(s) more than once, such as {twice[:_SHOWN].tolist()}"] if twice.size else []


def _positions(table: pd.DataFrame, name: str, column: str, known: pd.Index, faults: list[str]) -> np.ndarray:
    """Position of each named node in the file of nodes, -1 where unknown (a fault)."""
    at = np.asarray(known.get_indexer(pd.Index(table[column])))
    strange = table[column][at < 0].unique()
    if len(strange):
        faults.append(
            f"{name}: column '{column}' names {len(strange)} unknown node(s), such as {list(strange[:_SHOWN])}"
        )
    return at


def _numbers(
    links: pd.DataFrame, trips: pd.DataFrame, nodes: pd.DataFrame, faults: list[str]
) -> Mapping[tuple[str, str], np.ndarray]:
    """Every numeric column as float64; whatever is out of range becomes a fault."""
    above = np.nextafter(0.0, 1.0)
    ranges = {
        ("links", "length_m"): (above, np.inf, "above 0 m"),
        ("links", "speed_mps"): (above, MAX_SPEED_MPS, f"above 0 and at most {MAX_SPEED_MPS:g} m/s"),
        ("links", "lanes"): (1.0, np.inf, "at least 1"),
        ("links", "cap_vps"): (above, np.inf, "above 0 veh/s"),
        ("links", "jam_vpm"): (above, np.inf, "above 0 veh/m"),
        ("links", "merge_priority"): (above, np.inf, "above 0"),
        ("trips", "depart_s"): (0.0, np.inf, "at least 0 s"),
        ("nodes", "x"): (-np.inf, np.inf, "a number"),
        ("nodes", "y"): (-np.inf, np.inf, "a number"),
    }
    tables = {"links": links, "trips": trips, "nodes": nodes}
    out = {}
    for (name, column), (low, high, allowed) in ranges.items():
        values = pd.to_numeric(tables[name][column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= low) & (values <= high)))
        if bad.size:
            found = tables[name][column].iloc[bad[0]]
            faults.append(
                f"{name}: column '{column}' must be {allowed}; {bad.size} row(s) are not, first row {bad[0] + 2} of the"
                f" file with {found!r}"
            )
        out[name, column] = values
    jam, capacity, speed = (out["links", column] for column in ("jam_vpm", "cap_vps", "speed_mps"))
    with np.errstate(divide="ignore", invalid="ignore"):
        dense = np.flatnonzero(capacity / speed >= jam)
    if dense.size:
        k = dense[0]
        faults.append(
            f"links: jam_vpm must exceed cap_vps / speed_mps; {dense.size} row(s) do not, first row {k + 2} of the file"
            f" with {jam[k]:g} and {capacity[k] / speed[k]:g} veh/m; was a capacity given per hour?"
        )
    return out


def _case(
    name: str,
    nodes: pd.DataFrame,
    links: pd.DataFrame,
    at: Mapping[tuple[str, str], np.ndarray],
    numbers: Mapping[tuple[str, str], np.ndarray],
) -> DynamicCase:
    depart = numbers["trips", "depart_s"]
    order = np.argsort(depart, kind="stable")
    return DynamicCase(
        name=name,
        nodes=pd.DataFrame(
            {"node_id": np.arange(len(nodes)), "name": nodes["node"], "x": numbers["nodes", "x"],
             "y": numbers["nodes", "y"]}
        ),
        links=pd.DataFrame(
            {
                "link_id": np.arange(len(links)), "name": links["link"], "from_node_id": at["links", "from"],
                "to_node_id": at["links", "to"], "length_m": numbers["links", "length_m"],
                "lanes": numbers["links", "lanes"], "free_flow_speed_mps": numbers["links", "speed_mps"],
                "capacity_veh_per_s": numbers["links", "cap_vps"],
                "jam_density_veh_per_m": numbers["links", "jam_vpm"],
                "merge_weight": numbers["links", "merge_priority"],
            }
        ),
        trips=pd.DataFrame(
            {"depart_s": depart[order], "origin_node_id": at["trips", "orig"][order],
             "dest_node_id": at["trips", "dest"][order]}
        ),
    )  # fmt: skip
