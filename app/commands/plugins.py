"""`zonewise plugins`: what other packages bring, and whether it works."""

from __future__ import annotations

from typing import Any

import click

from app.commands.options import JSON
from app.commands.output import print_table


@click.command()
@JSON
def plugins(as_json: bool) -> None:
    """List families, measures, partitions and readers that installed packages bring, and whether each can be used."""
    import pandas as pd

    from app.plugin_list import plugin_rows

    rows: list[dict[str, Any]] = plugin_rows()
    if not rows and not as_json:
        click.echo("no package brings anything; docs/extending.md tells how one does")
        return
    print_table(pd.DataFrame(rows, columns=["kind", "name", "package", "version", "place", "state"]), as_json)
