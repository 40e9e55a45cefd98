"""Planning ahead of simulation: `scenario learn`, `scenario preview`, `scenario recommend`."""

from __future__ import annotations

import json

import click

from app.commands.options import CLUSTER, JSON, WORKSPACE, existing
from app.commands.output import print_table, records


@click.command("learn")
@WORKSPACE
@click.option(
    "--scenarios", type=click.IntRange(20, 5000), default=150, show_default=True, help="Size of the ensemble."
)
@click.option("--seeds", type=click.IntRange(1, 20), default=2, show_default=True, help="Pairs of runs for each.")
@click.option("--start", metavar="DATETIME", help="Begin of every run, local time. Default 2026-01-27 06:30.")
@click.option("--hours", type=float, help="Length of every run. Default 3.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the design and the models.")
@CLUSTER
@JSON
@click.pass_obj
def scenario_learn(
    chosen: str | None,
    workspace: str | None,
    scenarios: int,
    seeds: int,
    start: str | None,
    hours: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Teach micromodels what scenarios do, for 'scenario preview': simulates an ensemble, once.

    Stopped midway, the same command goes on where it was.
    """
    import pandas as pd

    from app.previews import learn_preview, preview_record
    from app.progress import Bars

    space = existing(workspace or chosen)
    with Bars(quiet=as_json) as bars:
        run, _ = learn_preview(
            space, scenarios=scenarios, seeds=seeds, start=start, hours=hours, seed=seed, report=bars
        )
    table = pd.DataFrame(preview_record(space, run))
    print_table(table, as_json, **({"run": run} if as_json else {}))
    if not as_json:
        click.echo(f"\nErrors are of scenarios not learned from, over the base; run {run} in '{space.name}'", err=True)


@click.command("preview")
@click.argument("what")
@WORKSPACE
@click.option("--run", "run_id", metavar="ID", help="A certain preview; default the newest of this city.")
@click.option("--zones", is_flag=True, help="Every zone, not only the city and those that change most.")
@click.option("--confirm", is_flag=True, help="Simulate it as well, in the preview's window, and show both.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Pairs of runs to confirm.")
@CLUSTER
@JSON
@click.pass_obj
def scenario_preview(
    chosen: str | None,
    what: str,
    workspace: str | None,
    run_id: str | None,
    zones: bool,
    confirm: bool,
    seeds: int,
    as_json: bool,
) -> None:
    """Foresee what WHAT would change, at once: a YAML file or the name of a shipped scenario.

    Bounds are 90 % intervals. Where the scenario lies outside what was simulated, the answer says so and why.
    """
    from app.previews import confirmed, find_scenario, load_preview

    space = existing(workspace or chosen)
    preview = load_preview(space, run_id)
    asked = find_scenario(what, preview.city)
    answer = preview.ask(asked)
    table = answer.effects
    if confirm:
        table = confirmed(preview, asked, table, seeds=seeds)
    if as_json:
        told = {"inside": answer.scope.inside, "reasons": list(answer.scope.reasons), "seconds": answer.seconds}
        click.echo(json.dumps({**told, "effects": records(table)}, indent=1))
        return
    click.echo(
        f"What {asked.title} would change, {preview.window.start}, {preview.window.hours:g} h ({answer.scope})\n"
    )
    city = table[table["zone_id"] == ""]
    click.echo(city.drop(columns="zone_id").to_string(index=False, float_format="{:,.3g}".format))
    rest = table[table["zone_id"] != ""]
    if not zones:
        most = rest[rest["quantity"] == "vehicle_hours"]
        names = most.loc[most["effect"].abs().sort_values(ascending=False).index[:5], "zone_id"]
        rest = rest[rest["zone_id"].isin(names)]
    click.echo("\n" + rest.to_string(index=False, float_format="{:,.3g}".format))
    click.echo(f"\nanswered in {1000 * answer.seconds:.0f} ms", err=True)


@click.command("recommend")
@click.argument("question", type=click.Path(exists=True, dir_okay=False))
@WORKSPACE
@click.option(
    "--simulations", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Most plans to try."
)
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True, help="Pairs of runs to confirm.")
@click.option("--start", metavar="DATETIME", help="Begin of every run, local time; default the preview's.")
@click.option("--hours", type=float, help="Length of every run; default the preview's.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the search; same seed, same answer.")
@click.option("--preview/--no-preview", "use_preview", default=True, help="Start from the preview, where there is one.")
@CLUSTER
@JSON
@click.pass_obj
def scenario_recommend(
    chosen: str | None,
    question: str,
    workspace: str | None,
    simulations: int,
    seeds: int,
    start: str | None,
    hours: float | None,
    seed: int,
    use_preview: bool,
    as_json: bool,
) -> None:
    """Which of the candidates in QUESTION (YAML) to combine, for its objectives and budget.

    Plans are simulated one by one, each chosen by what the ones before it have shown; those that no other beats are
    confirmed with further pairs of runs. Stopped midway, the same command goes on where it was.
    """
    from app.progress import Bars
    from app.recommendations import make_recommendation

    space = existing(workspace or chosen)
    with Bars(quiet=as_json) as bars:
        run, _ = make_recommendation(
            space, question, simulations=simulations, seeds=seeds, start=start, hours=hours, seed=seed,
            use_preview=use_preview, report=bars,
        )  # fmt: skip
    told = space.runs.read_json(run, "recommendation")
    if as_json:
        click.echo(json.dumps({"run": run, **told}, indent=1))
        return
    click.echo(f"{told['simulated']} of {told['plans']} plans simulated; {len(told['advice'])} recommended\n")
    for one in told["advice"]:
        click.echo(f"{one['name']}\n  {one['reason']}\n")
    if not told["advice"]:
        click.echo("None of the plans is better than doing nothing.")
    click.echo(f"Everything that was tried: run {run} in workspace '{space.name}'", err=True)


#: Commands of the group `scenario`.
PLANNING = (scenario_learn, scenario_preview, scenario_recommend)
