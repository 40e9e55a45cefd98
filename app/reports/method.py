"""How a study was made, what it assumes and where its coefficients come from, and how to repeat it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pandas as pd

from app.reports.document import Block, Bullets, Code, Grid, Heading, Paragraph
from app.reports.findings import Findings
from app.reports.quantities import number
from app.reports.specification import CitySpec

#: Tables of coefficients whose sources are told, with what they are for.
COEFFICIENTS = {
    "emission_factors.csv": "Emission factors", "hbefa4_polynomials.csv": "CO2 and emissions by driving",
    "fleet.csv": "Fleet", "departure_profiles.csv": "Departures by hour", "noise_classes.csv": "Noise: classes",
    "noise_cnossos.csv": "Noise: emission", "air_quality_limits.csv": "Limits of the air",
}  # fmt: skip
_STOPPED = {
    "seeds": "all pairs that were asked for were run",
    "width": "it stopped by itself, once the interval asked for was narrow enough",
    "seconds": "it stopped when its time was spent",
}


def method(found: Findings) -> list[Block]:
    """Seeds, days, shared luck, stopping, the gap of the ways, demand and weather."""
    told, study = found.specification.study, found.study
    seeds = [int(seed) for seed in study["seeds"]]
    items = [
        f"Pairs of runs: {len(seeds)}, with seeds {_span(seeds)}; {told.days} day{'' if told.days == 1 else 's'} each"
        f" from {told.start}, local time of {found.city.timezone}.",
        "Common random numbers: in both runs of a pair the same trips set out at the same seconds, the same incidents"
        " happen and the same weather passes; so their difference is the plan's doing.",
        "Intervals: Student's t over the pairs, 90 % (Law 2015, Simulation Modeling and Analysis, 5th ed., section"
        " 10.2.1). Each holds for its figure by itself; of ten figures that do not change, one will seem to.",
        f"Stopping: {_STOPPED.get(str(study.get('stopped', 'seeds')), str(study.get('stopped')))}"
        + (f"; rule: {told.until}" if told.until else "")
        + (f"; no new pair after {told.seconds:g} s" if told.seconds else "")
        + ".",
        _demand(found),
        "Weather: "
        + (
            "as measured, the same in every pair."
            if told.air
            else "one typical draw of synthetic weather, the same in every pair; intervals are about that weather."
        ),
    ]
    moves = study.get("forced_moves") or []
    items.append(
        f"Vehicles moved to keep the network from locking, today and with the plan, by pair: "
        f"{', '.join(f'{a} and {b}' for a, b in moves)}."
    )
    for gap, side in zip(study.get("route_gap") or (), ("today", "with the plan")):
        if gap is not None:
            items.append(
                f"Ways {side}: in the hour from {float(gap['hour_start_s']) / 3600:g} h of the first pair, drivers"
                f" spent {number(float(gap['gap']) * 100)} % more than on the best ways ({int(gap['trips']):,} trips);"
                " this relative gap holds the errors with which they perceive times."
            )
    if learned := study.get("learned") or ():
        items.append(equilibrium_words(learned))
    return [Heading("Method"), Bullets(tuple(items))]


def equilibrium_words(learned: list[list[dict[str, Any]]]) -> str:
    """What was asked of the ways of each side of each pair, and what was reached."""
    today, plan = zip(*learned)
    words = [
        f"{100 * max(one['gap'] for one in side):.2f} % {name} ({max(int(one['rounds']) for one in side)} rounds at"
        f" most, from {100 * max(one['first_gap'] for one in side):.2f} %)"
        for name, side in (("today", today), ("with the plan", plan))
    ]
    missed = sum(one["gap"] > one["asked"] for pair in learned for one in pair)
    return (
        f"Ways in equilibrium: every day was repeated with better ways until trips lost less than"
        f" {100 * today[0]['asked']:g} % against their best ones; the largest relative gap over the pairs was"
        f" {' and '.join(words)}. Incidents that nobody can foresee were left out."
        + (f" {missed} of {2 * len(learned)} runs did not come that near." if missed else "")
    )


def _demand(found: Findings) -> str:
    induced = found.study.get("induced")
    if induced is None:
        return "Demand: the same trips in both runs, but for what the measures themselves say."
    return (
        f"Demand follows travel times with an elasticity of {induced['elasticity']:g}:"
        f" {number(induced['trips_before'])} vehicle trips a weekday became {number(induced['trips_after'])} in"
        f" {induced['rounds']} rounds; a further round would move {number(100 * induced['residual'])} %."
    )


def assumptions(found: Findings) -> list[Block]:
    """Rates of money, and sources of the coefficients."""
    with files("data").joinpath("defaults/external_costs.csv").open(encoding="utf-8") as handle:
        rates = pd.read_csv(handle)
    rows = tuple(
        (
            str(row.name) + ("" if pd.isna(row.vehicle_class) else f", {row.vehicle_class}")
            + ("" if pd.isna(row.from_db) else f", from {row.from_db:g} dB"),
            number(float(row.value)), str(row.unit), str(row.source),
        )
        for row in rates.itertuples(index=False)
    )  # fmt: skip
    sources = tuple((what, text) for name, what in COEFFICIENTS.items() for text in _sources(name))
    notes = [
        "Drivers know what streets took on the same day before."
        if found.study.get("learned")
        else "Drivers learn the times of streets within a run and know no more of yesterday than its last hour.",
        "Who has no open way drives through a closed street, as residents and rescuers may; nobody is stranded.",
        "A charge moves routes, not trips, unless the plan says so.",
        "The mean travel time of a trip counts from the moment it wants to set out, the wait for room in its first"
        " street included; delay and time on the road are told of the streets alone.",
    ]
    if not set(found.city.zones.columns) & {"population", "homes"}:
        notes.append("Nobody knows how many people live in these zones: figures by residents are left out.")
    return [
        Heading("Assumptions and sources"), Bullets(tuple(notes)),
        Grid("Rates of time and external costs (for an appraisal, use those of your country)",
             ("Rate", "Value", "Unit", "Source"), rows, frozenset({1})),
        Grid("Sources of the coefficients", ("What", "Source"), sources),
    ]  # fmt: skip


def _sources(name: str, most: int = 6) -> list[str]:
    """Different sources of a table of defaults, the most used first."""
    with files("data").joinpath(f"defaults/{name}").open(encoding="utf-8") as handle:
        texts = pd.read_csv(handle, usecols=["source"])["source"].dropna()
    counted = texts[~texts.str.startswith("As above")].value_counts(sort=True)
    rest = len(counted) - most
    return [str(text) for text in counted.index[:most]] + ([f"and {rest} more"] if rest > 0 else [])


def data_quality(found: Findings) -> list[Block]:
    """What is measured and what is guessed."""
    made, report = found.specification.city.made_from, found.city_report
    items = [
        "Trips: " + (
            f"from the table {made['demand']}." if made.get("demand")
            else "estimated from homes, jobs and shops of the map, not counted; differences between plans are surer"
            " than levels."
        ),
        "Fleet: " + (f"from the table {made['fleet']}." if made.get("fleet") else "the default one, of the EU."),
    ]  # fmt: skip
    if (share := report.get("gateway_share_of_vehicle_km")) is not None:
        items.append(f"Traffic from or to the outside drives {100 * float(share):.0f} % of all vehicle-kilometres.")
    if found.calibration is not None:
        told = found.calibration
        left = ", ".join(map(str, told.get("pollutants_left", [])))
        items.append(
            f"Air: the background is calibrated at {len(told.get('stations', []))} stations over {told.get('days')}"
            f" days{f'; left as they were: {left}' if left else ''}."
        )
    else:
        items.append(
            "Air: not calibrated at stations; levels may be off, differences depend on the plan's streets alone."
        )
    for name, value in (report.get("dropped") or {}).items():
        items.append(f"Left out of the map: {name}: {value}.")
    return [Heading("Quality of the data"), Bullets(tuple(items))]


def repeat(found: Findings) -> list[Block]:
    """What is needed to run it again."""
    spec = found.specification
    rows = [
        ("Study", found.run), ("Made", found.created), ("City", f"{spec.city.label}, run {spec.city.run}"),
        ("City's content", spec.city.digest), ("City made from", city_words(spec.city)),
        ("Code of the simulation", spec.code["simulation"]),
        *((f"Version of {name}", value) for name, value in sorted(spec.versions.items())),
    ]  # fmt: skip
    return [
        Heading("To repeat this study"),
        Paragraph(
            "This file carries the whole specification. With Zonewise installed, 'zonewise scenario reproduce FILE'"
            " runs the study again and says whether every figure is the same to the last bit."
        ),
        Grid("Versions", ("What", "Which"), tuple(rows)),
        Paragraph("The same study by hand, with the scenario below as scenario.yaml:"), Code(found.command, "sh"),
        Code(found.yaml, "yaml"),
    ]  # fmt: skip


def city_words(city: CitySpec) -> str:
    """What a city was made from, in a line."""
    return ", ".join(f"{name}: {value}" for name, value in sorted(city.made_from.items()) if value is not None)


def _span(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
