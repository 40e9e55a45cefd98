"""`zonewise air`: how good the air of a run is, zone by zone and for the people of the city."""

from __future__ import annotations

import json

import click
import pandas as pd

from app.air_report import PERIOD_NAMES, POLLUTANT_NAMES, STANDARD_NAMES, AirReport, air_report
from app.commands.options import JSON, RUN, WORKSPACE, existing
from app.commands.output import records


@click.command()
@WORKSPACE
@click.option("--workspace", "named", metavar="NAME", help="The same as the argument.")
@RUN
@JSON
@click.pass_obj
def air(chosen: str | None, workspace: str | None, named: str | None, run_id: str | None, as_json: bool) -> None:
    """Show the air and noise of the simulation: by zone, for the people, and against limits.

    Concentrations in ug/m3 at the street fronts of a zone, gases at 20 C. EAQI is the European Air Quality Index (Good,
    Fair, Moderate, Poor, Very poor, Extremely poor); Lden the day-evening-night level of road noise. A few weeks can
    pass a limit's count for a year but never prove that a year's limit is kept.
    """
    report = air_report(existing(workspace or named or chosen), run_id)
    if as_json:
        told = {
            **report.about, "zones": records(report.zones), "city": records(report.city),
            "limits": records(report.limits), "levels": records(report.levels), "noise": report.noise,
        }  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    click.echo("\n".join(_lines(report)))


def _lines(report: AirReport) -> list[str]:
    about = report.about
    begin, end, now = (pd.Timestamp(about[name]) for name in ("begin", "end", "now"))
    return [
        f"Air of {about['label']}, {begin:%d %b %Y %H:%M} to {end:%d %b %Y %H:%M} ({about['days']:g} days)",
        f"weather {about['weather']}; background {about['background']}; run {about['run']}",
        "",
        f"By zone, ug/m3 (max: highest hour; EAQI now: {now:%d %b %H:%M}, and of the worst hour; worst day by US AQI)",
        _zone_table(report.zones),
        "",
        "Where people live, ug/m3",
        _city_table(report.city),
        "",
        f"Against limits: the worst zone in {about['days']:g} days (of a year's limit: the mean so far), and the people"
        " who live where it is passed",
        _limit_table(report.limits),
        "'open': a year's limit needs a year of air; so far it is neither kept nor passed",
        "",
        *_noise_lines(report),
    ]


def _zone_table(zones: pd.DataFrame) -> str:
    names = zones["name"].fillna("").astype(str)
    table = pd.DataFrame({"zone": zones["zone_id"] + " " + names.map(_short)})
    table["zone"] = table["zone"].str.ljust(int(table["zone"].str.len().max()))
    table["people"] = _numbers(zones["people"], 0)
    for key, name in POLLUTANT_NAMES.items():
        if f"{key}_mean" in zones.columns:
            table[name] = _numbers(zones[f"{key}_mean"], 1)
            table[f"{name} max"] = _numbers(zones[f"{key}_max_hour"], 0)
    table["EAQI now"], table["EAQI worst"] = zones["eaqi_now"], zones["eaqi_worst"]
    table["poor h"] = zones["hours_poor"]
    table["worst day"] = [
        "-" if pd.isna(day) else f"{pd.Timestamp(day):%d %b} ({value:.0f})"
        for day, value in zip(zones["worst_day"], zones["us_aqi"])
    ]
    table["Lden dB"] = _numbers(zones["lden_db"], 1)
    return table.to_string(index=False)


def _city_table(city: pd.DataFrame) -> str:
    return pd.DataFrame(
        {
            "pollutant": city["pollutant"].map(POLLUTANT_NAMES),
            "mean": _numbers(city["mean"], 1),
            "highest hour": _numbers(city["max_hour"], 0),
            "highest day": _numbers(city["max_day"], 1),
            "person-hours above": _numbers(city["person_hours"], 0),
            "level": _numbers(city["threshold"], 0),
            "hours a person": _numbers(city["hours_a_person"], 1),
        }
    ).to_string(index=False)


def _limit_table(limits: pd.DataFrame) -> str:
    mean = limits["period"] == "year"
    table = pd.DataFrame(
        {
            "standard": limits["standard"].map(STANDARD_NAMES),
            "pollutant": limits["pollutant"].map(POLLUTANT_NAMES) + " " + limits["period"].map(PERIOD_NAMES),
            "limit": _numbers(limits["limit_ug_per_m3"], 0),
            "worst zone": _numbers(limits["worst_ug_per_m3"], 1),
            "times above": _numbers(limits["exceedances"].mask(mean), 0),
            "allowed a year": _numbers(limits["allowed_per_year"].mask(mean), 0),
            "people": [f"{share:.0%}" if pd.notna(share) else "-" for share in limits["share_above"]],
            "verdict": limits["verdict"],
        }
    )
    if "year" in limits.columns:
        table.insert(0, "year", limits["year"])
    return table.to_string(index=False)


def _noise_lines(report: AirReport) -> list[str]:
    noise = report.noise
    if not noise:
        return ["Road noise: none stored; a run of at least one day from 7 to 7 h has it ('zonewise simulate' again)"]
    return [
        f"Road noise where people live ({noise['days']:.0f} days): Lden {noise['lden_db']:.1f} dB(A), at night"
        f" {noise['lnight_db']:.1f} dB(A)",
        f"Lden of 55 dB(A) or more: {noise['share_lden_55']:.0%} of people ({noise['people_lden_55']:,.0f});"
        f" of 65 or more: {noise['share_lden_65']:.0%} ({noise['people_lden_65']:,.0f})",
    ]


def _short(name: str, most: int = 20) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def _numbers(values: pd.Series, digits: int) -> list[str]:
    return ["-" if pd.isna(value) else f"{value:,.{digits}f}" for value in values]
