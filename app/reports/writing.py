"""The report of a study as a document: what is told, in which order."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from app.reports.charts import hour_chart
from app.reports.document import Block, Bullets, Document, Drawing, Drawings, Grid, Heading, Paragraph
from app.reports.findings import Findings
from app.reports.maps import limit_of, link_map, streets_of, zone_map
from app.reports.method import assumptions, data_quality, method, repeat
from app.reports.quantities import interval, number, surely, unit_words, words
from app.reports.tables import (
    access_grid,
    effect_grid,
    equity_grid,
    hour_grid,
    in_section,
    risk_grid,
    whole,
    zone_grid,
)

#: What comes first, and what zones and hours are told of.
SHORT = ("travel_time_s", "delay_hours", "vehicle_km", "no2_exposure", "people_lden_65", "co2_kg", "total_cost_eur")
MAPPED = ("no2", "delay_hours")
BY_ZONE = ("no2", "delay_hours", "vehicle_km", "lden", "home_travel_time_s", "external_cost_eur")
BY_HOUR = ("delay_hours", "speed_kmh", "no2", "vehicle_km")
_SCOPES = {"city": "The whole city", "inside": "Zones of the plan", "outside": "All other zones"}


def write(found: Findings) -> Document:
    """Everything that a report says.

    Parameters
    ----------
    found : Findings
    """
    blocks: list[Block] = [*_short(found), *_warnings(found), *_maps(found), *_effects(found), *_hours(found)]
    blocks += [*_places(found), *_fairness(found), *_money(found), *_access(found), *_classes(found), *_risk(found)]
    blocks += [*method(found), *assumptions(found), *data_quality(found), *repeat(found)]
    return Document(title=found.scenario.title, lead=question(found), blocks=tuple(blocks))


def question(found: Findings) -> str:
    """The question that the study answers, in a sentence or two."""
    told = "; ".join(found.scenario.in_words()) or "nothing is changed"
    days = found.specification.study.days
    length = "a day" if days == 1 else f"{days} days"
    described = f" {' '.join(found.scenario.description.split())}" if found.scenario.description else ""
    return (
        f"What changes in {found.city.label} if: {told}?{described} Told over {length} from"
        f" {found.specification.study.start}, local time."
    )


def _short(found: Findings) -> list[Block]:
    rows = whole(found.tables["effects"], "city").set_index("quantity")
    items = []
    for name in SHORT:
        if name in rows.index:
            row = rows.loc[name]
            low, high = float(row["lower"]), float(row["upper"])
            unit = unit_words(str(row["unit"]))
            items.append(
                f"{words(name)}: {number(float(row['base']))} {unit} today; change"
                f" {number(float(row['effect']), sign=True)} {unit}"
                f" (90 % interval {interval(low, high)}; {surely(low, high)})"
            )
    pairs = found.specification.study.pairs
    return [
        Heading("In short"), Bullets(tuple(items)),
        Paragraph(
            f"Every figure is the mean of {pairs} pair{'' if pairs == 1 else 's'} of simulated runs, today and with the"
            " plan, that share their luck. An interval that holds 0 does not tell whether there is any change: 'not"
            " sure'."
        ),
    ]  # fmt: skip


def _warnings(found: Findings) -> list[Block]:
    told = [str(one) for one in (*found.review.faults, *found.review.warnings)]
    moves = np.array(found.study.get("forced_moves") or [[0, 0]]).sum(axis=0)
    if moves.any():
        told.append(
            f"{int(moves[0])} vehicles today and {int(moves[1])} with the plan, over all pairs, had to be moved to keep"
            " the network from locking; where these are many, delays are told too low"
        )
    if not told:
        return []
    return [Heading("Warnings"), *(Paragraph(one, warning=True) for one in told)]


# --- maps -----------------------------------------------------------------------------------------------------------


def _maps(found: Findings) -> list[Block]:
    city, effects = found.city, found.tables["effects"]
    zones = gpd.GeoDataFrame(city.zones).to_crs(city.crs)
    links = gpd.GeoDataFrame(found.scenario.apply(city).links).to_crs(city.crs).reset_index(drop=True)
    marked = _marked(found, links)
    rows = found.tables["link_effects"].set_index("link_id").reindex(np.arange(len(links)))
    flows = links[["from_node_id", "to_node_id", "name", "geometry"]].assign(
        before=rows["flow_base"].fillna(0.0).to_numpy(), after=rows["flow_scenario"].fillna(0.0).to_numpy()
    )
    streets = streets_of(gpd.GeoDataFrame(flows, crs=links.crs), ("before", "after"))
    blocks: list[Block] = [Heading("Maps"), Paragraph("The streets of the plan are dashed in black.")]
    for k, name in enumerate(MAPPED):
        own = effects[(effects["scope"] == "zone") & (effects["hour"] == -1) & (effects["quantity"] == name)]
        if len(own):
            blocks.append(_zone_maps(own, zones, streets.geometry, marked, f"z{k}"))
    blocks.append(_link_maps(streets, marked))
    return blocks


def _zone_maps(
    rows: pd.DataFrame, zones: gpd.GeoDataFrame, streets: gpd.GeoSeries, marked: Sequence[BaseGeometry], ident: str
) -> Drawings:
    name, unit = str(rows["quantity"].iloc[0]), unit_words(str(rows["unit"].iloc[0]))
    keyed = rows.set_index("zone_id")
    both = keyed[["base", "scenario_value"]].to_numpy(dtype=float)
    least, most = float(both.min()), float(both.max())
    most = most if most > least else least + 1.0
    unsure = frozenset(keyed.index[~((keyed["lower"] > 0) | (keyed["upper"] < 0))])
    limit = limit_of(keyed["effect"].to_numpy(dtype=float))
    parts = []
    for column, label in (("base", "today"), ("scenario_value", "with the plan"), ("effect", "difference")):
        change = column == "effect"
        title = f"{words(name)}, {label}"
        svg = zone_map(
            zones, keyed[column].to_dict(), title=title, unit=unit, limit=limit if change else most, difference=change,
            streets=streets, unsure=unsure if change else frozenset(), marked=marked, least=0.0 if change else least,
            ident=f"{ident}{column[0]}",
        )  # fmt: skip
        parts.append(Drawing(title, svg, f"Map of zones: {title}; the figures stand in the table of zones"))
    return Drawings(
        f"{words(name)} by zone. Orange: more with the plan; purple: less; hatched: the 90 % interval holds 0.",
        tuple(parts),
    )


def _link_maps(streets: gpd.GeoDataFrame, marked: Sequence[BaseGeometry]) -> Drawings:
    before, after = streets["before"].to_numpy(dtype=float), streets["after"].to_numpy(dtype=float)
    most, limit = limit_of(np.concatenate([before, after])), limit_of(after - before)
    parts = []
    for values, label in ((before, "today"), (after, "with the plan"), (after - before, "difference")):
        change = label == "difference"
        title = f"Vehicles an hour, {label}"
        svg = link_map(
            streets, values, title=title, unit="veh/h", limit=limit if change else most, difference=change,
            marked=marked,
        )  # fmt: skip
        parts.append(Drawing(title, svg, f"Map of streets: {title}"))
    return Drawings(
        "Vehicles an hour on each street, both directions together, mean over all pairs. Orange: more with the plan;"
        " purple: less; grey: hardly any change.",
        tuple(parts),
    )


def _marked(found: Findings, links: gpd.GeoDataFrame) -> list[BaseGeometry]:
    from simulation.scenarios.measures import LinkMeasure

    held = [one.links(found.city) for one in found.scenario.measures if isinstance(one, LinkMeasure)]
    rows = np.unique(np.concatenate(held)) if held else np.zeros(0, dtype=int)
    if len(rows) > len(links) / 4:
        return []  # a plan for most of the city needs no marks
    rest = np.arange(len(found.city.links), len(links))  # what the plan builds
    return list(links.geometry.to_numpy()[np.concatenate([rows, rest]).astype(int)])


# --- what changes ---------------------------------------------------------------------------------------------------


def _effects(found: Findings) -> list[Block]:
    blocks: list[Block] = [Heading("What changes")]
    for scope, label in _SCOPES.items():
        rows = in_section(whole(found.tables["effects"], scope), "traffic", "air", "noise")
        if len(rows):
            blocks += [Heading(label, 3), effect_grid(rows, f"{label}: traffic, air and noise over the whole run")]
    lines = whole(found.tables["effects"], "line")
    if len(lines):
        blocks.append(effect_grid(lines, "Time of bus lines on their links", by={}, first="Line"))
    return blocks


def _hours(found: Findings) -> list[Block]:
    effects = found.tables["effects"]
    rows = effects[(effects["scope"] == "city") & (effects["hour"] >= 0)]
    blocks: list[Block] = []
    for name in MAPPED[::-1]:
        own = rows[rows["quantity"] == name].sort_values("hour")
        if len(own):
            unit = unit_words(str(own["unit"].iloc[0]))
            title = f"{words(name)}: change by hour of day, {unit}"
            svg = hour_chart(
                *(own[c].to_numpy(dtype=float) for c in ("hour", "effect", "lower", "upper")), title=title, unit=unit
            )
            caption = f"{title}. Lines: 90 % interval; hollow bars: the interval holds 0."
            blocks.append(Drawing(caption, svg, f"Chart: {title}; the figures stand in the table by hour"))
    if not len(rows):
        return []
    return [Heading("By hour of day"), *blocks, hour_grid(effects, BY_HOUR)]


def _places(found: Findings) -> list[Block]:
    effects, names = found.tables["effects"], zone_names(found)
    if not ((effects["scope"] == "zone") & (effects["hour"] == -1)).any():
        return []
    return [Heading("By zone"), zone_grid(effects, names, BY_ZONE, people(found))]


def _fairness(found: Findings) -> list[Block]:
    blocks: list[Block] = []
    table = found.tables.get("equity")
    if table is not None and len(table):
        blocks += [
            equity_grid(table),
            Paragraph(
                "A zone is judged by itself: of many zones that do not change, one in ten will seem to, at 90 %. What"
                " holds for a zone need not hold for each who lives there."
            ),
        ]
    groups = whole(found.tables["effects"], "group")
    if len(groups):
        blocks.append(effect_grid(groups, "Groups of residents", by={}, first="Group"))
    unequal = in_section(whole(found.tables["effects"], "city"), "equity")
    if len(unequal):
        blocks.append(effect_grid(unequal, "How unevenly it is spread over residents (Gini, 0: even, 1: one has all)"))
    return [Heading("Who gains and who loses"), *blocks] if blocks else []


def _money(found: Findings) -> list[Block]:
    blocks: list[Block] = []
    for scope, label in _SCOPES.items():
        rows = in_section(whole(found.tables["effects"], scope), "money")
        if len(rows):
            blocks.append(effect_grid(rows, f"{label}: costs of the run, at the rates below"))
    if not blocks:
        return []
    return [
        Heading("What it costs"), *blocks,
        Paragraph("What the measures themselves cost to build and run is not in these figures."),
    ]  # fmt: skip


def _access(found: Findings) -> list[Block]:
    blocks: list[Block] = []
    rows = in_section(whole(found.tables["effects"], "city"), "access")
    if len(rows):
        blocks.append(effect_grid(rows, "What residents reach by car"))
    reliability = found.tables.get("reliability")
    if reliability is not None and len(reliability):
        city = reliability[reliability["scope"] == "city"]
        blocks.append(effect_grid(city, "Reliability: how much the same journey differs from day to day"))
    streets = found.tables.get("access")
    if streets is not None and len(streets):
        blocks.append(access_grid(streets))
    return [Heading("Accessibility and reliability"), *blocks] if blocks else []


def _classes(found: Findings) -> list[Block]:
    rows = whole(found.tables["effects"], "class")
    if not len(rows):
        return []
    return [
        Heading("By class of vehicle"), effect_grid(rows, "Traffic by class of vehicle", by={}, first="Class and what")
    ]  # fmt: skip


def _risk(found: Findings) -> list[Block]:
    table = found.tables.get("risk")
    if table is None or not len(table):
        return []
    grid: Grid = risk_grid(table, zone_names(found))
    if not grid.rows:
        limits = table.drop_duplicates(["quantity", "limit"])[["quantity", "limit"]]
        told = ", ".join(f"{row.quantity} above {row.limit:g}" for row in limits.itertuples(index=False))
        return [Heading("Risk"), Paragraph(f"No zone passed a limit in any replication of either side ({told}).")]
    return [
        Heading("Risk"), grid,
        Paragraph("A handful of replications can tell a chance of 5 % from one of 50 %, not from one of 1 %."),
    ]  # fmt: skip


def zone_names(found: Findings) -> dict[str, str]:
    """Names of zones by id; the id stands behind where they differ."""
    return {
        str(zone): str(zone) if str(zone) == str(name) else f"{name} ({zone})"
        for zone, name in zip(found.city.zones["zone_id"], found.city.zones["name"])
    }


def people(found: Findings) -> pd.Series:
    """Residents by zone, where the city knows them."""
    from simulation.air.health.exposure import population

    zones = found.city.zones
    if {"population", "homes"} & set(zones.columns):
        return pd.Series(population(zones))
    return pd.Series(dtype=float)
