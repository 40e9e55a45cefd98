"""The models of a workspace: listed, told, put in force, rolled back, pinned, pruned and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands.options import JSON, RUN, WORKSPACE, existing, named
from app.commands.output import print_table, show
from data.errors import InputError

if TYPE_CHECKING:
    from models.registry import Registry

ZONE = click.argument("zone")
TARGET = click.argument("target")
VERSION = click.option("--version", metavar="NUMBER", help="A certain version; default the one in force.")
BY = click.option("--by", metavar="NAME", default="", help="Who does it, for the log; default who is signed in.")
WHY = click.option("--why", metavar="TEXT", default="", help="The reason, for the log.")
FORCE = click.option("--force", is_flag=True, help="Also where the model is pinned; it stays pinned.")


def registry(name: str | None, by: str = "") -> Registry:
    """The registry of a workspace that is there."""
    from models.registry import Registry

    return Registry(existing(name).models, by=by)


@click.group()
def models() -> None:
    """The workspace's forecasting models: every version of each, and which is in force.

    Each ZONE has one small model for each TARGET that is measured there, e.g. Z03 no2_ug_per_m3. The citywide model is
    that of zone _city, the mix that of zone _mix. Training stores a new version; it goes into force where it errs no
    more than the one before on days that neither has seen, unless a person has pinned that one.

    \b
    See            zonewise models list
    See the kinds  zonewise models families
    Read a card    zonewise models card Z03 no2_ug_per_m3
    Undo           zonewise models rollback Z03 no2_ug_per_m3 --why "odd at night"
    Hold it        zonewise models pin Z03 no2_ug_per_m3 --why "until the works end"
    """


@models.command("list")
@WORKSPACE
@JSON
@click.pass_obj
def models_list(chosen: str | None, workspace: str | None, as_json: bool) -> None:
    """List the models in force, zone by zone, and the citywide ones (zone _city)."""
    print_table(registry(workspace or chosen).list(), as_json)


@models.command("families")
@JSON
def models_families(as_json: bool) -> None:
    """List the kinds of model that can compete (--families), simplest first, and who brings those that are not ours."""
    import pandas as pd

    from app.family_list import family_rows

    print_table(pd.DataFrame(family_rows()), as_json)


@models.command("show")
@ZONE
@TARGET
@WORKSPACE
@VERSION
@JSON
@click.pass_obj
def models_show(
    chosen: str | None, zone: str, target: str, workspace: str | None, version: str | None, as_json: bool
) -> None:
    """Show every field of a card as it is stored, e.g. `zonewise models show Z03 no2_ug_per_m3`."""
    show(registry(workspace or chosen).show(zone, target, version), as_json)


@models.command("card")
@ZONE
@TARGET
@WORKSPACE
@VERSION
@click.option("--markdown", is_flag=True, help="Print Markdown, for a report.")
@JSON
@click.pass_obj
def models_card(
    chosen: str | None,
    zone: str,
    target: str,
    workspace: str | None,
    version: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """Tell what a model learned from, how well it does, and what it is not fit for."""
    from app.card_page import page
    from models.errors import ModelFileError, RegistryError

    held = registry(workspace or chosen)
    card = held.show(zone, target, version)
    if as_json:
        show(card, True)
        return
    try:
        standing = held.standing(zone, target)
        told = "In force" if standing.version == card["version"] else f"Not in force: {standing.version} is"
        told += f", since {standing.since[:10]}" + ("; pinned." if standing.pin else ".")
    except (RegistryError, ModelFileError):
        told = "Not in force."
    click.echo(page(card, markdown=markdown, standing=told), nl=False)


@models.command("importance")
@ZONE
@TARGET
@click.option(
    "--by",
    type=click.Choice(["contributions", "permutation", "gain"]),
    default="contributions",
    show_default=True,
    help="Mean size of contributions (of boosters: SHAP); error that shuffling groups of inputs costs; gain of splits.",
)
@click.option("--ahead", type=click.FloatRange(min=1), default=60, show_default=True, help="Minutes ahead.")
@click.option("--workspace", "workspace", metavar="NAME", help="Workspace.")
@JSON
@click.pass_obj
def models_importance(
    chosen: str | None, zone: str, target: str, by: str, ahead: float, workspace: str | None, as_json: bool
) -> None:
    """Tell what a zone's model looks at, over the last week: what it uses, not what causes what."""
    from app.importances import importances

    print_table(importances(existing(workspace or chosen), zone, target, by=by, ahead_s=60 * ahead), as_json)


@models.command("chance")
@TARGET
@click.option("--limit", type=float, required=True, help="In the unit shown, e.g. ug/m3 or km/h.")
@click.option("--ahead", type=click.FloatRange(min=1), default=60, show_default=True, help="Minutes ahead.")
@click.option("--below", is_flag=True, help="The chance of lying below the limit, e.g. of a jam by its speed.")
@click.option("--workspace", "workspace", metavar="NAME", help="Workspace.")
@JSON
@click.pass_obj
def models_chance(
    chosen: str | None, target: str, limit: float, ahead: float, below: bool, workspace: str | None, as_json: bool
) -> None:
    """Learn how likely TARGET passes a limit, zone by zone, and tell how far that held on days left out.

    E.g. `zonewise models chance no2_ug_per_m3 --limit 40`. A calibrated classifier of this limit alone; zones with few
    episodes lean on the city's, and where there are too few it says so instead of a number.
    """
    from app.chances import chances

    print_table(chances(existing(workspace or chosen), target, limit, horizon_s=60 * ahead, below=below), as_json)


@models.command("guard")
@WORKSPACE
@RUN
@click.option("--all", "every", is_flag=True, help="Also the zones whose choice passed.")
@JSON
@click.pass_obj
def models_guard(chosen: str | None, workspace: str | None, run_id: str | None, every: bool, as_json: bool) -> None:
    """List the zones whose model was held back by the guard against overfitting, and why."""
    space = existing(workspace or chosen)
    run = run_id or space.describe().get("runs", {}).get("training")
    if run is None or not space.runs.has(run):
        raise InputError(f"no training in workspace '{space.name}'; 'zonewise train{named(space)}' makes one")
    if "guard" not in space.runs.manifest(run)["tables"]:
        raise InputError(f"run '{run}' holds no table 'guard'; it is no training, or an older one: train again")
    table = space.runs.read(run, "guard")
    if not every:
        table = table[table["fell_back"]]
        if table.empty and not as_json:
            click.echo("No model was held back; --all lists what the guard found of each.")
            return
    print_table(table, as_json, run=run)


@models.command("versions")
@ZONE
@TARGET
@WORKSPACE
@JSON
@click.pass_obj
def models_versions(chosen: str | None, zone: str, target: str, workspace: str | None, as_json: bool) -> None:
    """List all versions of a model, which is in force, and what was decided about each."""
    print_table(version_table(registry(workspace or chosen), zone, target), as_json)


def version_table(held: Registry, zone: str, target: str) -> Any:
    """One row a version, oldest first: version, state, family, saved, train_end, bytes, decision."""
    import pandas as pd

    from models.errors import ModelFileError

    standing = held.standing(zone, target)
    rows = []
    for version in held.versions(zone, target):
        state = "in force" if version == standing.version else "before" if version == standing.previous else ""
        if state == "in force" and standing.pin:
            state = "in force, pinned"
        try:
            card = held.show(zone, target, version)
        except ModelFileError as error:
            rows.append({"version": version, "state": "damaged", "decision": str(error)})
            continue
        rows.append(
            {"version": version, "state": state, "family": card["family"], "saved": card.get("saved", ""),
             "train_end": card.get("train_end", ""), "bytes": str((card.get("complexity") or {}).get("bytes", "")),
             "decision": (card.get("decision") or {}).get("reason", "")}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["version", "state", "family", "saved", "train_end", "bytes", "decision"])


@models.command("promote")
@ZONE
@TARGET
@click.argument("version")
@WORKSPACE
@BY
@WHY
@FORCE
@click.pass_obj
def models_promote(
    chosen: str | None, zone: str, target: str, version: str, workspace: str | None, by: str, why: str, force: bool
) -> None:
    """Put a VERSION in force, e.g. `zonewise models promote Z03 no2_ug_per_m3 0004`."""
    held = registry(workspace or chosen, by)
    held.promote(zone, target, version, why=why, force=force)
    click.echo(f"{version} of {target} is in force in zone {zone}")


@models.command("rollback")
@ZONE
@TARGET
@WORKSPACE
@BY
@WHY
@FORCE
@click.pass_obj
def models_rollback(
    chosen: str | None, zone: str, target: str, workspace: str | None, by: str, why: str, force: bool
) -> None:
    """Put the version before back in force; once more, the one before that."""
    version = registry(workspace or chosen, by).rollback(zone, target, why=why, force=force)
    click.echo(f"{version} of {target} is in force again in zone {zone}")


@models.command("pin")
@ZONE
@TARGET
@WORKSPACE
@click.option("--version", metavar="NUMBER", help="Put this one in force first; default the one that is.")
@BY
@WHY
@click.pass_obj
def models_pin(
    chosen: str | None, zone: str, target: str, workspace: str | None, version: str | None, by: str, why: str
) -> None:
    """Hold a model: training stores new versions, and leaves this one in force."""
    held = registry(workspace or chosen, by)
    held.pin(zone, target, version=version, why=why)
    click.echo(f"{held.current(zone, target)} of {target} is pinned in zone {zone}")


@models.command("unpin")
@ZONE
@TARGET
@WORKSPACE
@BY
@WHY
@click.pass_obj
def models_unpin(chosen: str | None, zone: str, target: str, workspace: str | None, by: str, why: str) -> None:
    """Let training put better versions in force again."""
    done = registry(workspace or chosen, by).unpin(zone, target, why=why)
    click.echo(f"{target} of zone {zone} {'is open again' if done else 'was not pinned'}")


@models.command("log")
@WORKSPACE
@click.option("--zone", help="One zone; default all.")
@click.option("--target", help="One quantity; default all.")
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="So many of the latest changes.")
@JSON
@click.pass_obj
def models_log(
    chosen: str | None, workspace: str | None, zone: str | None, target: str | None, last: int, as_json: bool
) -> None:
    """Tell who changed what, when and why, oldest first."""
    print_table(registry(workspace or chosen).log(zone, target).tail(last), as_json)


@models.command("prune")
@WORKSPACE
@click.option("--keep", type=click.IntRange(1), required=True, help="So many of the newest versions of each model.")
@click.option("--zone", help="One zone; default all.")
@click.option("--target", help="One quantity; default all.")
@BY
@WHY
@JSON
@click.pass_obj
def models_prune(
    chosen: str | None,
    workspace: str | None,
    keep: int,
    zone: str | None,
    target: str | None,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Remove old versions; never the one in force, the one before it, or a pinned one."""
    gone = registry(workspace or chosen, by).prune(keep=keep, zone_id=zone, target=target, why=why)
    rows = [{"zone_id": z, "target": t, "version": v} for z, t, v in gone]
    show(rows if as_json else [f"{len(rows)} versions removed"], as_json)


@models.command("check")
@WORKSPACE
@click.option("--repair", is_flag=True, help="Mend what the log can mend, and sweep what killed jobs left.")
@JSON
@click.pass_obj
def models_check(chosen: str | None, workspace: str | None, repair: bool, as_json: bool) -> None:
    """Read every version, and name what is damaged and what to do about it."""
    found = registry(workspace or chosen).check(repair=repair)
    if found.empty and not as_json:
        click.echo("all versions are whole")
        return
    print_table(found, as_json)


@models.command("export")
@ZONE
@TARGET
@WORKSPACE
@VERSION
@click.option("--to", "folder", metavar="FOLDER", required=True, help="Where to; appears whole or not at all.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@click.pass_obj
def models_export(
    chosen: str | None,
    zone: str,
    target: str,
    workspace: str | None,
    version: str | None,
    folder: str,
    force: bool,
) -> None:
    """Write one version to a FOLDER, readable without Zonewise: its card, files, and all numbers as JSON."""
    from app.card_page import page
    from data.exports.folder import new_folder
    from models.bundle import bundle

    held = registry(workspace or chosen)
    card = held.show(zone, target, version)
    files = bundle(held, zone, target, card["version"])
    with new_folder(folder, kind="model", force=force) as aside:
        for name, value in files.items():
            (aside / name).write_bytes(value)
        (aside / "card.md").write_text(page(card, markdown=True))
    click.echo(f"version {card['version']} is in {folder}: {', '.join(sorted([*files, 'card.md']))}")
