"""How commands print: aligned tables and lines for people, JSON for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd


def span(seconds: float) -> str:
    """A time span in minutes or hours."""
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them; what is missing is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso", double_precision=10))
    return rows


def print_table(table: pd.DataFrame, as_json: bool, **more: Any) -> None:
    """Print a table, or its rows as JSON beside `more`."""
    if as_json:
        rows = records(table)
        click.echo(json.dumps({**more, "rows": rows} if more else rows, indent=1))
    elif table.empty:
        click.echo("nothing there yet")
    else:
        click.echo(table.to_string(index=False, max_colwidth=70))


def show(value: Any, as_json: bool) -> None:
    """Print a mapping or a list."""
    if as_json:
        click.echo(json.dumps(value, indent=1, default=str))
    elif isinstance(value, dict):
        width = max((len(str(key)) for key in value), default=0)
        for key, item in value.items():
            text = json.dumps(item, default=str) if isinstance(item, (dict, list)) else item
            click.echo(f"{key:<{width}}  {text}")
    else:
        for item in value:
            click.echo(item)
