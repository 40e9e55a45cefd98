"""What a person does to a zone's model, by name and with a reason: put in force, roll back, pin, open again."""

from __future__ import annotations

from app.serving.people import signed
from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

ACTIONS = ("promote", "rollback", "pin", "unpin")
MOST_NAME, MOST_WHY = 80, 400  # characters


def act(workspace: Workspace, action: str, zone: str, target: str, version: str, *, by: str, why: str = "") -> str:
    """Change what is in force; returns what was done, in words.

    Parameters
    ----------
    version : str
        For `promote`; the others are about the version in force.
    by : str
        Who does it, for the log; must be given. Where somebody has signed in, it is that one.
    why : str
        Reason, for the log.

    Raises
    ------
    InputError
        For an action that there is not, or without a name.
    RegistryError, ModelFileError
        As `Registry` says them, e.g. where a model is pinned.
    """
    from models.registry import Registry

    name, reason = " ".join((signed(by) or "").split())[:MOST_NAME], " ".join(why.split())[:MOST_WHY]
    if action not in ACTIONS:
        raise InputError(t("models.act.unknown", action=action))
    if not name:
        raise InputError(t("models.act.noname"))
    registry = Registry(workspace.models, by=name)
    if action == "promote":
        registry.promote(zone, target, version, why=reason)
    elif action == "rollback":
        version = registry.rollback(zone, target, why=reason)
    elif action == "pin":
        registry.pin(zone, target, why=reason)
        version = registry.current(zone, target)
    else:
        registry.unpin(zone, target, why=reason)
        version = registry.current(zone, target)
    return t(f"models.act.{action}.done", version=version, zone=zone)
