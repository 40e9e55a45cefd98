"""Traffic assignment problems in the TNTP text format: network, trips, published flows, nodes.

The format is that of the Transportation Networks for Research collection
(https://github.com/bstabler/TransportationNetworks): lines `<KEY> value` up to `<END OF METADATA>`, then rows that end
with `;`; what follows `~` is a comment. Files may be compressed (`.gz`).

**Units stay as in the file** (columns end with `_native`): they differ from problem to problem (miles and minutes in
one, feet and minutes in another, none stated in a third), and published objectives are sums in those units. The file's
own words on units, where it has some, are in `TntpNetwork.stated_header`.
"""

from __future__ import annotations

import gzip
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError

_LOG = logging.getLogger(__name__)
_END = "END OF METADATA"
_SHOWN_FAULTS = 10
#: Columns of a link row, in the order of the format: name in the file, name here, smallest value allowed.
_LINK_COLUMNS: tuple[tuple[str, str, float], ...] = (
    ("init_node", "from_node", 1), ("term_node", "to_node", 1), ("capacity", "capacity_native", 0),
    ("length", "length_native", 0), ("free_flow_time", "free_flow_time_native", 0), ("b", "b", 0),
    ("power", "power", 0), ("speed", "speed_native", 0),
    ("toll", "toll_native", -math.inf), ("link_type", "link_type", -math.inf),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TntpNetwork:
    """A network file.

    Attributes
    ----------
    links : DataFrame
        One row a link, in the order of the file: `from_node`, `to_node`, `capacity_native`, `length_native`,
        `free_flow_time_native`, `b`, `power`, `speed_native`, `toll_native`, `link_type`. Time on a link is
        `free_flow_time x (1 + b (flow / capacity)^power)`.
    n_zones, n_nodes : int
        Zones are the nodes 1..n_zones.
    first_thru_node : int
        Routes may start and end at nodes below it, never pass through them.
    stated_header : str
        What the file says of its columns and units; empty where it says nothing.
    """

    links: pd.DataFrame
    n_zones: int
    n_nodes: int
    first_thru_node: int
    stated_header: str


def read_tntp_network(path: Path | str) -> TntpNetwork:
    """Read a network file (`*_net.tntp`, `*_net.tntp.gz`).

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every faulty line, what was found and what is allowed.
    """
    path = Path(path)
    meta, rows, comment = _split(path)
    faults: list[str] = []
    n_zones, n_nodes, n_links = (
        _count(meta, key, faults) for key in ("NUMBER OF ZONES", "NUMBER OF NODES", "NUMBER OF LINKS")
    )
    first_thru = _count(meta, "FIRST THRU NODE", faults, default=1)
    faults += _header_faults(comment)
    width = len(_LINK_COLUMNS)
    values = np.full((len(rows), width), np.nan)
    for k, (number, text) in enumerate(rows):
        words = text.replace(";", " ").split()
        if len(words) != width:
            faults.append(f"line {number}: {len(words)} values, allowed are {width} ({_names()})")
            continue
        for j, ((name, _, low), word) in enumerate(zip(_LINK_COLUMNS, words)):
            high = n_nodes if j < 2 and n_nodes else math.inf
            values[k, j] = _number(word, f"line {number}: {name}", low, high, faults)
    if n_links is not None and n_links != len(rows):
        faults.append(f"<NUMBER OF LINKS> says {n_links}, the file holds {len(rows)} link rows")
    _refuse(path, faults)
    links = pd.DataFrame(values, columns=[column for _, column, _ in _LINK_COLUMNS])
    return TntpNetwork(
        links=links.astype({"from_node": "int64", "to_node": "int64"}), n_zones=n_zones or 0, n_nodes=n_nodes or 0,
        first_thru_node=first_thru or 1, stated_header=meta.get("ORIGINAL HEADER", (0, ""))[1],
    )  # fmt: skip


def read_tntp_trips(path: Path | str) -> pd.DataFrame:
    """Read a trip table (`*_trips.tntp`, `*_trips.tntp.gz`).

    A sum that differs from the stated `<TOTAL OD FLOW>` by more than 0.01 % is logged as a warning; the rows count.

    Returns
    -------
    DataFrame
        `origin_zone`, `dest_zone` (int64), `trips_native` (above 0), ordered by both; trips within a zone included.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every faulty line, what was found and what is allowed.
    """
    path = Path(path)
    meta, rows, _ = _split(path)
    faults: list[str] = []
    n_zones = _count(meta, "NUMBER OF ZONES", faults)
    high = n_zones or math.inf
    origin = math.nan
    found: list[tuple[float, float, float]] = []
    for number, text in rows:
        if text.lower().startswith("origin"):
            origin = _number(text[len("origin") :].strip(), f"line {number}: origin", 1, high, faults)
            continue
        for entry in filter(None, (part.strip() for part in text.split(";"))):
            zone, colon, trips = entry.partition(":")
            if not colon:
                faults.append(f"line {number}: {entry!r}; allowed is 'zone : trips;'")
                continue
            if math.isnan(origin) and not faults:
                faults.append(f"line {number}: trips before the first 'Origin' line")
            dest = _number(zone.strip(), f"line {number}: zone", 1, high, faults)
            found.append((origin, dest, _number(trips.strip(), f"line {number}: trips", 0, math.inf, faults)))
    _refuse(path, faults)
    table = pd.DataFrame(found, columns=["origin_zone", "dest_zone", "trips_native"]).astype(
        {"origin_zone": "int64", "dest_zone": "int64", "trips_native": "float64"}
    )
    twice = table.duplicated(["origin_zone", "dest_zone"])
    _refuse(
        path, [f"zone pair {a} to {b} is given twice" for a, b, _ in table[twice].itertuples(index=False, name=None)]
    )
    _compare_total(path, meta, float(table["trips_native"].sum()))
    table = table[table["trips_native"] > 0]
    return table.sort_values(["origin_zone", "dest_zone"], ignore_index=True)


def read_tntp_flows(path: Path | str) -> pd.DataFrame:
    """Read published link flows (`*_flow.tntp`).

    Returns
    -------
    DataFrame
        `from_node`, `to_node` (int64), `flow_native`, `cost_native`, in the order of the file.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every faulty line, what was found and what is allowed.
    """
    names = (("from_node", 1.0), ("to_node", 1.0), ("flow_native", 0.0), ("cost_native", 0.0))
    return _plain_table(Path(path), names, integers=2)


def read_tntp_nodes(path: Path | str) -> pd.DataFrame:
    """Read node coordinates (`*_node.tntp`).

    Returns
    -------
    DataFrame
        `node` (int64), `x_native`, `y_native`: degrees or a plane's unit, as in the file.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every faulty line, what was found and what is allowed.
    """
    return _plain_table(Path(path), (("node", 1.0), ("x_native", -math.inf), ("y_native", -math.inf)), integers=1)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"no file {path}; give a TNTP text file (.tntp or .tntp.gz)")
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} cannot be read as text: {error}") from error


def _split(path: Path) -> tuple[dict[str, tuple[int, str]], list[tuple[int, str]], str]:
    """Metadata as {key: (line number, text)}, data rows as (line number, text), and the last comment above the rows."""
    meta: dict[str, tuple[int, str]] = {}
    rows: list[tuple[int, str]] = []
    comment, ended = "", False
    for number, line in enumerate(_lines(path), start=1):
        if not ended and line.lstrip().startswith("<"):
            key, _, text = line.strip()[1:].partition(">")
            ended = key.strip().upper() == _END
            meta[key.strip().upper()] = (number, text.strip())
            continue
        text, mark, remark = (part.strip() for part in line.partition("~"))
        if mark and not rows:
            comment = remark
        if text.strip(";").strip():
            rows.append((number, text))
    if not ended:
        raise FileFormatError(f"{path} holds no line <{_END}>; is it a TNTP file?")
    if not rows:
        raise FileFormatError(f"{path} holds no data below <{_END}>")
    return meta, rows, comment


def _plain_table(path: Path, columns: Sequence[tuple[str, float]], *, integers: int) -> pd.DataFrame:
    """A table with one line of headings and no metadata."""
    faults: list[str] = []
    found: list[list[float]] = []
    for number, words in _data_words(_lines(path)):
        if len(words) != len(columns):
            faults.append(f"line {number}: {len(words)} values, allowed are {len(columns)}")
            continue
        found.append(
            [
                _number(word, f"line {number}: {name}", low, math.inf, faults, whole=k < integers)
                for k, ((name, low), word) in enumerate(zip(columns, words))
            ]
        )
    if not found and not faults:
        faults.append("no rows below the headings")
    _refuse(path, faults)
    table = pd.DataFrame(found, columns=[name for name, _ in columns], dtype="float64")
    table = table.astype({name: "int64" for name, _ in columns[:integers]})
    twice = table.duplicated(list(table.columns[:integers]))
    _refuse(path, [f"{list(table.columns[:integers])} = {row} is given twice" for row in _keys(table[twice], integers)])
    return table


def _keys(table: pd.DataFrame, integers: int) -> list[tuple[int, ...]]:
    return list(table.iloc[:, :integers].itertuples(index=False, name=None))


def _data_words(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Words of each row; the first row is left out if it holds no number, being the headings."""
    first = True
    for number, line in enumerate(lines, start=1):
        words = line.partition("~")[0].replace(";", " ").split()
        if not words:
            continue
        if not (first and not any(_is_number(word) for word in words)):
            yield number, words
        first = False


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str, where: str, low: float, high: float, faults: list[str], *, whole: bool | None = None) -> float:
    """A number in [low, high], or nan and a fault; nodes and zones (those at least 1) must be whole."""
    whole = low == 1 if whole is None else whole
    value = float(word) if _is_number(word) else math.nan
    if not (math.isfinite(value) and low <= value <= high) or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        span = f" from {low:g}" * math.isfinite(low) + f" to {high:g}" * math.isfinite(high)
        faults.append(f"{where} is {word!r}; allowed is {kind}{span}")
        return math.nan
    return value


def _count(meta: dict[str, tuple[int, str]], key: str, faults: list[str], *, default: int | None = None) -> int | None:
    if key not in meta:
        if default is None:
            faults.append(f"no line <{key}>")
        return default
    number, text = meta[key]
    value = _number(text.partition("~")[0].strip(), f"line {number}: <{key}>", 1, math.inf, faults)
    return None if math.isnan(value) else int(value)


def _names() -> str:
    return ", ".join(name for name, _, _ in _LINK_COLUMNS)


def _header_faults(comment: str) -> list[str]:
    """The order of columns must be the format's where a comment above the rows names it in the format's words."""
    words = comment.replace(";", " ").lower().split()
    standard = [name for name, _, _ in _LINK_COLUMNS]
    if set(words) >= {"init_node", "term_node"} and words[: len(standard)] != standard:
        return [f"columns are {', '.join(words)}; allowed is {_names()}"]
    return []


def _compare_total(path: Path, meta: dict[str, tuple[int, str]], total: float) -> None:
    stated = meta.get("TOTAL OD FLOW", (0, ""))[1]
    if _is_number(stated) and abs(total - float(stated)) > 1e-4 * max(abs(float(stated)), 1e-9):
        _LOG.warning("%s: <TOTAL OD FLOW> says %s, the rows sum to %.6g", path, stated, total)


def _refuse(path: Path, faults: Sequence[str]) -> None:
    """Raise one error that names every fault (the first few in full)."""
    if faults:
        more = f"; and {len(faults) - _SHOWN_FAULTS} more" * (len(faults) > _SHOWN_FAULTS)
        raise FileFormatError(f"{path} has {len(faults)} fault(s): " + "; ".join(faults[:_SHOWN_FAULTS]) + more)
