"""Choices of models made by hand, from a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

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
