"""Newcomers: forecasters for zones that have reported for days, not months.

Read `lending` (what is made of what), `likeness` (which zones a new one is like, and the usual day it borrows),
`warm` and `warm_line` (lines that lean on others' rows), `rehearsal` (how far to trust whom, tried on old zones that
begin again) and `forecaster` (the result: a forecaster like any other, that warms up as days come in).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.newcomers.forecaster import TransferredForecaster
    from models.newcomers.lending import transfer, transfer_all

_HOME = {"TransferredForecaster": "forecaster", "transfer": "lending", "transfer_all": "lending"}

__all__ = ["TransferredForecaster", "transfer", "transfer_all"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"models.newcomers.{_HOME[name]}"), name)
    raise AttributeError(f"module 'models.newcomers' has no attribute {name!r}")
