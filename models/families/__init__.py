"""Families: the kinds of small model that a zone can have, and those that serve a whole city.

Every family is a `learner.Learner`. Read `ridge` and `quantile_linear` (lines), `decision_tree` and `model_tree`,
`boosted_xgboost` and `bagged_trees`, `mlp` (networks), `regime` and `graph`; of the citywide ones `pooled_boosting`
and `pooled_mlp`. Importing this package makes all of them known to `Learner.registry`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    if not _module.name.endswith("_kernels"):
        import_module(f"{__name__}.{_module.name}")
