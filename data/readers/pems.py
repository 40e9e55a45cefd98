"""Station 5-minute files of PeMS, the Performance Measurement System of Caltrans, as its data clearinghouse has them.

No header; columns are time, station, district, freeway, direction, lane type, length (mile), samples, share observed
(%), flow (vehicles in 5 minutes over all lanes), occupancy, speed (mph), then five more for each lane. A row observed
to less than half is PeMS' own imputation and counts as a gap here. Station places are in its metadata file (tabs).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError
from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults
from data.readers.places_of_sensors import no_places
from data.readers.plain_tables import names_of, open_plain, plain_numbers
from data.readers.readings import Readings, made
from data.units import MPS_PER_MPH

_COLUMNS = (
    "time", "station", "district", "freeway", "direction", "lane_type", "length_mile", "samples", "observed_percent",
    "flow", "occupancy", "speed",
)  # fmt: skip
_BEARING = {"N": 0.0, "E": 90.0, "S": 180.0, "W": 270.0}
STEP_S = 300
#: Below this share of real detector data a row is mostly PeMS' imputation (assumed: half).
LEAST_OBSERVED = 50.0


def read_pems(
    path: Path | str,
    *,
    places: pd.DataFrame | None = None,
    timezone: str = "America/Los_Angeles",
    least_observed: float = LEAST_OBSERVED,
) -> Readings:
    """Read one PeMS station 5-minute file.

    Parameters
    ----------
    path : Path or str
        Text, plain or packed.
    places : DataFrame, optional
        Of `read_pems_places`.
    timezone : str
    least_observed : float
        Percent of real data below which a row is a gap; 0 keeps PeMS' imputed values.

    Returns
    -------
    Readings
        `flow_veh_per_h`, `speed_mps`, `occupancy_share`.

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; give a PeMS station 5-minute text file")
    faults = Faults(f"PeMS {path}")
    notes: list[str] = []
    try:
        table = pd.read_csv(path, header=None, low_memory=False, skipinitialspace=True)
    except (OSError, ValueError, EOFError) as error:
        raise FileFormatError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if table.shape[1] < len(_COLUMNS):
        raise FileFormatError(
            f"{path} has {table.shape[1]} columns; a PeMS station 5-minute file has at least {len(_COLUMNS)}:"
            f" {', '.join(_COLUMNS)}"
        )
    table = table.iloc[:, : len(_COLUMNS)].set_axis(list(_COLUMNS), axis=1)
    table["station"] = names_of(table["station"])
    times = to_utc(table["time"], timezone, faults, notes, series=[table["station"]], skipped="drop")
    number = {name: plain_numbers(table[name], faults) for name in _COLUMNS[8:]}
    strange = sorted(set(table["direction"].astype("str").str.strip()) - set(_BEARING))
    if strange:
        faults.add(f"column 5 (direction) holds {strange[:5]}; allowed are {', '.join(_BEARING)}")
    faults.check()
    guessed = (number["observed_percent"] < least_observed).to_numpy()
    if guessed.any():
        notes.append(f"{int(guessed.sum())} row(s) were observed to less than {least_observed:g} % and count as gaps")
    long = pd.DataFrame(
        {
            "sensor_id": table["station"], "time": times,
            "speed_mps": number["speed"].mask(guessed) * MPS_PER_MPH,
            "flow_veh_per_h": number["flow"].mask(guessed) * (3600 / STEP_S),
            "occupancy_share": number["occupancy"].mask(guessed),
        }
    )  # fmt: skip
    long = long[long["time"].notna()]
    notes.append("flow_veh_per_h = 12 x vehicles in 5 minutes; speed_mps = 0.44704 x mph")
    way = table.drop_duplicates("station").set_index("station")["direction"].astype("str").str.strip().map(_BEARING)
    if places is None:
        places = no_places(sorted(set(table["station"])), "loop")
    where = places.assign(bearing_deg=places["sensor_id"].map(way).astype("float64"))
    return made(long, where, faults, notes, step_s=STEP_S)


def read_pems_places(path: Path | str) -> pd.DataFrame:
    """Station places from a PeMS metadata file: `ID`, `Latitude`, `Longitude`, and `Lanes`, `Name` where they are."""
    faults = Faults(f"PeMS metadata {path}")
    table = open_plain(path, "PeMS station metadata", text=("ID",), separator="\t")
    for name in (n for n in ("ID", "Latitude", "Longitude") if n not in table):
        faults.add(f"missing column '{name}'; found {list(table.columns)}")
    faults.check()
    return pd.DataFrame(
        {
            "sensor_id": names_of(table["ID"]), "kind": "loop",
            "name": names_of(table["Name"]) if "Name" in table else names_of(table["ID"]),
            "lon": plain_numbers(table["Longitude"], faults), "lat": plain_numbers(table["Latitude"], faults),
            "lanes": plain_numbers(table["Lanes"], faults) if "Lanes" in table else np.nan,
        }
    )  # fmt: skip
