"""Tables of a report, from the tables of a study: pure functions to `Grid`s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from app.reports.document import Grid
from app.reports.quantities import WORDS, interval, number, section, surely, unit_words, words

#: Rows of a table of zones or streets at most; the largest changes are told.
MOST_ROWS = 40
_CHANGE = ("Today", "With the plan", "Change", "90 % interval", "Unit", "Sure?")
_NUMBERS = frozenset({1, 2, 3, 4})
_ORDER = {name: k for k, name in enumerate(WORDS)}


def whole(effects: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Rows of one scope over the whole run, in the order of the words."""
    rows = effects[(effects["scope"] == scope) & (effects["hour"] == -1)]
    rank = rows["quantity"].map(lambda name: _ORDER.get(name, len(_ORDER)))
    return rows.loc[rank.sort_values(kind="stable").index]


def effect_grid(rows: pd.DataFrame, caption: str, *, by: Mapping[str, str] | None = None, first: str = "What") -> Grid:
    """One row an effect.

    Parameters
    ----------
    rows : DataFrame
        quantity, zone_id, base, scenario_value, effect, lower, upper, unit.
    caption : str
    by : mapping of str, optional
        Words of `zone_id`, told before the quantity's.
    first : str
        Head of the first column.
    """
    told = []
    for row in rows.itertuples(index=False):
        name = words(row.quantity)
        if by is not None:
            name = f"{by.get(str(row.zone_id), str(row.zone_id))}: {name}"
        told.append((
            name, number(row.base), number(row.scenario_value), number(row.effect, sign=True),
            interval(row.lower, row.upper), unit_words(str(row.unit)), surely(row.lower, row.upper),
        ))  # fmt: skip
    return Grid(caption, (first, *_CHANGE), tuple(told), _NUMBERS)


def in_section(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Rows whose quantity is told in these sections."""
    return rows[rows["quantity"].map(section).isin(names)]


def zone_grid(effects: pd.DataFrame, names: Mapping[str, str], quantities: Sequence[str], people: pd.Series) -> Grid:
    """A row a zone, those with the largest change first (each quantity by its own spread)."""
    rows = effects[(effects["scope"] == "zone") & (effects["hour"] == -1) & effects["quantity"].isin(list(quantities))]
    wide = _wide(rows, "zone_id")
    shown = [name for name in quantities if ("effect", name) in wide.columns]
    size = sum((wide["effect", name].abs() / (wide["effect", name].abs().max() or 1.0)) for name in shown)
    wide = wide.loc[pd.Series(size, index=wide.index).sort_values(ascending=False, kind="stable").index]
    units = rows.drop_duplicates("quantity").set_index("quantity")["unit"]
    told = []
    for zone, row in wide.head(MOST_ROWS).iterrows():
        cells = [f"{number(row['effect', q], sign=True)} ({interval(row['lower', q], row['upper', q])})" for q in shown]
        told.append((names.get(str(zone), str(zone)), number(float(people.get(zone, np.nan))), *cells))
    more = f"; the {MOST_ROWS} of {len(wide)} zones that change most" if len(wide) > MOST_ROWS else ""
    heads = [f"{words(q)}, {unit_words(str(units[q]))}" for q in shown]
    return Grid(
        f"Change by zone, with 90 % intervals{more}", ("Zone", "People", *heads), tuple(told),
        frozenset(range(1, 2 + len(shown))),
    )  # fmt: skip


def hour_grid(effects: pd.DataFrame, quantities: Sequence[str]) -> Grid:
    """A row an hour of day, for the city."""
    rows = effects[(effects["scope"] == "city") & (effects["hour"] >= 0) & effects["quantity"].isin(list(quantities))]
    wide = _wide(rows, "hour")
    shown = [name for name in quantities if ("effect", name) in wide.columns]
    units = rows.drop_duplicates("quantity").set_index("quantity")["unit"]
    told = tuple(
        (f"{hour}:00", *(
            f"{number(row['effect', q], sign=True)} ({interval(row['lower', q], row['upper', q])})" for q in shown
        ))
        for hour, row in wide.iterrows()
    )  # fmt: skip
    heads = [f"{words(q)}, {unit_words(str(units[q]))}" for q in shown]
    return Grid(
        "Change in the city by hour of day, with 90 % intervals", ("Hour", *heads), told,
        frozenset(range(1, 1 + len(shown))),
    )  # fmt: skip


def equity_grid(equity: pd.DataFrame) -> Grid:
    """Who gains and who loses."""
    told = tuple(
        (
            words(row.quantity), f"{row.share_better:.0%}", f"{row.share_worse:.0%}", f"{row.share_same:.0%}",
            f"{row.share_unsure:.0%}", number(row.mean, sign=True), number(row.worst_quarter, sign=True),
        )
        for row in equity.itertuples(index=False)
    )  # fmt: skip
    return Grid(
        "Share of residents in zones that are surely better or worse off, the same, or not sure; mean change, and that"
        " of the quarter of residents whom the plan serves worst",
        ("What", "Better", "Worse", "Same", "Not sure", "Mean change", "Worst quarter"), told, frozenset(range(1, 7)),
    )  # fmt: skip


def access_grid(access: pd.DataFrame) -> Grid:
    """Streets whose access changes, worst first."""
    rows = access.drop_duplicates(["name", "closed_to", "residents_detour_s", "emergency_detour_s"]).head(MOST_ROWS)
    told = tuple(
        (
            str(row.name) if isinstance(row.name, str) and row.name else f"link {row.link_id}",
            str(row.closed_to) if isinstance(row.closed_to, str) and row.closed_to else "–", f"{row.homes_reach:.0%}",
            number(row.residents_detour_s, sign=True), number(row.emergency_detour_s, sign=True),
        )
        for row in rows.itertuples(index=False)
    )  # fmt: skip
    more = f"; the worst {len(rows)} of {len(access)} links" if len(access) > len(rows) else ""
    return Grid(
        f"Streets whose access changes, on empty streets, by permanent measures{more}",
        ("Street", "Closed to", "Origins that reach it", "Residents' detour, s", "Emergency vehicles' detour, s"), told,
        frozenset({2, 3, 4}),
    )  # fmt: skip


def risk_grid(risk: pd.DataFrame, names: Mapping[str, str]) -> Grid:
    """Chance that a zone passes a limit in any hour of the run, where either side's is above the least possible."""
    rows = risk[risk["hour"] == -1]
    floor = 0.5 / (rows["n"] + 1.0)
    rows = rows[(rows["chance"] > floor + 1e-9) | (rows["chance_base"] > floor + 1e-9)]
    change = (rows["chance"] - rows["chance_base"]).abs()
    rows = rows.loc[change.sort_values(ascending=False, kind="stable").index].head(MOST_ROWS)
    told = tuple(
        (
            names.get(str(row.zone_id), str(row.zone_id)), f"{_column(row.quantity)} above {row.limit:g}",
            f"{row.chance_base:.0%}", f"{row.chance:.0%}", f"{row.lower:.0%} to {row.upper:.0%}",
            f"{row.above} of {row.n}",
        )
        for row in rows.itertuples(index=False)
    )  # fmt: skip
    return Grid(
        "Chance that a zone passes a limit in any hour of the run",
        ("Zone", "Limit", "Today", "With the plan", "90 % interval", "Replications above"), told,
        frozenset({2, 3, 4, 5}),
    )  # fmt: skip


def _wide(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Effects and bounds of each quantity beside each other."""
    return rows.set_index([by, "quantity"])[["effect", "lower", "upper"]].unstack("quantity")  # noqa: PD010


def _column(name: str) -> str:
    if name.endswith("_ug_per_m3"):
        return f"{name.removesuffix('_ug_per_m3').upper().replace('PM25', 'PM2.5')} (µg/m³, mean of an hour)"
    return words(name)
