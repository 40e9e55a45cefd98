"""Key figures of a run that a planner weighs, beside the sums of `simulation.effects`.

Read `ledger` (what is noted while a city runs), `skims` (travel times from place to place), `accessibility`,
`groups` (who lives where), `rates` (what time and harm cost), `figures` (all of it as one series), then what needs
several replications: `reliability`, `equity` and `risk`. `access` tells of the streets whose access a plan changes.
"""

from simulation.kpis.access import access_changes
from simulation.kpis.equity import equity
from simulation.kpis.groups import Groups, default_groups
from simulation.kpis.ledger import Ledger
from simulation.kpis.rates import Rates, read_rates
from simulation.kpis.reliability import reliability_effects
from simulation.kpis.risk import brier_parts, forecast_risk, replication_risk, risk_reliability

__all__ = [
    "Groups",
    "Ledger",
    "Rates",
    "access_changes",
    "brier_parts",
    "default_groups",
    "equity",
    "forecast_risk",
    "read_rates",
    "reliability_effects",
    "replication_risk",
    "risk_reliability",
]
