"""Demand: who wants to drive where, and when.

Read `gateways` (streets that leave the city become external zones), `generation` (trip ends from what a zone is
like), `od_matrix` (gravity and balancing), `departures` (when in the day), `spec` (all of it, frozen), then `trips`
(one day of vehicles, every random number keyed by what it is for). `given` puts OD tables and lists of trips in the
place of the estimate, `gravity` calibrates friction; `estimation`, `count_trust` and `count_fit` seek, weigh and judge
a matrix that explains counts. Knows nothing of traffic engines or models.
"""
