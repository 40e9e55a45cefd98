"""What a study is worth handing out: `scenario report`, `reproduce`, `compare` and `sweep`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.options import CLUSTER, JOBS, JSON, WORKSPACE, existing
from app.commands.output import records

if TYPE_CHECKING:
    import pandas as pd

_SEEDS = click.option(
    "--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Runs of every side, with seeds 1 to N."
)
_DAYS = click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Length of each run.")
_START = click.option("--start", metavar="DATE", help="Default 2026-01-27, or the second day of measured weather.")
_NAMED = click.option("--workspace", "named", metavar="NAME", help="Of the city; default as everywhere.")
#: What a comparison prints where no quantity is asked for.
_TOLD = ("travel_time_s", "delay_hours", "vehicle_km", "no2_exposure", "co2_kg", "people_lden_65", "total_cost_eur")


@click.command("report")
@click.argument("run_id", metavar="RUN", default="latest")
@WORKSPACE
@click.option("--to", "to", metavar="FILE", required=True, help="FILE.html or FILE.md; one that is there is replaced.")
@JSON
@click.pass_obj
def scenario_report(chosen: str | None, run_id: str, workspace: str | None, to: str, as_json: bool) -> None:
    """Write a study as one file to hand out: maps, effects, who gains, costs, risks, method, sources.

    RUN is the id of a study, or 'latest'. The file needs no net and no script, and carries all that 'scenario
    reproduce' needs.
    """
    from app.reports import make_report
    from app.reports.findings import latest_study

    space = existing(workspace or chosen)
    run = latest_study(space) if run_id == "latest" else run_id
    path = make_report(space, run, to)
    if as_json:
        click.echo(json.dumps({"run": run, "file": str(path), "bytes": path.stat().st_size}, indent=1))
    else:
        click.echo(f"{path} ({path.stat().st_size / 1000:,.0f} kB): study {run}")


@click.command("reproduce")
@click.argument("report", type=click.Path(exists=True, dir_okay=False))
@_NAMED
@click.option(
    "--file", "files", metavar="FILE", multiple=True, type=click.Path(exists=True, dir_okay=False),
    help="A file that the city was made from, found by its content; may be given several times.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Say what would be run and whether the city can be made; run nothing.")
@JOBS
@CLUSTER
@JSON
@click.pass_obj
def scenario_reproduce(
    chosen: str | None,
    report: str,
    named: str | None,
    files: tuple[str, ...],
    check: bool,
    n_jobs: int | None,
    as_json: bool,
) -> None:
    """Run the study of a REPORT (HTML or Markdown) again and say whether it comes out the same to the last bit.

    The city is made anew where that can be: shipped and synthetic ones, and those of files that are given. With
    --workspace, that one's city is taken. Exit status 1 where any figure differs.
    """
    from app.progress import Bars
    from app.reports import read_report, reproduce
    from app.reports.repeating import job_of

    specification = read_report(report)
    told = specification.study
    if check:
        if named is None:
            job_of(specification, files)
        about = {
            "run": told.run, "city": specification.city.label, "scenario": told.scenario.get("name"),
            "pairs": told.pairs, "days": told.days, "start": told.start,
        }  # fmt: skip
        click.echo(json.dumps(about, indent=1))
        return
    space = existing(named) if named is not None else None
    with Bars(quiet=as_json) as bars:
        found = reproduce(
            specification, workspace=space, given=files, n_jobs=n_jobs, report=bars,
            progress=lambda done, total, message, effects: bars("study", done, total, message),
        )  # fmt: skip
    if as_json:
        value = {
            "same": found.same, "city_same": found.city_same, "tables": dict(found.tables), "pairs": found.pairs,
            "reasons": list(found.reasons), "differing": list(found.differing),
        }  # fmt: skip
        click.echo(json.dumps(value, indent=1))
    else:
        click.echo(str(found))
        if found.same and found.reasons:
            click.echo("It is so although: " + " ".join(found.reasons))
    if not found.same:
        raise SystemExit(1)


@click.command("compare")
@click.argument("what", nargs=-1, required=True, metavar="WHAT WHAT...")
@_NAMED
@_SEEDS
@_DAYS
@_START
@click.option("--quantity", "quantities", multiple=True, metavar="NAME", help="Tell of these instead, e.g. no2.")
@JOBS
@CLUSTER
@JSON
@click.pass_obj
def scenario_compare(
    chosen: str | None,
    what: tuple[str, ...],
    named: str | None,
    seeds: int,
    days: int,
    start: str | None,
    quantities: tuple[str, ...],
    n_jobs: int | None,
    as_json: bool,
) -> None:
    """Compare scenarios with today and with each other: YAML files or names of shipped ones.

    All of them share their luck, so differences between plans are told surely; 90 % intervals, in brackets those that
    hold for all pairs of plans at once. Stopped midway, the same command goes on where it was.
    """
    from app.plans import make_comparison
    from app.progress import Bars

    space = existing(named or chosen)
    with Bars(quiet=as_json) as bars:
        run, _ = make_comparison(
            space, what, seeds=seeds, days=days, start=start, n_jobs=n_jobs,
            progress=lambda done, total, message: bars("plans", done, total, message),
        )  # fmt: skip
    effects, differences = space.runs.read(run, "effects"), space.runs.read(run, "differences")
    if as_json:
        value = {"run": run, "effects": records(effects), "differences": records(differences)}
        click.echo(json.dumps(value, indent=1))
        return
    told = space.runs.read_json(run, "plans")
    asked = quantities or _TOLD
    click.echo(f"Each plan against today (seeds: {seeds}; days each: {days}); change and 90 % interval\n")
    click.echo(side_by_side(effects, told["names"], asked).to_string(index=False))
    click.echo("\nThe second plan less the first\n")
    click.echo(between(differences, asked).to_string(index=False))
    click.echo(f"\nBy zone and group too: run {run} in workspace '{space.name}'", err=True)


def side_by_side(effects: pd.DataFrame, names: list[str], quantities: tuple[str, ...]) -> pd.DataFrame:
    """A row a quantity of the city over the whole run, a column a plan."""
    import pandas as pd

    from app.reports.quantities import interval, number, unit_words, words

    rows = effects[(effects["scope"] == "city") & (effects["hour"] == -1)].set_index(["scenario", "quantity"])
    _known(quantities, rows.index.get_level_values("quantity"))
    out = []
    for name in quantities:
        if (names[0], name) not in rows.index:
            continue
        first = rows.loc[(names[0], name)]
        line = {"what": words(name), "unit": unit_words(str(first["unit"])), "today": number(float(first["base"]))}
        for plan in names:
            row = rows.loc[(plan, name)]
            line[plan] = f"{number(float(row['effect']), sign=True)} ({interval(row['lower'], row['upper'])})"
        out.append(line)
    return pd.DataFrame(out)


def between(differences: pd.DataFrame, quantities: tuple[str, ...]) -> pd.DataFrame:
    """A row a pair of plans and quantity of the city over the whole run."""
    import pandas as pd

    from app.reports.quantities import interval, number, surely, unit_words, words

    rows = differences[(differences["scope"] == "city") & (differences["hour"] == -1)]
    out = [
        {
            "plans": f"{row.second} less {row.first}", "what": words(row.quantity), "unit": unit_words(row.unit),
            "difference": number(row.difference, sign=True), "90 % interval": interval(row.lower, row.upper),
            "for all pairs": f"[{interval(row.family_lower, row.family_upper)}]",
            "sure?": surely(row.family_lower, row.family_upper),
        }
        for name in quantities
        for row in rows[rows["quantity"] == name].itertuples(index=False)
    ]  # fmt: skip
    return pd.DataFrame(out)


def _known(asked: tuple[str, ...], there: pd.Index) -> None:
    from data.errors import InputError

    unknown = sorted(set(asked) - set(there) - set(_TOLD))
    if unknown:
        raise InputError(f"no figure {', '.join(unknown)}; there are {', '.join(sorted(set(there)))}")


@click.command("sweep")
@click.argument("what")
@_NAMED
@click.option(
    "--set", "settings", metavar="PATH=VALUES", multiple=True, required=True,
    help="A value of the file and what to set it to: measures.0.percent=-20:0:5 (both ends) or"
    " measures.0.kmh=20,30,40. Several make a grid.",
)  # fmt: skip
@_SEEDS
@_DAYS
@_START
@click.option("--quantity", "quantities", multiple=True, metavar="NAME", help="Tell of these instead, e.g. no2.")
@click.option("--csv", "csv", metavar="FILE", help="Write all effects of all points to a CSV file.")
@JOBS
@CLUSTER
@JSON
@click.pass_obj
def scenario_sweep(
    chosen: str | None,
    what: str,
    named: str | None,
    settings: tuple[str, ...],
    seeds: int,
    days: int,
    start: str | None,
    quantities: tuple[str, ...],
    csv: str | None,
    n_jobs: int | None,
    as_json: bool,
) -> None:
    """Run a scenario at every point of a grid of values: WHAT is a YAML file or the name of a shipped scenario.

    Every point is checked before anything runs. Stopped midway, the same command goes on where it was.
    """
    from app.plans import make_sweep, sweep_table
    from app.progress import Bars
    from data.errors import InputError
    from data.store.folder import write_atomic

    space = existing(named or chosen)
    if csv is not None and not Path(csv).expanduser().parent.is_dir():
        raise InputError(f"--csv {csv}: there is no folder {Path(csv).parent}; make it, or write elsewhere")
    with Bars(quiet=as_json) as bars:
        run, _ = make_sweep(
            space, what, settings, seeds=seeds, days=days, start=start, n_jobs=n_jobs,
            progress=lambda done, total, message: bars("sweep", done, total, message),
        )  # fmt: skip
    table = sweep_table(space, run)
    if csv is not None:
        write_atomic(Path(csv).expanduser(), table.to_csv(index=False).encode())
    if as_json:
        click.echo(json.dumps({"run": run, "rows": records(table)}, indent=1))
        return
    paths = space.runs.read_json(run, "sweep")["settings"]
    click.echo(f"Change against today at each point (seeds: {seeds}; days each: {days}), with 90 % intervals\n")
    click.echo(by_point(table, paths, quantities or _TOLD).to_string(index=False))
    click.echo(f"\nBy zone and group too: run {run} in workspace '{space.name}'", err=True)


def by_point(table: pd.DataFrame, paths: list[str], quantities: tuple[str, ...]) -> pd.DataFrame:
    """A row a point, a column a quantity of the city over the whole run."""
    import pandas as pd

    from app.reports.quantities import interval, number, unit_words, words

    rows = table[(table["scope"] == "city") & (table["hour"] == -1)]
    _known(quantities, pd.Index(rows["quantity"]))
    out = []
    for _, own in rows.groupby("point", sort=False):
        keyed = own.set_index("quantity")
        line = {path: own[path].iloc[0] for path in paths}
        for name in quantities:
            if name in keyed.index:
                row = keyed.loc[name]
                head = f"{words(name)}, {unit_words(str(row['unit']))}"
                line[head] = f"{number(float(row['effect']), sign=True)} ({interval(row['lower'], row['upper'])})"
        out.append(line)
    return pd.DataFrame(out)


#: Commands of the group `scenario`.
REPORTING = (scenario_report, scenario_reproduce, scenario_compare, scenario_sweep)
