"""Tuning: which settings a family learns with, chosen inside the training part alone.

Read `folds` (rows before, rows after, and the gap between), `scoring` (what one setting scores), `search` (which
settings are tried), `trials` (trying them), `choice` (the best, or a simpler one as good), then `each` (one a zone,
where that is clear of chance). Arrays alone: depends on `models.learner` and `models.rows`.
"""

from __future__ import annotations

from models.tuning.choice import Try
from models.tuning.each import EachResult, tune_each
from models.tuning.folds import Fold, rolling_folds
from models.tuning.trials import Budget, TuningResult, tune

__all__ = ["Budget", "EachResult", "Fold", "Try", "TuningResult", "rolling_folds", "tune", "tune_each"]
