"""Zone features: what each zone is like, for models that serve many: its character, place and own history."""

from __future__ import annotations

import numpy as np

from models.featuriser import Featuriser
from models.panel import Panel, by_zone

CHARACTER = {
    "area_m2": 1.0, "homes": 0.0, "jobs": 0.0, "shops": 0.0, "green_share": 0.0, "road_major_m": 0.0,
    "road_minor_m": 0.0, "lon": 0.0, "lat": 0.0,
}  # fmt: skip
STATISTICS = ("level", "scale_share", "weekend_share", "morning_share", "evening_share", "night_share")
NAMES = (*(f"zone_{name}" for name in CHARACTER), *(f"zone_{name}" for name in STATISTICS))


def zone_features(panel: Panel, featuriser: Featuriser) -> np.ndarray:
    """Features of a featuriser's zones, shape (Z, E) by `NAMES`; homes, jobs and shops per hectare.

    Statistics are of the usual day in the training part: its mean level, the scale of deviations, weekends, the
    morning (7-9), evening (16-18) and night (0-5), all as shares of the level.
    """
    n = len(featuriser.zone_ids)
    profile = featuriser.profile.pick(np.arange(n))
    level = profile.mean[:, 0].mean(axis=1)
    safe = np.maximum(np.abs(level), 1e-9)
    steps = profile.mean.shape[2]

    def between(first: int, last: int) -> np.ndarray:
        return profile.mean[:, 0, first * steps // 24 : last * steps // 24].mean(axis=1) / safe

    own = np.column_stack(
        [level, profile.scale / safe, profile.mean[:, 2].mean(axis=1) / safe, between(7, 9), between(16, 18),
         between(0, 5)]
    )  # fmt: skip
    if panel.zones is None:
        return np.hstack([np.zeros((n, len(CHARACTER))), own])
    character = by_zone(panel.zones.iloc[panel.columns(featuriser.zone_ids)], CHARACTER)
    character[:, 1:4] /= np.maximum(character[:, :1], 1.0) / 1e4
    return np.hstack([character, own])
