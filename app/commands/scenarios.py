"""Planning scenarios: `scenario run`, `scenario list`; others of the group stand in `planning` and `reporting`."""

from __future__ import annotations

import json
from typing import Any

import click

from app.commands.options import CLUSTER, JOBS, JSON, WORKSPACE, existing
from app.commands.output import print_table, records, show
from app.commands.reporting import REPORTING
from data.errors import InputError


@click.group()
def scenario() -> None:
    """Planning scenarios: what would this closure, limit or zone change, and how sure is it?

    \b
    Ask          list, measures, run   one plan against today, with 90 % intervals
                 compare, sweep        several plans, or one with other values
    At once      learn, preview        what micromodels foresee, without a simulation
    Choose       recommend             which measures to combine, within a budget
    Hand out     report, reproduce     one file for the council, and the same study from that file alone
    """


@scenario.command("run")
@click.argument("what")
@WORKSPACE
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Pairs of runs.")
@click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Length of each run.")
@click.option(
    "--until-width",
    "until",
    metavar="QUANTITY=WIDTH",
    help="Stop once this 90 % interval is narrow enough, e.g. delay_hours=5% (of today) or no2=0.1.",
)
@click.option("--budget", metavar="N|Ns", help="At most so many pairs, or no new pair after so many seconds (600s).")
@click.option(
    "--elasticity",
    type=click.FloatRange(-3.0, 0.0),
    metavar="E",
    help="Let demand follow travel times, e.g. -0.5; off by default.",
)
@click.option(
    "--equilibrium",
    type=click.FloatRange(0.0, 0.5, min_open=True),
    metavar="GAP",
    help="Repeat each day until trips lose less than this share against their best ways, e.g. 0.005; off by default.",
)
@click.option("--start", metavar="DATE", help="Default 2026-01-27, or the second day of measured weather.")
@JOBS
@CLUSTER
@JSON
@click.pass_obj
def scenario_run(
    chosen: str | None,
    what: str,
    workspace: str | None,
    seeds: int,
    days: int,
    until: str | None,
    budget: str | None,
    elasticity: float | None,
    equilibrium: float | None,
    start: str | None,
    n_jobs: int | None,
    as_json: bool,
) -> None:
    """Run a scenario against today's city: WHAT is a YAML file or the name of a shipped one.

    Base and scenario share their luck; effects come with 90 % intervals over the seeds.
    """
    from app.progress import Bars
    from app.studies import headline, make_study

    space = existing(workspace or chosen)
    seeds, seconds = budgeted(budget, seeds if until is None else max(seeds, MOST_SEEDS))
    with Bars(quiet=as_json) as bars:
        run, _ = make_study(
            space, what, seeds=seeds, days=days, start=start, until=until, seconds=seconds,
            elasticity=elasticity, equilibrium=equilibrium, n_jobs=n_jobs,
            progress=lambda done, total, message, effects: bars("study", done, total, message),
        )  # fmt: skip
    effects = space.runs.read(run, "effects")
    seeds = int(effects["n"].max())
    if as_json:
        click.echo(json.dumps({"run": run, "effects": records(effects)}, indent=1))
        return
    click.echo(
        f"What {effects['scenario'].iloc[0]} changes, against today (pairs of runs: {seeds}; days each: {days})\n"
    )
    click.echo(headline(effects).to_string(index=False))
    for line in gap_words(space.runs.read_json(run, "study").get("learned") or []):
        click.echo(line)
    click.echo(f"\nAll effects, by zone and hour: run {run} in workspace '{space.name}'", err=True)


def gap_words(learned: list[list[dict[str, Any]]]) -> list[str]:
    """One line about ways that were brought into equilibrium; none where they were not."""
    if not learned:
        return []
    worst = [max(float(pair[k]["gap"]) for pair in learned) for k in (0, 1)]
    return [
        f"\nRelative gap of ways, largest over the pairs: {100 * worst[0]:.2f} % today, {100 * worst[1]:.2f} % with the"
        f" plan (asked: {100 * float(learned[0][0]['asked']):g} %)"
    ]


#: Pairs at most of a study that stops by the width of an interval, where no budget is given.
MOST_SEEDS = 100


def budgeted(budget: str | None, seeds: int) -> tuple[int, float | None]:
    """Pairs at most and seconds of a budget such as `50` or `600s`.

    Raises
    ------
    InputError
        If it is neither.
    """
    if budget is None:
        return seeds, None
    number = budget.removesuffix("s")
    if not number.isdigit() or not int(number):
        raise InputError(f"--budget {budget!r}: give a number of pairs, e.g. 50, or of seconds, e.g. 600s")
    return (seeds, float(number)) if budget.endswith("s") else (int(number), None)


@scenario.command("list")
@JSON
def scenario_list(as_json: bool) -> None:
    """List the shipped scenarios."""
    from simulation.scenarios import load_shipped, shipped_names

    show({name: load_shipped(name).title for name in shipped_names()}, as_json)


@scenario.command("measures")
@JSON
def scenario_measures(as_json: bool) -> None:
    """List the kinds of measures that a scenario file may name, and what each does."""
    import pandas as pd

    from app.measure_list import measure_rows

    print_table(pd.DataFrame(measure_rows()), as_json)


for _command in REPORTING:
    scenario.add_command(_command)
