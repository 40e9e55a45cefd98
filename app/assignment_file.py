"""Choices of models made by hand, from a file, and the families that compete so that they can be followed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from app.job_spec import named_families
from data.errors import InputError


def read_assignment(path: Path) -> pd.DataFrame:
    """Choices made by hand: a CSV table, or YAML of the form `{Z01: {target: ..., family: ..., model_in_use: ...}}`.

    Raises
    ------
    InputError
        If the file is missing or of neither form.
    """
    if not path.is_file():
        raise InputError(f"no file {path}; give a CSV or YAML file of zone_id and target, family or model_in_use")
    if path.suffix.lower() in (".yaml", ".yml"):
        import yaml

        try:
            told = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not YAML: {error}") from error
        if not isinstance(told, dict) or not all(isinstance(v, dict) for v in told.values()):
            raise InputError(f"{path} must map zone ids to settings, e.g. 'Z01: {{family: ridge}}'")
        return pd.DataFrame([{"zone_id": str(zone), **row} for zone, row in told.items()])
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def families_for(effort: str, families: str | None, overrides: pd.DataFrame | None) -> tuple[str, ...] | None:
    """Families that compete: those named, else an effort's; with any other that a choice by hand names.

    Parameters
    ----------
    effort : str
        See `models.candidates`.
    families : str or None
        Names joined by commas.
    overrides : DataFrame or None
        Of `read_assignment`.

    Returns
    -------
    tuple of str or None
        None where the effort's own families will do.
    """
    from models.candidates import candidates
    from models.choosing import USUAL

    wanted = named_families(families)
    by_hand: set[str] = set()
    if overrides is not None and "family" in overrides:
        by_hand = set(overrides["family"].fillna("").astype(str)) - {"", USUAL}
    there = [candidate.name for candidate in candidates(effort, wanted)]
    more = sorted(by_hand - set(there))
    return wanted if not more else (*there, *more)
