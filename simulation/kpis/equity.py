"""Equity: which share of the residents a plan makes better or worse off, and how its gain is spread."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: What residents gain by: 1 where more is better, -1 where less is.
GOODS = {
    "no2": -1, "pm25": -1, "lden": -1, "home_travel_time_s": -1, "delay_hours": -1, "jobs_within_20_min": 1,
    "shops_within_20_min": 1, "external_cost_eur": -1,
}  # fmt: skip
COLUMNS = ("quantity", "people", "share_better", "share_worse", "share_same", "share_unsure", "worst_quarter", "mean")


def equity(effects: pd.DataFrame, people: pd.Series) -> pd.DataFrame:
    """Who gains and who loses by zone.

    Parameters
    ----------
    effects : DataFrame
        `data.schemas.EFFECTS`, with rows of scope `zone`.
    people : Series
        Residents by zone.

    Returns
    -------
    DataFrame
        One row a quantity: `people` whose zone has an effect with an interval; of them the share in zones that are
        surely better or worse off (the interval lies on one side of 0), exactly the same, or neither (`unsure`);
        `mean`: the mean effect over these residents; `worst_quarter`: that over the quarter of residents whom it
        serves worst. Effects are in the unit of the quantity. A zone is judged by itself: of many zones that do not
        change, one in ten will seem to, at 90 %.
    """
    rows = effects[(effects["scope"] == "zone") & (effects["hour"] == -1) & effects["lower"].notna()]
    out = []
    for name, sign in GOODS.items():
        table = rows[rows["quantity"] == name]
        count = table["zone_id"].map(people).fillna(0.0).to_numpy(float)
        total = count.sum()
        if not total > 0:
            continue
        low, high, effect = (table[c].to_numpy(float) for c in ("lower", "upper", "effect"))
        same = (low == 0.0) & (high == 0.0)
        up, down = (low > 0.0) & ~same, (high < 0.0) & ~same
        better, worse = (up, down) if sign > 0 else (down, up)
        order = np.argsort(sign * effect, kind="stable")
        upper = np.cumsum(count[order])
        inside = np.clip(np.minimum(upper, total / 4) - (upper - count[order]), 0.0, None)
        shares = [float(count[m].sum() / total) for m in (better, worse, same)]
        out.append((
            name, total, *shares, float(count[~(better | worse | same)].sum() / total),
            float(effect[order] @ inside / inside.sum()), float(effect @ count / total),
        ))  # fmt: skip
    return pd.DataFrame(out, columns=list(COLUMNS))
