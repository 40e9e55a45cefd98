"""`zonewise refresh`: new readings added to linear models, without training anything again."""

from __future__ import annotations

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import print_table


@click.command()
@WORKSPACE
@click.option(
    "--least-days",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Leave models with less that is new as they are.",
)
@click.option("--by", metavar="NAME", default="", help="Who does it, for the log; default who is signed in.")
@JSON
@click.pass_obj
def refresh(chosen: str | None, workspace: str | None, least_days: float, by: str, as_json: bool) -> None:
    """Add the readings that came since to models trained with --refreshable, in a moment.

    Their lines become what a fit on all readings would make them, at the same penalties. The usual day, scales,
    neighbours and intervals stay as they were learned: train again every two weeks or so, and where an alarm says that
    the world has changed. A model that is pinned or has an open alarm, and one that keeps nothing to add to, stays.
    """
    from app.refreshing import refresh_models

    print_table(refresh_models(existing(workspace or chosen), least_days=least_days, by=by), as_json)
