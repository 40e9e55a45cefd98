"""Families of models, one row each: those of Zonewise, and those that other packages bring."""

from __future__ import annotations

from typing import Any


def family_rows() -> list[dict[str, Any]]:
    """Rows of `family`, `scope`, `rank` (1: a line; 9: a network), `about`, `minimises` and `from`, simplest first."""
    from data import plugins
    from models.learner import families, learner_class, plugin_of

    rows = []
    for name in families():
        kind = learner_class(name)
        rows.append(
            {
                "family": name, "scope": kind.scope, "rank": float(kind.rank), "about": about_class(kind),
                "minimises": ", ".join(kind.losses),
                "from": plugins.told_of(plugin_of(name)),
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row["rank"], row["family"]))


def about_own(family: str) -> str:
    """The first line that a family of another package says of itself; empty where there is none of that name."""
    from data import plugins
    from models.learner import learner_class

    if family not in plugins.names(plugins.FAMILIES):
        return ""
    try:
        return about_class(learner_class(family))
    except plugins.PluginError as error:
        plugins.note_broken(error)
        return ""


def about_class(kind: type) -> str:
    """The first line of a family's docstring."""
    return (kind.__doc__ or "").strip().partition("\n")[0]
